"""From a command's events to the answer that its sender gets."""

from __future__ import annotations

import msgspec

from onseju.contract.commands import CommandKind
from onseju.contract.events import (
    OrderAccepted,
    OrderEvent,
    OrderFilled,
    OrderRejected,
    RequestRejected,
    RequestRepeated,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.contract.views import FillView, OrderView, SymbolOf, fill_view, order_view
from onseju.gateway.problems import Problem


class OrderResult(OrderView, frozen=True, kw_only=True):
    """An order as it stands after the request, and the fills that the request brought it."""

    fills: list[FillView]


class CanceledOrders(msgspec.Struct, frozen=True):
    """The orders that a cancel-all ended, as they stand after it."""

    canceled: list[OrderView]
    count: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange answered: HTTP sends it as it is, the WebSocket with the request's id."""

    status: int
    body: OrderResult | CanceledOrders | Problem
    seq: int
    """The command's number, which a read may wait for; 0 where no command was made."""
    replayed: bool = False
    """Whether this is the first answer again: the request had taken effect before."""


def answer_from(block: EventBlock, symbol_of: SymbolOf, *, seq: int | None = None, replayed: bool = False) -> Answer:
    """The answer that a command's events give. A repeat passes the first command's block and its own `seq`."""
    body, status = _body(block, symbol_of)
    if replayed and status == 201:
        status = 200
    return Answer(status=status, body=body, seq=block.seq if seq is None else seq, replayed=replayed)


def _body(block: EventBlock, symbol_of: SymbolOf) -> tuple[OrderResult | CanceledOrders | Problem, int]:
    first = block.events[0]
    if isinstance(first, OrderRejected):
        order = order_view(first, block.annotations, symbol_of)
        problem = Problem(Reason(first.reason), order=order, seq=block.seq)
        return problem, problem.status
    if isinstance(first, RequestRejected | RequestRepeated):
        problem = Problem(Reason(first.reason), seq=block.seq)
        return problem, problem.status
    if block.command_kind == CommandKind.CANCEL_ALL:
        canceled = canceled_orders(block, symbol_of)
        return CanceledOrders(canceled, len(canceled)), 200
    return order_result(block, symbol_of), 201 if block.command_kind == CommandKind.NEW_ORDER else 200


def order_result(block: EventBlock, symbol_of: SymbolOf) -> OrderResult:
    """The order that the command was about, after all its events: the one it made, else the one it changed."""
    order = _subject(block)
    fills = []
    for event in block.events:
        if isinstance(event, OrderEvent) and event.order_id == order.order_id:
            order = event
        elif isinstance(event, OrderFilled) and event.order_id == order.order_id:
            fills.append(fill_view(event, block.annotations, symbol_of))
            order = msgspec.structs.replace(
                order,
                leaves_qty=event.leaves_qty,
                filled_qty=event.filled_qty,
                canceled_qty=event.canceled_qty,
                filled_amount=event.filled_amount,
                status=event.status,
            )
    view = order_view(order, block.annotations, symbol_of)
    return OrderResult(**msgspec.structs.asdict(view), fills=fills)


def canceled_orders(block: EventBlock, symbol_of: SymbolOf) -> list[OrderView]:
    """The orders that the command's events name, as its last event of each leaves them."""
    last = {event.order_id: event for event in block.events if isinstance(event, OrderEvent)}
    return [order_view(event, block.annotations, symbol_of) for event in last.values()]


def _subject(block: EventBlock) -> OrderEvent:
    changed: OrderEvent | None = None
    for event in block.events:
        if isinstance(event, OrderAccepted):
            return event  # a new order, or the shares that a partial correction split off
        if changed is None and isinstance(event, OrderEvent):
            changed = event
    if changed is None:
        raise LookupError(f"the events of seq {block.seq} name no order")
    return changed
