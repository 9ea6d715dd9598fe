"""The bots against a real server: the books fill, trades happen, a visitor's order fills, and nothing upsets them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serverprocess import ServerProcess
from tests.unit.bots.living import books, full, make_keys, until


def start_bots(server: ServerProcess, stdin: str, seed: int = 1) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "onseju.bots", "--url", server.url, "--seed", str(seed)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(stdin)
    process.stdin.flush()
    return process


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Close standard input: exit status and what was written to standard error."""
    _, errors = process.communicate(timeout=20)
    return process.returncode, errors


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose bots the tests start themselves."""
    server = ServerProcess(tmp_path_factory.mktemp("quiet")).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def keys(quiet: ServerProcess) -> dict[str, Any]:
    return make_keys(quiet)


@pytest.fixture
def lively(quiet: ServerProcess, keys: dict[str, Any]) -> Iterator[ServerProcess]:
    """The server with bots running, ended in order."""
    process = start_bots(quiet, json.dumps(keys) + "\n")
    try:
        yield quiet
    finally:
        status, errors = end(process)
    assert status == 0, errors
    assert errors == ""


def test_every_instrument_has_ten_levels_and_trades_within_seconds(lively: ServerProcess) -> None:
    until(lambda: full(lively), "ten levels on both sides everywhere", 20)
    for book in books(lively).values():
        assert book["bids"][0][0] < book["asks"][0][0]

    def traded() -> bool:
        with lively.client() as client:
            return all(client.get(f"/v1/trades/{symbol}").json()["trades"] for symbol in books(lively))

    until(traded, "a trade in every instrument")


def test_a_lone_visitors_order_at_the_touch_fills(lively: ServerProcess) -> None:
    until(lambda: full(lively), "quotes")
    key = lively.account("visitor", 1_000_000_000)
    with lively.client(key) as visitor:
        for symbol, book in books(lively).items():
            order = {"symbol": symbol, "side": "buy", "type": "limit", "qty": 1, "limit_price": book["bids"][0][0]}
            assert visitor.post("/v1/orders", json=order).status_code == 201
        # Half of them: the price may leave an order behind, as it does on any exchange.
        until(lambda: len(visitor.get("/v1/fills").json()["fills"]) >= 5, "fills of resting orders")
        assert visitor.delete("/v1/orders").status_code == 200


def test_they_survive_a_server_that_is_killed_and_come_back(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start()
    process = start_bots(server, json.dumps(make_keys(server)) + "\n", seed=7)
    try:
        until(lambda: full(server), "quotes")
        server.kill()
        server.start()
        until(lambda: full(server), "quotes after the restart")
        seq = books(server)["005930"]["seq"]
        until(lambda: books(server)["005930"]["seq"] > seq + 20, "the market goes on")
        assert process.poll() is None
    finally:
        status, errors = end(process)
        server.stop()
    assert status == 0
    assert "Traceback" not in errors


@pytest.mark.parametrize("ending", ["stdin", "SIGTERM", "SIGINT"])
def test_they_leave_in_order_and_take_their_orders_along(
    quiet: ServerProcess, keys: dict[str, Any], ending: str
) -> None:
    process = start_bots(quiet, json.dumps(keys, indent=2) + "\n")
    until(lambda: full(quiet), "quotes")
    if ending != "stdin":
        process.send_signal(getattr(signal, ending))
        assert process.wait(20) == 0
    status, errors = end(process)
    assert (status, errors) == (0, "")
    assert all(book["bids"] == book["asks"] == [] for book in books(quiet).values())


def test_a_poor_market_maker_quotes_what_it_can(quiet: ServerProcess) -> None:
    key = quiet.account("poor", 50_000_000, s005930=2_000)
    process = start_bots(quiet, json.dumps({"market_maker": key}) + "\n")
    try:
        until(lambda: len(books(quiet)["005930"]["asks"]) == 10, "asks for the shares that are there")
        until(lambda: any(book["bids"] for book in books(quiet).values()), "some bids")
        with quiet.client(key) as client:
            account = client.get("/v1/account").json()
            assert 0 <= account["reserved"] <= account["cash"] == 50_000_000
    finally:
        assert end(process) == (0, "")


def test_a_key_that_is_not_accepted_ends_them_with_a_sentence(quiet: ServerProcess) -> None:
    process = start_bots(quiet, '{"market_maker": "NOBODY.nothing"}\n')
    assert process.wait(20) == 1
    _, errors = end(process)
    assert "does not accept an API key" in errors
    assert "nothing" not in errors


@pytest.mark.parametrize("stdin", ["", "{]\n", '{"market_maker": 5}\n', '["a"]\n'])
def test_without_keys_they_do_not_start(quiet: ServerProcess, stdin: str) -> None:
    status, errors = end(start_bots(quiet, stdin))
    assert status == 2
    assert "keys as JSON" in errors
