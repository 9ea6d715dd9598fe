"""The bounds of uvicorn's protocols, on a small application: what hostile clients meet, and honest ones do not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect

from onseju.push import hostile
from onseju.push.hostile import DEFAULT, BoundedHttpProtocol, BoundedWebSocketProtocol, bounded
from tests.unit.push.harness import until

GET = b"GET /%d HTTP/1.1\r\nHost: x\r\n"


class App:
    """Answers each request with its path and the size of its body, when it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.left = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        await self.may_answer.wait()
        body = f"{scope['path']} {size};".encode()
        head = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def served(app: Any, keep_alive_s: int = 5, **bounds: Any) -> AsyncIterator[int]:
    """The application's port."""
    these = DEFAULT._replace(**bounds)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        loop="none",
        http=bounded(BoundedHttpProtocol, these),
        ws=bounded(BoundedWebSocketProtocol, these),
        lifespan="off",
        log_level="critical",
        timeout_keep_alive=keep_alive_s,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([sock]))
    try:
        await until(lambda: server.started)
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        sock.close()


async def ask(port: int, *parts: bytes, finish: bool = True) -> bytes:
    """What comes back, until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if finish:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def run(test: Any) -> None:
    asyncio.run(test)


@pytest.mark.parametrize("step", [1, 7, 1000, 300_000])
def test_honest_requests_pass_however_they_are_cut(step: int) -> None:
    async def test() -> None:
        body = b"b" * 100_000
        requests = [
            GET % 1 + b"X: " + b"x" * 5_000 + b"\r\n\r\n",
            b"POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + body,
            b"POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n"
            + body
            + b"\r\n0\r\nT: t\r\n\r\n",
            GET % 4 + b"Connection: close\r\n\r\n",
        ]
        whole = b"".join(requests) if step > 1 else requests[0] + requests[3]
        async with served(App()) as port:
            answer = await ask(port, *[whole[at : at + step] for at in range(0, len(whole), step)])
        bodies = [part.rpartition(b"\r\n\r\n")[2] for part in answer.split(b";")][:-1]
        assert bodies == ([b"/1 0", b"/2 100000", b"/3 100000", b"/4 0"] if step > 1 else [b"/1 0", b"/4 0"])

    run(test())


def test_a_head_may_be_so_large_and_no_larger() -> None:
    async def test() -> None:
        async with served(App()) as port:
            for step in (1_000_000, 1000):
                for size, status in ((DEFAULT.head_bytes - 100, b"200"), (DEFAULT.head_bytes + 1, b"431")):
                    head = GET % 1 + b"Connection: close\r\nX: " + b"x" * size + b"\r\n\r\n"
                    answer = await ask(port, *[head[at : at + step] for at in range(0, len(head), step)])
                    assert answer.startswith(b"HTTP/1.1 " + status), (step, size, answer[:100])

    run(test())


def test_a_slow_head_is_given_up() -> None:
    async def test() -> None:
        async with served(App(), head_timeout_s=0.1) as port:
            answer = await ask(port, GET % 1, finish=False)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b'"code":"malformed"' in answer

    run(test())


def test_a_connection_that_says_nothing_is_closed() -> None:
    async def test() -> None:
        async with served(App(), keep_alive_s=0) as port:
            assert await ask(port, finish=False) == b""

    run(test())


def test_pipelined_requests_are_answered_in_order() -> None:
    async def test() -> None:
        async with served(App()) as port:
            requests = b"".join(GET % n + b"\r\n" for n in range(500)) + GET % 500 + b"Connection: close\r\n\r\n"
            answer = await ask(port, requests)
        assert [int(part.rpartition(b"/")[2].split()[0]) for part in answer.split(b";")[:-1]] == list(range(501))

    run(test())


def test_one_address_has_so_many_connections_and_no_more() -> None:
    """Those that are there are served, one more is told why not, and one that leaves makes room."""

    async def test() -> None:
        async with served(App(), connections_per_address=3) as port:
            open_ones = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            await until(lambda: hostile._connections["127.0.0.1"] == 3)
            refused = await ask(port)
            assert refused.startswith(b"HTTP/1.1 429 ")
            assert b"Too many connections" in refused
            for reader, writer in open_ones:
                writer.write(GET % 1 + b"\r\n")
                assert (await reader.readuntil(b";")).endswith(b"/1 0;")
            open_ones[0][1].close()
            await open_ones[0][1].wait_closed()
            await until(lambda: hostile._connections["127.0.0.1"] == 2)
            assert b"/2 0;" in await ask(port, GET % 2 + b"\r\n")
            for _, writer in open_ones[1:]:
                writer.close()
                await writer.wait_closed()
            await until(lambda: not hostile._connections)

    run(test())


def test_a_websocket_counts_as_a_connection_until_it_ends() -> None:
    async def accepting(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    async def test() -> None:
        async with served(accepting) as port:
            for _ in range(3):
                async with connect(f"ws://127.0.0.1:{port}/", proxy=None):
                    assert hostile._connections["127.0.0.1"] == 1
                await until(lambda: not hostile._connections)

    run(test())


def test_too_many_pipelined_requests_end_the_connection() -> None:
    async def test() -> None:
        app = App()
        app.may_answer.clear()
        async with served(app) as port:
            with contextlib.suppress(ConnectionError):
                assert await ask(port, (GET % 1 + b"\r\n") * (DEFAULT.pipelined_requests + 10), finish=False) == b""
            app.may_answer.set()

    run(test())


def test_the_running_request_is_told_that_its_client_left() -> None:
    async def test() -> None:
        app = App()
        async with served(app) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            await until(lambda: app.left == 1)

    run(test())


def test_what_is_no_http_gets_a_problem_document() -> None:
    async def test() -> None:
        async with served(App()) as port:
            answer = await ask(port, b"HELLO\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in head
        assert b'"code":"malformed"' in body

    run(test())
