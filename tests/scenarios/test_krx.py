"""Every scenario of the KRX rules, played on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from onseju.scenarios.form import Scenario, read
from onseju.scenarios.runner import TARGETS, run_scenario
from tests.scenarios.engines import ENGINES

OFFICIAL = read(Path(__file__).with_name("krx.json"))
BY_RULE = read(Path(__file__).with_name("krx-rules.json"))
"""One or more for each rule that an order book can show; what must come out was worked out from the rule by hand."""

SCENARIOS = OFFICIAL + BY_RULE


def test_none_is_missing() -> None:
    assert len(OFFICIAL) == 54
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("scenario", [pytest.param(scenario, id=scenario.name) for scenario in SCENARIOS])
@pytest.mark.parametrize("engine", ENGINES)
def test_scenario(scenario: Scenario, engine: str) -> None:
    result = run_scenario(scenario, TARGETS[engine]())
    assert result.passed, "\n".join(result.differences)
