"""The shell over real sockets, around tiny operations."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import structlog
import websockets
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocket
from structlog.testing import LogCapture
from websockets.sync.client import connect

from onseju.bus.port import BusyError, StoppedError
from onseju.contract.reasons import Reason
from onseju.gateway import keys, users
from onseju.gateway.answers import json_response
from onseju.gateway.body import read_body
from onseju.gateway.context import maybe_principal_of, principal_of
from onseju.gateway.limits import charge
from onseju.gateway.operations import PUBLIC, Operations
from onseju.gateway.problems import Problem
from tests.unit.gateway.served import ADMIN_KEY, PASSWORD, Served, Venue

operations = Operations("demo")
go_on = threading.Event()


class Thing(msgspec.Struct):
    """A thing."""

    qty: int
    names: list[str] = []


@operations.add(
    "POST",
    "/v1/things",
    summary="Make a thing",
    scope="trade",
    limit="order",
    body=Thing,
    responses={201: Thing},
    max_body_bytes=1000,
)
async def make(request: Request) -> Response:
    return json_response(await read_body(request, Thing), 201, seq=7)


@operations.add("POST", "/v1/things:many", summary="Many", scope="trade", limit="order", responses={200: None})
async def make_many(request: Request) -> Response:
    charge(request, (await read_body(request, Thing)).qty - 1)
    return json_response({})


@operations.add("GET", "/v1/things/{number:int}", summary="Read", scope=PUBLIC, limit="public", responses={200: None})
async def read(request: Request) -> Response:
    principal = maybe_principal_of(request)
    return json_response({"number": request.path_params["number"], "who": principal.name if principal else None})


@operations.add("GET", "/v1/mine", summary="Mine", scope="read", limit="query", responses={200: None})
async def mine(request: Request) -> Response:
    return json_response({"who": principal_of(request).name, "via": principal_of(request).via})


@operations.add("GET", "/v1/admin/all", summary="All", scope="admin", limit="query", responses={200: None})
async def everything(request: Request) -> Response:
    return json_response({"who": principal_of(request).name})


@operations.add("GET", "/v1/fails/{how}", summary="Fails", scope=PUBLIC, limit="public", responses={200: None})
async def fail(request: Request) -> Response:
    errors: dict[str, Exception] = {
        "bug": ValueError("the secret is okdeadbeefdeadbeef00.abcdefghijklmnopqrstuvwxyz"),
        "busy": BusyError(),
        "stopped": StoppedError(),
        "rule": Problem(Reason.PRICE_TICK),
    }
    raise errors[request.path_params["how"]]


@operations.add("GET", "/v1/drip", summary="Drips", scope=PUBLIC, limit="stream", responses={200: None})
async def drip(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first\n"
        await asyncio.to_thread(go_on.wait, 10)
        yield b"second\n"

    return StreamingResponse(parts())


@operations.add("GET", "/v1/breaks", summary="Breaks", scope=PUBLIC, limit="public", responses={200: None})
async def break_off(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first\n"
        raise ValueError("in the middle")

    return StreamingResponse(parts())


async def _socket(socket: WebSocket) -> None:
    principal = maybe_principal_of(socket)
    await socket.accept()
    await socket.send_text(principal.name if principal else "nobody")
    if await socket.receive_text() == "refuse":
        raise Problem(Reason.RATE_LIMITED)
    raise ValueError("a bug")


async def _closed_socket(socket: WebSocket) -> None:
    await _socket(socket)


operations.add("WS", "/v1/ws", summary="Public", scope=PUBLIC, limit="stream", responses={101: None})(_socket)  # type: ignore[type-var]
operations.add("WS", "/v1/mine/ws", summary="Mine", scope="read", limit="stream", responses={101: None})(  # type: ignore[type-var]
    _closed_socket
)


@pytest.fixture
def server(venue: Venue) -> Iterator[Served]:
    go_on.clear()
    with venue.served(operations, users.operations, keys.operations) as served:
        yield served
    go_on.set()


def new_key(server: Served, name: str = "kim", scopes: tuple[str, ...] = ("read", "trade")) -> str:
    with session(server, name) as client:
        key: str = client.post("/v1/api-keys", json={"name": "bot", "scopes": list(scopes)}).json()["api_key"]
    return key


@contextlib.contextmanager
def session(server: Served, name: str = "kim") -> Iterator[httpx.Client]:
    """A client that is logged in."""
    with server.client() as client:
        client.post("/v1/users", json={"name": name, "password": PASSWORD})
        answer = client.post("/v1/session", json={"name": name, "password": PASSWORD})
        client.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        yield client


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    assert (content["code"], content["status"]) == (code, status)
    assert content["instance"] == answer.headers["x-request-id"]
    assert content["detail"]
    return content


def test_every_answer_has_the_common_headers(server: Served) -> None:
    with server.client() as client:
        answers = [client.get(path) for path in ("/v1/things/1", "/v1/nothing", "/v1/mine", "/", "/v1/fails/bug")]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == ("no-cache" if answer.url.path == "/" else "no-store")
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


def test_the_page_may_load_and_run_only_what_is_ours(server: Served) -> None:
    with server.client() as client:
        text = client.get("/v1/things").headers["content-security-policy"]
    policy = {name: words for name, *words in (part.split() for part in text.split(";"))}
    assert policy["default-src"] == ["'self'"], "scripts and all else that is not named below"
    assert policy["connect-src"] == ["'self'", "ws:", "wss:"]
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]
    assert "script-src" not in policy
    assert "unsafe-eval" not in text
    assert [name for name, words in policy.items() if "'unsafe-inline'" in words] == ["style-src"]


def test_unknown_addresses_and_methods(server: Served) -> None:
    with server.client() as client:
        problem(client.get("/v1/nothing"), 404, "not_found")
        problem(client.get("/v1/things/abc"), 404, "not_found")
        problem(client.get("/v1/things/1/"), 404, "not_found")
        refused = client.put("/v1/things/1")
        problem(refused, 405, "method_not_allowed")
        assert refused.headers["allow"] == "GET, HEAD"
        assert client.get("/v1/things").headers["allow"] == "POST"
        upgrade = client.get("/v1/ws")
        problem(upgrade, 426, "method_not_allowed")
        assert upgrade.headers["upgrade"] == "websocket"
        problem(client.options("/v1/things"), 405, "method_not_allowed")


def test_head_answers_without_a_body_but_not_for_streams(server: Served) -> None:
    with server.client() as client:
        answer = client.head("/v1/things/1")
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) > 0
        assert client.head("/v1/drip").status_code == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1234", 200),
        ("127.0.0.1:99", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.example:localhost", 421),
        ("", 421),
        ("[::1", 421),
    ],
)
def test_only_our_own_hosts_are_answered(server: Served, host: str, status: int) -> None:
    answer = server.raw(
        f"GET /v1/things/1 HTTP/1.1\r\nHost: {host}\r\nOrigin: http://x\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 %d " % status)


def test_a_request_without_host_is_refused(server: Served) -> None:
    assert server.raw(b"GET /v1/things/1 HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421 ")


def test_keys_and_scopes(server: Served) -> None:
    key = new_key(server, scopes=("read",))
    with server.client() as client:
        refused = client.get("/v1/mine")
        problem(refused, 401, "unauthenticated")
        assert refused.headers["www-authenticate"] == 'Bearer realm="onseju"'
        for credential in (f"Bearer {key}x", "Bearer nothing", "Bearer", f"Basic {key}", "Bearer " + "x" * 600, key):
            problem(client.get("/v1/mine", headers={"Authorization": credential}), 401, "unauthenticated")
        problem(client.get("/v1/things/1", headers={"Authorization": "Bearer wrong.key"}), 401, "unauthenticated")
        client.headers["Authorization"] = f"Bearer {key}"
        assert client.get("/v1/mine").json() == {"who": "kim", "via": "key"}
        assert client.get("/v1/things/1").json()["who"] == "kim"
        problem(client.post("/v1/things", json={"qty": 1}), 403, "forbidden")
        problem(client.get("/v1/admin/all"), 403, "forbidden")


def test_the_bootstrap_key_may_all_and_is_not_limited(server: Served) -> None:
    with server.client(headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as client:
        answer = client.get("/v1/admin/all")
        assert answer.json() == {"who": "bootstrap"}
        assert "ratelimit" not in answer.headers
        client.headers["Authorization"] = f"Bearer {ADMIN_KEY}x"
        problem(client.get("/v1/admin/all"), 401, "unauthenticated")
        client.headers["Authorization"] = f"Bearer {ADMIN_KEY.partition('.')[0]}."
        problem(client.get("/v1/admin/all"), 401, "unauthenticated")


def test_wrong_keys_are_soon_not_even_looked_up(server: Served) -> None:
    good = new_key(server)
    with server.client() as client:
        assert client.get("/v1/mine", headers={"Authorization": f"Bearer {good}"}).status_code == 200
        codes = []
        while 429 not in codes and len(codes) < 2000:  # the bucket fills up again meanwhile: a slow machine needs more
            wrong = {"Authorization": f"Bearer ok{len(codes)}.x"}
            codes.append(client.get("/v1/mine", headers=wrong).status_code)
        assert (codes[0], codes[-1]) == (401, 429)
        assert client.get("/v1/mine", headers={"Authorization": f"Bearer {good}"}).status_code == 200


def test_made_up_cookies_are_soon_not_even_looked_up(server: Served) -> None:
    with server.client() as client, session(server) as kim:
        stale = {"Cookie": "__Host-onseju=stale"}
        codes = [client.get("/v1/mine", headers=stale).status_code for _ in range(80)]
        assert codes == [401] * 80
        codes = []
        while 429 not in codes and len(codes) < 2000:  # the bucket fills up again meanwhile: a slow machine needs more
            made_up = {"Cookie": f"__Host-onseju=made-up-{len(codes)}"}
            codes.append(client.get("/v1/mine", headers=made_up).status_code)
        assert (codes[0], codes[-1]) == (401, 429)
        assert kim.get("/v1/mine").status_code == 200


def test_a_sessions_writes_need_the_csrf_header(server: Served) -> None:
    key = new_key(server, "lee")
    with session(server) as client:
        assert client.get("/v1/mine").json()["via"] == "session"
        assert client.post("/v1/things", json={"qty": 1}).status_code == 201
        token = client.headers.pop("X-CSRF-Token")
        problem(client.post("/v1/things", json={"qty": 1}), 403, "csrf_failed")
        for wrong in ("", "x", token[:-1], token + "x"):
            refused = client.post("/v1/things", json={"qty": 1}, headers={"X-CSRF-Token": wrong})
            problem(refused, 403, "csrf_failed")
        assert client.get("/v1/mine").status_code == 200
        client.headers["Authorization"] = f"Bearer {key}"  # a key is no cookie: no other page can send it
        assert client.post("/v1/things", json={"qty": 1}).status_code == 201
        assert client.get("/v1/mine").json() == {"who": "lee", "via": "key"}


def test_bodies_too_large_are_refused_by_their_length_and_while_they_arrive(server: Served) -> None:
    key = new_key(server)
    with server.client(headers={"Authorization": f"Bearer {key}"}) as client:
        large = {"qty": 1, "names": ["x" * 1000]}
        refused = client.post("/v1/things", json=large)
        problem(refused, 413, "body_too_large")
        assert refused.headers["connection"] == "close"

        def chunks() -> Iterator[bytes]:
            for _ in range(30):
                yield b" " * 50

        refused = client.post("/v1/things", content=chunks(), headers={"Content-Type": "application/json"})
        problem(refused, 413, "body_too_large")
        exact = json.dumps({"qty": 1}).encode().ljust(1000)
        assert client.post("/v1/things", content=exact, headers={"Content-Type": "application/json"}).status_code == 201
        problem(
            client.post("/v1/things", content=exact + b" ", headers={"Content-Type": "application/json"}),
            413,
            "body_too_large",
        )


def test_a_body_that_never_ends_is_given_up(server: Served, venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key(server)
    monkeypatch.setattr(venue.settings, "body_timeout_s", 0.2)
    head = (
        f"POST /v1/things HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    answer = server.raw(head.encode())
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"malformed"' in answer


def test_a_client_that_leaves_in_its_body_harms_nobody(server: Served) -> None:
    key = new_key(server)
    head = (
        f"POST /v1/things HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with structlog.testing.capture_logs() as logs:
        server.raw(head.encode(), half_close=True)
        with server.client(headers={"Authorization": f"Bearer {key}"}) as client:
            assert client.post("/v1/things", json={"qty": 1}).status_code == 201
    assert logs == []


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "text/json"])
def test_only_json_is_taken(server: Served, content_type: str | None) -> None:
    headers = {"Authorization": f"Bearer {new_key(server)}"}
    if content_type:
        headers["Content-Type"] = content_type
    with server.client(headers=headers) as client:
        problem(client.post("/v1/things", content=b'{"qty":1}'), 415, "unsupported_media_type")


def test_limits_are_told_and_kept_for_each_account(tmp_path: Path) -> None:
    venue = Venue(tmp_path, order_rate_per_s=1)
    try:
        with venue.served(operations, users.operations, keys.operations) as server:
            kim, lee = new_key(server, "kim"), new_key(server, "lee")
            with server.client(headers={"Authorization": f"Bearer {kim}"}) as client:
                first = client.post("/v1/things", json={"qty": 1})
                assert first.headers["ratelimit-policy"] == '"order";q=5;w=5'
                assert first.headers["ratelimit"] == '"order";r=4;t=1'
                assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("5", "4")
                codes = [client.post("/v1/things", json={"qty": 1}).status_code for _ in range(6)]
                assert 429 in codes
                refused = client.post("/v1/things", json={"qty": 1})
                assert problem(refused, 429, "rate_limited")["retryable"] is True
                assert refused.headers["retry-after"] == "1"
                assert refused.headers["x-ratelimit-remaining"] == "0"
                assert client.get("/v1/mine").status_code == 200
                client.headers["Authorization"] = f"Bearer {lee}"
                many = client.post("/v1/things:many", json={"qty": 5})
                assert (many.status_code, many.headers["ratelimit"]) == (200, '"order";r=0;t=5')
                problem(client.post("/v1/things:many", json={"qty": 5}), 429, "rate_limited")
    finally:
        venue.close()


def test_a_bug_is_logged_with_its_request_and_tells_the_client_nothing(server: Served) -> None:
    capture = LogCapture()
    structlog.configure(processors=[capture])
    try:
        with server.client() as client:
            answer = client.get("/v1/fails/bug")
    finally:
        structlog.reset_defaults()
    problem(answer, 500, "internal")
    assert "secret" not in answer.text
    (entry,) = capture.entries
    assert (entry["event"], entry["request_id"]) == ("unexpected error", answer.headers["x-request-id"])
    assert isinstance(entry["exc_info"], ValueError)


def test_refusals_of_the_exchange_have_their_status(server: Served) -> None:
    with server.client() as client:
        busy = client.get("/v1/fails/busy")
        assert problem(busy, 503, "overloaded")["retryable"] is True
        assert busy.headers["retry-after"] == "1"
        problem(client.get("/v1/fails/stopped"), 503, "exchange_stopped")
        assert problem(client.get("/v1/fails/rule"), 422, "price_tick")["type"] == "/docs/problems#price_tick"


@pytest.mark.parametrize(
    ("accepted", "korean"),
    [("ko", True), ("ko-KR,ko;q=0.9,en;q=0.8", True), ("en-US,en;q=0.9,ko;q=0.8", False), ("fr", True), ("", True)],
)
def test_problems_speak_the_readers_language(server: Served, accepted: str, korean: bool) -> None:
    with server.client(headers={"Accept-Language": accepted}) as client:
        detail = problem(client.get("/v1/nothing"), 404, "not_found")["detail"]
    assert detail == ("찾을 수 없습니다." if korean else "There is nothing here.")


def test_a_stream_is_passed_on_piece_by_piece(server: Served) -> None:
    with server.client() as client, client.stream("GET", "/v1/drip") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "first"
        go_on.set()
        assert next(lines) == "second"


def test_an_answer_that_breaks_in_the_middle_is_cut_off(server: Served) -> None:
    with server.client() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/v1/breaks")
        assert client.get("/v1/things/1").status_code == 200


def test_a_public_websocket_knows_keys_and_cookies_of_its_own_page_only(server: Served) -> None:
    key = new_key(server, "lee")
    with session(server) as client:
        cookie = client.headers["Cookie"]
    for headers, who in [
        ({}, "nobody"),
        ({"Authorization": f"Bearer {key}"}, "lee"),
        ({"Cookie": cookie, "Origin": server.url}, "kim"),
        ({"Cookie": cookie, "Origin": "http://evil.example"}, "nobody"),
        ({"Cookie": cookie, "Origin": server.url.replace("http", "https")}, "nobody"),
        ({"Cookie": cookie, "Origin": "http://127.0.0.1:1"}, "nobody"),
        ({"Cookie": cookie, "Origin": "null"}, "nobody"),
        ({"Cookie": cookie}, "nobody"),
    ]:
        with connect(server.ws_url + "/v1/ws", additional_headers=headers, proxy=None) as socket:
            assert socket.recv(10) == who


def test_a_websocket_that_needs_a_caller_refuses_others_before_it_opens(server: Served) -> None:
    key = new_key(server, "lee")
    with session(server) as client:
        cookie = client.headers["Cookie"]
    for headers, path, status in [
        ({}, "/v1/mine/ws", 401),
        ({"Cookie": cookie}, "/v1/mine/ws", 401),
        ({"Cookie": cookie, "Origin": "http://evil.example"}, "/v1/mine/ws", 401),
        ({"Authorization": "Bearer wrong.key"}, "/v1/ws", 401),
        ({"Authorization": f"Bearer {key}"}, "/v1/nothing", 404),
        ({"Authorization": f"Bearer {key}"}, "/v1/mine", 404),
    ]:
        with pytest.raises(websockets.InvalidStatus) as refused:
            connect(server.ws_url + path, additional_headers=headers, proxy=None)
        response = refused.value.response
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert json.loads(response.body or b"")["instance"] == response.headers["x-request-id"]
    with connect(
        server.ws_url + "/v1/mine/ws", additional_headers={"Cookie": cookie, "Origin": server.url}, proxy=None
    ) as socket:
        assert socket.recv(10) == "kim"


def test_a_websocket_for_another_host_is_refused(server: Served) -> None:
    answer = server.raw(
        b"GET /v1/ws HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b'"code":"unknown_host"' in answer


@pytest.mark.parametrize(("said", "code", "reason"), [("refuse", 1008, "rate_limited"), ("bug", 1011, "internal")])
def test_an_open_websocket_is_closed_with_the_reason(server: Served, said: str, code: int, reason: str) -> None:
    with structlog.testing.capture_logs(), connect(server.ws_url + "/v1/ws", proxy=None) as socket:
        socket.recv(10)
        socket.send(said)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            socket.recv(10)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)


def test_a_built_page_is_served_beside_the_api(venue: Venue, tmp_path: Path) -> None:
    page = tmp_path / "dist"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<h1>the page</h1>")
    (page / "assets" / "app.js").write_text("run()")
    (tmp_path / "outside.txt").write_text("not for you")
    with venue.served(operations, page=page) as server, server.client() as client:
        assert client.get("/").text == "<h1>the page</h1>"
        script = client.get("/assets/app.js")
        assert (script.text, script.headers["x-content-type-options"]) == ("run()", "nosniff")
        assert client.get("/assets/app.js", headers={"If-None-Match": script.headers["etag"]}).status_code == 304
        problem(client.get("/assets/missing.js"), 404, "not_found")
        problem(client.post("/assets/app.js"), 404, "not_found")
        problem(client.post("/v1/nothing"), 404, "not_found")
        assert client.get("/v1/things").status_code == 405
        assert client.get("/docs/problems").status_code == 200
        for path in ("/../outside.txt", "/%2e%2e/outside.txt", "/assets/..%2f..%2foutside.txt"):
            answer = server.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            assert b"not for you" not in answer
            assert answer.startswith(b"HTTP/1.1 404 ")


def test_an_address_is_declared_once(venue: Venue) -> None:
    with pytest.raises(ValueError, match="declared twice"), contextlib.ExitStack() as stack:
        stack.enter_context(venue.served(operations, operations))
