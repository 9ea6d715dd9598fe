"""202 `pending`: what a request is told whose answer, from an exchange in another process, is not back in time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import msgspec
import pytest
from websockets.sync.client import connect

from onseju.bus.port import UnansweredError
from onseju.contract.commands import COMMAND_BYTES, CancelOrder, NewOrder, Request, encode_command
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import OrderType, Side
from onseju.gateway import keys, orders, users
from onseju.gateway.openapi import document
from onseju.gateway.order_records import MEDIA_TYPE
from onseju.gateway.shell import build_app
from onseju.push import websocket
from onseju.push.protocols import HttpProtocol
from tests.engines import once
from tests.unit.gateway.hosting import HOSTS
from tests.unit.gateway.served import ADMIN_KEY, Bus, Served, Venue

pytestmark = once
ORDER: dict[str, Any] = {"symbol": "005930", "side": "sell", "type": "limit", "qty": 2, "limit_price": 98_500}


class FarBus(Bus):
    """An exchange that takes everything; while `is_late`, its answers do not come back."""

    is_late = False

    async def request(self, requests: Sequence[Request]) -> list[EventBlock]:
        blocks = await super().request(requests)
        if self.is_late:
            raise UnansweredError("late")
        return blocks


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory, tested_on: object) -> Iterator[tuple[Venue, Served, str]]:
    venue = Venue(tmp_path_factory.mktemp("far"))
    venue.bus.__class__ = FarBus
    numbers = itertools.count(1)
    venue.gateway.client_ids = lambda: f"gw-1-1-{next(numbers)}"
    app: Any = build_app(
        venue.gateway, [*HOSTS, orders.operations, users.operations, keys.operations, websocket.operations]
    )
    with Served(app, http=HttpProtocol) as served:
        with served.client(headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as host:
            made = host.post(
                "/v1/admin/accounts", json={"name": "far", "cash": 10_000_000, "holdings": {"005930": 100}}
            )
            assert made.status_code == 201, made.text
        yield venue, served, made.json()["api_key"]
    venue.close()


@pytest.fixture
def client(far: tuple[Venue, Served, str]) -> Iterator[httpx.Client]:
    venue, served, key = far
    bus: Any = venue.bus
    with served.client(headers={"Authorization": f"Bearer {key}"}) as client:
        bus.is_late = True
        yield client
        bus.is_late = False


def test_an_order_without_an_answer_is_pending_under_its_own_id(client: httpx.Client) -> None:
    answer = client.post("/v1/orders", json={**ORDER, "client_order_id": "mine-1"})
    assert answer.status_code == 202
    assert answer.json() == {"client_order_id": "mine-1", "status": "pending", "order_id": None}
    assert "Onseju-Seq" not in answer.headers


def test_an_order_without_an_id_gets_one_and_is_found_by_it(
    client: httpx.Client, far: tuple[Venue, Served, str]
) -> None:
    for path in ("/v1/orders", "/v1/orders?"):  # the short way, and the long one
        answer = client.post(path, json=ORDER)
        assert answer.status_code == 202
        name = answer.json()["client_order_id"]
        assert name.startswith("gw-1-1-")
        assert name in far[0].bus.blocks[-1].text
        bus: Any = far[0].bus
        bus.is_late = False
        again = client.post(path, json={**ORDER, "client_order_id": name})
        bus.is_late = True
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")


def test_each_order_of_a_batch_is_pending_or_refused(client: httpx.Client) -> None:
    batch = [{**ORDER, "client_order_id": "b-1"}, {**ORDER, "symbol": "none"}, ORDER]
    answer = client.post("/v1/orders:batch", json={"orders": batch})
    assert answer.status_code == 200
    first, second, third = answer.json()["results"]
    assert first == {"pending": {"client_order_id": "b-1", "status": "pending", "order_id": None}}
    assert second["problem"]["code"] == "unknown_symbol"
    assert third["pending"]["client_order_id"].startswith("gw-1-1-")


def test_corrections_and_cancels_are_pending(client: httpx.Client) -> None:
    named = {"Onseju-Client-Request-Id": "c-1"}
    for answer, name in (
        (client.patch("/v1/orders/1", json={"limit_price": 98_600}), None),
        (client.patch("/v1/orders/1", json={"limit_price": 98_600, "client_order_id": "p-1"}), "p-1"),
        (client.delete("/v1/orders/1", headers=named), "c-1"),
        (client.delete("/v1/orders"), None),
    ):
        assert answer.status_code == 202
        assert answer.json() == {"client_order_id": name, "status": "pending", "order_id": None}


def test_records_are_pending(client: httpx.Client) -> None:
    new = NewOrder(
        account=0, instrument=1, qty=1, limit_price=98_500, side=int(Side.SELL), order_type=int(OrderType.LIMIT)
    )
    records = encode_command(new) + bytes(COMMAND_BYTES) + encode_command(CancelOrder(account=0, order_id=1))
    answer = client.post("/v1/orders:batch", content=records, headers={"Content-Type": MEDIA_TYPE})
    assert answer.status_code == 200
    parts = [answer.content[at : at + 24] for at in range(0, len(answer.content), 24)]
    assert [int.from_bytes(part[12:14], "little") for part in parts] == [202, 400, 202]
    assert [part[:8] for part in parts] == [bytes(8)] * 3


def test_on_the_websocket_an_order_is_pending(client: httpx.Client, far: tuple[Venue, Served, str]) -> None:
    _, served, key = far
    url = served.ws_url + "/v1/ws"
    with connect(url, additional_headers={"Authorization": f"Bearer {key}"}, proxy=None) as socket:
        for op, data in (
            ("order.new", {**ORDER, "client_order_id": "w-1"}),
            ("order.cancel_all", {}),
        ):
            socket.send(json.dumps({"op": op, "id": 1, "data": data}))
            answer = json.loads(socket.recv(timeout=10))
            body = {"client_order_id": data.get("client_order_id"), "status": "pending", "order_id": None}
            assert answer == {"id": 1, "status": 202, "body": body}


def test_the_hosts_calls_say_that_the_exchange_does_not_answer(far: tuple[Venue, Served, str]) -> None:
    venue, served, _ = far
    bus: Any = venue.bus
    bus.is_late = True
    with served.client(headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as host:
        answer = host.post("/v1/admin/deposits", json={"account_id": 1, "cash": 1})
    bus.is_late = False
    assert (answer.status_code, answer.json()["code"]) == (503, "exchange_stopped")


def test_the_document_names_the_answer() -> None:
    paths = msgspec.json.decode(msgspec.json.encode(document(orders.operations.table)))["paths"]
    for path, method in (
        ("/v1/orders", "post"),
        ("/v1/orders", "delete"),
        ("/v1/orders/{id}", "patch"),
        ("/v1/orders/{id}", "delete"),
    ):
        assert "202" in paths[path][method]["responses"], (path, method)
