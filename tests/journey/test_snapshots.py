"""A server that starts from a snapshot: nobody can tell, except by how soon it opens."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from tests.serverprocess import ServerProcess

SYMBOL = "005930"
EVERY = 30
WITHIN_S = 60
ORDERS = 40


def snapshots_in(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "journal" / "snapshots").glob("*.snapshot"))


def seen(client: httpx.Client) -> dict[str, Any]:
    """What an account and everybody see."""
    client.headers["Onseju-Min-Seq"] = str(client.get(f"/v1/book/{SYMBOL}").json()["seq"])
    story_of = client.get("/v1/orders").json()["orders"][-1]["order_id"]
    paths = [
        f"/v1/book/{SYMBOL}?depth=20",
        f"/v1/trades/{SYMBOL}",
        "/v1/orders",
        "/v1/account",
        f"/v1/orders/{story_of}/story",
        "/v1/events?limit=1000",
    ]
    answers = {path: client.get(path) for path in paths}
    assert all(answer.status_code == 200 for answer in answers.values()), answers
    found = {path: answer.json() for path, answer in answers.items()}
    rows = client.get("/v1/symbols").json()["symbols"]
    found["symbol"] = next(row for row in rows if row["symbol"] == SYMBOL)
    return {path: without_seq(answer) for path, answer in found.items()}


def without_seq(answer: dict[str, Any]) -> dict[str, Any]:
    """A start is a command of its own: the head moves on."""
    return {name: value for name, value in answer.items() if name not in ("seq", "ts", "answer", "next_after")}


def enter(client: httpx.Client, number: int, base: int) -> httpx.Response:
    return client.post(
        "/v1/orders",
        json={
            "symbol": SYMBOL,
            "side": ("buy", "sell", "buy")[number % 3],
            "type": "limit",
            "qty": 1 + number % 5,
            "limit_price": base + 100 * (number % 7 - 3),
            "client_order_id": f"mine.{number}",
        },
    )


def test_a_start_from_a_snapshot_shows_what_was_there(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    server = ServerProcess(data_dir, env={"ONSEJU_SNAPSHOT_EVERY_COMMANDS": str(EVERY)}).start()
    try:
        key, other = server.account("me", cash=10**12, s005930=10**4), server.account("other", cash=10**12)
        with server.client(key) as client, server.client(other) as another:
            rows = client.get("/v1/symbols").json()["symbols"]
            base = next(row["base_price"] for row in rows if row["symbol"] == SYMBOL)
            answers = [enter(client if number % 2 else another, number, base) for number in range(ORDERS)]
            before = seen(client)
        until_taken(data_dir)
        server.kill()

        server.start()
        assert not any("snapshot_not_used" in line for line in server.output)
        with server.client(key) as client:
            assert seen(client) == before
            again = enter(client, 1, base)
            assert again.headers["Idempotency-Replayed"] == "true"
            assert again.json() == answers[1].json()
            before = seen(client)
        server.kill()

        for path in snapshots_in(data_dir):
            content = bytearray(path.read_bytes())
            content[200] ^= 1
            path.write_bytes(content)
        server.start()
        assert any("snapshot_not_used" in line and "is damaged at byte" in line for line in server.output)
        with server.client(key) as client:
            assert seen(client) == before
    finally:
        server.stop()


def until_taken(data_dir: Path) -> None:
    """Until a snapshot stands beyond the venue's beginning."""
    end = time.monotonic() + WITHIN_S
    while not snapshots_in(data_dir):
        assert time.monotonic() < end, "no snapshot was taken"
        time.sleep(0.05)
