"""Short random streams, partly malicious, on both engines: identical events after every command, and identical states."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onseju.contract.commands import Command
from onseju.contract.words import Rule
from onseju.rules.packs import RulesName
from tests.differential.twins import Twins, twins_of_a_crowd
from tests.properties.streams import streams
from tests.properties.test_engine_properties import VARIANTS

EXAMPLES = int(os.environ.get("ONSEJU_DIFFERENTIAL_EXAMPLES", "60"))


@pytest.mark.parametrize("rules", VARIANTS, ids=lambda rules: f"{rules[0]}-{len(rules[1])}")
@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_engines_agree(rules: tuple[RulesName, dict[Rule, int]], data: st.DataObject) -> None:
    twins: Twins = twins_of_a_crowd(*rules)
    commands: list[Command] = data.draw(streams(rules[0]))
    for command in commands:
        twins.do(command)
    twins.check_hash()
    twins.native.check_invariants()
