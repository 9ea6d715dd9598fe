"""Streams that break off at random and resume on either transport, while the server is killed now and then: every event
arrives once, in its order."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.resuming import Envelope, Resuming, place
from tests.serverprocess import ServerProcess

DISCONNECTS = int(os.environ.get("ONSEJU_DISCONNECTS", "100"))
READERS = 4
"""Clients, two of each account."""
KILLS = max(2, DISCONNECTS // 50)
SYMBOL = "005930"
WAIT_S = 60


class Orders(threading.Thread):
    """Enters orders of both accounts that trade with each other, one after another, whatever becomes of the server."""

    def __init__(self, server: ServerProcess, keys: list[str], seed: int) -> None:
        super().__init__(daemon=True)
        self._server, self._keys = server, keys
        self._draw = random.Random(seed)
        self._over = threading.Event()
        self.acknowledged = 0
        self.unexpected: list[str] = []
        with server.client() as client:
            symbols = client.get("/v1/symbols").json()["symbols"]
        self._base = next(row["base_price"] for row in symbols if row["symbol"] == SYMBOL)

    def finish(self) -> None:
        self._over.set()
        self.join(WAIT_S)

    def run(self) -> None:
        with self._server.client() as client:
            while not self._over.wait(0.002):
                key = self._draw.choice(self._keys)
                order = {
                    "symbol": SYMBOL,
                    "side": self._draw.choice(("buy", "sell")),
                    "type": "limit",
                    "qty": self._draw.randint(1, 5),
                    "limit_price": self._base + 100 * self._draw.randint(-2, 2),
                    "time_in_force": self._draw.choice(("day", "ioc")),
                }
                try:
                    answer = client.post("/v1/orders", json=order, headers={"Authorization": f"Bearer {key}"})
                except httpx.TransportError:
                    continue
                self.acknowledged += answer.status_code == 201
                if answer.status_code not in (201, 503):
                    self.unexpected.append(answer.text)


def events_after(client: httpx.Client, cursor: str) -> list[Envelope]:
    """All events of the account behind a cursor, page by page. A page that does not go on from its cursor fails here: the
    next would be the same, and so on without end."""
    found: list[Envelope] = []
    while page := client.get("/v1/events", params={"after": cursor, "limit": 1000}).raise_for_status().json()["events"]:
        for event in page:
            assert place(event["id"]) > place(cursor), f"{event['id']} came after {cursor}: twice, or out of order"
            cursor = event["id"]
        found += page
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    # A small ring: who resumes reads from the event log or from memory, as it happens.
    bounds = {"ONSEJU_RING_EVENTS": "1000", "ONSEJU_QUERY_RATE_PER_S": "100000", "ONSEJU_STREAM_RATE_PER_S": "100000"}
    process = ServerProcess(tmp_path / "data", env=bounds).start()
    yield process
    process.stop()


@pytest.mark.timeout(300 + 5 * DISCONNECTS)
def test_nothing_is_lost_doubled_or_out_of_order(server: ServerProcess) -> None:
    seed = int(os.environ.get("ONSEJU_SEED", "0")) or random.randrange(1, 2**32)
    print(f"seed {seed}: rerun with ONSEJU_SEED={seed}")
    draw = random.Random(seed)
    keys = [server.account(f"reader{n}", cash=10**13, s005930=10**7) for n in range(2)]
    readers = [Resuming(server.port, keys[n % 2], DISCONNECTS // READERS, seed + n) for n in range(READERS)]
    for reader in readers:
        reader.start()
    for reader in readers:
        assert reader.following.wait(WAIT_S), reader.failure
    orders = Orders(server, keys, seed)
    orders.start()
    killed = 0
    while any(reader.broken < DISCONNECTS // READERS for reader in readers):
        assert all(reader.is_alive() for reader in readers), [reader.failure for reader in readers]
        assert all(reader.ended <= 2 * killed + 2 for reader in readers), "the server ends streams without being killed"
        done = sum(reader.broken for reader in readers)
        if killed < KILLS and done >= (killed + 1) * DISCONNECTS // (KILLS + 1):
            time.sleep(draw.uniform(0, 0.1))
            server.kill()
            server.start()
            killed += 1
        time.sleep(0.01)
    orders.finish()
    assert not orders.unexpected
    end = time.monotonic() + WAIT_S
    for number, reader in enumerate(readers):
        assert reader.first is not None
        with server.client(keys[number % 2]) as client:
            there = events_after(client, reader.first)
        while not (reader.events and reader.events[-1]["id"] == there[-1]["id"]):
            assert reader.is_alive(), reader.failure
            assert time.monotonic() < end, f"{len(reader.events)} of {len(there)} events"
            time.sleep(0.01)
        reader.finish()
        reader.join(WAIT_S)
        assert reader.failure is None
        assert [event["id"] for event in reader.events] == [event["id"] for event in there]
        assert [event["data"] for event in reader.events] == [event["data"] for event in there]
        prevs = [event["prev"] for event in reader.events[1:]]
        assert prevs == [event["id"] for event in reader.events[:-1]]
        assert min(reader.connections.values()) > 0, "both transports were used"
    assert killed == KILLS
    events, acknowledged = sum(len(reader.events) for reader in readers), orders.acknowledged
    broken = sum(reader.broken for reader in readers)
    print(f"{broken} disconnects, {killed} kills, {acknowledged} orders, {events} events, none lost, none doubled")
    assert acknowledged > DISCONNECTS // 10
