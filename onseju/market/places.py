"""An open order's place in its queue, and what follows such places: `queues.py` in Python, here around the compiled core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from onseju.contract.event_runs import runs_of
from onseju.contract.journal_records import EventBlock

Waker = Callable[[], None]
"""Called when there is something new. Must not block and must not raise."""

Level = tuple[int, int, int]
"""Instrument, side, price; price 0 for a side's market orders."""


class QueuePosition(msgspec.Struct, frozen=True, kw_only=True):
    """An open order's place: of the level's `level_qty` shares, `ahead_qty` of `ahead_orders` others trade before its own
    `leaves_qty`."""

    order_id: int
    ahead_qty: int
    leaves_qty: int
    level_qty: int
    ahead_orders: int


class Queues(Protocol):
    """The places of all open orders that stand at a price. An event listener, and an `exchange.checkpoint.View`."""

    seq: int
    """The last command that is reflected."""
    ts: int
    """Its time, microseconds since 1970."""

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Follow the events."""
        ...

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: all but who watches. The same of both forms."""
        ...

    def take_up(self, state: dict[str, Any]) -> None:
        """Stand where `state` was taken."""
        ...

    def watch(self, account: int, waker: Waker) -> None:
        """Call `waker` whenever a place of this account may have changed."""
        ...

    def forget(self, account: int, waker: Waker) -> None:
        """Stop watching. Harmless where nobody watched."""
        ...

    def position(self, account: int, order_id: int) -> QueuePosition | None:
        """Where an order of this account stands; None where it has no such open order that stands at a price."""
        ...

    def positions(self, account: int) -> list[QueuePosition]:
        """All places of an account, oldest order first."""
        ...


_Place = tuple[int, int, int, int, int]
_Entry = tuple[int, int, Level, int, int, int]
_Pool = tuple[Level, list[tuple[int, int, int]]]


class Core(Protocol):
    """The compiled core's queues. A place is (order id, shares ahead, open shares, the level's, orders ahead)."""

    def listen(self, payload: bytes) -> list[int]: ...
    def watch(self, account: int, is_watched: bool) -> None: ...
    def place(self, account: int, order_id: int) -> _Place | None: ...
    def places(self, account: int) -> list[_Place]: ...
    @property
    def stamps(self) -> int: ...
    def entries(self) -> list[_Entry]: ...
    def shown(self) -> list[tuple[Level, int]]: ...
    def market_prices(self) -> list[tuple[tuple[int, int], int]]: ...
    def pools(self) -> list[_Pool]: ...
    def phases(self) -> list[tuple[int, int]]: ...
    def limits(self) -> list[tuple[int, tuple[int, int]]]: ...
    def pricing(self) -> list[tuple[int, int]]: ...
    def take_up(
        self,
        stamps: int,
        entries: list[_Entry],
        shown: list[tuple[Level, int]],
        market_prices: list[tuple[tuple[int, int], int]],
        pools: list[_Pool],
        phases: list[tuple[int, int]],
        limits: list[tuple[int, tuple[int, int]]],
        pricing: list[tuple[int, int]],
    ) -> None: ...


class CoreQueuePositions:
    """What `QueuePositions` does, with the queues in the compiled core."""

    def __init__(self, core: Core) -> None:
        self.seq = 0
        self.ts = 0
        self._core = core
        self._watchers: dict[int, set[Waker]] = {}

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        for run in runs_of(blocks):
            woken = self._core.listen(run.payload)
            self.seq, self.ts = run.last_seq, run.timestamps[-1]
            for account in woken:
                for waker in tuple(self._watchers[account]):
                    waker()

    def watch(self, account: int, waker: Waker) -> None:
        self._watchers.setdefault(account, set()).add(waker)
        self._core.watch(account, True)

    def forget(self, account: int, waker: Waker) -> None:
        wakers = self._watchers.get(account, set())
        wakers.discard(waker)
        if not wakers:
            self._watchers.pop(account, None)
            self._core.watch(account, False)

    def position(self, account: int, order_id: int) -> QueuePosition | None:
        place = self._core.place(account, order_id)
        return None if place is None else _position(place)

    def positions(self, account: int) -> list[QueuePosition]:
        return [_position(place) for place in self._core.places(account)]

    def state(self) -> dict[str, Any]:
        core = self._core
        return {
            "seq": self.seq,
            "ts": self.ts,
            "stamps": core.stamps,
            "entries": core.entries(),
            "shown": sorted(core.shown()),
            "market_prices": sorted(core.market_prices()),
            "pools": sorted(core.pools()),
            "phases": sorted(core.phases()),
            "limits": sorted(core.limits()),
            "pricing": sorted(core.pricing()),
        }

    def take_up(self, state: dict[str, Any]) -> None:
        rest = dict(state)
        self.seq, self.ts = rest.pop("seq"), rest.pop("ts")
        self._core.take_up(**rest)


def _position(place: _Place) -> QueuePosition:
    order_id, ahead_qty, leaves_qty, level_qty, ahead_orders = place
    return QueuePosition(
        order_id=order_id, ahead_qty=ahead_qty, leaves_qty=leaves_qty, level_qty=level_qty, ahead_orders=ahead_orders
    )
