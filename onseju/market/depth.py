"""Depth: the open quantity at every price, from `level_changed` events."""

from __future__ import annotations

from bisect import bisect_left

from onseju.contract.ids import Position
from onseju.contract.words import Side

Level = tuple[int, int, int]
"""Price, open quantity in shares, number of orders."""


class HalfBook:
    """One side's levels."""

    def __init__(self, side: Side) -> None:
        self._sign = 1 if side is Side.BUY else -1
        self._levels: dict[int, tuple[int, int]] = {}
        # Worst price first: what changes is near the best price, and a list changes cheaply at its end.
        self._keys: list[int] = []

    def set(self, price: int, qty: int, count: int) -> None:
        """The level's quantity and number of orders are these now; 0 takes it away."""
        key = price * self._sign
        if qty == 0:
            if self._levels.pop(price, None) is not None:
                del self._keys[bisect_left(self._keys, key)]
            return
        if price not in self._levels:
            self._keys.insert(bisect_left(self._keys, key), key)
        self._levels[price] = (qty, count)

    def top(self, depth: int) -> list[Level]:
        """The best `depth` levels, best first."""
        if depth <= 0:
            return []
        levels, sign = self._levels, self._sign
        return [(key * sign, *levels[key * sign]) for key in reversed(self._keys[-depth:])]

    def __len__(self) -> int:
        return len(self._keys)


class Depth:
    """Both sides of one instrument's book."""

    def __init__(self, journal_id: str) -> None:
        self.bids = HalfBook(Side.BUY)
        self.asks = HalfBook(Side.SELL)
        self._journal_id = journal_id
        self.last: Position | None = None
        """The last command's last level event, None before the first."""
        self.last_ts: int | None = None

    def rename(self, journal_id: str) -> None:
        """The journal has this name now (it was restored from a backup): so have the events' ids."""
        self._journal_id = journal_id

    @property
    def last_id(self) -> str | None:
        """The id of that event."""
        return None if self.last is None else self.last.event_id(self._journal_id)

    def set(self, side: int, price: int, qty: int, count: int) -> None:
        """Take in a level as it is now."""
        (self.bids if side == Side.BUY else self.asks).set(price, qty, count)
