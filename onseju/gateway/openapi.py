"""The OpenAPI 3.1 document, made from the same declarations that the routes are made from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from types import UnionType
from typing import Any, get_args

import msgspec

from onseju import __version__
from onseju.contract.reasons import Reason
from onseju.gateway.cookies import SECURE_COOKIE
from onseju.gateway.operations import PUBLIC, Operation, Parameter
from onseju.gateway.problems import STATUS, ProblemBody
from onseju.gateway.routing import WEBSOCKET

REF = "#/components/schemas/{name}"
SAFE = frozenset({"GET", WEBSOCKET})

DESCRIPTION = """\
온세주 Onseju is a stock exchange that anyone can run. All amounts are integers in the venue's smallest unit (won, or
cents where `price_scale` of `GET /v1/symbols` is 2), all quantities whole shares, all times UTC.

- **Bots** send `Authorization: Bearer KEY.SECRET`. **The web page** has a session cookie and sends `X-CSRF-Token` with
  every write.
- A `client_order_id` makes a request safe to repeat: it takes effect once.
- Every answer carries `seq` (or the header `Onseju-Seq`). A read with `Onseju-Min-Seq` waits until it can see that far.
- Refusals are `application/problem+json` with a `code` of [one list](/docs/problems), in Korean or English by
  `Accept-Language`.
"""

EXAMPLES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/orders"): {
        "symbol": "005930",
        "side": "buy",
        "type": "limit",
        "qty": 10,
        "limit_price": 98_500,
        "client_order_id": "my-first-order",
    },
    ("PATCH", "/v1/orders/{id}"): {"limit_price": 98_600},
    ("POST", "/v1/orders:batch"): {
        "orders": [
            {"symbol": "005930", "side": "buy", "type": "limit", "qty": 1, "limit_price": 98_400},
            {"symbol": "005930", "side": "sell", "type": "limit", "qty": 1, "limit_price": 98_600},
        ]
    },
    ("POST", "/v1/users"): {"name": "김철수", "password": "correct horse battery"},
    ("POST", "/v1/session"): {"name": "김철수", "password": "correct horse battery"},
    ("POST", "/v1/api-keys"): {"name": "my first bot", "scopes": ["read", "trade"]},
    ("POST", "/v1/admin/accounts"): {"name": "trader-1", "cash": 100_000_000, "holdings": {"005930": 10}},
    ("POST", "/v1/admin/deposits"): {"account_id": 1, "cash": 1_000_000, "client_order_id": "prize-1"},
    ("POST", "/v1/admin/withdrawals"): {"account_id": 1, "cash": 1_000_000, "client_order_id": "paid-out-1"},
    ("POST", "/v1/admin/instruments"): {"symbol": "900001", "name": "온세주전자", "base_price": 10_000},
    ("POST", "/v1/admin/rules"): {"rule": "types_continuous", "value": ["limit", "market"], "symbol": "005930"},
    ("POST", "/v1/admin/phase"): {"phase": "opening_auction"},
    ("POST", "/v1/admin/halt"): {"board": "kosdaq", "stage": 1},
    ("POST", "/v1/admin/resume"): {"symbol": "005930"},
    ("POST", "/v1/admin/uncross"): {"symbol": "005930"},
    ("POST", "/v1/admin/day"): {"trading_day": "2026-11-24"},
}

_CONVERTOR = re.compile(r"\{(\w+)(?::\w+)?\}")


class _Schemas:
    """The JSON Schemas of types. A union of structs, which msgspec writes but would not read, is any of its members."""

    def __init__(self, types: Iterable[Any]) -> None:
        members = list(dict.fromkeys(member for type_ in types for member in _members(type_)))
        schemas, self.components = msgspec.json.schema_components(members, ref_template=REF)
        self._of = dict(zip(members, schemas, strict=True))

    def of(self, type_: Any) -> dict[str, Any]:
        """The schema of one of the types."""
        schemas = [self._of[member] for member in _members(type_)]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _members(type_: Any) -> tuple[Any, ...]:
    return get_args(type_) if isinstance(type_, UnionType) else (type_,)


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole document as JSON-able objects."""
    table = list(operations)
    schemas = _Schemas([ProblemBody, *(type_ for operation in table for type_ in _types_of(operation))])
    paths: dict[str, dict[str, Any]] = {}
    used: set[str] = set()
    for operation in table:
        item = paths.setdefault(_CONVERTOR.sub(r"{\1}", operation.path), {})
        method = "get" if operation.method == WEBSOCKET else operation.method.lower()
        if method in item:
            continue  # a WebSocket beside a page at the same address
        item[method] = _operation(operation, schemas, used)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Onseju",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in table)],
        "paths": {path: item for path, item in paths.items() if item},
        "components": {
            "schemas": schemas.components,
            "headers": _HEADERS,
            "responses": _problem_responses(schemas.of(ProblemBody)),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _types_of(operation: Operation) -> list[Any]:
    types = [] if operation.body is None else [operation.body]
    return types + [type_ for type_ in operation.responses.values() if type_ is not None]


def _operation(operation: Operation, schemas: _Schemas, used: set[str]) -> dict[str, Any]:
    name = base = f"{operation.tag}_{operation.handler.__name__}".replace("-", "_")
    number = 2
    while name in used:
        name, number = f"{base}_{number}", number + 1
    used.add(name)
    described: dict[str, Any] = {
        "operationId": name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [_parameter(parameter) for parameter in _parameters(operation)],
        "responses": _responses(operation, schemas),
        "security": _security(operation),
        "x-rate-limit-group": operation.limit,
    }
    text = inspect.getdoc(operation.handler)
    if text:
        described["description"] = text
    if operation.method == WEBSOCKET:
        described["x-websocket"] = True
    if operation.body is not None:
        content: dict[str, Any] = {"schema": schemas.of(operation.body)}
        example = EXAMPLES.get((operation.method, operation.path))
        if example is not None:
            content["example"] = example
        described["requestBody"] = {"required": True, "content": {"application/json": content, **_records(operation)}}
        described["x-max-body-bytes"] = operation.max_body_bytes
    return described


def _records(operation: Operation) -> dict[str, Any]:
    """The contract's records, where the operation speaks them beside JSON."""
    return {operation.records: {"schema": {"type": "string", "format": "binary"}}} if operation.records else {}


def _parameters(operation: Operation) -> list[Parameter]:
    declared = {parameter.name for parameter in operation.parameters if parameter.where == "path"}
    missing = [name for name in _CONVERTOR.findall(operation.path) if name not in declared]
    own = [Parameter(name=name, description="", where="path", required=True) for name in missing]
    return own + list(operation.parameters)


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {"name": parameter.name, "in": parameter.where, "schema": parameter.schema}
    if parameter.description:
        described["description"] = parameter.description
    if parameter.required or parameter.where == "path":
        described["required"] = True
    return described


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    responses: dict[str, Any] = {}
    for status, type_ in operation.responses.items():
        response: dict[str, Any] = {"description": _SUCCESS.get(status, "Done."), "headers": headers}
        if operation.limit == "stream" and operation.method == "GET":
            response["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
        elif type_ is not None:
            response["content"] = {"application/json": {"schema": schemas.of(type_)}, **_records(operation)}
        responses[str(status)] = response
    problems = ["BadRequest", "Unauthenticated", "UnknownHost", "TooManyRequests", "Unavailable"]
    if operation.scope is not PUBLIC or operation.method not in SAFE:
        problems.append("Forbidden")
    if operation.body is not None or "{" in operation.path or any(p.name == "symbol" for p in operation.parameters):
        problems.append("NotFound")
    if operation.body is not None or (operation.method == "DELETE" and operation.scope is not PUBLIC):
        problems += ["Conflict", "Refused"]
    if operation.body is not None:
        problems += ["TooSlow", "TooLarge", "UnsupportedMediaType"]
    if operation.method == WEBSOCKET:
        problems.append("UpgradeRequired")
    for name in problems:
        responses.setdefault(str(_PROBLEMS[name][0]), {"$ref": f"#/components/responses/{name}"})
    responses["default"] = {"$ref": "#/components/responses/Problem"}
    return responses


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    session: dict[str, list[str]] = {"session": []}
    if operation.method not in SAFE and operation.csrf:
        session["csrf"] = []
    if operation.scope is not PUBLIC:
        return [{"key": [operation.scope]}, session]
    return [{}, session] if "csrf" in session else []


_SUCCESS = {
    101: "The WebSocket is open.",
    200: "Done.",
    201: "Made.",
    202: "Taken; the outcome is not known yet.",
    204: "Done; there is nothing to say.",
}

_PROBLEMS: dict[str, tuple[int | str, str]] = {
    "BadRequest": (400, "The request is malformed; `errors` names the fields."),
    "Unauthenticated": (401, "No valid key or session."),
    "Forbidden": (403, "The key or session may not do that."),
    "NotFound": (404, "There is no such thing, or it is somebody else's."),
    "TooSlow": (408, "The body did not arrive in time."),
    "Conflict": (409, "It is done already, taken, or was sent before with other content."),
    "TooLarge": (413, "The body is too large."),
    "UnsupportedMediaType": (415, "The body is not `application/json`."),
    "UnknownHost": (421, "The `Host` header names none of this server's names."),
    "UpgradeRequired": (426, "This address is a WebSocket."),
    "Refused": (422, "The market's rules refuse it; `code` says why."),
    "TooManyRequests": (429, "Too many requests; try again after `Retry-After` seconds."),
    "Unavailable": (503, "Too busy, or stopped; try again after `Retry-After` seconds."),
    "Problem": ("default", "Any other refusal."),
}


def _problem_responses(schema: dict[str, Any]) -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for reason in Reason:
        codes.setdefault(STATUS.get(reason, 422), []).append(reason.code)
    responses = {}
    for name, (status, description) in _PROBLEMS.items():
        if isinstance(status, int) and status != 422 and status in codes:
            description += f" Codes: {', '.join(codes[status])}."
        response: dict[str, Any] = {
            "description": description,
            "content": {"application/problem+json": {"schema": schema}},
        }
        if status in (429, 503):
            response["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
        responses[name] = response
    return responses


_HEADERS: dict[str, Any] = {
    "X-Request-Id": {"description": "The request's id, also in a problem's `instance`.", "schema": {"type": "string"}},
    "Onseju-Seq": {
        "description": "The command number that the answer is as of; send it as `Onseju-Min-Seq` to read it back.",
        "schema": {"type": "integer"},
    },
    "RateLimit": {
        "description": "The bucket's name, requests left (`r`) and seconds until it is full again (`t`).",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The bucket's size (`q`) and the seconds in which it fills (`w`).",
        "schema": {"type": "string"},
    },
}

_SECURITY_SCHEMES: dict[str, Any] = {
    "key": {"type": "http", "scheme": "bearer", "bearerFormat": "KEY.SECRET", "description": "An API key."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SECURE_COOKIE,
        "description": "The web session's cookie (`onseju` on plain http away from the server's own machine).",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "The session's CSRF token, with every write.",
    },
}
