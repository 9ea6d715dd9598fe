"""One table of the API: each operation's address, who may call it, which limit it counts against, and its documentation.

Routes, OpenAPI, rate limits and the authorisation tests are all read from these declarations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]
H = TypeVar("H", bound=Handler)

PUBLIC = None
"""The `scope` of an operation that anybody may call."""


class Parameter(msgspec.Struct, frozen=True):
    """A query parameter or header, for the documentation. The handler checks it."""

    name: str
    description: str
    schema: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})
    where: str = "query"
    required: bool = False


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One address and method of the API."""

    method: str
    path: str
    handler: Any
    summary: str
    tag: str
    scope: str | None
    """`read`, `trade`, `admin`, or `PUBLIC`."""
    limit: str
    """The rate-limit group: `order`, `cancel`, `query`, `stream`, `login`, `public`."""
    body: Any = None
    """A msgspec type, for the documentation and for `read_body`."""
    responses: Mapping[int, Any]
    """Status to msgspec type (None = no content). Problems are added by themselves."""
    parameters: tuple[Parameter, ...] = ()
    max_body_bytes: int = 64 * 1024
    records: str | None = None
    """The media type under which it also takes and gives the contract's records, for the documentation."""
    csrf: bool = True
    """Whether a session's write needs the CSRF header (sign-up and log-in have no session yet)."""


class Operations:
    """A stage's operations, collected by decoration: `@operations.add("GET", "/v1/clock", …)`."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.table: list[Operation] = []

    def add(
        self, method: str, path: str, *, summary: str, responses: Mapping[int, Any], **more: Any
    ) -> Callable[[H], H]:
        """Declare an operation. `scope` and `limit` must be given."""

        def declare(handler: H) -> H:
            self.table.append(
                Operation(
                    method=method,
                    path=path,
                    handler=handler,
                    summary=summary,
                    tag=self.tag,
                    responses=responses,
                    **more,
                )
            )
            return handler

        return declare
