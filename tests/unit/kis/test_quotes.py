"""Derived fields: as the documented samples have them, and consistent with each other on any run of trades."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onseju.kis.port import Day, Depth, Quoted, Standing, Traded
from onseju.kis.quotes import book_record, hhmmss, hundredths, kst_day, trade_record
from onseju.kis.records import TAKER_BUY, TAKER_NONE, TAKER_SELL, Sign
from tests.unit.kis.fakes import NINE_O_CLOCK, SAMSUNG

QUOTED = Quoted(
    symbol=SAMSUNG, base_price=270_000, upper_limit=351_000, lower_limit=189_000, listed_shares=5_919_637_922
)
HOURS = 3_600_000_000


def test_the_live_sample_is_rebuilt_from_its_day() -> None:
    """The frame of 2026-07-24 (`samples.json`): the same day gives the same derived fields."""
    day = Day(
        trading_day=20260724,
        open_price=266_000,
        open_ts=NINE_O_CLOCK + 25_000_000,
        high_price=266_500,
        high_ts=NINE_O_CLOCK + 25_000_000,
        low_price=248_500,
        low_ts=NINE_O_CLOCK + 2 * HOURS + (48 * 60 + 29) * 1_000_000,
        last_price=250_500,
        volume=11_701_513,
        turnover=3_013_709_268_750,
        buy_count=103_131,
        buy_qty=4_313_943,
        sell_count=113_664,
        sell_qty=7_129_195,
        previous_volume=16_011_925,
    )
    depth = Depth(asks=[(250_500, 8_930)], bids=[(250_000, 67_892)])
    trade = Traded(
        symbol=SAMSUNG, price=250_500, qty=2, taker=1, ts=NINE_O_CLOCK + 2 * HOURS + (52 * 60 + 14) * 1_000_000
    )
    record = trade_record(trade, QUOTED, day, depth, Standing(auction_price=266_000))
    assert (record.time, record.open_time, record.high_time, record.low_time) == (
        "115214",
        "090025",
        "090025",
        "114829",
    )
    assert (record.change_sign, record.change, record.change_rate_x100) == (5, -19_500, -722)
    assert abs(record.average_price_x100 - 25_754_862) <= 10
    assert (record.net_buy_count, record.strength_x100, record.buy_rate_x100) == (-10_533, 6_051, 37)
    assert record.previous_volume_rate_x100 == 7_308
    assert (record.open_sign, record.open_change) == (5, -15_500)
    assert (record.high_sign, record.high_change) == (5, -16_000)
    assert (record.low_sign, record.low_change) == (2, 2_000)
    assert (record.ask_price, record.ask_qty, record.bid_price, record.bid_qty) == (250_500, 8_930, 250_000, 67_892)
    assert (record.turnover_rate_x100, record.vi_base_price, record.taker) == (20, 266_000, TAKER_BUY)
    assert (record.session_code, record.hour_code, record.termination_code, record.market_code) == ("20", "0", "", "2")


def test_the_live_book_sample_is_rebuilt() -> None:
    quoted = Quoted(symbol=SAMSUNG, base_price=339_500)
    depth = Depth(
        asks=[(324_000 + 500 * number, 20_000 + number) for number in range(10)],
        bids=[(323_500 - 500 * number, 30_000 + number) for number in range(10)],
    )
    day = Day(trading_day=20260629, volume=26_718_921)
    record = book_record(NINE_O_CLOCK, quoted, day, depth, Standing(), (200_124, 300_037))
    assert (record.ask_prices[9], record.bid_prices[9]) == (328_500, 319_000)
    assert (record.total_ask_qty, record.total_bid_qty) == (200_045, 300_045)
    assert (record.total_ask_change, record.total_bid_change) == (-79, 8)
    assert (record.expected_price, record.expected_change, record.expected_sign) == (0, -339_500, 5)
    assert record.expected_change_rate_x100 == -10_000
    assert (record.mid_price, record.volume) == (323_750, 26_718_921)


def test_a_thin_book_is_filled_with_zeros() -> None:
    depth = Depth(asks=[(70_100, 5)], bids=[])
    record = book_record(NINE_O_CLOCK, QUOTED, Day(trading_day=20261123), depth, Standing(), (0, 0))
    assert record.ask_prices == (70_100, *[0] * 9)
    assert record.bid_prices == (0,) * 10
    assert (record.total_ask_qty, record.total_bid_qty, record.mid_price) == (5, 0, 0)


def test_only_ten_levels_are_sent_and_counted() -> None:
    depth = Depth(asks=[(70_100 + number, 1) for number in range(12)], bids=[])
    record = book_record(NINE_O_CLOCK, QUOTED, Day(trading_day=20261123), depth, Standing(), (0, 0))
    assert len(record.ask_prices) == 10
    assert record.total_ask_qty == 10


def first_trade(price: int, taker: int = 1) -> tuple[int, str]:
    day = Day(trading_day=20261123)
    day.add(price, 1, taker, NINE_O_CLOCK)
    trade = Traded(symbol=SAMSUNG, price=price, qty=1, taker=taker, ts=NINE_O_CLOCK)
    record = trade_record(trade, QUOTED, day, Depth(asks=[], bids=[]), Standing())
    return record.change_sign, record.taker


def test_signs_and_takers() -> None:
    assert first_trade(351_000) == (Sign.UPPER_LIMIT, TAKER_BUY)
    assert first_trade(270_500, taker=2) == (Sign.UP, TAKER_SELL)
    assert first_trade(270_000, taker=0) == (Sign.FLAT, TAKER_NONE)
    assert first_trade(269_500) == (Sign.DOWN, TAKER_BUY)
    assert first_trade(189_000) == (Sign.LOWER_LIMIT, TAKER_BUY)


def test_times_and_days_are_korean() -> None:
    assert hhmmss(NINE_O_CLOCK) == "090000"
    assert hhmmss(NINE_O_CLOCK + 15 * HOURS - 1) == "235959"
    assert hhmmss(NINE_O_CLOCK + 15 * HOURS) == "000000"
    assert kst_day(NINE_O_CLOCK / 1e6) == 20261123
    assert kst_day(NINE_O_CLOCK / 1e6 + 15 * 3600) == 20261124


def test_hundredths_round_half_away_from_zero() -> None:
    assert [hundredths(1, 8), hundredths(-1, 8), hundredths(1, 3), hundredths(2, 3)] == [13, -13, 33, 67]
    assert [hundredths(5, 0), hundredths(0, 5)] == [0, 0]


@given(
    st.lists(
        st.tuples(st.integers(189_000, 351_000), st.integers(1, 10**6), st.sampled_from((0, 1, 2))),
        min_size=1,
        max_size=30,
    )
)
def test_a_day_of_records_is_consistent(trades: list[tuple[int, int, int]]) -> None:
    """What a client can check: sums, average, strength, and the highs and lows."""
    day = Day(trading_day=20261123)
    volume = turnover = 0
    for number, (price, qty, taker) in enumerate(trades):
        ts = NINE_O_CLOCK + number * 1_000_000
        day.add(price, qty, taker, ts)
        record = trade_record(
            Traded(symbol=SAMSUNG, price=price, qty=qty, taker=taker, ts=ts),
            QUOTED,
            day,
            Depth(asks=[], bids=[]),
            Standing(),
        )
        volume, turnover = volume + qty, turnover + price * qty
        assert (record.volume, record.turnover) == (volume, turnover)
        assert abs(record.average_price_x100 * volume - 100 * turnover) <= volume
        assert record.net_buy_count == record.buy_count - record.sell_count
        assert record.buy_qty + record.sell_qty <= volume
        if record.sell_qty:
            assert abs(record.strength_x100 * record.sell_qty - 10_000 * record.buy_qty) <= record.sell_qty
        seen = [price for price, _, _ in trades[: number + 1]]
        assert (record.open_price, record.high_price, record.low_price) == (seen[0], max(seen), min(seen))
        assert record.high_time == hhmmss(NINE_O_CLOCK + seen.index(max(seen)) * 1_000_000)
        assert (record.high_change <= 0, record.low_change >= 0) == (True, True)
        assert record.open_sign == Sign.of(price - seen[0])
