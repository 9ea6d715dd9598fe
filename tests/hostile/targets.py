"""What reads bytes from outside, each as a function of any bytes that may raise only what its documentation says.

A fuzzer looks for new ways through them (`tests.hostile.fuzz`), the suite plays what it found worth keeping.
"""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from crc32c import crc32c

from onseju.contract.commands import (
    COMMAND_BYTES,
    CancelAll,
    CancelOrder,
    CorrectOrder,
    NewOrder,
    decode_command,
    encode_command,
)
from onseju.contract.ids import hash128
from onseju.contract.journal_records import FRAME, FRAME_BYTES, _next_chain
from onseju.contract.money import MAX_INPUT
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Side, TimeInForce
from onseju.gateway import order_records
from onseju.gateway.principal import Principal
from onseju.gateway.problems import Problem
from onseju.gateway.signing import signed_head
from onseju.journal.inspect import dump, verify
from onseju.journal.port import JournalError
from onseju.journal.segment import HEADER_BYTES
from onseju.journal.segments import SegmentJournal
from onseju.kis import messages
from onseju.kis.codec import Decoder, FrameError, decode_frame
from onseju.push import record_messages
from tests.hostile.stage import Stage

GOLDEN = Path(__file__).parents[1] / "golden" / "journal-v1"
KIS_FRAMES = Path(__file__).parents[1] / "unit" / "kis"


class Target(Protocol):
    """One reader of bytes."""

    def __call__(self, data: bytes) -> None:
        """Read them. Raises only where the program is wrong."""
        ...

    def seeds(self) -> Iterator[bytes]:
        """Honest inputs to begin with."""
        ...

    def close(self) -> None:
        """Give back what it holds. Idempotent."""
        ...


def _expected(problem: Problem, reason: Reason) -> Problem:
    """The refusal, which must be this one."""
    if problem.reason is not reason:
        raise AssertionError(f"{problem} instead of {reason.code}") from problem
    return problem


class Kis:
    """KIS's data frames, and what a page sends on KIS's socket. The first byte says whether it comes as text."""

    def __call__(self, data: bytes) -> None:
        content: str | bytes = data[1:]
        if data[:1] == b"t":
            content = data[1:].decode("utf-8", "replace")
        try:
            records = decode_frame(content)
        except FrameError:
            records = []
        assert Decoder().decode(content) == records
        try:
            request = messages.parse(content)
            if request is not None:
                named = request.named()
                messages.answer(messages.Code.SUBSCRIBED, named, "iv", "key")
                request.approval_key.encode()
                request.registration()
        except messages.RequestError as error:
            messages.answer(error.code, messages.Registration("(null)", ""))

    def seeds(self) -> Iterator[bytes]:
        fields = "^".join(["005930", "093000", "98500", "5", "-100", "-0.10", *["1"] * 70])
        for tr_id in ("H0STCNT0", "H0STASP0", "H0UNCNT0"):
            yield f"t0|{tr_id}|001|{fields}".encode()
            yield f"b0|{tr_id}|002|{fields}^{fields}".encode()
        body = '{"input":{"tr_id":"H0STCNT0","tr_key":"005930"}}'
        header = '"approval_key":"x","custtype":"P","tr_type":"1","content-type":"utf-8"'
        yield f't{{"header":{{{header}}},"body":{body}}}'.encode()
        yield b'b{"header":{"tr_id":"PINGPONG","datetime":"20261123093000"}}'

    def close(self) -> None:
        """Holds nothing."""


class Records:
    """Orders in binary records, as HTTP and the WebSocket take them. The first byte says whether the caller signs."""

    _INSTRUMENTS = 5

    def __call__(self, data: bytes) -> None:
        via = "signed" if data[:1] == b"s" else "key"
        caller = Principal(user_id=1, account_id=7, scopes=frozenset({"trade"}), via=via, name="x")
        content = data[1:]
        assert record_messages.count(content) * COMMAND_BYTES <= len(content)
        for raw in (content, self._of_message(content)):
            try:
                batch = order_records.parse(raw, caller, self._INSTRUMENTS)
            except Problem as problem:
                record_messages.refusal(content[:8], _expected(problem, Reason.MALFORMED))
                continue
            assert len(batch.reasons) == batch.orders + batch.cancels == len(raw) // COMMAND_BYTES
            assert len(batch.good) == batch.reasons.count(0) * COMMAND_BYTES
            for at in range(0, len(batch.good), COMMAND_BYTES):
                self._check(batch.good[at : at + COMMAND_BYTES])
            for reason in filter(None, batch.reasons):
                assert Problem(Reason(reason)).status in (400, 404, 422), reason

    def _of_message(self, content: bytes) -> bytes:
        try:
            return record_messages.records_in(content)
        except Problem:
            return b""

    def _check(self, record: bytes) -> None:
        command = decode_command(record)
        assert (command.account, command.actor) == (7, 7)  # type: ignore[attr-defined]
        assert getattr(command, "instrument", 0) <= self._INSTRUMENTS
        for name in ("qty", "limit_price", "stop_price", "leaves_qty", "order_id"):
            assert 0 <= getattr(command, name, 0) <= MAX_INPUT

    def seeds(self) -> Iterator[bytes]:
        own = hash128(b"mine")
        new = NewOrder(
            instrument=1,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            qty=1,
            limit_price=700,
        )
        commands = [
            encode_command(new),
            encode_command(NewOrder(instrument=2, side=Side.SELL, order_type=OrderType.MARKET, qty=9, client_id=own)),
            encode_command(CancelOrder(order_id=3, qty=1, client_id=own)),
            encode_command(CorrectOrder(order_id=3, limit_price=800, flags=1)),
            encode_command(CancelAll(side=Side.BUY)),
        ]
        for via in (b"s", b"k"):
            yield from (via + command for command in commands)
            yield via + b"".join(commands)
            yield via + b"12345678" + b"".join(commands)

    def close(self) -> None:
        """Holds nothing."""


class Journal:
    """One file of a journal as these bytes: it is verified and printed, or opened for writing.

    The first byte names the file, which of the two, and whether checksums and chains are made right behind the fuzzer's
    back: a journal may come from somebody else, who can count, too.
    """

    SEAL, WRITE = 64, 128
    RECORDS = 4

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        self._folder = tempfile.TemporaryDirectory(prefix="onseju-hostile-", dir=memory if memory.is_dir() else None)
        for folder in ("commands", "events", "snapshots"):
            (Path(self._folder.name) / folder).mkdir()
        logs = [f"{folder}/{1:020d}.log" for folder in ("commands", "events")]
        self._names = [*logs, "journal.json", f"snapshots/{100:020d}.snapshot"]
        self._whole = {name: (GOLDEN / name).read_bytes() for name in self._names}
        for name in logs:
            self._whole[name] = self._whole[name][: _ends(self._whole[name])[self.RECORDS]]

    def __call__(self, data: bytes) -> None:
        choice = data[0] if data else 0
        name = self._names[choice % len(self._names)]
        content = data[1:]
        if choice & self.SEAL:
            content = sealed(name, content)
        directory = Path(self._folder.name)
        for other, whole in self._whole.items():
            (directory / other).write_bytes(content if other == name else whole)
        works = (self._open,) if choice & self.WRITE else (self._verify, self._dump)
        for work in works:
            try:
                work(directory)
            except JournalError as error:
                if str(directory) not in str(error):
                    raise AssertionError("an error names the file") from error

    def _verify(self, directory: Path) -> None:
        verify(directory, lambda _done, _total: None)

    def _dump(self, directory: Path) -> None:
        dump(directory, io.StringIO(), 1, None, events=True)

    def _open(self, directory: Path) -> None:
        SegmentJournal.open(directory, fsync=False).close()

    def seeds(self) -> Iterator[bytes]:
        for number, name in enumerate(self._names):
            content = self._whole[name]
            for flag in (0, self.SEAL, self.SEAL | self.WRITE):
                yield bytes([number | flag]) + content
                if name.endswith(".log"):
                    yield bytes([number | flag]) + content[: _ends(content)[2]]

    def close(self) -> None:
        self._folder.cleanup()


def _ends(content: bytes) -> list[int]:
    """Where the header and each record of a segment end, as far as the lengths make sense."""
    ends = [HEADER_BYTES]
    while ends[-1] + FRAME_BYTES <= len(content):
        (length,) = struct.unpack_from("<I", content, ends[-1])
        if length < FRAME_BYTES or ends[-1] + length > len(content):
            break
        ends.append(ends[-1] + length)
    return ends


def sealed(name: str, content: bytes) -> bytes:
    """A segment or a snapshot with its checksums and chains made right."""
    if name.endswith(".snapshot"):
        if len(content) < 100:
            return content
        (count,) = struct.unpack_from("<I", content, 88)
        end = 96 + min(count, 1000) * 32
        return content[:end] + struct.pack("<I", crc32c(content[:end])) + content[end + 4 :]
    if not name.endswith(".log") or len(content) < HEADER_BYTES:
        return content
    head = content[:60]
    made, chain = [head, struct.pack("<I", crc32c(head))], content[36:52]
    ends = _ends(content)
    for start, end in pairwise(ends):
        body = content[start + FRAME_BYTES : end]
        chain = _next_chain(chain, body)
        made.append(FRAME.pack(end - start, crc32c(chain + body), chain) + body)
    return b"".join(made) + content[ends[-1] :]


class Http:
    """Requests over HTTP/1.1: heads, credentials, signatures, queries, bodies. The first byte says how they are cut."""

    def __init__(self) -> None:
        self._stage = Stage()

    def __call__(self, data: bytes) -> None:
        step = data[0] if data else 0
        content = data[1:]
        parts = [content[at : at + step] for at in range(0, len(content), step)] if 1 <= step < 32 else [content]
        self._stage.converse(*parts)
        values = content.split(b"\n")[:4]
        names = (b"x-onseju-key", b"x-onseju-timestamp", b"x-onseju-nonce", b"x-onseju-sign")
        try:
            signed_head(dict(zip(names, values, strict=False)))
        except Problem as problem:
            _expected(problem, Reason.SIGNATURE_INVALID)

    def seeds(self) -> Iterator[bytes]:
        head = b"Host: localhost\r\nAuthorization: Bearer k7.x\r\n"
        json = b"Content-Type: application/json\r\n"
        order = b'{"symbol":"005930","side":"buy","type":"limit","qty":1,"limit_price":98000,"client_order_id":"a-1"}'
        sized = json + b"Content-Length: %d\r\n\r\n"
        signed = (
            b"Host: localhost\r\nX-Onseju-Key: abc\r\nX-Onseju-Timestamp: 1795000000000\r\n"
            b"X-Onseju-Nonce: 12345678\r\nX-Onseju-Sign: " + b"a" * 64 + b"\r\n"
        )
        query = b"limit=5&order_id=3&status=open&from=2026-11-23T09:00:00Z&after=memory-1-0"
        requests = [
            b"GET /v1/echo/005930?" + query + b" HTTP/1.1\r\n" + head + b"Onseju-Min-Seq: 1\r\n\r\n",
            b"GET /v1/echo/%EC%82%BC HTTP/1.1\r\n" + head + b"Accept-Language: en;q=0.5, ko-KR\r\n\r\n",
            b"POST /v1/orders HTTP/1.1\r\n" + head + sized % len(order) + order,
            b"POST /v1/orders:batch HTTP/1.1\r\n" + head + sized % (len(order) + 13) + b'{"orders":[' + order + b"]}",
            b"PATCH /v1/orders/3 HTTP/1.1\r\n" + head + sized % 16 + b'{"leaves_qty":1}',
            b"DELETE /v1/orders/3?qty=1 HTTP/1.1\r\n" + head + b"\r\n",
            b"DELETE /v1/orders?symbol=005930&side=buy HTTP/1.1\r\n" + head + b"\r\n",
            b"GET /v1/events?limit=3&after=memory-1-0 HTTP/1.1\r\n" + head + b"\r\n",
            b"GET /v1/stream HTTP/1.1\r\n" + head + b"Last-Event-ID: memory-1-0\r\n\r\n",
            b"GET /v1/echo/005930 HTTP/1.1\r\n" + signed + b"\r\n",
            b"POST /v1/orders HTTP/1.1\r\n" + signed + sized % 2 + b"{}",
            b"GET /v1/echo/005930 HTTP/1.1\r\nHost: [::1]:80\r\nCookie: __Host-onseju=abc; b=c\r\nX-CSRF-Token: d\r\n\r\n",
            b"POST /v1/orders HTTP/1.1\r\n"
            + head
            + json
            + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
            b"GET /v1/ws HTTP/1.1\r\n" + head + HANDSHAKE + b"\r\n",
            b"HEAD /docs/problems HTTP/1.1\r\n" + head + b"\r\nGET / HTTP/1.0\r\n\r\n",
        ]
        yield from (b"\0" + request for request in requests)
        yield b"\x07" + requests[0]
        yield b"\0" + b"".join(requests[:4])
        yield b"\0abc\n1795000000000\n12345678\n" + b"a" * 64

    def close(self) -> None:
        self._stage.close()


HANDSHAKE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class WebSocket:
    """Behind the handshake: frames as they are (first byte 0), else messages a line each, of text or (`!`) of binary."""

    def __init__(self) -> None:
        self._stage = Stage()

    def __call__(self, data: bytes) -> None:
        head = b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k7.x\r\n" + HANDSHAKE + b"\r\n"
        content = data[1:]
        parts = [content] if data[:1] == b"\0" else [_client_frame(line) for line in content.split(b"\n")[:16]]
        answer = self._stage.converse(head, *parts)
        assert answer.startswith(b"HTTP/1.1 101 "), answer

    def seeds(self) -> Iterator[bytes]:
        order = b'{"symbol":"005930","side":"buy","type":"limit","qty":1,"limit_price":98000}'
        told = [
            b'{"op":"ping","id":1}',
            b'{"op":"subscribe","id":"a","channels":[{"name":"book","symbols":["005930"],"depth":5}]}',
            b'{"op":"subscribe","channels":[{"name":"account","after":"memory-1-0"},{"name":"market"},{"name":"queue"}]}',
            b'{"op":"unsubscribe","id":2,"channels":[{"name":"trades","symbols":["005930"]}]}',
            b'{"op":"order.new","id":3,"data":' + order + b"}",
            b'{"op":"order.correct","id":4,"data":{"order_id":3,"leaves_qty":1}}',
            b'{"op":"order.cancel","id":5,"data":{"order_id":3}}',
            b'{"op":"order.cancel_all","id":6,"data":{"side":"buy"}}',
            b"!12345678" + encode_command(CancelOrder(order_id=3)),
        ]
        yield from (b"m" + message for message in told)
        yield b"m" + b"\n".join(told)
        yield from (b"\0" + _client_frame(message) for message in told)
        yield b"\0" + b"".join(map(_client_frame, told))
        yield b"\0\x01\x82\0\0\0\0{}\x80\x82\0\0\0\0{}"
        yield b"\0\x89\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xe8"

    def close(self) -> None:
        self._stage.close()


def _client_frame(message: bytes) -> bytes:
    """A client's frame, masked with zeros: what the fuzzer writes is what is read."""
    first, body = (0x82, message[1:]) if message[:1] == b"!" else (0x81, message)
    if len(body) < 126:
        return bytes([first, 0x80 | len(body)]) + bytes(4) + body
    if len(body) < 1 << 16:
        return bytes([first, 0xFE]) + len(body).to_bytes(2, "big") + bytes(4) + body
    return bytes([first, 0xFF]) + len(body).to_bytes(8, "big") + bytes(4) + body


TARGETS: dict[str, Callable[[], Target]] = {
    "kis": Kis,
    "records": Records,
    "journal": Journal,
    "http": Http,
    "websocket": WebSocket,
}
