"""Order entry on the WebSocket, against a real server: answers by id, many in flight, in order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.serverprocess import ServerProcess
from tests.unit.gateway.test_signing import signed

SYMBOL = "005930"
PRICE = 97_500
ORDER: dict[str, Any] = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 1, "limit_price": PRICE}

_names = (f"ws-{number}" for number in itertools.count())


@pytest.fixture
def key(server: ServerProcess) -> str:
    return server.account(next(_names), cash=100_000_000, s005930=100)


@pytest.fixture
def ws(server: ServerProcess, key: str) -> Iterator[ClientConnection]:
    with open_socket(server, key) as connection:
        yield connection


def open_socket(server: ServerProcess, key: str | None) -> ClientConnection:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = server.url.replace("http", "ws", 1) + "/v1/ws"
    return connect(url, additional_headers=headers, compression=None, proxy=None)


def ask(ws: ClientConnection, op: str, data: Any, own: Any = 1) -> dict[str, Any]:
    ws.send(json.dumps({"op": op, "id": own, "data": data}))
    answer: dict[str, Any] = json.loads(ws.recv(timeout=20))
    assert answer["id"] == own
    return answer


def test_an_orders_life(ws: ClientConnection, server: ServerProcess, key: str) -> None:
    new = ask(ws, "order.new", {**ORDER, "qty": 5, "client_order_id": "w-1"}, "a")
    assert (new["status"], new["body"]["status"], new["body"]["fills"]) == (201, "new", [])
    assert new["seq"] == new["body"]["seq"]
    order_id = new["body"]["order_id"]
    corrected = ask(ws, "order.correct", {"order_id": order_id, "limit_price": PRICE - 100})
    assert (corrected["status"], corrected["body"]["limit_price"]) == (200, PRICE - 100)
    part = ask(ws, "order.cancel", {"order_id": order_id, "qty": 2})
    assert (part["status"], part["body"]["leaves_qty"]) == (200, 3)
    repeated = ask(ws, "order.new", {**ORDER, "qty": 5, "client_order_id": "w-1"})
    assert (repeated["status"], repeated["replayed"], repeated["body"]["order_id"]) == (200, True, order_id)
    other = ask(ws, "order.new", {**ORDER, "qty": 6, "client_order_id": "w-1"})
    assert (other["status"], other["problem"]["code"]) == (409, "client_order_id_reused")
    ended = ask(ws, "order.cancel_all", {})
    assert (ended["status"], ended["body"]["count"]) == (200, 1)
    done = ask(ws, "order.cancel", {"order_id": order_id})
    assert (done["status"], done["problem"]["code"]) == (409, "order_done")
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as http:
        shown = http.get(f"/v1/orders/{order_id}", headers={"Onseju-Min-Seq": str(done["seq"])})
        assert (shown.status_code, shown.json()["status"]) == (200, "canceled")


def test_many_in_flight_keep_their_order(ws: ClientConnection) -> None:
    for number in range(500):
        ws.send(json.dumps({"op": "order.new", "id": number, "data": ORDER}))
    answers = [json.loads(ws.recv(timeout=20)) for _ in range(500)]
    assert {answer["status"] for answer in answers} == {201}
    by_id = sorted(answers, key=lambda answer: answer["id"])
    order_ids = [answer["body"]["order_id"] for answer in by_id]
    assert order_ids == sorted(order_ids)
    assert [answer["id"] for answer in by_id] == list(range(500))


@pytest.mark.parametrize(
    ("op", "data", "status", "code"),
    [
        ("order.new", {**ORDER, "qty": 0}, 400, "malformed"),
        ("order.new", {**ORDER, "qty": 2**53}, 400, "malformed"),
        ("order.new", {**ORDER, "limit_price": "97500"}, 400, "malformed"),
        ("order.new", {**ORDER, "qty": 1.5}, 400, "malformed"),
        ("order.new", {**ORDER, "extra": 1}, 400, "malformed"),
        ("order.new", [], 400, "malformed"),
        ("order.new", None, 400, "malformed"),
        ("order.new", {**ORDER, "symbol": "999999"}, 404, "unknown_symbol"),
        ("order.new", {**ORDER, "qty": 10**6}, 422, "insufficient_cash"),
        ("order.new", {**ORDER, "side": "sell", "qty": 101}, 422, "insufficient_shares"),
        ("order.new", {**ORDER, "limit_price": PRICE + 1}, 422, "price_tick"),
        ("order.new", {**ORDER, "limit_price": 1000}, 422, "price_limit"),
        ("order.cancel", {"order_id": 10**12}, 404, "order_not_found"),
        ("order.cancel", {"order_id": 0}, 404, "order_not_found"),
        ("order.cancel", {"order_id": True}, 400, "malformed"),
        ("order.cancel", {"order_id": "1"}, 400, "malformed"),
        ("order.cancel", {}, 400, "malformed"),
        ("order.correct", {"order_id": 1}, 400, "malformed"),
        ("order.cancel_all", {"symbol": "999999"}, 404, "unknown_symbol"),
        ("order.cancel_all", {"side": "both"}, 400, "malformed"),
    ],
)
def test_refusals_are_those_of_http(ws: ClientConnection, op: str, data: Any, status: int, code: str) -> None:
    answer = ask(ws, op, data)
    assert (answer["status"], answer["problem"]["code"], answer["problem"]["status"]) == (status, code, status)
    assert "body" not in answer
    assert ask(ws, "order.new", ORDER)["status"] == 201


def test_orders_read_in_one_go_are_answered_as_those_that_come_alone(ws: ClientConnection) -> None:
    alone = ask(ws, "order.new", ORDER, "first")
    sent: list[Any] = [
        {"op": "order.new", "id": "a", "data": {**ORDER, "client_order_id": "many-1"}},
        {"op": "order.new", "id": 7, "data": {**ORDER, "qty": 0}},
        {"op": "order.new", "data": ORDER},
        {"op": "order.new", "id": "a", "data": {**ORDER, "client_order_id": "many-1"}},
        {"op": "order.new", "id": "none", "data": {**ORDER, "symbol": "999999"}},
        {"op": "order.new", "id": "poor", "data": {**ORDER, "qty": 10**6}},
        {"op": "order.cancel_all", "id": "end", "data": {}},
        {"op": "order.new", "id": "behind", "data": ORDER},
    ]
    with ws.protocol_mutex:  # one write, so that the server reads them at once
        for message in sent:
            ws.protocol.send_text(json.dumps(message).encode())
        ws.socket.sendall(b"".join(ws.protocol.data_to_send()))
    texts = [str(ws.recv(timeout=20)) for _ in sent]
    answers = [json.loads(text) for text in texts]
    by_id = {(answer["id"], answer.get("replayed", False)): answer for answer in answers}
    assert {name: answer["status"] for name, answer in by_id.items()} == {
        ("a", False): 201,
        (7, False): 400,
        (None, False): 201,
        ("a", True): 200,
        ("none", False): 404,
        ("poor", False): 422,
        ("end", False): 200,
        ("behind", False): 201,
    }
    assert by_id["end", False]["body"]["count"] == 3, "what came before it, and nothing behind"
    assert by_id["a", True]["body"]["order_id"] == by_id["a", False]["body"]["order_id"]
    for text, answer in zip(texts, answers, strict=True):
        assert msgspec.json.encode(answer).decode() == text
        if answer["status"] == 201:
            assert list(answer) == ["id", "status", "seq", "body"]
            assert list(answer["body"]) == list(alone["body"])
            assert answer["seq"] == answer["body"]["seq"]
    assert ask(ws, "order.cancel_all", {})["body"]["count"] == 1


def test_of_orders_read_in_one_go_those_over_the_limit_are_429(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, env={"ONSEJU_ORDER_RATE_PER_S": "4"}).start()
    try:
        with open_socket(server, server.account(next(_names), cash=100_000_000)) as ws:
            with ws.protocol_mutex:
                for number in range(60):
                    ws.protocol.send_text(json.dumps({"op": "order.new", "id": number, "data": ORDER}).encode())
                ws.socket.sendall(b"".join(ws.protocol.data_to_send()))
            answers = sorted((json.loads(ws.recv(timeout=20)) for _ in range(60)), key=lambda answer: answer["id"])
        statuses = [answer["status"] for answer in answers]
        assert 20 <= statuses.count(201) < 40
        assert set(statuses[:20]) == {201}, "the first ones"
        refused = [answer["problem"] for answer in answers if answer["status"] != 201]
        assert {(problem["code"], problem["status"]) for problem in refused} == {("rate_limited", 429)}
        assert all(problem["retry_after_s"] >= 1 for problem in refused)
    finally:
        assert server.stop() == 0


def test_a_signed_callers_orders_need_ids_of_their_own(server: ServerProcess, key: str) -> None:
    with server.client(key) as client:
        made = client.post("/v1/api-keys", json={"name": "bot", "kind": "signed", "scopes": ["read", "trade"]}).json()
    url = server.url.replace("http", "ws", 1) + "/v1/ws"
    headers = signed(made["api_key"], "GET", "/v1/ws")
    with connect(url, additional_headers=headers, compression=None, proxy=None) as ws:
        named = ask(ws, "order.new", {**ORDER, "client_order_id": "signed-1"})
        assert named["status"] == 201
        number = named["body"]["order_id"]
        for op, data in (("order.new", ORDER), ("order.correct", {"order_id": number, "leaves_qty": 2})):
            refused = ask(ws, op, data)
            assert (refused["status"], refused["problem"]["code"]) == (400, "malformed")
            assert [(error["field"], error["code"]) for error in refused["problem"]["errors"]] == [
                ("client_order_id", "missing")
            ]
            assert ask(ws, op, {**data, "client_order_id": f"signed-{op}"})["status"] in (200, 201)
        assert ask(ws, "order.cancel", {"order_id": number})["status"] == 200


def test_anothers_order_is_not_there(ws: ClientConnection, server: ServerProcess) -> None:
    order_id = ask(ws, "order.new", ORDER)["body"]["order_id"]
    with open_socket(server, server.account(next(_names), cash=1000)) as other:
        for op, data in (("order.cancel", {}), ("order.correct", {"leaves_qty": 2})):
            answer = ask(other, op, {"order_id": order_id, **data})
            assert (answer["status"], answer["problem"]["code"]) == (404, "order_not_found")
    assert ask(ws, "order.cancel", {"order_id": order_id})["status"] == 200


def test_nobody_enters_no_orders(server: ServerProcess) -> None:
    with open_socket(server, None) as ws:
        answer = ask(ws, "order.new", ORDER)
        assert (answer["status"], answer["problem"]["code"]) == (401, "unauthenticated")


def test_a_client_that_leaves_with_orders_in_flight_harms_nobody(server: ServerProcess, key: str) -> None:
    with open_socket(server, key) as ws:
        for number in range(100):
            ws.send(json.dumps({"op": "order.new", "id": number, "data": ORDER}))
        ws.recv(timeout=20)
    with open_socket(server, key) as ws:
        assert ask(ws, "order.new", ORDER)["status"] == 201
    assert not [line for line in server.output if "Traceback" in line]
