"""JSON is a view: how orders, fills, balances and positions look to clients, the same in answers, queries and streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from onseju.contract.commands import CommandKind
from onseju.contract.events import (
    BalanceChanged,
    Event,
    OrderEvent,
    OrderFilled,
    PositionChanged,
    RequestRejected,
    RequestRepeated,
)
from onseju.contract.reasons import Reason
from onseju.contract.words import Liquidity, OrderStatus, OrderType, Side, TimeInForce

SymbolOf = Callable[[int], str]
"""Gives an instrument's symbol for its id."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# One look-up each: to make an enum's member and ask it for its label costs ten times as much, several times an order.
_SIDES = {int(word): word.label for word in Side}
_ORDER_TYPES = {int(word): word.label for word in OrderType}
_TIMES_IN_FORCE = {int(word): word.label for word in TimeInForce}
_STATUSES = {int(word): word.label for word in OrderStatus}
_LIQUIDITIES = {int(word): word.label for word in Liquidity}


@lru_cache(maxsize=64)
def timestamp(ts: int) -> str:
    """Microseconds since 1970 as RFC 3339 in UTC, always with six decimals.

    The last few are kept: all events of a command have the same.
    """
    moment = _EPOCH + timedelta(microseconds=ts)
    # Several times as fast as strftime.
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def average(amount: int, qty: int) -> str | None:
    """`amount / qty` as a decimal string: at most 4 decimals, cut off; None without quantity."""
    if qty == 0:
        return None
    whole, rest = divmod(amount, qty)
    decimals = f"{rest * 10_000 // qty:04d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order. Always leaves_qty + filled_qty + canceled_qty = qty.

    `end_reason` says why a canceled or expired order ended though its owner did not ask: `ioc_remainder`, `day_ended`, …
    """

    order_id: int
    client_order_id: str | None
    parent_order_id: int | None
    account_id: int
    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: int
    limit_price: int | None
    stop_price: int | None
    leaves_qty: int
    filled_qty: int
    canceled_qty: int
    filled_amount: int
    avg_fill_price: str | None
    status: str
    reject_reason: str | None
    end_reason: str | None
    seq: int
    ts: str


class FillView(msgspec.Struct, frozen=True, kw_only=True):
    """A fill, with the order as it stood after it. `commission` and `tax` are the order's sums so far."""

    trade_id: int
    order_id: int
    client_order_id: str | None
    account_id: int
    symbol: str
    side: str
    price: int
    qty: int
    amount: int
    liquidity: str
    leaves_qty: int
    filled_qty: int
    canceled_qty: int
    filled_amount: int
    avg_fill_price: str | None
    commission: int
    tax: int
    status: str
    seq: int
    ts: str


class BalanceView(msgspec.Struct, frozen=True, kw_only=True):
    """An account's cash, in the venue's smallest unit.

    `cash` counts every trade at once: it can be ordered with (`available` of it). What has been settled by today is
    `settled_cash` (예수금, D), by the next trading day `cash_d1` (D+1), by the one after it `cash_d2` (D+2, all of `cash`).
    """

    kind: str = "balance"
    account_id: int
    cash: int
    reserved: int
    available: int
    settled_cash: int
    cash_d1: int
    cash_d2: int
    seq: int
    ts: str


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """An account's shares of one instrument."""

    kind: str = "position"
    account_id: int
    symbol: str
    qty: int
    reserved_qty: int
    available_qty: int
    cost_amount: int
    avg_cost: str | None
    realized_profit: int
    seq: int
    ts: str


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """A request that changed nothing: refused, or a repeat of an earlier one."""

    request: str
    account_id: int
    order_id: int | None
    original_seq: int | None
    reason: str | None
    seq: int
    ts: str


def end_reason(status: int, reason: int) -> str | None:
    """Why an order with this status ended; None where its owner asked, or it has not, or was filled or refused."""
    ended = status in (OrderStatus.CANCELED, OrderStatus.EXPIRED)
    return Reason(reason).code if ended and reason else None


def order_view(event: OrderEvent, texts: Mapping[int, str], symbol_of: SymbolOf) -> OrderView:
    """The order as an event of it tells; `texts` are the block's annotations."""
    return OrderView(**order_fields(event, texts, symbol_of))


def order_fields(event: OrderEvent, texts: Mapping[int, str], symbol_of: SymbolOf) -> dict[str, Any]:
    """The fields of `order_view`, for a view that has more."""
    return {
        "order_id": event.order_id,
        "client_order_id": texts.get(event.order_id),
        "parent_order_id": event.parent_order_id or None,
        "account_id": event.account,
        "symbol": symbol_of(event.instrument),
        "side": _SIDES[event.side],
        "type": _ORDER_TYPES[event.order_type],
        "time_in_force": _TIMES_IN_FORCE[event.time_in_force],
        "qty": event.qty,
        "limit_price": event.limit_price or None,
        "stop_price": event.stop_price or None,
        "leaves_qty": event.leaves_qty,
        "filled_qty": event.filled_qty,
        "canceled_qty": event.canceled_qty,
        "filled_amount": event.filled_amount,
        "avg_fill_price": average(event.filled_amount, event.filled_qty),
        "status": _STATUSES[event.status],
        "reject_reason": Reason(event.reason).code if event.status == OrderStatus.REJECTED else None,
        "end_reason": end_reason(event.status, event.reason),
        "seq": event.seq,
        "ts": timestamp(event.ts),
    }


def fill_view(event: OrderFilled, texts: Mapping[int, str], symbol_of: SymbolOf) -> FillView:
    """The fill as its event tells; `texts` are the block's annotations."""
    return FillView(
        trade_id=event.trade_id,
        order_id=event.order_id,
        client_order_id=texts.get(event.order_id),
        account_id=event.account,
        symbol=symbol_of(event.instrument),
        side=_SIDES[event.side],
        price=event.price,
        qty=event.qty,
        amount=event.price * event.qty,
        liquidity=_LIQUIDITIES[event.liquidity],
        leaves_qty=event.leaves_qty,
        filled_qty=event.filled_qty,
        canceled_qty=event.canceled_qty,
        filled_amount=event.filled_amount,
        avg_fill_price=average(event.filled_amount, event.filled_qty),
        commission=event.commission,
        tax=event.transaction_tax + event.rural_tax,
        status=_STATUSES[event.status],
        seq=event.seq,
        ts=timestamp(event.ts),
    )


def balance_view(event: BalanceChanged) -> BalanceView:
    """The balance as its event tells."""
    return BalanceView(
        account_id=event.account,
        cash=event.cash,
        reserved=event.reserved_cash,
        available=event.cash - event.reserved_cash,
        settled_cash=event.cash - event.unsettled_d1 - event.unsettled_d2,
        cash_d1=event.cash - event.unsettled_d2,
        cash_d2=event.cash,
        seq=event.seq,
        ts=timestamp(event.ts),
    )


def position_view(event: PositionChanged, symbol_of: SymbolOf) -> PositionView:
    """The position as its event tells."""
    return PositionView(
        account_id=event.account,
        symbol=symbol_of(event.instrument),
        qty=event.qty,
        reserved_qty=event.reserved_qty,
        available_qty=event.qty - event.reserved_qty,
        cost_amount=event.cost_amount,
        avg_cost=average(event.cost_amount, event.qty),
        realized_profit=event.realized_profit,
        seq=event.seq,
        ts=timestamp(event.ts),
    )


def request_view(event: RequestRejected | RequestRepeated) -> RequestView:
    """What became of a request that changed nothing."""
    return RequestView(
        request=CommandKind(event.command_kind).name.lower(),
        account_id=event.account,
        order_id=None if isinstance(event, RequestRepeated) else event.order_id or None,
        original_seq=event.original_seq if isinstance(event, RequestRepeated) else None,
        reason=Reason(event.reason).code if event.reason else None,
        seq=event.seq,
        ts=timestamp(event.ts),
    )


StreamView = OrderView | FillView | BalanceView | PositionView | RequestView


def stream_view(event: Event, texts: Mapping[int, str], symbol_of: SymbolOf) -> tuple[str, StreamView] | None:
    """The stream type (`order`, `fill`, `account`, `request`) and data of an account's event; None where it is not streamed."""
    if isinstance(event, OrderEvent):
        return "order", order_view(event, texts, symbol_of)
    if isinstance(event, OrderFilled):
        return "fill", fill_view(event, texts, symbol_of)
    if isinstance(event, BalanceChanged):
        return "account", balance_view(event)
    if isinstance(event, PositionChanged):
        return "account", position_view(event, symbol_of)
    if isinstance(event, RequestRejected | RequestRepeated):
        return "request", request_view(event)
    return None
