"""`kill -9` while people sign up: whoever was told so has an account, everybody has at most one, and its money once."""

from __future__ import annotations

import os
import random
import threading
import time
from functools import partial
from pathlib import Path

import httpx

from tests.serverprocess import ServerProcess
from tests.unit.bots.living import until

ROUNDS = 2
PEOPLE = 3
PASSWORD = "correct horse battery"
CASH, SHARES, INSTRUMENTS = 100_000_000, 10, 10


def sign_up(server: ServerProcess, label: str, acknowledged: list[str], tried: list[str]) -> None:
    """One after another, until the server is gone."""
    with server.client() as client:
        while True:
            name = f"{label}-{len(tried)}"
            tried.append(name)
            try:
                answer = client.post("/v1/users", json={"name": name, "password": PASSWORD})
            except httpx.TransportError:
                return
            assert answer.status_code == 201, answer.text
            acknowledged.append(name)


def reached(acknowledged: list[str], wanted: int) -> bool:
    return len(acknowledged) >= wanted


def begins_with(server: ServerProcess, name: str) -> tuple[int, int, list[int]] | None:
    """Account number, cash and shares of a user; None where there is none."""
    with server.client() as client:
        log_in = client.post("/v1/session", json={"name": name, "password": PASSWORD})
        if log_in.status_code == 401:
            return None
        assert log_in.status_code == 201, log_in.text
        cookie = {"Cookie": log_in.headers["set-cookie"].partition(";")[0]}
        account = client.get("/v1/account", headers=cookie).json()
        positions = client.get("/v1/positions", headers=cookie).json()["positions"]
        return account["account_id"], account["cash"], [position["qty"] for position in positions]


def test_a_sign_up_is_whole_or_not_there(tmp_path: Path) -> None:
    seed = int(os.environ.get("ONSEJU_TEST_SEED", "0")) or random.randrange(1, 2**32)
    print(f"seed {seed}: rerun with ONSEJU_TEST_SEED={seed}")
    draw = random.Random(seed)
    server = ServerProcess(tmp_path / "data").start()
    try:
        acknowledged: list[str] = []
        tried: list[list[str]] = []
        for round_ in range(ROUNDS):
            for person in range(PEOPLE):
                tried.append([])
                label = f"r{round_}p{person}"
                threading.Thread(target=sign_up, args=(server, label, acknowledged, tried[-1]), daemon=True).start()
            wanted = len(acknowledged) + draw.randint(1, 4)
            until(partial(reached, acknowledged, wanted), "sign-ups")
            time.sleep(draw.uniform(0, 0.1))
            server.kill()
            server.start()
        found = {name: begins_with(server, name) for names in tried for name in names}
        there = {name: what for name, what in found.items() if what is not None}
        assert set(acknowledged) <= there.keys()
        assert len({account for account, _, _ in there.values()}) == len(there), "an account belongs to two"
        for name, (_, cash, shares) in there.items():
            assert (cash, shares) == (CASH, [SHARES] * INSTRUMENTS), name
    finally:
        server.stop()
