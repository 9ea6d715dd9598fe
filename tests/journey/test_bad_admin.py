"""Nonsense to the host's calls over real sockets: each gets a documented answer, and the exchange goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.journey.hostile import ALARMS, CALM, SYMBOL, Trader, base_price, order, refused
from tests.serverprocess import ServerProcess

PATHS = ["withdrawals", "instruments", "rules", "phase", "halt", "resume", "uncross", "day"]
NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    4,
    100,
    10_000,
    2**31,
    2**32,
    2**53 - 1,
    2**53,
    2**63,
    2**64,
    10**30,
    1.5,
    1e300,
    True,
    False,
]
TEXTS = [
    "",
    " ",
    "0",
    "1",
    SYMBOL,
    "999999",
    "a\n",
    "\0",
    "주식",
    "😀",
    "x" * 300,
    "null",
    "2026-02-30",
    "0000-00-00",
    "-1-1-1",
]
ODD: list[Any] = [None, [], {}, [[]], [None], ["limit"], ["limit", 5], {"a": 1}, [1] * 50]
FIELDS = ["symbol", "board", "phase", "stage", "rule", "value", "trading_day", "name", "base_price", "leverage", "moon"]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("bad-admin"), env=CALM).start()
    yield process
    said = [line for line in process.output if any(alarm in line for alarm in ALARMS)]
    assert process.stop() == 0
    assert said == [], "".join(said)


@pytest.fixture(scope="module")
def host(exchange: ServerProcess) -> Iterator[httpx.Client]:
    with exchange.admin() as client:
        yield client


@pytest.fixture(scope="module")
def forms(host: httpx.Client) -> dict[str, dict[str, Any]]:
    """The documented form of each call: its properties by name."""
    document = host.get("/openapi.json").json()
    found = {}
    for path in PATHS:
        body = document["paths"][f"/v1/admin/{path}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        found[path] = document["components"]["schemas"][body["$ref"].rsplit("/", 1)[1]]
    return found


def sent(host: httpx.Client, path: str, body: Any) -> httpx.Response:
    """The answer, which is a documented one whatever was sent."""
    answer = host.post(f"/v1/admin/{path}", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code in (200, 201, 400, 404, 409, 422), (body, answer.status_code, answer.text[:500])
    told = answer.json()
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert told["detail"]
        assert all(error["detail"] for error in told.get("errors", [])), told
    else:
        assert answer.headers["onseju-seq"] == str(told["seq"])
    return answer


def test_every_call_is_documented_with_its_form(forms: dict[str, dict[str, Any]]) -> None:
    for path, form in forms.items():
        assert form["type"] == "object", path
        assert form["additionalProperties"] is False, path
        assert form["properties"], path


def words_in(schema: Any) -> list[Any]:
    """All words that a schema names."""
    if isinstance(schema, dict):
        inner = [word for value in schema.values() for word in words_in(value)]
        return [*(word for word in schema.get("enum", []) if word is not None), *inner]
    return [word for part in schema for word in words_in(part)] if isinstance(schema, list) else []


@pytest.mark.parametrize("path", PATHS)
def test_nonsense_gets_a_documented_answer(host: httpx.Client, forms: dict[str, dict[str, Any]], path: str) -> None:
    form = forms[path]
    words = sorted(set(words_in(form)))
    plausible = st.sampled_from([*words, SYMBOL, "2026-12-01", ["limit", "market"], 1, 300_000])
    value = st.one_of(plausible, st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.sampled_from(ODD))
    names = st.sampled_from([*form["properties"], *form["properties"], *FIELDS])
    bodies = st.one_of(st.dictionaries(names, value, max_size=6), value)

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(bodies)
    def check(body: Any) -> None:
        sent(host, path, body)

    check()


@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_object(host: httpx.Client, path: str) -> None:
    for text in ("", "null", "[]", "1", '"x"', "{", "{}{}", "\0", "[" * 5000, '{"symbol":"\\ud800"}'):
        answer = host.post(f"/v1/admin/{path}", content=text.encode(), headers={"content-type": "application/json"})
        refused(answer, 400, "malformed")
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        refused(host.request(method, f"/v1/admin/{path}"), 405, "method_not_allowed")


def test_only_the_host_may(exchange: ServerProcess) -> None:
    with closing(Trader(exchange, "nobody").http) as trader, exchange.client() as nobody:
        for path in PATHS:
            refused(trader.post(f"/v1/admin/{path}", json={}), 403, "forbidden")
            refused(nobody.post(f"/v1/admin/{path}", json={}), 401, "unauthenticated")


def test_the_market_can_be_put_right_again(exchange: ServerProcess, host: httpx.Client) -> None:
    """After everything above, an instrument that is new trades as any does."""
    body = {"symbol": "AFTER", "name": "after", "base_price": 98_500}
    assert host.post("/v1/admin/instruments", json=body).status_code == 201
    fees = ["commission_ppm", "transaction_tax_ppm", "rural_tax_ppm"]
    for rule, value in {
        **dict.fromkeys(fees, 0),
        "max_order_qty": 0,
        "market_remainder": "float",
        "self_trade_prevention": "off",
        "types_continuous": ["limit", "market"],
        "vi_dynamic_ppm": 0,
        "vi_static_ppm": 0,
        "max_qty_by_value": 0,
        "lot_size": 1,
    }.items():
        assert host.post("/v1/admin/rules", json={"rule": rule, "value": value, "symbol": "AFTER"}).status_code == 200
    assert host.post("/v1/admin/rules", json={"rule": "max_open_orders", "value": 0}).status_code == 200
    key = exchange.account("after", cash=10**9, sAFTER=10)
    with exchange.client(key) as trader:
        for side in ("sell", "buy"):
            answer = trader.post("/v1/orders", json=order(98_500, symbol="AFTER", side=side))
            assert answer.status_code == 201, answer.text
        assert answer.json()["status"] == "filled"
    assert base_price(host) > 0
