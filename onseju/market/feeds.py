"""The public channels: frames encoded once for all who listen, in rings that a slow listener cannot make grow.

A listener has a `FeedReader`: a place in a feed's ring. Whoever falls behind the ring gets a new `snapshot` instead of
what was missed, so nobody holds a queue and a gap is never silent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from onseju.contract.envelope import Envelope, encode_envelope
from onseju.contract.views import timestamp
from onseju.market.depth import Depth, Level
from onseju.market.trades import Tape, TradeView

DEPTHS = (1, 5, 10, 20, 50)
"""The depths that the `book` channel offers. Few, so that all listeners of a symbol share their frames."""

BOOK_RING_FRAMES = 256
"""Deltas that a listener may be behind before it gets a snapshot instead."""

TRADES_IN_SNAPSHOT = 50

Waker = Callable[[], None]
"""Called when there is something new. Must be cheap and must not raise: an `asyncio.Event`'s `set`."""


class BookData(msgspec.Struct, frozen=True, kw_only=True):
    """Levels as (price, open quantity, number of orders), best first. In a delta quantities are absolute and 0 deletes."""

    symbol: str
    depth: int
    bids: list[Level]
    asks: list[Level]


class TradesData(msgspec.Struct, frozen=True, kw_only=True):
    """The recent trades, newest first."""

    symbol: str
    trades: list[TradeView]


class Feed(Protocol):
    """A channel of one symbol."""

    wakers: set[Waker]

    @property
    def start(self) -> int:
        """The number of the oldest frame kept."""
        ...

    @property
    def end(self) -> int:
        """The number of the next frame."""
        ...

    def frames(self, start: int, limit: int) -> list[bytes]:
        """At most `limit` frames from number `start` on."""
        ...

    def snapshot(self) -> bytes:
        """The state now: the next frame's `prev` is its `id`."""
        ...


class FeedReader:
    """One listener's place in a feed. The first thing it takes is a snapshot."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._next: int | None = None

    def take(self, limit: int) -> list[bytes]:
        """What is new, at most `limit` frames; a snapshot at first and after having fallen behind. Empty = nothing new."""
        if self._next is None or self._next < self.feed.start:
            self._next = self.feed.end
            return [self.feed.snapshot()]
        frames = self.feed.frames(self._next, limit)
        self._next += len(frames)
        return frames


class BookFeed:
    """The best `depth` levels of a symbol. A level that leaves the best `depth` is deleted, one that enters is given: with
    its snapshot and all deltas a client holds exactly these levels."""

    def __init__(self, symbol: str, depth: int, book: Depth) -> None:
        self.symbol = symbol
        self.depth = depth
        self.wakers: set[Waker] = set()
        self.end = 0
        self._book = book
        self._ring: deque[bytes] = deque(maxlen=BOOK_RING_FRAMES)
        self._bids = book.bids.top(depth)
        self._asks = book.asks.top(depth)
        self._last_id = book.last_id
        self._last_ts = book.last_ts

    @property
    def start(self) -> int:
        return self.end - len(self._ring)

    def update(self) -> bool:
        """After a command changed the book: make its delta. False where these levels did not change."""
        bids, self._bids = self._bids, self._book.bids.top(self.depth)
        asks, self._asks = self._asks, self._book.asks.top(self.depth)
        if bids == self._bids and asks == self._asks:
            return False
        data = BookData(
            symbol=self.symbol,
            depth=self.depth,
            bids=_changes(bids, self._bids),
            asks=_changes(asks, self._asks),
        )
        prev, self._last_id, self._last_ts = self._last_id, self._book.last_id, self._book.last_ts
        self._ring.append(self._encode("delta", prev, data))
        self.end += 1
        return True

    def frames(self, start: int, limit: int) -> list[bytes]:
        first = start - self.start
        return [self._ring[i] for i in range(first, min(first + limit, len(self._ring)))]

    def snapshot(self) -> bytes:
        data = BookData(symbol=self.symbol, depth=self.depth, bids=self._bids, asks=self._asks)
        return self._encode("snapshot", None, data)

    def _encode(self, type_: str, prev: str | None, data: BookData) -> bytes:
        ts = timestamp(self._last_ts) if self._last_ts is not None else None
        return encode_envelope(Envelope(ch="book", id=self._last_id, prev=prev, type=type_, ts=ts, data=data))


def _changes(before: list[Level], after: list[Level]) -> list[Level]:
    """What turns `before` into `after`: levels that are gone with 0, then new and changed ones."""
    prices = {level[0] for level in after}
    gone = [(price, 0, 0) for price, _, _ in before if price not in prices]
    same = set(before)
    return gone + [level for level in after if level not in same]


class TradeFeed:
    """Every trade of a symbol."""

    def __init__(self, tape: Tape) -> None:
        self.wakers: set[Waker] = set()
        self._tape = tape

    @property
    def start(self) -> int:
        return self._tape.start

    @property
    def end(self) -> int:
        return self._tape.end

    def frames(self, start: int, limit: int) -> list[bytes]:
        return self._tape.frames(start, limit)

    def snapshot(self) -> bytes:
        tape = self._tape
        ts = timestamp(tape.last_ts) if tape.last_ts is not None else None
        data = TradesData(symbol=tape.symbol, trades=tape.recent(TRADES_IN_SNAPSHOT))
        return encode_envelope(Envelope(ch="trades", id=tape.last_id, prev=None, type="snapshot", ts=ts, data=data))
