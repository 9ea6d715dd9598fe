"""KIS's real-time records, decoded. Attributes and their order are those of `layouts`; prices are won (the simulator's: the
venue's smallest unit), quantities shares.

An attribute that ends in `_x100` counts hundredths. A tail that the sender's layout did not have yet is None.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from onseju.kis.layouts import BOOK, TRADES

TAKER_BUY = "1"
TAKER_NONE = "3"
TAKER_SELL = "5"


class Sign(IntEnum):
    """전일 대비 부호, and the same of other comparisons. The change itself carries its own minus as well."""

    UPPER_LIMIT = 1
    UP = 2
    FLAT = 3
    LOWER_LIMIT = 4
    DOWN = 5

    @classmethod
    def of(cls, change: int) -> Sign:
        """The sign of a change, limits aside."""
        return cls.UP if change > 0 else cls.DOWN if change < 0 else cls.FLAT


class TradeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One trade and the day so far (H0STCNT0)."""

    symbol: str
    time: str
    price: int
    change_sign: int
    change: int
    change_rate_x100: int
    average_price_x100: int
    open_price: int
    high_price: int
    low_price: int
    ask_price: int
    bid_price: int
    qty: int
    volume: int
    turnover: int
    sell_count: int
    buy_count: int
    net_buy_count: int
    strength_x100: int
    sell_qty: int
    buy_qty: int
    taker: str
    """`1` a buyer took, `5` a seller took, `3` neither (an auction)."""
    buy_rate_x100: int
    previous_volume_rate_x100: int
    open_time: str
    open_sign: int
    open_change: int
    high_time: str
    high_sign: int
    high_change: int
    low_time: str
    low_sign: int
    low_change: int
    trading_day: str
    session_code: str
    halted: str
    ask_qty: int
    bid_qty: int
    total_ask_qty: int
    total_bid_qty: int
    turnover_rate_x100: int
    previous_volume_by_now: int
    previous_volume_by_now_rate_x100: int
    hour_code: str
    termination_code: str
    vi_base_price: int
    market_code: str | None = None


class BookRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Ten levels a side, best first (H0STASP0). A level that does not exist has price 0."""

    symbol: str
    time: str
    hour_code: str
    ask_prices: tuple[int, ...]
    bid_prices: tuple[int, ...]
    ask_qtys: tuple[int, ...]
    bid_qtys: tuple[int, ...]
    total_ask_qty: int
    total_bid_qty: int
    overtime_ask_qty: int
    overtime_bid_qty: int
    expected_price: int
    expected_qty: int
    expected_volume: int
    expected_change: int
    """Outside auctions KIS computes this and the next two from an expected price of 0: do not show them."""
    expected_sign: int
    expected_change_rate_x100: int
    volume: int
    total_ask_change: int
    total_bid_change: int
    overtime_ask_change: int
    overtime_bid_change: int
    deal_code: str
    mid_price: int | None = None
    mid_qty: int | None = None
    mid_side: str | None = None
    market_code: str | None = None

    @property
    def asks(self) -> list[tuple[int, int]]:
        """The sell levels that exist: price and quantity, best first."""
        return [(price, qty) for price, qty in zip(self.ask_prices, self.ask_qtys, strict=True) if price]

    @property
    def bids(self) -> list[tuple[int, int]]:
        """The buy levels that exist: price and quantity, best first."""
        return [(price, qty) for price, qty in zip(self.bid_prices, self.bid_qtys, strict=True) if price]


Record = TradeRecord | BookRecord

RECORDS: dict[str, type[TradeRecord] | type[BookRecord]] = {TRADES: TradeRecord, BOOK: BookRecord}


def tr_id_of(record: Record) -> str:
    """The TR that carries a record."""
    return TRADES if isinstance(record, TradeRecord) else BOOK
