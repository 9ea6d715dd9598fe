"""The bots' price grid against the edges of the Korean tick table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onseju.bots.grid import PriceGrid

KRX = [(1, 1), (2_000, 5), (5_000, 10), (20_000, 50), (50_000, 100), (200_000, 500), (500_000, 1_000)]


@pytest.mark.parametrize(
    ("below", "price", "above"),
    [
        (1_999, 2_000, 2_005),
        (4_995, 5_000, 5_010),
        (19_990, 20_000, 20_050),
        (49_950, 50_000, 50_100),
        (199_900, 200_000, 200_500),
        (499_500, 500_000, 501_000),
    ],
)
def test_steps_at_the_edges_of_bands(below: int, price: int, above: int) -> None:
    grid = PriceGrid(KRX)
    assert (grid.down(price), grid.up(price), grid.up(below), grid.down(above)) == (below, above, price, price)


@given(st.floats(1, 2_000_000))
def test_floor_and_ceil_enclose_a_price_with_usable_ones(price: float) -> None:
    grid = PriceGrid(KRX)
    floor, ceil = grid.floor(price), grid.ceil(price)
    assert floor <= price <= ceil
    assert floor % grid.tick(floor) == 0
    assert ceil % grid.tick(ceil) == 0
    assert ceil in (floor, grid.up(floor))


def test_limits_end_the_grid() -> None:
    grid = PriceGrid(KRX, lower=49_000, upper=91_000)
    assert grid.up(91_000) is None
    assert grid.down(49_000) is None
    assert (grid.floor(10), grid.ceil(10), grid.floor(10**9), grid.ceil(10**9)) == (49_000, 49_000, 91_000, 91_000)
    assert list(grid.upwards(90_900, 10)) == [90_900, 91_000]
    assert list(grid.downwards(49_050, 10)) == [49_050, 49_000]


def test_without_bands_every_whole_price_is_usable() -> None:
    grid = PriceGrid([])
    assert (grid.floor(17.5), grid.ceil(17.5), grid.down(1)) == (17, 18, None)


@given(st.floats(1_500, 2_000_000), st.integers(1, 20))
def test_a_wider_grid_uses_usable_prices_alone(price: float, stride: int) -> None:
    grid, wide = PriceGrid(KRX), PriceGrid(KRX).wider(stride)
    floor, ceil = wide.floor(price), wide.ceil(price)
    assert floor <= price <= ceil
    for one in [*wide.upwards(ceil, 15), *wide.downwards(floor, 15)]:
        assert one % grid.tick(one) == 0
    assert wide.step(70_000) == 100 * stride
