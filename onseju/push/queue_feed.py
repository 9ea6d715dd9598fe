"""The `queue` channel: where the account's open orders stand, told when it changes, at most a few times a second."""

from __future__ import annotations

import asyncio

from onseju.contract.envelope import Envelope, encode_envelope
from onseju.contract.ids import Position
from onseju.contract.views import timestamp
from onseju.market.places import QueuePosition, Queues, Waker

GATHER_S = 0.2
"""Changes within this time are told as one: at a busy price the queue moves with every order."""


class QueueFeed:
    """One client's view of its account's places. Each frame holds all of them: a missed one is made good by the next."""

    def __init__(self, queues: Queues, account: int, journal_id: str, waker: Waker) -> None:
        self._queues = queues
        self._account = account
        self._journal_id = journal_id
        self._waker = waker
        self._told: list[QueuePosition] | None = None
        self._previous: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        queues.watch(account, self._changed)

    def take(self, limit: int) -> list[bytes]:
        """The frame that is due, or nothing (the interface of a market feed's reader; `limit` is at least 1)."""
        positions = self._queues.positions(self._account)
        if positions == self._told:
            return []
        event_id = Position(self._queues.seq, 0).event_id(self._journal_id)
        envelope = Envelope(
            ch="queue",
            id=event_id,
            prev=self._previous,
            type="positions",
            ts=timestamp(self._queues.ts),
            data={"positions": positions, "seq": self._queues.seq},
        )
        self._told, self._previous = positions, event_id
        return [encode_envelope(envelope)]

    def close(self) -> None:
        """Follow no longer."""
        self._queues.forget(self._account, self._changed)
        if self._timer is not None:
            self._timer.cancel()

    def _changed(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._due)

    def _due(self) -> None:
        self._timer = None
        self._waker()
