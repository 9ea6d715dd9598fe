"""What an account reads: cash, positions, how much it can order, its orders and its fills. All from the tables."""

from __future__ import annotations

import re

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract.ids import CLIENT_ORDER_ID
from onseju.contract.money import MAX_INPUT
from onseju.contract.reasons import Reason
from onseju.contract.views import BalanceView, OrderView, PositionView
from onseju.contract.words import OrderType, Side, TimeInForce
from onseju.gateway import reads
from onseju.gateway.answers import json_response
from onseju.gateway.capacity import Question, capacity, reservation
from onseju.gateway.context import gateway_of
from onseju.gateway.operations import Operations, Parameter
from onseju.gateway.order_forms import PRICED, STOPPED
from onseju.gateway.principal import READ
from onseju.gateway.problems import Problem, language_of
from onseju.market.directory import Directory
from onseju.projections.pages import FillPage, Holdings, OrderPage
from onseju.projections.queries import STATUSES

operations = Operations("account")

WALK_LEVELS = 10_000
"""Levels of the book that the capacity of a market order looks at where it reserves nothing."""

_NUMBER = re.compile(r"[0-9]{1,16}")


class AccountView(BalanceView, frozen=True, kw_only=True):
    """An account: its cash, and its shares at the last price (before a first trade, the base price)."""

    market_value: int
    cost_amount: int
    unrealized_profit: int
    realized_profit: int
    total_value: int
    """Cash and market value."""


class HoldingView(PositionView, frozen=True, kw_only=True):
    """A position, and what it is worth at the last price (before a first trade, the base price)."""

    last_price: int | None
    market_value: int
    unrealized_profit: int


class Positions(msgspec.Struct, frozen=True):
    """What an account holds, by symbol."""

    positions: list[HoldingView]
    seq: int


class OrderCapacity(msgspec.Struct, frozen=True, kw_only=True):
    """주문가능: how many shares can be ordered now. Where `max_qty` is 0, `reason` and `detail` say why.

    `unit_cash` is the cash that each share of a buy reserves, commission apart: the limit price where it names one, else
    the upper limit; null where nothing is reserved, so that `max_qty` is what the cash would pay as far as can be told.
    `reserved_cash` is what `max_qty` shares would reserve, commission included.
    """

    symbol: str
    side: str
    type: str
    time_in_force: str
    limit_price: int | None
    stop_price: int | None
    max_qty: int
    unit_cash: int | None
    reserved_cash: int | None
    available_cash: int
    available_qty: int
    reason: str | None
    detail: str | None
    seq: int


@operations.add(
    "GET",
    "/v1/account",
    summary="Cash, and what the shares are worth",
    scope=READ,
    limit="query",
    responses={200: AccountView},
    parameters=(reads.MIN_SEQ,),
)
async def get_account(request: Request) -> Response:
    """The account's money."""
    holdings = await _holdings(request)
    held = _valued(holdings, gateway_of(request).market.directory)
    market_value = sum(view.market_value for view in held)
    values = msgspec.structs.asdict(holdings.balance) | {"seq": holdings.seq}
    view = AccountView(
        **values,
        market_value=market_value,
        cost_amount=sum(view.cost_amount for view in held),
        unrealized_profit=sum(view.unrealized_profit for view in held),
        realized_profit=sum(view.realized_profit for view in held),
        total_value=holdings.balance.cash + market_value,
    )
    return json_response(view, seq=holdings.seq)


@operations.add(
    "GET",
    "/v1/positions",
    summary="What the account holds",
    scope=READ,
    limit="query",
    responses={200: Positions},
    parameters=(reads.MIN_SEQ,),
)
async def get_positions(request: Request) -> Response:
    """Positions with shares, by symbol. The profit of what was sold out is in the account's."""
    holdings = await _holdings(request)
    held = [view for view in _valued(holdings, gateway_of(request).market.directory) if view.qty]
    return json_response(Positions(held, holdings.seq), seq=holdings.seq)


@operations.add(
    "GET",
    "/v1/order-capacity",
    summary="How much can be ordered now (주문가능), and if nothing, why",
    scope=READ,
    limit="query",
    responses={200: OrderCapacity},
    parameters=(
        Parameter("symbol", "The instrument, like 005930.", required=True),
        Parameter(
            "side", "The order's side.", {"type": "string", "enum": [side.label for side in Side]}, required=True
        ),
        Parameter(
            "type",
            "The order's type.",
            {"type": "string", "enum": [word.label for word in OrderType], "default": "limit"},
        ),
        Parameter(
            "limit_price", "For a type that carries one.", {"type": "integer", "minimum": 1, "maximum": MAX_INPUT}
        ),
        Parameter(
            "stop_price",
            "For a type that carries one; left out, it is not looked at.",
            {"type": "integer", "minimum": 1, "maximum": MAX_INPUT},
        ),
        Parameter(
            "time_in_force",
            "How long the order shall stand.",
            {"type": "string", "enum": [word.label for word in TimeInForce], "default": "day"},
        ),
        reads.MIN_SEQ,
    ),
)
async def get_order_capacity(request: Request) -> Response:
    """The most shares of one order, before anything else happens."""
    symbol = reads.symbol_asked(request)
    if symbol is None:
        raise reads.malformed("symbol", "missing")
    side = Side.parse(reads.choice_asked(request, "side", [side.label for side in Side]))
    type_name = reads.choice_asked(request, "type", [word.label for word in OrderType], "limit")
    limit_price = reads.number_asked(request, "limit_price", None, 1, MAX_INPUT)
    stop_price = reads.number_asked(request, "stop_price", None, 1, MAX_INPUT)
    times = [word.label for word in TimeInForce]
    time_in_force = TimeInForce.parse(reads.choice_asked(request, "time_in_force", times, "day"))
    if (type_name in PRICED) != (limit_price is not None):
        raise reads.malformed("limit_price", "missing" if limit_price is None else "not_allowed")
    if stop_price is not None and type_name not in STOPPED:
        raise reads.malformed("stop_price", "not_allowed")
    holdings = await _holdings(request)
    gateway = gateway_of(request)
    directory = gateway.market.directory
    instrument = reads.instrument_named(request, symbol)
    is_walk = type_name == OrderType.MARKET.label and not instrument.upper_limit
    book = gateway.market.book(symbol, WALK_LEVELS if is_walk else 1)
    bids, asks = ([], []) if book is None else (book.bids, book.asks)
    question = Question(
        instrument=instrument,
        directory=directory,
        side=side,
        order_type=OrderType.parse(type_name),
        time_in_force=time_in_force,
        limit_price=limit_price or 0,
        stop_price=stop_price or 0,
        available_cash=holdings.balance.available,
        available_qty=sum(view.available_qty for view in holdings.positions if view.symbol == symbol),
        own=[(price, qty) for price, qty, _ in (bids if side is Side.BUY else asks)],
        opposite=[(price, qty) for price, qty, _ in (asks if side is Side.BUY else bids)],
        open_orders=await reads.ask(request, gateway.queries.open_order_count, holdings.balance.account_id),
    )
    answer = capacity(question)
    unit = answer.unit_cash
    view = OrderCapacity(
        symbol=symbol,
        side=side.label,
        type=type_name,
        time_in_force=time_in_force.label,
        limit_price=limit_price,
        stop_price=stop_price,
        max_qty=answer.qty,
        unit_cash=unit,
        reserved_cash=None if unit is None else reservation(question, unit, answer.qty),
        available_cash=question.available_cash,
        available_qty=question.available_qty,
        reason=answer.reason.code if answer.reason else None,
        detail=answer.reason.sentence(language_of(request)) if answer.reason else None,
        seq=holdings.seq,
    )
    return json_response(view, seq=holdings.seq)


@operations.add(
    "GET",
    "/v1/orders",
    summary="The account's orders, newest first",
    scope=READ,
    limit="query",
    responses={200: OrderPage},
    parameters=(
        Parameter("status", "Only these.", {"type": "string", "enum": list(STATUSES), "default": "all"}),
        reads.SYMBOL,
        reads.CURSOR,
        reads.LIMIT,
        reads.MIN_SEQ,
    ),
)
async def list_orders(request: Request) -> Response:
    """A page of orders, refused ones included."""
    account = reads.account_of(request)
    status = reads.choice_asked(request, "status", STATUSES, "all")
    symbol, limit = reads.symbol_asked(request), reads.limit_asked(request)
    await reads.settle(request)
    cursor = request.query_params.get("cursor")
    page = await reads.ask(request, gateway_of(request).queries.orders, account, status, symbol, cursor, limit)
    return json_response(page, seq=page.seq)


@operations.add(
    "GET",
    "/v1/orders/{id}",
    summary="One order",
    scope=READ,
    limit="query",
    responses={200: OrderView},
    parameters=(
        Parameter("id", "The order's id.", {"type": "integer", "minimum": 1}, "path", True),
        reads.MIN_SEQ,
    ),
)
async def get_order(request: Request) -> Response:
    """The order as it stands. Somebody else's is not found."""
    account = reads.account_of(request)
    text = request.path_params["id"]
    if not _NUMBER.fullmatch(text):
        raise Problem(Reason.ORDER_NOT_FOUND)
    await reads.settle(request)
    queries = gateway_of(request).queries
    return _order(await reads.ask_surely(request, queries.order, account, int(text), found=_is_there))


@operations.add(
    "GET",
    "/v1/orders:by-client-id/{cid}",
    summary="The newest order with this client_order_id",
    scope=READ,
    limit="query",
    responses={200: OrderView},
    parameters=(
        Parameter("cid", "The client's own id, `client_order_id`.", where="path", required=True),
        reads.MIN_SEQ,
    ),
)
async def get_order_by_client_id(request: Request) -> Response:
    """The order as it stands."""
    account = reads.account_of(request)
    client_order_id = request.path_params["cid"]
    if not CLIENT_ORDER_ID.fullmatch(client_order_id):
        raise Problem(Reason.ORDER_NOT_FOUND)
    await reads.settle(request)
    queries = gateway_of(request).queries
    return _order(
        await reads.ask_surely(request, queries.order_by_client_id, account, client_order_id, found=_is_there)
    )


@operations.add(
    "GET",
    "/v1/fills",
    summary="The account's fills, newest first",
    scope=READ,
    limit="query",
    responses={200: FillPage},
    parameters=(
        reads.SYMBOL,
        Parameter("order_id", "Only this order's.", {"type": "integer", "minimum": 1}),
        reads.CURSOR,
        reads.LIMIT,
        reads.MIN_SEQ,
    ),
)
async def list_fills(request: Request) -> Response:
    """A page of fills."""
    account = reads.account_of(request)
    symbol, limit = reads.symbol_asked(request), reads.limit_asked(request)
    order_id = reads.number_asked(request, "order_id", None, 1, MAX_INPUT)
    await reads.settle(request)
    cursor = request.query_params.get("cursor")
    page = await reads.ask(request, gateway_of(request).queries.fills, account, symbol, order_id, cursor, limit)
    return json_response(page, seq=page.seq)


async def _holdings(request: Request) -> Holdings:
    account = reads.account_of(request)
    await reads.settle(request)
    holdings = await reads.ask_surely(
        request, gateway_of(request).queries.holdings, account, found=lambda answer: answer is not None
    )
    if holdings is None:
        raise Problem(Reason.UNKNOWN_ACCOUNT)
    return holdings


def _valued(holdings: Holdings, directory: Directory) -> list[HoldingView]:
    return [_holding(view, directory) for view in holdings.positions]


def _holding(view: PositionView, directory: Directory) -> HoldingView:
    instrument = directory.by_symbol(view.symbol)
    last = None if instrument is None else instrument.last_price
    base = 0 if instrument is None else instrument.base_price
    value = view.qty * (base if last is None else last)
    return HoldingView(
        **msgspec.structs.asdict(view),
        last_price=last,
        market_value=value,
        unrealized_profit=value - view.cost_amount,
    )


def _is_there(answer: tuple[OrderView | None, int]) -> bool:
    return answer[0] is not None


def _order(answer: tuple[OrderView | None, int]) -> Response:
    order, seq = answer
    if order is None:
        raise Problem(Reason.ORDER_NOT_FOUND)
    return json_response(order, seq=seq)
