"""The noise traders' draws and the orders that follow from them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from onseju.bots.grid import PriceGrid
from onseju.bots.noise import LARGEST_WORTH, Intention, Top, Trader, decide
from onseju.bots.orders import BUY, SELL, Place
from onseju.bots.sessions import CLOSED, Session

SYMBOLS = ["005930", "000660", "035420"]
GRID = PriceGrid([(1, 1), (50_000, 100), (200_000, 500)], 49_000, 91_000)
TOP = Top((70_000, 150), (70_200, 90))


def trader(seed: int = 1, role: str = "noise-1") -> Trader:
    return Trader(seed, role, SYMBOLS, 2.0)


def intention(
    style: str, lean: float = 0.2, *, worth: float = 7_000_000, depth: int = 0, improves: bool = False
) -> Intention:
    return Intention("005930", lean, style, worth, depth, improves)  # type: ignore[arg-type]


def test_the_seed_fixes_what_is_intended_and_when() -> None:
    one, same, other = trader(), trader(), trader(seed=2)
    drawn = [one.next() for _ in range(300)]
    assert drawn == [same.next() for _ in range(300)]
    assert drawn != [other.next() for _ in range(300)]
    assert drawn[0] != trader(role="noise-2").next()


def test_an_instruments_draws_do_not_depend_on_the_other_instruments() -> None:
    few, many = Trader(1, "noise-1", SYMBOLS[:1], 1.0), Trader(1, "noise-1", SYMBOLS, 1.0)
    alone = [few.next()[1] for _ in range(20)]
    among = [wish for _ in range(60) if (wish := many.next()[1]).symbol == SYMBOLS[0]]
    assert alone == among


def test_every_instrument_has_its_turn() -> None:
    one = trader()
    wishes = [one.next() for _ in range(300)]
    assert Counter(wish.symbol for _, wish in wishes) == dict.fromkeys(SYMBOLS, 100)
    assert 0.35 < sum(wait for wait, _ in wishes) / 300 < 0.65
    assert max(wait for wait, _ in wishes) <= 2.5


def test_all_styles_and_both_sides_occur() -> None:
    one = trader()
    wishes = [one.next()[1] for _ in range(400)]
    assert set(Counter(wish.style for wish in wishes)) == {"market", "sweep", "cross", "rest"}
    buys = sum(wish.lean < 0.5 for wish in wishes)
    assert 160 < buys < 240


def test_orders_by_style() -> None:
    assert decide(intention("market"), TOP, 0, GRID) == Place("005930", BUY, 99)
    assert decide(intention("sweep"), TOP, 0, GRID) == Place("005930", BUY, 90)
    assert decide(intention("sweep", 0.8), TOP, 0, GRID) == Place("005930", SELL, 150)
    assert decide(intention("cross"), TOP, 0, GRID) == Place("005930", BUY, 99, 70_200)
    assert decide(intention("rest"), TOP, 0, GRID) == Place("005930", BUY, 99, 70_000)
    assert decide(intention("rest", depth=3), TOP, 0, GRID) == Place("005930", BUY, 99, 69_700)
    assert decide(intention("rest", 0.8, depth=3), TOP, 0, GRID) == Place("005930", SELL, 100, 70_500)
    assert decide(intention("rest", improves=True), TOP, 0, GRID) == Place("005930", BUY, 99, 70_100)
    narrow = Top((70_000, 1), (70_100, 1))
    assert decide(intention("rest", improves=True), narrow, 0, GRID) == Place("005930", BUY, 99, 70_000)


AUCTION = Session(frozenset({"limit", "market"}), collects=True, indicative_price=70_100)
AFTER_HOURS = Session(frozenset({"limit", "best_opposite"}))
AT_CLOSE = Session(frozenset({"limit"}), fixed_price=70_300)


def test_a_closed_market_gets_no_orders() -> None:
    for style in ("market", "sweep", "cross", "rest"):
        assert decide(intention(style), TOP, 0, GRID, CLOSED) is None


def test_after_hours_there_are_limit_orders_alone() -> None:
    assert decide(intention("market"), TOP, 0, GRID, AFTER_HOURS) == Place("005930", BUY, 99, 70_200)
    assert decide(intention("sweep"), TOP, 0, GRID, AFTER_HOURS) == Place("005930", BUY, 90, 70_200)
    assert decide(intention("rest"), TOP, 0, GRID, AFTER_HOURS) == Place("005930", BUY, 99, 70_000)


def test_at_the_close_all_orders_are_limit_orders_at_it() -> None:
    for style in ("market", "sweep", "cross", "rest"):
        for top in (TOP, Top(None, None)):
            assert decide(intention(style, depth=3, improves=True), top, 0, GRID, AT_CLOSE) == Place(
                "005930", BUY, 99, 70_300
            )
    assert decide(intention("rest", 0.8), TOP, 0, GRID, AT_CLOSE) == Place("005930", SELL, 99, 70_300)
    assert decide(intention("rest"), TOP, 0, GRID, Session(fixed_price=70_300)) is None


def test_in_an_auction_orders_stand_around_the_expected_price_and_the_eager_ones_cross_it() -> None:
    assert decide(intention("market"), TOP, 0, GRID, AUCTION) == Place("005930", BUY, 99)
    assert decide(intention("cross", depth=2), TOP, 0, GRID, AUCTION) == Place("005930", BUY, 99, 70_300)
    assert decide(intention("sweep", 0.8, depth=2), TOP, 0, GRID, AUCTION) == Place("005930", SELL, 99, 69_900)
    assert decide(intention("rest", depth=2), TOP, 0, GRID, AUCTION) == Place("005930", BUY, 99, 69_900)
    assert decide(intention("rest", 0.8, depth=2), TOP, 0, GRID, AUCTION) == Place("005930", SELL, 99, 70_300)
    assert decide(intention("rest", depth=99, improves=True), Top((90_900, 1), None), 0, GRID, AUCTION) == Place(
        "005930", BUY, 99, 80_000
    )
    silent = Session(frozenset({"limit"}), collects=True)
    assert decide(intention("market"), Top(None, (70_200, 5)), 0, GRID, silent) == Place("005930", BUY, 99, 70_200)


def test_empty_sides() -> None:
    assert decide(intention("market"), Top(None, None), 0, GRID) is None
    assert decide(intention("rest"), Top(None, None), 0, GRID) is None
    assert decide(intention("market"), Top((70_000, 1), None), 0, GRID) is None
    assert decide(intention("rest"), Top(None, (70_000, 1)), 0, GRID) == Place("005930", BUY, 100, 69_900)


def test_who_holds_too_much_sells_and_who_holds_too_little_buys() -> None:
    much = decide(intention("market", 0.2), TOP, 1_000_000, GRID)
    little = decide(intention("market", 0.8), TOP, -1_000_000, GRID)
    assert much is not None
    assert much.side == SELL
    assert little is not None
    assert little.side == BUY
    still = decide(intention("market", 0.05), TOP, 1_000_000, GRID)
    assert still is not None
    assert still.side == BUY


@given(
    st.integers(0, 2**32), st.integers(490, 908), st.integers(1, 5), st.integers(1, 10**7), st.integers(-(10**6), 10**6)
)
def test_any_order_is_usable_and_bounded(seed: int, bid: int, spread: int, shown: int, surplus: int) -> None:
    top = Top((bid * 100, shown), (min(91_000, (bid + spread) * 100), shown))
    one = trader(seed)
    for _ in range(10):
        order = decide(one.next()[1], top, surplus, GRID)
        assert order is not None
        assert order.qty >= 1
        assert order.qty * 49_000 <= LARGEST_WORTH * 2
        if order.limit_price is not None:
            assert 49_000 <= order.limit_price <= 91_000
            assert order.limit_price % 100 == 0 or order.limit_price < 50_000
