"""What the ring holds: the last events of all accounts, each linked to the same account's one before.

Two forms with one face, `Chains`: `PlainChains` in Python, and `CoreChains` around the compiled core's, which keeps events as
bytes and makes frames of those alone that somebody reads.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Collection
from typing import Any, Protocol

from onseju.contract.event_runs import EventRun
from onseju.contract.ids import BEFORE_ALL, Position
from onseju.push import log
from onseju.push.frames import Codec, Frame, streamed_events
from onseju.push.log import EventIndex

FRAMES_KEPT = 4_096
"""Frames that are kept for others who read the same: at most about four megabytes."""


class Chain(Protocol):
    """One account's events: how many there ever were, and those that are still held."""

    @property
    def start(self) -> int:
        """The number, in the account's count from 0, of the oldest event held."""
        ...

    @property
    def end(self) -> int:
        """The number of the next event."""
        ...

    @property
    def evicted(self) -> Position:
        """The last event that was let go."""
        ...

    def held(self, start: int, limit: int) -> list[Frame]:
        """At most `limit` events from number `start` on, which is held or the next."""
        ...

    def number_after(self, position: Position) -> int:
        """The number of the first event after a position that is not before `evicted`."""
        ...


class Chains(Protocol):
    """The chains of all accounts."""

    def __len__(self) -> int: ...

    def add(self, run: EventRun) -> Collection[int]:
        """Take in the next run; gives accounts that have new events: of those watched, none is missing."""
        ...

    def watch(self, account: int, is_watched: bool) -> None:
        """Whether `add` must tell of the account."""
        ...

    def chain(self, account: int) -> Chain | None:
        """The account's chain; None before its first event."""
        ...

    def windows(self, account: int, seq: int) -> array[int]:
        """Where in the log to search for the account's events (`EventIndex.windows`)."""
        ...

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: where each chain stands, and the index. The same of both forms."""
        ...

    def take_up(self, state: dict[str, Any]) -> None:
        """Stand where `state` was taken, as if everything had been let go."""
        ...


class _PlainChain:
    """A chain of frames."""

    __slots__ = ("dropped", "evicted", "first", "frames", "last")

    def __init__(self) -> None:
        self.frames: list[Frame | None] = []
        self.dropped = 0
        """How many leading places of `frames` are empty, and soon cut off."""
        self.first = 0
        """The number of the place `frames[0]`."""
        self.last: Position | None = None
        self.evicted = BEFORE_ALL

    @property
    def start(self) -> int:
        return self.first + self.dropped

    @property
    def end(self) -> int:
        return self.first + len(self.frames)

    def evict(self) -> None:
        frame = self.frames[self.dropped]
        if frame is not None:
            self.evicted = frame.position
        self.frames[self.dropped] = None
        self.dropped += 1
        if self.dropped * 2 > len(self.frames):
            del self.frames[: self.dropped]
            self.first += self.dropped
            self.dropped = 0

    def held(self, start: int, limit: int) -> list[Frame]:
        at = start - self.first
        return [frame for frame in self.frames[at : at + limit] if frame is not None]

    def number_after(self, position: Position) -> int:
        return self.first + bisect_right(self.frames, position, lo=self.dropped, key=_position)


def _position(frame: Frame | None) -> Position:
    return BEFORE_ALL if frame is None else frame.position


class PlainChains:
    """All chains, in Python: what `CoreChains` does, to be read."""

    def __init__(self, codec: Codec, capacity_events: int) -> None:
        self._codec = codec
        self._capacity = capacity_events
        self._order: deque[_PlainChain] = deque()
        """The chain of every event held, oldest first."""
        self._chains: dict[int, _PlainChain] = {}
        self._index = EventIndex()

    def __len__(self) -> int:
        return len(self._order)

    def add(self, run: EventRun) -> set[int]:
        touched: set[int] = set()
        chains, order, codec = self._chains, self._order, self._codec
        for block in run:
            seen: set[int] = set()
            for idx, account in streamed_events(block.payload):
                chain = chains.get(account)
                if chain is None:
                    chain = chains[account] = _PlainChain()
                frame = Frame.of(codec, block, idx, chain.last)
                chain.last = frame.position
                chain.frames.append(frame)
                order.append(chain)
                if len(order) > self._capacity:
                    order.popleft().evict()
                seen.add(account)
            for account in seen:
                self._index.add(account, block.seq)
            touched |= seen
        return touched

    def watch(self, account: int, is_watched: bool) -> None:
        """All accounts are told of."""

    def chain(self, account: int) -> Chain | None:
        return self._chains.get(account)

    def windows(self, account: int, seq: int) -> array[int]:
        return self._index.windows(account, seq)

    def state(self) -> dict[str, Any]:
        return {
            "chains": {account: (chain.end, chain.last) for account, chain in self._chains.items()},
            "index": self._index.checkpoints,
        }

    def take_up(self, state: dict[str, Any]) -> None:
        for account, (end, last) in state["chains"].items():
            chain = self._chains[account] = _PlainChain()
            chain.first, chain.last, chain.evicted = end, last, last
        self._index.checkpoints = state["index"]


class Core(Protocol):
    """The compiled core's chains: positions are (seq, idx), spans (start, end, last, evicted)."""

    def __len__(self) -> int: ...
    @property
    def oldest(self) -> int | None: ...
    def add(self, payload: bytes, stride: int) -> list[int]: ...
    def watch(self, account: int, is_watched: bool) -> None: ...
    def span(self, account: int) -> tuple[int, int, tuple[int, int], tuple[int, int]] | None: ...
    def held(self, account: int, start: int, limit: int) -> list[tuple[int, int, bytes, tuple[int, int] | None]]: ...
    def number_after(self, account: int, seq: int, idx: int) -> int: ...
    def windows(self, account: int, seq: int) -> list[int]: ...
    def state(self) -> list[tuple[int, int, tuple[int, int], list[int]]]: ...
    def take_up(self, account: int, end: int, last: tuple[int, int], checkpoints: list[int]) -> None: ...


class _CoreChain:
    """One account's chain in the core."""

    __slots__ = ("_account", "_chains")

    def __init__(self, chains: CoreChains, account: int) -> None:
        self._chains = chains
        self._account = account

    @property
    def start(self) -> int:
        return self._span()[0]

    @property
    def end(self) -> int:
        return self._span()[1]

    @property
    def evicted(self) -> Position:
        return Position(*self._span()[3])

    def held(self, start: int, limit: int) -> list[Frame]:
        return self._chains.frames(self._account, start, limit)

    def number_after(self, position: Position) -> int:
        return self._chains.core.number_after(self._account, *position)

    def _span(self) -> tuple[int, int, tuple[int, int], tuple[int, int]]:
        span = self._chains.core.span(self._account)
        if span is None:
            raise LookupError(f"account {self._account} has no chain")
        return span


class CoreChains:
    """All chains, in the compiled core."""

    def __init__(self, codec: Codec, core: Core) -> None:
        self.core = core
        self._codec = codec
        self._texts: dict[int, str] = {}
        """The texts of the blocks whose events are held, by command; ascending."""
        self._frames: dict[Position, Frame] = {}

    def __len__(self) -> int:
        return len(self.core)

    def add(self, run: EventRun) -> list[int]:
        touched = self.core.add(run.payload, log.STRIDE)
        if run.texts:
            self._texts.update({run.first_seq + at: run.texts[at] for at in sorted(run.texts)})
        if self._texts:
            self._forget_texts()
        return touched

    def _forget_texts(self) -> None:
        oldest = self.core.oldest
        gone = []
        for seq in self._texts:
            if oldest is not None and seq >= oldest:
                break
            gone.append(seq)
        for seq in gone:
            del self._texts[seq]

    def frames(self, account: int, start: int, limit: int) -> list[Frame]:
        """The frames of events, made once for all who read them soon."""
        found = []
        for seq, idx, event, before in self.core.held(account, start, limit):
            position = Position(seq, idx)
            frame = self._frames.get(position)
            if frame is None:
                prev = None if before is None else Position(*before)
                frame = Frame(self._codec, position, event, self._texts.get(seq, ""), prev)
                self._frames[position] = frame
                if len(self._frames) > FRAMES_KEPT:
                    del self._frames[next(iter(self._frames))]
            found.append(frame)
        return found

    def watch(self, account: int, is_watched: bool) -> None:
        self.core.watch(account, is_watched)

    def chain(self, account: int) -> Chain | None:
        return None if self.core.span(account) is None else _CoreChain(self, account)

    def windows(self, account: int, seq: int) -> array[int]:
        return array("Q", self.core.windows(account, seq))

    def state(self) -> dict[str, Any]:
        kept = self.core.state()
        return {
            "chains": {account: (end, Position(*last)) for account, end, last, _ in kept},
            "index": {account: array("Q", checkpoints) for account, _, _, checkpoints in kept},
        }

    def take_up(self, state: dict[str, Any]) -> None:
        for account, (end, last) in state["chains"].items():
            self.core.take_up(account, end, last, list(state["index"].get(account, ())))
