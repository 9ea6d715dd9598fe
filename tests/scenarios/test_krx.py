"""Every scenario of the KRX rules, played on both engines."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from onseju.scenarios.form import Scenario, read
from onseju.scenarios.runner import TARGETS, run_scenario

OFFICIAL = read(Path(__file__).with_name("krx.json"))
BY_RULE = read(Path(__file__).with_name("krx-rules.json"))
"""One or more for each rule that an order book can show; what must come out was worked out from the rule by hand."""

SCENARIOS = OFFICIAL + BY_RULE

NUMBER = re.compile(r"\b\d\.\d\b")
TESTS = Path(__file__).parents[1]
RULE_TEXTS: dict[str, str] = {
    form["name"]: form["rule"]
    for name in ("krx.json", "krx-rules.json")
    for form in msgspec.json.decode(Path(__file__).with_name(name).read_bytes())
}

SECTIONS = frozenset(
    ["1.1", "1.2", "1.3", "1.4", "2.2", "2.4", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "4.1", "4.2", "4.3", "4.4", "5.1", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7", "5.8", "6.1", "6.2", "7.1", "7.2", "7.3", "8.1", "8.2"]
)
"""The rules that the state machine carries out. What is left is other parts': the calendar, and how KIS names things."""


def test_each_rule_is_named_by_a_test() -> None:
    named: set[str] = set()
    for scenario in SCENARIOS:
        named.update(NUMBER.findall(RULE_TEXTS[scenario.name]))
    for path in TESTS.rglob("test_*.py"):
        for words in re.findall(r"KRX rules (\d\.\d[^:;)\n]*)", path.read_text("utf-8")):
            named.update(NUMBER.findall(words))
    assert named >= SECTIONS, sorted(SECTIONS - named)


def test_none_is_missing() -> None:
    assert len(OFFICIAL) == 54
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("scenario", [pytest.param(scenario, id=scenario.name) for scenario in SCENARIOS])
@pytest.mark.parametrize("engine", ["reference", "native"])
def test_scenario(scenario: Scenario, engine: str) -> None:
    result = run_scenario(scenario, TARGETS[engine]())
    assert result.passed, "\n".join(result.differences)
