"""What a start does with the journal: replay all of it, compare it with the event log, and add what the log lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from onseju.contract.events import EVENT_BYTES
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.exchange.applier import Applier, EngineFailedError
from onseju.journal.port import Journal, JournalError

BATCH = 1024
"""Blocks that are held in memory at once."""

Progress = Callable[[int, int], None]
"""Told the last number replayed, and the last there is."""


class RecoveryError(JournalError):
    """The journal cannot be replayed to what was said before: the engine has changed, failed, or a log is another's.

    `seq` is the first command where.
    """

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"Replay stopped at seq {seq}: {why}.")
        self.seq = seq


def replayed(journal: Journal, applier: Applier) -> Iterator[tuple[JournalRecord, EventBlock, bool]]:
    """Every record of the journal, its block, and whether the event log has it (the same, byte for byte).

    Raises `RecoveryError`, and `JournalError` where a log is damaged.
    """
    logged = journal.read_events()
    for record in journal.read():
        try:
            block = applier.apply(record)
        except EngineFailedError as error:
            raise RecoveryError(error.seq, error.why) from error
        known = next(logged, None)
        if known is not None and known != block:
            raise RecoveryError(block.seq, _difference(known, block))
        yield record, block, known is not None


def recover(
    journal: Journal,
    applier: Applier,
    publish: Callable[[Sequence[EventBlock]], None],
    progress: Progress | None = None,
) -> JournalRecord | None:
    """Bring the engine to the journal's end, and the event log with it. Gives the last record.

    Everybody who listens gets every block again, and rebuilds what they keep in memory.
    """
    last: JournalRecord | None = None
    blocks: list[EventBlock] = []
    missing: list[EventBlock] = []
    total = journal.last_seq

    def flush() -> None:
        nonlocal blocks, missing
        if blocks:
            journal.append_events(missing)
            publish(blocks)
            if progress is not None:
                progress(blocks[-1].seq, total)
        blocks, missing = [], []

    for record, block, known in replayed(journal, applier):
        last = record
        blocks.append(block)
        if not known:
            missing.append(block)
        if len(blocks) == BATCH:
            flush()
    flush()
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
