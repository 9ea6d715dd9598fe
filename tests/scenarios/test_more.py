"""Further scenarios of both forms, worked out by hand: corrections of parts, waves of stops, self-trade prevention, money."""

from __future__ import annotations

from pathlib import Path

import pytest

from onseju.scenarios.form import Scenario, read
from onseju.scenarios.runner import TARGETS, run_scenario

SCENARIOS = read(Path(__file__).with_name("more.json"))


def test_none_is_missing() -> None:
    assert len(SCENARIOS) >= 103
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.parametrize("scenario", [pytest.param(scenario, id=scenario.name) for scenario in SCENARIOS])
def test_scenario(scenario: Scenario) -> None:
    result = run_scenario(scenario, TARGETS["reference"]())
    assert result.passed, "\n".join(result.differences)
