"""A venue goes on under the other engine: the same journal, the same books, money and hash."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.engines import ENGINE_NAMES, EngineName
from tests.serverprocess import ServerProcess


def replayed(data_dir: Path, engine: EngineName) -> list[Any]:
    """What `onseju replay` prints: the events, and the state's hash."""
    command = [sys.executable, "-m", "onseju", "replay", str(data_dir / "journal"), "--engine", engine]
    return [json.loads(line) for line in subprocess.check_output(command, text=True).splitlines()]


def seen(alice: httpx.Client, seq: str) -> list[Any]:
    """What a trader sees of the book and of what is hers, once the tables have come to a number."""
    paths = ("/v1/account", "/v1/positions", "/v1/orders?status=open", "/v1/book/005930")
    answers = [alice.get(path, headers={"Onseju-Min-Seq": seq}) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * len(paths), [answer.text for answer in answers]
    return [{name: value for name, value in answer.json().items() if name not in ("ts", "seq")} for answer in answers]


def test_the_other_engine_goes_on_where_this_one_stopped(tmp_path: Path, engine: EngineName) -> None:
    (other,) = set(ENGINE_NAMES) - {engine}
    server = ServerProcess(tmp_path / "data", engine=engine).start()
    key, bob_key = server.account("alice", cash=10**8), server.account("bob", s005930=100)
    with server.client(key) as alice, server.client(bob_key) as bob:
        base = next(row for row in alice.get("/v1/symbols").json()["symbols"] if row["symbol"] == "005930")[
            "base_price"
        ]

        def order(trader: httpx.Client, side: str, qty: int) -> dict[str, Any]:
            body = {"symbol": "005930", "side": side, "type": "limit", "limit_price": base, "qty": qty}
            answer = trader.post("/v1/orders", json=body)
            assert answer.status_code == 201, answer.text
            return dict(answer.json()) | {"seq": answer.headers["Onseju-Seq"]}

        order(bob, "sell", 3)
        bought = order(alice, "buy", 5)
        assert bought["filled_qty"] == 3
        before = seen(alice, bought["seq"])
    server.kill()
    server.engine = other
    server.start()
    with server.client(key) as alice, server.client(bob_key) as bob:
        assert seen(alice, bought["seq"]) == before
        assert order(bob, "sell", 4)["filled_qty"] == 2
    server.stop()
    events = replayed(tmp_path / "data", engine)
    assert len(events[-1]["state_hash"]) == 32
    assert replayed(tmp_path / "data", other) == events
