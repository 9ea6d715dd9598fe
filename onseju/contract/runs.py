"""What runs of commands (`command_runs`) and of their events (`event_runs`) share: many entries of one venue, epoch and
semantics that follow each other, each made as an object when one asks for it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar, overload


class Entry(Protocol):
    """What a run is made of."""

    @property
    def venue(self) -> int: ...

    @property
    def epoch(self) -> int: ...

    @property
    def semantics(self) -> int: ...


E = TypeVar("E", bound=Entry)
R = TypeVar("R")


class Run(Sequence[E]):
    """The entries from `first_seq` on, none missing. What is shared by all of them stands once."""

    __slots__ = ("epoch", "first_seq", "semantics", "venue")

    venue: int
    epoch: int
    semantics: int
    first_seq: int

    @abstractmethod
    def entry(self, at: int) -> E:
        """The entry at this place, which is there."""

    @property
    def shared(self) -> tuple[int, int, int]:
        """Venue, epoch, semantics."""
        return self.venue, self.epoch, self.semantics

    @property
    def last_seq(self) -> int:
        """The last command's number."""
        return self.first_seq + len(self) - 1

    @overload
    def __getitem__(self, index: int) -> E: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[E]: ...

    def __getitem__(self, index: int | slice) -> E | Sequence[E]:
        if isinstance(index, slice):
            return [self.entry(at) for at in range(*index.indices(len(self)))]
        count = len(self)
        if not -count <= index < count:
            raise IndexError(index)
        return self.entry(index % count)

    def __iter__(self) -> Iterator[E]:
        return map(self.entry, range(len(self)))


def shared(entry: Entry) -> tuple[int, int, int]:
    """An entry's venue, epoch and semantics."""
    return entry.venue, entry.epoch, entry.semantics


def split(entries: Sequence[E], made_of: Callable[[Sequence[E]], R]) -> list[R]:
    """Runs of the entries, a new one wherever what is shared changes."""
    runs: list[R] = []
    start = 0
    for at in range(1, len(entries) + 1):
        if at == len(entries) or shared(entries[at]) != shared(entries[start]):
            runs.append(made_of(entries[start:at]))
            start = at
    return runs
