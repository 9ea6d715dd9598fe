"""Applies journal records to the engine, one at a time, and makes the event blocks of what comes out."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from onseju.contract.commands import KIND_OFFSET
from onseju.contract.events import EVENT_BYTES
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.exchange.annotations import Annotations
from onseju.matching.engine import SEMANTICS_VERSION, Engine

_SEQS = struct.Struct(f"<Q{EVENT_BYTES - 8}x")


class EngineFailedError(Exception):
    """The engine raised, or answered what no engine may. Its state cannot be trusted any more. `seq` is the command's."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"The engine failed at seq {seq}: {why}.")
        self.seq = seq
        self.why = why


class Applier:
    """The engine with the texts of its open orders. The same records always give the same blocks.

    An engine that tells its `last_seq` gets many commands in one call: when it fails, that tells which was to blame.
    """

    def __init__(self, engine: Engine, texts: dict[int, str] | None = None) -> None:
        self._engine = engine
        self._annotations = Annotations(texts)
        self._takes_many = hasattr(engine, "last_seq")

    @property
    def texts(self) -> dict[int, str]:
        """The texts of the open orders, by order id: with the engine's state they are all that is kept."""
        return self._annotations.texts

    def apply(self, record: JournalRecord) -> EventBlock:
        """The record's event block. Raises `EngineFailedError`; then nothing more may be applied."""
        seq = record.seq
        _check_semantics(record)
        try:
            payload = self._engine.apply(record.command)
        except Exception as error:
            raise EngineFailedError(seq, f"{type(error).__name__}: {error}") from error
        number = record.command[:8]
        if not payload or len(payload) % EVENT_BYTES or payload[:8] != number or payload[-EVENT_BYTES:][:8] != number:
            raise EngineFailedError(seq, f"{len(payload)} bytes came out that are not this command's events")
        return self._block(record, payload)

    def apply_all(self, records: Sequence[JournalRecord]) -> list[EventBlock]:
        """The blocks of records that follow each other. Raises `EngineFailedError`, the failing command's number in it."""
        if not self._takes_many or len(records) < 2:
            return [self.apply(record) for record in records]
        for record in records:
            _check_semantics(record)
        first = records[0].seq
        try:
            payload = self._engine.apply(b"".join([record.command for record in records]))
        except ValueError:  # refused as a whole, before any took effect: which of them?
            return [self.apply(record) for record in records]
        except Exception as error:
            failed = self._engine.last_seq + 1  # type: ignore[attr-defined]
            raise EngineFailedError(failed, f"{type(error).__name__}: {error}") from error
        ends = _ends(payload, first)
        if len(ends) != len(records) or ends[-1] != len(payload):
            raise EngineFailedError(first + len(ends), f"{len(payload)} bytes came out that are not these events")
        starts = [0, *ends[:-1]]
        return [
            self._block(record, payload[start:end]) for record, start, end in zip(records, starts, ends, strict=True)
        ]

    def _block(self, record: JournalRecord, payload: bytes) -> EventBlock:
        command = record.command
        return EventBlock(
            venue=record.venue,
            epoch=record.epoch,
            semantics=record.semantics,
            origin=record.origin,
            seq=record.seq,
            ts=record.ts,
            command_kind=command[KIND_OFFSET],
            payload=payload,
            text=self._annotations.annotate(command, record.text, payload),
        )


def _check_semantics(record: JournalRecord) -> None:
    if record.semantics != SEMANTICS_VERSION:
        raise EngineFailedError(record.seq, f"semantics version {record.semantics} is not {SEMANTICS_VERSION}")


def _ends(payload: bytes, first: int) -> list[int]:
    """Where the events of each command end, which are numbered from `first` on; as far as they are so."""
    ends: list[int] = []
    expected, at = first, 0
    for (seq,) in _SEQS.iter_unpack(payload[: len(payload) // EVENT_BYTES * EVENT_BYTES]):
        if seq != expected:
            if seq != expected + 1 or at == 0:
                return ends
            ends.append(at)
            expected = seq
        at += EVENT_BYTES
    ends.append(at)
    return ends
