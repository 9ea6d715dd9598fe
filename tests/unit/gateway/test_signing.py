"""Signed requests over a real port: a right signature opens, anything changed does not, and nothing works twice."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from onseju.gateway import keys, orders, users
from onseju.gateway.operations import PUBLIC, Operations
from onseju.gateway.problems import Problem
from onseju.gateway.signing import WINDOW_MS, Nonces, SignedHead, signature
from onseju.identity.service import IdentityService
from tests.unit.gateway.served import PASSWORD, QUICK, Served, Venue

sockets = Operations("sockets")


@sockets.add("WS", "/v1/who", summary="Who", scope=PUBLIC, limit="stream", responses={101: None})  # type: ignore[type-var]
async def who(socket: Any) -> None:
    await socket.accept()
    principal = socket.state.principal
    await socket.send_text("nobody" if principal is None else principal.name)
    await socket.close()


@pytest.fixture
def server(venue: Venue) -> Iterator[Served]:
    with venue.served(users.operations, keys.operations, orders.operations, sockets) as served:
        yield served


def log_in(client: httpx.Client, name: str) -> str:
    """A session on this client, which sends no `Secure` cookie over http by itself. Gives the CSRF token."""
    answer = client.post("/v1/session", json={"name": name, "password": PASSWORD})
    client.headers["Cookie"] = answer.headers["Set-Cookie"].partition(";")[0]
    token: str = answer.json()["csrf_token"]
    return token


def a_key(
    server: Served, kind: str = "signed", name: str = "alice", scopes: tuple[str, ...] = ("read", "trade")
) -> str:
    """A new user's key, made as the page makes it."""
    with server.client() as client:
        client.post("/v1/users", json={"name": name, "password": PASSWORD})
        csrf = log_in(client, name)
        body = {"name": "bot", "kind": kind, "scopes": list(scopes)}
        made = client.post("/v1/api-keys", json=body, headers={"X-CSRF-Token": csrf})
        assert made.status_code == 201, made.text
        assert made.json()["kind"] == kind
        (listed,) = client.get("/v1/api-keys").json()["keys"]
        assert listed["kind"] == kind
    key: str = made.json()["api_key"]
    return key


def signed(key: str, method: str, target: str, body: bytes = b"", **changed: str) -> dict[str, str]:
    key_id, _, secret = key.partition(".")
    timestamp = changed.get("timestamp", str(time.time_ns() // 1_000_000))
    nonce = changed.get("nonce", secrets.token_urlsafe(12))
    sign = signature(secret, timestamp.encode(), nonce.encode(), method, target.encode(), body)
    return {
        "X-Onseju-Key": key_id,
        "X-Onseju-Timestamp": timestamp,
        "X-Onseju-Nonce": nonce,
        "X-Onseju-Sign": changed.get("sign", sign),
        "Content-Type": "application/json",
    }


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


ORDER = {"symbol": "005930", "side": "buy", "type": "limit", "qty": 1, "limit_price": 98_500, "client_order_id": "a-1"}


def test_a_right_signature_opens(server: Served) -> None:
    key = a_key(server)
    with server.client() as client:
        answer = client.get("/v1/session", headers=signed(key, "GET", "/v1/session"))
        assert (answer.status_code, answer.json()["via"]) == (200, "signed")
        target = "/v1/session?a=%20b&c=%EA%B0%80"
        assert client.get(target, headers=signed(key, "GET", target)).status_code == 200
        body = json.dumps(ORDER).encode()
        answer = client.post("/v1/orders", content=body, headers=signed(key, "POST", "/v1/orders", body))
        assert answer.status_code == 201, answer.text


def test_anything_changed_closes(server: Served) -> None:
    key = a_key(server)
    body = json.dumps(ORDER).encode()
    good = signed(key, "POST", "/v1/orders", body)
    other_secret = signed(key.partition(".")[0] + ".another", "POST", "/v1/orders", body)
    refused: list[tuple[str, str, bytes, dict[str, str]]] = [
        ("POST", "/v1/orders", body.replace(b"98500", b"98600"), good),
        ("POST", "/v1/orders", body + b" ", good),
        ("POST", "/v1/orders?x=1", body, good),
        ("POST", "/v1/orders:batch", body, good),
        ("POST", "/v1/orders", body, good | {"X-Onseju-Nonce": "another-nonce"}),
        ("POST", "/v1/orders", body, good | {"X-Onseju-Timestamp": str(int(good["X-Onseju-Timestamp"]) + 1)}),
        ("POST", "/v1/orders", body, good | {"X-Onseju-Sign": "0" * 64}),
        ("POST", "/v1/orders", body, good | {"X-Onseju-Key": "ok000000000000000000"}),
        ("POST", "/v1/orders", body, other_secret),
    ]
    with server.client() as client:
        for method, target, content, headers in refused:
            answer = client.request(method, target, content=content, headers=headers)
            assert code(answer) == (401, "signature_invalid"), (target, headers)
        for name in ("X-Onseju-Key", "X-Onseju-Timestamp", "X-Onseju-Nonce"):
            headers = {header: value for header, value in good.items() if header != name}
            assert code(client.post("/v1/orders", content=body, headers=headers)) == (401, "signature_invalid")
        for sign in ("", "x" * 64, "A" * 64, "0" * 63):
            answer = client.post("/v1/orders", content=body, headers=good | {"X-Onseju-Sign": sign})
            assert code(answer) == (401, "signature_invalid")
        # none of it used the nonce up
        assert client.post("/v1/orders", content=body, headers=good).status_code == 201


def test_nothing_works_twice_or_late(server: Served) -> None:
    key = a_key(server)
    with server.client() as client:
        once = signed(key, "GET", "/v1/session")
        assert client.get("/v1/session", headers=once).status_code == 200
        assert code(client.get("/v1/session", headers=once)) == (401, "nonce_used")
        now = time.time_ns() // 1_000_000
        for timestamp in (now - WINDOW_MS - 500, now + WINDOW_MS + 1500, 1_000_000_000_000):
            headers = signed(key, "GET", "/v1/session", timestamp=str(timestamp))
            assert code(client.get("/v1/session", headers=headers)) == (401, "timestamp_outside_window")
        for timestamp in ("", "1", "-1795000000000", str(now // 1000), f"{now}.5"):
            headers = signed(key, "GET", "/v1/session", timestamp=timestamp)
            assert code(client.get("/v1/session", headers=headers)) == (401, "signature_invalid")


def test_what_a_restart_could_let_in_twice_needs_an_id_of_its_own(server: Served) -> None:
    key = a_key(server)
    unnamed = {name: value for name, value in ORDER.items() if name != "client_order_id"}
    with server.client() as client:
        for path, order in (("/v1/orders", unnamed), ("/v1/orders:batch", {"orders": [ORDER, unnamed]})):
            body = json.dumps(order).encode()
            answer = client.post(path, content=body, headers=signed(key, "POST", path, body))
            assert code(answer) == (400, "malformed")
            assert answer.json()["errors"][0]["field"] == "client_order_id"
        body = b'{"limit_price": 98600}'
        answer = client.patch("/v1/orders/1", content=body, headers=signed(key, "PATCH", "/v1/orders/1", body))
        assert code(answer) == (400, "malformed")


def test_a_signed_keys_secret_is_no_bearer_key_and_a_bearer_keys_does_not_sign(server: Served) -> None:
    signing, bearer = a_key(server), a_key(server, "bearer", "bob")
    with server.client() as client:
        assert code(client.get("/v1/session", headers={"Authorization": f"Bearer {signing}"})) == (
            401,
            "unauthenticated",
        )
        headers = signed(bearer, "GET", "/v1/session")
        assert code(client.get("/v1/session", headers=headers)) == (401, "signature_invalid")


def test_scopes_and_revoking(server: Served) -> None:
    key = a_key(server, scopes=("read",))
    body = json.dumps(ORDER).encode()
    with server.client() as client:
        answer = client.post("/v1/orders", content=body, headers=signed(key, "POST", "/v1/orders", body))
        assert code(answer) == (403, "forbidden")
        csrf = log_in(client, "alice")
        key_id = key.partition(".")[0]
        assert client.delete(f"/v1/api-keys/{key_id}", headers={"X-CSRF-Token": csrf}).status_code == 204
    with server.client() as client:
        headers = signed(key, "GET", "/v1/session")
        assert code(client.get("/v1/session", headers=headers)) == (401, "signature_invalid")


def test_a_body_that_is_too_large_or_guessing_is_stopped_before_it_costs(server: Served) -> None:
    key = a_key(server)
    large = b" " * 70_000
    with server.client() as client:
        answer = client.post("/v1/orders", content=large, headers=signed(key, "POST", "/v1/orders", large))
        assert code(answer) == (413, "body_too_large")
        wrong = signed(key, "GET", "/v1/session", sign="0" * 64)
        codes = {client.get("/v1/session", headers=wrong).status_code for _ in range(70)}
        assert codes == {401, 429}


def test_a_websocket_is_signed_as_a_get_without_body(server: Served) -> None:
    key = a_key(server)
    headers = signed(key, "GET", "/v1/who")
    with connect(server.ws_url + "/v1/who", additional_headers=headers, proxy=None) as socket:
        assert socket.recv() == "alice"
    with pytest.raises(InvalidStatus) as refusal:
        connect(server.ws_url + "/v1/who", additional_headers=headers, proxy=None)
    assert refusal.value.response.status_code == 401


def test_secrets_are_not_in_the_database_and_hold_over_a_restart(venue: Venue, server: Served) -> None:
    key = a_key(server)
    directory = venue.settings.data_dir
    assert key.partition(".")[2].encode() not in (directory / "identity.db").read_bytes()
    assert (directory / "signing.key").stat().st_mode & 0o777 == 0o600
    with server.client() as client:
        assert client.get("/v1/session", headers=signed(key, "GET", "/v1/session")).status_code == 200
    (directory / "copy").mkdir()
    for name in ("identity.db", "signing.key"):
        (directory / "copy" / name).write_bytes((directory / name).read_bytes())

    async def secret_after_a_restart() -> str:
        again = IdentityService.open(directory / "copy" / "identity.db", hasher=QUICK)
        try:
            signer = await again.signer(key.partition(".")[0])
            assert signer is not None
            return signer[1]
        finally:
            await again.close()

    assert asyncio.run(secret_after_a_restart()) == key.partition(".")[2]


def test_a_lost_master_is_told_and_its_keys_open_nothing(venue: Venue, server: Served) -> None:
    key_id, _, secret = a_key(server).partition(".")
    (venue.settings.data_dir / "copy").mkdir()
    copy = venue.settings.data_dir / "copy" / "identity.db"
    copy.write_bytes((venue.settings.data_dir / "identity.db").read_bytes())

    async def another_secret() -> bool:
        again = IdentityService.open(copy, hasher=QUICK)
        try:
            signer = await again.signer(key_id)
            return signer is not None and signer[1] != secret
        finally:
            await again.close()

    with capture_logs() as logs:
        assert asyncio.run(another_secret())
    assert [entry["event"] for entry in logs] == ["signing_key_missing"]


def test_nonces_are_forgotten_when_their_time_refuses_them_and_bounded() -> None:
    now = 1_795_000_000.0
    nonces = Nonces(max_nonces=3, clock=lambda: now)

    def head(number: int) -> SignedHead:
        return SignedHead("ok", str(int(now * 1000)).encode(), b"nonce-%d" % number, b"")

    for number in range(3):
        nonces.use(head(number))
    with pytest.raises(Problem, match="overloaded"):
        nonces.use(head(3))
    with pytest.raises(Problem, match="nonce_used"):
        nonces.use(head(0))
    old = head(0)
    now += 2 * WINDOW_MS / 1000 + 0.1
    with pytest.raises(Problem, match="timestamp_outside_window"):
        nonces.check_time(old)
    nonces.use(head(4))
    assert len(nonces) == 1
