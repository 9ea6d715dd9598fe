"""Bad input over real sockets: each gets its documented answer, costs nothing, and the exchange goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from websockets.sync.client import connect as connect_websocket

from tests.engines import EngineName
from tests.journey.hostile import (
    CALM,
    Trader,
    base_price,
    order,
    refused,
    unharmed,
    written,
)
from tests.serverprocess import ServerProcess

WRONG_NUMBERS = [
    "0",
    "-0",
    "-1",
    str(2**53),
    "1" + "0" * 30,
    "1" * 5000,
    "1.5",
    "1.0",
    "1e2",
    "1e400",
    '"1"',
    "true",
    "null",
    "[]",
    "{}",
]
"""JSON that is no price and no quantity."""

NO_JSON = ["NaN", "Infinity", "01", "+1", "0x10", "1_0", "١", "1e", "-", "", "'1'"]
"""What is no number in JSON at all."""


@pytest.fixture(scope="module")
def exchange(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("bad-input"), env=CALM).start()
    yield process
    assert process.stop() == 0


@pytest.fixture(scope="module")
def traders(exchange: ServerProcess) -> Iterator[tuple[Trader, Trader]]:
    alice, bob = Trader(exchange, "alice"), Trader(exchange, "bob")
    with closing(alice.http), closing(bob.http):
        yield alice, bob


@pytest.fixture
def alice(exchange: ServerProcess, traders: tuple[Trader, Trader]) -> Iterator[Trader]:
    with unharmed(exchange, *traders):
        yield traders[0]


@pytest.fixture(scope="module")
def bob(traders: tuple[Trader, Trader]) -> Trader:
    return traders[1]


@pytest.fixture(scope="module")
def base(traders: tuple[Trader, Trader]) -> int:
    return base_price(traders[0].http)


Way = Callable[[Trader, str], tuple[int, Any]]
"""Sends the JSON of a new order; gives the status and the problem or order."""


def over_http(trader: Trader, text: str) -> tuple[int, Any]:
    answer = trader.send("POST", "/v1/orders", text)
    return answer.status_code, answer.json()


def in_a_batch(trader: Trader, text: str) -> tuple[int, Any]:
    """As the one in the middle of three, of which the others must be taken."""
    good = json.dumps(order(base_price(trader.http)))
    answer = trader.send("POST", "/v1/orders:batch", f'{{"orders":[{good},{text},{good}]}}')
    if answer.status_code != 200:
        return answer.status_code, answer.json()
    first, item, last = answer.json()["results"]
    for good_one in (first, last):
        trader.cancel(good_one["order"]["order_id"])
    if "order" in item:
        return 201, item["order"]
    return item["problem"]["status"], item["problem"]


def over_websocket(trader: Trader, text: str) -> tuple[int, Any]:
    with open_websocket(trader) as socket:
        socket.send(f'{{"op":"order.new","id":"x","data":{text}}}')
        answer = json.loads(socket.recv(timeout=20))
    return answer["status"], answer.get("problem") or answer["body"]


def open_websocket(trader: Trader) -> Any:
    headers = {"Authorization": f"Bearer {trader.key}"}
    url = trader.server.url.replace("http", "ws", 1) + "/v1/ws"
    return connect_websocket(url, additional_headers=headers, compression=None, proxy=None)


WAYS = [over_http, in_a_batch, over_websocket]


# Prices and quantities


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("field", "code"), [("qty", "invalid_qty"), ("limit_price", "invalid_price")])
def test_numbers_that_are_none_of_a_new_order(alice: Trader, base: int, way: Way, field: str, code: str) -> None:
    for text in WRONG_NUMBERS:
        status, problem = way(alice, written(order(base), field, text))
        assert (status, problem["code"]) == (400, "malformed"), text
        assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)], text
        assert all(error["detail"] for error in problem["errors"])
    for text in NO_JSON:
        status, problem = way(alice, written(order(base), field, text))
        assert (status, problem["code"]) == (400, "malformed"), text


def test_numbers_that_are_none_of_a_correction(alice: Trader, base: int) -> None:
    resting = alice.rest(base)
    path = f"/v1/orders/{resting['order_id']}"
    for field, right in (("limit_price", ()), ("stop_price", ()), ("leaves_qty", ("0", "-0")), ("qty", ())):
        for text in (*WRONG_NUMBERS, *NO_JSON):
            if text in right:
                continue
            body = {"limit_price": base - 2000, field: "@"} if field == "qty" and text != "null" else {field: "@"}
            answer = alice.send("PATCH", path, json.dumps(body).replace('"@"', text))
            refused(answer, 400, "malformed")
    for text in (*WRONG_NUMBERS, "", "x", "1;1"):
        refused(alice.http.delete(path, params={"qty": text}), 400, "malformed")
    refused(alice.http.patch(path, json={}), 400, "malformed")
    refused(alice.http.patch(path, json={"stop_price": base - 2000}), 422, "invalid_stop_price")
    refused(alice.http.patch(path, json={"type": "market", "stop_price": base}), 400, "malformed")
    refused(alice.http.patch(path, json={"type": "stop_limit", "stop_price": base}), 422, "invalid_stop_price")
    refused(alice.http.patch(path, json={"limit_price": resting["limit_price"]}), 422, "nothing_to_correct")
    refused(alice.http.delete(path, params={"qty": 3}), 422, "invalid_qty")
    refused(alice.http.patch(path, json={"qty": 3, "limit_price": base - 2000}), 422, "invalid_qty")
    still = alice.http.get(path).json()
    assert (still["leaves_qty"], still["limit_price"], still["status"]) == (2, base - 1000, "new")
    alice.cancel(resting["order_id"])


def test_numbers_that_are_none_over_the_websocket(alice: Trader, base: int) -> None:
    resting = alice.rest(base)
    with open_websocket(alice) as socket:

        def ask(op: str, data: str) -> Any:
            socket.send(f'{{"op":"{op}","id":7,"data":{data}}}')
            answer = json.loads(socket.recv(timeout=20))
            assert answer["id"] == 7
            return answer["problem"]

        for text in WRONG_NUMBERS:
            if text not in ("0", "-0"):
                problem = ask("order.correct", f'{{"order_id":{resting["order_id"]},"leaves_qty":{text}}}')
                assert (problem["status"], problem["code"]) == (400, "malformed"), text
            if text != "null":
                problem = ask("order.cancel", f'{{"order_id":{resting["order_id"]},"qty":{text}}}')
                assert (problem["status"], problem["code"]) == (400, "malformed"), text
            problem = ask("order.cancel", f'{{"order_id":{text}}}')
            assert problem["code"] in ("malformed", "order_not_found"), text
        assert ask("order.cancel", "{}")["code"] == "malformed"
        assert ask("order.cancel", "[]")["code"] == "malformed"
        assert ask("order.cancel_all", '{"symbol":5}')["code"] == "malformed"
    alice.cancel(resting["order_id"])


def test_the_largest_numbers_that_are_some(alice: Trader, base: int) -> None:
    largest = 2**53 - 1
    refused(alice.post(order(base, qty=largest)), 422, "amount_too_large")
    refused(alice.post(order(base, limit_price=largest)), 422, "price_tick")
    refused(alice.post(order(base, limit_price=largest // 1000 * 1000)), 422, "price_limit")
    refused(alice.post(order(base, qty=10**12)), 422, "qty_limit")
    refused(alice.post(order(base, qty=10**6)), 422, "insufficient_cash")
    refused(alice.post(order(base, qty=10**6, side="sell")), 422, "insufficient_shares")
    for path in (str(largest), str(2**53), "9" * 16, "9" * 500, "0", "-1", "1.5", "x", "%00", "１"):
        refused(alice.http.get(f"/v1/orders/{path}"), 404, "order_not_found")
        refused(alice.http.delete(f"/v1/orders/{path}"), 404, "order_not_found")
        refused(alice.http.patch(f"/v1/orders/{path}", json={"leaves_qty": 1}), 404, "order_not_found")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"side": "hold"}, "side", "invalid_side"),
        ({"side": "BUY"}, "side", "invalid_side"),
        ({"side": 1}, "side", "invalid_side"),
        ({"type": "wish"}, "type", "invalid_order_type"),
        ({"type": "market"}, "limit_price", "not_allowed"),
        ({"type": "stop_limit"}, "stop_price", "invalid_stop_price"),
        ({"stop_price": 1}, "stop_price", "not_allowed"),
        ({"type": "stop", "stop_price": 1}, "limit_price", "not_allowed"),
        ({"type": "best_same"}, "limit_price", "not_allowed"),
        ({"type": "midpoint"}, "limit_price", "not_allowed"),
        ({"type": "conditional_limit", "limit_price": None}, "limit_price", "invalid_price"),
        ({"type": "stop_limit", "stop_price": "1"}, "stop_price", "invalid_stop_price"),
        ({"limit_price": None}, "limit_price", "invalid_price"),
        ({"qty": None}, "qty", "invalid_qty"),
        ({"symbol": None}, "symbol", "invalid_symbol"),
        ({"symbol": 5930}, "symbol", "invalid_symbol"),
        ({"time_in_force": "gtc"}, "time_in_force", "invalid_time_in_force"),
        ({"account_id": 1}, "account_id", "unknown"),
        ({"client_order_id": ""}, "client_order_id", "invalid_client_order_id"),
        ({"client_order_id": "a" * 65}, "client_order_id", "invalid_client_order_id"),
        ({"client_order_id": "a b"}, "client_order_id", "invalid_client_order_id"),
        ({"client_order_id": "a\n"}, "client_order_id", "invalid_client_order_id"),
        ({"client_order_id": "a\0"}, "client_order_id", "invalid_client_order_id"),
        ({"client_order_id": "주문"}, "client_order_id", "invalid_client_order_id"),
        ({"client_order_id": 5}, "client_order_id", "invalid_client_order_id"),
    ],
)
def test_fields_that_are_wrong(
    alice: Trader, base: int, way: Way, changes: dict[str, Any], field: str, code: str
) -> None:
    status, problem = way(alice, json.dumps(order(base, **changes)))
    assert (status, problem["code"]) == (400, "malformed")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]


@pytest.mark.parametrize("way", WAYS)
def test_instruments_that_there_are_none_of(alice: Trader, base: int, way: Way) -> None:
    for symbol in ("999999", "", "0", "005930 ", "0059\0" + "30", "../005930", "삼성전자", "x" * 10_000, "😀", "%30"):
        status, problem = way(alice, json.dumps(order(base, symbol=symbol)))
        assert (status, problem["code"]) == (404, "unknown_symbol"), symbol
    status, problem = way(alice, written(order(base), "symbol", '"\\ud800"'))  # half a character
    assert status in (400, 404), problem


def test_instruments_that_there_are_none_of_in_addresses(alice: Trader) -> None:
    for symbol in ("999999", "x" * 2000, "%00", "%ff%fe", "%ED%A0%80", "..%2f005930", "삼성", " "):
        for path in (f"/v1/book/{symbol}", f"/v1/trades/{symbol}", f"/v1/candles/{symbol}"):
            answer = alice.http.get(path)
            assert (answer.status_code, answer.json()["code"]) in ((404, "unknown_symbol"), (404, "not_found")), path
    for path in ("/v1/orders", "/v1/fills", "/v1/order-capacity"):
        answer = alice.http.get(path, params={"symbol": "\0", "side": "buy"})
        refused(answer, 404, "unknown_symbol")
    refused(alice.http.delete("/v1/orders", params={"symbol": "999999"}), 404, "unknown_symbol")


# Money and shares


@pytest.mark.parametrize("way", WAYS)
def test_more_than_one_has(exchange: ServerProcess, alice: Trader, base: int, way: Way) -> None:
    name = f"poor-{way.__name__.replace('_', '-')}"
    poor = Trader(exchange, name, cash=3 * base, shares=5)
    with closing(poor.http), unharmed(exchange, poor):
        for changes, code in (
            ({"qty": 4, "limit_price": base}, "insufficient_cash"),
            ({"qty": 4, "type": "market", "limit_price": None}, "insufficient_cash"),
            ({"qty": 6, "side": "sell"}, "insufficient_shares"),
            ({"qty": 6, "side": "sell", "type": "market", "limit_price": None}, "insufficient_shares"),
            ({"qty": 1, "side": "sell", "symbol": "000660", "limit_price": 545_000}, "insufficient_shares"),
        ):
            status, problem = way(poor, json.dumps(order(base, **changes)))
            assert (status, problem["code"]) == (422, code), changes
            # it is listed, as refused
            refused_order = problem["order"]
            assert (refused_order["status"], refused_order["reject_reason"]) == ("rejected", code)
            listed = poor.http.get(f"/v1/orders/{refused_order['order_id']}").json()
            assert {name: listed[name] for name in refused_order if name in listed} == {
                name: value for name, value in refused_order.items() if name in listed
            }
            assert (listed["leaves_qty"], listed["filled_qty"]) == (0, 0)


def test_corrections_beyond_what_one_has(exchange: ServerProcess, base: int) -> None:
    poor = Trader(exchange, "poor-corrector", cash=3 * base, shares=5)
    with closing(poor.http), unharmed(exchange, poor):
        buy = poor.rest(base, qty=2)
        sell = poor.rest(base, qty=4, side="sell", limit_price=base + 1000)
        path = f"/v1/orders/{buy['order_id']}"
        refused(poor.http.patch(path, json={"leaves_qty": 4}), 422, "insufficient_cash")
        refused(poor.http.patch(path, json={"leaves_qty": 3, "limit_price": base + 900}), 422, "insufficient_cash")
        refused(poor.http.patch(path, json={"leaves_qty": 2**53 - 1}), 422, "amount_too_large")
        other = f"/v1/orders/{sell['order_id']}"
        refused(poor.http.patch(other, json={"leaves_qty": 6}), 422, "insufficient_shares")
        cash, reserved, shares, reserved_shares = poor.money(sell["seq"])
        with_commission = 2 * (base - 1000) * 1_000_150 // 1_000_000  # 0.015 %, cut to whole won
        assert (cash, reserved, shares, reserved_shares) == (3 * base, with_commission, 5, 4)
        poor.cancel(buy["order_id"])
        poor.cancel(sell["order_id"])


# Others' orders


def test_anothers_order_is_as_unknown_as_one_that_never_was(alice: Trader, bob: Trader, base: int) -> None:
    resting = bob.rest(base, client_order_id="bobs-open")
    done = bob.rest(base, client_order_id="bobs-done")
    bob.cancel(done["order_id"])
    rejected = bob.post(order(base, qty=10**9)).json()["order"]
    never = {"order_id": 10**9}
    for one in (resting, done, rejected, never):
        path = f"/v1/orders/{one['order_id']}"
        refused(alice.http.get(path), 404, "order_not_found")
        refused(alice.http.delete(path), 404, "order_not_found")
        refused(alice.http.delete(path, params={"qty": 1}), 404, "order_not_found")
        refused(alice.http.patch(path, json={"leaves_qty": 1}), 404, "order_not_found")
        refused(alice.http.patch(path, json={"limit_price": base - 2000, "qty": 1}), 404, "order_not_found")
        assert alice.http.get("/v1/fills", params={"order_id": one["order_id"]}).json()["fills"] == []
    for client_id in ("bobs-open", "bobs-done"):
        refused(alice.http.get(f"/v1/orders:by-client-id/{client_id}"), 404, "order_not_found")
    with open_websocket(alice) as socket:
        for one in (resting, done, rejected, never):
            for op, data in (("cancel", {}), ("correct", {"leaves_qty": 1})):
                socket.send(json.dumps({"op": f"order.{op}", "id": op, "data": data | {"order_id": one["order_id"]}}))
                answer = json.loads(socket.recv(timeout=20))
                assert (answer["id"], answer["status"], answer["problem"]["code"]) == (op, 404, "order_not_found")
    assert alice.http.delete("/v1/orders").json() == {"canceled": [], "count": 0}
    assert bob.http.get(f"/v1/orders/{resting['order_id']}").json()["leaves_qty"] == 2
    refused(bob.http.delete(f"/v1/orders/{done['order_id']}"), 409, "order_done")
    bob.cancel(resting["order_id"])


# The same client_order_id again


def test_a_client_id_again(alice: Trader, base: int) -> None:
    body = order(base, qty=2, client_order_id="again-1")
    first = alice.post(body)
    assert first.status_code == 201
    again = alice.post(body)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert again.json() == first.json()
    order_id = first.json()["order_id"]
    path = f"/v1/orders/{order_id}"
    for other in (body | {"qty": 1}, body | {"limit_price": base - 2000}, body | {"side": "sell"}):
        refused(alice.post(other), 409, "client_order_id_reused")
    # one name space: neither a correction nor a cancel may have it
    refused(alice.http.patch(path, json={"leaves_qty": 1, "client_order_id": "again-1"}), 409, "client_order_id_reused")
    header = "Onseju-Client-Request-Id"
    refused(alice.http.delete(path, headers={header: "again-1"}), 409, "client_order_id_reused")
    assert alice.http.get(path).json()["leaves_qty"] == 2

    correction = {"leaves_qty": 1, "client_order_id": "again-2"}
    corrected = alice.http.patch(path, json=correction)
    repeated = alice.http.patch(path, json=correction)
    assert (corrected.status_code, repeated.status_code) == (200, 200)
    assert repeated.headers["Idempotency-Replayed"] == "true"
    assert repeated.json() == corrected.json()
    refused(alice.http.patch(path, json=correction | {"leaves_qty": 2}), 409, "client_order_id_reused")

    canceled = alice.http.delete(path, headers={header: "again-3"})
    repeated = alice.http.delete(path, headers={header: "again-3"})
    assert (canceled.status_code, repeated.status_code) == (200, 200)
    assert repeated.json() == canceled.json()
    assert repeated.headers["Idempotency-Replayed"] == "true"
    refused(alice.http.delete("/v1/orders", headers={header: "again-3"}), 409, "client_order_id_reused")
    for bad in ("a b", "a" * 65, ""):
        refused(alice.http.delete(path, headers={header: bad}), 400, "malformed")


def test_a_refusal_by_the_exchange_uses_an_id_up_and_one_of_form_does_not(alice: Trader, base: int) -> None:
    too_much = order(base, qty=10**6, client_order_id="used-up")
    first = refused(alice.post(too_much), 422, "insufficient_cash")
    again = alice.post(too_much)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert refused(again, 422, "insufficient_cash")["order"] == first["order"]
    refused(alice.post(too_much | {"qty": 1}), 409, "client_order_id_reused")
    refused(alice.post(order(base, qty=0, client_order_id="free")), 400, "malformed")
    refused(alice.post(order(base, symbol="999999", client_order_id="free")), 404, "unknown_symbol")
    taken = alice.post(order(base, client_order_id="free"))
    assert taken.status_code == 201
    alice.cancel(taken.json()["order_id"])


def test_a_client_id_twice_in_one_batch(alice: Trader, base: int) -> None:
    one = order(base, client_order_id="twin")
    results = alice.post({"orders": [one, one, one | {"qty": 2}]}, "/v1/orders:batch").json()["results"]
    assert results[0]["order"] == results[1]["order"]
    assert (results[1]["replayed"], results[2]["problem"]["code"]) == (True, "client_order_id_reused")
    alice.cancel(results[0]["order"]["order_id"])
