"""Prices that a bot may use for an instrument: on the tick table that `GET /v1/symbols` tells, inside the day's limits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence


class PriceGrid:
    """The prices of one instrument on one day. `bands` are (from price, tick), rising; a limit of None or 0 is no limit."""

    def __init__(self, bands: Sequence[tuple[int, int]], lower: int | None = None, upper: int | None = None) -> None:
        self._bands = sorted(bands) or [(1, 1)]
        self._starts = [start for start, _ in self._bands]
        self.lower = max(1, lower or 1)
        self.upper = upper or 2**53 - 1

    def tick(self, price: int) -> int:
        """The step at this price; a band's first price belongs to it (KRX ER 32(2))."""
        return self._bands[max(0, bisect_right(self._starts, price) - 1)][1]

    def floor(self, price: float) -> int:
        """The nearest usable price at or below, or the lower limit."""
        whole = int(price)
        whole -= whole % self.tick(whole) if whole > 0 else 0
        return self._inside(whole)

    def ceil(self, price: float) -> int:
        """The nearest usable price at or above, or the upper limit."""
        below = self.floor(price)
        return below if below >= price else self._inside(below + self.tick(below))

    def up(self, price: int) -> int | None:
        """The next price above, or None at the upper limit."""
        above = price + self.tick(price)
        return above if above <= self.upper else None

    def down(self, price: int) -> int | None:
        """The next price below, or None at the lower limit."""
        below = price - self.tick(price - 1)
        return below if below >= self.lower else None

    def downwards(self, price: int, count: int) -> Iterator[int]:
        """Up to `count` prices from `price` on down."""
        step: int | None = price
        while step is not None and count > 0:
            yield step
            step, count = self.down(step), count - 1

    def upwards(self, price: int, count: int) -> Iterator[int]:
        """Up to `count` prices from `price` on up."""
        step: int | None = price
        while step is not None and count > 0:
            yield step
            step, count = self.up(step), count - 1

    def _inside(self, price: int) -> int:
        return min(self.upper, max(self.lower, price))
