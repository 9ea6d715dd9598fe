"""The tape: an instrument's recent trades, without the parties."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec

from onseju.contract.envelope import Envelope, encode_envelope
from onseju.contract.events import Trade, decode_event
from onseju.contract.ids import Position
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


class Tape:
    """The recent trades of one instrument, numbered from 0 as they come: their bytes, read when they are wanted."""

    def __init__(self, symbol: str, journal_id: str) -> None:
        self.symbol = symbol
        self._journal_id = journal_id
        self._events: deque[bytes] = deque(maxlen=TAPE_TRADES)
        self._before: bytes | None = None
        """The trade before those kept."""
        self._frames: dict[int, bytes] = {}
        """By number, those that somebody has read."""
        self.end = 0
        """The number of the next trade."""

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_frames": {}}

    def rename(self, journal_id: str) -> None:
        """The journal has this name now (it was restored from a backup): so have the events' ids."""
        if journal_id != self._journal_id:
            self._journal_id = journal_id
            self._frames.clear()

    @property
    def start(self) -> int:
        """The number of the oldest trade kept."""
        return self.end - len(self._events)

    @property
    def last_id(self) -> str | None:
        """The last trade's event id, None before the first."""
        return self._id_of(self._events[-1]) if self._events else None

    @property
    def last_ts(self) -> int | None:
        """When it was."""
        return _trade(self._events[-1]).ts if self._events else None

    def add(self, events: Sequence[bytes], count: int) -> None:
        """Append `count` trades; `events` are all of them, or the last `TAPE_TRADES` and the one before."""
        kept = self._events
        gone = len(kept) + len(events) - TAPE_TRADES
        if gone > 0:
            self._before = kept[gone - 1] if gone <= len(kept) else events[gone - len(kept) - 1]
        kept.extend(events)
        self.end += count

    def recent(self, limit: int) -> list[TradeView]:
        """The last trades, newest first."""
        return [self._view(_trade(event)) for event in islice(reversed(self._events), max(limit, 0))]

    def frames(self, start: int, limit: int) -> list[bytes]:
        """At most `limit` frames from number `start` on; `start` must be kept. Each is encoded when it is first wanted."""
        return [self._frame(number) for number in range(start, min(start + limit, self.end))]

    def _frame(self, number: int) -> bytes:
        frame = self._frames.get(number)
        if frame is None:
            if len(self._frames) >= 2 * TAPE_TRADES:
                self._frames = {known: kept for known, kept in self._frames.items() if known >= self.start}
            at = number - self.start
            before = self._events[at - 1] if at else self._before
            view = self._view(_trade(self._events[at]))
            frame = self._frames[number] = encode_envelope(
                Envelope(
                    ch="trades",
                    id=self._id_of(self._events[at]),
                    prev=None if before is None else self._id_of(before),
                    type="trade",
                    ts=view.ts,
                    data=view,
                )
            )
        return frame

    def _view(self, trade: Trade) -> TradeView:
        return TradeView(
            symbol=self.symbol,
            trade_id=trade.trade_id,
            price=trade.price,
            qty=trade.qty,
            taker_side=Side(trade.taker_side).label if trade.taker_side else None,
            ts=timestamp(trade.ts),
        )

    def _id_of(self, event: bytes) -> str:
        trade = _trade(event)
        return Position(trade.seq, trade.idx).event_id(self._journal_id)


def _trade(event: bytes) -> Trade:
    trade = decode_event(event)
    if not isinstance(trade, Trade):
        raise TypeError(f"a trade was awaited, not {trade}")
    return trade
