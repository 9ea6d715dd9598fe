"""Records of a log, many at once: to the bytes of `contract.journal_records`, and back. The compiled core does it where it is
there, one record after the other otherwise; the bytes are the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from onseju.contract.command_runs import CommandRun, command_runs_of
from onseju.contract.commands import COMMAND_BYTES
from onseju.contract.event_runs import EventRun, runs_of
from onseju.contract.journal_records import (
    BLOCK_HEAD_BYTES,
    COMMON,
    FORMAT,
    JOURNAL_HEAD_BYTES,
    EventBlock,
    JournalRecord,
    decode_event_block,
    decode_journal_record,
    encode_event_block,
    encode_journal_record,
)
from onseju.matching.compiled import CORE

R = TypeVar("R", bound=JournalRecord | EventBlock)
Run = TypeVar("Run", bound=CommandRun | EventRun)


class Framed(NamedTuple):
    """Records as a log has them. `chain` is the last one's; `ends` are the bytes of `data` behind each record."""

    data: bytes
    chain: bytes
    ends: Sequence[int]


class Scanned(NamedTuple, Generic[Run]):
    """Records that were found whole and in their places. `chain` is the last one's; `ends` are the bytes of what was read
    behind each record."""

    run: Run
    chain: bytes
    ends: Sequence[int]


class Coding(NamedTuple, Generic[R, Run]):
    """How one kind of record is written and read."""

    least_bytes: int
    decode: Callable[[memoryview, bytes | None], tuple[R, bytes]]
    """One record's bytes, with the chain before it, to the record and its chain. Raises `RecordDamagedError`."""
    runs_of: Callable[[Sequence[R]], Sequence[Run]]
    """Records that follow each other as runs. Raises `ValueError` where they do not."""
    frame: Callable[[Run, bytes], Framed]
    """A run's bytes, after a chain."""
    scan: Callable[[bytes, int, int, int, bytes | None], Scanned[Run] | None]
    """The records that stand in a piece of a file at an offset, from a number on, at most so many, after a chain if that is
    known. Only what is as it should be; None where the first is not, or must be read alone: `decode` says which."""


def frame_commands(run: CommandRun, chain: bytes) -> Framed:
    """Journal records of all commands of the run."""
    if CORE is None or run.origins:
        return _one_by_one(run, chain, encode_journal_record)
    data, chain, ends = CORE.frame_commands(_head(run), run.data, dict(run.texts), chain)
    return Framed(data, chain, array("Q", ends))


def frame_blocks(run: EventRun, chain: bytes) -> Framed:
    """Event blocks of all commands of the run."""
    if CORE is None or run.origins:
        return _one_by_one(run, chain, encode_event_block)
    data, chain, ends = CORE.frame_blocks(
        _head(run),
        run.first_seq,
        run.kinds,
        array("q", run.timestamps).tobytes(),
        run.payload,
        array("Q", run.ends).tobytes(),
        dict(run.texts),
        chain,
    )
    return Framed(data, chain, array("Q", ends))


def _one_by_one(records: Sequence[R], chain: bytes, encode: Callable[[R, bytes], tuple[bytes, bytes]]) -> Framed:
    parts: list[bytes] = []
    ends = array("Q")
    end = 0
    for record in records:
        data, chain = encode(record, chain)
        parts.append(data)
        end += len(data)
        ends.append(end)
    return Framed(b"".join(parts), chain, ends)


def _head(run: CommandRun | EventRun) -> bytes:
    return COMMON.pack(FORMAT, run.semantics, run.venue, run.epoch, 0, 0, 0)


def scan_commands(piece: bytes, at: int, seq: int, limit: int, chain: bytes | None) -> Scanned[CommandRun] | None:
    """The commands that stand in `piece` at `at`, from number `seq` on, at most `limit`; see `Coding.scan`."""
    if CORE is None:
        return None
    head, chain, ends, data, _, _, _, texts = CORE.scan_records(piece, at, seq, limit, chain, False)
    if not ends:
        return None
    _, semantics, venue, epoch, *_ = COMMON.unpack(head)
    run = CommandRun(venue=venue, epoch=epoch, semantics=semantics, first_seq=seq, data=data, texts=texts)
    return Scanned(run, chain, array("Q", ends))


def scan_blocks(piece: bytes, at: int, seq: int, limit: int, chain: bytes | None) -> Scanned[EventRun] | None:
    """The event blocks that stand in `piece` at `at`, from number `seq` on, at most `limit`; see `Coding.scan`."""
    if CORE is None:
        return None
    head, chain, ends, payload, body_ends, kinds, timestamps, texts = CORE.scan_records(
        piece, at, seq, limit, chain, True
    )
    if not ends:
        return None
    _, semantics, venue, epoch, *_ = COMMON.unpack(head)
    run = EventRun(
        venue=venue,
        epoch=epoch,
        semantics=semantics,
        first_seq=seq,
        kinds=kinds,
        timestamps=array("q", timestamps),
        payload=payload,
        ends=array("Q", body_ends),
        texts=texts,
    )
    return Scanned(run, chain, array("Q", ends))


COMMANDS = Coding[JournalRecord, CommandRun](
    JOURNAL_HEAD_BYTES + COMMAND_BYTES, decode_journal_record, command_runs_of, frame_commands, scan_commands
)
EVENTS = Coding[EventBlock, EventRun](BLOCK_HEAD_BYTES, decode_event_block, runs_of, frame_blocks, scan_blocks)
