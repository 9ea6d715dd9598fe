"""Tick sizes and price limits: the tables of the KRX rules, every band's edge and its neighbours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onseju.rules.packs import KRX_FUNDS, KRX_LIMIT_PPM, KRX_STOCKS
from onseju.rules.ticks import (
    EVERY_WHOLE_PRICE,
    Bands,
    ceil_to_grid,
    floor_to_grid,
    is_on_grid,
    next_down,
    next_up,
    price_limits,
    tick_size,
)

ELW: Bands = ((0, 5),)
UNEVEN: Bands = ((0, 3), (10, 7), (30, 4))
"""Bands whose edges are on no grid: nothing may rely on finer ticks dividing coarser ones."""


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        (1, 1),
        (1_998, 1),
        (1_999, 1),
        (2_000, 5),
        (2_001, 5),
        (4_999, 5),
        (5_000, 10),
        (5_001, 10),
        (19_999, 10),
        (20_000, 50),
        (20_001, 50),
        (49_999, 50),
        (50_000, 100),
        (50_001, 100),
        (199_999, 100),
        (200_000, 500),
        (200_001, 500),
        (499_999, 500),
        (500_000, 1_000),
        (500_001, 1_000),
        (10_000_000, 1_000),
    ],
)
def test_stock_ticks(price: int, tick: int) -> None:
    assert tick_size(KRX_STOCKS, price) == tick
    assert is_on_grid(KRX_STOCKS, price) == (price % tick == 0)


@pytest.mark.parametrize(("price", "tick"), [(1, 1), (1_999, 1), (2_000, 5), (2_001, 5), (600_000, 5)])
def test_fund_ticks(price: int, tick: int) -> None:
    assert tick_size(KRX_FUNDS, price) == tick


@pytest.mark.parametrize(
    ("below", "edge", "above"),
    [
        (1_999, 2_000, 2_005),
        (4_995, 5_000, 5_010),
        (19_990, 20_000, 20_050),
        (49_950, 50_000, 50_100),
        (199_900, 200_000, 200_500),
        (499_500, 500_000, 501_000),
    ],
)
def test_steps_over_a_band_edge(below: int, edge: int, above: int) -> None:
    assert next_up(KRX_STOCKS, below) == edge
    assert next_up(KRX_STOCKS, edge) == above
    assert next_down(KRX_STOCKS, above) == edge
    assert next_down(KRX_STOCKS, edge) == below
    for off_grid in (edge + 1, above - 1):
        assert not is_on_grid(KRX_STOCKS, off_grid)
        assert floor_to_grid(KRX_STOCKS, off_grid) == edge
        assert ceil_to_grid(KRX_STOCKS, off_grid) == above


@pytest.mark.parametrize("price", [0, -1, -500])
def test_no_price_below_one(price: int) -> None:
    assert not is_on_grid(KRX_STOCKS, price)
    assert floor_to_grid(KRX_STOCKS, price) == 0
    assert ceil_to_grid(KRX_STOCKS, price) == 1
    assert ceil_to_grid(ELW, price) == 5


@pytest.mark.parametrize("bands", [KRX_STOCKS, KRX_FUNDS, EVERY_WHOLE_PRICE, ELW, UNEVEN])
@given(price=st.integers(1, 700_000))
def test_rounding_finds_the_nearest_valid_price(bands: Bands, price: int) -> None:
    down, up = floor_to_grid(bands, price), ceil_to_grid(bands, price)
    assert down <= price <= up
    assert is_on_grid(bands, up)
    assert down == 0 or is_on_grid(bands, down)
    assert not any(is_on_grid(bands, between) for between in range(down + 1, up) if between != price)
    assert is_on_grid(bands, price) == (down == up)


@pytest.mark.parametrize("bands", [KRX_STOCKS, KRX_FUNDS, ELW, UNEVEN])
@given(price=st.integers(1, 700_000))
def test_a_step_up_and_one_down_are_inverse(bands: Bands, price: int) -> None:
    price = ceil_to_grid(bands, price)
    assert next_down(bands, next_up(bands, price)) == price


@pytest.mark.parametrize(
    ("base", "upper", "lower"),
    [
        (70_000, 91_000, 49_000),
        (9_940, 12_920, 6_960),
        (15_480, 20_100, 10_840),
        (20_050, 26_050, 14_050),
        (1_540, 2_000, 1_078),
        (3_850, 5_000, 2_695),
        (38_500, 50_000, 26_950),
        (154_000, 200_000, 107_800),
        (385_000, 500_000, 269_500),
        (499_500, 649_000, 350_000),
        (15_500, 20_150, 10_850),
        (3, 4, 2),
        (2, 3, 1),
        (1, 2, 1),
    ],
)
def test_price_limits(base: int, upper: int, lower: int) -> None:
    assert price_limits(base, KRX_LIMIT_PPM, KRX_STOCKS) == (upper, lower)


def test_limits_of_leveraged_funds_are_multiplied_after_the_cut() -> None:
    assert price_limits(10_005, KRX_LIMIT_PPM, KRX_FUNDS) == (13_005, 7_005)
    assert price_limits(10_005, KRX_LIMIT_PPM, KRX_FUNDS, leverage=2) == (16_005, 4_005)
    assert price_limits(10_005, KRX_LIMIT_PPM, KRX_FUNDS, leverage=-2) == (16_005, 4_005)
    assert price_limits(10_005, KRX_LIMIT_PPM, KRX_FUNDS, leverage=4).lower == 1


def test_no_rate_or_no_base_gives_no_limits() -> None:
    assert price_limits(70_000, 0, KRX_STOCKS) == (0, 0)
    assert price_limits(0, KRX_LIMIT_PPM, KRX_STOCKS) == (0, 0)


@given(base=st.integers(1, 2_000_000))
def test_limits_are_valid_prices_around_the_base(base: int) -> None:
    base = ceil_to_grid(KRX_STOCKS, base)
    upper, lower = price_limits(base, KRX_LIMIT_PPM, KRX_STOCKS)
    assert 0 < lower <= base < upper
    assert is_on_grid(KRX_STOCKS, upper)
    assert is_on_grid(KRX_STOCKS, lower)
    band = max(base * 3 // 10, 1)
    assert upper <= base + band
    assert lower >= base - band
    # The next price up would break the rule of 30 %, or is there only because the band was cut to the base's tick.
    assert next_up(KRX_STOCKS, upper) > base + band - band % tick_size(KRX_STOCKS, base)
