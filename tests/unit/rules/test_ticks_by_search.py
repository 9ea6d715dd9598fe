"""Ticks and price limits against a second computation: the tables typed out as intervals, exact fractions, and a walk over
every whole price to the nearest one on the grid (KRX rules 1.1, 1.3)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import floor
from random import Random

import pytest

from onseju.rules.packs import KONEX_LIMIT_PPM, KRX_FUNDS, KRX_LIMIT_PPM, KRX_STOCKS, KRX_WARRANTS
from onseju.rules.ticks import (
    Bands,
    ceil_to_grid,
    first_day_limits,
    floor_to_grid,
    is_on_grid,
    next_down,
    next_up,
    price_limits,
    tick_size,
)

BASES = 10_000
HIGHEST = 1_500_000


def stock_tick(price: int) -> int:
    """The table of KRX rules 1.1, as it is printed."""
    if price < 2_000:
        return 1
    if price < 5_000:
        return 5
    if price < 20_000:
        return 10
    if price < 50_000:
        return 50
    if price < 200_000:
        return 100
    return 500 if price < 500_000 else 1_000


def fund_tick(price: int) -> int:
    return 1 if price < 2_000 else 5


def warrant_tick(price: int) -> int:
    return 5


TABLES: list[tuple[Bands, Callable[[int], int], list[int]]] = [
    (KRX_STOCKS, stock_tick, [2_000, 5_000, 20_000, 50_000, 200_000, 500_000]),
    (KRX_FUNDS, fund_tick, [2_000]),
    (KRX_WARRANTS, warrant_tick, []),
]
tables = pytest.mark.parametrize(("bands", "tick", "edges"), TABLES, ids=["stocks", "funds", "warrants"])


def walk(tick: Callable[[int], int], price: int, step: int) -> int:
    """The nearest price on the grid in a direction, this one included; 0 where there is none."""
    while price > 0:
        if price % tick(price) == 0:
            return price
        price += step
    return 0


@tables
def test_every_band_edge_and_its_neighbours(bands: Bands, tick: Callable[[int], int], edges: list[int]) -> None:
    for edge in (1, 5, *edges):
        for price in range(max(edge - 11, 1), edge + 12):
            assert tick_size(bands, price) == tick(price)
            assert is_on_grid(bands, price) == (price % tick(price) == 0)
            assert floor_to_grid(bands, price) == walk(tick, price, -1)
            assert ceil_to_grid(bands, price) == walk(tick, price, 1)
            assert next_up(bands, price) == walk(tick, price + 1, 1)
            assert next_down(bands, price) == walk(tick, price - 1, -1)


def limits_by_search(base: int, tick: Callable[[int], int], rate: Fraction, leverage: int) -> tuple[int, int]:
    """KRX rules 1.3 with fractions: the band is the largest multiple of the base's tick within the rate, at least a won."""
    ticks = floor(base * rate / tick(base))
    band = (ticks * tick(base) or 1) * abs(leverage)
    upper = walk(tick, base + band, -1)
    lower = base - band
    return upper, walk(tick, max(lower, 1), 1)


def a_base(random: Random, tick: Callable[[int], int]) -> int:
    """Any price on the grid; small ones as often as large ones."""
    return walk(tick, random.randrange(1, random.choice((50, 2_500, 6_000, 25_000, 60_000, 250_000, HIGHEST))), 1)


@tables
@pytest.mark.parametrize("leverage", [1, 2, -2, -1])
@pytest.mark.parametrize(("ppm", "rate"), [(KRX_LIMIT_PPM, Fraction(3, 10)), (KONEX_LIMIT_PPM, Fraction(15, 100))])
def test_limits_of_ten_thousand_base_prices(
    bands: Bands, tick: Callable[[int], int], edges: list[int], leverage: int, ppm: int, rate: Fraction
) -> None:
    random = Random(f"{bands} {leverage} {ppm}")
    near = [base for edge in edges for base in range(edge - 20, edge + 21) if base % tick(base) == 0]
    # What lands at a band's edge: bases that are a rate away from it.
    landing = [walk(tick, floor(edge / (1 + rate)) + away, 1) for edge in edges for away in range(-60, 61)]
    bases = [*near, *landing, *range(tick(1), 50, tick(1)), *(a_base(random, tick) for _ in range(BASES))]
    for base in bases:
        expected = limits_by_search(base, tick, rate, leverage)
        assert price_limits(base, ppm, bands, leverage) == expected, base


@tables
def test_first_days_of_ten_thousand_base_prices(bands: Bands, tick: Callable[[int], int], edges: list[int]) -> None:
    random = Random(str(bands))
    for base in (a_base(random, tick) for _ in range(BASES)):
        _, lower = limits_by_search(base, tick, Fraction(4, 10), 1)
        upper, _ = limits_by_search(base, tick, Fraction(3), 1)
        assert first_day_limits(base, bands) == (upper, lower), base
