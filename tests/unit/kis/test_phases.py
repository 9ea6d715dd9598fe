"""The records of a trading day made by the real engine: codes, halts, the expected price, and the VI's reference."""

from __future__ import annotations

from onseju.contract.commands import Halt, Resume, RollDay, SetRule, Uncross
from onseju.contract.words import Phase, Rule, Side
from onseju.kis.layouts import BOOK
from onseju.kis.phases import CODES
from onseju.kis.port import Standing, Traded
from onseju.kis.quotes import book_record, trade_record
from onseju.kis.records import BookRecord, Sign, TradeRecord
from onseju.kis.source import MarketSource
from tests.properties.driver import DAY
from tests.unit.kis.fakes import NINE_O_CLOCK, SAMSUNG, FakeSource, serving
from tests.unit.market.live import BASE, SYMBOL, LiveMarket

BUY, SELL = Side.BUY, Side.SELL


class KisDay(LiveMarket):
    """A venue whose market a price source reads; it keeps each trade's record as it was when it happened."""

    def __init__(self) -> None:
        self.source: MarketSource | None = None
        self.trade_records: list[TradeRecord] = []
        self.told = 0
        super().__init__()

    def publish(self) -> None:
        blocks = tuple(self._waiting)
        super().publish()
        if self.source is None:
            self.source = MarketSource(self.market)
            self.source.subscribe(self)
        self.source.listen(blocks)

    def follows(self, symbol: str) -> bool:
        return True

    def traded(self, trade: Traded) -> None:
        source = self.source
        assert source is not None
        quoted = source.quoted(trade.symbol)
        assert quoted is not None
        self.trade_records.append(
            trade_record(
                trade, quoted, source.day(trade.symbol), source.depth(trade.symbol), source.standing(trade.symbol)
            )
        )

    def book_changed(self, symbol: str, ts: int) -> None:
        self.told += symbol == SYMBOL

    def book(self) -> BookRecord:
        source = self.source
        assert source is not None
        quoted = source.quoted(SYMBOL)
        assert quoted is not None
        return book_record(0, quoted, source.day(SYMBOL), source.depth(SYMBOL), source.standing(SYMBOL), (0, 0))


def test_every_phase_has_its_codes() -> None:
    assert CODES.keys() == set(Phase)


def test_the_opening_auction_tells_what_is_expected() -> None:
    """예상체결: price, quantity and the change of it against the base price; nothing of it once trading is continuous."""
    live = KisDay()
    live.phase(Phase.OPENING_AUCTION)
    assert (live.book().hour_code, live.book().expected_price) == ("B", 0)
    live.order(BUY, 7, BASE + 500)
    told = live.told
    live.order(SELL, 5, BASE + 500, account=3)
    book = live.book()
    assert live.told > told
    assert (book.expected_price, book.expected_qty, book.expected_volume) == (BASE + 500, 5, 5)
    assert (book.expected_change, book.expected_sign, book.expected_change_rate_x100) == (500, Sign.UP, 51)
    live.do(Uncross(instrument=0))
    (opening,) = live.trade_records
    assert (opening.session_code, opening.hour_code, opening.taker, opening.market_code) == ("10", "B", "3", "2")
    assert live.book().expected_price == 0
    live.phase(Phase.CONTINUOUS)
    book = live.book()
    assert (book.hour_code, book.expected_price, book.expected_qty, book.expected_volume) == ("0", 0, 0, 5)
    assert (book.expected_change, book.expected_sign, book.expected_change_rate_x100) == (-BASE, Sign.DOWN, -100_00)


def test_the_references_and_codes_of_continuous_trading_and_interruptions() -> None:
    """정적VI 발동기준가: the base price first, then what the last auction fixed."""
    live = KisDay()
    live.do(SetRule(rule=Rule.VI_DYNAMIC_PPM, value=30_000))
    live.order(SELL, 1, BASE, account=3)
    live.order(BUY, 1, BASE)
    record = live.trade_records[-1]
    assert (record.session_code, record.hour_code, record.halted) == ("20", "0", "N")
    assert record.vi_base_price == BASE
    live.order(SELL, 3, 101_500, account=3)
    live.order(BUY, 3, 101_500)
    book = live.book()
    assert (book.hour_code, book.expected_price, book.expected_qty) == ("C", 101_500, 3)
    live.do(Uncross(instrument=1))
    live.phase(Phase.CONTINUOUS, 1)
    live.order(SELL, 1, 101_500, account=3)
    live.order(BUY, 1, 101_500)
    assert live.trade_records[-1].vi_base_price == 101_500


def test_a_trade_carries_the_phase_in_which_it_was_made_also_in_a_batch() -> None:
    live = KisDay()
    live.in_batch = True
    live.phase(Phase.CLOSING_AUCTION)
    live.order(SELL, 2, BASE, account=3)
    live.order(BUY, 2, BASE)
    live.do(Uncross(instrument=1))
    live.phase(Phase.CLOSED)
    live.publish()
    (closing,) = live.trade_records
    assert (closing.session_code, closing.hour_code) == ("21", "A")
    assert live.book().hour_code == "0"
    live.phase(Phase.AFTER_HOURS)
    live.order(SELL, 2, BASE, account=3)
    live.order(BUY, 2, BASE)
    live.publish()
    assert (live.trade_records[-1].session_code, live.trade_records[-1].market_code) == ("30", "3")
    assert live.book().market_code == "3"


def test_the_session_at_the_close() -> None:
    """시간외종가: the day's figures stay but for the volume, and what is open counts as 시간외."""
    live = KisDay()
    live.order(SELL, 2, BASE + 100, account=3)
    live.order(BUY, 2, BASE + 100)
    live.phase(Phase.CLOSE_PRICE_RECEPTION)
    live.order(SELL, 5, BASE + 100, account=3)
    live.order(BUY, 3, BASE + 100)
    book = live.book()
    assert (book.hour_code, book.overtime_ask_qty, book.overtime_bid_qty) == ("0", 5, 3)
    live.phase(Phase.CLOSE_PRICE)
    record = live.trade_records[-1]
    assert (record.session_code, record.qty, record.volume, record.open_price) == ("31", 3, 5, BASE + 100)
    assert (live.book().overtime_ask_qty, live.book().overtime_bid_qty) == (2, 0)
    live.phase(Phase.CLOSED)
    assert live.book().overtime_ask_qty == 0


def test_what_is_traded_before_the_opening_opens_no_day() -> None:
    live = KisDay()
    live.phase(Phase.PREVIOUS_CLOSE)
    live.order(SELL, 2, BASE, account=3)
    live.order(BUY, 2, BASE)
    record = live.trade_records[-1]
    assert (record.session_code, record.volume, record.open_price, record.high_price) == ("11", 2, 0, 0)
    live.phase(Phase.CONTINUOUS)
    live.order(SELL, 2, BASE + 100, account=3)
    live.order(BUY, 2, BASE + 100)
    record = live.trade_records[-1]
    assert (record.volume, record.open_price, record.low_price) == (4, BASE + 100, BASE + 100)


def test_a_halt_and_a_new_day() -> None:
    live = KisDay()
    live.phase(Phase.OPENING_AUCTION)
    live.order(SELL, 2, BASE + 100, account=3)
    live.order(BUY, 2, BASE + 100)
    live.do(Halt(instrument=1))
    book = live.book()
    assert (book.hour_code, book.expected_price) == ("0", 0)
    assert live.source is not None
    assert live.source.standing(SYMBOL).phase is Phase.HALTED
    live.do(Resume(instrument=1, phase=Phase.RESUMPTION_AUCTION))
    live.do(Uncross(instrument=1))
    assert live.source.standing(SYMBOL).auction_price == BASE + 100
    live.do(RollDay(trading_day=DAY + 1))
    assert (live.source.standing(SYMBOL).auction_price, live.book().expected_volume) == (0, 0)


async def test_a_book_that_a_client_asks_for_carries_the_markets_time_and_phase() -> None:
    """However fast that time goes; the simulator's own limits count real seconds."""
    source = FakeSource()
    source.standings[SAMSUNG] = Standing(phase=Phase.VI_AUCTION, expected_price=70_500, expected_qty=4)
    async with serving(source, market_time=lambda: NINE_O_CLOCK + 5_000_000) as server, server.client() as client:
        await client.send(BOOK, SAMSUNG)
        (record,) = await client.records()
        assert isinstance(record, BookRecord)
        assert (record.time, record.hour_code) == ("090005", "C")
        assert (record.expected_price, record.expected_qty, record.expected_change) == (70_500, 4, 500)
