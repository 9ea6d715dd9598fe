"""Order entry over HTTP, against a real server: every documented answer, and that refusals cost nothing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serverprocess import ServerProcess

SYMBOL = "005930"
PRICE = 98_500
GOOD: dict[str, Any] = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 10, "limit_price": PRICE - 1000}
JSON = {"Content-Type": "application/json"}

_names = (f"orders-{number}" for number in itertools.count())


@pytest.fixture
def trader(server: ServerProcess) -> Iterator[httpx.Client]:
    """A client of an account of its own: 10 million won, 100 shares."""
    with server.client(server.account(next(_names), cash=10_000_000, s005930=100)) as client:
        yield client


@pytest.fixture
def other(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client(server.account(next(_names), cash=10_000_000, s005930=100)) as client:
        yield client


def enter(client: httpx.Client, **changes: Any) -> httpx.Response:
    return client.post("/v1/orders", json={**GOOD, **changes})


def entered(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    answer = enter(client, **changes)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Onseju-Seq"] == str(answer.json()["seq"])
    order: dict[str, Any] = answer.json()
    return order


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"]
    assert problem["instance"]
    return problem


def money(client: httpx.Client) -> tuple[Any, ...]:
    """Cash and shares, and what of them is reserved, as of everything that has happened."""
    head = client.delete("/v1/orders", params={"symbol": "069500"}).headers["Onseju-Seq"]
    minimum = {"Onseju-Min-Seq": head}
    account = client.get("/v1/account", headers=minimum)
    positions = client.get("/v1/positions", headers=minimum)
    assert (account.status_code, positions.status_code) == (200, 200), (account.text, positions.text)
    shares = [(row["symbol"], row["qty"], row["reserved_qty"]) for row in positions.json()["positions"]]
    return account.json()["cash"], account.json()["reserved"], sorted(shares)


def with_commission(amount: int) -> int:
    """KRX rules 7.2: 0.015 %, cut to whole won."""
    return amount + amount * 150 // 1_000_000


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        *(
            ({field: value}, field, code)
            for field, code in (("qty", "invalid_qty"), ("limit_price", "invalid_price"))
            for value in (0, -1, 2**53, 10**30, 1.5, 1.0, "10", True, None, [], {})
        ),
        ({"side": "long"}, "side", "invalid_side"),
        ({"type": "iceberg"}, "type", "invalid_order_type"),
        ({"type": "market"}, "limit_price", "not_allowed"),
        ({"time_in_force": "gtc"}, "time_in_force", "invalid_time_in_force"),
        ({"symbol": None}, "symbol", "invalid_symbol"),
        ({"client_order_id": "a b"}, "client_order_id", "invalid_client_order_id"),
        ({"account_id": 1}, "account_id", "unknown"),
    ],
)
def test_a_malformed_order_is_400_and_names_the_field(
    trader: httpx.Client, changes: dict[str, Any], field: str, code: str
) -> None:
    before = money(trader)
    problem = refused(enter(trader, **changes), 400, "malformed")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]
    assert problem["errors"][0]["detail"]
    assert money(trader) == before


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"symbol": "999999"}, 404, "unknown_symbol"),
        ({"symbol": "삼성전자"}, 404, "unknown_symbol"),
        ({"qty": 200}, 422, "insufficient_cash"),
        ({"type": "market", "limit_price": None, "qty": 200}, 422, "insufficient_cash"),
        ({"side": "sell", "qty": 101}, 422, "insufficient_shares"),
        ({"side": "sell", "symbol": "000660", "qty": 1, "limit_price": 545_000}, 422, "insufficient_shares"),
        ({"limit_price": PRICE + 1}, 422, "price_tick"),
        ({"limit_price": 1}, 422, "price_limit"),
        ({"qty": 2**53 - 1}, 422, "amount_too_large"),
    ],
)
def test_what_cannot_be_is_refused_and_reserves_nothing(
    trader: httpx.Client, changes: dict[str, Any], status: int, code: str
) -> None:
    before = money(trader)
    problem = refused(enter(trader, **changes), status, code)
    if status == 422:
        assert problem["order"]["status"] == "rejected"
        assert problem["order"]["reject_reason"] == code
        assert problem["seq"] == problem["order"]["seq"]
    assert money(trader) == before


def test_an_open_order_reserves_and_a_cancel_gives_back(trader: httpx.Client) -> None:
    before = money(trader)
    order = entered(trader, qty=3)
    assert (order["status"], order["leaves_qty"], order["fills"]) == ("new", 3, [])
    cash, reserved, shares = before
    assert money(trader) == (cash, reserved + with_commission(3 * (PRICE - 1000)), shares)
    path = f"/v1/orders/{order['order_id']}"
    corrected = trader.patch(path, json={"limit_price": PRICE - 2000, "leaves_qty": 2})
    assert corrected.status_code == 200, corrected.text
    assert (corrected.json()["order_id"], corrected.json()["leaves_qty"]) == (order["order_id"], 2)
    assert money(trader) == (cash, reserved + with_commission(2 * (PRICE - 2000)), shares)
    part = trader.delete(path, params={"qty": 1})
    assert (part.status_code, part.json()["leaves_qty"], part.json()["status"]) == (200, 1, "new")
    canceled = trader.delete(path)
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    assert money(trader) == before
    refused(trader.delete(path), 409, "order_done")
    refused(trader.patch(path, json={"leaves_qty": 1}), 409, "order_done")


def test_fills_come_with_the_answer(trader: httpx.Client, other: httpx.Client) -> None:
    entered(other, side="sell", qty=4, limit_price=PRICE - 3000)
    taking = entered(trader, qty=5, limit_price=PRICE - 3000, time_in_force="ioc", client_order_id="take-1")
    assert (taking["status"], taking["filled_qty"], taking["canceled_qty"]) == ("canceled", 4, 1)
    (fill,) = taking["fills"]
    assert (fill["qty"], fill["price"], fill["client_order_id"]) == (4, PRICE - 3000, "take-1")
    assert (fill["order_id"], fill["liquidity"]) == (taking["order_id"], "taker")
    killed = entered(trader, qty=5, limit_price=PRICE - 3000, time_in_force="fok")
    assert (killed["status"], killed["filled_qty"], killed["fills"]) == ("canceled", 0, [])


def test_anothers_order_cannot_be_seen_or_touched(trader: httpx.Client, other: httpx.Client) -> None:
    opened = entered(trader)["order_id"]
    done = entered(trader)["order_id"]
    assert trader.delete(f"/v1/orders/{done}").status_code == 200
    before = money(trader)
    answers = []
    for number in (opened, done, 2**40, "0", "-1", "1e3", "x", "1" * 40, "%31"):
        path = f"/v1/orders/{number}"
        if number == "%31":
            continue
        answers.append(refused(other.delete(path), 404, "order_not_found"))
        answers.append(refused(other.patch(path, json={"leaves_qty": 1}), 404, "order_not_found"))
    assert len({answer["detail"] for answer in answers}) == 1
    nothing = other.delete("/v1/orders")
    assert (nothing.status_code, nothing.json()) == (200, {"canceled": [], "count": 0})
    assert money(trader) == before
    everything = trader.delete("/v1/orders", params={"symbol": SYMBOL, "side": "buy"})
    assert [order["order_id"] for order in everything.json()["canceled"]] == [opened]


@pytest.mark.parametrize(
    "body", [{}, {"limit_price": 0}, {"leaves_qty": "3"}, {"qty": 1.5, "limit_price": 5}, [], {"x": 1}]
)
def test_a_malformed_correction_changes_nothing(trader: httpx.Client, body: Any) -> None:
    number = entered(trader)["order_id"]
    before = money(trader)
    refused(trader.patch(f"/v1/orders/{number}", json=body), 400, "malformed")
    assert money(trader) == before


def test_a_mistyped_cancel_cancels_nothing(trader: httpx.Client) -> None:
    number = entered(trader)["order_id"]
    before = money(trader)
    for path in (
        "/v1/orders?symbl=005930",
        "/v1/orders?side=",
        "/v1/orders?side=BUY",
        "/v1/orders?side=sell&side=buy",
        "/v1/orders?client_order_id=x",
        f"/v1/orders/{number}?qty=0",
        f"/v1/orders/{number}?qty=-1",
        f"/v1/orders/{number}?qty=1.5",
        f"/v1/orders/{number}?qty=9007199254740992",
        f"/v1/orders/{number}?qty=%D9%A1",
        f"/v1/orders/{number}?quantity=1",
    ):
        problem = refused(trader.delete(path), 400, "malformed")
        assert problem["errors"], path
    refused(trader.delete("/v1/orders?symbol="), 404, "unknown_symbol")
    headers = {"Onseju-Client-Request-Id": "not an id"}
    problem = refused(trader.delete(f"/v1/orders/{number}", headers=headers), 400, "malformed")
    assert problem["errors"][0]["field"] == "Onseju-Client-Request-Id"
    assert money(trader) == before


def test_bodies_that_are_too_large_too_deep_or_no_json(trader: httpx.Client) -> None:
    before = money(trader)
    padding = json.dumps({**GOOD, "client_order_id": "x" * 70_000}).encode()
    refused(trader.post("/v1/orders", content=padding, headers=JSON), 413, "body_too_large")
    refused(trader.post("/v1/orders:batch", content=b" " * (1024 * 1024 + 1), headers=JSON), 413, "body_too_large")
    for content in (
        b"[" * 30_000,
        b'{"qty":' + b"[" * 30_000,
        b'{"qty":' + b'{"a":' * 10_000,
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
    ):
        refused(trader.post("/v1/orders", content=content, headers=JSON), 400, "malformed")
        refused(trader.post("/v1/orders:batch", content=content, headers=JSON), 400, "malformed")
    answer = trader.post("/v1/orders", content=json.dumps(GOOD), headers={"Content-Type": "text/plain"})
    refused(answer, 415, "unsupported_media_type")
    assert money(trader) == before


def test_a_batch_has_1_to_1000_orders(trader: httpx.Client) -> None:
    before = money(trader)
    for orders in ([], [GOOD] * 1001):
        problem = refused(trader.post("/v1/orders:batch", json={"orders": orders}), 400, "malformed")
        assert [(error["field"], error["code"]) for error in problem["errors"]] == [("orders", "invalid_count")]
    assert money(trader) == before
    whole = trader.post("/v1/orders:batch", json={"orders": [{**GOOD, "qty": 1}] * 1000})
    assert whole.status_code == 200
    statuses = [
        item["order"]["status"] if "order" in item else item["problem"]["code"] for item in whole.json()["results"]
    ]
    fit = 10_000_000 // (PRICE - 1000)
    assert statuses == ["new"] * fit + ["insufficient_cash"] * (1000 - fit)
    assert trader.delete("/v1/orders").json()["count"] == fit
    assert money(trader) == before


def test_a_batch_answers_each_order_for_itself(trader: httpx.Client) -> None:
    orders = [
        {**GOOD, "qty": 1, "client_order_id": "b-1"},
        {**GOOD, "qty": "1"},
        17,
        {**GOOD, "symbol": "999999"},
        {**GOOD, "side": "sell", "qty": 1000},
        {**GOOD, "qty": 1, "client_order_id": "b-1"},
        {**GOOD, "qty": 2, "client_order_id": "b-1"},
    ]
    answer = trader.post("/v1/orders:batch", json={"orders": orders})
    assert answer.status_code == 200, answer.text
    first, wrong_qty, no_object, no_symbol, no_shares, again, reused = answer.json()["results"]
    assert first["order"]["client_order_id"] == "b-1"
    assert (again["order"], again["replayed"]) == (first["order"], True)
    problems = [item["problem"] for item in (wrong_qty, no_object, no_symbol, no_shares, reused)]
    assert [problem["code"] for problem in problems] == [
        "malformed",
        "malformed",
        "unknown_symbol",
        "insufficient_shares",
        "client_order_id_reused",
    ]
    assert [error["code"] for error in wrong_qty["problem"]["errors"]] == ["invalid_qty"]
    assert no_shares["problem"]["order"]["status"] == "rejected"
    assert len({problem["instance"] for problem in problems}) == len(problems)
    assert int(answer.headers["Onseju-Seq"]) > first["order"]["seq"]


def test_sentences_come_in_the_readers_language(trader: httpx.Client) -> None:
    sentences = {}
    for language in ("ko-KR,ko;q=0.9,en;q=0.5", "en-US"):
        headers = {"Accept-Language": language}
        no_cash = trader.post("/v1/orders", json={**GOOD, "qty": 200}, headers=headers).json()
        malformed = trader.post("/v1/orders", json={**GOOD, "qty": 0}, headers=headers).json()
        sentences[language[:2]] = (no_cash["detail"], malformed["errors"][0]["detail"])
    assert sentences == {
        "ko": ("주문에 필요한 현금이 모자랍니다.", "수량은 매매수량단위로 입력해 주세요. 보통 1주, ELW는 10주입니다."),
        "en": (
            "There is not enough free cash for this order.",
            "The quantity must be a whole number of lots: of 1 share as a rule, of 10 for ELWs.",
        ),
    }


def test_an_account_may_use_only_so_many_ids_on_a_day(fresh_server: ServerProcess) -> None:
    key = fresh_server.account("prolific", cash=10_000_000)
    with fresh_server.admin() as host:
        body = {"rule": "max_client_ids", "value": 1}
        assert host.post("/v1/admin/rules", json=body).status_code == 200
    with fresh_server.client(key) as client:
        # an account opened with cash has used an id for it
        order = entered(client)
        for _ in range(2):
            answer = enter(client, client_order_id="one-more")
            problem = refused(answer, 422, "too_many_client_ids")
            assert problem["retryable"] is False
            assert problem["order"]["client_order_id"] == "one-more"
            assert "Idempotency-Replayed" not in answer.headers
        canceled = client.delete(f"/v1/orders/{order['order_id']}", headers={"Onseju-Client-Request-Id": "away-1"})
        assert canceled.status_code == 200, canceled.text


def test_a_retry_takes_effect_once_also_across_a_restart(fresh_server: ServerProcess) -> None:
    key = fresh_server.account("retrying", cash=10_000_000, s005930=100)
    with fresh_server.client(key) as client:
        order = entered(client, client_order_id="once")
        entered(client, qty=1, client_order_id="to-cancel")
        path, headers = f"/v1/orders/{order['order_id'] + 1}", {"Onseju-Client-Request-Id": "cancel-once"}
        canceled = client.delete(path, headers=headers)
        assert canceled.status_code == 200
        too_much = enter(client, qty=1000, client_order_id="too-much")
        assert too_much.status_code == 422
        expected = money(client)

    def repeat() -> None:
        with fresh_server.client(key) as client:
            # the same request written differently: other order of keys, white space, defaults spelled out
            body = dict(
                reversed({**GOOD, "client_order_id": "once", "time_in_force": "day", "stop_price": None}.items())
            )
            again = client.post("/v1/orders", content=json.dumps(body, indent=2), headers=JSON)
            assert (again.status_code, again.json()) == (200, order)
            assert again.headers["Idempotency-Replayed"] == "true"
            refused_again = enter(client, qty=1000, client_order_id="too-much")
            assert refused(refused_again, 422, "insufficient_cash")["order"] == too_much.json()["order"]
            assert refused_again.headers["Idempotency-Replayed"] == "true"
            canceled_again = client.delete(path, headers=headers)
            assert (canceled_again.status_code, canceled_again.json()) == (200, canceled.json())
            other = enter(client, qty=11, client_order_id="once")
            refused(other, 409, "client_order_id_reused")
            assert "Idempotency-Replayed" not in other.headers
            refused(client.delete("/v1/orders", headers=headers), 409, "client_order_id_reused")
            assert money(client) == expected

    repeat()
    fresh_server.kill()
    fresh_server.start()
    repeat()


def test_a_batch_counts_each_of_its_orders_and_cancels_have_their_own_limit(tmp_path: Path) -> None:
    process = ServerProcess(tmp_path / "data", env={"ONSEJU_ORDER_RATE_PER_S": "1"}).start()
    try:
        key = process.account("limited", cash=10_000_000)
        with process.client(key) as client:
            batch = {"orders": [{**GOOD, "qty": 1}] * 5}
            assert client.post("/v1/orders:batch", json=batch).status_code == 200
            problem = refused(client.post("/v1/orders:batch", json=batch), 429, "rate_limited")
            assert problem["retryable"]
            answer = enter(client)
            refused(answer, 429, "rate_limited")
            assert int(answer.headers["Retry-After"]) >= 1
            canceled = client.delete("/v1/orders")
            assert (canceled.status_code, canceled.json()["count"]) == (200, 5)
    finally:
        process.stop()
