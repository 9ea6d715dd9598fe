"""The bots' connection and client against servers that answer well, badly, or not at all. Real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec
import pytest

from onseju.bots import client as client_module
from onseju.bots import http
from onseju.bots.client import Client, KeyRefusedError, Refused
from onseju.bots.http import Connection, UnavailableError
from onseju.bots.orders import BUY, Place

T = TypeVar("T")

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nOnseju-Seq: 7\r\n\r\n{}"


class Script:
    """A server that gives one answer after the other, and keeps what it was sent. An empty answer closes the connection."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0].strip()
                self.requests.append(head + await reader.readexactly(int(length or 0)))
                self.asked.set()
                answer = self.answers.pop(0)
                if not answer:
                    return
                writer.write(answer)
                await writer.drain()
            await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


def play(answers: Sequence[bytes], act: Callable[[str, Script], Awaitable[T]]) -> tuple[T, Script]:
    async def run() -> tuple[T, Script]:
        script = Script(answers)
        async with await asyncio.start_server(script.serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await act(f"http://127.0.0.1:{port}", script), script

    return asyncio.run(run())


def problem(status: int, code: str, *headers: str) -> bytes:
    body = f'{{"code": "{code}"}}'.encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_connection_is_kept() -> None:
    async def act(url: str, _script: Script) -> list[int]:
        connection = Connection(url)
        answers = [await connection.request("POST", "/a", {"X-One": "1"}, b"hello") for _ in range(3)]
        await connection.close()
        return [answer.status for answer in answers] + [len(answers[0].content), int(answers[0].headers["onseju-seq"])]

    seen, script = play([OK] * 4, act)
    assert seen == [200, 200, 200, 2, 7]
    assert script.connections == 1
    assert script.requests[0].startswith(b"POST /a HTTP/1.1\r\nHost: 127.0.0.1:")
    assert script.requests[0].endswith(b"\r\nX-One: 1\r\nContent-Length: 5\r\n\r\nhello")


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"x" * 200_000,
    ],
)
def test_after_a_bad_answer_the_connection_is_a_new_one(bad: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_TIMEOUT_S", 0.3)

    async def act(url: str, _script: Script) -> int:
        connection = Connection(url)
        with pytest.raises(UnavailableError):
            await connection.request("GET", "/", {})
        answer = await connection.request("GET", "/", {})
        await connection.close()
        return answer.status

    status, script = play([bad, OK, OK], act)
    assert status == 200
    assert script.connections == 2


def test_no_server_is_unavailable_and_no_address_is_an_error() -> None:
    async def act(url: str, _script: Script) -> str:
        return url

    url, _ = play([], act)
    with pytest.raises(UnavailableError):
        asyncio.run(Connection(url).request("GET", "/", {}))
    for wrong in ("127.0.0.1:8000", "ftp://host", "http://"):
        with pytest.raises(ValueError, match="not an address"):
            Connection(wrong)


def test_a_request_that_is_given_up_leaves_no_answer_for_the_next() -> None:
    async def act(url: str, script: Script) -> str:
        connection = Connection(url)
        first = asyncio.create_task(connection.request("GET", "/first", {}))
        await script.asked.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        answer = await connection.request("GET", "/second", {})
        await connection.close()
        return answer.headers["onseju-seq"]

    seq, script = play([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", OK], act)
    assert seq == "7"
    assert script.connections == 2


@pytest.mark.parametrize(("status", "asked"), [(429, 3.0), (503, 3.0), (500, 3.0), (408, 3.0)])
def test_a_busy_server_is_heeded(status: int, asked: float) -> None:
    async def act(url: str, _script: Script) -> float:
        client = Client(url, "KEY.SECRET")
        with pytest.raises(UnavailableError) as caught:
            await client.cancel_all()
        await client.close()
        return caught.value.retry_after_s

    waited, script = play([problem(status, "overloaded", "Retry-After: 3"), OK], act)
    assert waited == asked
    assert b"\r\nAuthorization: Bearer KEY.SECRET\r\n" in script.requests[0]


def test_a_key_that_is_not_accepted_is_told_apart() -> None:
    async def act(url: str, _script: Script) -> str:
        client = Client(url, "KEY.SECRET")
        with pytest.raises(KeyRefusedError) as caught:
            await client.holdings()
        await client.close()
        return str(caught.value)

    assert play([problem(401, "unauthenticated"), OK], act)[0] == "unauthenticated"


def test_refusals_by_the_exchange_are_answers() -> None:
    order = b'{"order_id": 9}'
    batch = b'{"results": [{"order": %b}, {"problem": {"status": 422, "code": "insufficient_cash"}}]}' % order
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(batch), batch)

    async def act(url: str, _script: Script) -> list[object]:
        client = Client(url, "KEY.SECRET")
        results: list[object] = [await client.move(5, 100), *await client.place([Place("005930", BUY, 1, 100)] * 2)]
        await client.close()
        return results

    seen, script = play([problem(409, "order_done"), answer, OK], act)
    assert seen == [Refused(409, "order_done"), {"order_id": 9}, Refused(422, "insufficient_cash")]
    assert script.requests[0].startswith(b"PATCH /v1/orders/5 HTTP/1.1\r\n")
    assert b'"limit_price":100' in script.requests[1]


def ok(status: int, content: object) -> bytes:
    body = msgspec.json.encode(content)
    return f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def waiting(cid: str) -> dict[str, object]:
    return {"pending": {"client_order_id": cid, "status": "pending", "order_id": None}}


def test_what_is_pending_is_sent_again_under_its_id() -> None:
    taken = [{"order": {"order_id": number}} for number in (1, 2, 3)]
    answers = [
        ok(200, {"results": [waiting("gw-a"), taken[1], waiting("gw-c")]}),
        ok(200, {"results": [waiting("gw-a"), taken[2]]}),
        ok(200, {"results": [taken[0]]}),
    ]

    async def act(url: str, _script: Script) -> list[object]:
        client = Client(url, "KEY.SECRET")
        results: list[object] = [*await client.place([Place("005930", BUY, qty, 100) for qty in (1, 2, 3)])]
        await client.close()
        return results

    results, script = play(answers, act)
    assert results == [{"order_id": 1}, {"order_id": 2}, {"order_id": 3}]
    sent = [msgspec.json.decode(request.partition(b"\r\n\r\n")[2])["orders"] for request in script.requests]
    assert [[(one["qty"], one.get("client_order_id")) for one in orders] for orders in sent] == [
        [(1, None), (2, None), (3, None)],
        [(1, "gw-a"), (3, "gw-c")],
        [(1, "gw-a")],
    ]


def test_what_stays_pending_is_no_outcome() -> None:
    async def act(url: str, _script: Script) -> int:
        client = Client(url, "KEY.SECRET")
        with pytest.raises(UnavailableError, match="1 orders have no outcome yet"):
            await client.place([Place("005930", BUY, 1, 100)])
        with pytest.raises(UnavailableError, match="no outcome yet"):
            await client.move(5, 100)
        await client.close()
        return client_module.REPEATS

    answers = [ok(200, {"results": [waiting("gw-a")]})] * (1 + client_module.REPEATS)
    repeats, script = play([*answers, ok(202, {"client_order_id": None, "status": "pending", "order_id": None})], act)
    assert len(script.requests) == repeats + 2
