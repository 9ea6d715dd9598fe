"""Our own market as the source: what the simulator sends is what the exchange's events say."""

from __future__ import annotations

from onseju.contract.words import Side
from onseju.kis.layouts import BOOK, TRADES
from onseju.kis.port import Day, Depth, Traded
from onseju.kis.quotes import hhmmss
from onseju.kis.records import BookRecord, TradeRecord
from onseju.kis.simulator import KisSimulator
from tests.unit.kis.blocks import Exchange, level, listed, priced, rolled, trade
from tests.unit.kis.fakes import HYNIX, NINE_O_CLOCK, SAMSUNG, TRADING_DAY, serving


class Heard:
    """A listener that keeps what it is told, and the volume that the day had then."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.trades: list[Traded] = []
        self.volumes: list[int] = []
        self.books: list[tuple[str, int]] = []
        exchange.source.subscribe(self)

    def follows(self, symbol: str) -> bool:
        return True

    def traded(self, trade: Traded) -> None:
        self.trades.append(trade)
        self.volumes.append(self.exchange.source.day(trade.symbol).volume)

    def book_changed(self, symbol: str, ts: int) -> None:
        self.books.append((symbol, ts))


def test_instruments_are_the_markets() -> None:
    exchange = Exchange(SAMSUNG)
    quoted = exchange.source.quoted(SAMSUNG)
    assert quoted is not None
    assert (quoted.base_price, quoted.upper_limit, quoted.lower_limit) == (70_000, 91_000, 49_000)
    assert quoted.listed_shares == 1_000_000
    assert exchange.source.quoted("999999") is None


def test_the_day_is_counted_trade_by_trade() -> None:
    exchange = Exchange(SAMSUNG, HYNIX)
    heard = Heard(exchange)
    exchange.publish(
        exchange.block(trade(70_100, 3), trade(70_200, 4), ts=NINE_O_CLOCK),
        exchange.block(trade(69_900, 5, Side.SELL), trade(70_000, 1, None), ts=NINE_O_CLOCK + 1),
        exchange.block(trade(50_000, 9, instrument=2), ts=NINE_O_CLOCK + 2),
    )
    assert exchange.source.day(SAMSUNG) == Day(
        trading_day=TRADING_DAY,
        open_price=70_100,
        open_ts=NINE_O_CLOCK,
        high_price=70_200,
        high_ts=NINE_O_CLOCK,
        low_price=69_900,
        low_ts=NINE_O_CLOCK + 1,
        last_price=70_000,
        volume=13,
        turnover=70_100 * 3 + 70_200 * 4 + 69_900 * 5 + 70_000,
        buy_count=2,
        buy_qty=7,
        sell_count=1,
        sell_qty=5,
    )
    assert heard.volumes == [3, 7, 12, 13, 9]
    assert [(heard.symbol, heard.taker) for heard in heard.trades] == [
        (SAMSUNG, 1),
        (SAMSUNG, 1),
        (SAMSUNG, 2),
        (SAMSUNG, 0),
        (HYNIX, 1),
    ]


def test_the_day_agrees_with_the_markets_own() -> None:
    exchange = Exchange(SAMSUNG)
    exchange.happen(trade(70_100, 3), trade(69_000, 4, Side.SELL))
    day, instrument = exchange.source.day(SAMSUNG), exchange.market.directory.by_symbol(SAMSUNG)
    assert instrument is not None
    assert (day.volume, day.turnover) == (instrument.day_volume, instrument.day_turnover)
    assert (day.open_price, day.high_price, day.low_price, day.last_price) == (
        instrument.day_open,
        instrument.day_high,
        instrument.day_low,
        instrument.last_price,
    )


def test_a_new_day_begins_at_nothing_and_knows_the_one_before() -> None:
    exchange = Exchange(SAMSUNG, HYNIX)
    heard = Heard(exchange)
    exchange.publish(
        exchange.block(trade(70_100, 3)),
        exchange.block(rolled(20261124), priced(70_100)),
        exchange.block(trade(70_300, 2)),
    )
    assert heard.volumes == [3, 2]
    day = exchange.source.day(SAMSUNG)
    assert (day.trading_day, day.open_price, day.volume, day.previous_volume) == (20261124, 70_300, 2, 3)
    assert exchange.source.day(HYNIX) == Day(trading_day=20261124)


def test_a_changed_book_is_told_once_a_block_and_read_afresh() -> None:
    exchange = Exchange(SAMSUNG, HYNIX)
    heard = Heard(exchange)
    assert exchange.source.depth(SAMSUNG) == Depth(asks=[], bids=[])
    exchange.happen(level(Side.SELL, 70_100, 5), level(Side.SELL, 70_200, 6), level(Side.BUY, 70_000, 7), ts=9)
    assert heard.books == [(SAMSUNG, 9)]
    assert exchange.source.depth(SAMSUNG) == Depth(asks=[(70_100, 5), (70_200, 6)], bids=[(70_000, 7)])
    assert exchange.source.depth(SAMSUNG) is exchange.source.depth(SAMSUNG)
    exchange.happen(level(Side.SELL, 70_100, 0))
    assert exchange.source.depth(SAMSUNG).asks == [(70_200, 6)]
    assert exchange.source.depth(HYNIX) == Depth(asks=[], bids=[])


def test_only_ten_levels_are_read() -> None:
    exchange = Exchange(SAMSUNG)
    exchange.happen(*(level(Side.BUY, 60_000 + 100 * number, 1) for number in range(15)))
    assert [price for price, _ in exchange.source.depth(SAMSUNG).bids] == [
        61_400 - 100 * number for number in range(10)
    ]


def test_nothing_is_asked_of_the_loop_while_nobody_listens() -> None:
    """A replay runs before there is an event loop."""
    exchange = Exchange(SAMSUNG)
    simulator = KisSimulator(exchange.source)
    exchange.happen(trade(70_100, 3), level(Side.SELL, 70_200, 6))
    assert simulator.connections == 0
    assert exchange.source.day(SAMSUNG).volume == 3


async def test_a_client_sees_what_the_exchange_did() -> None:
    exchange = Exchange(SAMSUNG)
    exchange.happen(trade(70_100, 3), level(Side.SELL, 70_200, 6), level(Side.BUY, 70_100, 2))
    async with serving(exchange.source) as server, server.client() as client:
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
        await client.send(BOOK, SAMSUNG)
        (book,) = await client.records()
        assert isinstance(book, BookRecord)
        assert (book.asks, book.bids, book.volume) == ([(70_200, 6)], [(70_100, 2)], 3)
        exchange.happen(trade(70_200, 6), trade(70_300, 1), level(Side.SELL, 70_200, 0), level(Side.SELL, 70_300, 9))
        first, second = await client.records()
        assert isinstance(first, TradeRecord)
        assert isinstance(second, TradeRecord)
        assert [(record.price, record.qty, record.volume) for record in (first, second)] == [
            (70_200, 6, 9),
            (70_300, 1, 10),
        ]
        assert second.time == hhmmss(NINE_O_CLOCK + exchange.seq * 1_000_000)
        assert (second.ask_price, second.ask_qty, second.high_price, second.open_price) == (70_300, 9, 70_300, 70_100)
        (after,) = await client.records()
        assert isinstance(after, BookRecord)
        assert after.asks == [(70_300, 9)]


async def test_an_instrument_listed_later_can_be_subscribed() -> None:
    exchange = Exchange(SAMSUNG)
    async with serving(exchange.source) as server, server.client() as client:
        assert await client.code(TRADES, HYNIX) == "OPSP8992"
        exchange.happen(listed(HYNIX, 2), priced(200_000, 2))
        assert await client.code(TRADES, HYNIX) == "OPSP0000"
