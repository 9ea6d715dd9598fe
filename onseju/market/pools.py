"""동시호가: what is left of the turns of an auction that ended at a price limit, followed from the events (KRX ER 34).

The same arithmetic as the state machine's, over what the public side knows: who stood there, and what the auction filled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from onseju.market.places import Level

FIRST_PASS_QTY = 100
"""Shares that each order gets in the first pass: a hundred lots of one."""


@dataclass(slots=True, eq=False)
class Entry:
    """An open order in a queue, `qty` of it open. One that goes to the back gets a new entry with a higher `stamp`; the
    old one's `qty` is 0 then."""

    order_id: int
    account: int
    level: Level
    order_type: int
    qty: int
    stamp: int


@dataclass(slots=True)
class _Turn:
    entry: Entry
    qty: int

    @property
    def open_qty(self) -> int:
        return min(self.qty, self.entry.qty)


class Pool:
    """The turns that are left at a level."""

    def __init__(self, level: Level, members: Iterable[tuple[Entry, int]], taken: int) -> None:
        """`members` are the orders in order of time, with what each had open before the auction; it took `taken` shares
        of them in all."""
        self.level = level
        turns = _turns(members)
        for turn in turns:
            part = min(taken, turn.qty)
            turn.qty -= part
            taken -= part
        self._turns = [turn for turn in turns if turn.qty]

    @classmethod
    def of(cls, level: Level, turns: Iterable[tuple[int, int, int]], entries: Mapping[int, Entry]) -> Pool:
        """A pool with these turns, as `turns` gave them; `entries` are the open orders."""
        made = cls(level, (), 0)
        made._turns = [_Turn(entries[order_id], qty) for order_id, _, qty in turns]
        return made

    def turns(self) -> list[tuple[int, int, int]]:
        """The turns that can still be taken: order id, stamp, shares."""
        return [(turn.entry.order_id, turn.entry.stamp, turn.qty) for turn in self._turns if turn.open_qty]

    def __bool__(self) -> bool:
        return bool(self._turns)

    def take(self, entry: Entry, price: int, qty: int) -> None:
        """Count a trade of the order whose turn it is. Call it before the entry shows the trade. What a market order of the
        pool trades at another price is not of its turn."""
        while self._turns and not self._turns[0].open_qty:
            del self._turns[0]
        if self._turns and self._turns[0].entry is entry and price == self.level[2]:
            self._turns[0].qty -= qty

    def pieces(self, queue: Iterable[Entry]) -> Iterator[tuple[Entry, int]]:
        """Who trades how many shares, one after the other: the turns, then what is left of all, in order of time."""
        entries = list(queue)
        lacks = {entry.order_id: entry.qty for entry in entries}
        for turn in self._turns:
            qty = min(turn.open_qty, lacks.get(turn.entry.order_id, 0))
            if qty:
                lacks[turn.entry.order_id] -= qty
                yield turn.entry, qty
        for entry in entries:
            if lacks[entry.order_id]:
                yield entry, lacks[entry.order_id]


def _turns(members: Iterable[tuple[Entry, int]]) -> list[_Turn]:
    """The largest first, equal ones in order of time: first up to 100 shares each, then half of what each still lacks
    (half a share counts as one), then the rest."""
    by_size = sorted(members, key=lambda member: -member[1])
    lacks = {entry.order_id: qty for entry, qty in by_size}
    turns: list[_Turn] = []
    passes: tuple[Callable[[int], int], ...] = (
        lambda qty: min(qty, FIRST_PASS_QTY),
        lambda qty: (qty + 1) // 2,
        lambda qty: qty,
    )
    for part in passes:
        for entry, _ in by_size:
            qty = part(lacks[entry.order_id])
            lacks[entry.order_id] -= qty
            if qty:
                turns.append(_Turn(entry, qty))
    return turns
