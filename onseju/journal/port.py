"""The journal port: the durable log of commands (the truth) and of their events (derived, can be rebuilt)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from onseju.contract.command_runs import CommandRun
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock, JournalRecord


class JournalError(Exception):
    """The journal cannot be used: damaged, locked by another process, or its disk failed. The text says which, and where."""


class JournalFullError(JournalError):
    """The disk is full. Nothing was written, and nothing is lost: the same may be appended again when there is room."""


class JournalGoneError(JournalError):
    """What was asked for is not here any more: it was archived."""


class EventLog(Protocol):
    """The part of a journal that readers need: the events of each command."""

    @property
    def journal_id(self) -> str:
        """See `Journal`."""
        ...

    @property
    def last_event_seq(self) -> int:
        """The number of the last event block that may be asked for."""
        ...

    def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
        """The event blocks after `after_seq`. Blocks."""
        ...


class Journal(Protocol):
    """One venue's log. One thread writes; any number of threads read."""

    @property
    def journal_id(self) -> str:
        """J of the event ids: lower-case letters and digits, made once per journal, unchanged by a restart."""
        ...

    @property
    def last_seq(self) -> int:
        """The last durable command's number; 0 when there is none."""
        ...

    @property
    def last_event_seq(self) -> int:
        """The number of the last event block that readers can see; 0 when there is none. Never above `last_seq`."""
        ...

    def append(self, records: Sequence[JournalRecord]) -> None:
        """Append commands whose numbers follow `last_seq`, and return once they are durable.

        Raises `JournalFullError` when there is no room for them; another `JournalError` when they may not be durable: then
        nothing more may be appended, and nothing of them acknowledged.
        """
        ...

    def append_events(self, blocks: Sequence[EventBlock]) -> None:
        """Append event blocks whose numbers follow `last_event_seq`, visible to readers on return. Blocks already durable
        as commands only. Raises as `append` does."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether the disk is full and only the reserve is left: for cancels, halts and phases."""
        ...

    def make_room(self) -> bool:
        """Ask the disk for room again; whether there is. Raises `JournalError` where the disk fails otherwise."""
        ...

    def read(self, after_seq: int = 0) -> Iterator[JournalRecord]:
        """The commands after `after_seq`, through `last_seq` as it was at the call."""
        ...

    def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
        """The event blocks after `after_seq`, through `last_event_seq` as it was at the call."""
        ...

    def read_runs(self, after_seq: int = 0) -> Iterator[CommandRun]:
        """The same commands as runs: at most 1,024 of one leader each."""
        ...

    def read_event_runs(self, after_seq: int = 0) -> Iterator[EventRun]:
        """The same event blocks as runs: at most 1,024 of one leader each."""
        ...

    def close(self) -> None:
        """Flush, release the lock. Idempotent."""
        ...
