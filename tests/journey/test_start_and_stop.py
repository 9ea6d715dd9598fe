"""SIGINT and SIGTERM, whenever they come, end the server in order: exit status 0, nothing lost, nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines import EngineName
from tests.serverprocess import ServerProcess


@pytest.fixture(scope="module")
def long_journal(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose replay takes a while."""
    server = ServerProcess(tmp_path_factory.mktemp("long") / "data").start()
    key = server.account("alice", cash=10**12)
    order = {"symbol": "005930", "side": "buy", "type": "limit", "qty": 1, "limit_price": 70_000}
    with server.client(key) as alice:
        for _ in range(6):
            assert alice.post("/v1/orders:batch", json={"orders": [order] * 1_000}).status_code == 200
            assert alice.delete("/v1/orders").json()["count"] == 1_000
    assert server.stop() == 0
    return server.data_dir


def until(true: Callable[[], bool], what: str, patience_s: float = 30) -> None:
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.002)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_while_it_serves(tmp_path: Path, number: signal.Signals) -> None:
    server = ServerProcess(tmp_path / "data", bots=True).start()
    key = server.account("alice", cash=10**9)
    with server.client(key) as alice:
        order = {"symbol": "005930", "side": "buy", "type": "limit", "qty": 1, "limit_price": 70_000}
        order_id = alice.post("/v1/orders", json=order).json()["order_id"]
        children = [pid for name in ("onseju.bots", "onseju.projector") for pid in server.children(name)]
        assert len(children) == 2
        with alice.stream("GET", "/v1/stream") as stream:
            assert stream.status_code == 200
            assert server._end(number) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    assert not any("Traceback" in line for line in server.output), "".join(server.output)
    server.bots = False
    server.start()
    try:
        with server.client(key) as alice:
            assert alice.get(f"/v1/orders/{order_id}").json()["status"] == "new"
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_while_it_replays(long_journal: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "onseju", "up", "--port", "0", "--no-bots", "--data-dir", str(long_journal)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    holder = long_journal / "journal/lock"
    until(lambda: holder.read_text().strip() == str(process.pid), "the start to reach the journal")
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "is open at" not in output, "the signal came too late for this test"
    assert "Traceback" not in output
