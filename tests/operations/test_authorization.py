"""Who may do what, over every route of the OpenAPI document: a new one without a rule here fails.

The tables name what each route needs; the document names the routes. What is missing in either fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from websockets.sync.client import connect

from onseju.gateway.openapi import document
from onseju.gateway.operations import PUBLIC, Operations
from onseju.gateway.routing import WEBSOCKET
from onseju.kis.simulator import WEBSOCKET_PATHS
from onseju.nodes.gateway_part import OPERATIONS
from tests.engines import EngineName
from tests.journey.hostile import CALM, SYMBOL, base_price
from tests.serverprocess import ServerProcess

PASSWORD = "correct horse battery"
METRICS_KEY = "METRICS.0123456789abcdef0123"
PUBLIC_IDS = {
    "/v1/book/{symbol}",
    "/v1/trades/{symbol}",
    "/v1/candles/{symbol}",
}
"""Routes whose parameter is nobody's."""
HOSTS_IDS = {"/v1/admin/users/{user_id}/password"}
"""Routes whose parameter is anybody's, for the host alone."""
ENDLESS = {"/v1/stream"}
GUARD_THEMSELVES = {"/", "/tryitout", "/tryitout/{tr_id}", "/oauth2/Approval"}
"""KIS's own addresses, which stand before the API: `tests/unit/kis` is about them."""

TABLE = [operation for stage in OPERATIONS for operation in stage.table]

RULES: dict[str | None, set[str]] = {
    None: {
        "GET /v1/symbols",
        "GET /v1/book/{symbol}",
        "GET /v1/trades/{symbol}",
        "GET /v1/candles/{symbol}",
        "GET /v1/clock",
        "GET /v1/ws",
        "POST /v1/users",
        "POST /v1/session",
        "DELETE /v1/session",
        "GET /healthz",
        "GET /readyz",
    },
    "read": {
        "GET /v1/account",
        "GET /v1/positions",
        "GET /v1/order-capacity",
        "GET /v1/orders",
        "GET /v1/orders/{id}",
        "GET /v1/orders:by-client-id/{cid}",
        "GET /v1/fills",
        "GET /v1/events",
        "GET /v1/stream",
        "GET /v1/session",
        "GET /v1/api-keys",
        "GET /v1/queue",
        "GET /v1/orders/{order_id}/queue",
        "GET /v1/orders/{id}/story",
        "POST /v1/kis/approval",
    },
    "trade": {
        "POST /v1/orders",
        "POST /v1/orders:batch",
        "PATCH /v1/orders/{id}",
        "DELETE /v1/orders/{id}",
        "DELETE /v1/orders",
        "POST /v1/api-keys",
        "DELETE /v1/api-keys/{key_id}",
    },
    "admin": {
        "POST /v1/admin/accounts",
        "POST /v1/admin/deposits",
        "POST /v1/admin/withdrawals",
        "GET /v1/admin/users",
        "POST /v1/admin/users/{user_id}/password",
        "POST /v1/admin/instruments",
        "POST /v1/admin/phase",
        "POST /v1/admin/halt",
        "POST /v1/admin/resume",
        "POST /v1/admin/uncross",
        "POST /v1/admin/day",
        "POST /v1/admin/rules",
        "GET /v1/admin/status",
        "GET /v1/admin/audit",
    },
    "metrics": {
        "GET /metrics",
    },
}
"""Every route of the document, by what it needs: `None` is anybody. A new route fails here until somebody has thought of it."""

DEEDS: dict[str, tuple[dict[str, Any], str]] = {
    "/v1/admin/accounts": ({"name": "newcomer"}, "open_account"),
    "/v1/admin/deposits": ({"account_id": 1, "cash": 5}, "deposit"),
    "/v1/admin/withdrawals": ({"account_id": 1, "cash": 5}, "withdraw"),
    "/v1/admin/users/{user_id}/password": ({"password": PASSWORD}, "set_password"),
    "/v1/admin/instruments": ({"symbol": "900001", "name": "온세주전자", "base_price": 10_000}, "list_instrument"),
    "/v1/admin/rules": ({"rule": "settlement_days", "value": 0}, "set_rule"),
    "/v1/admin/phase": ({"phase": "opening_auction"}, "change_phase"),
    "/v1/admin/uncross": ({}, "uncross"),
    "/v1/admin/halt": ({"symbol": SYMBOL}, "halt"),
    "/v1/admin/resume": ({"symbol": SYMBOL}, "resume"),
    "/v1/admin/day": ({"trading_day": ""}, "roll_day"),
}
"""Every write of the host's, a body that it takes, and what the audit trail calls it, in an order in which all can be done."""


class Route(NamedTuple):
    """One operation of the document."""

    method: str
    path: str
    scope: str | None
    """`read`, `trade`, `admin`, `metrics`; None = anybody."""
    is_websocket: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Person:
    """A user with an account, keys of both scopes, and an open order."""

    def __init__(self, server: ServerProcess, name: str) -> None:
        self.http = server.client()
        assert self.http.post("/v1/users", json={"name": name, "password": PASSWORD}).status_code == 201
        answer = self.http.post("/v1/session", json={"name": name, "password": PASSWORD})
        session, self.cookie = answer.json(), answer.headers["Set-Cookie"].partition(";")[0]
        self.http.headers["Cookie"] = self.cookie
        self.user_id, self.account_id = session["user_id"], session["account_id"]
        self.http.headers["X-CSRF-Token"] = session["csrf_token"]
        self.keys = {}
        for scope, scopes in (("read", ["read"]), ("trade", ["read", "trade"])):
            made = self.http.post("/v1/api-keys", json={"name": scope, "scopes": scopes}).json()
            self.keys[scope] = made["api_key"]
        self.key_id = made["key_id"]
        price = base_price(self.http) - 1000
        body = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 1, "limit_price": price}
        answer = self.http.post("/v1/orders", json=body | {"client_order_id": f"{name}-1"})
        assert answer.status_code == 201, answer.text
        self.order_id, self.seq = answer.json()["order_id"], answer.json()["seq"]
        self.client_order_id = f"{name}-1"

    def state(self) -> tuple[Any, Any, Any]:
        head = {"Onseju-Min-Seq": str(self.http.get("/v1/clock").json()["seq"])}
        account = self.http.get("/v1/account", headers=head).json()
        order = self.http.get(f"/v1/orders/{self.order_id}", headers=head).json()
        keys = self.http.get("/v1/api-keys").json()
        money = {name: account[name] for name in ("cash", "reserved")}
        return money, (order["status"], order["leaves_qty"], order["limit_price"]), keys


@pytest.fixture(scope="module")
def exchange(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = CALM | {"ONSEJU_METRICS_KEY": METRICS_KEY}
    process = ServerProcess(tmp_path_factory.mktemp("authorization") / "data", env=env).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def people(exchange: ServerProcess) -> Iterator[tuple[Person, Person]]:
    alice, bob = Person(exchange, "alice"), Person(exchange, "bob")
    yield alice, bob
    alice.http.close()
    bob.http.close()


@pytest.fixture(scope="module")
def routes(exchange: ServerProcess) -> list[Route]:
    with exchange.client() as http:
        found = routes_of(http.get("/openapi.json").json())
    assert len(found) > 40
    return found


def routes_of(document: dict[str, Any]) -> list[Route]:
    """Every operation of a document."""
    found = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            keyed = [scheme["key"] for scheme in operation["security"] if "key" in scheme]
            scope = keyed[0][0] if keyed else None
            found.append(Route(method.upper(), path, scope, operation.get("x-websocket", False)))
    return found


def send(http: httpx.Client, route: Route, path: str, **more: Any) -> httpx.Response:
    """The answer's head, and its body where it has an end."""
    body = {} if route.method in ("GET", "DELETE") else {"json": {}}
    with http.stream(route.method, path, **(body | more)) as answer:
        if answer.status_code != 200 or route.path not in ENDLESS:
            answer.read()
        return answer


def with_ids(path: str, **ids: Any) -> str:
    return path.format_map(ids)


OWN_IDS: dict[str, list[Any]] = {
    # a route with a parameter: how somebody else's id and one that never was are put into it
    "/v1/orders/{id}": ["order_id", 999_999_999],
    "/v1/orders/{id}/story": ["order_id", 999_999_999],
    "/v1/orders/{order_id}/queue": ["order_id", 999_999_999],
    "/v1/orders:by-client-id/{cid}": ["client_order_id", "never-was"],
    "/v1/api-keys/{key_id}": ["key_id", "ok000000000000000000"],
}
GOOD_BODIES = {"PATCH /v1/orders/{id}": {"leaves_qty": 1}}


def check_rules(routes: list[Route]) -> None:
    """Every route needs what its rule says, and has one."""
    found = {f"{route} needs {route.scope}" for route in routes}
    rules = {f"{route} needs {scope}" for scope, ruled in RULES.items() for route in ruled}
    without_rule, without_route = sorted(found - rules), sorted(rules - found)
    assert (without_rule, without_route) == ([], []), f"{without_rule} have no rule, {without_route} no route"


def test_every_route_has_a_rule(routes: list[Route]) -> None:
    check_rules(routes)


@pytest.mark.parametrize("scope", [PUBLIC, "read", "admin"])
@pytest.mark.parametrize("method", ["GET", "DELETE", WEBSOCKET])
def test_a_new_route_without_a_rule_fails(method: str, scope: str | None) -> None:
    """Somebody adds an operation, as every one is added, and thinks of nothing else."""
    new = Operations("new")

    @new.add(method, "/v1/new/{id}", summary="New", scope=scope, limit="query", responses={200: None})
    async def handler(request: Request) -> Response:
        return Response()

    check_rules(routes_of(document(TABLE)))
    with pytest.raises(AssertionError, match=r"/v1/new/\{id\}"):
        check_rules(routes_of(document([*TABLE, *new.table])))


def test_a_weaker_scope_than_the_rule_fails(routes: list[Route]) -> None:
    weaker = [route._replace(scope=None) if str(route) == "GET /v1/account" else route for route in routes]
    with pytest.raises(AssertionError, match="GET /v1/account"):
        check_rules(weaker)


def test_no_route_is_beside_the_document(routes: list[Route]) -> None:
    """What the program serves is what the document says; the few routes of another protocol guard themselves."""
    declared = {f"{operation.method.replace(WEBSOCKET, 'GET')} {operation.path}" for operation in TABLE}
    assert len(declared) == len(TABLE), "a WebSocket and a page at one address: the document shows one of them"
    assert declared == {str(route) for route in routes}
    assert {*WEBSOCKET_PATHS, "/oauth2/Approval"} == GUARD_THEMSELVES


def test_every_route_needs_what_it_says(
    exchange: ServerProcess, people: tuple[Person, Person], routes: list[Route]
) -> None:
    """Nobody, a key to read, a key to trade, the metrics' key: each gets in exactly where its scope says."""
    alice, _ = people
    credentials: dict[str, tuple[str | None, set[str | None]]] = {
        "nobody": (None, {None}),
        "read": (alice.keys["read"], {None, "read"}),
        "trade": (alice.keys["trade"], {None, "read", "trade"}),
        "metrics": (METRICS_KEY, {None, "metrics"}),
    }
    wrong = []
    for who, (key, may) in credentials.items():
        with exchange.client(key) as http:
            for route in routes:
                if route.is_websocket or (route.scope in may and route.method != "GET"):
                    continue  # what it may do is done elsewhere
                answer = send(http, route, re.sub(r"\{.+?\}", "1", route.path))
                refused = answer.status_code in (401, 403)
                expected = 401 if who == "nobody" else 403
                if route.scope in may:
                    holder = who != "metrics" or route.scope == "metrics"
                    if refused and holder:
                        wrong.append((who, str(route), answer.status_code))
                elif answer.status_code != expected:
                    wrong.append((who, str(route), answer.status_code))
    assert wrong == []


def test_somebody_elses_id_is_not_found(
    exchange: ServerProcess, people: tuple[Person, Person], routes: list[Route]
) -> None:
    """Every route with a parameter, with bob's id and with one that never was: alice gets the same answer, 404."""
    alice, bob = people
    before = bob.state()
    tried = 0
    with exchange.client(alice.keys["trade"]) as http:
        for route in routes:
            if "{" not in route.path or route.path in PUBLIC_IDS or route.path in HOSTS_IDS:
                continue
            assert route.path in OWN_IDS, f"{route} has a parameter: say here whose it is"
            field, never = OWN_IDS[route.path]
            name = route.path[route.path.index("{") + 1 : route.path.index("}")]
            answers = []
            for value in (getattr(bob, field), never):
                more = {"json": GOOD_BODIES[str(route)]} if str(route) in GOOD_BODIES else {}
                headers = {"Onseju-Min-Seq": str(bob.seq)} if route.method == "GET" else {}
                path = with_ids(route.path, **{name: value})
                answers.append(send(http, route, path, headers=headers, **more))
            assert [answer.status_code for answer in answers] == [404, 404], f"{route}: {answers[0].text}"
            told = [{k: v for k, v in answer.json().items() if k not in ("instance", "seq")} for answer in answers]
            assert told[0] == told[1], f"{route} tells whether there is such a thing"
            tried += 1
        # ids in the query and the body
        fills = http.get("/v1/fills", params={"order_id": bob.order_id})
        assert fills.status_code in (400, 404) or fills.json()["fills"] == []
        events = http.get("/v1/events", params={"limit": 1000}).json()
        assert bob.client_order_id not in json.dumps(events)
    assert tried >= 6
    assert bob.state() == before


def test_somebody_elses_order_over_the_websocket(exchange: ServerProcess, people: tuple[Person, Person]) -> None:
    alice, bob = people
    before = bob.state()
    url = exchange.url.replace("http", "ws") + "/v1/ws"
    headers = {"Authorization": f"Bearer {alice.keys['trade']}"}
    with connect(url, additional_headers=headers, proxy=None) as socket:
        for op, more in (("order.cancel", {}), ("order.correct", {"leaves_qty": 1})):
            for order_id in (bob.order_id, 999_999_999):
                socket.send(json.dumps({"op": op, "id": op, "data": {"order_id": order_id, **more}}))
                answer = json.loads(socket.recv(10))
                assert (answer["id"], answer["status"], answer["problem"]["code"]) == (op, 404, "order_not_found")
    for key in (None, alice.keys["read"]):
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        with connect(url, additional_headers=headers, proxy=None) as socket:
            socket.send(json.dumps({"op": "order.cancel", "id": "x", "data": {"order_id": bob.order_id}}))
            assert json.loads(socket.recv(10))["status"] == (401 if key is None else 403)
            if key is None:
                socket.send(json.dumps({"op": "subscribe", "id": "y", "channels": [{"name": "account"}]}))
                assert json.loads(socket.recv(10))["status"] in (401, 403)
    assert bob.state() == before


def test_every_write_of_a_session_needs_its_csrf_token(
    exchange: ServerProcess, people: tuple[Person, Person], routes: list[Route]
) -> None:
    """What a page of another site could make a browser send: the cookie alone, or with somebody else's token."""
    alice, bob = people
    before = alice.state()
    with exchange.client() as http:
        http.headers["Cookie"] = alice.cookie
        for route in routes:
            if route.method == "GET" or route.path in ("/v1/users", "/v1/session") or route.scope == "admin":
                continue
            ids = {"id": alice.order_id, "cid": "x", "key_id": alice.key_id, "symbol": SYMBOL, "name": "x"}
            for headers in ({}, {"X-CSRF-Token": bob.http.headers["X-CSRF-Token"]}):
                answer = send(http, route, with_ids(route.path, **ids), headers=headers)
                if route.scope is not None:
                    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed"), str(route)
        answer = http.delete("/v1/session")
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
    assert alice.state() == before


def test_every_deed_of_the_host_is_in_the_audit_trail(
    exchange: ServerProcess, people: tuple[Person, Person], routes: list[Route]
) -> None:
    """Done by the bootstrap key, and once more by an admin's own: who, what, when, out of the journal."""
    writes = {route.path for route in routes if route.scope == "admin" and route.method != "GET"}
    assert writes == DEEDS.keys(), "a write of the host's that no test does"
    with exchange.admin() as http:
        began = http.get("/v1/clock").json()
        for path, (body, action) in DEEDS.items():
            if "trading_day" in body:
                day = began["trading_day"]
                body = {"trading_day": day[:-2] + f"{int(day[-2:]) + 1:02}"}
            answer = http.post(with_ids(path, user_id=people[1].user_id), json=body)
            assert answer.status_code in (200, 201, 204), (path, answer.text)
            seq = http.get("/v1/clock").json()["seq"]
            (deed,) = http.get("/v1/admin/audit", params={"limit": 1}, headers={"Onseju-Min-Seq": str(seq)}).json()[
                "deeds"
            ]
            assert (deed["action"], deed["via"], deed["actor"]) == (action, "bootstrap", None), path
            assert deed["ts"] >= began["now"][:10]
            assert PASSWORD not in json.dumps(deed)
            if action != "set_password":
                assert deed["about_seq"] is not None
                assert deed["about_seq"] < deed["seq"]
        made = http.post("/v1/admin/accounts", json={"name": "boss", "kind": "admin"}).json()
    with exchange.client(made["api_key"]) as boss:
        assert boss.post("/v1/admin/deposits", json={"account_id": 1, "cash": 77}).status_code == 201
        head = {"Onseju-Min-Seq": str(boss.get("/v1/clock").json()["seq"])}
        first, second = boss.get("/v1/admin/audit", params={"limit": 2}, headers=head).json()["deeds"]
        assert (first["action"], first["actor"], first["via"]) == ("deposit", made["account_id"], "key")
        assert (first["account_id"], first["details"]) == (1, "cash=77")
        assert second["action"] == "open_account"
