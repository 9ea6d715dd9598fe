"""The cases that the page's forecast is tested with are what the engine does now, and there is something of everything."""

from __future__ import annotations

from collections import Counter

from onseju.contract.words import OrderType, Phase
from tests.web.forecast_cases import TARGET, cases, cases_json


def test_the_pages_cases_are_what_the_engine_does() -> None:
    assert TARGET.read_text("utf-8") == cases_json(), "call: python -m tests.web.forecast_cases"


def test_there_are_cases_of_every_kind() -> None:
    refused = Counter(case["outcome"].get("refused") for case in cases())
    done = [case["outcome"] for case in cases() if "refused" not in case["outcome"]]
    assert {
        "price_tick",
        "price_limit",
        "qty_limit",
        "insufficient_cash",
        "insufficient_shares",
        "amount_too_large",
        "halted",
        "market_closed",
        "order_type_not_allowed",
        "no_opposite_quote",
        "nothing_to_correct",
        "invalid_qty",
        "not_at_close",
    } <= refused.keys()
    assert sum(not each["filled"] and each["leaves"] > 0 for each in done) > 20
    assert sum(bool(each["filled"]) and each["leaves"] > 0 for each in done) > 5
    assert sum(bool(each["filled"]) and not each["leaves"] and not each["canceled"] for each in done) > 20
    assert sum(bool(each["filled"]) and each["canceled"] > 0 for each in done) > 5
    assert sum(not each["filled"] and not each["leaves"] for each in done) > 5
    assert sum(each["interrupts"] for each in done) > 10
    assert sum(each["asleep"] for each in done) > 10
    assert sum(any(each.get("fees", ())) for each in done) > 50
    assert sum(case["amending"] is not None for case in cases()) > 80


def test_there_are_cases_of_every_type_and_in_every_phase() -> None:
    taken = {case["draft"]["type"] for case in cases() if "refused" not in case["outcome"]}
    assert taken == {order_type.label for order_type in OrderType}
    assert {case["now"].get("phase", Phase.CONTINUOUS.label) for case in cases()} == {phase.label for phase in Phase}
