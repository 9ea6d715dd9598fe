"""The server under load, in a process of its own, and a plain HTTP client that sends a few orders on a timetable.

For loads that fill the machine there is `bench.load`.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec

from bench.processes import end

START_S = 120
_ADDRESS = re.compile(r"is open at (http://\S+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}


class Server:
    """`onseju up` in a process of its own, without bots, its rate limits out of the way; of another `tree`, if named.

    `program` is what stands for `onseju`: a module and its arguments.
    """

    def __init__(
        self, data_dir: Path, tree: Path | None = None, program: Sequence[str] = ("onseju",), **env: str
    ) -> None:
        options = ["up", "--no-bots", "--port", "0", "--data-dir", str(data_dir)]
        command = [sys.executable, "-m", *program, *options]
        limits = {f"ONSEJU_{name}_RATE_PER_S": "10000000" for name in ("ORDER", "CANCEL", "QUERY", "STREAM")}
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
        end(self._process)

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


class Outcome(msgspec.Struct):
    """What became of some orders. Latencies in seconds."""

    latencies: dict[str, float] = {}
    """Of each acknowledged order, by client order id."""
    late_sends: list[float] = []
    """How much later than due each order left: what the generator itself, or a lack of free connections, adds."""
    due: dict[str, float] = {}
    filled: set[str] = set()
    """Orders whose answer held a fill: they took what rested."""
    statuses: Counter[int] = msgspec.field(default_factory=Counter)

    def take(self, client_order_id: str, due: float, answer: tuple[int, bytes]) -> None:
        status, body = answer
        self.statuses[status] += 1
        if status == 201:
            self.latencies[client_order_id] = time.perf_counter() - due
            self.due[client_order_id] = due
            if b'"fills":[]' not in body:
                self.filled.add(client_order_id)


async def until(moment: float) -> None:
    """Wait for a `perf_counter` time; up to a millisecond late, as the loop's timers are.

    Polling would be exact, and would take a whole core that the server may need; `send_delay_ms` tells what it costs.
    """
    await asyncio.sleep(0)
    while (wait := moment - time.perf_counter()) > 0:
        await asyncio.sleep(max(wait, 0.001))


async def open_loop(
    connections: Sequence[Connection], source: Iterator[tuple[str, bytes]], rate: float, seconds: float
) -> Outcome:
    """Orders are due every `1 / rate` s. One that finds no free connection waits for one, and its waiting counts."""
    outcome = Outcome()
    due_orders: asyncio.Queue[float | None] = asyncio.Queue()

    async def one(connection: Connection) -> None:
        while (due := await due_orders.get()) is not None:
            client_order_id, raw = next(source)
            outcome.late_sends.append(time.perf_counter() - due)
            outcome.take(client_order_id, due, await connection.request(raw))

    senders = asyncio.gather(*map(one, connections))
    start = time.perf_counter() + 0.05
    for place in range(int(rate * seconds)):
        due = start + place / rate
        await until(due)
        due_orders.put_nowait(due)
    for _ in connections:
        due_orders.put_nowait(None)
    await senders
    return outcome
