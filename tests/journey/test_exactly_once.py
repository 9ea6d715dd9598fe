"""A request under its client's id takes effect once: after a `kill -9`, and over the roll of the day, until it is old."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx

from tests.journey.hostile import SYMBOL, base_price
from tests.serverprocess import ServerProcess

CLIENT_ID = "Onseju-Client-Request-Id"


class Requests:
    """A new order, a correction, a cancel and a cancel of all, each under an id of its own."""

    def __init__(self, client: httpx.Client) -> None:
        price = base_price(client)
        self.new: dict[str, Any] = {
            "symbol": SYMBOL,
            "side": "buy",
            "type": "limit",
            "qty": 5,
            "limit_price": price - 1000,
            "client_order_id": "new",
        }
        self.correction = {"limit_price": price - 2000, "leaves_qty": 3, "client_order_id": "correct"}
        self.first: list[httpx.Response] = []
        self.first = self.send(client)
        assert [answer.status_code for answer in self.first] == [201, 200, 200, 200, 422]

    def send(self, client: httpx.Client) -> list[httpx.Response]:
        new = client.post("/v1/orders", json=self.new)
        number = (self.first[0] if self.first else new).json()["order_id"]
        return [
            new,
            client.patch(f"/v1/orders/{number}", json=self.correction),
            client.delete(f"/v1/orders/{number}", params={"qty": 1}, headers={CLIENT_ID: "cancel"}),
            client.delete("/v1/orders", headers={CLIENT_ID: "cancel-all"}),
            client.post("/v1/orders", json=self.new | {"qty": 10**7, "client_order_id": "too-much"}),
        ]

    def check_repeats(self, client: httpx.Client) -> None:
        """Every repeat gets the first answer again; another request under the same id is refused."""
        for first, again in zip(self.first, self.send(client), strict=True):
            assert again.headers["Idempotency-Replayed"] == "true"
            assert again.status_code == (200 if first.status_code == 201 else first.status_code)
            told, before = again.json(), first.json()
            if first.status_code == 422:
                told, before = told["order"], before["order"]
            assert told == before
        other = client.post("/v1/orders", json=self.new | {"qty": 6})
        assert (other.status_code, other.json()["code"]) == (409, "client_order_id_reused")


def test_repeats_after_kills_and_days(fresh_server: ServerProcess) -> None:
    server = fresh_server
    key = server.account("careful", cash=10**8)
    with server.client(key) as client:
        requests = Requests(client)
        requests.check_repeats(client)
        cash = client.get("/v1/account").json()["cash"]
    server.kill()
    server.start()
    with server.client(key) as client, server.admin() as host:
        requests.check_repeats(client)
        today = date.fromisoformat(_day_of(client))
        _roll(host, today + timedelta(days=1))
        requests.check_repeats(client)  # the day before's ids are kept
    server.kill()
    server.start()
    with server.client(key) as client, server.admin() as host:
        requests.check_repeats(client)
        assert client.get("/v1/account").json()["cash"] == cash
        listed = client.get("/v1/orders", params={"limit": 100}).json()["orders"]
        assert len(listed) == 2, "one order, and one that was refused"
        _roll(host, today + timedelta(days=2))
        again = client.post("/v1/orders", json=requests.new)  # two rolls later an id is free
        assert again.status_code == 201
        assert again.json()["order_id"] > requests.first[0].json()["order_id"]


def _day_of(client: httpx.Client) -> str:
    day = str(client.get("/v1/clock").json()["trading_day"])
    return day if "-" in day else f"{day[:4]}-{day[4:6]}-{day[6:]}"


def _roll(host: httpx.Client, day: date) -> None:
    answer = host.post("/v1/admin/day", json={"trading_day": day.isoformat()})
    assert answer.status_code == 200, answer.text
