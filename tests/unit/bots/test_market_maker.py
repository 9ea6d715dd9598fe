"""The market maker's quotes and the changes that lead to them."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onseju.bots.grid import PriceGrid
from onseju.bots.market_maker import LEVELS, Maker, Quote, changes
from onseju.bots.orders import BUY, SELL, Action, Cancel, Move, Place, Side, Standing

BANDS = [(1, 1), (2_000, 5), (5_000, 10), (20_000, 50), (50_000, 100), (200_000, 500), (500_000, 1_000)]
GRID = PriceGrid(BANDS, 49_000, 91_000)


def maker(seed: str = "1:005930:maker") -> Maker:
    return Maker("005930", Random(seed))


def prices(quotes: list[Quote], side: Side) -> list[int]:
    return [quote.price for quote in quotes if quote.side == side]


def test_all_levels_on_both_sides_around_the_fair_value() -> None:
    quotes = maker().quotes(70_030.0, 0, GRID)
    bids, asks = prices(quotes, BUY), prices(quotes, SELL)
    assert bids == [69_900 - 100 * level for level in range(LEVELS)]
    assert asks == [70_100 + 100 * level for level in range(LEVELS)]
    assert all(quote.qty > 0 for quote in quotes)


@given(st.floats(30_000, 110_000), st.integers(-10_000_000, 10_000_000))
def test_quotes_are_on_the_grid_inside_the_limits_and_never_crossed(fair: float, surplus: int) -> None:
    quotes = maker().quotes(fair, surplus, GRID)
    bids, asks = prices(quotes, BUY), prices(quotes, SELL)
    assert all(49_000 <= price <= 91_000 and price % GRID.tick(price) == 0 for price in bids + asks)
    assert not bids or not asks or max(bids) < min(asks)
    assert bids or asks


def test_quotes_are_whole_lots() -> None:
    tens = maker().quotes(70_030.0, 0, GRID, 10)
    assert [quote.price for quote in tens] == [quote.price for quote in maker().quotes(70_030.0, 0, GRID)]
    assert all(quote.qty % 10 == 0 and quote.qty > 0 for quote in tens)
    dear = maker().quotes(70_030.0, 0, GRID, 1_000)
    assert {quote.qty for quote in dear} == {1_000}


def test_the_seed_fixes_the_quotes() -> None:
    def drawn(seed: str) -> list[list[Quote]]:
        one = maker(seed)
        return [one.quotes(70_000.0 + step, 0, GRID) for step in range(20)]

    assert drawn("1") == drawn("1")
    assert drawn("1") != drawn("2")


def test_too_many_shares_move_the_quotes_down_and_too_few_up() -> None:
    middle, much, little = (maker().quotes(70_050.0, surplus, GRID) for surplus in (0, 8_000, -8_000))
    assert prices(much, BUY)[0] < prices(middle, BUY)[0] < prices(little, BUY)[0]
    assert prices(much, SELL)[0] < prices(middle, SELL)[0] < prices(little, SELL)[0]


def test_without_money_it_quotes_smaller_then_one_side_and_recovers() -> None:
    one = maker()
    usual = one.quotes(70_000.0, 0, GRID)[0].qty
    one.refused(BUY)
    smaller = one.quotes(70_000.0, 0, GRID)[0].qty
    assert 0 < smaller < 0.75 * usual
    for _ in range(6):
        one.refused(BUY)
    quotes = one.quotes(70_000.0, 0, GRID)
    assert prices(quotes, BUY) == []
    assert len(prices(quotes, SELL)) == LEVELS
    for _ in range(20):
        one.recover()
    assert one.appetite == {BUY: 1.0, SELL: 1.0}


def play(actions: list[Action], standing: list[Standing]) -> list[Standing]:
    """Do the actions one after the other; own orders must never meet."""
    book = {order.order_id: order for order in standing}
    next_id = 1 + max(book, default=0)
    for action in actions:
        if isinstance(action, Cancel):
            del book[action.order_id]
        elif isinstance(action, Move):
            old = book[action.order_id]
            book[action.order_id] = Standing(old.order_id, old.side, action.limit_price, old.leaves_qty)
        else:
            assert action.limit_price is not None
            book[next_id] = Standing(next_id, action.side, action.limit_price, action.qty)
            next_id += 1
        bids = [order.price for order in book.values() if order.side == BUY]
        asks = [order.price for order in book.values() if order.side == SELL]
        assert not bids or not asks or max(bids) < min(asks)
    return list(book.values())


def test_an_empty_book_is_filled_with_new_orders_alone() -> None:
    wanted = maker().quotes(70_000.0, 0, GRID)
    actions = changes("005930", [], wanted)
    assert actions == [Place("005930", quote.side, quote.qty, quote.price) for quote in wanted]
    assert len(actions) == 2 * LEVELS


def test_nothing_to_do_when_nothing_moved() -> None:
    one = maker()
    standing = play(changes("005930", [], one.quotes(70_000.0, 0, GRID)), [])
    assert changes("005930", standing, one.quotes(70_010.0, 0, GRID)) == []


def test_a_tick_up_moves_one_order_on_each_side_the_asks_first() -> None:
    one = maker()
    standing = play(changes("005930", [], one.quotes(70_050.0, 0, GRID)), [])
    lowest_ask = min(order.price for order in standing if order.side == SELL)
    actions = changes("005930", standing, one.quotes(70_150.0, 0, GRID))
    assert len(actions) <= 4
    first = actions[0]
    moved = next(order for order in standing if order.order_id == first.order_id)  # type: ignore[union-attr]
    assert (moved.side, moved.price) == (SELL, lowest_ask)


def test_a_quote_that_is_nearly_used_up_is_filled_up() -> None:
    standing = [Standing(1, BUY, 69_900, 30), Standing(2, SELL, 70_100, 80)]
    wanted = [Quote(BUY, 69_900, 100), Quote(SELL, 70_100, 100)]
    assert changes("005930", standing, wanted) == [Place("005930", BUY, 70, 69_900)]


@given(st.lists(st.tuples(st.floats(50_000, 90_000), st.integers(-8_000, 8_000)), min_size=2, max_size=6), st.data())
def test_any_way_leads_to_the_wanted_quotes_without_meeting_itself(
    way: list[tuple[float, int]], data: st.DataObject
) -> None:
    one = maker()
    standing: list[Standing] = []
    for fair, surplus in way:
        wanted = one.quotes(fair, surplus, GRID)
        standing = play(changes("005930", standing, wanted), standing)
        levels = {(quote.side, quote.price): quote.qty for quote in wanted}
        for (side, price), qty in levels.items():
            there = sum(order.leaves_qty for order in standing if (order.side, order.price) == (side, price))
            assert there >= qty * 0.5
        assert {(order.side, order.price) for order in standing} == set(levels)
        standing = [
            Standing(order.order_id, order.side, order.price, left)
            for order in standing
            if (left := data.draw(st.sampled_from([0, 1, order.leaves_qty // 2, order.leaves_qty]))) > 0
        ]


def test_the_last_room_at_a_limit_is_used_on_one_side() -> None:
    at_top = maker().quotes(91_000.0, -10_000_000, GRID)
    assert prices(at_top, SELL) == []
    assert prices(at_top, BUY)[0] == 91_000
    at_bottom = maker().quotes(49_000.0, 10_000_000, GRID)
    assert prices(at_bottom, BUY) == []
    assert prices(at_bottom, SELL)[0] == 49_000


@pytest.mark.parametrize("base", [1_500, 3_850, 154_000, 900_000])
def test_sizes_are_worth_about_the_same_everywhere(base: int) -> None:
    grid = PriceGrid(BANDS)
    worth = [quote.qty * quote.price for quote in maker().quotes(float(base), 0, grid)]
    assert min(worth) > 1_500_000
    assert max(worth) < 60_000_000


def test_where_ticks_are_fine_levels_keep_a_distance() -> None:
    bids = prices(maker().quotes(57_215.0, 0, PriceGrid([(1, 1), (2_000, 5)], 40_050, 74_375)), BUY)
    assert len(bids) == LEVELS
    assert {higher - lower for higher, lower in pairwise(bids)} == {35}


def test_a_small_change_of_the_fair_value_changes_no_quote() -> None:
    one = maker()
    first = [(quote.side, quote.price) for quote in one.quotes(70_049.0, 0, GRID)]
    assert [(quote.side, quote.price) for quote in one.quotes(70_051.0, 0, GRID)] == first
    assert [(quote.side, quote.price) for quote in one.quotes(70_010.0, 0, GRID)] == first
