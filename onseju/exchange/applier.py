"""Applies journal records to the engine, one at a time, and makes the event blocks of what comes out."""

from __future__ import annotations

from onseju.contract.commands import KIND_OFFSET
from onseju.contract.events import EVENT_BYTES
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.exchange.annotations import Annotations
from onseju.matching.engine import SEMANTICS_VERSION, Engine


class EngineFailedError(Exception):
    """The engine raised, or answered what no engine may. Its state cannot be trusted any more. `seq` is the command's."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"The engine failed at seq {seq}: {why}.")
        self.seq = seq
        self.why = why


class Applier:
    """The engine with the texts of its open orders. The same records always give the same blocks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._annotations = Annotations()

    def apply(self, record: JournalRecord) -> EventBlock:
        """The record's event block. Raises `EngineFailedError`; then nothing more may be applied.

        Each command is a call of its own, so that a failure names its command.
        """
        seq = record.seq
        if record.semantics != SEMANTICS_VERSION:
            raise EngineFailedError(seq, f"semantics version {record.semantics} is not {SEMANTICS_VERSION}")
        try:
            payload = self._engine.apply(record.command)
        except Exception as error:
            raise EngineFailedError(seq, f"{type(error).__name__}: {error}") from error
        number = record.command[:8]
        if not payload or len(payload) % EVENT_BYTES or payload[:8] != number or payload[-EVENT_BYTES:][:8] != number:
            raise EngineFailedError(seq, f"{len(payload)} bytes came out that are not this command's events")
        return EventBlock(
            venue=record.venue,
            epoch=record.epoch,
            semantics=record.semantics,
            origin=record.origin,
            seq=seq,
            ts=record.ts,
            command_kind=record.command[KIND_OFFSET],
            payload=payload,
            text=self._annotations.annotate(record.command, record.text, payload),
        )
