"""Every scenario of price-time priority, played on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from onseju.scenarios.form import Scenario, read
from onseju.scenarios.runner import TARGETS, run_scenario
from tests.scenarios.engines import ENGINES

SCENARIOS = read(Path(__file__).with_name("price-time.json"))


def test_none_is_missing() -> None:
    assert len(SCENARIOS) == 109


@pytest.mark.parametrize("scenario", [pytest.param(scenario, id=scenario.name) for scenario in SCENARIOS])
@pytest.mark.parametrize("engine", ENGINES)
def test_scenario(scenario: Scenario, engine: str) -> None:
    result = run_scenario(scenario, TARGETS[engine]())
    assert result.passed, "\n".join(result.differences)
