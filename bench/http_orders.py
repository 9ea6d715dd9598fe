"""Orders over HTTP: how many a second, and how long until the acknowledgement and until the fill on SSE and WebSocket.

`python -m bench.http_orders [--quick]` starts a server of its own (one process, fsync on, no bots), then in this process:

1. closed loop: N connections, each sends its next order when the last is acknowledged. Their sum is the maximum rate.
2. open loop at half of it: orders leave on a fixed timetable, whatever the server does. A latency counts from the time at
   which the order was due, so a stall shows in all orders that were due meanwhile (no coordinated omission). Once with
   every account listening on SSE, once on WebSocket.

Buys and sells of one share at one price alternate, so every second order trades at once.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.httpload import Arrivals, Connection, Server, machine, read_sse, read_websocket

RESULT = Path("build/bench/http_orders.json")
ACCOUNTS = 8
SETTLE_S = 10.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    connections: int
    warm_up_s: float
    closed_s: float
    open_s: float


FULL = Plan(connections=32, warm_up_s=2.0, closed_s=8.0, open_s=15.0)
QUICK = Plan(connections=8, warm_up_s=0.2, closed_s=0.5, open_s=1.0)


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


def orders(port: int, keys: Sequence[str], prices: dict[str, int], run: str) -> Iterator[tuple[str, bytes]]:
    """Endless orders, as (client order id, whole HTTP request): sells by the first half of the accounts, buys by the rest."""
    half = len(keys) // 2
    for number, (symbol, price) in enumerate(itertools.cycle(prices.items())):
        for side, first in (("sell", 0), ("buy", half)):
            client_order_id = f"{run}-{number}-{side}"
            body = (
                f'{{"symbol":"{symbol}","side":"{side}","type":"limit","qty":1,"limit_price":{price},'
                f'"client_order_id":"{client_order_id}"}}'
            )
            head = (
                f"POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {keys[first + number % half]}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            yield client_order_id, (head + body).encode()


async def closed_loop(
    connections: Sequence[Connection], source: Iterator[tuple[str, bytes]], seconds: float
) -> Outcome:
    """Each connection sends its next order when its last was answered."""
    outcome = Outcome()
    end = time.perf_counter() + seconds

    async def one(connection: Connection) -> None:
        while (now := time.perf_counter()) < end:
            client_order_id, raw = next(source)
            outcome.take(client_order_id, now, await connection.request(raw))

    await asyncio.gather(*map(one, connections))
    return outcome


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


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the largest, in milliseconds."""
    ranked = sorted(seconds)
    if not ranked:
        return {}
    at = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(ranked[min(len(ranked) - 1, int(len(ranked) * q))] * 1000, 3) for name, q in at.items()}


async def measure_streams(
    server: Server, keys: Sequence[str], transport: str, rate: float, plan: Plan, prices: dict[str, int]
) -> dict[str, Any]:
    """An open loop while every account listens: to the acknowledgement, and to the taker's fill on its stream."""
    arrivals: Arrivals = {}
    read = read_sse if transport == "sse" else read_websocket
    opened: asyncio.Queue[None] = asyncio.Queue()
    readers = [asyncio.create_task(read(server.port, key, arrivals, lambda: opened.put_nowait(None))) for key in keys]
    connections = [await Connection.open(server.port) for _ in range(max(64, plan.connections * 4))]
    try:
        for _ in readers:
            await asyncio.wait_for(opened.get(), 30)
        outcome = await open_loop(connections, orders(server.port, keys, prices, transport), rate, plan.open_s)
        end = time.perf_counter() + SETTLE_S
        while outcome.filled - arrivals.keys() and time.perf_counter() < end:
            for reader in readers:
                if reader.done():
                    reader.result()
            await asyncio.sleep(0.02)
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        for connection in connections:
            connection.close()
    return {
        "rate_per_s": round(rate),
        "orders": len(outcome.latencies),
        "statuses": {str(status): count for status, count in sorted(outcome.statuses.items())},
        "ack_ms": spread(list(outcome.latencies.values())),
        "fill_ms": spread([arrivals[one] - outcome.due[one] for one in outcome.filled & arrivals.keys()]),
        "fills": len(outcome.filled),
        "fills_missing": len(outcome.filled - arrivals.keys()),
        "send_delay_ms": spread(outcome.late_sends),
    }


async def measure(server: Server, plan: Plan) -> dict[str, Any]:
    """The whole measurement on a running server."""
    prices = server.symbols()
    keys = [server.account(f"bench-{place}", 10**15, dict.fromkeys(prices, 10**7)) for place in range(ACCOUNTS)]
    connections = [await Connection.open(server.port) for _ in range(plan.connections)]
    try:
        await closed_loop(connections, orders(server.port, keys, prices, "warm"), plan.warm_up_s)
        began = time.perf_counter()
        outcome = await closed_loop(connections, orders(server.port, keys, prices, "closed"), plan.closed_s)
        maximum = len(outcome.latencies) / (time.perf_counter() - began)
    finally:
        for connection in connections:
            connection.close()
    return {
        "closed_loop": {
            "connections": plan.connections,
            "orders_per_s": round(maximum),
            "orders": len(outcome.latencies),
            "statuses": {str(status): count for status, count in sorted(outcome.statuses.items())},
            "ack_ms": spread(list(outcome.latencies.values())),
        },
        "sse": await measure_streams(server, keys, "sse", maximum / 2, plan, prices),
        "websocket": await measure_streams(server, keys, "websocket", maximum / 2, plan, prices),
    }


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    closed = result["closed_loop"]
    lines = [
        f"closed loop, {closed['connections']} connections: {closed['orders_per_s']:,} orders/s",
        f"{'milliseconds':<46}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}",
    ]
    rows = [("closed loop: request to acknowledgement", closed["ack_ms"])]
    for name, label in (("sse", "SSE"), ("websocket", "WebSocket")):
        run = result[name]
        rows.append((f"{run['rate_per_s']:,}/s, {label}: to acknowledgement", run["ack_ms"]))
        rows.append((f"{run['rate_per_s']:,}/s, {label}: to the fill's arrival", run["fill_ms"]))
    for label, values in rows:
        lines.append(
            f"{label:<46}" + "".join(f"{values.get(q, float('nan')):>9.2f}" for q in ("p50", "p95", "p99", "max"))
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="Orders over HTTP: rate and latency.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: whether it works, not how fast")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else FULL
    with tempfile.TemporaryDirectory(prefix="onseju-bench-") as directory, Server(Path(directory)) as server:
        figures = uvloop.run(measure(server, plan))
    result = {"name": "http_orders", "quick": chosen.quick, "machine": machine(), **figures}
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(result))
    return result


if __name__ == "__main__":
    main()
