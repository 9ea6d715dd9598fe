"""The order of one producer's messages, restored from their numbers: what comes twice is dropped, what comes early is held."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Verdict(Enum):
    """What became of a message that was offered."""

    KEPT = "kept"
    """It is held, or next: see `take`."""
    KNOWN = "known"
    """All of it was taken before, or is held already."""
    NO_ROOM = "no_room"
    """It is early, and as much is held as may be. It, or the source that has it, must be asked again."""


class Held(NamedTuple, Generic[T]):
    """A message whose turn has come, or will."""

    first: int
    last: int
    size: int
    item: T


class Gap(NamedTuple):
    """Numbers that are missing while later ones are here."""

    first: int
    last: int
    since_s: float


class Ordering(Generic[T]):
    """One producer's messages; each covers the numbers `first` to `last`. At most `max_items` of `max_bytes` in sum are held
    ahead of their turn: when there would be more, the farthest are let go. What is next is always taken.
    """

    def __init__(self, next_seq: int, *, max_items: int, max_bytes: int) -> None:
        self.next_seq = next_seq
        """The first number that was not taken."""
        self.bytes = 0
        """The size of all that is held."""
        self.let_go = 0
        """Messages that there was no room for, or none any more."""
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._firsts: list[int] = []
        self._held: dict[int, Held[T]] = {}
        self._gap_since_s: float | None = None

    def __len__(self) -> int:
        return len(self._firsts)

    def offer(self, first: int, last: int, item: T, size: int) -> Verdict:
        """Take in a message, of `size` bytes."""
        if last < self.next_seq:
            return Verdict.KNOWN
        known = self._held.get(first)
        if known is not None:
            if known.last >= last:
                return Verdict.KNOWN
            self._drop(first)
        self._held[first] = Held(first, last, size, item)
        insort(self._firsts, first)
        self.bytes += size
        while len(self._firsts) > self._max_items or self.bytes > self._max_bytes:
            farthest = self._firsts[-1]
            if farthest <= self.next_seq:
                break
            self._drop(farthest)
            self.let_go += 1
        return Verdict.KEPT if first in self._held else Verdict.NO_ROOM

    def take(self, now_s: float) -> Iterator[Held[T]]:
        """The messages whose turn it is, in order. The first numbers of one may have been taken before: those below
        `next_seq` as it is when the message is given. It moves on when the next message is asked for."""
        while self._firsts and self._firsts[0] <= self.next_seq:
            held = self._held[self._firsts[0]]
            self._drop(held.first)
            if held.last < self.next_seq:
                continue
            yield held
            self.next_seq = max(self.next_seq, held.last + 1)
            self._gap_since_s = None  # a gap after this is a new one
        if not self._firsts:
            self._gap_since_s = None
        elif self._gap_since_s is None:
            self._gap_since_s = now_s

    @property
    def gap(self) -> Gap | None:
        """What is missing since when, as the last `take` found it."""
        if self._gap_since_s is None or not self._firsts:
            return None
        return Gap(self.next_seq, self._firsts[0] - 1, self._gap_since_s)

    def held(self) -> list[Held[T]]:
        """What is held, in order."""
        return [self._held[first] for first in self._firsts]

    def skip_to(self, seq: int) -> None:
        """Wait no more for anything before `seq`."""
        self.next_seq = max(self.next_seq, seq)
        self._gap_since_s = None

    def drop(self, first: int) -> None:
        """Let go of the held message that begins at `first`."""
        self._drop(first)

    def _drop(self, first: int) -> None:
        self.bytes -= self._held.pop(first).size
        self._firsts.remove(first)
