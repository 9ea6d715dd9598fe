"""The priority queue that decides who trades first: a binary heap, with orders that left it struck out lazily."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from onseju.matching.orders import Order

_SLACK = 32
"""Struck-out entries that are not worth a clean-up."""


class OrderQueue:
    """One side's orders of one kind, best first: lowest `key`, then lowest priority stamp.

    Key: a bid's price negated, an ask's price, 0 for market and midpoint orders. The heap holds `(key, priority, ticket,
    order)`; the ticket tells an order's present entry from one that it left. A heap can only give up its top cheaply, so
    an order that leaves from the middle stays as a dead entry until it comes to the top, or until dead entries outnumber
    the live ones: then the heap is rebuilt. So its length stays below twice the live orders plus a constant, and each
    order costs O(log n) amortised.
    """

    __slots__ = ("_entries", "_live", "_tickets")

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, int, Order]] = []
        self._live: dict[int, int] = {}
        self._tickets = 0

    def __len__(self) -> int:
        return len(self._live)

    @property
    def entry_count(self) -> int:
        """How many entries the heap holds, dead ones included (for tests of its memory)."""
        return len(self._entries)

    def push(self, key: int, order: Order) -> None:
        """Put an order in, at the place that its key and priority stamp give."""
        self._tickets += 1
        self._live[order.order_id] = self._tickets
        heappush(self._entries, (key, order.priority, self._tickets, order))

    def discard(self, order: Order) -> None:
        """Take an order out."""
        del self._live[order.order_id]
        if len(self._entries) > 2 * len(self._live) + _SLACK:
            self._entries = [entry for entry in self._entries if self._is_live(entry)]
            heapify(self._entries)

    def first(self) -> Order | None:
        """The order that trades first; None when the queue is empty."""
        entries = self._entries
        while entries:
            if self._is_live(entries[0]):
                return entries[0][3]
            heappop(entries)
        return None

    def in_order(self) -> list[Order]:
        """All orders, best first."""
        return [entry[3] for entry in sorted(entry for entry in self._entries if self._is_live(entry))]

    def _is_live(self, entry: tuple[int, int, int, Order]) -> bool:
        """An entry is dead when its order left, or came back with a later ticket."""
        return self._live.get(entry[3].order_id) == entry[2]
