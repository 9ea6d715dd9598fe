"""Order entry over HTTP: create, batch, correct, cancel, cancel all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract.reasons import Reason
from onseju.gateway import order_batches, order_entry, order_records
from onseju.gateway.answers import SEQ_HEADER, json_response
from onseju.gateway.body import is_of_type, read_body, read_bytes
from onseju.gateway.context import gateway_of, principal_of
from onseju.gateway.limits import charge
from onseju.gateway.operations import Operations, Parameter
from onseju.gateway.order_batches import OrderAnswer
from onseju.gateway.order_forms import (
    Cancel,
    CancelAll,
    Correct,
    NewOrder,
    NewOrders,
    decode,
    decode_batch,
    decode_item,
    split_batch,
)
from onseju.gateway.principal import TRADE
from onseju.gateway.problems import FieldError, Problem, ProblemBody, language_of
from onseju.gateway.replies import Answer, CanceledOrders, OrderResult, PendingRequest

operations = Operations("orders")

REPLAYED_HEADER = "Idempotency-Replayed"
CLIENT_ID_HEADER = "Onseju-Client-Request-Id"
MAX_BATCH_BYTES = 1024 * 1024
_RECORDS = order_records.MEDIA_TYPE.encode()

_NUMBER = re.compile(r"[0-9]{1,16}")

_CLIENT_ID = Parameter(
    CLIENT_ID_HEADER,
    "The client's own id of this request: a repeat takes effect once. One name space with client_order_id.",
    {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"},
    "header",
)
_ORDER_ID = Parameter("id", "The order's id.", {"type": "integer", "minimum": 1}, "path", True)

C = TypeVar("C", Cancel, CancelAll)


class BatchItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of a batch's answers: the order as it stands after its matching, or why there is none."""

    order: OrderResult | None = None
    problem: ProblemBody | None = None
    pending: PendingRequest | None = None
    """The exchange, another process, has not answered in time."""
    replayed: bool = False
    """Whether the order had been entered before: this is its first answer again."""


class BatchResult(msgspec.Struct, frozen=True):
    """A batch's answers, in the order of its orders."""

    results: list[BatchItem]


@operations.add(
    "POST",
    "/v1/orders",
    summary="Enter an order",
    scope=TRADE,
    limit="order",
    body=NewOrder,
    responses={201: OrderResult, 200: OrderResult, 202: PendingRequest},
)
async def create_order(request: Request) -> Response:
    """The order as it stands after matching, with its fills. 200 for a repeat under the same `client_order_id`."""
    form = decode(await read_body(request, msgspec.Raw), NewOrder)
    _check_signed(request, form)
    return respond(await order_entry.new_order(gateway_of(request), principal_of(request), form))


@operations.add(
    "POST",
    "/v1/orders:batch",
    summary="Enter up to 1,000 orders, in order; each stands for itself",
    scope=TRADE,
    limit="order",
    body=NewOrders,
    responses={200: BatchResult},
    max_body_bytes=MAX_BATCH_BYTES,
    records=order_records.MEDIA_TYPE,
)
async def create_orders(request: Request) -> Response:
    """An order or a problem per item. What is wrong with one does not stop the others."""
    if is_of_type(request, _RECORDS):
        return await _enter_records(request)
    raw = await read_body(request, msgspec.Raw)
    forms: Sequence[NewOrder | Problem] | None = decode_batch(raw)
    if forms is None:  # something is wrong: each bad order gets its own problem
        items = split_batch(raw)
        charge(request, len(items) - 1)
        forms = [decode_item(item) async for item in order_entry.in_turns(items)]
    else:
        charge(request, len(forms) - 1)
    gateway, principal = gateway_of(request), principal_of(request)
    if principal.via == "signed":
        for form in forms:
            if isinstance(form, NewOrder):
                _check_signed(request, form)
    return _batch_response(request, await order_batches.enter(gateway, principal, forms))


def _batch_response(request: Request, answers: Sequence[OrderAnswer]) -> Response:
    """`BatchResult`."""
    language, request_id = language_of(request), getattr(request.state, "request_id", "")
    items: list[bytes] = []
    last = 0
    for place, answer in enumerate(answers):
        if isinstance(answer, tuple):
            last, body = answer
            items.append(b'{"order":%b}' % body)
        else:
            last = max(last, answer.seq)
            items.append(msgspec.json.encode(_item(answer, language, f"{request_id}/{place}")))
    response = Response(b'{"results":[%b]}' % b",".join(items), media_type="application/json")
    if last:
        response.raw_headers.append((b"onseju-seq", b"%d" % last))
    return response


@operations.add(
    "PATCH",
    "/v1/orders/{id}",
    summary="Correct (정정) an open order",
    scope=TRADE,
    limit="order",
    body=Correct,
    responses={200: OrderResult, 202: PendingRequest},
    parameters=(_ORDER_ID,),
)
async def correct_order(request: Request) -> Response:
    """The order as it stands afterwards; with `qty`, the new order that this many of its open shares became."""
    order_id = _order_id(request)
    form = decode(await read_body(request, msgspec.Raw), Correct)
    _check_signed(request, form)
    return respond(await order_entry.correct(gateway_of(request), principal_of(request), order_id, form))


@operations.add(
    "DELETE",
    "/v1/orders/{id}",
    summary="Cancel an order, or part of it",
    scope=TRADE,
    limit="cancel",
    responses={200: OrderResult, 202: PendingRequest},
    parameters=(
        _ORDER_ID,
        Parameter("qty", "Only so many of the open shares.", {"type": "integer", "minimum": 1}),
        _CLIENT_ID,
    ),
)
async def cancel_order(request: Request) -> Response:
    """The order as it stands afterwards."""
    order_id = _order_id(request)
    form = _cancel_form(request, Cancel)
    return respond(await order_entry.cancel(gateway_of(request), principal_of(request), order_id, form))


@operations.add(
    "DELETE",
    "/v1/orders",
    summary="Cancel all open orders",
    scope=TRADE,
    limit="cancel",
    responses={200: CanceledOrders, 202: PendingRequest},
    parameters=(
        Parameter("symbol", "Only of this instrument."),
        Parameter("side", "Only of this side.", {"type": "string", "enum": ["buy", "sell"]}),
        _CLIENT_ID,
    ),
)
async def cancel_orders(request: Request) -> Response:
    """The orders that were canceled."""
    form = _cancel_form(request, CancelAll)
    return respond(await order_entry.cancel_all(gateway_of(request), principal_of(request), form))


async def _enter_records(request: Request) -> Response:
    """The batch in the contract's records: commands of every kind, answered with events (`order_records`)."""
    gateway, principal = gateway_of(request), principal_of(request)
    if not principal.account_id:
        raise Problem(Reason.FORBIDDEN)
    instruments = len(gateway.market.directory.all())
    batch = order_records.parse(await read_bytes(request), principal, instruments)
    charge(request, batch.orders - 1)
    charge(request, batch.cancels, "cancel")
    answers = await order_records.enter(gateway, principal, batch)
    return Response(answers, media_type=order_records.MEDIA_TYPE)


def _check_signed(request: Request, form: NewOrder | Correct) -> None:
    """A signed request's nonce is remembered in memory alone: what may take effect twice must carry its own id, too."""
    if form.client_order_id is None and principal_of(request).via == "signed":
        raise Problem(Reason.MALFORMED, errors=[FieldError("client_order_id", "missing")])


def respond(answer: Answer) -> Response:
    """The response to one request of an order. Raises its `Problem` where it was refused."""
    replayed = {REPLAYED_HEADER: "true"} if answer.replayed else {}
    if isinstance(answer.body, Problem):
        answer.body.headers.update(replayed)
        answer.body.headers[SEQ_HEADER] = str(answer.seq)
        raise answer.body
    return json_response(answer.body, answer.status, seq=answer.seq or None, headers=replayed)


def _item(answer: Answer, language: str, instance: str) -> BatchItem:
    if isinstance(answer.body, Problem):
        return BatchItem(problem=answer.body.body(language, instance), replayed=answer.replayed)
    if isinstance(answer.body, PendingRequest):
        return BatchItem(pending=answer.body)
    if not isinstance(answer.body, OrderResult):
        raise TypeError(f"a new order was answered with {type(answer.body).__name__}")
    return BatchItem(order=answer.body, replayed=answer.replayed)


def _order_id(request: Request) -> int:
    text: str = request.path_params["id"]
    if not _NUMBER.fullmatch(text):
        raise Problem(Reason.ORDER_NOT_FOUND)
    return int(text)


def _cancel_form(request: Request, form: type[C]) -> C:
    """The form in the query and in the client id's header.

    Strict, because a mistyped parameter that is passed over would cancel more than was meant.
    """
    given = request.query_params.multi_items()
    values: dict[str, Any] = dict(given)
    twice = (
        sorted({name for name, _ in given if sum(name == other for other, _ in given) > 1}) if len(given) > 1 else []
    )
    if twice or "client_order_id" in values:
        wrong = [FieldError(name[:64], "not_allowed") for name in twice]
        raise Problem(Reason.MALFORMED, errors=wrong or [FieldError("client_order_id", "unknown")])
    if _NUMBER.fullmatch(values.get("qty", "")):
        values["qty"] = int(values["qty"])
    if CLIENT_ID_HEADER in request.headers:
        values["client_order_id"] = request.headers[CLIENT_ID_HEADER]
    try:
        return decode(msgspec.json.encode(values), form)
    except Problem as problem:
        for place, error in enumerate(problem.errors):
            if error.field == "client_order_id":
                problem.errors[place] = FieldError(CLIENT_ID_HEADER, error.code, error.detail)
        raise
