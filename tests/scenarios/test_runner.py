"""The runner itself: what it prints, what it exits with, and that it can fail."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from onseju.scenarios.form import Scenario
from onseju.scenarios.runner import TARGETS, main, run_file, run_scenario

NEW = {"op": "new", "side": "buy", "type": "limit", "price": 100, "qty": 5}
RESTING = {
    "name": "rests",
    "steps": [NEW | {"id": "b1"}],
    "expect": {"trades": [], "book": {"bids": [[100, 5]], "asks": []}, "rejects": [], "cancelled": []},
}


def scenario(**changes: object) -> Scenario:
    return msgspec.convert(RESTING | changes, Scenario)


def differences(**changes: object) -> list[str]:
    return run_scenario(scenario(**changes), TARGETS["reference"]()).differences


def write(path: Path, *scenarios: object) -> Path:
    path.write_bytes(msgspec.json.encode(scenarios))
    return path


def test_one_line_each_a_diff_and_a_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = RESTING | {"name": "wrong", "expect": {"book": {"bids": [[100, 6]], "asks": []}}}
    assert main(write(tmp_path / "some.json", RESTING, wrong), "reference") == 1
    assert capsys.readouterr().out.splitlines() == [
        "pass  rests",
        "FAIL  wrong",
        "      book:",
        "        - bids 100×6, asks none",
        "        + bids 100×5, asks none",
        "2 scenarios, 1 passed, 1 failed",
    ]


def test_exit_code_0_when_all_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(write(tmp_path / "good.json", RESTING), "reference") == 0
    assert capsys.readouterr().out.endswith("1 scenarios, 1 passed, 0 failed\n")


@pytest.mark.parametrize("content", [b"no json", b'{"name": "not a list"}', b'[{"name": "no steps"}]', b""])
def test_a_file_of_another_form_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    assert main(path, "reference") == 2
    assert str(path) in capsys.readouterr().out


def test_missing_file_and_unknown_engine_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path / "nothing.json", "reference") == 2
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


def test_an_unknown_rule_is_told() -> None:
    assert differences(rules={"lunar_phase": "full"}) == ["cannot be played: there are no rules lunar_phase"]


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
