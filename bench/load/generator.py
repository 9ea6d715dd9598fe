"""The load process: it reads a JSON object a line, does what it says, and answers with a line.

It runs on its own, so that what it costs is not the server's, and tells its own processor time with everything it did.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

import msgspec
import numpy as np
import uvloop

from bench.load.flow import Symbol
from bench.load.lanes import Driver, http_slots, socket_slots
from bench.load.listeners import listen
from bench.load.sources import HttpOrders, JsonBatches, Records, Results, SocketOrders, Source, Terms

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
PROBES_PER_S = 50.0
"""Orders of two accounts of their own, that listen, beside a load whose accounts could not all be listened to."""

FILLS_S = 10.0
"""How long fills are waited for on the streams once all orders were answered."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How orders are entered, and through how much."""

    name: str
    label: str
    mix: str = "mixed"
    """What the realistic flow of this way is."""
    connections: int
    in_flight: int = 1
    """Requests of one connection."""
    batch: int = 1
    """Commands in a request."""


WAYS = {
    way.name: way
    for way in (
        Way(name="http", label="one a request", connections=64),
        Way(name="batches", label="JSON batches", mix="orders", connections=8, batch=1000),
        Way(name="websocket", label="WebSocket, one a message", connections=8, in_flight=100),
        Way(name="records", label="records in batches", connections=8, batch=1000),
        Way(name="socket_records", label="records on the WebSocket", connections=4, in_flight=4, batch=500),
    )
}

PROBE = Way(name="http", label="probe", connections=4)


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Quantiles in milliseconds; nothing where there are no values."""
    ranked = np.sort(np.asarray(seconds, dtype=float))
    if not len(ranked):
        return {}
    return {
        name: round(float(ranked[min(len(ranked) - 1, int(len(ranked) * at))]) * 1000, 3)
        for name, at in QUANTILES.items()
    }


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Load:
    """One way's connections to one server."""

    def __init__(
        self, port: int, way: Way, mix: str, keys: Sequence[str], symbols: Sequence[Symbol], dialect: str
    ) -> None:
        self.port = port
        self._way, self._keys = way, keys
        self._results, self._driver = Results(), Driver()
        self._sources = self._make(mix, symbols, dialect)
        self._arrivals: dict[int, float] = {}

    def _make(self, mix: str, symbols: Sequence[Symbol], dialect: str) -> list[Source]:
        way, results = self._way, self._results

        def terms(keys: Sequence[str], place: int = 0) -> Terms:
            side = None if len(keys) > 1 else place % 2
            return Terms(self.port, keys, symbols, mix, place + 1, side, way.batch, dialect)

        if way.name == "http":
            return [HttpOrders(terms(self._keys), results)]
        own = [(self._keys[place : place + 1], place) for place in range(way.connections)]
        if way.name == "batches":
            return [JsonBatches(terms(keys, place), results) for keys, place in own]
        if way.name == "websocket":
            return [SocketOrders(terms(keys, place), results) for keys, place in own]
        return [Records(terms(keys, place), results, websocket=way.name == "socket_records") for keys, place in own]

    async def connect(self) -> None:
        """Open the connections."""
        way = self._way
        if way.name in ("websocket", "socket_records"):
            slots = await socket_slots(
                self._driver,
                self._sources,
                self._keys[: way.connections],
                self.port,
                way.in_flight,
                is_binary=way.name == "socket_records",
            )
        else:
            slots = await http_slots(self._driver, self._sources, self.port, way.connections)
        self._driver.free.extend(slots)

    async def run(self, seconds: float, per_s: float = 0.0, listeners: int = 0) -> dict[str, Any]:
        """Closed loop; or, with commands `per_s`, on a timetable. With `listeners`, so many of the accounts listen on SSE.

        Raises `RuntimeError` where a connection is lost.
        """
        driver, results, each = self._driver, self._results, self._way.batch
        del driver.latencies[:], driver.lateness[:]
        driver.queued = 0
        results.codes.clear()
        results.takers = {} if listeners else None
        before = driver.answered
        streams = await listen(self.port, self._keys[:listeners], self._arrivals)
        gc.collect()
        began_cpu = _processor_s()
        took = await (driver.open(per_s / each, seconds) if per_s else driver.closed(seconds))
        cpu = _processor_s() - began_cpu
        answered = driver.answered - before
        report = {
            "seconds": round(took, 3),
            "commands": answered * each,
            "per_s": round(answered * each / took),
            "ack_ms": spread(driver.latencies),
            "late_ms": spread(driver.lateness),
            "queued": driver.queued,
            "unanswered": driver.unanswered * each,
            "codes": dict(sorted(results.codes.items())),
            "generator_share": round(cpu / took, 3),
            "generator_us": round(cpu / max(1, answered * each) * 1e6, 2),
        }
        if results.takers is not None:
            report |= await self._fills(results.takers)
        for stream in streams:
            stream.close()
        report["streams_lost"] = sum(stream.lost for stream in streams)
        return report

    async def _fills(self, takers: dict[int, float]) -> dict[str, Any]:
        """From due to the fill on the stream, of the orders that traded at once and whose account listens."""
        arrivals, last, end = self._arrivals, -1, time.perf_counter() + FILLS_S
        while len(arrivals) > last and time.perf_counter() < end:
            last = len(arrivals)
            await asyncio.sleep(0.2)
        fills = [arrivals[order_id] - due for order_id, due in takers.items() if order_id in arrivals]
        told = len(fills)
        arrivals.clear()
        return {"fill_ms": spread(fills), "fills": told, "takers": len(takers)}

    def close(self) -> None:
        """End all connections."""
        for slot in self._driver.free:
            slot.close()


async def _serve(lines: asyncio.StreamReader) -> None:
    load: Load | None = None
    while line := await lines.readline():
        command = json.loads(line)
        do = command.pop("do")
        try:
            if do == "connect":
                if load is not None:
                    load.close()
                way = msgspec.convert(command.pop("way"), Way)
                symbols = [Symbol(*row) for row in command.pop("symbols")]
                load = Load(way=way, symbols=symbols, **command)
                await load.connect()
                answer: dict[str, Any] = {}
            elif load is None:
                answer = {"error": "not connected"}
            elif "probe" in command:
                probe = Load(load.port, PROBE, "simple", command["probe"], [Symbol(*command.pop("symbol"))], "onseju")
                await probe.connect()
                listeners = len(command.pop("probe"))
                answer, told = await asyncio.gather(
                    load.run(**command), probe.run(command["seconds"], PROBES_PER_S, listeners)
                )
                probe.close()
                answer["probe"] = told
            else:
                answer = await load.run(**command)
        except (OSError, RuntimeError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    if load is not None:
        load.close()


class Generator:
    """The load process, from the side of who drives it. Other threads may look at the server meanwhile."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from bench.load.generator import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent.parent,
        )

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Do it, and wait until it is done. Raises `RuntimeError` where it could not."""
        into: IO[str] = self._process.stdin  # type: ignore[assignment]
        out: IO[str] = self._process.stdout  # type: ignore[assignment]
        into.write(json.dumps({"do": do, **more}) + "\n")
        into.flush()
        line = out.readline()
        if not line:
            raise RuntimeError(f"the load process ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def connect(
        self, port: int, way: Way, keys: Sequence[str], symbols: Sequence[Symbol], mix: str, dialect: str = "onseju"
    ) -> None:
        """Open a way's connections; those of the way before are closed."""
        self.ask(
            "connect",
            port=port,
            way=msgspec.to_builtins(way),
            mix=mix,
            keys=list(keys),
            symbols=[list(symbol) for symbol in symbols],
            dialect=dialect,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=30)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def main() -> None:
    """Run the commands that come in."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.set_threshold(100_000, 20, 100)

    async def run() -> None:
        lines = asyncio.StreamReader(limit=1 << 24)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        await _serve(lines)

    uvloop.run(run())
