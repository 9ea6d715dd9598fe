"""The gateway's shell: everything that all requests share, once, before and after the handlers.

Request id, host, address, caller, scope, CSRF, rate limit and size are settled here; a refusal anywhere becomes its problem
document, an error in the program a 500 without details and a line in the log.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from onseju.bus.port import BusyError, DiskFullError, StoppedError, UnansweredError
from onseju.contract.reasons import Reason
from onseju.gateway import express
from onseju.gateway.authenticate import Authenticator, authorise
from onseju.gateway.body import read_bytes
from onseju.gateway.context import Gateway
from onseju.gateway.hosts import AllowedHosts
from onseju.gateway.limits import Limits, address_key, limit_headers, quotas, refusal
from onseju.gateway.operations import Operation, Operations
from onseju.gateway.orders import respond
from onseju.gateway.pages import documentation
from onseju.gateway.principal import Principal
from onseju.gateway.problems import Problem, problem_response
from onseju.gateway.replies import Answer
from onseju.gateway.routing import WEBSOCKET, RouteTable, allowed_methods
from onseju.gateway.signing import SIGN_HEADER
from onseju.identity.records import DatabaseFullError, DatabaseUnavailableError
from onseju.metrics.trace import REQUEST_ID

log = structlog.get_logger("onseju.gateway")

Answered = Callable[[Scope, int, float], None]

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[Any]]

CONTENT_SECURITY_POLICY = (
    b"default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    b"worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
"""On https alone: a browser that has seen it will not go back to plain http."""

CLOSE_POLICY = 1008
CLOSE_ERROR = 1011
CLOSE_AUTHENTICATION = 4001


def build_app(
    gateway: Gateway,
    operations: Sequence[Operations],
    *,
    lifespan: Lifespan | None = None,
    page: Path | None = None,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """The ASGI application of these operations. `page` is a directory with the built web page, served at `/`.

    `routes` stand before everything and guard themselves: a protocol that is not ours, such as KIS's.
    """
    app = _Application(lifespan=lifespan, routes=list(routes))
    app.state.gateway = gateway
    app.state.limits = Limits(quotas(gateway.settings))
    table = [operation for stage in operations for operation in stage.table]
    files = StaticFiles(directory=page, html=True) if page is not None and page.is_dir() else None
    table += documentation(table, landing=files is None).table
    app.router.redirect_slashes = False
    app.router.default = app.shell = Shell(gateway, app.state.limits, RouteTable(table), files)
    if any((operation.method, operation.path) == ("POST", express.PATH.decode()) for operation in table):
        app.express = express.Express(gateway, app.state.limits, express.Forms(fixed_headers, response_of))
    return app


class _Application(Starlette):
    """Starlette, with a way past its router and middleware for the API: none of them has anything to say about it."""

    shell: Shell
    express: express.Express | None = None
    """The short way of single orders, for the protocol below (`push.protocols`)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            scope["app"] = self
            await self.shell(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class Shell:
    """The ASGI application behind Starlette's router."""

    def __init__(self, gateway: Gateway, limits: Limits, routes: RouteTable, files: ASGIApp | None = None) -> None:
        self._limits = limits
        self._routes = routes
        # A random number each would cost a system call each; a run's own beginning makes them unique over restarts.
        self._run = secrets.token_hex(4)
        self._count = itertools.count(1)
        self._hosts = AllowedHosts(gateway.settings.allowed_hosts)
        self._authenticator = Authenticator(gateway, limits)
        self._files = files
        self._recorder = gateway.recorder
        self._log_requests = gateway.settings.log_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope.setdefault("state", {})["request_id"] = f"{self._run}-{next(self._count):x}"
        REQUEST_ID.set(request_id)
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._websocket(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        sender = _Sender(scope, send, self._answered)
        try:
            response = await self._answer(scope, receive)
            await response(scope, receive, sender)
        except ClientDisconnect:
            return
        except Exception as error:
            if sender.started:
                log.exception("response broken off", request_id=scope["state"]["request_id"], path=scope["path"])
                raise
            await _problem_of(error, scope)(scope, receive, sender)

    async def _answer(self, scope: Scope, receive: Receive) -> Response | ASGIApp:
        headers = dict(scope["headers"])
        self._check_host(headers)
        method = scope["method"]
        found = self._routes.find(scope["path"])
        if self._files is not None and method in ("GET", "HEAD") and found is None:
            return self._files  # the web page
        if found is None:
            raise Problem(Reason.NOT_FOUND)
        methods, scope["path_params"] = found
        operation = _operation_of(methods, method)
        if operation is None:
            raise _wrong_method(methods)
        scope["state"]["operation"] = operation
        if SIGN_HEADER in headers:
            receive = await self._read_signed(scope, headers, receive, operation)
        await self._admit(scope, headers, operation, method)
        if method not in ("GET", "HEAD"):
            _check_length(headers, operation.max_body_bytes)
            receive = _bounded(receive, operation.max_body_bytes)
        response: Response = await operation.handler(Request(scope, receive))
        return response

    def _answered(self, scope: Scope, status: int, began_s: float) -> None:
        """Count an answer that begins, and write it to the log where the host wants that."""
        operation: Operation | None = scope["state"].get("operation")
        duration_s = time.perf_counter() - began_s
        if operation is None:
            name, group = ("page" if status < 400 else "none"), "page"
        else:
            name, group = f"{operation.method} {operation.path}", operation.limit
        self._recorder.answered(group, name, status, duration_s)
        if self._log_requests:
            principal: Principal | None = scope["state"].get("principal")
            log.info(
                "request",
                operation=name,
                status=status,
                ms=round(duration_s * 1000, 3),
                account_id=None if principal is None else principal.account_id,
            )

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        try:
            headers = dict(scope["headers"])
            self._check_host(headers)
            found = self._routes.find(scope["path"])
            operation = found[0].get(WEBSOCKET) if found else None
            if found is None or operation is None:
                raise Problem(Reason.NOT_FOUND)
            scope["path_params"] = found[1]
            scope["state"]["operation"] = operation
            await self._admit(scope, headers, operation, WEBSOCKET)
            await operation.handler(socket)
        except WebSocketDisconnect:
            return
        except Exception as error:
            await _close(socket, error)

    async def _read_signed(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, operation: Operation
    ) -> Receive:
        """Read the body that a signature covers, and give it out again to the handler."""
        self._authenticator.check_address(_address(scope))
        _check_length(headers, operation.max_body_bytes)
        body = await read_bytes(Request(scope, _bounded(receive, operation.max_body_bytes)))
        scope["state"]["signed_body"] = body
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        return again

    def _check_host(self, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host")
        if host is None or not self._hosts.allows(host):
            raise Problem(Reason.UNKNOWN_HOST)

    async def _admit(self, scope: Scope, headers: dict[bytes, bytes], operation: Operation, method: str) -> None:
        """Find the caller, check what it may do, and take a token of its bucket."""
        state = scope["state"]
        address = _address(scope)
        caller = await self._authenticator.caller(scope, headers, address)
        principal = state["principal"] = caller.principal
        state["session_token"] = caller.session_token
        state["address"] = address
        if principal is not None and principal.via == "bootstrap":
            authorise(operation, caller, method, headers)
            return  # the host's own key is not limited
        who = address if principal is None or operation.limit == "login" else principal.account_id or principal.name
        state["limited_as"] = who
        allowance = state["allowance"] = self._limits.spend(operation.limit, who)
        if not allowance.allowed:
            raise refusal(allowance)
        authorise(operation, caller, method, headers)


class _Sender:
    """Sends a response with the headers that all responses have."""

    __slots__ = ("_answered", "_began_s", "_scope", "_send", "started")

    def __init__(self, scope: Scope, send: Send, answered: Answered) -> None:
        self._scope = scope
        self._send = send
        self._answered = answered
        self._began_s = time.perf_counter()
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self._answered(self._scope, message["status"], self._began_s)
            message["headers"] = [*message["headers"], *common_headers(self._scope, message["headers"])]
        await self._send(message)


def fixed_headers(scheme: str, path: str) -> list[tuple[bytes, bytes]]:
    """What every response at this address carries that does not set it itself."""
    headers = list(SECURITY_HEADERS)
    if scheme in ("https", "wss"):
        headers.append(STRICT_TRANSPORT)
    headers.append((b"content-security-policy", CONTENT_SECURITY_POLICY))
    headers.append((b"cache-control", b"no-store" if path.startswith("/v1/") else b"no-cache"))
    return headers


def response_of(scope: Scope, outcome: Answer | Exception) -> express.Whole:
    """The response to what came of an order, with all its headers."""
    try:
        if isinstance(outcome, Exception):
            raise outcome
        response = respond(outcome)
    except Exception as error:
        response = _problem_of(error, scope)
    headers = [*response.raw_headers, *common_headers(scope, response.raw_headers)]
    return response.status_code, headers, bytes(response.body)


def common_headers(scope: Scope, given: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What every response carries besides its own headers."""
    state = scope["state"]
    names = {name for name, _ in given}
    fixed = fixed_headers(scope["scheme"], scope["path"])
    headers = [
        (b"x-request-id", state["request_id"].encode()),
        *[pair for pair in fixed if pair[0] not in names],
    ]
    allowance = state.get("allowance")
    if allowance is not None:
        headers += limit_headers(allowance)
    return headers


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return address_key(client[0]) if client else ""


def _operation_of(methods: dict[str, Operation], method: str) -> Operation | None:
    operation = methods.get(method)
    if operation is None and method == "HEAD":
        operation = methods.get("GET")
        if operation is not None and operation.limit == "stream":
            return None  # a stream has no end, so no answer without a body either
    return operation


def _wrong_method(methods: dict[str, Operation]) -> Problem:
    allowed = allowed_methods(methods)
    if not allowed:
        detail = "This address is a WebSocket."
        return Problem(
            Reason.METHOD_NOT_ALLOWED,
            status=426,
            detail=detail,
            headers={"Upgrade": "websocket", "Connection": "Upgrade"},
        )
    return Problem(Reason.METHOD_NOT_ALLOWED, headers={"Allow": allowed})


def _check_length(headers: dict[bytes, bytes], limit: int) -> None:
    length = headers.get(b"content-length")
    if length is not None and (not length.isdigit() or len(length) > 15 or int(length) > limit):
        raise _too_large(limit)


def _bounded(receive: Receive, limit: int) -> Receive:
    """`receive` that refuses a body once it is longer than `limit` bytes, whatever its headers said."""
    total = 0

    async def bounded() -> Message:
        nonlocal total
        message = await receive()
        if message["type"] == "http.request":
            total += len(message.get("body", b""))
            if total > limit:
                raise _too_large(limit)
        return message

    return bounded


def _too_large(limit: int) -> Problem:
    return Problem(
        Reason.BODY_TOO_LARGE, headers={"Connection": "close", "Onseju-Max-Body-Bytes": str(limit)}
    )  # closed: the rest of the body is not read


def _as_problem(error: Exception, scope: Scope) -> Problem:
    """The refusal that an exception stands for. What is not one is logged, and gives nothing away."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, BusyError):
        return Problem(Reason.DISK_FULL if isinstance(error, DiskFullError) else Reason.OVERLOADED)
    if isinstance(error, DatabaseFullError):
        return Problem(Reason.DISK_FULL)
    if isinstance(error, DatabaseUnavailableError):
        return Problem(Reason.USERS_UNAVAILABLE)
    if isinstance(error, StoppedError | UnansweredError):
        return Problem(Reason.EXCHANGE_STOPPED)
    if isinstance(error, HTTPException) and error.status_code in (404, 405):
        return Problem(Reason.NOT_FOUND if error.status_code == 404 else Reason.METHOD_NOT_ALLOWED)
    log.error("unexpected error", request_id=scope["state"]["request_id"], path=scope["path"], exc_info=error)
    return Problem(Reason.INTERNAL)


def _problem_of(error: Exception, scope: Scope) -> Response:
    problem = _as_problem(error, scope)
    if problem.status == 401:
        problem.headers.setdefault("WWW-Authenticate", 'Bearer realm="onseju"')
    return problem_response(HTTPConnection(scope), problem)


async def _close(socket: WebSocket, error: Exception) -> None:
    """Refuse a WebSocket: with a problem document before it is open, with a close code after."""
    if socket.application_state is WebSocketState.CONNECTING:
        response = _problem_of(error, socket.scope)
        response.raw_headers += common_headers(socket.scope, response.raw_headers)
        await socket.send_denial_response(response)
        return
    problem = _as_problem(error, socket.scope)
    code = {401: CLOSE_AUTHENTICATION, 500: CLOSE_ERROR}.get(problem.status, CLOSE_POLICY)
    if socket.application_state is WebSocketState.CONNECTED:
        await socket.close(code, problem.reason.code)
