"""The public market out of event blocks: directory, depth, tape, feeds; and no word about who traded."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onseju.contract.events import (
    DayRolled,
    Event,
    InstrumentListed,
    LevelChanged,
    PhaseChanged,
    PriceLimitsSet,
    RuleSet,
    TickBandSet,
    Trade,
    VenueOpened,
    encode_event,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.money import WON, Denomination
from onseju.contract.words import Board, Phase, Rule, Security, Side
from onseju.market.depth import HalfBook
from onseju.market.feeds import BOOK_RING_FRAMES, DEPTHS
from onseju.market.market import Market
from onseju.market.trades import TAPE_TRADES

TS = 1_795_000_000_000_000


class Made:
    """An event without its place."""

    def __init__(self, cls: type[Event], **fields: Any) -> None:
        self.cls = cls
        self.fields = fields


def listed(instrument: int, symbol: str) -> Made:
    return Made(
        InstrumentListed,
        instrument=instrument,
        symbol=symbol.encode().ljust(16, b"\0"),
        listed_shares=5000,
        limit_ppm=300_000,
        vi_dynamic_ppm=0,
        vi_static_ppm=0,
        tick_table=1,
        board=1,
        security=2,
        leverage=1,
    )


def level(side: Side, price: int, qty: int, count: int = 1) -> Made:
    return Made(LevelChanged, instrument=1, side=side, price=price, qty=qty, order_count=count)


def trade(price: int, qty: int, number: int = 1, side: int = Side.SELL) -> Made:
    return Made(
        Trade,
        instrument=1,
        trade_id=number,
        price=price,
        qty=qty,
        buy_order_id=987_001,
        sell_order_id=987_002,
        taker_side=side,
    )


class Site:
    """A market with one instrument, and a way to publish."""

    def __init__(self) -> None:
        self.market = Market("j1")
        self.seq = 0
        self.publish(Made(VenueOpened, price_scale=0, trading_day=20261123))
        self.publish(listed(1, "005930"), text="1\t삼성전자")

    def publish(self, *made: Made, text: str = "") -> None:
        self.market.listen([self.block(*made, text=text)])

    def block(self, *made: Made, text: str = "") -> EventBlock:
        self.seq += 1
        ts = TS + self.seq
        payload = b"".join(
            encode_event(each.cls(seq=self.seq, ts=ts, idx=idx, **each.fields)) for idx, each in enumerate(made)
        )
        return EventBlock(
            venue=1, epoch=1, semantics=1, seq=self.seq, ts=ts, command_kind=1, payload=payload, text=text
        )


@pytest.fixture
def site() -> Site:
    return Site()


def frame(data: bytes) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(data)
    return decoded


def test_the_directory_knows_what_was_listed(site: Site) -> None:
    site.publish(Made(TickBandSet, table=1, from_price=2000, tick=5), Made(TickBandSet, table=1, from_price=0, tick=1))
    site.publish(Made(PriceLimitsSet, instrument=1, base_price=70_000, upper_limit=91_000, lower_limit=49_000))
    site.publish(listed(2, "069500"))
    directory = site.market.directory
    found = directory.by_symbol("005930")
    assert found is directory.by_id(1) is not None
    assert (found.name, found.board, found.security) == ("삼성전자", Board.KOSPI, Security.ETF)
    assert (found.base_price, found.upper_limit, found.lower_limit) == (70_000, 91_000, 49_000)
    assert found.tick_bands == [(0, 1), (2000, 5)]
    assert [each.symbol for each in directory.all()] == ["005930", "069500"]
    assert directory.symbol_of(2) == directory.all()[1].name == "069500"
    assert (directory.symbol_of(0), directory.by_symbol("nothing"), directory.by_id(9)) == ("", None, None)
    assert (site.market.trading_day, site.market.clock_day()) == (20261123, 20261123)
    site.publish(Made(TickBandSet, table=1, from_price=2000, tick=10))
    assert found.tick_bands == [(0, 1), (2000, 10)]


@pytest.mark.parametrize(("text", "money"), [("0\tUSD", Denomination(2, "USD")), ("", Denomination(2, None))])
def test_the_directory_knows_how_money_is_written(text: str, money: Denomination) -> None:
    market = Market("j1")
    site = Site()
    assert site.market.directory.denomination == WON
    market.listen([site.block(Made(VenueOpened, price_scale=2, trading_day=20261123), text=text)])
    assert market.directory.denomination == money


def test_phases_and_rules(site: Site) -> None:
    directory = site.market.directory
    site.publish(Made(PhaseChanged, instrument=0, trading_day=20261123, phase=Phase.CLOSED))
    site.publish(listed(2, "069500"))
    assert (site.market.phase, [each.phase for each in directory.all()]) == (Phase.CLOSED, [Phase.CLOSED] * 2)
    site.publish(Made(PhaseChanged, instrument=2, trading_day=20261123, phase=Phase.HALTED))
    assert (site.market.phase, [each.phase for each in directory.all()]) == (
        Phase.CLOSED,
        [Phase.CLOSED, Phase.HALTED],
    )
    site.publish(Made(RuleSet, rule=Rule.COMMISSION_PPM, value=150))
    site.publish(Made(RuleSet, rule=Rule.COMMISSION_PPM, value=0, instrument=2))
    assert directory.rule(Rule.COMMISSION_PPM) == directory.rule(Rule.COMMISSION_PPM, 1) == 150
    assert directory.rule(Rule.COMMISSION_PPM, 2) == directory.rule(Rule.MAX_ORDER_QTY) == 0


def test_the_days_figures_and_their_reset(site: Site) -> None:
    instrument = site.market.directory.by_id(1)
    assert instrument is not None
    assert (instrument.last_price, instrument.day_open) == (None, None)
    site.publish(trade(700, 3), trade(720, 1), trade(690, 2), trade(705, 1))
    day = (instrument.day_open, instrument.day_high, instrument.day_low, instrument.last_price)
    assert day == (700, 720, 690, 705)
    assert (instrument.day_volume, instrument.day_turnover) == (7, 2100 + 720 + 1380 + 705)
    site.publish(Made(DayRolled, trading_day=20261124))
    assert (instrument.day_open, instrument.day_high, instrument.day_low) == (None, None, None)
    assert (instrument.day_volume, instrument.day_turnover, instrument.last_price) == (0, 0, 705)
    assert site.market.trading_day == 20261124


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(1, 12), st.integers(0, 3))), st.integers(0, 14))
def test_depth_is_the_sorted_levels(changes: list[tuple[int, int, int]], depth: int) -> None:
    sides = {1: HalfBook(Side.BUY), 2: HalfBook(Side.SELL)}
    model: dict[int, dict[int, int]] = {1: {}, 2: {}}
    for side, price, qty in changes:
        sides[side].set(price, qty, qty)
        model[side][price] = qty
    for side, reverse in ((1, True), (2, False)):
        expected = [(price, qty, qty) for price, qty in sorted(model[side].items(), reverse=reverse) if qty]
        assert sides[side].top(depth) == expected[:depth]
        assert len(sides[side]) == len(expected)


def test_the_book_view(site: Site) -> None:
    site.publish(level(Side.BUY, 699, 5, 2), level(Side.BUY, 698, 1), level(Side.SELL, 701, 7))
    book = site.market.book("005930", 1)
    assert book is not None
    assert (book.bids, book.asks, book.seq) == ([(699, 5, 2)], [(701, 7, 1)], 3)
    assert book.ts == "2026-11-18T11:06:40.000003Z"
    assert site.market.book("nothing") is None
    assert site.market.trades("nothing") is None


def test_the_tape_is_bounded_and_newest_first(site: Site) -> None:
    site.publish(*[trade(700, 1, number) for number in range(TAPE_TRADES + 50)])
    trades = site.market.trades("005930", 3)
    assert trades is not None
    assert [each.trade_id for each in trades] == [TAPE_TRADES + 49, TAPE_TRADES + 48, TAPE_TRADES + 47]
    assert trades[0].taker_side == "sell"
    everything = site.market.trades("005930", 10**6)
    assert everything is not None
    assert len(everything) == TAPE_TRADES
    assert site.market.trades("005930", 0) == site.market.trades("005930", -5) == []


def test_an_auctions_trade_has_no_taker(site: Site) -> None:
    site.publish(trade(700, 1, side=0))
    trades = site.market.trades("005930")
    assert trades is not None
    assert trades[0].taker_side is None


@pytest.mark.parametrize("depth", DEPTHS)
def test_every_depths_deltas_lead_from_the_snapshot_to_the_book(site: Site, depth: int) -> None:
    draw = random.Random(depth)
    wakes: list[int] = []
    waker = lambda: wakes.append(1)  # noqa: E731
    reader = site.market.read_book("005930", depth, waker)
    assert reader is not None
    bids: dict[int, list[int]] = {}
    last = None
    for round_ in range(200):
        site.publish(
            *[level(Side.BUY, price, draw.choice([0, 1, 2])) for price in sorted(draw.sample(range(600, 680), 2))]
        )
        for data in reader.take(1000):
            envelope = frame(data)
            if envelope["type"] == "snapshot":
                assert round_ == 0
                bids = {}
            else:
                assert envelope["prev"] == last
            last = envelope["id"]
            for price, qty, count in envelope["data"]["bids"]:
                if qty:
                    bids[price] = [price, qty, count]
                else:
                    del bids[price]
        book = site.market.book("005930", depth)
        assert book is not None
        assert sorted(bids.values(), reverse=True) == [list(each) for each in book.bids]
    assert wakes
    site.market.leave(reader, waker)
    count = len(wakes)
    site.publish(level(Side.BUY, 690, 1))
    assert len(wakes) == count


def test_a_snapshots_id_is_the_next_deltas_prev_for_whoever_joins_later(site: Site) -> None:
    """The ids between, which changed nothing for this depth, are nobody's `prev`."""
    site.publish(level(Side.BUY, 700, 1))
    early = site.market.read_book("005930", 1, list)
    assert early is not None
    first = frame(early.take(10)[0])
    site.publish(level(Side.BUY, 650, 1))
    late = site.market.read_book("005930", 1, list)
    assert late is not None
    joined = frame(late.take(10)[0])
    assert (first["id"], joined["id"], early.take(10)) == ("j1-3-0", "j1-3-0", [])
    site.publish(level(Side.BUY, 710, 1))
    (one,), (other,) = early.take(10), late.take(10)
    assert one is other
    assert (frame(one)["id"], frame(one)["prev"]) == ("j1-5-0", "j1-3-0")


def test_before_the_first_event_the_chain_begins_with_null(site: Site) -> None:
    book, trades = site.market.read_book("005930", 10, list), site.market.read_trades("005930", list)
    assert book is not None
    assert trades is not None
    for reader in (book, trades):
        (data,) = reader.take(1)
        assert (frame(data)["id"], frame(data)["prev"], frame(data)["type"]) == (None, None, "snapshot")
    site.publish(trade(700, 1), level(Side.BUY, 700, 1))
    for reader, expected in ((trades, "j1-3-0"), (book, "j1-3-1")):
        (data,) = reader.take(5)
        assert (frame(data)["id"], frame(data)["prev"]) == (expected, None)


def test_who_falls_behind_gets_a_snapshot(site: Site) -> None:
    book, trades = site.market.read_book("005930", 10, list), site.market.read_trades("005930", list)
    assert book is not None
    assert trades is not None
    for reader in (book, trades):
        reader.take(1)
    for number in range(max(BOOK_RING_FRAMES, TAPE_TRADES) + 1):
        site.publish(trade(700, 1, number), level(Side.BUY, 700, number + 1))
    for reader in (book, trades):
        (data,) = reader.take(5)
        assert frame(data)["type"] == "snapshot"
        assert reader.take(5) == []


def test_public_frames_name_no_order_and_no_account(site: Site) -> None:
    book, trades = site.market.read_book("005930", 10, list), site.market.read_trades("005930", list)
    assert book is not None
    assert trades is not None
    found = book.take(1) + trades.take(1)
    site.publish(trade(700, 1), level(Side.BUY, 700, 1))
    found += book.take(5) + trades.take(5)
    text = b"".join(found)
    for word in (b"order_id", b"account", b"98700", b"client"):
        assert word not in text
    assert set(frame(found[-1])["data"]) == {"symbol", "trade_id", "price", "qty", "taker_side", "ts"}


def test_a_market_rebuilt_from_the_blocks_is_the_same() -> None:
    first, draw, blocks = Site(), random.Random(1), []
    for _ in range(300):
        made = first.block(
            trade(700, 1), *[level(Side.BUY, p, draw.choice([0, 4])) for p in sorted(draw.sample(range(600, 640), 3))]
        )
        blocks.append(made)
        first.market.listen([made])
    second = Site()
    second.market.listen(blocks)
    assert second.market.book("005930", 50) == first.market.book("005930", 50)
    assert second.market.trades("005930", 1000) == first.market.trades("005930", 1000)
    assert second.market.directory.all() == first.market.directory.all()
