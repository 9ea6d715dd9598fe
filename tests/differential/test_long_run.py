"""A million random commands on both engines, in CI: elsewhere fewer. And that a difference does not go unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onseju.contract.commands import COMMAND_BYTES, CommandKind, Uncross, decode_command
from onseju.contract.events import EVENT_BYTES, KIND_OFFSET, EventKind
from onseju.matching.native import NativeEngine
from onseju.matching.reference import ReferenceEngine
from onseju.scenarios import runner
from onseju.scenarios.engine_target import EngineTarget
from tests.differential import long_run, reached, scenario_file, twins
from tests.differential.long_run import Difference, life
from tests.differential.twins import differ

ROOT = Path(__file__).parents[2]
KIND = 16
"""Where a command says its kind."""
IN_CI = os.environ.get("CI") == "true"
COMMANDS = int(os.environ.get("ONSEJU_DIFFERENTIAL_COMMANDS", "1000000" if IN_CI else "30000"))


class Wrong:
    """A native engine that errs on purpose. It has the faces of one."""

    def __init__(self) -> None:
        self.native = NativeEngine(keep_hash=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)


def changed(events: bytes, kind: EventKind, offset: int, is_wrong: Callable[[bytes], bool]) -> bytes:
    """The events with the first bit turned at `offset` in those of a kind that `is_wrong` picks."""
    given = bytearray(events)
    for at in range(0, len(given), EVENT_BYTES):
        if given[at + KIND_OFFSET] == kind and is_wrong(bytes(given[at : at + EVENT_BYTES])):
            given[at + offset] ^= 1
    return bytes(given)


class TradesWrong(Wrong):
    """Tells another price for trades of 5 shares in continuous trading."""

    def apply(self, commands: bytes) -> bytes:
        return changed(self.native.apply(commands), EventKind.TRADE, 40, lambda trade: trade[48] == 5 and trade[72] > 0)


class BooksWrong(Wrong):
    """Tells another quantity for levels of three orders."""

    def apply(self, commands: bytes) -> bytes:
        return changed(self.native.apply(commands), EventKind.LEVEL_CHANGED, 40, lambda level: level[48] == 3)


class DaysWrong(Wrong):
    """Tells another day when the day rolls."""

    def apply(self, commands: bytes) -> bytes:
        return changed(self.native.apply(commands), EventKind.DAY_ROLLED, 32, lambda _: True)


class HashStale(Wrong):
    """Keeps another hash while five orders are open."""

    def state_hash(self) -> int:
        return self.native.state_hash() ^ (self.native.open_orders == 5)


class Contradicts(Wrong):
    """Finds fault with itself."""

    def check_invariants(self) -> None:
        raise AssertionError("the cash is gone")


class Breaks(Wrong):
    """Stops where all orders are to be canceled."""

    def apply(self, commands: bytes) -> bytes:
        if commands[KIND] == CommandKind.CANCEL_ALL:
            raise OverflowError("too much")
        return self.native.apply(commands)


def found(wrong: Callable[[], Any], seeds: range = range(20)) -> Difference:
    """The first difference that lives of these seeds find in a wrong engine."""
    for seed in seeds:
        difference = life(seed, wrong, 600).difference
        if difference is not None:
            return difference
    raise AssertionError("nobody noticed")


@pytest.mark.parametrize("wrong", [TradesWrong, BooksWrong])
def test_a_difference_becomes_a_scenario(
    wrong: type[Wrong], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    difference = found(wrong)
    said = long_run.told(difference, tmp_path / "difference.bin")
    kept = (tmp_path / "difference.bin").read_bytes()
    commands = [kept[at : at + COMMAND_BYTES] for at in range(0, len(kept), COMMAND_BYTES)]
    assert len(commands) < 30
    assert differ(commands, wrong) is not None
    assert differ(commands) is None
    path = tmp_path / "difference.json"
    assert f"onseju scenarios run {path} --engine native" in said
    for engine in ("native", "reference"):
        assert runner.main(path, engine) == 0
    monkeypatch.setitem(runner.TARGETS, "native", lambda: EngineTarget(wrong))
    assert runner.main(path, "native") == 1
    assert len(runner.read_each(path)[0].steps) < 10
    assert "FAIL  seed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (DaysWrong, "DayRolled("),
        (HashStale, "the states differ after"),
        (Contradicts, "contradicts itself: the cash is gone"),
        (Breaks, "Breaks broke at "),
    ],
)
def test_what_no_scenario_can_say_is_kept_as_commands(wrong: type[Wrong], told: str, tmp_path: Path) -> None:
    said = long_run.told(found(wrong), tmp_path / "difference.bin")
    assert told in said
    assert said.endswith("They cannot be said as a scenario.")
    assert (tmp_path / "difference.bin").stat().st_size % COMMAND_BYTES == 0
    assert not (tmp_path / "difference.json").exists()


class Halts(ReferenceEngine):
    """A reference that breaks where an auction ends."""

    def apply(self, commands: bytes) -> bytes:
        if isinstance(decode_command(commands), Uncross):
            raise RuntimeError("on purpose")
        return super().apply(commands)


def test_where_the_reference_breaks_no_scenario_can_say_what_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (long_run, twins, scenario_file):
        monkeypatch.setattr(module, "ReferenceEngine", Halts)
    difference = found(NativeEngine)
    said = long_run.told(difference, tmp_path / "difference.bin")
    assert "Halts broke at Uncross(" in said
    assert said.endswith("They cannot be said as a scenario.")


def test_a_difference_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(long_run, "life", lambda seed: life(seed, DaysWrong, 500))
    assert long_run.run(3_000, 7, 1, tmp_path / "kept.bin") == 1
    assert capsys.readouterr().out.startswith("seed 7000000: the engines differ.\n")


def test_what_is_not_reached_is_told() -> None:
    lived = life(3, commands=100)
    assert lived.difference is None
    assert "reasons: too_many_open_orders" in reached.missing(lived.reached)
    assert "commands: new_order" not in reached.missing(lived.reached)


@pytest.mark.timeout(1_800)
def test_the_engines_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Events and states after every command. In CI that is a million, which reach all there is."""
    command = (sys.executable, "-m", "tests.differential.long_run", "--commands", str(COMMANDS), "--processes", "2")
    done = subprocess.run(
        [*command, "--keep", tmp_path / "difference.bin"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    with capsys.disabled():
        print(f"\n{done.stdout}")
    assert done.returncode == 0
    assert f" commands agree, seeds {long_run.FIRST_SEED * 1_000_000} to " in done.stdout
    if COMMANDS >= long_run.REACHES_ALL:
        assert "Not reached" not in done.stdout
