"""Bad requests over real sockets: bodies, addresses, heads and credentials that are none. Never a 5xx, never harm."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest

from tests.engines import EngineName, once
from tests.journey.hostile import CALM, Trader, base_price, connect, memory_mib, order, raw, refused, unharmed, written
from tests.serverprocess import ServerProcess


@pytest.fixture(scope="module")
def exchange(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("bad-requests"), env=CALM).start()
    yield process
    assert process.stop() == 0


@pytest.fixture(scope="module")
def traders(exchange: ServerProcess) -> Iterator[tuple[Trader, Trader]]:
    alice, bob = Trader(exchange, "alice"), Trader(exchange, "bob")
    with closing(alice.http), closing(bob.http):
        yield alice, bob


@pytest.fixture
def alice(exchange: ServerProcess, traders: tuple[Trader, Trader]) -> Iterator[Trader]:
    with unharmed(exchange, *traders):
        yield traders[0]


@pytest.fixture(scope="module")
def base(traders: tuple[Trader, Trader]) -> int:
    return base_price(traders[0].http)


# Bodies


def test_bodies_that_are_too_large(alice: Trader, base: int) -> None:
    good = json.dumps(order(base))
    for path, limit in (("/v1/orders", 64 * 1024), ("/v1/orders:batch", 1024 * 1024)):
        problem = refused(alice.send("POST", path, good + " " * limit), 413, "body_too_large")
        assert not problem["retryable"]

        def endless(size: int = limit) -> Iterator[bytes]:
            yield good.encode()
            for _ in range(size // 1024 + 1):
                yield b" " * 1024

        answer = alice.http.post(path, content=endless(), headers={"content-type": "application/json"})
        refused(answer, 413, "body_too_large")
    refused(alice.post({"orders": []}, "/v1/orders:batch"), 400, "malformed")
    refused(alice.post({"orders": [order(base)] * 1001}, "/v1/orders:batch"), 400, "malformed")
    refused(alice.send("PATCH", "/v1/orders/1", good + " " * 70_000), 413, "body_too_large")


def test_bodies_that_are_too_deep(exchange: ServerProcess, alice: Trader, base: int) -> None:
    for deep in ("[" * 30_000, "[" * 30_000 + "]" * 30_000, '{"a":' * 10_000 + "1" + "}" * 10_000):
        refused(alice.send("POST", "/v1/orders", deep), 400, "malformed")
        refused(alice.send("POST", "/v1/orders", written(order(base), "qty", deep)), 400, "malformed")
        refused(alice.send("POST", "/v1/orders:batch", f'{{"orders":[{deep}]}}'), 400, "malformed")
        refused(alice.send("POST", "/v1/users", f'{{"name":{deep[:3000]},"password":"x"}}'), 400, "malformed")
    assert exchange.alive


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders:batch", "/v1/users", "/v1/api-keys"])
def test_bodies_that_are_no_object(alice: Trader, path: str) -> None:
    for text in ("", " ", "null", "[]", '"order"', "1", "true", "{", "}", "{}{}", '{"a"}', "{'a':1}", "\0", "{}\0"):
        refused(alice.send("POST", path, text), 400, "malformed")
    for broken in (b"\xff\xfe", b'{"symbol":"\xff"}', b"\xef\xbb\xbf{}", '{"symbol":"005930"}'.encode("utf-16")):
        refused(alice.send("POST", path, broken), 400, "malformed")


def test_a_name_given_twice_counts_as_the_last(alice: Trader, base: int) -> None:
    text = json.dumps(order(base, qty=5))[:-1] + ',"qty":1}'
    answer = alice.send("POST", "/v1/orders", text)
    assert (answer.status_code, answer.json()["qty"]) == (201, 1)
    alice.cancel(answer.json()["order_id"])


def test_content_types(alice: Trader, base: int) -> None:
    good = json.dumps(order(base))
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "", "json", "application/jsonx", "\xff"):
        answer = alice.http.post("/v1/orders", content=good, headers={"content-type": content_type.encode("latin-1")})  # type: ignore[dict-item]
        refused(answer, 415, "unsupported_media_type")
    answer = alice.http.post("/v1/orders", content=good.encode())  # none at all
    refused(answer, 415, "unsupported_media_type")


# Addresses, methods, hosts, heads


def test_methods_and_addresses(alice: Trader) -> None:
    for method, path in (("PUT", "/v1/orders"), ("DELETE", "/v1/book/005930"), ("POST", "/v1/clock")):
        answer = alice.http.request(method, path)
        refused(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"]
    for path in ("/v1/nothing", "/v1", "/v2/orders", "/v1/orders/", "/v1//orders", "/v1/orders/1/2", "/v1/%00"):
        answer = alice.http.post(path)
        assert answer.status_code in (404, 405), (path, answer.status_code)
        assert answer.headers["content-type"] == "application/problem+json"
    refused(alice.http.get("/v1/nothing"), 404, "not_found")
    refused(alice.http.get("/v1/ws"), 426, "method_not_allowed")


def test_queries(alice: Trader) -> None:
    for text in ("-1", "0", "1001", "1e2", "x", "9" * 5000, "\0", "１", ""):
        for path in ("/v1/orders", "/v1/fills", "/v1/trades/005930", "/v1/candles/005930", "/v1/events"):
            refused(alice.http.get(path, params={"limit": text}), 400, "malformed")
    for text in ("x", "\0", "9" * 1000, "=", "MTo6", "-"):
        for path in ("/v1/orders", "/v1/fills", "/v1/trades/005930"):
            refused(alice.http.get(path, params={"cursor": text}), 400, "malformed")
    for text in ("x", "-1", "1.5", "9" * 5000, "\xff"):
        answer = alice.http.get("/v1/account", headers={"Onseju-Min-Seq": text.encode("latin-1")})  # type: ignore[dict-item]
        refused(answer, 400, "malformed")
    refused(alice.http.get("/v1/account", headers={"Onseju-Min-Seq": "9" * 15}), 400, "seq_ahead")
    for text in ("yesterday", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "\0"):
        answer = alice.http.get("/v1/candles/005930", params={"from": text})
        assert answer.status_code in (200, 400), text
    for query in ("side=up", "symbol=", "qty=1", "side=buy&side=sell", "client_order_id=x", "%ff=%fe", "a" * 1000):
        answer = alice.http.delete("/v1/orders?" + query)
        assert answer.status_code in (400, 404), query


def test_hosts_that_are_not_ours(exchange: ServerProcess, alice: Trader) -> None:
    for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1@evil", "[::2]", "\xff"):
        answer = alice.http.get("/v1/clock", headers={"Host": host.encode("latin-1")})  # type: ignore[dict-item]
        assert answer.status_code == 421, host
        assert answer.json()["code"] == "unknown_host"
    for lines in (b"", b"Host: localhost\r\nHost: evil.example\r\n"):
        assert raw(exchange, b"GET /v1/clock HTTP/1.1\r\n", lines, b"\r\n").startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize(
    "head",
    [
        b"GARBAGE\x00\x01\r\n\r\n",
        b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/clock HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET /v1/clock HTTP/1.1\r\nHost: local\x00host\r\n\r\n",
        b"FOO /v1/clock HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nabcde",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),  # TLS on a plain port
    ],
)
def test_what_is_no_http(exchange: ServerProcess, alice: Trader, head: bytes) -> None:
    answer = raw(exchange, head)
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    assert b"application/problem+json" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "malformed"


def test_a_chunk_that_is_none(exchange: ServerProcess, alice: Trader) -> None:
    head = f"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {alice.key}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = raw(exchange, head.encode(), b"zz\r\n")
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]


GET = b"GET /v1/clock HTTP/1.1\r\nHost: localhost\r\n"
ENDLESS = 400
"""Parts of 100 kB: 40 MB."""


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        (GET, lambda n: b"X-%d: " % n + b"a" * 100_000 + b"\r\n"),
        (GET + b"X: ", lambda n: b"a" * 100_000),
        (GET, lambda n: b"".join(b"X-%d-%d:\r\n" % (n, m) for m in range(10_000))),
        (GET + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", lambda n: b"X-%d: " % n + b"a" * 100_000 + b"\r\n"),
        (GET + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", lambda n: b"a" * 100_000),
        (b"GET /v1/clock?", lambda n: b"a" * 100_000),
        (b"GET /v1/clock HTTP/1.1\r\nCookie: ", lambda n: b"onseju=x; " * 10_000),
    ],
    ids=["headers", "one header", "many headers", "trailers", "one trailer", "query", "cookies"],
)
def test_heads_without_end(exchange: ServerProcess, alice: Trader, begin: bytes, part: Callable[[int], bytes]) -> None:
    before = memory_mib(exchange)
    with connect(exchange) as connection:
        connection.sendall(begin)
        sent = 0
        try:
            while sent < ENDLESS:
                connection.sendall(part(sent))
                sent += 1
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert sent < ENDLESS, "the server took it all"
    assert memory_mib(exchange) - before < 20


def test_a_head_that_is_a_little_too_large(exchange: ServerProcess, alice: Trader) -> None:
    answer = raw(exchange, GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 "), answer[:200]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "malformed"
    assert raw(exchange, GET + b"X: " + b"a" * 60_000 + b"\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@once
def test_a_body_that_drips(exchange: ServerProcess, alice: Trader, base: int) -> None:
    head = f"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {alice.key}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    began = time.monotonic()
    with connect(exchange, timeout=1) as connection, connect(exchange, timeout=1) as slow_head:
        connection.sendall(head.encode())
        slow_head.sendall(GET)
        answers = {connection: b"", slow_head: b""}
        while answers and time.monotonic() - began < 25:
            for one in list(answers):
                try:
                    one.sendall(b"{" if one is connection else b"X: y\r\n")
                    answers[one] += one.recv(65536)
                except TimeoutError:
                    continue
                except OSError:
                    pass
                assert answers.pop(one).startswith(b"HTTP/1.1 408 ")
            order_id = alice.rest(base)["order_id"]  # others are served meanwhile
            alice.cancel(order_id)
    assert not answers
    assert 14 < time.monotonic() - began < 25


def test_signing_up_with_nonsense(exchange: ServerProcess, alice: Trader) -> None:
    with exchange.client() as nobody:
        for name in ("", "a", "a" * 33, "a b", "a\0b", "a\nb", "😀😀", "\u202eevil", "a" * 100_000, 5, None, []):
            answer = nobody.post("/v1/users", json={"name": name, "password": "correct horse"})
            assert answer.status_code in (400, 413), name
            assert answer.headers["content-type"] == "application/problem+json"
        for password in ("", "short", "a" * 257, "a" * 5000, 5, None, []):
            refused(nobody.post("/v1/users", json={"name": "fine", "password": password}), 400, "malformed")
        for name, password in (("nobody", "x" * 10), ("\0", "\0" * 10), ("alice", "x" * 1000)):
            answer = nobody.post("/v1/session", json={"name": name, "password": password})
            assert answer.status_code in (400, 401), name


def test_credentials_that_are_none(exchange: ServerProcess, alice: Trader, base: int) -> None:
    key_id = alice.key.partition(".")[0]
    for bearer in (
        ".",
        "x",
        "x.y",
        key_id,
        f"{key_id}.",
        f"{key_id}.wrong",
        "\xff.\xff",
        "a" * 60_000,
        "a." * 1000,
    ):
        headers = {"Authorization": f"Bearer {bearer}".encode("latin-1")}
        with exchange.client() as nobody:
            answer = nobody.post("/v1/orders", json=order(base), headers=headers)  # type: ignore[arg-type]
        assert answer.status_code in (401, 429), bearer[:20]
    for cookie in ("onseju=x", "onseju=" + "x" * 10_000, "\xff=\xff", "onseju", ";;;==="):
        with httpx.Client(base_url=exchange.url, trust_env=False, timeout=20) as nobody:
            answer = nobody.post("/v1/orders", json=order(base), headers={"Cookie": cookie.encode("latin-1")})  # type: ignore[dict-item]
        assert answer.status_code in (401, 403, 429), cookie[:20]
