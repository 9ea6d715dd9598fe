"""Long random days on both engines: identical events after every command, and identical states."""

from __future__ import annotations

import os

import pytest

from onseju.matching.reference import ReferenceEngine
from tests.differential.twins import TwinsDifferError, explain, follow
from tests.properties.streams import ACCOUNTS
from tests.properties.test_busy_days import busy
from tests.properties.test_engine_properties import VARIANTS

COMMANDS = int(os.environ.get("ONSEJU_DIFFERENTIAL_COMMANDS", "2000"))
"""How many commands each day has."""
SEEDS = int(os.environ.get("ONSEJU_DIFFERENTIAL_SEEDS", "3"))
HASH_EVERY = 1
IN_FULL_EVERY = 500


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("variant", range(len(VARIANTS)))
def test_the_engines_agree_all_day(variant: int, seed: int) -> None:
    driver, day = busy(variant, 1000 + seed, ReferenceEngine())
    twins = follow(driver)
    try:
        for number in range(COMMANDS):
            twins.do(day.next_command(), hashes=number % HASH_EVERY == 0)
            if number % IN_FULL_EVERY == 0:
                twins.check_hash(in_full=True)
                twins.native.check_invariants()
    except TwinsDifferError:
        pytest.fail(explain(twins.commands))
    for account in ACCOUNTS:
        held = twins.reference.account(account)
        assert twins.native.account(account)[1:5] == held.balance
    assert twins.native.book(1) == twins.reference.book(1)
