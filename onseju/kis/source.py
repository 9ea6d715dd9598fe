"""This exchange's market as the simulator's source of prices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import msgspec

from onseju.contract.event_runs import runs_of
from onseju.contract.events import (
    EVENT_BYTES,
    KIND_OFFSET,
    AuctionIndicated,
    AuctionUncrossed,
    DayRolled,
    Event,
    EventKind,
    LevelChanged,
    PhaseChanged,
    PriceLimitsSet,
    Trade,
    VenueOpened,
    decode_event,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import Phase
from onseju.kis.layouts import LEVELS
from onseju.kis.port import Day, Depth, PriceListener, Quoted, Standing, Traded
from onseju.market.digest import Digester, all_but, digest, events_of, has_any
from onseju.market.market import Market

_STANDING_KINDS = frozenset(
    {
        EventKind.PHASE_CHANGED,
        EventKind.AUCTION_INDICATED,
        EventKind.AUCTION_UNCROSSED,
        EventKind.PRICE_LIMITS_SET,
    }
)
_DIGESTED = frozenset({EventKind.TRADE, EventKind.LEVEL_CHANGED, EventKind.AUCTION_INDICATED})
_KINDS = _STANDING_KINDS | {
    EventKind.TRADE,
    EventKind.LEVEL_CHANGED,
    EventKind.DAY_ROLLED,
    EventKind.VENUE_OPENED,
}
_NOT_ALONE = all_but(_KINDS - _DIGESTED)
_FLAGS = bytes(kind in _DIGESTED for kind in range(256))


class MarketSource:
    """A `PriceSource`. Subscribe `listen` to the bus after the market's own, so that it finds the market up to date.

    The market knows the book and what is listed; the day's figures that only KIS's records have are counted here, from
    the first block on, replayed ones included. `digester` is the market's.
    """

    def __init__(self, market: Market, digester: Digester = digest) -> None:
        self._market = market
        self._digester = digester
        self._trading_day = 0
        self._listeners: list[PriceListener] = []
        self._days: dict[str, Day] = {}
        self._depths: dict[str, Depth] = {}
        self._standings: dict[str, Standing] = {}

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

    def standing(self, symbol: str) -> Standing:
        """Where the instrument stands (`PriceSource`)."""
        return self._standings.get(symbol) or Standing()

    def subscribe(self, listener: PriceListener) -> None:
        """Tell `listener` everything from now on (`PriceSource`)."""
        self._listeners.append(listener)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps (`exchange.checkpoint.View`)."""
        return {"trading_day": self._trading_day, "days": self._days, "standings": self._standings}

    def take_up(self, state: dict[str, Any]) -> None:
        """Stand where `state` was taken."""
        self._trading_day, self._days, self._standings = state["trading_day"], state["days"], state["standings"]

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Take in published blocks (an `EventListener`)."""
        self._depths.clear()
        for run in runs_of(blocks):
            if has_any(run.payload, _NOT_ALONE):
                for block in run:
                    payload = block.payload
                    self._take(payload, range(0, len(payload), EVENT_BYTES))
            else:
                self._take_run(run.payload)

    def _take_run(self, payload: bytes) -> None:
        """What `_take` does for many commands at once, of which none did more than trade and change the book: one by one only
        where a listener wants to know."""
        levels, trades, indicated, _ = self._digester(payload, 0)
        symbol_of = self._market.directory.symbol_of
        listeners = self._listeners
        changed = {of[0] for kind in (levels, trades, indicated) for of in kind}
        followed = {number for number in changed if any(listener.follows(symbol_of(number)) for listener in listeners)}
        for of in trades:
            if of[0] not in followed:
                symbol = symbol_of(of[0])
                self.day(symbol).add_all(of, at_close=self.standing(symbol).phase.is_at_close)
        for number, price, qty in indicated:
            if number not in followed:
                symbol = symbol_of(number)
                self._standings[symbol] = _indicated(self.standing(symbol), price, qty)
        if followed:
            for _, offsets in groupby(events_of(payload, _FLAGS, followed), key=lambda offset: _seq(payload, offset)):
                self._take(payload, offsets)

    def _take(self, payload: bytes, offsets: Iterable[int]) -> None:
        """Take in a command's events at these places, one by one."""
        changed: dict[str, int] = {}
        for offset in offsets:
            if payload[offset + KIND_OFFSET] not in _KINDS:
                continue
            event = decode_event(payload, offset)
            if isinstance(event, Trade):
                self._trade(event)
            elif isinstance(event, LevelChanged):
                changed[self._market.directory.symbol_of(event.instrument)] = event.ts
            elif event.kind in _STANDING_KINDS:
                symbol = self._market.directory.symbol_of(event.instrument)
                self._standings[symbol] = _after(event, self.standing(symbol))
                changed[symbol] = event.ts
            elif isinstance(event, DayRolled | VenueOpened):
                self._begin_day(event.trading_day)
        for symbol, ts in changed.items():
            for listener in self._listeners:
                if listener.follows(symbol):
                    listener.book_changed(symbol, ts)

    def _trade(self, event: Trade) -> None:
        symbol = self._market.directory.symbol_of(event.instrument)
        at_close = self.standing(symbol).phase.is_at_close
        self.day(symbol).add(event.price, event.qty, event.taker_side, event.ts, at_close=at_close)
        trade = Traded(symbol=symbol, price=event.price, qty=event.qty, taker=event.taker_side, ts=event.ts)
        for listener in self._listeners:
            if listener.follows(symbol):
                listener.traded(trade)

    def _begin_day(self, trading_day: int) -> None:
        self._trading_day = trading_day
        self._days = {
            symbol: Day(trading_day=trading_day, previous_volume=day.volume) for symbol, day in self._days.items()
        }


def _after(event: Event, standing: Standing) -> Standing:
    """Where an instrument stands after an event of it."""
    match event:
        case PhaseChanged():
            phase = Phase(event.phase)
            expected = (standing.expected_price, standing.expected_qty) if phase.is_auction else (0, 0)
            return msgspec.structs.replace(standing, phase=phase, expected_price=expected[0], expected_qty=expected[1])
        case AuctionIndicated():
            return _indicated(standing, event.price, event.qty)
        case AuctionUncrossed() if event.price:
            return msgspec.structs.replace(standing, auction_price=event.price, auction_qty=event.qty)
        case PriceLimitsSet():
            return msgspec.structs.replace(standing, auction_price=0, auction_qty=0)
    return standing


def _indicated(standing: Standing, price: int, qty: int) -> Standing:
    return msgspec.structs.replace(standing, expected_price=price, expected_qty=qty)


def _seq(payload: bytes, offset: int) -> int:
    return int.from_bytes(payload[offset : offset + 8], "little")
