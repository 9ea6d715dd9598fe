"""A load generator on raw sockets: an HTTP client that keeps its connection, and readers of both streams.

It shares nothing with the server but the wire, and costs a few microseconds a request, so that what is measured is the
server. Times are `time.perf_counter()` seconds of this process.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec

from bench.wire import PING, PONG, TEXT, client_frame, server_frames

START_S = 120
_ADDRESS = re.compile(r"is open at (http://\S+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}


class Server:
    """`onseju up` in a process of its own, without bots, its rate limits out of the way; of another `tree`, if named."""

    def __init__(self, data_dir: Path, tree: Path | None = None, **env: str) -> None:
        command = [sys.executable, "-m", "onseju", "up", "--no-bots", "--port", "0", "--data-dir", str(data_dir)]
        limits = {f"ONSEJU_{name}_RATE_PER_S": "10000000" for name in ("ORDER", "CANCEL", "QUERY")}
        environment = {**os.environ, **limits, **env, "PYTHONUNBUFFERED": "1"}
        self._log = data_dir / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tree)
        self._data_dir = data_dir
        self.url = self._address()

    def _address(self) -> str:
        end = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < end:
            if found := _ADDRESS.search(self._log.read_text()):
                return found[1]
            time.sleep(0.05)
        self.stop()
        raise RuntimeError("the server did not start:\n" + self._log.read_text())

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    @property
    def admin_key(self) -> str:
        """The bootstrap admin key."""
        return (self._data_dir / "admin.key").read_text().strip()

    def account(self, name: str, cash: int, holdings: dict[str, int]) -> str:
        """A new account's API key."""
        body = msgspec.json.encode({"name": name, "cash": cash, "holdings": holdings})
        return str(self._json("/v1/admin/accounts", self.admin_key, body)["api_key"])

    def set_rule(self, rule: str, value: int) -> None:
        """Set a rule of the venue."""
        self._json("/v1/admin/rules", self.admin_key, msgspec.json.encode({"rule": rule, "value": value}))

    def symbols(self) -> dict[str, int]:
        """The instruments and their base prices."""
        return {row["symbol"]: row["base_price"] for row in self._json("/v1/symbols")["symbols"]}

    def _json(self, path: str, key: str | None = None, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        method = "GET" if body is None else "POST"
        answer = httpx.request(method, self.url + path, content=body, headers=headers, timeout=30, trust_env=False)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def stop(self) -> None:
        """Stop in order."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection with one request under way at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._buffer = b""

    @classmethod
    async def open(cls, port: int) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, head_end)
        end = head_end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < end or self._waiting is None:
            return
        status, body, waiting = int(self._buffer[9:12]), self._buffer[head_end + 4 : end], self._waiting
        self._buffer, self._waiting = self._buffer[end:], None
        if not waiting.done():
            waiting.set_result((status, body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionResetError("the server closed the connection"))

    def request(self, raw: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a whole request; the future gives status and body."""
        if self._transport is None or self._waiting is not None:
            raise RuntimeError("the connection is not free")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(raw)
        return self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _FillData(msgspec.Struct):
    client_order_id: str | None = None
    liquidity: str | None = None


class _Envelope(msgspec.Struct):
    type: str = ""
    data: _FillData = msgspec.field(default_factory=_FillData)


_envelope = msgspec.json.Decoder(_Envelope)

Arrivals = dict[str, float]
"""When the fill of a client order id arrived first, on the taker's stream."""


def take_envelope(text: bytes, now: float, arrivals: Arrivals) -> None:
    """Note a taker's fill."""
    if b'"fill"' not in text:
        return
    envelope = _envelope.decode(text)
    data = envelope.data
    if envelope.type == "fill" and data.liquidity == "taker" and data.client_order_id:
        arrivals.setdefault(data.client_order_id, now)


Ready = Callable[[], None]


async def read_sse(port: int, key: str, arrivals: Arrivals, ready: Ready) -> None:
    """Read an account's SSE stream until cancelled. `ready` is called when the response has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in answer[:20]:
            raise RuntimeError(f"the stream was refused: {answer[:200]!r}")
        ready()
        rest = b""
        while data := await reader.read(1 << 16):
            now = time.perf_counter()
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"data:"):
                    take_envelope(line[5:], now, arrivals)
        raise ConnectionResetError("the server ended the stream")
    finally:
        writer.close()


async def read_websocket(port: int, key: str, arrivals: Arrivals, ready: Ready) -> None:
    """Read an account's events on a WebSocket until cancelled. `ready` is called when the subscription is answered.

    As bare as the SSE reader, so that the two are compared and not their client libraries.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = (
            f"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
        )
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer[:20]:
            raise RuntimeError(f"the WebSocket was refused: {answer[:200]!r}")
        writer.write(client_frame(TEXT, b'{"op":"subscribe","id":"s","channels":[{"name":"account"}]}'))
        buffer = b""
        subscribed = False
        while data := await reader.read(1 << 16):
            now = time.perf_counter()
            frames, buffer = server_frames(buffer + data)
            for opcode, payload in frames:
                if opcode == PING:
                    writer.write(client_frame(PONG, payload))
                elif not subscribed:
                    subscribed = True
                    ready()
                else:
                    take_envelope(payload, now, arrivals)
        raise ConnectionResetError("the server ended the stream")
    finally:
        writer.close()
