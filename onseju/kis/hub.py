"""From the market to the sessions: a trade or a book becomes one frame, and each session that registered for it gets it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Protocol

from onseju.kis.codec import encode_frame
from onseju.kis.layouts import BOOK, TRADES, Layout, LayoutName, layout_for
from onseju.kis.messages import Registration
from onseju.kis.port import PriceSource, Traded
from onseju.kis.quotes import book_record, totals_of, trade_record
from onseju.kis.records import TradeRecord

RECORDS_PER_FRAME = 20
"""Trades in one frame at most: under 8 KB, which is what some clients can take."""


_SYMBOL = re.compile(r"[0-9A-Za-z._-]{1,16}")


class Subscriber(Protocol):
    """Takes frames."""

    def offer(self, frame: str) -> None:
        """Queue a frame, or cut the client off where it has too much unread. Never blocks."""
        ...


class Hub:
    """Gathers what happens for `flush_s` seconds, then sends it: every trade, and of each book the last state."""

    def __init__(self, source: PriceSource, layout: LayoutName, flush_s: float, now_us: Callable[[], int]) -> None:
        self._source = source
        self._layout = layout
        self._flush_s = flush_s
        self._now_us = now_us
        self._subscribers: dict[Registration, dict[Subscriber, None]] = {}
        self._symbols: set[str] = set()
        """Those of the registrations."""
        self._trades: dict[str, list[TradeRecord]] = {}
        self._books: dict[str, int] = {}
        self._totals: dict[str, tuple[int, int]] = {}
        self._scheduled = False
        source.subscribe(self)

    @property
    def registrations(self) -> int:
        """How many registrations there are now."""
        return sum(len(subscribers) for subscribers in self._subscribers.values())

    def knows(self, symbol: str) -> bool:
        """Whether there is such an instrument, with a symbol that a frame can carry."""
        return _SYMBOL.fullmatch(symbol) is not None and self._source.quoted(symbol) is not None

    def add(self, registration: Registration, subscriber: Subscriber) -> None:
        """Send it the registered frames from now on; for a book, its present state first."""
        self._subscribers.setdefault(registration, {})[subscriber] = None
        self._symbols = {known.tr_key for known in self._subscribers}
        if registration.tr_id == BOOK:
            frame = self._book_frame(registration.tr_key, self._now_us(), news=False)
            if frame is not None:
                subscriber.offer(frame)

    def remove(self, registration: Registration, subscriber: Subscriber) -> None:
        """Send it no more of these frames."""
        subscribers = self._subscribers.get(registration)
        if subscribers is None:
            return
        subscribers.pop(subscriber, None)
        if not subscribers:
            del self._subscribers[registration]
            self._symbols = {known.tr_key for known in self._subscribers}

    def follows(self, symbol: str) -> bool:
        """Whether a session has registered for it (`PriceListener`)."""
        return symbol in self._symbols

    def traded(self, trade: Traded) -> None:
        """A trade of the market (`PriceListener`)."""
        if Registration(TRADES, trade.symbol) not in self._subscribers:
            return
        quoted = self._source.quoted(trade.symbol)
        if quoted is None:
            return
        source, symbol = self._source, trade.symbol
        record = trade_record(trade, quoted, source.day(symbol), source.depth(symbol), source.standing(symbol))
        self._trades.setdefault(trade.symbol, []).append(record)
        self._schedule()

    def book_changed(self, symbol: str, ts: int) -> None:
        """A change of a book (`PriceListener`)."""
        if Registration(BOOK, symbol) in self._subscribers:
            self._books[symbol] = ts
            self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(self._flush_s, self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        trades, self._trades = self._trades, {}
        books, self._books = self._books, {}
        for symbol, records in trades.items():
            for start in range(0, len(records), RECORDS_PER_FRAME):
                part = records[start : start + RECORDS_PER_FRAME]
                self._send(Registration(TRADES, symbol), encode_frame(part, self._layout_of(part[0].trading_day)))
        for symbol, ts in books.items():
            frame = self._book_frame(symbol, ts, news=True)
            if frame is not None:
                self._send(Registration(BOOK, symbol), frame)

    def _send(self, registration: Registration, frame: str) -> None:
        for subscriber in tuple(self._subscribers.get(registration, ())):
            subscriber.offer(frame)

    def _book_frame(self, symbol: str, ts: int, *, news: bool) -> str | None:
        """The book's frame. `news` goes to all: its totals are what the next one's changes are measured against."""
        quoted = self._source.quoted(symbol)
        if quoted is None:
            return None
        day, depth = self._source.day(symbol), self._source.depth(symbol)
        totals = totals_of(depth)
        before = self._totals.setdefault(symbol, totals)
        if news:
            self._totals[symbol] = totals
        else:
            before = totals
        record = book_record(ts, quoted, day, depth, self._source.standing(symbol), before)
        return encode_frame([record], self._layout_of(day.trading_day))

    def _layout_of(self, trading_day: int | str) -> Layout:
        return layout_for(self._layout, int(trading_day))
