"""The OpenAPI document of all operations, and the pages that show it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from onseju.contract.reasons import Reason
from onseju.gateway import accounts, admin, admin_market, admin_rules, clock, keys, markets, orders, users
from onseju.gateway.openapi import EXAMPLES, document
from onseju.gateway.operations import Operation
from tests.engines import EngineName
from tests.unit.gateway.served import Served, Venue

STAGES = (orders, accounts, markets, clock, users, keys, admin, admin_market, admin_rules)
TABLE: list[Operation] = [operation for stage in STAGES for operation in stage.operations.table]


@pytest.fixture(scope="module")
def openapi(tested_on: EngineName) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document(TABLE)))
    return content


@pytest.fixture
def server(venue: Venue) -> Iterator[Served]:
    with venue.served(*(stage.operations for stage in STAGES)) as served:
        yield served


def described(openapi: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in openapi["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def walk(node: Any) -> Iterator[Any]:
    yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(inner)


def test_every_operation_is_described(openapi: dict[str, Any]) -> None:
    assert openapi["openapi"] == "3.1.0"
    there = {(path, method) for path, method, _ in described(openapi)}
    assert there == {(operation.path, operation.method.lower()) for operation in TABLE}
    for path, _, operation in described(openapi):
        assert operation["summary"]
        assert operation["tags"]
        assert any(status.startswith(("1", "2")) for status in operation["responses"])
        assert "default" in operation["responses"]
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"default|[1-5]\d\d", status)
            assert "$ref" in response or response["description"]
        in_path = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
        assert sorted(in_path) == sorted(re.findall(r"\{(\w+)\}", path))
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")
        names = [(p["name"], p["in"]) for p in operation["parameters"]]
        assert len(names) == len(set(names))


def test_every_reference_resolves_and_every_id_is_its_own(openapi: dict[str, Any]) -> None:
    references = {node["$ref"] for node in walk(openapi) if isinstance(node, dict) and "$ref" in node}
    assert references
    for reference in references:
        node: Any = openapi
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert isinstance(node, dict)
    ids = [operation["operationId"] for _, _, operation in described(openapi)]
    assert len(ids) == len(set(ids))
    schemes = openapi["components"]["securitySchemes"]
    used = {name for _, _, operation in described(openapi) for need in operation["security"] for name in need}
    assert used == set(schemes)


def test_writes_by_session_need_the_csrf_header(openapi: dict[str, Any]) -> None:
    assert openapi["paths"]["/v1/orders"]["post"]["security"] == [{"key": ["trade"]}, {"session": [], "csrf": []}]
    assert openapi["paths"]["/v1/account"]["get"]["security"] == [{"key": ["read"]}, {"session": []}]
    assert openapi["paths"]["/v1/users"]["post"]["security"] == []
    assert openapi["paths"]["/v1/session"]["delete"]["security"] == [{}, {"session": [], "csrf": []}]


def test_the_examples_are_what_their_forms_take() -> None:
    forms = {(operation.method, operation.path): operation.body for operation in TABLE}
    for address, example in EXAMPLES.items():
        assert msgspec.convert(example, forms[address]) is not None


def test_the_pages_come_from_this_host_alone(server: Served) -> None:
    with server.client() as client:
        pages = {path: client.get(path) for path in ("/", "/docs", "/docs/problems")}
        for page in pages.values():
            assert page.status_code == 200
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
            assert addresses or page.url.path == "/docs/problems"
            for address in addresses:
                assert address.startswith("/")
                assert client.get(address).status_code == 200
        assert "url(http" not in client.get("/docs/assets/swagger-ui.css").text
        assert client.get("/openapi.json").json()["info"]["title"] == "Onseju"
        assert client.get("/docs/assets/swagger-ui.js.map").status_code == 404
        assert client.get("/docs/assets/..%2f__init__.py").status_code == 404


def test_swagger_ui_reads_openapi_3_1() -> None:
    import swagger_ui_bundle  # type: ignore[import-untyped]

    assert re.search(r"swagger-ui-(\d+)\.", str(swagger_ui_bundle.swagger_ui_path))[1] >= "5"  # type: ignore[index]


def test_every_reason_is_on_the_page_of_problems(server: Served) -> None:
    with server.client() as client:
        text = client.get("/docs/problems").text
    for reason in Reason:
        if reason is not Reason.NONE:
            assert f'<tr id="{reason.code}">' in text
