"""6 The public market: events in; directory, depth, tape and the public channels out. It knows no accounts and no orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from onseju.contract.event_runs import EventRun, runs_of
from onseju.contract.events import (
    EVENT_BYTES,
    KIND_OFFSET,
    Event,
    EventKind,
    LevelChanged,
    Trade,
    decode_event,
)
from onseju.contract.ids import BEFORE_ALL, Position
from onseju.contract.journal_records import EventBlock
from onseju.contract.views import timestamp
from onseju.contract.words import Phase
from onseju.market.depth import Depth, Level
from onseju.market.digest import Digester, Levels, all_but, digest, events_of, has_any
from onseju.market.directory import Directory
from onseju.market.feeds import BookFeed, FeedReader, TradeFeed, Waker
from onseju.market.state_feed import StateFeed
from onseju.market.trades import TAPE_TRADES, Tape, TradeView

_ANNOTATED = (EventKind.INSTRUMENT_LISTED, EventKind.VENUE_OPENED)
_KINDS = frozenset(
    {
        EventKind.TRADE,
        EventKind.LEVEL_CHANGED,
        EventKind.INSTRUMENT_LISTED,
        EventKind.PRICE_LIMITS_SET,
        EventKind.PHASE_CHANGED,
        EventKind.AUCTION_INDICATED,
        EventKind.AUCTION_UNCROSSED,
        EventKind.AUCTION_EXTENDED,
        EventKind.DAY_ROLLED,
        EventKind.VENUE_OPENED,
        EventKind.RULE_SET,
        EventKind.TICK_BAND_SET,
    }
)

_DIGESTED = frozenset({EventKind.TRADE, EventKind.LEVEL_CHANGED, EventKind.AUCTION_INDICATED})
_NOT_ALONE = all_but(_KINDS - _DIGESTED)
_LEVELS = bytes(kind == EventKind.LEVEL_CHANGED for kind in range(256))

_CLOCK_KINDS = frozenset({EventKind.PHASE_CHANGED, EventKind.DAY_ROLLED, EventKind.VENUE_OPENED})
"""After which the clock is told to those who listen to the states."""


class BookView(msgspec.Struct, frozen=True, kw_only=True):
    """The best levels of a book as (price, open quantity, number of orders), best first, after command `seq`."""

    symbol: str
    bids: list[Level]
    asks: list[Level]
    seq: int
    ts: str | None


class _Symbol:
    """What the market keeps for one instrument."""

    __slots__ = ("books", "depth", "instrument", "tape", "trade_feed")

    def __init__(self, instrument: int, symbol: str, journal_id: str) -> None:
        self.instrument = instrument
        self.depth = Depth(journal_id)
        self.tape = Tape(symbol, journal_id)
        self.trade_feed = TradeFeed(self.tape)
        self.books: dict[int, BookFeed] = {}
        """By depth; only those that somebody listens to."""


class Market:
    """The public market, rebuilt from the event blocks alone. All methods belong to the event loop's thread.

    `digester` reads many commands' events at once: `digest`, or the compiled core's.
    """

    def __init__(self, journal_id: str, digester: Digester = digest) -> None:
        self.journal_id = journal_id
        self.directory = Directory()
        self.seq = 0
        """The last command taken in."""
        self.ts: int | None = None
        self.phase_end: Callable[[int], int | None] = _no_end
        """Gives the nominal end of an instrument's phase (microseconds since 1970), for whom it is told to."""
        self.clock: Callable[[], object] = _no_clock
        """Gives what `GET /v1/clock` answers."""
        self._digester = digester
        self._symbols: dict[int, _Symbol] = {}
        self._listened: set[int] = set()
        """The instruments of which somebody listens to a book."""
        self._states: StateFeed | None = None
        """Only while somebody listens to it."""
        self._states_at = BEFORE_ALL
        self._states_changed: set[int] = set()
        self._clock_changed = False

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

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps (`exchange.checkpoint.View`): all but who listens."""
        symbols = {number: (symbol.depth, symbol.tape) for number, symbol in self._symbols.items()}
        return {"directory": vars(self.directory), "seq": self.seq, "ts": self.ts, "symbols": symbols}

    def take_up(self, state: dict[str, Any]) -> None:
        """Stand where `state` was taken. The directory stays the same object: others hold it. The journal may have got
        another name since then: ids are of the one that it has now."""
        vars(self.directory).update(state["directory"])
        self.seq, self.ts = state["seq"], state["ts"]
        for number, (depth, tape) in state["symbols"].items():
            symbol = self._symbols[number] = _Symbol(number, tape.symbol, self.journal_id)
            symbol.depth, symbol.tape, symbol.trade_feed = depth, tape, TradeFeed(tape)
            tape.rename(self.journal_id)
            depth.rename(self.journal_id)

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Take in published blocks (an `EventListener`), then wake who listens to what changed."""
        touched: set[BookFeed | TradeFeed | StateFeed] = set()
        for run in runs_of(blocks):
            if has_any(run.payload, _NOT_ALONE):
                for block in run:
                    self._take(block, touched)
            else:
                self._take_run(run, touched)
        self._update_states(touched)
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
            self._listened.add(found.instrument)
        feed.wakers.add(waker)
        return FeedReader(feed)

    def read_trades(self, symbol: str, waker: Waker) -> FeedReader | None:
        """Listen to a symbol's trades; None for an unknown symbol. End it with `leave`."""
        found = self._find(symbol)
        if found is None:
            return None
        found.trade_feed.wakers.add(waker)
        return FeedReader(found.trade_feed)

    def read_states(self, waker: Waker) -> FeedReader:
        """Listen to how all instruments stand. End it with `leave`."""
        if self._states is None:
            self._states = StateFeed(
                self.journal_id, self.directory, self.phase_end, self.clock, Position(self.seq, 0), self.ts
            )
        self._states.wakers.add(waker)
        return FeedReader(self._states)

    def refresh(self) -> None:
        """Tell who listens to the states of the clock, and of phases whose planned end changed: there was no event."""
        if self._states is None:
            return
        self._states_at = Position(self.seq, 0)
        self._states_changed.update(instrument.id for instrument in self.directory.all())
        self._clock_changed = True
        touched: set[BookFeed | TradeFeed | StateFeed] = set()
        self._update_states(touched)
        for feed in touched:
            for wake in feed.wakers:
                wake()

    def _update_states(self, touched: set[BookFeed | TradeFeed | StateFeed]) -> None:
        """One delta for all that changed since the last."""
        states = self._states
        if states is not None and (self._states_changed or self._clock_changed):
            changed = sorted(self._states_changed)
            if states.update(changed, self._states_at, self.ts, with_clock=self._clock_changed):
                touched.add(states)
        self._states_changed.clear()
        self._clock_changed = False

    def leave(self, reader: FeedReader, waker: Waker) -> None:
        """Stop listening. A book that nobody listens to costs nothing any more."""
        feed = reader.feed
        feed.wakers.discard(waker)
        if feed is self._states and not feed.wakers:
            self._states = None
        if isinstance(feed, BookFeed) and not feed.wakers:
            found = self._find(feed.symbol)
            if found is not None and found.books.get(feed.depth) is feed:
                del found.books[feed.depth]
                if not found.books:
                    self._listened.discard(found.instrument)

    def _find(self, symbol: str) -> _Symbol | None:
        instrument = self.directory.by_symbol(symbol)
        return None if instrument is None else self._symbols[instrument.id]

    def _take_run(self, run: EventRun, touched: set[BookFeed | TradeFeed | StateFeed]) -> None:
        """What `_take` does, for many commands at once: none of them did more than trade and change the book."""
        levels, trades, indicated, at = self._digester(run.payload, TAPE_TRADES + 1)
        if not self._listened.isdisjoint([of[0] for of in levels]):
            self._tell_books(run.payload, touched)
        for of in levels:
            if of[0] not in self._listened:
                self._set_levels(of)
        for of_trades in trades:
            instrument, *_, count, events = of_trades
            symbol = self._symbols[instrument]
            self.directory.traded(of_trades)
            symbol.tape.add(events, count)
            touched.add(symbol.trade_feed)
            self._states_changed.add(instrument)
        for instrument, price, qty in indicated:
            self.directory.indicated(instrument, price, qty)
            self._states_changed.add(instrument)
        if at is not None:
            self._states_at = Position(*at)
        self.seq = run.last_seq
        self.ts = run.timestamps[-1]

    def _set_levels(self, of: Levels) -> None:
        instrument, seq, idx, ts, levels = of
        depth = self._symbols[instrument].depth
        for side, price, qty, count in levels:
            depth.set(side, price, qty, count)
        depth.last = Position(seq, idx)
        depth.last_ts = ts

    def _tell_books(self, payload: bytes, touched: set[BookFeed | TradeFeed | StateFeed]) -> None:
        """Follow the books to which somebody listens, a delta for each command."""
        told: dict[int, LevelChanged] = {}
        for offset in events_of(payload, _LEVELS, self._listened):
            event = decode_event(payload, offset)
            if not isinstance(event, LevelChanged):
                raise TypeError(f"a level event was awaited, not {event}")
            before = told.get(event.instrument)
            if before is not None and before.seq != event.seq:
                self._tell_book(before, touched)
            told[event.instrument] = event
            self._symbols[event.instrument].depth.set(event.side, event.price, event.qty, event.order_count)
        for event in told.values():
            self._tell_book(event, touched)

    def _tell_book(self, last: LevelChanged, touched: set[BookFeed | TradeFeed | StateFeed]) -> None:
        """Make the deltas of a book after a command, whose last level event this is."""
        symbol = self._symbols[last.instrument]
        symbol.depth.last, symbol.depth.last_ts = Position(last.seq, last.idx), last.ts
        touched.update(feed for feed in symbol.books.values() if feed.update())

    def _take(self, block: EventBlock, touched: set[BookFeed | TradeFeed | StateFeed]) -> None:
        payload = block.payload
        changed: dict[int, int] = {}
        for offset in range(0, len(payload), EVENT_BYTES):
            if payload[offset + KIND_OFFSET] not in _KINDS:
                continue
            event = block.event_at(offset)
            if isinstance(event, LevelChanged):
                self._symbols[event.instrument].depth.set(event.side, event.price, event.qty, event.order_count)
                changed[event.instrument] = event.idx
                continue
            self.directory.apply(event, block.annotations if event.kind in _ANNOTATED else {})
            self._note_state(event)
            if isinstance(event, Trade):
                symbol = self._symbols[event.instrument]
                symbol.tape.add([payload[offset : offset + EVENT_BYTES]], 1)
                touched.add(symbol.trade_feed)
            elif event.kind == EventKind.INSTRUMENT_LISTED:
                name = self.directory.symbol_of(event.instrument)
                self._symbols[event.instrument] = _Symbol(event.instrument, name, self.journal_id)
        for instrument, idx in changed.items():
            symbol = self._symbols[instrument]
            symbol.depth.last = Position(block.seq, idx)
            symbol.depth.last_ts = block.ts
            touched.update(feed for feed in symbol.books.values() if feed.update())
        self.seq = block.seq
        self.ts = block.ts

    def _note_state(self, event: Event) -> None:
        """Remember whose state the event may have changed."""
        self._states_at = Position(event.seq, event.idx)
        if event.instrument:
            self._states_changed.add(event.instrument)
        else:
            self._states_changed.update(instrument.id for instrument in self.directory.all())
        if event.kind in _CLOCK_KINDS:
            self._clock_changed = True


def _no_end(instrument: int) -> int | None:
    """While nothing plans the day."""
    return None


def _no_clock() -> object:
    """While nobody tells the time."""
    return None
