"""Connections as bare as they can be, and the two ways to drive them: closed loop, and on a timetable.

In the open loop a request is due at a fixed time whatever the server does. One that finds no connection free waits for it, and
a latency counts from the time at which it was due (no coordinated omission). Times are `time.perf_counter()` seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from array import array
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from bench.load.sources import Source
from bench.load.ticker import ticking
from bench.wire import BINARY, CLOSE, PING, PONG, TEXT, client_frame

SETTLE_S = 20.0
"""How long answers are waited for at the end."""

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Slot(Protocol):
    """What can take one request more."""

    def send(self, due: float) -> None:
        """Send its source's next request now."""

    def close(self) -> None:
        """Close the connection."""


class Driver:
    """The slots of a way, and what became of what was sent through them."""

    def __init__(self) -> None:
        self.free: deque[Slot] = deque()
        """The one that has been free for longest takes the next request, so that none is idle until a server closes it."""
        self.latencies: array[float] = array("d")
        """From due to the whole answer, one a request."""
        self.lateness: array[float] = array("d")
        """How late the timetable was read: what the generator itself adds."""
        self.sent = self.answered = self.queued = 0
        """`queued`: requests that found no slot free when they were due."""
        self.broken: str = ""
        """Why a connection was lost; nothing more can be measured then."""
        self._backlog: deque[float] = deque()
        self._until = 0.0
        self._idle = asyncio.Event()

    def number(self) -> int:
        """The next request's own number."""
        self.sent += 1
        return self.sent

    def done(self, slot: Slot, due: float) -> None:
        """An answer has come: the slot takes what waits."""
        now = time.perf_counter()
        self.latencies.append(now - due)
        self.answered += 1
        if self._backlog:
            slot.send(self._backlog.popleft())
        elif now < self._until:
            slot.send(now)
        else:
            self.free.append(slot)
            if self.answered == self.sent:
                self._idle.set()

    def fail(self, why: str) -> None:
        """A connection was lost."""
        self.broken = self.broken or why
        self._idle.set()

    async def closed(self, seconds: float) -> float:
        """Each slot sends its next request when its last was answered. Gives the seconds that it took."""
        began = time.perf_counter()
        self._until = began + seconds
        slots, self.free = self.free, deque()
        for slot in slots:
            slot.send(time.perf_counter())
        await self._settle(seconds)
        return time.perf_counter() - began

    async def open(self, per_s: float, seconds: float) -> float:
        """Requests are due every `1 / per_s` seconds. Gives the seconds until the last answer."""
        self._until = 0.0
        count, place = max(1, int(per_s * seconds)), 0
        start = time.perf_counter() + 0.01
        finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def tick() -> None:
            nonlocal place
            now = time.perf_counter()
            passed = min(count, int((now - start) * per_s) + 1) if now >= start else 0
            if place < passed:
                self.lateness.append(now - start - place / per_s)
            while place < passed:
                due, place = start + place / per_s, place + 1
                if self.free:
                    self.free.popleft().send(due)
                else:
                    self.queued += 1
                    self._backlog.append(due)
            if (place == count or self.broken) and not finished.done():
                finished.set_result(None)

        with ticking(tick, start, 1 / per_s):
            await finished
        await self._settle(0)
        return time.perf_counter() - start

    async def _settle(self, seconds: float) -> None:
        """Until everything was answered, at most so long. What was not is `unanswered`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds + SETTLE_S):
                while self.answered < self.sent or seconds:
                    self._idle.clear()  # it may have been set on the way, when all that had been sent was answered
                    await self._idle.wait()
                    seconds = 0
        if self.broken:
            raise RuntimeError(f"a connection was lost: {self.broken}")

    @property
    def unanswered(self) -> int:
        """Requests that were due and got no answer in time."""
        return self.sent - self.answered + len(self._backlog)


class HttpConnection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection with one request under way at a time."""

    def __init__(self, driver: Driver, source: Source) -> None:
        self._driver = driver
        self._source = source
        self._transport: asyncio.Transport | None = None
        self._due = 0.0
        self._tag: object = None
        self._parts: list[bytes] = []
        self._lacking = 0
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def send(self, due: float) -> None:
        """See `Slot`."""
        data, self._tag = self._source.next(self._driver.number())
        self._due = due
        if self._transport is not None:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self._lacking:
            self._parts.append(data)
            self._lacking -= len(data)
            if self._lacking > 0:
                return
            data = b"".join(self._parts)
        else:
            if self._parts:
                data = b"".join((*self._parts, data))
            head_end = data.find(b"\r\n\r\n")
            if head_end < 0:
                self._parts = [data]
                return
            length = _LENGTH.search(data, 0, head_end)
            lacking = head_end + 4 + (int(length[1]) if length else 0) - len(data)
            if lacking > 0:
                self._parts, self._lacking = [data], lacking
                return
        self._parts, self._lacking = [], 0
        self._source.answered(data, self._tag, self._due)
        self._driver.done(self, self._due)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._closing:
            self._driver.fail(str(error) if error else "the server closed it")

    def close(self) -> None:
        """See `Slot`."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()


class Socket(asyncio.Protocol):
    """One WebSocket with many requests in flight; an answer names its request by its id."""

    def __init__(self, driver: Driver, source: Source, port: int, key: str, is_binary: bool) -> None:
        self._driver = driver
        self._source = source
        self._hello = (
            f"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
        ).encode()
        self._opcode = BINARY if is_binary else TEXT
        self._flying: dict[bytes, tuple[float, object]] = {}
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._lacking = 0
        self._number = 0
        self._closing = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._write(self._hello)

    def send(self, due: float) -> None:
        """See `Slot`."""
        self._driver.number()
        self._number += 1
        data, tag = self._source.next(self._number)
        name = b"%08d" % (self._number % 100_000_000) if self._opcode == BINARY else b"%d" % self._number
        self._flying[name] = due, tag
        self._write(data)

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            head, end, data = data.partition(b"\r\n\r\n")
            if not end or b" 101 " not in head[:20]:
                self.opened.set_exception(RuntimeError(f"the WebSocket was refused: {head[:200]!r}"))
                return
            self.opened.set_result(None)
        if self._lacking:
            self._parts.append(data)
            self._lacking -= len(data)
            if self._lacking > 0:
                return
            data = b"".join(self._parts)
        start, size = 0, len(data)
        while True:
            head_size = 2
            end = start + head_size
            if size >= end:
                length = data[start + 1] & 0x7F
                if length >= 126:
                    head_size = 4 if length == 126 else 10
                    length = (
                        int.from_bytes(data[start + 2 : start + head_size], "big") if size >= start + head_size else 0
                    )
                end = start + head_size + length
            if size < end:
                break
            self._frame(data[start] & 0x0F, data[start + head_size : end])
            start = end
        self._parts, self._lacking = ([data[start:]], end - size) if start < size else ([], 0)

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == self._opcode:
            self._take(payload)
        elif opcode == PING:
            self._write(client_frame(PONG, payload))
        elif opcode == CLOSE:
            self._driver.fail(f"close code {int.from_bytes(payload[:2], 'big')} {payload[2:]!r}")

    def _take(self, payload: bytes) -> None:
        # a text answer begins {"id":17,
        name = payload[:8] if self._opcode == BINARY else payload[6 : payload.find(b",", 6, 40)]
        due, tag = self._flying.pop(name)
        self._source.answered(payload, tag, due)
        self._driver.done(self, due)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionResetError("the server closed the WebSocket"))
        elif not self._closing:
            self._driver.fail(str(error) if error else "the server closed it")

    def close(self) -> None:
        """See `Slot`."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()


async def http_slots(driver: Driver, sources: Sequence[Source], port: int, connections: int) -> list[Slot]:
    """Connections, each with one of the sources in turn."""
    loop = asyncio.get_running_loop()
    slots: list[Slot] = []
    for place in range(connections):
        source = sources[place % len(sources)]
        _, connection = await loop.create_connection(
            lambda source=source: HttpConnection(driver, source),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        slots.append(connection)
    return slots


async def socket_slots(
    driver: Driver, sources: Sequence[Source], keys: Sequence[str], port: int, in_flight: int, *, is_binary: bool
) -> list[Slot]:
    """A WebSocket for each source, as many slots each as may be in flight; neighbours in the list are of different ones."""
    loop = asyncio.get_running_loop()
    sockets: list[Socket] = []
    for source, key in zip(sources, keys, strict=True):
        _, socket = await loop.create_connection(
            lambda source=source, key=key: Socket(driver, source, port, key, is_binary),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        await socket.opened
        sockets.append(socket)
    return [socket for _ in range(in_flight) for socket in sockets]
