"""The runner itself: what it prints, what it exits with, and that it can fail."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import fields

from onseju.scenarios.form import Expectation, Market, Scenario, Step
from onseju.scenarios.runner import TARGETS, main, run_file, run_scenario
from onseju.scenarios.target import OPS, RULE_VALUES
from tests.engines import name_under_test

NEW = {"op": "new", "side": "buy", "type": "limit", "price": 100, "qty": 5}
RESTING = {
    "name": "rests",
    "steps": [NEW | {"id": "b1"}],
    "expect": {"trades": [], "book": {"bids": [[100, 5]], "asks": []}, "rejects": [], "cancelled": []},
}


def scenario(**changes: object) -> Scenario:
    return msgspec.convert(RESTING | changes, Scenario)


def differences(**changes: object) -> list[str]:
    return run_scenario(scenario(**changes), TARGETS[name_under_test()]()).differences


def write(path: Path, *scenarios: object) -> Path:
    path.write_bytes(msgspec.json.encode(scenarios))
    return path


def test_one_line_each_a_diff_and_a_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = RESTING | {"name": "wrong", "expect": {"book": {"bids": [[100, 6]], "asks": []}}}
    assert main(write(tmp_path / "some.json", RESTING, wrong), name_under_test()) == 1
    assert capsys.readouterr().out.splitlines() == [
        "pass  rests",
        "FAIL  wrong",
        "      book:",
        "        - bids 100×6, asks none",
        "        + bids 100×5, asks none",
        "2 scenarios, 1 passed, 1 failed",
    ]


def test_exit_code_0_when_all_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(write(tmp_path / "good.json", RESTING), name_under_test()) == 0
    assert capsys.readouterr().out.endswith("1 scenarios, 1 passed, 0 failed\n")


@pytest.mark.parametrize("content", [b"no json", b'{"name": "not a list"}', b"5", b""])
def test_a_file_of_another_form_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    assert main(path, name_under_test()) == 2
    assert str(path) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"steps": None}, "Expected `array`, got `null` - at `$.steps`"),
        ({"expect": {"filled": {}}}, "Object contains unknown field `filled` - at `$.expect`"),
        ({"steps": [NEW | {"id": "b1", "iceberg": 5}]}, "Object contains unknown field `iceberg` - at `$.steps[0]`"),
        ({"market": {"base_price": 1, "moon": 1}}, "Object contains unknown field `moon` - at `$.market`"),
        ({"moon": 1}, "a scenario has no moon"),
    ],
)
def test_what_is_no_scenario_is_told_and_the_others_are_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], told: str
) -> None:
    notes = {"source": "a", "rule": "b", "tier": "core", "confidence": "c", "note": "d"}
    assert main(write(tmp_path / "some.json", RESTING | change, RESTING | notes), name_under_test()) == 1
    assert capsys.readouterr().out.splitlines() == [
        "FAIL  rests",
        f"      is no scenario: {told}",
        "pass  rests",
        "2 scenarios, 1 passed, 1 failed",
    ]
    (tmp_path / "bare.json").write_bytes(b"[5]")
    assert main(tmp_path / "bare.json", name_under_test()) == 1
    assert "FAIL  scenario 1" in capsys.readouterr().out


def test_missing_file_and_unknown_engine_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path / "nothing.json", name_under_test()) == 2
    assert main(write(tmp_path / "good.json", RESTING), "abacus") == 2
    assert "no engine 'abacus'" in capsys.readouterr().out


def test_report_tells_passed_and_failed(tmp_path: Path) -> None:
    wrong = RESTING | {"name": "wrong", "expect": {"rejects": [0]}}
    report = run_file(write(tmp_path / "some.json", RESTING, wrong))
    assert [result.name for result in report.failed] == ["wrong"]


@pytest.mark.parametrize(
    ("expect", "first_line"),
    [
        ({"trades": [{"buy": "b1", "sell": "s1", "price": 100, "qty": 5}]}, "trades:"),
        ({"fills": {"b1": 5}}, "fills:"),
        ({"cancelled": ["b1"]}, "cancelled:"),
        ({"rejects": [0]}, "refused steps:"),
        ({"rejected": ["b1"]}, "refused orders:"),
        ({"rejected_steps": [0]}, "other refused steps:"),
        ({"price": 100}, "auction price:"),
        ({"volume": 5}, "auction volume:"),
        ({"vi_triggered": True}, "volatility interruption:"),
        ({"accounts": {"A": {"cash": 1}}}, "account A: expected, there is none"),
        ({"trades": [{"buy": "b1", "sell": "s1", "price": 100, "qty": 5}], "compare": "fills"}, "fills by price:"),
        ({"book": {"bids": []}}, "book, bids:"),
        ({"book": {"asks": [[101, 1]]}}, "book, asks:"),
    ],
)
def test_every_key_of_the_expectation_can_fail(expect: dict[str, object], first_line: str) -> None:
    assert differences(expect=expect)[0] == first_line


def test_what_is_absent_is_not_compared() -> None:
    assert differences(expect={}) == []


def test_checkpoints_are_compared() -> None:
    cancel = {"op": "cancel", "id": "b1"}
    steps = [NEW | {"id": "b1"}, cancel]
    empty = {"bids": [], "asks": []}
    book = {"bids": [[100, 5]], "asks": []}
    expect = {"book": empty}
    assert differences(steps=steps, expect=expect, checkpoints=[{"after": 0, "book": book}]) == []
    assert differences(steps=steps, expect=expect, checkpoints=[{"after": 0, "book": empty}])[0] == "book after step 0:"


@pytest.mark.parametrize(
    "bad",
    [
        {"qty": 0},
        {"qty": -1},
        {"qty": 1.5},
        {"qty": "5"},
        {"qty": 2**63},
        {"price": 0},
        {"price": -1},
        {"price": 99.5},
        {"price": 2**70},
        {"side": "sideways"},
        {"type": "wish"},
        {"tif": "forever"},
        {"type": "market"},
    ],
)
def test_bad_steps_are_refusals(bad: dict[str, object]) -> None:
    steps = [NEW | {"id": "b1"} | bad]
    assert differences(steps=steps, expect={"rejects": [0], "book": {"bids": [], "asks": []}}) == []


def test_a_label_is_refused_again_unless_the_rule_allows() -> None:
    steps = [NEW | {"id": "b1"}, {"op": "cancel", "id": "b1"}, NEW | {"id": "b1"}]
    assert differences(steps=steps, expect={"rejects": [2]}) == []
    assert differences(steps=steps, expect={"rejects": []}, rules={"id_reuse": True}) == []
    live = [NEW | {"id": "b1"}, NEW | {"id": "b1"}]
    assert differences(steps=live, expect={"rejects": [1]}, rules={"id_reuse": True}) == []


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ({"rules": {"lunar_phase": "full"}}, "there are no rules lunar_phase"),
        ({"rules": {"stp": "wish"}}, "the rule stp cannot be 'wish'"),
        ({"rules": {"stop_trigger": "mid_price"}}, "the rule stop_trigger cannot be 'mid_price'"),
        ({"rules": {"seed_last": "55"}}, "the rule seed_last cannot be '55'"),
        ({"rules": {"id_reuse": []}}, "the rule id_reuse cannot be []"),
        ({"rules": "krx"}, "the rules are not krx: with a market they are krx, without one plain"),
        ({"steps": [{"op": "split", "id": "b1"}]}, "step 0: there is no op 'split'; there are "),
        ({"phase": "lunch"}, "the engine has no phase lunch"),
        ({"market": {"base_price": 0}}, "the engine refuses the instrument: invalid_price"),
        ({"market": {"base_price": 100, "board": "MOON"}}, "there is no board or security 'MOON'"),
        ({"market": {"base_price": 100, "security": "bond"}}, "there is no board or security 'BOND'"),
        ({"accounts": {"A": {"cash": 2**63}}}, "the accounts have more cash than there can be"),
        ({"accounts": {"A": {"qty": 2**63}}}, "the accounts have more qty than there can be"),
        ({"market": {"base_price": 2**63}}, "no command can carry the instrument"),
    ],
)
def test_what_cannot_be_played_is_told(form: dict[str, object], line: str) -> None:
    (found,) = differences(**form)
    assert found.startswith(f"cannot be played: {line}")


def test_an_account_is_compared_as_far_as_it_is_named() -> None:
    steps = [NEW | {"id": "b1", "account": "A"}]
    accounts = {"A": {"cash": 600}}
    assert differences(steps=steps, accounts=accounts, expect={"accounts": {"A": {"reserved": 500}}}) == []
    (what, *_) = differences(steps=steps, accounts=accounts, expect={"accounts": {"A": {"reserved": 501}}})
    assert what == "account A reserved:"


def test_rules_that_both_forms_share_hold_in_both() -> None:
    """KRX rules 4.4: self-trade prevention is an option of the venue."""
    steps = [
        NEW | {"id": "s1", "side": "sell", "account": "A"},
        NEW | {"id": "b1", "account": "A"},
    ]
    for market in ({}, {"market": {"base_price": 100}}):
        form = {"steps": steps, "rules": {"stp": "cancel_both"}, "expect": {"cancelled": ["s1", "b1"], "fills": {}}}
        assert differences(**form, **market) == []


def test_an_auction_without_a_match_has_no_price() -> None:
    steps = [NEW | {"id": "b1"}, {"op": "uncross"}]
    for price in (None, 0):
        expect = {"price": price, "volume": 0}
        assert differences(market={"base_price": 100}, phase="opening_auction", steps=steps, expect=expect) == []
    assert differences(market={"base_price": 100}, steps=[NEW | {"id": "b1"}], expect={"price": None})[0] == (
        "auction price:"
    )


def test_a_step_whose_refusal_is_expected_is_no_problem() -> None:
    assert differences(steps=[{"op": "uncross"}], expect={"rejects": [0]}) == []
    assert differences(steps=[{"op": "uncross"}], expect={}) == ["step 0: the target does not do uncross"]


PART = {"op": "modify", "id": "b1", "price": 101, "part": 2, "part_id": "b1b"}


def test_a_part_is_corrected_into_an_order_of_its_own() -> None:
    """KRX rules 3.6: a corrected part queues separately from the rest."""
    steps = [
        NEW | {"id": "b1"},
        PART,
        NEW | {"id": "s1", "side": "sell", "qty": 4},
        PART | {"part": 9, "part_id": "b1c"},
        PART | {"part": 1},  # the label is another order's
    ]
    expect = {"fills": {"b1b": 2, "b1": 2, "s1": 4}, "rejects": [3, 4], "cancelled": []}
    assert differences(steps=steps, expect=expect) == []


def test_a_price_alone_that_changes_nothing_keeps_the_place_under_plain() -> None:
    steps = [
        NEW | {"id": "b1"},
        NEW | {"id": "b2"},
        {"op": "modify", "id": "b1", "price": 100},
        NEW | {"id": "s1", "side": "sell", "qty": 5},
    ]
    assert differences(steps=steps, expect={"fills": {"b1": 5, "s1": 5}, "rejects": []}) == []


def test_fees_of_a_krx_scenario_are_charged() -> None:
    """KRX rules 7.1: 7 × 12,340 = 86,380 costs 43 + 129 in taxes; the commission of 0.015 % is 12 on each side."""
    found = differences(
        market={"base_price": 12340, "rates": {"commission": 150, "stt": 500, "agri": 1500}},
        accounts={"A": {"cash": 0, "qty": 7}, "B": {"cash": 86392}},
        steps=[
            NEW | {"id": "s1", "side": "sell", "price": 12340, "qty": 7, "account": "A"},
            NEW | {"id": "b1", "price": 12340, "qty": 7, "account": "B"},
        ],
        expect={
            "fills": {"s1": 7, "b1": 7},
            "accounts": {
                "A": {"cash": 86380 - 12 - 43 - 129, "qty": 0, "reserved": 0},
                "B": {"cash": 0, "qty": 7, "reserved": 0},
            },
        },
    )
    assert found == []


def test_the_previous_price_is_set_without_a_trace() -> None:
    found = differences(
        market={"base_price": 70000, "prev_price": 70400},
        steps=[NEW | {"id": "b1", "price": 70000}],
        expect={"trades": [], "fills": {}, "book": {"bids": [[70000, 5]], "asks": []}},
    )
    assert found == []


def test_the_page_about_scenarios_shows_one_that_passes() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text("utf-8")
    (shown,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    found = run_scenario(msgspec.json.decode(shown, type=Scenario), TARGETS[name_under_test()]())
    assert found.differences == []
    forms = (Scenario, Step, Market, Expectation)
    words = {*RULE_VALUES, *OPS, *(field.name for form in forms for field in fields(form))}
    assert {word for word in words if not re.search(rf"\b{word}\b", page)} == set()
