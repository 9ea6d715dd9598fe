"""What a start does with the journal: replay all of it, compare it with the event log, and add what the log lacks."""

from __future__ import annotations

import contextlib
import gc
from array import array
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from onseju.contract.command_runs import CommandRun
from onseju.contract.event_runs import EventRun
from onseju.contract.events import EVENT_BYTES
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.exchange.applier import Applier, EngineFailedError
from onseju.journal.port import Journal, JournalError

BATCH = 1024
"""Commands that are replayed, and blocks that are held in memory, at once."""

Run = TypeVar("Run", CommandRun, EventRun)

Progress = Callable[[int, int], None]
"""Told the last number replayed, and the last there is."""


class RecoveryError(JournalError):
    """The journal cannot be replayed to what was said before: the engine has changed, failed, or a log is another's.

    `seq` is the first command where.
    """

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"Replay stopped at seq {seq}: {why}.")
        self.seq = seq


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Replay makes millions of objects and no cycles: looking for some took a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Replayed(NamedTuple):
    """Commands that follow each other, their blocks, and how many of those the event log has (the same, byte for byte)."""

    commands: CommandRun
    blocks: EventRun
    known: int


def replayed(journal: Journal, applier: Applier, after_seq: int = 0, through: int | None = None) -> Iterator[Replayed]:
    """The journal after `after_seq`, where the applier stands, in batches: one call of the engine for many commands.
    To its end, or through command `through`.

    Raises `RecoveryError`, and `JournalError` where a log is damaged.
    """
    left = None if through is None else max(through - after_seq, 0)
    return compared(journal.read_runs(after_seq), journal.read_event_runs(after_seq), applier, left)


def compared(
    journaled: Iterator[CommandRun], blocks_logged: Iterator[EventRun], applier: Applier, left: int | None = None
) -> Iterator[Replayed]:
    """The same of runs that were read already, which begin where the applier stands: at most `left` commands."""
    logged, commands = Supply(blocks_logged), Supply(journaled)
    while run := commands.take(BATCH if left is None else min(left, BATCH)):
        if left is not None:
            left -= len(run)
        try:
            blocks = applier.apply(run)
        except EngineFailedError as error:
            raise RecoveryError(error.seq, error.why) from error
        known = 0
        while known < len(blocks) and (found := logged.take(len(blocks) - known)):
            _compare(found, blocks.part(known, known + len(found)))
            known += len(found)
        yield Replayed(run, blocks, known)


class Supply(Generic[Run]):
    """Runs that follow each other, cut and joined to the wanted size."""

    def __init__(self, runs: Iterator[Run]) -> None:
        self._runs: Iterator[Run] = runs
        self._here: list[Run] = []

    def take(self, count: int) -> Run | None:
        """The next `count`, fewer where another leader's begin or nothing more is there; None where nothing is."""
        taken: list[Run] = []
        while count:
            run = self._here.pop() if self._here else next(self._runs, None)
            if run is None:
                break
            if taken and run.shared != taken[0].shared:
                self._here.append(run)
                break
            if len(run) > count:
                self._here.append(run.part(count, len(run)))
                run = run.part(0, count)
            taken.append(run)
            count -= len(run)
        return type(taken[0]).joined(taken) if taken else None


def recover(
    journal: Journal,
    applier: Applier,
    publish: Callable[[EventRun], None],
    progress: Progress | None = None,
    after_seq: int = 0,
) -> JournalRecord | None:
    """Bring the engine from `after_seq` to the journal's end, and the event log with it. Gives the last record.

    Everybody who listens gets every block again, and rebuilds what they keep in memory.
    """
    last: JournalRecord | None = None
    total = journal.last_seq
    with without_collector():
        for commands, blocks, known in replayed(journal, applier, after_seq):
            last = commands[-1]
            if known < len(blocks):
                journal.append_events(blocks.part(known, len(blocks)))
            publish(blocks)
            if progress is not None:
                progress(last.seq, total)
    return last


def _compare(known: EventRun, blocks: EventRun) -> None:
    """Raise `RecoveryError` where the event log has something else."""
    if (
        known.payload == blocks.payload
        and known.texts == blocks.texts
        and known.kinds == blocks.kinds
        and known.shared == blocks.shared
        and known.first_seq == blocks.first_seq
        and list(known.origins) == list(blocks.origins)
        and array("Q", known.ends) == array("Q", blocks.ends)
        and array("q", known.timestamps) == array("q", blocks.timestamps)
    ):
        return
    for known_block, block in zip(known, blocks, strict=True):
        if known_block != block:
            raise RecoveryError(block.seq, _difference(known_block, block))


def _difference(known: EventBlock, block: EventBlock) -> str:
    if known.payload == block.payload:
        names = [name for name in block.__struct_fields__ if getattr(known, name) != getattr(block, name)]
        return f"the events are those of the event log, but not the block's {', '.join(names)}"
    pairs = zip(_events(known.payload), _events(block.payload), strict=False)
    same = next((idx for idx, (a, b) in enumerate(pairs) if a != b), min(known.event_count, block.event_count))
    return (
        f"it gave {block.event_count} events, the event log has {known.event_count}, "
        f"and event {same} is the first to differ"
    )


def _events(payload: bytes) -> Iterator[bytes]:
    for offset in range(0, len(payload), EVENT_BYTES):
        yield payload[offset : offset + EVENT_BYTES]
