"""What a hundred bad neighbours cost the others: clients that never read, read a byte a second, or send what is no HTTP.

`python -m bench.neighbours [--quick] [--minutes 10]` starts a server for every kind (one process each, fsync on, no bots)
and keeps its hundred there all the time. The servers take turns of a few seconds: orders on a fixed timetable, of an
account that 20 good streams listen to, ten on each transport, and of the account that the neighbours listen to. A
latency counts from the commit to the receipt. Medians of the turns, and ratios to nobody and to neighbours that read.

Clients that never read get a burst first, more than they and the server may keep, so each turn meets them blocked; when
they have been cut they come back between two turns, and stop reading again.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import msgspec

from bench.httpload import machine
from bench.streamload import Herd, Transport
from bench.streams.slow import NARROW, burst
from bench.streams.venue import Venue
from bench.wire import TEXT, client_frame

RESULT = Path("build/bench/neighbours.json")
KINDS = ("none", "reading", "silent", "byte a second", "garbage")
TRANSPORTS: tuple[Transport, ...] = ("sse", "websocket")
GOOD = 10
"""Good streams of each transport."""
PER_S = 40.0
"""Orders a second, half of them the neighbours' account's."""
WAIT_S = 60.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. `stall_s` is the server's setting; None is its default."""

    clients: int
    seconds: float
    turn_s: float
    stall_s: float | None = None


FULL = Plan(clients=100, seconds=120, turn_s=4)
QUICK = Plan(clients=6, seconds=0, turn_s=0.5, stall_s=2)
STALL_S = 30.0


class Site:
    """A server, its good streams and its neighbours."""

    def __init__(self, directory: Path, kind: str, plan: Plan, stack: ExitStack) -> None:
        stall = {} if plan.stall_s is None else {"ONSEJU_STREAM_STALL_S": str(plan.stall_s)}
        self.kind, self.plan = kind, plan
        self.venue = stack.enter_context(Venue(directory, GOOD * 2 + plan.clients, accounts=2, **stall))
        self.good = [
            stack.enter_context(Herd(self.venue.port, name, self.venue.keys[:1], directory)) for name in TRANSPORTS
        ]
        for herd in self.good:
            herd.open(GOOD)
        self.bad: list[Herd] = []
        self.dripping: Drip | None = None
        self._returned = time.monotonic()
        burst(self.venue, self.venue.keys[1])  # what the exchange itself needs is there before the measurement
        self.before = self.memory_kib = self.venue.resident_kib()
        self._others = self.venue.sockets()
        if kind in ("reading", "silent"):
            for name in TRANSPORTS:
                folder = directory / f"bad-{name}"
                folder.mkdir()
                narrow = NARROW if kind == "silent" else 0
                herd = stack.enter_context(Herd(self.venue.port, name, self.venue.keys[1:], folder, narrow))
                herd.open(plan.clients // 2)
                self.bad.append(herd)
        elif kind != "none":
            self.dripping = stack.enter_context(Drip(self.venue, kind, plan.clients))
        if kind == "silent":
            self.stop_reading()

    def stop_reading(self) -> None:
        for herd in self.bad:
            herd.ask("pause")
        burst(self.venue, self.venue.keys[1])
        self._returned = time.monotonic()

    def come_back(self, *, sure: bool = False) -> None:
        """Those that never read are there again after they were cut."""
        stall_s = STALL_S if self.plan.stall_s is None else self.plan.stall_s
        if self.kind == "silent" and (sure or time.monotonic() - self._returned > stall_s):
            for herd in self.bad:
                herd.ask("drop")
                herd.storm(fresh=True)
            self.stop_reading()

    def turn(self) -> dict[str, Any]:
        """Some seconds of orders; what the good streams saw."""
        venue, count = self.venue, int(PER_S * self.plan.turn_s) // 2 * 2
        for herd in self.good:
            herd.ask("forget")
        spent = venue.run(PER_S, count)
        wanted = count // 2 * venue.events_each * GOOD
        row: dict[str, Any] = {"missing": 0, "doubled": 0, "processor_s": spent}
        for name, herd in zip(TRANSPORTS, self.good, strict=True):
            herd.ask("wait", received=wanted, seconds=WAIT_S)
            report = herd.ask("report", stamps=str(venue.stamps))
            row[name] = report["latency_ms"]
            row["missing"] += wanted - report["received"] + report["doubled"]
            row["doubled"] += report["doubled"]
        self.memory_kib = max(self.memory_kib, venue.resident_kib())
        return row

    def cut(self, seconds: float) -> dict[str, int]:
        """Wait until the server has cut those that never read, then let them read: the close codes that they find."""
        end = time.monotonic() + seconds
        # A WebSocket's client has a few seconds to read why; its socket is there until then.
        while self.venue.sockets() > self._others + self.plan.clients // 2 and time.monotonic() < end:
            time.sleep(0.1)
        codes: dict[str, int] = {}
        left = 0
        for herd in self.bad:
            herd.ask("go_on")
            left += herd.ask("ended", seconds=WAIT_S)["open"]
            codes |= herd.ask("report")["closes"]
        codes["never"] = left
        return codes


class Drip:
    """Neighbours that read a byte a second, or send garbage, half of them on each transport; those cut come back."""

    def __init__(self, venue: Venue, kind: str, count: int) -> None:
        self._port, self._key, self._kind = venue.port, venue.keys[1], kind
        self._over = threading.Event()
        self._sockets = [self._connect(number) for number in range(count)]
        self._thread = threading.Thread(target=self._run)
        self.returned = 0

    def _connect(self, number: int) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(5)
        head = f"Host: localhost\r\nAuthorization: Bearer {self._key}\r\n"
        if self._kind == "garbage":
            connection.sendall(b"\xff\x00garbage\r\n" * 100)
        elif number % 2:
            upgrade = f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n"
            connection.sendall(f"GET /v1/ws HTTP/1.1\r\n{head}Connection: Upgrade\r\n{upgrade}\r\n".encode())
            connection.recv(4096)
            connection.sendall(client_frame(TEXT, b'{"op":"subscribe","channels":[{"name":"account"}]}'))
        else:
            connection.sendall(f"GET /v1/stream HTTP/1.1\r\n{head}\r\n".encode())
        connection.settimeout(0.01)
        return connection

    def _run(self) -> None:
        while not self._over.wait(1.0):
            for place, connection in enumerate(self._sockets):
                try:
                    if self._kind == "garbage":
                        connection.sendall(b"\xff\x00garbage\r\n" * 100)
                        ended = False
                    else:
                        ended = not connection.recv(1)
                except TimeoutError:
                    continue
                except OSError:
                    ended = True
                if ended:
                    connection.close()
                    self.returned += 1
                    self._sockets[place] = self._connect(place)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for connection in self._sockets:
            connection.close()


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The medians of the turns, on each transport, and the sums of what must not be."""
    latency: dict[str, Any] = {
        name: {at: round(statistics.median(row[name][at] for row in rows), 3) for at in rows[0][name]}
        for name in TRANSPORTS
    }
    return {
        **latency,
        "processor_s": round(statistics.median(row["processor_s"] for row in rows), 3),
        "missing": sum(row["missing"] for row in rows),
        "doubled": sum(row["doubled"] for row in rows),
        "turns": len(rows),
    }


def ratios(turns: dict[str, list[dict[str, Any]]], kind: str, other: str) -> dict[str, float]:
    """How p99 beside `kind` stands to that beside `other`: the median over the turns that followed each other."""
    pairs = list(zip(turns[kind], turns[other], strict=True))
    return {name: round(statistics.median(a[name]["p99"] / b[name]["p99"] for a, b in pairs), 3) for name in TRANSPORTS}


def measure(directory: Path, plan: Plan) -> dict[str, Any]:
    """The whole measurement."""
    turns: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    with ExitStack() as stack:
        sites = [Site(directory / kind.replace(" ", "-"), kind, plan, stack) for kind in KINDS]
        began = time.monotonic()
        while True:
            for site in sites:
                site.come_back()
                turns[site.kind].append(site.turn())
            sites = sites[1:] + sites[:1]
            if time.monotonic() - began >= plan.seconds:
                break
        stall_s = STALL_S if plan.stall_s is None else plan.stall_s
        silent = next(site for site in sites if site.kind == "silent")
        silent.come_back(sure=True)
        codes = silent.cut(2 * stall_s + WAIT_S)
        memory = {site.kind: round((site.memory_kib - site.before) / 1024, 1) for site in sites}
    kinds = {kind: {**summary(rows), "memory_mib": memory[kind]} for kind, rows in turns.items()}
    for kind in KINDS[2:]:
        kinds[kind]["p99_to_none"] = ratios(turns, kind, "none")
        kinds[kind]["p99_to_reading"] = ratios(turns, kind, "reading")
    return {
        "clients": plan.clients,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "kinds": kinds,
        "cut": codes,
        "turns": turns,
    }


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [
        f"beside {result['clients']} neighbours, {result['minutes']} minutes, medians of turns, ms",
        f"{'':<16}{'SSE p50':>9}{'p99':>9}{'WS p50':>9}{'p99':>9}{'missing':>9}{'MiB':>7}  p99 to none, to reading",
    ]
    for kind, row in result["kinds"].items():
        spreads = "".join(f"{row[name][at]:>9.2f}" for name in TRANSPORTS for at in ("p50", "p99"))
        told = "  ".join(str(row[name]) for name in ("p99_to_none", "p99_to_reading") if name in row)
        lines.append(f"{kind:<16}{spreads}{row['missing']:>9}{row['memory_mib']:>7}  {told}")
    lines.append(f"those that never read were cut: {result['cut']}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="What bad neighbours cost the others.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: whether it works, not how fast")
    parser.add_argument("--minutes", type=float, help=f"how long all of it goes on (else {FULL.seconds / 60:.0f})")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else FULL
    if chosen.minutes is not None:
        plan = msgspec.structs.replace(plan, seconds=chosen.minutes * 60)
    with tempfile.TemporaryDirectory(prefix="onseju-bench-") as directory:
        figures = measure(Path(directory), plan)
    result = {"name": "neighbours", "quick": chosen.quick, "machine": machine(), **figures}
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(result))
    return result


if __name__ == "__main__":
    main()
