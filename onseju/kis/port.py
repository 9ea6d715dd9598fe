"""What the simulator needs to know of a market: instruments, the ten-level book, the day's figures, and every trade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from onseju.contract.words import Phase
from onseju.market.digest import Trades

Level = tuple[int, int]
"""Price (won) and open quantity."""


class Quoted(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument as its price records need it. Limits are 0 where there are none."""

    symbol: str
    base_price: int
    """기준가: what changes are measured against."""
    upper_limit: int = 0
    lower_limit: int = 0
    listed_shares: int = 0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where an instrument stands in its day."""

    phase: Phase = Phase.CONTINUOUS
    auction_price: int = 0
    """The last price that a call auction fixed today: the static VI's reference; 0 = the base price is."""
    auction_qty: int = 0
    """What that auction traded; 0 before the first of the day."""
    expected_price: int = 0
    """What its auction would give now; 0 outside auctions and without a match."""
    expected_qty: int = 0


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """Up to ten levels a side, best first."""

    asks: Sequence[Level]
    bids: Sequence[Level]


class Day(msgspec.Struct, kw_only=True):
    """An instrument's trading day so far. Times are microseconds since 1970; all is 0 before the first trade."""

    trading_day: int
    """YYYYMMDD."""
    open_price: int = 0
    open_ts: int = 0
    high_price: int = 0
    high_ts: int = 0
    low_price: int = 0
    low_ts: int = 0
    last_price: int = 0
    volume: int = 0
    turnover: int = 0
    buy_count: int = 0
    """Trades that a buyer took, and their shares."""
    buy_qty: int = 0
    sell_count: int = 0
    sell_qty: int = 0
    previous_volume: int = 0
    """The whole day before."""

    def add(self, price: int, qty: int, taker: int, ts: int, *, at_close: bool = False) -> None:
        """Count a trade. `taker` is 1 when a buyer took, 2 when a seller did, 0 in an auction. One at a close
        (시간외종가) moves no price of the day."""
        if not at_close:
            self._move_prices(price, ts)
        self.volume += qty
        self.turnover += price * qty
        if taker == 1:
            self.buy_count += 1
            self.buy_qty += qty
        elif taker == 2:
            self.sell_count += 1
            self.sell_qty += qty

    def add_all(self, trades: Trades, *, at_close: bool = False) -> None:
        """Count many trades, as `add` would one after the other."""
        _, (first, high, low, last), (qty, turnover), (buys, buy_qty), (sells, sell_qty), *_ = trades
        if not at_close:
            if self.open_price == 0:
                self.open_price, self.open_ts = first
                self.high_price, self.high_ts = high
                self.low_price, self.low_ts = low
            if high[0] > self.high_price:
                self.high_price, self.high_ts = high
            if low[0] < self.low_price:
                self.low_price, self.low_ts = low
            self.last_price = last[0]
        self.volume += qty
        self.turnover += turnover
        self.buy_count += buys
        self.buy_qty += buy_qty
        self.sell_count += sells
        self.sell_qty += sell_qty

    def _move_prices(self, price: int, ts: int) -> None:
        if self.open_price == 0:
            self.open_price = self.high_price = self.low_price = price
            self.open_ts = self.high_ts = self.low_ts = ts
        if price > self.high_price:
            self.high_price, self.high_ts = price, ts
        if price < self.low_price:
            self.low_price, self.low_ts = price, ts
        self.last_price = price


class Traded(msgspec.Struct, frozen=True, kw_only=True):
    """A match. `taker` as in `Day.add`; `ts` is microseconds since 1970."""

    symbol: str
    price: int
    qty: int
    taker: int
    ts: int


class PriceListener(Protocol):
    """Is told what happens, on the event loop. Must not block and must not raise."""

    def follows(self, symbol: str) -> bool:
        """Whether it wants to know what happens to this symbol; of others it is told nothing."""
        ...

    def traded(self, trade: Traded) -> None:
        """A trade happened; the source's `day` counts it already, and no later one."""
        ...

    def book_changed(self, symbol: str, ts: int) -> None:
        """The book, or where the instrument stands, is another than before; `ts` is microseconds since 1970."""
        ...


class PriceSource(Protocol):
    """A market whose prices the simulator sends."""

    def quoted(self, symbol: str) -> Quoted | None:
        """The instrument, or None for an unknown symbol."""
        ...

    def depth(self, symbol: str) -> Depth:
        """The book now. The symbol is a known one."""
        ...

    def day(self, symbol: str) -> Day:
        """The trading day so far. The symbol is a known one."""
        ...

    def standing(self, symbol: str) -> Standing:
        """Where it stands in its day; while a trade is told, where it stood then. The symbol is a known one."""
        ...

    def subscribe(self, listener: PriceListener) -> None:
        """Tell `listener` everything from now on."""
        ...
