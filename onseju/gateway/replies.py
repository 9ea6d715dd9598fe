"""From a command's events to the answer that its sender gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from onseju.contract.commands import CommandKind
from onseju.contract.events import (
    EVENT_BYTES,
    KIND_OFFSET,
    Event,
    EventKind,
    OrderAccepted,
    OrderEvent,
    OrderFilled,
    OrderRejected,
    RequestRejected,
    RequestRepeated,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.contract.views import FillView, OrderView, SymbolOf, end_reason, fill_view, order_fields, order_view
from onseju.gateway.problems import Problem

_TOLD = frozenset(
    {
        EventKind.ORDER_ACCEPTED,
        EventKind.ORDER_REJECTED,
        EventKind.ORDER_CORRECTED,
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_EXPIRED,
        EventKind.ORDER_TRIGGERED,
        EventKind.ORDER_FILLED,
        EventKind.REQUEST_REJECTED,
        EventKind.REQUEST_REPEATED,
    }
)


class OrderResult(OrderView, frozen=True, kw_only=True):
    """An order as it stands after the request, and the fills that the request brought it."""

    fills: list[FillView]


class CanceledOrders(msgspec.Struct, frozen=True):
    """The orders that a cancel-all ended, as they stand after it."""

    canceled: list[OrderView]
    count: int


class PendingRequest(msgspec.Struct, frozen=True):
    """A request that has no answer yet: the exchange, another process, may have taken it or may still take it. Its outcome is
    found under its client id, and sending it again under that id is safe."""

    client_order_id: str | None
    """The client's own, or the one that the gateway gave a new order; none where a correction or a cancel came without: the
    order that it is about tells."""
    status: Literal["pending"] = "pending"
    order_id: None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange answered: HTTP sends it as it is, the WebSocket with the request's id."""

    status: int
    body: OrderResult | CanceledOrders | PendingRequest | Problem
    seq: int
    """The command's number, which a read may wait for; 0 where no command was made."""
    replayed: bool = False
    """Whether this is the first answer again: the request had taken effect before."""


def pending(client_order_id: str | None) -> Answer:
    """The answer to a request that has none in time."""
    return Answer(status=202, body=PendingRequest(client_order_id or None), seq=0)


def answer_from(block: EventBlock, symbol_of: SymbolOf, *, seq: int | None = None, replayed: bool = False) -> Answer:
    """The answer that a command's events give. A repeat passes the first command's block and its own `seq`."""
    body, status = _body(block, symbol_of)
    if replayed and status == 201:
        status = 200
    return Answer(status=status, body=body, seq=block.seq if seq is None else seq, replayed=replayed)


def _body(block: EventBlock, symbol_of: SymbolOf) -> tuple[OrderResult | CanceledOrders | Problem, int]:
    events = _told(block)
    first = events[0] if events else None
    if isinstance(first, OrderRejected):
        order = order_view(first, block.annotations, symbol_of)
        problem = Problem(Reason(first.reason), order=order, seq=block.seq)
        return problem, problem.status
    if isinstance(first, RequestRejected | RequestRepeated):
        problem = Problem(Reason(first.reason), seq=block.seq)
        return problem, problem.status
    if block.command_kind == CommandKind.CANCEL_ALL:
        canceled = _canceled_orders(events, block.annotations, symbol_of)
        return CanceledOrders(canceled, len(canceled)), 200
    result = _order_result(events, block.annotations, symbol_of)
    return result, 201 if block.command_kind == CommandKind.NEW_ORDER else 200


def _told(block: EventBlock) -> list[Event]:
    """The events that an answer is made of. The others, half of them or more, are not even decoded."""
    payload = block.payload
    return [
        block.event_at(offset)
        for offset in range(0, len(payload), EVENT_BYTES)
        if payload[offset + KIND_OFFSET] in _TOLD
    ]


def _order_result(events: Sequence[Event], texts: Mapping[int, str], symbol_of: SymbolOf) -> OrderResult:
    """The order that the command was about, after all its events: the one it made, else the one it changed."""
    order = _subject(events)
    fills = []
    filled: OrderFilled | None = None
    for event in events:
        if isinstance(event, OrderEvent):
            if event.order_id == order.order_id:
                order, filled = event, None
        elif isinstance(event, OrderFilled) and event.order_id == order.order_id:
            fills.append(fill_view(event, texts, symbol_of))
            filled = event
    fields = order_fields(order, texts, symbol_of)
    if filled is not None:
        last = fills[-1]
        fields |= {
            "leaves_qty": last.leaves_qty,
            "filled_qty": last.filled_qty,
            "canceled_qty": last.canceled_qty,
            "filled_amount": last.filled_amount,
            "avg_fill_price": last.avg_fill_price,
            "status": last.status,
            "end_reason": end_reason(filled.status, order.reason),
        }
    return OrderResult(**fields, fills=fills)


def _canceled_orders(events: Sequence[Event], texts: Mapping[int, str], symbol_of: SymbolOf) -> list[OrderView]:
    """The orders that the events name, as the last event of each leaves them."""
    last = {event.order_id: event for event in events if isinstance(event, OrderEvent)}
    return [order_view(event, texts, symbol_of) for event in last.values()]


def _subject(events: Sequence[Event]) -> OrderEvent:
    changed: OrderEvent | None = None
    for event in events:
        if isinstance(event, OrderAccepted):
            return event  # a new order, or the shares that a partial correction split off
        if changed is None and isinstance(event, OrderEvent):
            changed = event
    if changed is None:
        raise LookupError("the command's events name no order")
    return changed
