"""The host's calls about people over real sockets, with the real engine."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from onseju.contract.commands import NewOrder, Request
from onseju.contract.words import OrderType, Side
from onseju.gateway import admin
from tests.unit.gateway.hosting import HOSTS, enter, refused
from tests.unit.gateway.served import PASSWORD, Served, Venue


def test_an_account_with_what_it_is_given_and_a_key(venue: Venue, host_server: Served, host: httpx.Client) -> None:
    body = {"name": "maker", "cash": 5_000, "holdings": {"005930": 7, "000660": 0}}
    with capture_logs() as logs:
        answer = host.post("/v1/admin/accounts", json=body)
    assert answer.status_code == 201
    opened = answer.json()
    assert (opened["account_id"], opened["name"], opened["seq"]) == (1, "maker", venue.bus.last_deed)
    account = venue.bus.engine.account(1)
    assert (account.cash, account.position(1).qty, len(account.positions)) == (5_000, 7, 1)
    with host_server.client(headers={"Authorization": f"Bearer {opened['api_key']}"}) as client:
        assert client.get("/v1/session").json()["scopes"] == ["read", "trade"]
        refused(client.post("/v1/admin/accounts", json=body), 403, "forbidden")
    (entry,) = [entry for entry in logs if entry["event"] == "open_account"]
    assert (entry["by"], entry["account"]) == ("bootstrap", 1)
    assert opened["api_key"] not in str(logs)
    refused(host.post("/v1/admin/accounts", json=body), 409, "name_taken")


def test_an_account_with_the_settings_money_and_shares(venue: Venue, host: httpx.Client) -> None:
    assert host.post("/v1/admin/accounts", json={"name": "plain"}).status_code == 201
    account = venue.bus.engine.account(1)
    assert (account.cash, len(account.positions)) == (1_000_000, 10)
    assert host.post("/v1/admin/accounts", json={"name": "poor", "cash": 0, "holdings": {}}).status_code == 201
    account = venue.bus.engine.account(2)
    assert (account.cash, len(account.positions)) == (0, 0)


def test_an_account_cut_short_is_finished_by_the_next_try(venue: Venue, host: httpx.Client) -> None:
    body = {"name": "maker", "cash": 5_000, "holdings": {"005930": 7}}
    for applied in range(3):
        venue.bus.busy_after = applied
        refused(host.post("/v1/admin/accounts", json=body), 503, "overloaded")
    venue.bus.busy_after = None
    assert host.post("/v1/admin/accounts", json=body).json()["account_id"] == 1
    account = venue.bus.engine.account(1)
    assert (account.cash, account.position(1).qty) == (5_000, 7)


def test_an_admin_user_is_an_admin_by_key_and_by_session(host_server: Served, host: httpx.Client) -> None:
    body = {"name": "root", "kind": "admin", "password": PASSWORD, "cash": 0, "holdings": {}}
    key = host.post("/v1/admin/accounts", json=body).json()["api_key"]
    with host_server.client(headers={"Authorization": f"Bearer {key}"}) as client:
        assert client.get("/v1/admin/users").status_code == 200
    with host_server.client() as client:
        answer = client.post("/v1/session", json={"name": "root", "password": PASSWORD})
        assert answer.json()["scopes"] == ["read", "trade", "admin"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "x"}, 400, "malformed"),
        ({"name": "maker", "cash": -1}, 400, "malformed"),
        ({"name": "maker", "cash": 2**53}, 400, "malformed"),
        ({"name": "maker", "holdings": {"999999": 1}}, 404, "unknown_symbol"),
        ({"name": "maker", "holdings": {"005930": -1}}, 400, "malformed"),
        ({"name": "maker", "holdings": {"000660": 2**53 - 1}}, 422, "amount_too_large"),
        ({"name": "maker", "holdings": {"a b": 1}}, 400, "malformed"),
        ({"name": "maker", "kind": "king"}, 400, "malformed"),
        ({"name": "maker", "password": "short"}, 400, "malformed"),
    ],
)
def test_accounts_that_cannot_be(venue: Venue, host: httpx.Client, body: Any, status: int, code: str) -> None:
    before = venue.bus.last_seq
    refused(host.post("/v1/admin/accounts", json=body), status, code)
    assert venue.bus.last_seq == before


def test_deposits_take_effect_once_under_their_id(venue: Venue, host: httpx.Client) -> None:
    host.post("/v1/admin/accounts", json={"name": "kim", "cash": 100, "holdings": {}})
    body = {"account_id": 1, "cash": 50, "client_order_id": "prize-1"}
    first = host.post("/v1/admin/deposits", json=body)
    assert (first.status_code, first.json()["cash"]) == (201, 150)
    again = host.post("/v1/admin/deposits", json=body)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    refused(host.post("/v1/admin/deposits", json={**body, "cash": 51}), 409, "client_order_id_reused")
    assert host.post("/v1/admin/deposits", json={"account_id": 1, "cash": 50}).json()["cash"] == 200
    assert venue.bus.engine.account(1).cash == 200


def test_settled_cash_is_taken_out_once_under_its_id(venue: Venue, host: httpx.Client) -> None:
    """KRX rules 7.3: a sale's proceeds can be taken out two trading days later."""
    host.post("/v1/admin/accounts", json={"name": "kim", "cash": 100_000, "holdings": {"005930": 5}})
    enter(venue, Side.SELL, 1)
    enter(venue, Side.BUY, 1)
    body = {"account_id": 1, "cash": 1_500, "client_order_id": "out-1"}
    first = host.post("/v1/admin/withdrawals", json=body)
    assert (first.status_code, first.json()["cash"]) == (201, 98_500)
    again = host.post("/v1/admin/withdrawals", json=body)
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (200, first.json(), "true")
    for other in ({"cash": 1_501}, {"account_id": 1, "cash": 1_500}):
        answer = host.post(
            "/v1/admin/deposits" if "account_id" in other else "/v1/admin/withdrawals", json=body | other
        )
        refused(answer, 409, "client_order_id_reused")
    host.post("/v1/admin/accounts", json={"name": "lee", "cash": 0, "holdings": {"005930": 1}})
    command = NewOrder(account=2, instrument=1, side=Side.SELL, order_type=OrderType.LIMIT, qty=1, limit_price=98_400)
    venue.bus.apply(Request(command))
    enter(venue, Side.BUY, 1, 98_400)
    sold = {"account_id": 2, "cash": 98_400}
    for day in ("2026-11-24", "2026-11-25"):
        refused(host.post("/v1/admin/withdrawals", json=sold), 422, "cash_not_settled")
        host.post("/v1/admin/day", json={"trading_day": day})
    assert host.post("/v1/admin/withdrawals", json=sold).json()["cash"] == 0
    refused(host.post("/v1/admin/withdrawals", json=sold), 422, "insufficient_cash")
    for wrong in (
        {"account_id": 2},
        {"account_id": 2, "cash": 0},
        {"account_id": 0, "cash": 1},
        sold | {"symbol": "x"},
    ):
        refused(host.post("/v1/admin/withdrawals", json=wrong), 400, "malformed")
    refused(host.post("/v1/admin/withdrawals", json={"account_id": 99, "cash": 1}), 404, "unknown_account")


def test_all_answers_to_a_deposit_are_documented() -> None:
    (deposit,) = [operation for operation in admin.operations.table if operation.path == "/v1/admin/deposits"]
    assert set(deposit.responses) == {200, 201}


def test_deposits_of_shares(venue: Venue, host: httpx.Client) -> None:
    host.post("/v1/admin/accounts", json={"name": "kim", "cash": 0, "holdings": {}})
    shares = {"account_id": 1, "symbol": "005930", "qty": 4}
    answer = host.post("/v1/admin/deposits", json=shares)
    assert answer.status_code == 201
    assert (answer.json()["qty"], answer.json()["cost_amount"]) == (4, 4 * 98_500)
    assert host.post("/v1/admin/deposits", json={**shares, "cost_amount": 0}).json()["cost_amount"] == 4 * 98_500
    assert answer.headers["onseju-seq"] == str(answer.json()["seq"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"account_id": 1}, 400, "malformed"),
        ({"account_id": 1, "cash": 1, "symbol": "005930", "qty": 1}, 400, "malformed"),
        ({"account_id": 1, "cash": 1, "qty": 1}, 400, "malformed"),
        ({"account_id": 1, "symbol": "005930"}, 400, "malformed"),
        ({"account_id": 1, "cash": 0}, 400, "malformed"),
        ({"account_id": 1, "cash": "1"}, 400, "malformed"),
        ({"account_id": 1, "cash": 1, "client_order_id": "a b"}, 400, "malformed"),
        ({"account_id": 1, "cash": 1, "client_order_id": "a\n"}, 400, "malformed"),
        ({"account_id": 0, "cash": 1}, 400, "malformed"),
        ({"account_id": 2**32, "cash": 1}, 400, "malformed"),
        ({"account_id": 99, "cash": 1}, 404, "unknown_account"),
        ({"account_id": 1, "symbol": "999999", "qty": 1}, 404, "unknown_symbol"),
        ({"account_id": 1, "symbol": "000660", "qty": 2**53 - 1}, 422, "amount_too_large"),
    ],
)
def test_deposits_that_cannot_be(venue: Venue, host: httpx.Client, body: Any, status: int, code: str) -> None:
    host.post("/v1/admin/accounts", json={"name": "kim", "cash": 0, "holdings": {}})
    refused(host.post("/v1/admin/deposits", json=body), status, code)
    account = venue.bus.engine.account(1)
    assert (account.cash, len(account.positions)) == (0, 0)


def test_users_are_listed_in_pages(host: httpx.Client) -> None:
    for number in range(5):
        host.post("/v1/admin/accounts", json={"name": f"user-{number}", "cash": 0, "holdings": {}})
    names, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = host.get("/v1/admin/users", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        names += [user["name"] for user in page["users"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (names, pages) == ([f"user-{number}" for number in range(4, -1, -1)], 3)
    assert "owner" not in host.get("/v1/admin/users").text
    for query in ("limit=0", "limit=1001", "limit=x", "cursor=-1", "cursor=x", "limit=1e3", "limit=²"):
        refused(host.get(f"/v1/admin/users?{query}"), 400, "malformed")


def test_a_password_is_reset(host_server: Served, host: httpx.Client) -> None:
    with host_server.client() as client:
        client.post("/v1/users", json={"name": "kim", "password": PASSWORD})
        answer = host.post("/v1/admin/users/1/password", json={"password": "another password"})
        assert answer.status_code == 204
        assert client.post("/v1/session", json={"name": "kim", "password": PASSWORD}).status_code == 401
        assert client.post("/v1/session", json={"name": "kim", "password": "another password"}).status_code == 201
    refused(host.post("/v1/admin/users/1/password", json={"password": "short"}), 400, "malformed")
    for number in ("9", "x", "-1", "9" * 30):
        refused(host.post(f"/v1/admin/users/{number}/password", json={"password": PASSWORD}), 404, "not_found")


def test_the_bootstrap_key_is_no_user(host: httpx.Client) -> None:
    refused(host.post("/v1/api-keys", json={"name": "x"}), 403, "forbidden")
    assert host.get("/v1/api-keys").json() == {"keys": []}
    me = host.get("/v1/session").json()
    assert (me["account_id"], me["via"]) == (None, "bootstrap")


def test_every_call_of_the_host_needs_its_scope(host_server: Served) -> None:
    with host_server.client() as client:
        for operation in [operation for operations in HOSTS for operation in operations.table]:
            path = operation.path.replace("{user_id}", "1")
            refused(client.request(operation.method, path, json={}), 401, "unauthenticated")
