"""Where an order stands in the queue at its price: how many shares are ahead of it.

The book's own order of precedence, followed from the events: at one price, earlier first; an order that is corrected to
another price or to more shares goes to the back (KRX rules 3.6). Market orders that wait show in no level and count
as ahead of nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from onseju.contract.events import (
    EVENT_BYTES,
    KIND_OFFSET,
    EventKind,
    OrderEvent,
    OrderFilled,
    decode_event,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import OrderStatus, OrderType

_KINDS = frozenset(
    {
        EventKind.ORDER_ACCEPTED,
        EventKind.ORDER_CORRECTED,
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_EXPIRED,
        EventKind.ORDER_FILLED,
    }
)

Level = tuple[int, int, int]
"""Instrument, side, price."""

Waker = Callable[[], None]
"""Called when there is something new. Must not block and must not raise."""


class _Place(NamedTuple):
    account: int
    level: Level


class QueuePosition(msgspec.Struct, frozen=True, kw_only=True):
    """An open limit order's place: of the level's `level_qty` shares, `ahead_qty` trade before its own `leaves_qty`."""

    order_id: int
    ahead_qty: int
    leaves_qty: int
    level_qty: int
    ahead_orders: int


class QueuePositions:
    """All open limit orders' places. An event listener; one entry an open order."""

    def __init__(self) -> None:
        self.seq = 0
        """The last command that is reflected."""
        self.ts = 0
        """Its time, microseconds since 1970."""
        self._places: dict[int, _Place] = {}
        self._levels: dict[Level, dict[int, int]] = {}
        """Open shares by order, first to trade first: a dict keeps the order of entry."""
        self._by_account: dict[int, set[int]] = {}
        self._watchers: dict[int, set[Waker]] = {}
        self._touched: set[Level] = set()
        self._moved: set[int] = set()

    def watch(self, account: int, waker: Waker) -> None:
        """Call `waker` whenever a place of this account may have changed."""
        self._watchers.setdefault(account, set()).add(waker)

    def forget(self, account: int, waker: Waker) -> None:
        """Stop watching. Harmless where nobody watched."""
        wakers = self._watchers.get(account, set())
        wakers.discard(waker)
        if not wakers:
            self._watchers.pop(account, None)

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Follow the events."""
        for block in blocks:
            payload = block.payload
            for offset in range(0, len(payload), EVENT_BYTES):
                if payload[offset + KIND_OFFSET] in _KINDS:
                    self._take(decode_event(payload, offset))
            self.seq, self.ts = block.seq, block.ts
        if self._watchers:
            self._wake()
        self._touched.clear()
        self._moved.clear()

    def _wake(self) -> None:
        """Only the accounts with an order at a level that changed, or with an order that left one."""
        accounts = set(self._moved)
        for level in self._touched:
            accounts.update(self._places[order_id].account for order_id in self._levels.get(level, ()))
        for account in accounts & self._watchers.keys():
            for waker in tuple(self._watchers[account]):
                waker()

    def position(self, account: int, order_id: int) -> QueuePosition | None:
        """Where an order of this account stands; None where it has no such open limit order."""
        place = self._places.get(order_id)
        if place is None or place.account != account:
            return None
        return self._at_level(place.level, {order_id})[0]

    def positions(self, account: int) -> list[QueuePosition]:
        """All places of an account, oldest order first. Each level is walked once, however many of its orders are theirs."""
        mine: dict[Level, set[int]] = {}
        for order_id in self._by_account.get(account, ()):
            mine.setdefault(self._places[order_id].level, set()).add(order_id)
        found = [position for level, order_ids in mine.items() for position in self._at_level(level, order_ids)]
        return sorted(found, key=lambda position: position.order_id)

    def _at_level(self, level: Level, order_ids: set[int]) -> list[QueuePosition]:
        """The places of these orders, which are all at this level."""
        orders = self._levels[level]
        level_qty = sum(orders.values())
        found: list[QueuePosition] = []
        ahead_qty = 0
        for ahead_orders, (order_id, qty) in enumerate(orders.items()):
            if order_id in order_ids:
                found.append(
                    QueuePosition(
                        order_id=order_id,
                        ahead_qty=ahead_qty,
                        leaves_qty=qty,
                        level_qty=level_qty,
                        ahead_orders=ahead_orders,
                    )
                )
                if len(found) == len(order_ids):
                    break
            ahead_qty += qty
        return found

    def _take(self, event: object) -> None:
        if isinstance(event, OrderFilled):
            self._shrink(event.order_id, event.leaves_qty)
        elif isinstance(event, OrderEvent):
            if event.order_type != OrderType.LIMIT or not OrderStatus(event.status).is_open:
                self._remove(event.order_id)
                return
            place = _Place(event.account, (event.instrument, event.side, event.limit_price))
            if self._places.get(event.order_id) == place and event.leaves_qty <= self._open_qty(event.order_id):
                self._shrink(event.order_id, event.leaves_qty)
            else:
                self._remove(event.order_id)
                self._add(event.order_id, place, event.leaves_qty)

    def _open_qty(self, order_id: int) -> int:
        return self._levels[self._places[order_id].level][order_id]

    def _add(self, order_id: int, place: _Place, qty: int) -> None:
        self._places[order_id] = place
        self._levels.setdefault(place.level, {})[order_id] = qty
        self._by_account.setdefault(place.account, set()).add(order_id)
        self._touched.add(place.level)

    def _shrink(self, order_id: int, qty: int) -> None:
        place = self._places.get(order_id)
        if place is None:
            return
        if qty:
            self._levels[place.level][order_id] = qty
            self._touched.add(place.level)
        else:
            self._remove(order_id)

    def _remove(self, order_id: int) -> None:
        place = self._places.pop(order_id, None)
        if place is None:
            return
        self._touched.add(place.level)
        self._moved.add(place.account)
        level = self._levels[place.level]
        del level[order_id]
        if not level:
            del self._levels[place.level]
        mine = self._by_account[place.account]
        mine.discard(order_id)
        if not mine:
            del self._by_account[place.account]
