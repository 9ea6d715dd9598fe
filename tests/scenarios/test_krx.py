"""Every scenario of the KRX rules, played on the reference engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from onseju.scenarios.form import Scenario, read
from onseju.scenarios.runner import TARGETS, run_scenario

EXPECTED_TO_FAIL = {
    "call auctions": [
        "au-closing-limit-up-is-time-priority",
        "au-krx-limit-up-allocation",
        "au-krx-market-ex3",
        "au-krx-multi-prev-inside",
        "au-limit-down-allocation-odd-half",
        "au-limit-up-equal-size-record-order",
        "au-limit-up-market-joins-pool",
        "au-limit-up-small-supply-largest-first",
        "au-margin-fills-by-time",
        "au-market-outranks-earlier-limit",
        "au-multi-prev-at-edge",
        "au-price-priority-beats-time",
        "au-remainder-keeps-time-into-continuous",
        "au-sell-surplus-goes-to-bottom",
        "ct-resting-order-survives-into-closing-auction",
    ],
    "market orders that rest at a deemed price": [
        "mk-equal-rank-with-limit-up-bid",
        "mk-krx-ct-ex2-last-price-when-no-bid",
        "mk-krx-ct-ex5-resting-market-pays-asker",
        "mk-market-beats-earlier-limit",
    ],
    "최유리 and 최우선 orders": [
        "bo-buy-no-ask-crosses-tick-band",
        "bo-empty-book-last-price",
        "bo-sell-no-bid-best-ask-minus-tick",
        "bo-sell-takes-one-level-then-rests",
        "bs-buy-joins-best-bid-queue",
        "bs-sell-joins-best-ask-queue",
    ],
    "조건부 orders": ["au-closing-conditional-conversion-order"],
    "midpoint orders": ["mid-krx-ex2-suspended"],
    "stop orders": ["stop-buy-triggers-on-last-price", "stop-price-validated"],
    "volatility interruptions": ["vi-dynamic-stops-the-sweep"],
}
"""What needs rules that the engine does not have. One that starts to pass fails this test, and is to be struck out."""

SCENARIOS = read(Path(__file__).with_name("krx.json"))
WHY = {name: why for why, names in EXPECTED_TO_FAIL.items() for name in names}


def test_the_list_names_existing_scenarios() -> None:
    assert len(SCENARIOS) == 54
    assert WHY.keys() <= {scenario.name for scenario in SCENARIOS}
    assert len(WHY) == 30


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(
            scenario,
            id=scenario.name,
            marks=[pytest.mark.xfail(reason=WHY[scenario.name], raises=AssertionError, strict=True)]
            if scenario.name in WHY
            else [],
        )
        for scenario in SCENARIOS
    ],
)
def test_scenario(scenario: Scenario) -> None:
    result = run_scenario(scenario, TARGETS["reference"]())
    assert result.passed, "\n".join(result.differences)
