"""SSE against WebSocket for account events: latency, processor time and memory of a delivery, and what bad neighbours cost.

`python -m bench.push [--quick] [--connections 1000]` starts a server of its own (one process, fsync on, no bots) and a
load process (`bench.streamload`). Both transports carry the same envelopes of the same accounts to the same parser, in
interleaved rounds on fresh connections:

1. N streams of ten accounts are opened: memory of the server for each, processor time to open one.
2. Orders leave on a fixed timetable; each gives its account two events, which all its streams get. A latency counts from
   the time at which the exchange took the order in (before its fsync) to the receipt. The processor time is the server's,
   less what the same orders cost without a stream.
3. All streams break off at once, miss an order of every account, and come back at once.

Then the neighbours: the same with a hundred streams that never read, that read a byte a second, or connections that send
garbage, against none of them.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from bench.httpload import Server, machine
from bench.streamload import Herd, Transport, processor_s, resident_kib
from bench.wire import TEXT, client_frame

RESULT = Path("build/bench/push.json")
ACCOUNTS = 10
EVENTS = 2
"""Of an order that rests: the order, and its account's balance."""
TRANSPORTS: tuple[Transport, ...] = ("sse", "websocket")
BAD = ("none", "silent", "byte a second", "garbage")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    connections: int
    rounds: int
    orders: int
    orders_per_s: float
    bad: int
    bad_orders: int


FULL = Plan(connections=1000, rounds=3, orders=200, orders_per_s=20, bad=100, bad_orders=200)
QUICK = Plan(connections=40, rounds=1, orders=10, orders_per_s=50, bad=5, bad_orders=10)


class Venue:
    """The server under load, and its accounts."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.pid = server.pid
        self.symbol, self.price = next(iter(server.symbols().items()))
        self.keys = [server.account(f"push-{place}", 10**15, {}) for place in range(ACCOUNTS)]
        self._http = httpx.Client(base_url=server.url, trust_env=False, timeout=60)

    def order(self, key: str) -> None:
        """An order that rests below the market. Raises `RuntimeError` where it is refused."""
        body = {"symbol": self.symbol, "side": "buy", "type": "limit", "qty": 1, "limit_price": self.price}
        answer = self._http.post("/v1/orders", json=body, headers={"Authorization": f"Bearer {key}"})
        if answer.status_code != 201:
            raise RuntimeError(f"an order was refused: {answer.text}")

    def clean(self) -> None:
        """Cancel all orders, so that nobody has too many."""
        for key in self.keys:
            self._http.delete("/v1/orders", headers={"Authorization": f"Bearer {key}"})

    def run(self, orders: int, per_s: float) -> float:
        """Orders on a fixed timetable, of the accounts in turn. Gives the server's processor time."""
        spent, start = processor_s(self.pid), time.perf_counter()
        for number in range(orders):
            time.sleep(max(0.0, start + number / per_s - time.perf_counter()))
            self.order(self.keys[number % ACCOUNTS])
        return processor_s(self.pid) - spent

    def close(self) -> None:
        """Close the client."""
        self._http.close()


def measure_transport(venue: Venue, transport: Transport, plan: Plan) -> dict[str, Any]:
    """One round of one transport."""
    venue.clean()
    alone = venue.run(plan.orders, plan.orders_per_s)
    venue.clean()
    with Herd(venue.server.port, transport, venue.keys, venue.directory) as herd:
        memory, spent = resident_kib(venue.pid), processor_s(venue.pid)
        opened = herd.ask("open", count=plan.connections)
        memory, opening = resident_kib(venue.pid) - memory, processor_s(venue.pid) - spent
        herd.ask("forget")
        busy = venue.run(plan.orders, plan.orders_per_s)
        deliveries = plan.orders * EVENTS * plan.connections // ACCOUNTS
        report = herd.ask("wait", received=deliveries, seconds=60)
        herd.ask("drop")
        for key in venue.keys:
            venue.order(key)
        herd.ask("forget")
        spent = processor_s(venue.pid)
        storm = herd.ask("storm")
        caught_up = herd.ask("wait", received=EVENTS * plan.connections, seconds=60)
        resuming = processor_s(venue.pid) - spent
    return {
        "opened": opened["open"],
        "memory_kib": round(memory / plan.connections, 1),
        "open_us": round(opening / plan.connections * 1e6),
        "delivery_us": round(max(0.0, busy - alone) / deliveries * 1e6, 1),
        "wire_bytes": round(report["bytes"] / deliveries),
        "latency_ms": report["latency_ms"],
        "missing": deliveries - report["received"] + EVENTS * plan.connections - caught_up["received"],
        "gaps": report["gaps"] + caught_up["gaps"],
        "storm_s": storm["seconds"],
        "storm_open": storm["open"],
        "resume_us": round(resuming / plan.connections * 1e6),
    }


@contextmanager
def neighbours(venue: Venue, key: str, kind: str, count: int) -> Iterator[None]:
    """So many bad clients, half of them on each transport, while the context lasts."""
    port, sockets, over = venue.server.port, [], threading.Event()
    upgrade = (
        f"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
    ).encode()
    subscribe = client_frame(TEXT, b'{"op":"subscribe","channels":[{"name":"account"}]}')
    listen = f"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode()

    def drip() -> None:
        while not over.wait(1.0):
            for connection in sockets:
                try:
                    if kind == "garbage":
                        connection.send(b"\xff\x00garbage\r\n" * 100)
                    else:
                        connection.recv(1)
                except OSError:
                    continue  # cut off, as it should be

    with ExitStack() as stack:
        for number in range(0 if kind == "none" else count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sockets.append(connection)
            if kind == "garbage":
                connection.sendall(b"\xff\x00garbage\r\n" * 100)
            elif number % 2:
                connection.sendall(upgrade)
                connection.recv(4096)
                connection.sendall(subscribe)
            else:
                connection.sendall(listen)
            connection.settimeout(0.05)
        thread = threading.Thread(target=drip)
        if kind in ("byte a second", "garbage"):
            thread.start()
        try:
            yield
        finally:
            over.set()
            if thread.ident is not None:
                thread.join()


def measure_neighbours(venue: Venue, kind: str, plan: Plan) -> dict[str, Any]:
    """The latency of a good client while bad ones are there, and what the server's memory grew by."""
    venue.clean()
    good, bad = venue.keys[0], venue.keys[1]
    with Herd(venue.server.port, "sse", [good], venue.directory) as herd:
        herd.ask("open", count=10)
        herd.ask("forget")
        memory = resident_kib(venue.pid)
        with neighbours(venue, bad, kind, plan.bad):
            start = time.perf_counter()
            for number in range(plan.bad_orders):
                time.sleep(max(0.0, start + number / plan.orders_per_s - time.perf_counter()))
                venue.order(good if number % 2 else bad)
            report = herd.ask("wait", received=plan.bad_orders // 2 * EVENTS * 10, seconds=30)
            grown = resident_kib(venue.pid) - memory
    return {
        "latency_ms": report["latency_ms"],
        "missing": plan.bad_orders // 2 * EVENTS * 10 - report["received"],
        "memory_kib": round(grown / plan.bad, 1),
    }


def median_of(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median of every figure."""
    merged: dict[str, Any] = {}
    for name, value in rows[0].items():
        values = [row[name] for row in rows]
        merged[name] = median_of(values) if isinstance(value, dict) else round(statistics.median(values), 3)
    return merged


def measure(directory: Path, plan: Plan) -> dict[str, Any]:
    """The whole measurement."""
    many = str(max(20, plan.connections, plan.bad))
    transports: dict[str, list[dict[str, Any]]] = {name: [] for name in TRANSPORTS}
    bad: dict[str, list[dict[str, Any]]] = {name: [] for name in BAD}
    with Server(directory, ONSEJU_MAX_STREAMS_PER_ACCOUNT=many, ONSEJU_STREAM_STALL_S="5") as server:
        venue = Venue(server, directory)
        try:
            for _ in range(plan.rounds):
                for transport in TRANSPORTS:
                    transports[transport].append(measure_transport(venue, transport, plan))
            for _ in range(plan.rounds):
                for kind in BAD:
                    bad[kind].append(measure_neighbours(venue, kind, plan))
        finally:
            venue.close()
    figures = {name: median_of(rows) for name, rows in transports.items()}
    for name, rows in transports.items():
        # Of memory the most: from the second round on the server has some left over from the first.
        figures[name]["memory_kib"] = max(row["memory_kib"] for row in rows)
    return {
        "connections": plan.connections,
        "accounts": ACCOUNTS,
        "bad_clients": plan.bad,
        "transports": figures,
        "neighbours": {name: median_of(rows) for name, rows in bad.items()},
        "rounds": {"transports": transports, "neighbours": bad},
    }


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"{result['connections']} streams of {result['accounts']} accounts"]
    lines.append(
        f"{'':<12}{'KiB each':>9}{'µs open':>9}{'µs event':>9}{'p50 ms':>9}{'p99 ms':>9}{'storm s':>9}{'missing':>9}"
    )
    for name, row in result["transports"].items():
        spread = row["latency_ms"]
        lines.append(
            f"{name:<12}{row['memory_kib']:>9}{row['open_us']:>9}{row['delivery_us']:>9}{spread['p50']:>9.1f}"
            f"{spread['p99']:>9.1f}{row['storm_s']:>9.1f}{row['missing'] + row['gaps']:>9}"
        )
    lines.append(f"a good client's latency beside {result['bad_clients']} bad ones")
    for name, row in result["neighbours"].items():
        spread = row["latency_ms"]
        lines.append(
            f"{name:<16}p50 {spread['p50']:>7.1f} ms   p99 {spread['p99']:>7.1f} ms   {row['memory_kib']:>7} KiB each"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="SSE against WebSocket, and bad neighbours.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: whether it works, not how fast")
    parser.add_argument("--connections", type=int, help="streams of each transport")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else FULL
    if chosen.connections:
        plan = msgspec.structs.replace(plan, connections=chosen.connections)
    with tempfile.TemporaryDirectory(prefix="onseju-bench-") as directory:
        figures = measure(Path(directory), plan)
    result = {"name": "push", "quick": chosen.quick, "machine": machine(), **figures}
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(result))
    return result


if __name__ == "__main__":
    main()
