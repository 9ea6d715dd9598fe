"""Requests made from the OpenAPI document, right ones and wrong ones, against a real server: it keeps what it has written.

No 5xx; no status, header or media type that the document does not name; every body is what the document says; what breaks
a form is refused. `ONSEJU_OPENAPI_CASES` cases of each kind for each operation and caller, of the seed `ONSEJU_OPENAPI_SEED`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from tests.engines import EngineName, once
from tests.journey.hostile import ALARMS, CALM, SYMBOL, base_price
from tests.serverprocess import ServerProcess

CASES = int(os.environ.get("ONSEJU_OPENAPI_CASES", "3"))
SEED = int(os.environ.get("ONSEJU_OPENAPI_SEED", "1"))
PASSWORD = "correct horse battery"
ENDLESS = {"/v1/stream", "/v1/ws"}
"""Streams: what opens them is tried by hand in the tests of streams."""

PROMISES = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]

pytestmark = once


class Caller:
    """Somebody with a key, and the ids of what is theirs."""

    def __init__(self, http: httpx.Client, key: str, ids: dict[str, Any]) -> None:
        self.http = http
        self.headers = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}
        self.ids = ids


@pytest.fixture(scope="module")
def exchange(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = CALM | {"ONSEJU_STREAM_RATE_PER_S": "100000", "ONSEJU_WRONG_CREDENTIALS_PER_S": "100000"}
    process = ServerProcess(tmp_path_factory.mktemp("openapi") / "data", env=env).start()
    yield process
    assert process.stop() == 0


@pytest.fixture(scope="module")
def trader(exchange: ServerProcess) -> Iterator[Caller]:
    with exchange.client(exchange.account("trader", cash=10**9, s005930=1000)) as http:
        price = base_price(http) - 1000
        body = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 100, "limit_price": price}
        made = http.post("/v1/orders", json=body | {"client_order_id": "mine"}).json()
        ids = {"id": made["order_id"], "order_id": made["order_id"], "cid": "mine", "symbol": SYMBOL, "key_id": "ok0"}
        yield Caller(http, http.headers["Authorization"].removeprefix("Bearer "), ids)


@pytest.fixture(scope="module")
def host(exchange: ServerProcess) -> Iterator[Caller]:
    with exchange.admin() as http:
        made = http.post("/v1/admin/accounts", json={"name": "somebody", "cash": 10**6}).json()
        ids = {"account_id": made["account_id"], "user_id": made["user_id"], "symbol": SYMBOL}
        yield Caller(http, http.headers["Authorization"].removeprefix("Bearer "), ids)


def document(http: httpx.Client) -> dict[str, Any]:
    """The document as it is served, without its word for any other refusal: with it, every status would be documented."""
    found: dict[str, Any] = http.get("/openapi.json").json()
    for item in found["paths"].values():
        for operation in item.values():
            del operation["responses"]["default"]
    lists_for_tuples(found)
    return found


def lists_for_tuples(node: Any) -> None:
    """Write tuples as lists of so many: schemathesis turns `prefixItems` into what its own reader of schemas refuses."""
    if isinstance(node, dict) and "prefixItems" in node:
        kinds = node.pop("prefixItems")
        node["items"] = kinds[0] if all(kind == kinds[0] for kind in kinds) else {"anyOf": kinds}
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        lists_for_tuples(inner)


def broken_promises(exchange: ServerProcess, caller: Caller, *, of_the_host: bool) -> tuple[Counter[int], list[str]]:
    """The statuses that came, and what was not as the document says."""
    statuses: Counter[int] = Counter()
    broken: dict[tuple[str, int, str], str] = {}
    schema = schemathesis.openapi.from_dict(document(caller.http))
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in ENDLESS or operation.path.startswith("/v1/admin/") is not of_the_host:
            continue
        for mode in modes(operation):

            @seed(SEED)
            @settings(
                max_examples=CASES,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode), is_real=st.booleans())
            def ask(case: Any, is_real: bool) -> None:
                if is_real:
                    name_real_things(case, caller.ids)
                answer = case.call(base_url=exchange.url, headers=caller.headers, timeout=30)
                statuses[answer.status_code] += 1
                is_told_within = case.operation.path == "/v1/orders:batch"  # each order has its own answer there
                is_exempt = is_real or is_told_within or answer.status_code == 413
                rejects = [] if is_exempt else [checks.negative_data_rejection]
                try:
                    case.validate_response(answer, checks=PROMISES + rejects)
                except* Exception as failures:
                    for failure in failures.exceptions:
                        place = (case.operation.label, answer.status_code, type(failure).__name__)
                        broken.setdefault(place, f"{failure}\n{answer.text[:300]}\n{case.as_curl_command()[:1000]}")

            ask()
    return statuses, [f"{place}: {text}" for place, text in broken.items()]


def modes(operation: Any) -> list[GenerationMode]:
    """Right requests, and wrong ones where there is anything that can be wrong."""
    if not operation.definition.raw.get("parameters") and operation.definition.raw.get("requestBody") is None:
        return [GenerationMode.POSITIVE]
    return list(GenerationMode)


def name_real_things(case: Any, ids: dict[str, Any]) -> None:
    """Put what there is in the place of made-up ids, so that not every request ends with 404."""
    for fields in (case.path_parameters, case.query, case.body):
        if isinstance(fields, dict):
            fields.update({name: value for name, value in ids.items() if name in fields})


def unharmed(exchange: ServerProcess) -> None:
    said = [line for line in exchange.output if any(alarm in line for alarm in ALARMS)]
    assert said == [], "".join(said)
    with exchange.client() as http:
        assert http.get("/healthz").status_code == 200
        assert exchange.alive


def test_what_a_trader_may_ask(exchange: ServerProcess, trader: Caller) -> None:
    statuses, broken = broken_promises(exchange, trader, of_the_host=False)
    assert broken == [], "\n\n".join(broken)
    assert {200, 400, 404} <= statuses.keys(), "too little was tried"
    unharmed(exchange)


def test_what_the_host_may_ask(exchange: ServerProcess, host: Caller) -> None:
    statuses, broken = broken_promises(exchange, host, of_the_host=True)
    assert broken == [], "\n\n".join(broken)
    assert {200, 201, 400} <= statuses.keys(), "too little was tried"
    unharmed(exchange)
