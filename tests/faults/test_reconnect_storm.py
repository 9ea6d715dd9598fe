"""Many streams at once, all broken off at once, all back at once: nothing is lost, doubled or out of order.

Hundreds here; `make soak` opens 10,000 (`ONSEJU_STREAMS`). The clients are a process of their own (`bench.streamload`): it
resumes every stream at its own last event, and counts each envelope that does not name the one before it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.streamload import Herd, Transport, resident_kib
from tests.serverprocess import ServerProcess

STREAMS = int(os.environ.get("ONSEJU_STREAMS", "240"))
STREAMS_EACH = 20
"""What one account may have."""
KIB_EACH = 64
"""The bound on the server's memory for one open stream. It needs about half of it."""
SYMBOL = "005930"
WAIT_S = 600


class Market:
    """The server, the accounts that the streams belong to, and a client for each of their orders."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.keys = []
        with server.admin() as admin:
            for number in range(-(-STREAMS // STREAMS_EACH)):
                answer = admin.post("/v1/admin/accounts", json={"name": f"t{number}", "cash": 10**9, "holdings": {}})
                assert answer.status_code == 201, answer.text
                self.keys.append(answer.json()["api_key"])
        self.http = server.client()
        rows = self.http.get("/v1/symbols").json()["symbols"]
        self.price = next(row["base_price"] for row in rows if row["symbol"] == SYMBOL)
        self.order(self.keys[0])
        events = self.http.get("/v1/events", headers={"Authorization": f"Bearer {self.keys[0]}"}).json()["events"]
        self.events = sum(event["data"]["seq"] == events[-1]["data"]["seq"] for event in events)
        """What an order gives each stream of its account."""

    def order_of_each(self) -> None:
        """Every account enters an order: `events` for each of its streams."""
        for key in self.keys:
            self.order(key)

    def order(self, key: str) -> None:
        """An order that finds nobody and leaves nothing behind, so that no day's end has an event for it."""
        body = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 1, "limit_price": self.price - 1000}
        answer = self.http.post(
            "/v1/orders", json=body | {"time_in_force": "ioc"}, headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 201, answer.text


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    # A small ring: who comes back reads from the event log, and then from memory.
    bounds = {"ONSEJU_RING_EVENTS": "1000", "ONSEJU_QUERY_RATE_PER_S": "100000"}
    server = ServerProcess(tmp_path_factory.mktemp("storm"), env=bounds).start()
    found = Market(server)
    yield found
    found.http.close()
    assert server.stop() == 0


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("transport", ["sse", "websocket"])
def test_all_streams_break_off_and_come_back_at_once(market: Market, transport: Transport, tmp_path: Path) -> None:
    server = market.server
    before = resident_kib(server.pid)
    with Herd(server.port, transport, market.keys, tmp_path) as herd:
        assert herd.ask("open", count=STREAMS)["open"] == STREAMS
        assert resident_kib(server.pid) - before < STREAMS * KIB_EACH + 20_000
        market.order_of_each()
        live = herd.ask("wait", received=STREAMS * market.events, seconds=WAIT_S)
        assert (live["received"], live["gaps"], live["lost"]) == (STREAMS * market.events, 0, 0)

        assert herd.ask("drop")["open"] == 0
        for _ in range(3):
            market.order_of_each()  # what they miss
        herd.ask("forget")
        herd.tell("storm")
        served = _others_are_served(market, herd)
        assert served["open"] == STREAMS
        market.order_of_each()  # and what comes once they are back
        wanted = 4 * STREAMS * market.events
        back = herd.ask("wait", received=wanted, seconds=WAIT_S)
        assert (back["received"], back["gaps"], back["resets"], back["lost"]) == (wanted, 0, 0, 0)
        assert resident_kib(server.pid) - before < STREAMS * KIB_EACH + 20_000


def _others_are_served(market: Market, herd: Herd) -> dict[str, int]:
    """The storm's outcome. Meanwhile an ordinary client asks, again and again, and is answered."""
    outcome: list[dict[str, int]] = []
    storm = threading.Thread(target=lambda: outcome.append(herd.hear()))
    storm.start()
    try:
        while storm.is_alive():
            assert market.http.get("/v1/clock", timeout=httpx.Timeout(30)).status_code == 200
            storm.join(0.01)
    finally:
        storm.join()
    return outcome[0]
