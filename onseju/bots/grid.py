"""Prices that a bot may use for an instrument: on the tick table that `GET /v1/symbols` tells, inside the day's limits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence


class PriceGrid:
    """The prices of one instrument on one day. `bands` are (from price, tick), rising; a limit of None or 0 is no limit.

    `stride` widens every step to so many ticks: all prices are usable still, but fewer of them are used.
    """

    def __init__(
        self, bands: Sequence[tuple[int, int]], lower: int | None = None, upper: int | None = None, stride: int = 1
    ) -> None:
        self._bands = sorted(bands) or [(1, 1)]
        self._starts = [start for start, _ in self._bands]
        self._stride = stride
        self.lower = max(1, lower or 1)
        self.upper = upper or 2**53 - 1

    def wider(self, stride: int) -> PriceGrid:
        """The same prices in steps of so many ticks."""
        return self if stride == self._stride else PriceGrid(self._bands, self.lower, self.upper, stride)

    def tick(self, price: int) -> int:
        """The tick at this price; a band's first price belongs to it (KRX ER 32(2))."""
        return self._bands[max(0, bisect_right(self._starts, price) - 1)][1]

    def step(self, price: int) -> int:
        """The step at this price: `stride` ticks."""
        return self.tick(price) * self._stride

    def floor(self, price: float) -> int:
        """The nearest price at or below, or the lower limit."""
        whole = int(price)
        return self._inside(whole - whole % self.step(whole))

    def ceil(self, price: float) -> int:
        """The nearest price at or above, or the upper limit."""
        above = self.floor(price)
        while above < price:  # twice where a wide step below a band's edge was left
            above = self.up(above) or self.upper
            if above == self.upper:
                break
        return above

    def up(self, price: int) -> int | None:
        """The next price above, or None at the upper limit."""
        above = price + self.step(price)
        above += -above % self.tick(above)  # a wide step may end off the grid of the next band
        return above if above <= self.upper else None

    def down(self, price: int) -> int | None:
        """The next price below, or None at the lower limit."""
        below = price - self.step(price - 1)
        below -= below % self.tick(below)
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
