"""Runs through the engine: one call for many commands, and the right number where it goes wrong in the middle."""

from __future__ import annotations

import pytest

from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import COMMAND_BYTES
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import Origin
from onseju.exchange import applier as module
from onseju.exchange.annotations import Annotations
from onseju.exchange.applier import Applier, EngineFailedError
from tests.contract.samples import SmallEngine, record, records


class ManyEngine:
    """A `SmallEngine` that takes many commands a call. `spoil` changes what comes out."""

    def __init__(self, fail_at: int | None = None, spoil: tuple[int, bytes] | None = None) -> None:
        self.one = SmallEngine(fail_at)
        self.calls: list[int] = []
        self.last_seq = 0
        self._spoil = spoil

    def apply(self, commands: bytes) -> bytes:
        self.calls.append(len(commands) // COMMAND_BYTES)
        parts = []
        for at in range(0, len(commands), COMMAND_BYTES):
            parts.append(self.one.apply(commands[at : at + COMMAND_BYTES]))
            self.last_seq += 1
        if self._spoil is not None:
            place, events = self._spoil
            parts[place] = events
        return b"".join(parts)

    def state_hash(self) -> int:
        return self.one.state_hash()


def test_many_commands_are_one_call_and_give_what_single_ones_give() -> None:
    engine = ManyEngine()
    together = Applier(engine).apply(CommandRun.of(records(1, 50)))
    single = Applier(SmallEngine())
    assert engine.calls == [50]
    assert list(together) == [single.apply(CommandRun.of([record(seq)]))[0] for seq in range(1, 51)]
    assert [block.origin for block in together] == [Origin(1, 2, seq) for seq in range(1, 51)]
    assert [block.text for block in together[:2]] == ["1\t주문-1", "2\t주문-2"]


def test_without_the_core_the_same_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with_core = Applier(ManyEngine()).apply(CommandRun.of(records(1, 50)))
    monkeypatch.setattr(module, "CORE", None)
    monkeypatch.setattr("onseju.exchange.numbering.CORE", None)
    applier = Applier(ManyEngine())
    assert isinstance(applier._annotations, Annotations)
    assert list(applier.apply(CommandRun.of(records(1, 50)))) == list(with_core)


@pytest.mark.parametrize("fail_at", [1, 2, 37, 50])
def test_a_failure_in_the_middle_of_a_run_names_its_command(fail_at: int) -> None:
    with pytest.raises(EngineFailedError, match=f"at seq {fail_at}: ZeroDivisionError") as caught:
        Applier(ManyEngine(fail_at)).apply(CommandRun.of(records(1, 50)))
    assert caught.value.seq == fail_at


def test_an_engine_that_refuses_all_at_once_is_asked_one_by_one() -> None:
    class Picky(ManyEngine):
        def apply(self, commands: bytes) -> bytes:
            if len(commands) > COMMAND_BYTES or self.last_seq == 6:
                raise ValueError("an unknown kind")
            return super().apply(commands)

    with pytest.raises(EngineFailedError, match="at seq 7: ValueError: an unknown kind"):
        Applier(Picky()).apply(CommandRun.of(records(1, 50)))


@pytest.mark.parametrize(
    ("place", "events"),
    [(0, b""), (5, b""), (49, b""), (5, bytes(128)), (49, bytes(128)), (49, b"x"), (20, b"x" * 64)],
)
def test_events_that_are_not_the_commands_are_noticed(place: int, events: bytes) -> None:
    with pytest.raises(EngineFailedError, match="bytes came out that are not these events") as caught:
        Applier(ManyEngine(spoil=(place, events))).apply(CommandRun.of(records(1, 50)))
    assert 1 <= caught.value.seq <= place + 2


def test_times_that_change_within_a_run_stay_those_of_the_commands() -> None:
    run = CommandRun.of(records(1, 9))
    applied: EventRun = Applier(ManyEngine()).apply(run)
    assert list(applied.timestamps) == [record.ts for record in run]
    assert len(set(applied.timestamps)) == 9
