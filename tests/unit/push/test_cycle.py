"""Responses on the wire, by a real server: as uvicorn writes them, and never with a header that ends early."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
import uvloop

from onseju.push.protocols import HttpProtocol

Headers = list[tuple[bytes, bytes]]


async def answered(app: Any, request: bytes) -> bytes:
    """What the server sends until it closes."""
    config = uvicorn.Config(
        app, http=HttpProtocol, lifespan="off", log_level="critical", server_header=False, date_header=False
    )
    server = uvicorn.Server(config)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            while not server.started:  # noqa: ASYNC110  # uvicorn tells it in no other way
                await asyncio.sleep(0.001)
            reader, writer = await asyncio.open_connection(*sock.getsockname())
            writer.write(request)
            got = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            await writer.wait_closed()
        finally:
            server.should_exit = True
            await serving
    return got


def app_of(status: int, headers: Headers, *bodies: bytes) -> Callable[..., Any]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for place, body in enumerate(bodies):
            await send({"type": "http.response.body", "body": body, "more_body": place < len(bodies) - 1})

    return app


def get(method: bytes = b"GET", more: bytes = b"Connection: close\r\n") -> bytes:
    return method + b" / HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n"


@pytest.mark.parametrize(
    ("app", "request_", "expected"),
    [
        (
            app_of(200, [(b"Content-Length", b"5"), (b"x-a", b"1")], b"hello"),
            get(),
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: 1\r\nconnection: close\r\n\r\nhello",
        ),
        (
            app_of(200, [(b"content-length", b"5")], b"he", b"llo"),
            get(),
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
        ),
        (
            app_of(200, [], b"he", b"", b"llo"),
            get(),
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ),
        (
            app_of(200, [(b"content-length", b"5")], b"hello"),
            get(b"HEAD"),
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n",
        ),
        (app_of(204, [], b""), get(), b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
        (
            app_of(400, [(b"content-length", b"0"), (b"Connection", b"close")], b""),
            get(more=b""),
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ),
    ],
    ids=["whole", "in two parts", "chunked", "head", "no content", "the server closes"],
)
def test_responses_as_they_were(app: Any, request_: bytes, expected: bytes) -> None:
    got = uvloop.run(answered(app, request_))
    assert got == expected


@pytest.mark.parametrize(
    "header",
    [
        (b"x-a", b"1\r\nset-cookie: a=b"),
        (b"x-a", b"1\nset-cookie: a=b"),
        (b"x-a", b"1\rset-cookie: a=b"),
        (b"x-a", b"1\0"),
        (b"x a", b"1"),
        (b"x-a\r\nb", b"1"),
    ],
    ids=repr,
)
def test_a_header_that_would_end_early_is_never_sent(header: tuple[bytes, bytes]) -> None:
    got = uvloop.run(answered(app_of(200, [(b"content-length", b"2"), header], b"no"), get()))
    assert got == b"", "the connection is closed, as after any error in the middle of a response"


@pytest.mark.parametrize("bodies", [(b"long",), (b"l", b"ong"), (b"",)], ids=len)
def test_a_body_of_another_length_than_told_ends_the_connection(bodies: tuple[bytes, ...]) -> None:
    got = uvloop.run(answered(app_of(200, [(b"content-length", b"3")], *bodies), get(more=b"")))
    assert b"long" not in got
