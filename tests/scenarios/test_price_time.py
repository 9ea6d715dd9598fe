"""Every scenario of price-time priority, played on the reference engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from onseju.scenarios.form import Scenario, read
from onseju.scenarios.runner import TARGETS, run_scenario

EXPECTED_TO_FAIL = {
    "self-trade prevention": [
        "coralme.OrderBookNoSelfTradeTest.test_Cancel_Incoming_Instead_Of_Skipping_Self_Order",
        "coralme.OrderBookNoSelfTradeTest.test_IoC_Cancels_Incoming_Due_To_Trade_To_Self",
        "coralme.OrderBookNoSelfTradeTest.test_IoC_Partial_Fill",
        "orderbook-rs.test_cancel_both_cancels_earliest_self_maker_by_time",
        "orderbook-rs.test_cancel_taker_scan_follows_insertion_not_timestamp_order",
    ],
    "stop orders": [
        "cointossx.cancelOrder.5",
        "cointossx.stopLimitOrder.11",
        "cointossx.stopLimitOrder.6",
        "cointossx.stopLimitOrder.7",
        "cointossx.stopOrder.10",
        "cointossx.stopOrder.11",
        "cointossx.stopOrder.12",
        "cointossx.stopOrder.3",
        "cointossx.stopOrder.6",
        "cointossx.stopOrder.7",
        "liquibook.TestStopOrdersCancelBeforeTrigger",
        "regress.stop_limit_rests_when_not_marketable",
    ],
    "call auctions": [
        "auction.no_cross_nothing_trades",
        "cointossx.auction.1",
        "cointossx.auction.2",
        "cointossx.auction.3",
    ],
}
"""What needs rules that the engine does not have. One that starts to pass fails this test, and is to be struck out."""

SCENARIOS = read(Path(__file__).with_name("price-time.json"))
WHY = {name: why for why, names in EXPECTED_TO_FAIL.items() for name in names}


def test_the_list_names_existing_scenarios() -> None:
    assert len(SCENARIOS) == 109
    assert WHY.keys() <= {scenario.name for scenario in SCENARIOS}
    assert len(WHY) == 21


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
