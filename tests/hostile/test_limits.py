"""The bounds of connections are the host's to set: a real server with small ones keeps them, and serves on."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect as connect_websocket

from tests.engines import EngineName, once
from tests.journey.hostile import CALM, connect, raw
from tests.serverprocess import ServerProcess

GET = b"GET /v1/clock HTTP/1.1\r\nHost: localhost\r\n"
CONNECTIONS = 8

pytestmark = once


@pytest.fixture(scope="module")
def exchange(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = CALM | {
        "ONSEJU_MAX_HEAD_BYTES": "4096",
        "ONSEJU_HEAD_TIMEOUT_S": "0.5",
        "ONSEJU_BODY_TIMEOUT_S": "0.5",
        "ONSEJU_MAX_CONNECTIONS_PER_ADDRESS": str(CONNECTIONS),
        "ONSEJU_MAX_PIPELINED_REQUESTS": "5",
        "ONSEJU_MAX_MESSAGE_FRAGMENTS": "10",
    }
    process = ServerProcess(tmp_path_factory.mktemp("limits") / "data", env=env).start()
    yield process
    assert process.stop() == 0


def code(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["code"])


def test_heads(exchange: ServerProcess) -> None:
    for head in (GET + b"X: " + b"a" * 4096, b"GET /v1/clock?" + b"a" * 4096 + b" HTTP/1.1\r\nHost: localhost"):
        answer = raw(exchange, head + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 431 "), answer[:100]
        assert code(answer) == "malformed"
    assert raw(exchange, GET + b"X: " + b"a" * 3000 + b"\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "begun",
    [
        GET,
        b"POST /v1/users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        b"POST /v1/users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["head", "body", "chunk"],
)
def test_what_never_arrives_is_given_up(exchange: ServerProcess, begun: bytes) -> None:
    with connect(exchange) as connection:
        connection.sendall(begun)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert code(answer) == "malformed"
    assert b"within 0.5 s" in answer


def test_connections_of_an_address(exchange: ServerProcess) -> None:
    with contextlib.ExitStack() as stack:
        open_ones = [stack.enter_context(connect(exchange)) for _ in range(CONNECTIONS)]
        for one in open_ones:
            one.sendall(GET + b"\r\n")
            assert one.recv(65536).startswith(b"HTTP/1.1 200 ")
        refused = raw(exchange)
        assert refused.startswith(b"HTTP/1.1 429 ")
        assert code(refused) == "rate_limited"
        open_ones[0].sendall(GET + b"\r\n")
        assert open_ones[0].recv(65536).startswith(b"HTTP/1.1 200 ")


def test_fragments_of_a_message(exchange: ServerProcess) -> None:
    url = exchange.url.replace("http", "ws", 1) + "/v1/ws"
    with connect_websocket(url, compression=None, proxy=None) as socket:
        socket.send(iter(['{"op":', '"ping"', "}"]))
        assert json.loads(socket.recv(10))["status"] == 200

        def send_too_many() -> None:
            socket.send(iter([""] * 20))
            socket.recv(10)

        with pytest.raises(ConnectionClosedError) as closed:
            send_too_many()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_nothing_is_decompressed(exchange: ServerProcess) -> None:
    """No compression is agreed to, of messages or of bodies: a small bomb has nothing to go off in."""
    url = exchange.url.replace("http", "ws", 1) + "/v1/ws"
    extensions = [ClientPerMessageDeflateFactory()]
    with connect_websocket(url, extensions=extensions, compression=None, proxy=None) as socket:
        assert socket.protocol.extensions == []
    with exchange.client() as http:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        answer = http.post("/v1/users", content=b"\x1f\x8b\x08\x00" + bytes(20), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_too_many_pipelined_requests(exchange: ServerProcess) -> None:
    with connect(exchange) as connection, contextlib.suppress(ConnectionError):
        connection.sendall((GET + b"\r\n") * 200)
        connection.shutdown(socket.SHUT_WR)
        answers = b""
        while part := connection.recv(65536):
            answers += part
        assert answers.count(b"HTTP/1.1 200 ") < 200
    with exchange.client() as http:
        assert http.get("/healthz").status_code == 200
