"""Runs files of scenarios: one line for each, a diff for each that fails, a closing count."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
from rich.console import Console

from onseju.matching import engines
from onseju.matching.engines import EngineName
from onseju.scenarios.compare import differences
from onseju.scenarios.engine_target import EngineTarget
from onseju.scenarios.form import Scenario, Unreadable, read_each
from onseju.scenarios.play import play
from onseju.scenarios.server_target import ServerTarget
from onseju.scenarios.target import CannotPlayError, Target


def _alone(name: EngineName) -> Target:
    engines.make(name)  # where it is missing that is told now, not scenario by scenario
    return EngineTarget(lambda: engines.make(name))


TARGETS: dict[str, Callable[[], Target]] = {
    "native": lambda: _alone("native"),
    "reference": lambda: _alone("reference"),
    "server": ServerTarget,
}
"""What scenarios can be played on, by the name that `--engine` takes."""

UNREADABLE = 2
"""The exit code for a file that is not a file of scenarios, or an unknown engine."""


class Result(msgspec.Struct, frozen=True):
    """How one scenario went. It passed when there are no differences."""

    name: str
    differences: list[str]

    @property
    def passed(self) -> bool:
        return not self.differences


class Report(msgspec.Struct, frozen=True):
    """How a file's scenarios went."""

    results: list[Result]

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if not result.passed]


def run_scenario(scenario: Scenario, target: Target) -> Result:
    """Play and compare one scenario."""
    try:
        played = play(scenario, target)
    except CannotPlayError as error:
        return Result(scenario.name, [f"cannot be played: {error}"])
    return Result(scenario.name, differences(scenario, played))


def run_file(path: Path, engine: str = "reference") -> Report:
    """Play every scenario of a file; what is none fails. Raises `KeyError` for an unknown engine, `EngineMissingError` for
    one that cannot run here, `OSError` and `msgspec.DecodeError` for a file that is no list of anything."""
    scenarios = read_each(path)
    with closing(TARGETS[engine]()) as target:
        return Report(
            [
                Result(scenario.name, [f"is no scenario: {scenario.why}"])
                if isinstance(scenario, Unreadable)
                else run_scenario(scenario, target)
                for scenario in scenarios
            ]
        )


def main(path: Path, engine: str) -> int:
    """Run a file and print how it went. Gives the exit code: 0 all passed, 1 some failed, 2 nothing could be run.

    Raises `EngineMissingError`.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that what was started is ended
    console = Console(soft_wrap=True, highlight=False, markup=False)
    try:
        report = run_file(path, engine)
    except KeyError:
        console.print(f"There is no engine {engine!r}; there are: {', '.join(TARGETS)}.")
        return UNREADABLE
    except (OSError, msgspec.DecodeError) as error:
        console.print(f"{path}: {error}")
        return UNREADABLE
    for result in report.results:
        console.print(
            f"{'pass' if result.passed else 'FAIL'}  {result.name}", style=None if result.passed else "bold red"
        )
        for line in result.differences:
            console.print(f"      {line}")
    failed = len(report.failed)
    console.print(f"{len(report.results)} scenarios, {len(report.results) - failed} passed, {failed} failed")
    return 1 if failed else 0
