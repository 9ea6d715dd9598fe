"""The short way of a single order gives what the long way gives, takes only what is in order, and keeps a connection's turns."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from onseju.contract.commands import DepositCash, DepositShares, Request
from onseju.gateway import express, keys, orders, users
from onseju.gateway.express import MAX_BODY_BYTES, Express
from onseju.gateway.shell import build_app
from onseju.push.protocols import HttpProtocol
from tests.engines import once
from tests.unit.gateway.hosting import HOSTS
from tests.unit.gateway.served import ADMIN_KEY, Served, Venue

SYMBOL, PRICE = "005930", 98_500
GOOD: dict[str, Any] = {"symbol": SYMBOL, "side": "sell", "type": "limit", "qty": 2, "limit_price": PRICE}
pytestmark = once

STAMPS = re.compile(
    rb"(?im)(?<=^date: ).*$|(?<=^x-request-id: ).*$|(?<=^content-length: ).*$|(?<=^x-ratelimit-re).*$|(?<=;r=).*$"
    rb'|(?<="instance":)"[^"]*"|(?<="ts":)"[^"]*"'
)
"""What is different each time, or by the time: dates, ids (and so lengths), how full a bucket is."""


class Place(NamedTuple):
    """A server, an account's key there, and what the short way said to each request."""

    venue: Venue
    served: Served
    key: str
    taken: list[bool]

    def send(self, *parts: bytes, wait_s: float = 0.0) -> bytes:
        """Send these bytes, part by part, and read until the server closes."""
        with socket.create_connection(("127.0.0.1", self.served.port), timeout=10) as connection:
            for part in parts:
                connection.sendall(part)
                if part is not parts[-1]:
                    time.sleep(wait_s)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        return received


def serve(directory: Path, *, short: bool, **settings: Any) -> Iterator[Place]:
    venue = Venue(directory, **settings)
    app: Any = build_app(venue.gateway, [*HOSTS, orders.operations, users.operations, keys.operations])
    assert isinstance(app.express, Express)
    taken: list[bool] = []
    if short:
        take = app.express.take

        def watched(*arguments: Any) -> bool:
            taken.append(take(*arguments))
            return taken[-1]

        app.express.take = watched
    else:
        app.express = None
    with Served(app, http=HttpProtocol) as served:
        with served.client(headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as host:
            made = host.post(
                "/v1/admin/accounts", json={"name": "short", "cash": 10_000_000, "holdings": {SYMBOL: 100}}
            )
            assert made.status_code == 201, made.text
        venue.bus.apply(Request(DepositCash(account=made.json()["account_id"], amount=1)))
        venue.bus.apply(Request(DepositShares(account=made.json()["account_id"], instrument=1, qty=1)))
        key: str = made.json()["api_key"]
        with served.client(headers={"Authorization": f"Bearer {key}"}) as client:  # it is known from now on
            assert client.get("/v1/api-keys").status_code == 200
        yield Place(venue, served, key, taken)
    venue.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, tested_on: object) -> Iterator[Place]:
    yield from serve(tmp_path_factory.mktemp("running"), short=True)


@pytest.fixture
def short(running: Place) -> Place:
    running.taken.clear()
    return running


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, tested_on: object) -> Iterator[tuple[Place, Place]]:
    """One server that has the short way and one that has not; both are asked the same."""
    with contextlib.ExitStack() as stack:
        served = contextlib.contextmanager(serve)
        short = stack.enter_context(served(tmp_path_factory.mktemp("short"), short=True))
        yield short, stack.enter_context(served(tmp_path_factory.mktemp("long"), short=False))


def asked(place: Place, body: Any, *more: bytes, close: bool = True, key: str | None = None, **headers: str) -> bytes:
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    told = {
        "Host": "localhost",
        "Authorization": f"Bearer {place.key if key is None else key}",
        "Content-Type": "application/json",
        "Content-Length": str(len(data)),
        **({"Connection": "close"} if close else {}),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [
        b"POST /v1/orders HTTP/1.1",
        *[f"{name}: {value}".encode() for name, value in told.items() if value],
        *more,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + data


def alike(answer: bytes) -> bytes:
    """An answer without what is different each time."""
    return STAMPS.sub(b"", answer)


IN_ORDER: list[tuple[dict[str, Any], dict[str, str], bytes]] = [
    (GOOD, {}, b"201"),
    (GOOD | {"side": "buy", "qty": 1, "client_order_id": "a-1"}, {}, b"201"),
    (GOOD | {"side": "buy", "qty": 1, "client_order_id": "a-1"}, {}, b"200"),
    (GOOD | {"side": "buy", "qty": 2, "client_order_id": "a-1"}, {}, b"409"),
    (GOOD | {"qty": 10_000, "client_order_id": "a-2"}, {}, b"422"),
    (GOOD | {"qty": 10_000, "client_order_id": "a-2"}, {"Accept_Language": "en"}, b"422"),
    (GOOD | {"limit_price": PRICE + 1}, {"Accept_Language": "en"}, b"422"),
    (GOOD | {"side": "buy", "type": "market", "limit_price": None, "time_in_force": "ioc", "qty": 5}, {}, b"201"),
    (GOOD | {"time_in_force": "fok"}, {"User_Agent": "bot", "Accept": "*/*"}, b"201"),
]


def test_the_answers_are_those_of_the_long_way(both: tuple[Place, Place]) -> None:
    short, long = both
    short.taken.clear()
    for body, headers, status in IN_ORDER:
        answer = short.send(asked(short, body, **headers))
        assert alike(answer) == alike(long.send(asked(long, body, **headers)))
        assert answer.split(b" ", 2)[1] == status
        assert re.search(rb"\r\nx-request-id: \S+\r\n", answer)
    assert short.taken == [True] * len(IN_ORDER)
    orders_of = [[block.payload for block in place.venue.bus.blocks[-len(IN_ORDER) :]] for place in both]
    assert orders_of[0] == orders_of[1]


UNUSUAL: list[tuple[str, Any, tuple[bytes, ...], dict[str, str], bytes]] = [
    ("broken JSON", b'{"symbol":', (), {}, b"400"),
    ("no object", b"[]", (), {}, b"400"),
    ("not UTF-8", b'{"symbol":"\xff"}', (), {}, b"400"),
    ("a wrong field", GOOD | {"qty": 0}, (), {}, b"400"),
    ("an unknown field", GOOD | {"more": 1}, (), {}, b"400"),
    ("a price that does not go with the type", GOOD | {"type": "market"}, (), {}, b"400"),
    ("a final newline in the id", GOOD | {"client_order_id": "a\n"}, (), {}, b"400"),
    ("no such instrument", GOOD | {"symbol": "nothing"}, (), {}, b"404"),
    ("no key", GOOD, (), {"Authorization": ""}, b"401"),
    ("a wrong key", GOOD, (), {"Authorization": "Bearer ok123.secret"}, b"401"),
    ("another scheme", GOOD, (), {"Authorization": "Basic abc"}, b"401"),
    ("the host's key", GOOD, (), {"Authorization": f"Bearer {ADMIN_KEY}"}, b"403"),
    ("another type", GOOD, (), {"Content_Type": "text/plain"}, b"415"),
    ("another host", GOOD, (), {"Host": "evil.example"}, b"421"),
    ("a header twice", GOOD, (b"Accept: a", b"Accept: b"), {}, b"201"),
    ("a header that is none of ours", GOOD, (b"X-Forwarded-For: 1.2.3.4",), {}, b"201"),
    ("a cookie", GOOD, (b"Cookie: a=b",), {}, b"201"),
    ("spaces behind the value", b" " * MAX_BODY_BYTES + msgspec.json.encode(GOOD), (), {}, b"201"),
    ("a body that is announced too long", GOOD, (), {"Content_Length": "99999999"}, b"413"),
]


def test_what_is_not_in_order_goes_the_long_way(both: tuple[Place, Place]) -> None:
    short, long = both
    short.taken.clear()
    for name, body, more, headers, status in UNUSUAL:
        answer = short.send(asked(short, body, *more, **headers))
        assert alike(answer) == alike(long.send(asked(long, body, *more, **headers))), name
        assert answer.split(b" ", 2)[1] == status, name
    assert not any(short.taken)


def test_other_addresses_and_methods(short: Place) -> None:
    request = asked(short, GOOD)
    assert short.send(request.replace(b"/v1/orders ", b"/v1/orders?a=b ")).split(b" ")[1] == b"201"
    assert short.send(request.replace(b"POST", b"PUT")).split(b" ")[1] == b"405"
    assert short.send(request.replace(b"/v1/orders ", b"/v1/order%73 ")).split(b" ")[1] == b"201"
    assert short.taken == []


def test_a_body_that_comes_later_chunked_or_on_request(short: Place) -> None:
    head, body = asked(short, GOOD).split(b"\r\n\r\n")
    late = short.send(head + b"\r\n\r\n" + body[:9], body[9:], wait_s=0.05)
    assert late.split(b" ")[1] == b"201"
    chunked = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
    pieces = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert short.send(chunked + b"\r\n\r\n" + pieces).split(b" ")[1] == b"201"
    waits = short.send(head + b"\r\nExpect: 100-continue\r\n\r\n", body, wait_s=0.05)
    assert waits.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201")
    assert not any(short.taken)


def test_requests_behind_each_other_are_answered_in_their_order(short: Place) -> None:
    several = [asked(short, GOOD | {"qty": qty}, close=qty == 5) for qty in range(1, 6)]
    answers = short.send(b"".join(several))
    assert re.findall(rb'"qty":(\d)', answers) == [b"1", b"2", b"3", b"4", b"5"]
    assert answers.count(b"HTTP/1.1 201 Created") == 5
    assert short.taken == [True], "those behind it wait in the protocol"
    one_by_one = b""
    with socket.create_connection(("127.0.0.1", short.served.port), timeout=10) as connection:
        for qty in (1, 2, 3):
            connection.sendall(asked(short, GOOD | {"qty": qty}, close=False))
            one_by_one += connection.recv(65536)
    assert re.findall(rb'"qty":(\d)', one_by_one) == [b"1", b"2", b"3"]
    assert short.taken == [True] * 4


def test_http_1_0_is_closed(short: Place) -> None:
    answer = short.send(asked(short, GOOD, close=False).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert b"\r\nconnection: close\r\n" in answer
    assert short.taken == [True]


def test_a_revoked_key_enters_nothing_any_more(short: Place) -> None:
    assert short.send(asked(short, GOOD)).split(b" ")[1] == b"201"
    with short.served.client(headers={"Authorization": f"Bearer {short.key}"}) as client:
        key = client.post("/v1/api-keys", json={"name": "second", "scopes": ["trade"]}).json()["api_key"]
        assert short.send(asked(short, GOOD, key=key)).split(b" ")[1] == b"201"
        assert short.send(asked(short, GOOD, key=key)).split(b" ")[1] == b"201"
        assert client.delete(f"/v1/api-keys/{key.partition('.')[0]}").status_code == 204
    assert short.send(asked(short, GOOD, key=key)).split(b" ")[1] == b"401"
    assert short.taken == [True, False, True, False]


def test_keys_that_may_not_trade_or_must_sign(short: Place) -> None:
    with short.served.client(headers={"Authorization": f"Bearer {short.key}"}) as client:
        reader = client.post("/v1/api-keys", json={"name": "reader", "scopes": ["read"]}).json()["api_key"]
        made = client.post("/v1/api-keys", json={"name": "signer", "kind": "signed", "scopes": ["trade"]})
        signer = made.json()["api_key"]
    with short.served.client(headers={"Authorization": f"Bearer {reader}"}) as client:  # it is known from now on
        assert client.get("/v1/api-keys").status_code in (200, 403)
    assert short.send(asked(short, GOOD, key=reader)).split(b" ")[1] == b"403"
    assert short.send(asked(short, GOOD, key=signer)).split(b" ")[1] == b"401"
    assert short.send(asked(short, GOOD, key=signer)).split(b" ")[1] == b"401"
    assert short.send(asked(short, GOOD, key=short.key + "x")).split(b" ")[1] == b"401"
    assert short.taken == [False] * 4


def test_an_exchange_that_has_no_room(short: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short.venue.bus, "busy_after", 0)
    answer = short.send(asked(short, GOOD))
    assert answer.split(b" ")[1] == b"503"
    assert b'"code":"overloaded"' in answer
    assert re.search(rb"(?i)\r\nretry-after: 1\r\n", answer)
    assert short.taken == [True]


def test_limits_hold_and_are_told(tmp_path: Path) -> None:
    for place in serve(tmp_path, short=True, order_rate_per_s=1):
        answers = [place.send(asked(place, GOOD | {"qty": 1})) for _ in range(6)]
        assert [answer.split(b" ")[1] for answer in answers] == [b"201"] * 5 + [b"429"]
        left = [re.search(rb"x-ratelimit-remaining: (\d+)", answer) for answer in answers]
        assert [int(found[1]) for found in left if found] == [4, 3, 2, 1, 0, 0]
        assert place.taken == [True] * 5 + [False]


def test_where_requests_are_logged_each_goes_the_long_way(tmp_path: Path) -> None:
    for place in serve(tmp_path, short=True, log_requests=True):
        assert place.send(asked(place, GOOD)).split(b" ")[1] == b"201"
        assert place.taken == [False]


def test_a_client_that_leaves_does_no_harm(short: Place) -> None:
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", short.served.port), timeout=10)
        connection.sendall(asked(short, GOOD | {"qty": 1}, close=False))
        connection.close()
    assert short.send(asked(short, GOOD)).split(b" ")[1] == b"201"


def test_a_fault_is_a_500_with_its_line_in_the_log_and_nothing_more(
    short: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(express.order_batches, "tell", broken)
    answer = short.send(asked(short, GOOD))
    assert answer.split(b" ")[1] == b"500"
    assert b'"code":"internal"' in answer
    assert b"secret" not in answer
