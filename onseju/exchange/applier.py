"""Applies runs of commands to the engine, and makes the runs of event blocks of what comes out."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping

from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import COMMAND_BYTES, KIND_OFFSET
from onseju.contract.event_runs import EventRun
from onseju.contract.events import EVENT_BYTES
from onseju.exchange.annotations import Annotations, CompiledAnnotations
from onseju.exchange.numbering import ends_of
from onseju.matching.compiled import CORE
from onseju.matching.engine import SEMANTICS_VERSION, Engine

_SEQ, _TS = slice(0, 8), slice(8, 16)
_TIMES = struct.Struct(f"<8xq{COMMAND_BYTES - 16}x")


class EngineFailedError(Exception):
    """The engine raised, or answered what no engine may. Its state cannot be trusted any more. `seq` is the command's."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"The engine failed at seq {seq}: {why}.")
        self.seq = seq
        self.why = why


class Applier:
    """The engine with the texts of its open orders. The same commands always give the same blocks.

    An engine that tells its `last_seq` gets many commands in one call: when it fails, that tells which was to blame.
    """

    def __init__(self, engine: Engine, texts: Mapping[int, str] | None = None) -> None:
        self._engine = engine
        self._annotations = Annotations(texts) if CORE is None else CompiledAnnotations(texts)
        self.takes_many = hasattr(engine, "last_seq")

    @property
    def texts(self) -> dict[int, str]:
        """The texts of the open orders, by order id: with the engine's state they are all that is kept."""
        return self._annotations.texts

    def apply(self, run: CommandRun) -> EventRun:
        """The run's event blocks. Raises `EngineFailedError`, the failing command's number in it; then nothing more may be
        applied."""
        if run.semantics != SEMANTICS_VERSION:
            raise EngineFailedError(run.first_seq, f"semantics version {run.semantics} is not {SEMANTICS_VERSION}")
        payload, ends = self._together(run) if self.takes_many and len(run) > 1 else self._one_by_one(run)
        return EventRun(
            venue=run.venue,
            epoch=run.epoch,
            semantics=run.semantics,
            first_seq=run.first_seq,
            kinds=run.data[KIND_OFFSET::COMMAND_BYTES],
            timestamps=_timestamps(run.data),
            payload=payload,
            ends=ends,
            texts=self._annotations.annotate_run(run, payload, ends),
            origins=run.origins,
        )

    def _together(self, run: CommandRun) -> tuple[bytes, array[int]]:
        try:
            payload = self._engine.apply(run.data)
        except ValueError:  # refused as a whole, before any took effect: which of them?
            return self._one_by_one(run)
        except Exception as error:
            failed = self._engine.last_seq + 1  # type: ignore[attr-defined]
            raise EngineFailedError(failed, f"{type(error).__name__}: {error}") from error
        ends = ends_of(payload, run.first_seq)
        if len(ends) != len(run) or ends[-1] != len(payload):
            raise EngineFailedError(
                run.first_seq + len(ends), f"{len(payload)} bytes came out that are not these events"
            )
        return payload, ends

    def _one_by_one(self, run: CommandRun) -> tuple[bytes, array[int]]:
        payloads: list[bytes] = []
        ends = array("Q")
        end = 0
        for place in range(len(run)):
            command = run.data[place * COMMAND_BYTES : (place + 1) * COMMAND_BYTES]
            payload = self._apply_one(command, run.first_seq + place)
            payloads.append(payload)
            end += len(payload)
            ends.append(end)
        return b"".join(payloads), ends

    def _apply_one(self, command: bytes, seq: int) -> bytes:
        try:
            payload = self._engine.apply(command)
        except Exception as error:
            raise EngineFailedError(seq, f"{type(error).__name__}: {error}") from error
        number = command[_SEQ]
        if not payload or len(payload) % EVENT_BYTES or payload[:8] != number or payload[-EVENT_BYTES:][:8] != number:
            raise EngineFailedError(seq, f"{len(payload)} bytes came out that are not this command's events")
        return payload


def _timestamps(commands: bytes) -> array[int]:
    """The commands' times. Those that were taken at once are of one time."""
    first = commands[_TS]
    count = len(commands) // COMMAND_BYTES
    if all(commands[8 + at :: COMMAND_BYTES] == first[at : at + 1] * count for at in range(8)):
        return array("q", first) * count
    return array("q", [ts for (ts,) in _TIMES.iter_unpack(commands)])
