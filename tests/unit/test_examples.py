"""The examples are run as their docstrings say, against a server with bots."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serverprocess import ServerProcess
from tests.unit.bots.living import full, until

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server as `onseju up` starts it, with its bots."""
    server = ServerProcess(tmp_path_factory.mktemp("lively"), bots=True).start()
    until(lambda: full(server), "quotes")
    yield server
    server.stop()


def run(server: ServerProcess, name: str, *options: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), "--url", server.url, *options],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_all_examples_are_run_here() -> None:
    here = {"first_fill.py", "market_watch.py", "simple_bot.py"}
    with_the_guide = {"backtest_krx_day.py", "backtest_nasdaq.py"}  # tests/unit/library/test_guide.py
    assert {path.name for path in EXAMPLES.glob("*.py")} == here | with_the_guide
    for path in EXAMPLES.glob("*.py"):
        assert f"python examples/{path.name}" in path.read_text("utf-8"), "its docstring says how to run it"


def test_first_fill(lively: ServerProcess) -> None:
    out = run(lively, "first_fill.py")
    assert "order: filled" in out
    assert re.search(r"fill: buy 1 005930 at [\d,]+ won, event [0-9a-z]+-\d+-\d+", out)


def test_market_watch(lively: ServerProcess) -> None:
    out = run(lively, "market_watch.py", "--seconds", "5")
    assert re.search(r"^ *[\d,]+ \| +[\d,]+ \|$", out, re.MULTILINE), "asks"
    assert re.search(r"^ +\| +[\d,]+ \| +[\d,]+$", out, re.MULTILINE), "bids"
    assert re.search(r"Z  (buy|sell)  [\d,]+ at [\d,]+", out), "trades"


def test_simple_bot(lively: ServerProcess) -> None:
    key = lively.account("simple-bot", 10_000_000, s005930=10)
    out = run(lively, "simple_bot.py", "--rounds", "6", "--seconds", "2", ONSEJU_API_KEY=key)
    assert re.search(r"order {5}buy 1 at [\d,]+: (new|filled)", out)
    assert re.search(r"order {5}sell 1 at [\d,]+: (new|filled)", out)
    assert re.search(r"fill {6}(buy|sell) 1 005930 at", out)
    assert re.search(r"position {2}\d+ 005930, profit", out)
    with httpx.Client(base_url=lively.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
        assert client.get("/v1/orders", params={"status": "open"}).json()["orders"] == []


def test_simple_bot_says_what_it_needs(lively: ServerProcess) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "simple_bot.py"), "--url", lively.url],
        env={name: value for name, value in os.environ.items() if name != "ONSEJU_API_KEY"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "onseju account create" in done.stderr
