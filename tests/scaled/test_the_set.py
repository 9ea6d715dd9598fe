"""`onseju up --scaled` with a real PostgreSQL and a real RocketMQ: two gateways are one market, and no
fault loses or doubles what was acknowledged: there is a ledger at the clients' side.

`ONSEJU_SCALED_ROUNDS` says how often each fault is brought about (`make soak`: 50); `-s` prints the figures of each round.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx
import pytest

from tests.journey.streams import SseClient
from tests.scaled.faults import AFTER, FAULTS
from tests.scaled.ledger import PRICE, SYMBOL, Figures, Load, check
from tests.scaled.the_set import ScaledSet

ROUNDS = int(os.environ.get("ONSEJU_SCALED_ROUNDS", "1"))
FIGURES = os.environ.get("ONSEJU_SCALED_FIGURES")
"""A file to which each round's figures are appended, a line of JSON each."""

pytestmark = pytest.mark.timeout(600 * ROUNDS)


def order(client: httpx.Client, side: str, qty: int, cid: str, price: int = PRICE) -> httpx.Response:
    body = {"symbol": SYMBOL, "side": side, "type": "limit", "limit_price": price, "qty": qty, "client_order_id": cid}
    return client.post("/v1/orders", json=body)


def test_two_gateways_are_one_market(scaled: ScaledSet) -> None:
    processes = scaled.wait_for(scaled.complete)
    first, second = processes["gateway 1"]["url"], processes["gateway 2"]["url"]
    alice, bob = scaled.account("alice", s005930=100), scaled.account("bob")
    stream = SseClient(second, alice)  # of a user who was made at the other gateway a moment ago
    try:
        with scaled.at(first, alice) as seller, scaled.at(second, bob) as buyer:
            assert order(seller, "sell", 5, "a-1").status_code == 201
            bought = order(buyer, "buy", 5, "b-1")
            assert bought.status_code == 201, bought.text
            assert bought.json()["status"] == "filled"
            fill = stream.wait_for(lambda envelope: envelope["type"] == "fill")
            assert fill["data"]["qty"] == 5
            seq = bought.headers["Onseju-Seq"]
            read = seller.get("/v1/orders:by-client-id/a-1", headers={"Onseju-Min-Seq": seq})
            assert (read.status_code, read.json()["status"]) == (200, "filled")
            book = seller.get(f"/v1/book/{SYMBOL}", headers={"Onseju-Min-Seq": seq})
            assert book.status_code == 200
            ahead = seller.get("/v1/orders", headers={"Onseju-Min-Seq": str(10**12)})
            assert (ahead.status_code, ahead.json()["code"]) == (400, "seq_ahead")
            again = order(seller, "sell", 5, "a-1")
            assert again.status_code == 200, "a repeat at any gateway gets the first answer"
            with scaled.at(second, alice) as elsewhere:
                assert order(elsewhere, "sell", 5, "a-1").json()["order_id"] == again.json()["order_id"]
    finally:
        stream.close()


def test_every_process_tells_how_it_stands(scaled: ScaledSet) -> None:
    processes = scaled.wait_for(scaled.complete)
    assert processes["exchange leader"]["epoch"] >= 1
    with httpx.Client(trust_env=False, timeout=10) as client:
        for role, leads in (("leader", "1.0"), ("standby", "0.0")):
            url = processes[f"exchange {role}"]["url"]
            assert client.get(f"{url}/healthz").json()["status"] == "ok"
            assert client.get(f"{url}/readyz").status_code == 200
            assert f"onseju_leads {leads}" in client.get(f"{url}/metrics").text
        url = processes["projector active"]["url"]
        assert "onseju_projection_lag_commands" in client.get(f"{url}/metrics").text
        assert client.get(f"{scaled.url}/v1/topology").status_code == 401
        page = client.get(f"{scaled.url}/topology.html")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_acknowledged_is_lost_or_doubled(scaled: ScaledSet, name: str) -> None:
    for round_ in range(ROUNDS):
        processes = scaled.wait_complete()
        database_url = scaled.settings_of(processes["gateway 1"])["ONSEJU_DATABASE_URL"]
        label = f"{list(FAULTS).index(name)}.{scaled.rounds}"
        scaled.rounds += 1
        load = Load(scaled, label, [processes[f"gateway {number}"]["url"] for number in (1, 2)])
        load.start()
        try:
            FAULTS[name](scaled, load, round_)
            load.go_on(AFTER)
        finally:
            load.stop()
        check(load, database_url)
        _tell(name, round_, load.figures(), load.acknowledged)


def _tell(name: str, round_: int, figures: Figures, acknowledged: int) -> None:
    told = {
        "fault": name,
        "round": round_ + 1,
        "sent": figures.sent,
        "acknowledged": acknowledged,
        "repeated": figures.repeated,
        "pending": figures.pending,
        "longest_wait_s": round(max(figures.waits_s), 2),
        "without_service_s": round(figures.without_service_s, 2),
    }
    print(f"\n{told}; none lost, none doubled")
    assert acknowledged == figures.sent
    if FIGURES:
        with Path(FIGURES).open("a") as file:
            file.write(json.dumps(told) + "\n")
