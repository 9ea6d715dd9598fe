"""6 The public market: events in; directory, depth, tape and the public channels out. It knows no accounts and no orders."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from onseju.contract.events import (
    EVENT_BYTES,
    KIND_OFFSET,
    EventKind,
    LevelChanged,
    Trade,
    decode_event,
)
from onseju.contract.ids import Position
from onseju.contract.journal_records import EventBlock
from onseju.contract.views import timestamp
from onseju.contract.words import Phase
from onseju.market.depth import Depth, Level
from onseju.market.directory import Directory
from onseju.market.feeds import BookFeed, FeedReader, TradeFeed, Waker
from onseju.market.trades import Tape, TradeView

_KINDS = frozenset(
    {
        EventKind.TRADE,
        EventKind.LEVEL_CHANGED,
        EventKind.INSTRUMENT_LISTED,
        EventKind.PRICE_LIMITS_SET,
        EventKind.PHASE_CHANGED,
        EventKind.DAY_ROLLED,
        EventKind.VENUE_OPENED,
        EventKind.RULE_SET,
        EventKind.TICK_BAND_SET,
    }
)


class BookView(msgspec.Struct, frozen=True, kw_only=True):
    """The best levels of a book as (price, open quantity, number of orders), best first, after command `seq`."""

    symbol: str
    bids: list[Level]
    asks: list[Level]
    seq: int
    ts: str | None


class _Symbol:
    """What the market keeps for one instrument."""

    __slots__ = ("books", "depth", "tape", "trade_feed")

    def __init__(self, symbol: str, journal_id: str) -> None:
        self.depth = Depth()
        self.tape = Tape(symbol, journal_id)
        self.trade_feed = TradeFeed(self.tape)
        self.books: dict[int, BookFeed] = {}
        """By depth; only those that somebody listens to."""


class Market:
    """The public market, rebuilt from the event blocks alone. All methods belong to the event loop's thread."""

    def __init__(self, journal_id: str) -> None:
        self.journal_id = journal_id
        self.directory = Directory()
        self.seq = 0
        """The last command taken in."""
        self.ts: int | None = None
        self._symbols: dict[int, _Symbol] = {}

    @property
    def trading_day(self) -> int:
        """YYYYMMDD; 0 before the venue is open."""
        return self.directory.trading_day

    @property
    def phase(self) -> Phase:
        """The venue's phase; an instrument may be in another."""
        return self.directory.phase

    def clock_day(self) -> int:
        """The trading day, for who wants to be told later."""
        return self.directory.trading_day

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Take in published blocks (an `EventListener`), then wake who listens to what changed."""
        touched: set[BookFeed | TradeFeed] = set()
        for block in blocks:
            self._take(block, touched)
        for feed in touched:
            for wake in feed.wakers:
                wake()

    def book(self, symbol: str, depth: int = 10) -> BookView | None:
        """The best `depth` levels of both sides; None for an unknown symbol."""
        found = self._find(symbol)
        if found is None:
            return None
        return BookView(
            symbol=symbol,
            bids=found.depth.bids.top(depth),
            asks=found.depth.asks.top(depth),
            seq=self.seq,
            ts=timestamp(self.ts) if self.ts is not None else None,
        )

    def trades(self, symbol: str, limit: int = 50) -> list[TradeView] | None:
        """The last trades, newest first (at most `TAPE_TRADES`); None for an unknown symbol."""
        found = self._find(symbol)
        return None if found is None else found.tape.recent(limit)

    def read_book(self, symbol: str, depth: int, waker: Waker) -> FeedReader | None:
        """Listen to a book's best `depth` levels (one of `DEPTHS`); None for an unknown symbol. End it with `leave`."""
        found = self._find(symbol)
        if found is None:
            return None
        feed = found.books.get(depth)
        if feed is None:
            feed = found.books[depth] = BookFeed(symbol, depth, found.depth)
        feed.wakers.add(waker)
        return FeedReader(feed)

    def read_trades(self, symbol: str, waker: Waker) -> FeedReader | None:
        """Listen to a symbol's trades; None for an unknown symbol. End it with `leave`."""
        found = self._find(symbol)
        if found is None:
            return None
        found.trade_feed.wakers.add(waker)
        return FeedReader(found.trade_feed)

    def leave(self, reader: FeedReader, waker: Waker) -> None:
        """Stop listening. A book that nobody listens to costs nothing any more."""
        feed = reader.feed
        feed.wakers.discard(waker)
        if isinstance(feed, BookFeed) and not feed.wakers:
            found = self._find(feed.symbol)
            if found is not None and found.books.get(feed.depth) is feed:
                del found.books[feed.depth]

    def _find(self, symbol: str) -> _Symbol | None:
        instrument = self.directory.by_symbol(symbol)
        return None if instrument is None else self._symbols[instrument.id]

    def _take(self, block: EventBlock, touched: set[BookFeed | TradeFeed]) -> None:
        payload = block.payload
        changed: dict[int, int] = {}
        for offset in range(0, len(payload), EVENT_BYTES):
            if payload[offset + KIND_OFFSET] not in _KINDS:
                continue
            event = decode_event(payload, offset)
            if isinstance(event, LevelChanged):
                self._symbols[event.instrument].depth.set(event.side, event.price, event.qty, event.order_count)
                changed[event.instrument] = event.idx
                continue
            self.directory.apply(event, block.annotations if event.kind == EventKind.INSTRUMENT_LISTED else {})
            if isinstance(event, Trade):
                symbol = self._symbols[event.instrument]
                symbol.tape.add(event)
                touched.add(symbol.trade_feed)
            elif event.kind == EventKind.INSTRUMENT_LISTED:
                name = self.directory.symbol_of(event.instrument)
                self._symbols[event.instrument] = _Symbol(name, self.journal_id)
        for instrument, idx in changed.items():
            symbol = self._symbols[instrument]
            symbol.depth.last_id = Position(block.seq, idx).event_id(self.journal_id)
            symbol.depth.last_ts = block.ts
            touched.update(feed for feed in symbol.books.values() if feed.update())
        self.seq = block.seq
        self.ts = block.ts
