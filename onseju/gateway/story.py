"""Why did my order not fill? An order's story, told from the events."""

from __future__ import annotations

import re
from typing import NamedTuple

import structlog
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract.reasons import Reason
from onseju.contract.views import OrderView
from onseju.gateway import reads
from onseju.gateway.answers import json_response
from onseju.gateway.context import Gateway, gateway_of
from onseju.gateway.operations import Operations, Parameter
from onseju.gateway.principal import READ
from onseju.gateway.problems import Problem, language_of
from onseju.journal.port import JournalError
from onseju.story.moment import limits_of, moment_of
from onseju.story.places import Place
from onseju.story.stories import Asked, StoriesBusyError, StoryView

log = structlog.get_logger("onseju.gateway")

operations = Operations("orders")

TRIES = 5
"""Looks at an order that changes while it is looked at."""

_NUMBER = re.compile(r"[0-9]{1,16}")


class _Snapshot(NamedTuple):
    """The place of an order as the exchange had it after a command."""

    seq: int
    ts: int
    place: Place | None


@operations.add(
    "GET",
    "/v1/orders/{id}/story",
    summary="Why an order has not filled, or how it ended: what happened to it, and what one can do",
    scope=READ,
    limit="query",
    responses={200: StoryView},
    parameters=(Parameter("id", "The order's id.", {"type": "integer", "minimum": 1}, "path", True), reads.MIN_SEQ),
)
async def story(request: Request) -> Response:
    """The story of any of the account's orders, open or done, in Korean or English (`Accept-Language`)."""
    account = reads.account_of(request)
    text = request.path_params["id"]
    if not _NUMBER.fullmatch(text):
        raise Problem(Reason.ORDER_NOT_FOUND)
    await reads.settle(request)
    gateway = gateway_of(request)
    order, snapshot = await _at_one_moment(request, gateway, account, int(text))
    instrument = gateway.market.directory.by_symbol(order.symbol)
    phase_until = None if instrument is None else gateway.timetable.phase_end(instrument.id)
    asked = Asked(
        order=order,
        instrument=0 if instrument is None else instrument.id,
        seq=snapshot.seq,
        ts=snapshot.ts,
        moment=moment_of(gateway.market, instrument, snapshot.place, phase_until),
        limits=limits_of(gateway.market.directory, instrument),
        denomination=gateway.market.directory.denomination,
    )
    try:
        told = await gateway.stories.tell(asked, language_of(request))
    except StoriesBusyError:
        raise Problem(Reason.OVERLOADED) from None
    except JournalError as error:
        log.error("the event log cannot be read", order_id=order.order_id, exc_info=error)
        raise Problem(Reason.PROJECTION_BEHIND) from None
    return json_response(told, seq=told.seq)


async def _at_one_moment(
    request: Request, gateway: Gateway, account: int, order_id: int
) -> tuple[OrderView, _Snapshot]:
    """The order from the tables and its place from memory, of one moment: nothing happened to it in between.

    Raises `Problem`: ORDER_NOT_FOUND, also for somebody else's, or PROJECTION_BEHIND.
    """
    queues = gateway.queues
    for _ in range(TRIES):
        found = queues.position(account, order_id)
        place = None
        if found is not None:
            place = Place(ahead_qty=found.ahead_qty, ahead_orders=found.ahead_orders, level_qty=found.level_qty)
        snapshot = _Snapshot(queues.seq, queues.ts, place)
        if not await gateway.projector.wait_for(snapshot.seq, gateway.settings.min_seq_wait_s):
            raise Problem(Reason.PROJECTION_BEHIND)
        order, _ = await reads.ask(request, gateway.queries.order, account, order_id)
        if order is None:
            raise Problem(Reason.ORDER_NOT_FOUND)
        if order.seq <= snapshot.seq:
            return order, snapshot
    raise Problem(Reason.PROJECTION_BEHIND)
