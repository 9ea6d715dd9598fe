"""What a start does with the journal: replay all of it, compare it with the event log, and add what the log lacks."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from onseju.contract.events import EVENT_BYTES
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.exchange.applier import Applier, EngineFailedError
from onseju.journal.port import Journal, JournalError

BATCH = 1024
"""Commands that are replayed, and blocks that are held in memory, at once."""

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
    """Records that follow each other, their blocks, and how many of those the event log has (the same, byte for byte)."""

    records: list[JournalRecord]
    blocks: list[EventBlock]
    known: int


def replayed(journal: Journal, applier: Applier, after_seq: int = 0, through: int | None = None) -> Iterator[Replayed]:
    """The journal after `after_seq`, where the applier stands, in batches: one call of the engine for many commands.
    To its end, or through command `through`.

    Raises `RecoveryError`, and `JournalError` where a log is damaged.
    """
    logged = journal.read_events(after_seq)
    count = None if through is None else max(through - after_seq, 0)
    commands = islice(journal.read(after_seq), count)
    while records := list(islice(commands, BATCH)):
        try:
            blocks = applier.apply_all(records)
        except EngineFailedError as error:
            raise RecoveryError(error.seq, error.why) from error
        known = list(islice(logged, len(blocks)))
        for logged_block, block in zip(known, blocks, strict=False):
            if logged_block != block:
                raise RecoveryError(block.seq, _difference(logged_block, block))
        yield Replayed(records, blocks, len(known))


def recover(
    journal: Journal,
    applier: Applier,
    publish: Callable[[Sequence[EventBlock]], None],
    progress: Progress | None = None,
    after_seq: int = 0,
) -> JournalRecord | None:
    """Bring the engine from `after_seq` to the journal's end, and the event log with it. Gives the last record.

    Everybody who listens gets every block again, and rebuilds what they keep in memory.
    """
    last: JournalRecord | None = None
    total = journal.last_seq
    with without_collector():
        for records, blocks, known in replayed(journal, applier, after_seq):
            last = records[-1]
            journal.append_events(blocks[known:])
            publish(blocks)
            if progress is not None:
                progress(last.seq, total)
    return last


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
