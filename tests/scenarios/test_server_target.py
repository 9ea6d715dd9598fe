"""Every scenario once more, played on the whole server through its API; and what the server target does besides."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from onseju.scenarios.form import Scenario
from onseju.scenarios.runner import run_scenario
from onseju.scenarios.server import REFUSALS, _signals_put_off
from onseju.scenarios.server_target import ServerTarget
from onseju.scenarios.target import CannotPlayError
from tests.engines import EngineName
from tests.scenarios import test_krx, test_more, test_price_time

WAIT_S = 30
NEW = {"op": "new", "side": "buy", "type": "limit", "price": 100, "qty": 5}


@pytest.fixture(scope="module")
def target(tested_on: EngineName) -> Iterator[ServerTarget]:
    with closing(ServerTarget(tested_on)) as target:
        yield target


def params(module: Any) -> list[Any]:
    """The scenarios of a test module."""
    return [pytest.param(scenario, id=scenario.name) for scenario in module.SCENARIOS]


PART = {"op": "modify", "id": "b1", "price": 101, "part": 2, "part_id": "b1b"}


@pytest.mark.parametrize("scenario", params(test_price_time))
def test_price_time(target: ServerTarget, scenario: Scenario) -> None:
    result = run_scenario(scenario, target)
    assert result.passed, "\n".join(result.differences)


@pytest.mark.parametrize("scenario", params(test_krx))
def test_krx_rules(target: ServerTarget, scenario: Scenario) -> None:
    result = run_scenario(scenario, target)
    assert result.passed, "\n".join(result.differences)


@pytest.mark.parametrize("scenario", params(test_more))
def test_more_of_both(target: ServerTarget, scenario: Scenario) -> None:
    result = run_scenario(scenario, target)
    assert result.passed, "\n".join(result.differences)


def differences(target: ServerTarget, **form: object) -> list[str]:
    scenario = {"name": "one", "steps": [NEW | {"id": "b1"}], "expect": {}} | form
    return run_scenario(msgspec.convert(scenario, Scenario), target).differences


@pytest.mark.parametrize(
    ("expect", "first_line"),
    [
        ({"trades": [{"buy": "b1", "sell": "s1", "price": 100, "qty": 5}]}, "trades:"),
        ({"fills": {"b1": 5}}, "fills:"),
        ({"cancelled": ["b1"]}, "cancelled:"),
        ({"rejects": [0]}, "refused steps:"),
        ({"rejected": ["b1"]}, "refused orders:"),
        ({"rejected_steps": [0]}, "other refused steps:"),
        ({"book": {"bids": [[100, 6]], "asks": []}}, "book:"),
        ({"price": 100}, "auction price:"),
        ({"vi_triggered": True}, "volatility interruption:"),
        ({"accounts": {"A": {"cash": 1}}}, "account A: expected, there is none"),
        ({"book": {"asks": [[101, 1]]}}, "book, asks:"),
    ],
)
def test_every_key_of_the_expectation_can_fail(target: ServerTarget, expect: object, first_line: str) -> None:
    assert differences(target, expect=expect)[0] == first_line


@pytest.mark.parametrize(
    "bad",
    [
        {"qty": 0},
        {"qty": -1},
        {"qty": 1.5},
        {"qty": "5"},
        {"qty": True},
        {"qty": 2**63},
        {"price": 0},
        {"price": -1},
        {"price": 99.5},
        {"price": 2**70},
        {"price": None},
        {"side": "sideways"},
        {"type": "wish"},
        {"tif": "forever"},
        {"type": "market"},
    ],
)
def test_bad_steps_are_refusals(target: ServerTarget, bad: dict[str, object]) -> None:
    steps = [NEW | {"id": "b1"} | bad]
    assert differences(target, steps=steps, expect={"rejects": [0], "book": {"bids": [], "asks": []}}) == []


@pytest.mark.parametrize("qty", [0, -1, 1.5, "5", 6, True])
def test_bad_cancels_and_corrections_are_refusals(target: ServerTarget, qty: object) -> None:
    steps = [NEW | {"id": "b1"}, {"op": "cancel", "id": "b1", "qty": qty}, {"op": "cancel", "id": "never"}]
    if qty not in (0, 6):  # which a correction may name: 0 cancels
        steps.append({"op": "modify", "id": "b1", "qty": qty})
    expect = {"rejects": list(range(1, len(steps))), "book": {"bids": [[100, 5]], "asks": []}, "cancelled": []}
    assert differences(target, steps=steps, expect=expect) == []


def test_zero_is_no_price_for_an_order_without_one(target: ServerTarget) -> None:
    steps = [
        NEW | {"id": "s1", "side": "sell", "stop": 0},
        {"op": "new", "id": "b1", "side": "buy", "type": "market", "price": 0, "qty": 5},
    ]
    assert differences(target, steps=steps, expect={"rejects": [], "fills": {"s1": 5, "b1": 5}}) == []


def test_what_the_owner_takes_away_is_not_cancelled_by_the_engine(target: ServerTarget) -> None:
    steps = [
        NEW | {"id": "b1"},
        {"op": "cancel", "id": "b1", "qty": 2},
        NEW | {"id": "b2"},
        {"op": "modify", "id": "b2", "qty": 1},
        NEW | {"id": "b3"},
        {"op": "modify", "id": "b3", "qty": 0},
        {"op": "new", "id": "s1", "side": "sell", "type": "limit", "tif": "ioc", "price": 100, "qty": 7},
    ]
    expect = {"cancelled": ["s1"], "fills": {"b1": 3, "b2": 1, "s1": 4}, "rejects": []}
    assert differences(target, steps=steps, expect=expect) == []


def test_labels_that_are_used_again(target: ServerTarget) -> None:
    steps = [NEW | {"id": "b1"}, {"op": "cancel", "id": "b1"}, NEW | {"id": "b1"}]
    assert differences(target, steps=steps, expect={"rejects": [2]}) == []
    assert differences(target, steps=steps, expect={"rejects": []}, rules={"id_reuse": True}) == []
    live = [NEW | {"id": "b1"}, NEW | {"id": "b1"}]
    assert differences(target, steps=live, expect={"rejects": [1]}, rules={"id_reuse": True}) == []


def test_fees_of_a_krx_scenario_are_charged(target: ServerTarget) -> None:
    """KRX rules 7.1: 7 × 12,340 = 86,380 costs 43 + 129 in taxes; the commission of 0.015 % is 12 on each side."""
    found = differences(
        target,
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


def test_the_previous_price_is_set_without_a_trace(target: ServerTarget) -> None:
    found = differences(
        target,
        market={"base_price": 70000, "prev_price": 70400},
        steps=[NEW | {"id": "b1", "price": 70000}],
        expect={"trades": [], "fills": {}, "book": {"bids": [[70000, 5]], "asks": []}, "vi_triggered": False},
    )
    assert found == []


def test_a_part_is_corrected_into_an_order_of_its_own(target: ServerTarget) -> None:
    """KRX rules 3.6: a corrected part queues separately from the rest."""
    steps = [
        NEW | {"id": "b1"},
        PART,
        NEW | {"id": "s1", "side": "sell", "qty": 4},
        PART | {"part": 9, "part_id": "b1c"},
        PART | {"part": 1},  # the label is another order's
    ]
    expect = {"fills": {"b1b": 2, "b1": 2, "s1": 4}, "rejects": [3, 4], "cancelled": []}
    assert differences(target, steps=steps, expect=expect) == []


def test_rules_that_both_forms_share_hold_in_both(target: ServerTarget) -> None:
    steps = [
        NEW | {"id": "s1", "side": "sell", "account": "A"},
        NEW | {"id": "b1", "account": "A"},
    ]
    for market in ({}, {"market": {"base_price": 100}}):
        form = {"steps": steps, "rules": {"stp": "cancel_both"}, "expect": {"cancelled": ["s1", "b1"], "fills": {}}}
        assert differences(target, **form, **market) == []


def test_the_host_own_fees_and_interruptions_do_not_matter(target: ServerTarget) -> None:
    market = {"base_price": 10000}
    expect: dict[str, object] = {
        "accounts": {"A": {"cash": 0, "qty": 1}},
        "vi_triggered": False,
        "fills": {"b1": 1, "s1": 1},
    }
    form = {
        "market": market,
        "accounts": {"A": {"cash": 13000}},
        "steps": [
            NEW | {"id": "s1", "side": "sell", "price": 13000, "qty": 1},
            NEW | {"id": "b1", "price": 13000, "qty": 1, "account": "A"},
        ],
        "expect": expect,
    }
    assert differences(target, **form) == []
    server = target._servers["krx"]
    changed = {"commission_ppm": 150, "vi_dynamic_ppm": 30_000, "vi_static_ppm": 30_000, "self_trade_prevention": "off"}
    for rule, value in changed.items():
        server.must(server.host_key, "POST", "/v1/admin/rules", {"rule": rule, "value": value}, what=rule)
    assert differences(target, **form) == []


def test_accounts_without_bounds_have_enough_for_the_largest_orders(target: ServerTarget) -> None:
    price, qty = 10**8, 10**9
    steps = [
        NEW | {"id": "b1", "price": price, "qty": qty},
        NEW | {"id": "s1", "side": "sell", "price": price, "qty": qty},
    ]
    expect = {"trades": [{"buy": "b1", "sell": "s1", "price": price, "qty": qty}], "rejects": []}
    assert differences(target, steps=steps, expect=expect) == []


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ({"rules": {"lunar_phase": "full"}}, "there are no rules lunar_phase"),
        ({"rules": {"stp": "wish"}}, "the rule stp cannot be 'wish'"),
        ({"phase": "lunch"}, "the server has no phase lunch"),
        ({"market": {"base_price": 0}}, "the server refuses the instrument: invalid_price"),
        ({"market": {"base_price": 100, "board": "MOON"}}, "the server refuses the instrument: malformed"),
        ({"market": {"base_price": 100, "rates": {"stt": 2_000_000}}}, "transaction_tax_ppm: 2000000: invalid_command"),
        ({"accounts": {"A": {"cash": 2**63}}}, "the accounts have more cash than there can be"),
        ({"accounts": {"A": {"cash": 0, "qty": 2**60}}}, f"the server refuses {2**60} shares: malformed"),
    ],
)
def test_what_the_server_cannot_set_is_told(target: ServerTarget, form: dict[str, object], line: str) -> None:
    (found,) = differences(target, **form)
    assert found.startswith("cannot be played: ")
    assert line in found
    assert differences(target, expect={"rejects": [], "book": {"bids": [[100, 5]], "asks": []}}) == []


def test_steps_that_the_api_does_not_have_are_told(target: ServerTarget) -> None:
    steps = [{"op": "uncross"}, {"op": "phase", "to": "lunch"}]
    assert differences(target, steps=steps) == [
        "step 0: the target does not do uncross",  # no auction collects
        "step 1: the target does not do phase lunch",
    ]
    assert differences(target, steps=[{"op": "split"}])[0].startswith(
        "cannot be played: step 0: there is no op 'split'"
    )


def test_a_dead_server_is_told() -> None:
    with closing(ServerTarget()) as target:
        assert differences(target) == []
        server = target._servers["plain"]
        server._process.kill()
        server._process.wait(WAIT_S)
        (found,) = differences(target)
        assert found.startswith("cannot be played: the server does not answer")
    assert 503 not in REFUSALS


def test_a_server_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with closing(ServerTarget()) as target, pytest.raises(CannotPlayError, match="the server does not start"):
        target.begin(msgspec.convert({"name": "one", "steps": [], "expect": {}}, Scenario))


def test_a_signal_while_the_server_is_being_started_comes_afterwards() -> None:
    done = []

    def start() -> None:
        with _signals_put_off():
            signal.raise_signal(signal.SIGINT)
            done.append("started")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert done == ["started"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["starting", "playing"])
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    file = tmp_path / "many.json"
    steps = [NEW | {"id": f"b{n}"} for n in range(1000)]
    file.write_bytes(msgspec.json.encode([{"name": "long", "steps": steps, "expect": {}}] * 1000))
    folder = tmp_path / "temporary"
    folder.mkdir()
    command = [sys.executable, "-m", "onseju", "scenarios", "run", str(file), "--engine", "server"]
    runner = subprocess.Popen(
        command, env=os.environ | {"TMPDIR": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        children = Path(f"/proc/{runner.pid}/task/{runner.pid}/children")
        (server,) = wait_for(lambda: [int(pid) for pid in children.read_text().split()])
        if moment == "playing":
            wait_for(lambda: any("is open at" in path.read_text() for path in folder.glob("*/output.txt")))
        runner.send_signal(number)
        output, _ = runner.communicate(timeout=WAIT_S)
    finally:
        runner.kill()
        runner.wait()
    assert runner.returncode != 0, output
    assert b"Traceback" not in output
    wait_for(lambda: has_ended(server))
    if number != signal.SIGKILL:
        assert list(folder.iterdir()) == []


def has_ended(pid: int) -> bool:
    """Whether there is no such process, or only what is left of one until somebody asks for its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_for(found: Callable[[], Any]) -> Any:
    """What `found` gives as soon as it is something."""
    end = time.monotonic() + WAIT_S
    while not (value := found()):
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.01)
    return value
