"""Prices on the grid: tick sizes by price band, and the daily price limits. Pure functions of integers.

A tick table is a tuple of bands `(from_price, tick)`, ascending; the first band begins at 0. A band's tick holds for
prices from `from_price` (inclusive) to the next band's.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from onseju.contract.money import MAX_AMOUNT

Bands = tuple[tuple[int, int], ...]
"""A tick table: `(from_price, tick)` pairs, ascending, the first from 0."""

EVERY_WHOLE_PRICE: Bands = ((0, 1),)
"""The grid of the `plain` rules: any positive integer."""

PPM = 1_000_000
"""One whole, in millionths."""


class PriceLimits(NamedTuple):
    """A day's limits; orders at the limits themselves are allowed. 0 and 0 where there are none."""

    upper: int
    lower: int


NO_LIMITS = PriceLimits(0, 0)

FIRST_DAY_RISE = 3
"""On the first day of a listing prices may rise by three times the base price, to 400 %..."""

FIRST_DAY_FALL_PPM = 400_000
"""...and fall by 40 % of it, to 60 % (KRX BR 20)."""


def _band_of(bands: Bands, price: int) -> int:
    """The index of the band that holds `price`; prices below the first band belong to the first."""
    return max(bisect_right(bands, price, key=lambda band: band[0]) - 1, 0)


def tick_size(bands: Bands, price: int) -> int:
    """The tick at `price`, chosen by the price itself, a band's lower edge inclusive (KRX ER 32(2))."""
    return bands[_band_of(bands, price)][1]


def is_on_grid(bands: Bands, price: int) -> bool:
    """Whether an order may carry `price`: positive, and a multiple of its tick."""
    return price > 0 and price % tick_size(bands, price) == 0


def floor_to_grid(bands: Bands, price: int) -> int:
    """The nearest valid price at or below `price`; 0 where there is none."""
    for index in range(_band_of(bands, price), -1, -1):
        start, tick = bands[index]
        candidate = price - price % tick
        if candidate >= max(start, 1):
            return candidate
        price = start - 1
    return 0


def ceil_to_grid(bands: Bands, price: int) -> int:
    """The nearest valid price at or above `price` (at least the lowest valid price)."""
    price = max(price, 1)
    index = _band_of(bands, price)
    while True:
        _, tick = bands[index]
        candidate = price + -price % tick
        index += 1
        if index == len(bands) or candidate < bands[index][0]:
            return candidate
        price = bands[index][0]


def next_up(bands: Bands, price: int) -> int:
    """One tick up: the lowest valid price above `price` (19,990 → 20,000 → 20,050)."""
    return ceil_to_grid(bands, price + 1)


def next_down(bands: Bands, price: int) -> int:
    """One tick down: the highest valid price below `price`; 0 where there is none (20,050 → 20,000 → 19,990)."""
    return floor_to_grid(bands, price - 1)


def price_limits(base: int, limit_ppm: int, bands: Bands, leverage: int = 1) -> PriceLimits:
    """The day's upper and lower limit (상한가, 하한가) from the base price (KRX BR 20, ER 31).

    `limit_ppm` is the rate in millionths of the base (300,000 = ±30 %); 0 gives no limits. The band is the rate of the
    base, cut down to a multiple of the base's own tick, at least 1, times the absolute leverage (2 for a 2X or an
    inverse 2X product). Then each limit is brought onto the grid *of the resulting price*, towards the base: so a limit
    that lands in a coarser band is cut a second time. The lower limit is never below the lowest valid price, the upper
    never above `MAX_AMOUNT`.
    """
    if limit_ppm == 0 or base <= 0:
        return NO_LIMITS
    band = _cut_band(base, limit_ppm, bands) * abs(leverage)
    return PriceLimits(
        upper=floor_to_grid(bands, min(base + band, MAX_AMOUNT)), lower=ceil_to_grid(bands, base - band)
    )


def first_day_limits(base: int, bands: Bands) -> PriceLimits:
    """The limits of a new listing's first day from its base price: 60 and 400 % of it, brought onto the grid like those
    of other days (KRX BR 20)."""
    return PriceLimits(
        upper=floor_to_grid(bands, base + FIRST_DAY_RISE * base),
        lower=ceil_to_grid(bands, base - _cut_band(base, FIRST_DAY_FALL_PPM, bands)),
    )


def _cut_band(base: int, rate_ppm: int, bands: Bands) -> int:
    """How far prices may go at a rate: cut down to a multiple of the base price's own tick, at least 1."""
    band = base * rate_ppm // PPM
    return max(band - band % tick_size(bands, base), 1)
