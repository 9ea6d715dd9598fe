"""Where one's own open orders stand in the queue at their price."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract.reasons import Reason
from onseju.gateway.answers import json_response
from onseju.gateway.context import gateway_of, principal_of
from onseju.gateway.operations import Operations
from onseju.gateway.principal import READ
from onseju.gateway.problems import Problem
from onseju.market.places import QueuePosition

operations = Operations("orders")


class QueuePage(msgspec.Struct, frozen=True, kw_only=True):
    """The places of all open orders of an account that stand at a price, oldest order first."""

    positions: list[QueuePosition]
    seq: int


@operations.add(
    "GET",
    "/v1/queue",
    summary="The place in the queue of every open order",
    scope=READ,
    limit="query",
    responses={200: QueuePage},
)
async def queue(request: Request) -> Response:
    """All places. They follow the exchange at once: `seq` is its last command's, not the tables'."""
    queues = gateway_of(request).queues
    page = QueuePage(positions=queues.positions(principal_of(request).account_id), seq=queues.seq)
    return json_response(page, seq=page.seq)


@operations.add(
    "GET",
    "/v1/orders/{order_id}/queue",
    summary="An open order's place in the queue",
    scope=READ,
    limit="query",
    responses={200: QueuePosition},
)
async def place(request: Request) -> Response:
    """One order's place; 404 where it is no open order of the account, or stands at no price: midpoint
    orders, stop orders that sleep."""
    queues = gateway_of(request).queues
    text = request.path_params["order_id"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 17 else 0
    position = queues.position(principal_of(request).account_id, number)
    if position is None:
        raise Problem(Reason.ORDER_NOT_FOUND)
    return json_response(position, seq=queues.seq)
