"""The `market` channel: how all instruments stand, and the clock; one delta for each batch that changed something."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from onseju.contract.envelope import Envelope, encode_envelope
from onseju.contract.ids import Position
from onseju.contract.views import timestamp
from onseju.market.directory import Directory
from onseju.market.feeds import Waker
from onseju.market.states import StateView, state_view

STATE_RING_FRAMES = 256
"""Deltas that a listener may be behind before it gets a snapshot instead."""


class MarketData(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of instruments: all in a snapshot, in a delta those that changed, each whole. `clock` as `GET /v1/clock` gives
    it; null in a delta where no phase and no day began."""

    symbols: list[StateView]
    clock: Any


class StateFeed:
    """All instruments' states."""

    def __init__(
        self,
        journal_id: str,
        directory: Directory,
        phase_end: Callable[[int], int | None],
        clock: Callable[[], object],
        at: Position,
        ts: int | None,
    ) -> None:
        self.wakers: set[Waker] = set()
        self.end = 0
        self._journal_id = journal_id
        self._directory = directory
        self._phase_end = phase_end
        self._clock = clock
        self._last = at
        self._ts = ts
        self._ring: deque[bytes] = deque(maxlen=STATE_RING_FRAMES)
        self._rows = {instrument.id: self._row(instrument.id) for instrument in directory.all()}

    @property
    def start(self) -> int:
        return self.end - len(self._ring)

    def update(self, instruments: Iterable[int], at: Position, ts: int | None, *, with_clock: bool) -> bool:
        """Make the delta of what changed of these instruments; False where nothing is to be told."""
        changed = []
        for instrument in instruments:
            row = self._row(instrument)
            if row != self._rows.get(instrument):
                self._rows[instrument] = row
                changed.append(row)
        if not changed and not with_clock:
            return False
        before = self._last
        self._last = at if at > before else Position(before.seq, before.idx + 1)
        self._ts = ts
        data = MarketData(symbols=changed, clock=self._clock() if with_clock else None)
        self._ring.append(self._encode("delta", before, data))
        self.end += 1
        return True

    def frames(self, start: int, limit: int) -> list[bytes]:
        first = start - self.start
        return [self._ring[i] for i in range(first, min(first + limit, len(self._ring)))]

    def snapshot(self) -> bytes:
        return self._encode("snapshot", None, MarketData(symbols=list(self._rows.values()), clock=self._clock()))

    def _row(self, instrument: int) -> StateView:
        found = self._directory.by_id(instrument)
        if found is None:
            raise KeyError(instrument)
        return state_view(found, self._directory, self._phase_end(instrument))

    def _encode(self, type_: str, prev: Position | None, data: MarketData) -> bytes:
        return encode_envelope(
            Envelope(
                ch="market",
                id=self._last.event_id(self._journal_id),
                prev=prev.event_id(self._journal_id) if prev else None,
                type=type_,
                ts=None if self._ts is None else timestamp(self._ts),
                data=data,
            )
        )
