"""Hostile clients of the streams over real sockets: others are served, memory stays bounded, and they are cut."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_websocket

from tests.engines import EngineName
from tests.journey.hostile import CALM, SYMBOL, WAIT_S, Trader, base_price, connect, memory_mib, unharmed
from tests.journey.streams import SseClient, WsClient
from tests.serverprocess import ServerProcess

STALL_S = 2.0
SILENT = 8
"""Silent clients of each kind, all of one account."""
ROUNDS = 12
ORDERS = 1000
GROWTH_MIB = 60.0
"""All silent clients together would hold four times as much if nothing bounded them."""

UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


@pytest.fixture(scope="module")
def exchange(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    bounds = {"ONSEJU_STREAM_STALL_S": str(STALL_S), "ONSEJU_RING_EVENTS": "5000", "ONSEJU_BUS_CAPACITY": "50000"}
    process = ServerProcess(tmp_path_factory.mktemp("bad-streams"), env=CALM | bounds).start()
    yield process
    assert process.stop() == 0


@pytest.fixture(scope="module")
def traders(exchange: ServerProcess) -> Iterator[tuple[Trader, Trader]]:
    alice, bob = Trader(exchange, "alice", cash=10**12), Trader(exchange, "bob")
    with closing(alice.http), closing(bob.http):
        yield alice, bob


@pytest.fixture
def alice(exchange: ServerProcess, traders: tuple[Trader, Trader]) -> Iterator[Trader]:
    with unharmed(exchange, *traders):
        yield traders[0]


@pytest.fixture(scope="module")
def bob(traders: tuple[Trader, Trader]) -> Trader:
    return traders[1]


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True) -> bytes:
    """A client's frame (RFC 6455, 5.2), with a mask of zeros."""
    size = len(payload)
    mask = 0x80 if masked else 0
    head = bytes([(0x80 if final else 0) | opcode])
    if size < 126:
        head += bytes([mask | size])
    elif size < 1 << 16:
        head += bytes([mask | 126]) + struct.pack(">H", size)
    else:
        head += bytes([mask | 127]) + struct.pack(">Q", size)
    return head + (bytes(4) if masked else b"") + payload


def upgraded(server: ServerProcess, trader: Trader | None = None, receive_bytes: int = 0) -> socket.socket:
    """A raw WebSocket connection after its handshake."""
    connection = connect(server)
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    key = f"Authorization: Bearer {trader.key}\r\n".encode() if trader else b""
    connection.sendall(b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\n" + key + UPGRADE + b"\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        assert byte, head
        head += byte
    assert head.startswith(b"HTTP/1.1 101 "), head
    return connection


def server_frames(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """The server's frames, until it closes."""
    with connection.makefile("rb") as file, suppress(ConnectionResetError):
        while len(head := file.read(2)) == 2:
            size = head[1]
            if size >= 126:
                size = int.from_bytes(file.read(2 if size == 126 else 8), "big")
            yield head[0] & 15, file.read(size)


def close_code(connection: socket.socket) -> int:
    """The code with which the server closes. Its close is answered, as a client should."""
    code = 0
    for opcode, payload in server_frames(connection):
        if opcode == CLOSE:
            code = int.from_bytes(payload[:2], "big")
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(frame(CLOSE, b""))
    return code


def open_sockets(server: ServerProcess) -> int:
    """The sockets that the server holds."""
    count = 0
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            count += os.readlink(link).startswith("socket:")
    return count


def busy_round(trader: Trader, base: int) -> None:
    """Many events of one account: orders, and their cancels."""
    body = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 1, "limit_price": base - 1000}
    answer = trader.post({"orders": [body] * ORDERS}, "/v1/orders:batch")
    assert answer.status_code == 200, answer.text[:300]
    assert trader.http.delete("/v1/orders").json()["count"] == ORDERS


def test_clients_that_never_read(exchange: ServerProcess, alice: Trader, bob: Trader) -> None:
    base = base_price(alice.http)
    busy_round(alice, base)  # what the exchange itself needs is there before the measurement
    with ExitStack() as stack:
        reader = stack.enter_context(SseClient(exchange.url, bob.key))
        talker = stack.enter_context(WsClient(exchange.url, bob.key, {"name": "account"}))
        sockets = open_sockets(exchange)
        request = f"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {alice.key}\r\n\r\n"
        channels = [{"name": "account"}, {"name": "book", "symbols": [SYMBOL]}, {"name": "trades", "symbols": [SYMBOL]}]
        subscribe = json.dumps({"op": "subscribe", "channels": channels}).encode()
        for _ in range(SILENT):
            sse = stack.enter_context(connect(exchange))
            sse.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sse.sendall(request.encode())
            ws = stack.enter_context(upgraded(exchange, alice, receive_bytes=4096))
            ws.sendall(frame(TEXT, subscribe))
        assert open_sockets(exchange) == sockets + 2 * SILENT
        before = memory_mib(exchange)
        slowest = 0.0
        for _ in range(ROUNDS):
            busy_round(alice, base)
            began = time.monotonic()
            order = bob.rest(base)
            for stream in (reader, talker):
                stream.wait_for(lambda e, n=order["order_id"]: e["type"] == "order" and e["data"]["order_id"] == n)
            bob.cancel(order["order_id"])
            slowest = max(slowest, time.monotonic() - began)
        growth = memory_mib(exchange) - before
        assert slowest < 3, "others were not served meanwhile"
        assert growth < GROWTH_MIB
        end = time.monotonic() + STALL_S + WAIT_S
        while open_sockets(exchange) > sockets:  # until all silent ones were cut
            assert time.monotonic() < end, "silent clients are kept"
            time.sleep(0.05)


def test_clients_that_read_a_byte_at_a_time(exchange: ServerProcess, alice: Trader, bob: Trader) -> None:
    """They take something, again and again, so no time-out between two reads sees them. They are cut all the same."""
    base = base_price(alice.http)
    with ExitStack() as stack:
        reader = stack.enter_context(SseClient(exchange.url, bob.key))
        sockets = open_sockets(exchange)
        slow = []
        for _ in range(4):
            sse = stack.enter_context(connect(exchange))
            sse.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sse.sendall(
                f"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {alice.key}\r\n\r\n".encode()
            )
            ws = stack.enter_context(upgraded(exchange, alice, receive_bytes=4096))
            ws.sendall(frame(TEXT, b'{"op":"subscribe","channels":[{"name":"account"}]}'))
            slow += [sse, ws]
        before = memory_mib(exchange)
        for _ in range(3):
            busy_round(alice, base)
        order = bob.rest(base)
        reader.wait_for(lambda e: e["type"] == "order" and e["data"]["order_id"] == order["order_id"])
        bob.cancel(order["order_id"])
        end = time.monotonic() + STALL_S + WAIT_S
        while open_sockets(exchange) > sockets:
            assert time.monotonic() < end, "clients that take a byte at a time are kept"
            for connection in slow:
                with suppress(OSError):
                    connection.recv(1)
            time.sleep(0.1)
        assert memory_mib(exchange) - before < GROWTH_MIB


def test_pings_whose_pongs_are_never_read(exchange: ServerProcess, alice: Trader) -> None:
    pings = frame(PING, b"p" * 125) * 1000
    with upgraded(exchange, receive_bytes=4096) as connection:
        before = memory_mib(exchange)
        for _ in range(150):
            connection.sendall(pings)
        assert memory_mib(exchange) - before < 10


def test_requests_whose_answers_are_never_read(exchange: ServerProcess, alice: Trader) -> None:
    pipelined = f"GET /v1/symbols HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {alice.key}\r\n\r\n".encode()
    message = frame(TEXT, b'{"op":"subscribe","channels":[{"name":"book","symbols":["005930"]}]}')
    before = memory_mib(exchange)
    with connect(exchange) as http, upgraded(exchange, alice) as ws:
        for connection, part in ((http, pipelined * 1000), (ws, message * 1000)):
            connection.setblocking(False)
            end, sent = time.monotonic() + 2, 0
            while time.monotonic() < end and sent < 50_000_000:
                try:
                    sent += connection.send(part[sent % len(part) :])
                except BlockingIOError:
                    continue
                except OSError:
                    break
            assert alice.http.get("/v1/clock").status_code == 200
        assert memory_mib(exchange) - before < 40


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(TEXT, b"garbage")] * 10, 1008),
        ([frame(BINARY, bytes(range(256)))] * 10, 1008),
        ([frame(TEXT, b"[" * 30_000)] * 10, 1008),
        ([frame(TEXT, b'{"op":"dance"}')] * 10, 1008),
        ([frame(TEXT, b'{"op":"ping","id":' + b"1" * 5000 + b"}")] * 10, 1008),
        ([frame(TEXT, b'{"op":"ping","id":"' + b"x" * 65 + b'"}')] * 10, 1008),
        ([frame(TEXT, b"\xff\xfe")], 1007),
        ([frame(TEXT, b" " * 70_000)], 1009),
        ([frame(TEXT, b" " * 3_000_000)], 1009),
        ([frame(TEXT, b"", final=False), *[frame(0, b" " * 60_000, final=False)] * 50], 1009),
        ([frame(TEXT, b"", final=False), *[frame(0, b"", final=False)] * 2000], 1009),
        ([frame(TEXT, b"{}", masked=False)], 1002),
        ([frame(3, b"")], 1002),
        ([frame(0, b"")], 1002),
        ([frame(PING, b"p" * 126)], 1002),
        ([frame(CLOSE, b"\x03")], 1002),
        ([frame(CLOSE, struct.pack(">H", 999))], 1002),
        ([b"\xff" * 1000], 1002),
    ],
    ids=[
        "garbage",
        "binary",
        "deep",
        "unknown op",
        "huge id",
        "long id",
        "no UTF-8",
        "large",
        "huge",
        "endless fragments",
        "empty fragments",
        "unmasked",
        "reserved opcode",
        "continuation of nothing",
        "long ping",
        "short close",
        "invalid close code",
        "noise",
    ],
)
def test_messages_that_are_none(exchange: ServerProcess, alice: Trader, frames: Sequence[bytes], code: int) -> None:
    with upgraded(exchange, alice) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in frames:
                connection.sendall(part)
        assert close_code(connection) == code


def test_each_message_gets_one_answer(exchange: ServerProcess, alice: Trader) -> None:
    book = {"name": "book", "symbols": [SYMBOL]}
    wrong = [
        ({"op": "dance"}, 400, "malformed"),
        ({"op": "subscribe", "channels": [{"name": "moon"}]}, 400, "malformed"),
        ({"op": "subscribe", "channels": [book | {"depth": 7}]}, 400, "malformed"),
        ({"op": "subscribe", "channels": [book, {"name": "book", "symbols": ["999999"]}]}, 404, "unknown_symbol"),
        ({"op": "subscribe", "channels": [{"name": "account", "after": "nonsense"}]}, 400, "malformed"),
        ({"op": "subscribe", "channels": [{"name": "account", "symbols": [SYMBOL]}]}, 400, "malformed"),
        ({"op": "order.new", "data": {"symbol": SYMBOL}}, 400, "malformed"),
        ({"op": "order.new", "data": []}, 400, "malformed"),
        ({"op": "order.cancel", "data": {"order_id": 2**60}}, 404, "order_not_found"),
    ]
    with WsClient(exchange.url, alice.key) as client:
        for message, status, code in wrong:
            answer = client.ask(message)
            assert (answer["status"], answer["problem"]["code"]) == (status, code), message
        assert client.ask({"op": "unsubscribe", "channels": [book]})["body"] == {"channels": []}
    with WsClient(exchange.url, None) as nobody:
        for op in ("order.new", "order.cancel", "order.correct", "order.cancel_all"):
            assert nobody.ask({"op": op, "data": {"order_id": 1}})["problem"]["code"] == "unauthenticated"
        answer = nobody.ask({"op": "subscribe", "channels": [{"name": "account"}]})
        assert answer["problem"]["code"] == "unauthenticated"


def test_ten_thousand_subscriptions(exchange: ServerProcess, alice: Trader, bob: Trader) -> None:
    base = base_price(bob.http)
    url = exchange.url.replace("http", "ws", 1) + "/v1/ws"
    before = memory_mib(exchange)
    symbols = [SYMBOL] * 6000
    statuses: set[int] = set()
    headers = {"Authorization": f"Bearer {alice.key}"}
    with connect_websocket(url, additional_headers=headers, compression=None, proxy=None) as client:
        for _ in range(5):
            client.send(json.dumps({"op": "subscribe", "channels": [{"name": "book", "symbols": symbols}]}))
        for n in range(10_000):
            channel = {"name": ("book", "trades")[n % 2], "symbols": [SYMBOL], "depth": (5, 10)[n // 2 % 2]}
            client.send(json.dumps({"op": "subscribe", "id": n, "channels": [channel]}))
            if n % 100 == 0:
                order = bob.rest(base)  # others are served meanwhile
                bob.cancel(order["order_id"])
        with suppress(ConnectionClosed):
            while True:
                answer = json.loads(client.recv(timeout=WAIT_S))
                if "status" in answer:
                    statuses.add(answer["status"])
                if answer.get("id") == 9_999:
                    break
    assert statuses <= {200, 429}
    assert 429 in statuses
    assert memory_mib(exchange) - before < 30


def test_more_streams_than_one_may_have(exchange: ServerProcess, alice: Trader) -> None:
    carol = Trader(exchange, "carol")
    with ExitStack() as stack:
        stack.enter_context(closing(carol.http))
        refusals = []
        for _ in range(40):
            connection = stack.enter_context(connect(exchange))
            request = f"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {carol.key}\r\n\r\n"
            connection.sendall(request.encode())
            head = connection.recv(4096)
            if b" 200 " not in head.partition(b"\r\n")[0]:
                refusals.append(head)
        assert len(refusals) == 20
        assert all(head.startswith(b"HTTP/1.1 429 ") and b"retry-after" in head.lower() for head in refusals)
        assert carol.http.get("/v1/account").status_code == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /v1/ws HTTP/1.1\r\nHost: evil.example\r\n" + UPGRADE, b"421"),
        (b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n" + UPGRADE, b"404"),
        (b"GET /v1/clock HTTP/1.1\r\nHost: localhost\r\n" + UPGRADE, b"404"),
        (b"POST /v1/ws HTTP/1.1\r\nHost: localhost\r\n" + UPGRADE, b"405"),
        (b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", b"400"),
        (b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 9000 + b"\r\n" + UPGRADE, b"400"),
        (b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 200 + UPGRADE, b"400"),
        (b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n" + UPGRADE, b"400"),
        (b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x.y\r\n" + UPGRADE, b"401"),
        (b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n", b"426"),
    ],
)
def test_handshakes_that_are_none(exchange: ServerProcess, alice: Trader, head: bytes, status: bytes) -> None:
    with connect(exchange) as connection:
        connection.sendall(head + b"Connection: close\r\n\r\n" if b"h2c" in head else head + b"\r\n")
        answer = connection.recv(4096)
        assert answer.split(b" ", 2)[1] == status, answer[:300]


def test_unfinished_connections_cost_nothing(exchange: ServerProcess, alice: Trader) -> None:
    before = memory_mib(exchange)
    with ExitStack() as stack:
        for n in range(300):
            connection = stack.enter_context(connect(exchange))
            connection.sendall((b"", b"GET /v1/cl", b"GET /v1/clock HTTP/1.1\r\nHost: loc")[n % 3])
        assert alice.http.get("/v1/clock").status_code == 200
        assert memory_mib(exchange) - before < 30
