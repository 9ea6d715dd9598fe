"""The tape: an instrument's recent trades, without the parties."""

from __future__ import annotations

from collections import deque
from itertools import islice

import msgspec

from onseju.contract.envelope import Envelope, encode_envelope
from onseju.contract.events import Trade
from onseju.contract.ids import Position, renamed
from onseju.contract.views import timestamp
from onseju.contract.words import Side

TAPE_TRADES = 1000
"""Trades kept for each instrument; older ones are on the read side."""


class TradeView(msgspec.Struct, frozen=True, kw_only=True):
    """A trade as the public sees it: no order ids, no accounts. `taker_side` is None in an auction."""

    symbol: str
    trade_id: int
    price: int
    qty: int
    taker_side: str | None
    ts: str


class TapeEntry:
    """A trade, its place in the chain, and its frame, encoded when it is first wanted."""

    __slots__ = ("_frame", "id", "prev", "symbol", "trade")

    def __init__(self, symbol: str, trade: Trade, event_id: str, prev: str | None) -> None:
        self.symbol = symbol
        self.trade = trade
        self.id = event_id
        self.prev = prev
        self._frame: bytes | None = None

    def view(self) -> TradeView:
        trade = self.trade
        return TradeView(
            symbol=self.symbol,
            trade_id=trade.trade_id,
            price=trade.price,
            qty=trade.qty,
            taker_side=Side(trade.taker_side).label if trade.taker_side else None,
            ts=timestamp(trade.ts),
        )

    def frame(self) -> bytes:
        if self._frame is None:
            view = self.view()
            self._frame = encode_envelope(
                Envelope(ch="trades", id=self.id, prev=self.prev, type="trade", ts=view.ts, data=view)
            )
        return self._frame

    def rename(self, journal_id: str) -> None:
        """The journal has another name now."""
        self.id = Position(self.trade.seq, self.trade.idx).event_id(journal_id)
        self.prev = renamed(self.prev, journal_id)
        self._frame = None


class Tape:
    """The recent trades of one instrument, numbered from 0 as they come."""

    def __init__(self, symbol: str, journal_id: str) -> None:
        self.symbol = symbol
        self._journal_id = journal_id
        self._entries: deque[TapeEntry] = deque(maxlen=TAPE_TRADES)
        self.end = 0
        """The number of the next trade."""
        self.last_id: str | None = None
        self.last_ts: int | None = None

    def rename(self, journal_id: str) -> None:
        """The journal has this name now (it was restored from a backup): so have the events' ids."""
        if journal_id == self._journal_id:
            return
        self._journal_id = journal_id
        self.last_id = renamed(self.last_id, journal_id)
        for entry in self._entries:
            entry.rename(journal_id)

    @property
    def start(self) -> int:
        """The number of the oldest trade kept."""
        return self.end - len(self._entries)

    def add(self, trade: Trade) -> None:
        """Append a trade."""
        event_id = Position(trade.seq, trade.idx).event_id(self._journal_id)
        self._entries.append(TapeEntry(self.symbol, trade, event_id, self.last_id))
        self.last_id = event_id
        self.last_ts = trade.ts
        self.end += 1

    def recent(self, limit: int) -> list[TradeView]:
        """The last trades, newest first."""
        return [entry.view() for entry in islice(reversed(self._entries), max(limit, 0))]

    def frames(self, start: int, limit: int) -> list[bytes]:
        """At most `limit` frames from number `start` on; `start` must be kept."""
        first = start - self.start
        return [self._entries[i].frame() for i in range(first, min(first + limit, len(self._entries)))]
