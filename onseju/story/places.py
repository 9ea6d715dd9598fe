"""Where an order came to stand in the queue at its price, told from the events of the command that brought it there.

A new, woken or requeued order goes to the back of its level. So what is ahead of it is what the level shows after the
command, less the order itself and less those that came after it in the same command. Nothing has to be remembered for
it, it is exact, and it is the same after any restart.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from onseju.contract.events import (
    EVENT_BYTES,
    KIND_OFFSET,
    EventKind,
    LevelChanged,
    OrderAccepted,
    OrderCorrected,
    OrderEvent,
    OrderFilled,
    OrderTriggered,
    decode_event,
)
from onseju.contract.words import OrderType

UNQUEUED = frozenset({OrderType.MARKET, OrderType.MIDPOINT, OrderType.STOP_LIMIT, OrderType.STOP})
"""Types that stand at no price of their own: they move with the book, or sleep."""

_KINDS = frozenset(
    {
        EventKind.ORDER_ACCEPTED,
        EventKind.ORDER_CORRECTED,
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_EXPIRED,
        EventKind.ORDER_TRIGGERED,
        EventKind.ORDER_FILLED,
        EventKind.LEVEL_CHANGED,
    }
)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the queue: of the level's `level_qty` shares, `ahead_qty` in `ahead_orders` orders trade first.

    Under rules where market orders float, those that rest at this price count as ahead.
    """

    ahead_qty: int
    ahead_orders: int
    level_qty: int


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """An order that a command brought to the back of a level, and what the command left of it and of those behind it."""

    instrument: int
    side: int
    price: int
    leaves_qty: int
    behind_qty: int
    behind_orders: int
    level: tuple[int, int] | None
    """The level's quantity and number of orders after the command; None where the command left them as they were."""

    def place(self, level: tuple[int, int] | None = None) -> Place | None:
        """The place; `level` is how the level stands, for where the command's own events do not say."""
        qty, orders = self.level or level or (0, 0)
        ahead_qty = qty - self.leaves_qty - self.behind_qty
        ahead_orders = orders - 1 - self.behind_orders
        if ahead_qty < 0 or ahead_orders < 0:
            return None
        return Place(ahead_qty=ahead_qty, ahead_orders=ahead_orders, level_qty=qty)


def arrival(payload: bytes, order_id: int) -> Arrival | None:
    """How the order came to its price in this command; None where it did not, or nothing of it stayed there."""
    events = list(_events(payload))
    came: OrderEvent | None = None
    for event in events:
        if isinstance(event, OrderEvent) and event.order_id == order_id and _comes(event):
            came = event
    if came is None:
        return None
    leaves: dict[int, int] = {}
    level: tuple[int, int] | None = None
    where = (came.instrument, came.side, came.limit_price)
    for event in events:
        if isinstance(event, LevelChanged):
            if (event.instrument, event.side, event.price) == where:
                level = event.qty, event.order_count
        elif event.idx < came.idx:
            continue
        elif isinstance(event, OrderFilled):
            if event.order_id in leaves:
                leaves[event.order_id] = event.leaves_qty
        elif event.order_id in leaves or (_comes(event) and _where(event) == where):
            leaves[event.order_id] = event.leaves_qty if _where(event) == where else 0
    own = leaves.pop(order_id)
    if not own:
        return None
    behind = [qty for qty in leaves.values() if qty]
    return Arrival(
        instrument=came.instrument,
        side=came.side,
        price=came.limit_price,
        leaves_qty=own,
        behind_qty=sum(behind),
        behind_orders=len(behind),
        level=level,
    )


def _events(payload: bytes) -> Iterator[OrderEvent | OrderFilled | LevelChanged]:
    for idx, kind in enumerate(payload[KIND_OFFSET::EVENT_BYTES]):
        if kind in _KINDS:
            event = decode_event(payload, idx * EVENT_BYTES)
            if isinstance(event, OrderEvent | OrderFilled | LevelChanged):
                yield event


def _where(event: OrderEvent) -> tuple[int, int, int]:
    return event.instrument, event.side, event.limit_price


def _comes(event: OrderEvent) -> bool:
    """Whether the event may bring an order to the back of a level of its own price."""
    return (
        isinstance(event, OrderAccepted | OrderCorrected | OrderTriggered)
        and event.order_type not in UNQUEUED
        and event.leaves_qty > 0
    )
