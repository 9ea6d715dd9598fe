"""This exchange's market as the simulator's source of prices."""

from __future__ import annotations

from collections.abc import Sequence

from onseju.contract.events import (
    EVENT_BYTES,
    KIND_OFFSET,
    DayRolled,
    EventKind,
    LevelChanged,
    Trade,
    VenueOpened,
    decode_event,
)
from onseju.contract.journal_records import EventBlock
from onseju.kis.layouts import LEVELS
from onseju.kis.port import Day, Depth, PriceListener, Quoted, Traded
from onseju.market.market import Market

_KINDS = frozenset({EventKind.TRADE, EventKind.LEVEL_CHANGED, EventKind.DAY_ROLLED, EventKind.VENUE_OPENED})


class MarketSource:
    """A `PriceSource`. Subscribe `listen` to the bus after the market's own, so that it finds the market up to date.

    The market knows the book and what is listed; the day's figures that only KIS's records have are counted here, from
    the first block on, replayed ones included.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._trading_day = 0
        self._listeners: list[PriceListener] = []
        self._days: dict[str, Day] = {}
        self._depths: dict[str, Depth] = {}

    def quoted(self, symbol: str) -> Quoted | None:
        """The instrument (`PriceSource`)."""
        instrument = self._market.directory.by_symbol(symbol)
        if instrument is None:
            return None
        return Quoted(
            symbol=symbol,
            base_price=instrument.base_price,
            upper_limit=instrument.upper_limit,
            lower_limit=instrument.lower_limit,
            listed_shares=instrument.listed_shares,
        )

    def depth(self, symbol: str) -> Depth:
        """The book now (`PriceSource`), read once per change."""
        depth = self._depths.get(symbol)
        if depth is None:
            book = self._market.book(symbol, LEVELS)
            asks, bids = (book.asks, book.bids) if book is not None else ([], [])
            depth = Depth(asks=[level[:2] for level in asks], bids=[level[:2] for level in bids])
            self._depths[symbol] = depth
        return depth

    def day(self, symbol: str) -> Day:
        """The trading day so far (`PriceSource`)."""
        day = self._days.get(symbol)
        if day is None:
            day = self._days[symbol] = Day(trading_day=self._trading_day)
        return day

    def subscribe(self, listener: PriceListener) -> None:
        """Tell `listener` everything from now on (`PriceSource`)."""
        self._listeners.append(listener)

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Take in published blocks (an `EventListener`)."""
        self._depths.clear()
        for block in blocks:
            self._take(block)

    def _take(self, block: EventBlock) -> None:
        payload = block.payload
        changed: dict[str, None] = {}
        for offset in range(0, len(payload), EVENT_BYTES):
            if payload[offset + KIND_OFFSET] not in _KINDS:
                continue
            event = decode_event(payload, offset)
            if isinstance(event, Trade):
                self._trade(event)
            elif isinstance(event, LevelChanged):
                changed[self._market.directory.symbol_of(event.instrument)] = None
            elif isinstance(event, DayRolled | VenueOpened):
                self._begin_day(event.trading_day)
        for symbol in changed:
            for listener in self._listeners:
                listener.book_changed(symbol, block.ts)

    def _trade(self, event: Trade) -> None:
        symbol = self._market.directory.symbol_of(event.instrument)
        self.day(symbol).add(event.price, event.qty, event.taker_side, event.ts)
        trade = Traded(symbol=symbol, price=event.price, qty=event.qty, taker=event.taker_side, ts=event.ts)
        for listener in self._listeners:
            listener.traded(trade)

    def _begin_day(self, trading_day: int) -> None:
        self._trading_day = trading_day
        self._days = {
            symbol: Day(trading_day=trading_day, previous_volume=day.volume) for symbol, day in self._days.items()
        }
