"""Every way to enter orders, side by side: one a request, batches in JSON, many in flight on the WebSocket, records.

`python -m bench.order_entry [--quick] [--against DIR]` starts a server (one process, fsync, event log, streams' ring and
projections on, no bots) and enters orders in every way in interleaved rounds, closed loop: as many requests are under way
as the way has connections or lets in flight. Orders are those of `bench.http_orders`: a sell and a buy of one share at one
price, by turns, so every second one trades. Stated are orders a second and the server's processor time for one (all of its
threads, the projector's too).

`--against` names another tree of Onseju (its `python -m onseju` is run there): both servers run at once, and take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.http_orders import closed_loop, machine, orders
from bench.httpload import Connection, Server
from bench.streamload import processor_s
from bench.wire import BINARY, CLOSE, PING, PONG, TEXT, client_frame, server_frames
from onseju.contract.commands import NewOrder, encode_command
from onseju.contract.events import EVENT_BYTES
from onseju.contract.words import OrderType, Side

RESULT = Path("build/bench/order_entry.json")
RECORDS = "application/vnd.onseju.records"
HEAD_BYTES, OUTCOME_BYTES = 24, 16


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    rounds: int
    seconds: float
    connections: int
    batch: int
    in_flight: int


FULL = Plan(rounds=5, seconds=4.0, connections=32, batch=1000, in_flight=100)
QUICK = Plan(rounds=1, seconds=0.3, connections=4, batch=20, in_flight=10)


class Entrance(msgspec.Struct):
    """A server under load and what is needed to enter orders there."""

    server: Server
    keys: list[str]
    prices: dict[str, int]
    numbers: dict[str, int]
    run: int = 0

    def orders(self, side: str, count: int) -> list[dict[str, Any]]:
        """Orders of one side, over all instruments in turn."""
        symbols = list(self.prices)
        return [
            {"symbol": symbol, "side": side, "type": "limit", "qty": 1, "limit_price": self.prices[symbol]}
            for symbol in (symbols * (count // len(symbols) + 1))[:count]
        ]

    def records(self, side: str, count: int) -> bytes:
        """The same as records."""
        return b"".join(
            encode_command(
                NewOrder(
                    instrument=self.numbers[order["symbol"]],
                    qty=1,
                    limit_price=order["limit_price"],
                    side=Side.parse(side),
                    order_type=OrderType.LIMIT,
                )
            )
            for order in self.orders(side, count)
        )


Way = Callable[[Entrance, Plan], Awaitable[int]]


async def singles(side: Entrance, plan: Plan) -> int:
    """One order a request."""
    connections = [await Connection.open(side.server.port) for _ in range(plan.connections)]
    try:
        source = orders(side.server.port, side.keys, side.prices, f"one-{side.run}")
        outcome = await closed_loop(connections, source, plan.seconds)
    finally:
        for connection in connections:
            connection.close()
    if set(outcome.statuses) != {201}:
        raise RuntimeError(f"orders were refused: {outcome.statuses}")
    return len(outcome.latencies)


async def _batches(side: Entrance, plan: Plan, media_type: str, bodies: Sequence[bytes], good: bytes) -> int:
    """Two connections: one account sells a batch, another buys it."""
    end = time.perf_counter() + plan.seconds
    entered = 0

    async def one(key: str, body: bytes) -> None:
        nonlocal entered
        head = (
            f"POST /v1/orders:batch HTTP/1.1\r\nHost: 127.0.0.1:{side.server.port}\r\nContent-Type: {media_type}\r\n"
            f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        connection = await Connection.open(side.server.port)
        try:
            while time.perf_counter() < end:
                status, answer = await connection.request(head + body)
                if status != 200 or answer.count(good) < plan.batch:
                    raise RuntimeError(f"a batch was refused: {status} {answer[:300]!r}")
                entered += plan.batch
        finally:
            connection.close()

    await asyncio.gather(*(one(key, body) for key, body in zip(side.keys, bodies, strict=False)))
    return entered


async def json_batches(side: Entrance, plan: Plan) -> int:
    """Batches in JSON."""
    bodies = [msgspec.json.encode({"orders": side.orders(name, plan.batch)}) for name in ("sell", "buy")]
    return await _batches(side, plan, "application/json", bodies, b'"order_id"')


async def record_batches(side: Entrance, plan: Plan) -> int:
    """Batches of records."""
    bodies = [side.records(name, plan.batch) for name in ("sell", "buy")]
    taken = (201).to_bytes(2, "little") + bytes(2 + 8)  # status, no reason, no flags
    return await _batches(side, plan, RECORDS, bodies, taken)


async def _websocket(
    side: Entrance, plan: Plan, messages: Sequence[list[bytes]], each: int, count: Callable[[bytes], int]
) -> int:
    """Two sockets, each with as many messages in flight as the plan lets it have."""
    end = time.perf_counter() + plan.seconds

    async def one(key: str, mine: list[bytes]) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", side.server.port)
        entered = sent = 0
        try:
            writer.write(
                (
                    f"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:{side.server.port}\r\nAuthorization: Bearer {key}\r\n"
                    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    f"Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
                ).encode()
            )
            await reader.readuntil(b"\r\n\r\n")
            in_flight = max(1, plan.in_flight // each)
            writer.write(b"".join(mine[place % len(mine)] for place in range(in_flight)))
            sent = in_flight
            buffer = b""
            answered = 0
            while answered < sent:
                data = await reader.read(1 << 18)
                if not data:
                    raise ConnectionResetError("the server closed the WebSocket")
                frames, buffer = server_frames(buffer + data)
                for opcode, payload in frames:
                    if opcode == PING:
                        writer.write(client_frame(PONG, payload))
                    elif opcode == CLOSE:
                        raise RuntimeError(f"the server closed: {payload!r}")
                    else:
                        answered += 1
                        entered += count(payload)
                        if time.perf_counter() < end:
                            writer.write(mine[sent % len(mine)])
                            sent += 1
            if entered != answered * each:
                raise RuntimeError(f"of {answered * each} orders {entered} were taken")
        finally:
            writer.close()
        return entered

    return sum(await asyncio.gather(*(one(key, mine) for key, mine in zip(side.keys, messages, strict=False))))


async def websocket_orders(side: Entrance, plan: Plan) -> int:
    """One order a message, many in flight."""
    messages = [
        [
            client_frame(TEXT, msgspec.json.encode({"op": "order.new", "id": 1, "data": order}))
            for order in side.orders(name, 100)
        ]
        for name in ("sell", "buy")
    ]
    return await _websocket(side, plan, messages, 1, lambda payload: b'"status":201' in payload[:40])


async def websocket_records(side: Entrance, plan: Plan) -> int:
    """Records, up to 500 a message."""
    each = min(500, plan.batch // 2)
    messages = [[client_frame(BINARY, b"12345678" + side.records(name, each))] for name in ("sell", "buy")]

    def taken(payload: bytes) -> int:
        found, at = 0, OUTCOME_BYTES
        while at < len(payload):
            events, status = int.from_bytes(payload[at + 8 : at + 12], "little"), payload[at + 12 : at + 14]
            found += status == b"\xc9\x00"
            at += HEAD_BYTES + events * EVENT_BYTES
        return found

    deep = msgspec.structs.replace(plan, in_flight=4 * each)
    return await _websocket(side, deep, messages, each, taken)


WAYS: dict[str, Way] = {
    "one a request": singles,
    "JSON batches": json_batches,
    "WebSocket, one a message": websocket_orders,
    "records in batches": record_batches,
    "records on the WebSocket": websocket_records,
}


def prepare(server: Server) -> Entrance:
    """Accounts that have enough of everything, also of open orders: the sellers may be ahead of the buyers."""
    server.set_rule("max_open_orders", 0)
    prices = server.symbols()
    keys = [server.account(f"entry-{place}", 10**15, dict.fromkeys(prices, 10**9)) for place in range(2)]
    return Entrance(server, keys, prices, {symbol: number for number, symbol in enumerate(prices, 1)})


async def measure(sides: dict[str, Entrance], plan: Plan) -> dict[str, dict[str, list[dict[str, float]]]]:
    """All ways on all servers, in interleaved rounds. A way that a server does not have is left out there."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {name: {way: [] for way in WAYS} for name in sides}
    for turn in range(plan.rounds):
        for way, run in WAYS.items():
            for name, side in sides.items():
                if name != "here" and "records" in way:
                    continue
                side.run = turn
                spent, began = processor_s(side.server.pid), time.perf_counter()
                entered = await run(side, plan)
                took, spent = time.perf_counter() - began, processor_s(side.server.pid) - spent
                found[name][way].append({"orders_per_s": entered / took, "server_us": spent / entered * 1e6})
    return found


def summary(rounds: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Medians."""
    return {
        way: {name: round(statistics.median(row[name] for row in rows), 1) for name in rows[0]}
        for way, rows in rounds.items()
        if rows
    }


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"{'':<28}{'orders/s':>10}{'server µs each':>16}{'against':>10}"]
    first = result["ways"]["one a request"]["server_us"]
    for way, row in result["ways"].items():
        other = (result.get("against") or {}).get(way)
        ratio = f"{other['server_us'] / row['server_us']:.2f} ×" if other else "–"
        lines.append(
            f"{way:<28}{row['orders_per_s']:>10,.0f}{row['server_us']:>16,.0f}{ratio:>10}"
            f"   {first / row['server_us']:.1f} × one a request"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="Every way to enter orders.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: whether it works, not how fast")
    parser.add_argument("--against", type=Path, help="another tree of Onseju, to take turns with")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else FULL
    with contextlib.ExitStack() as stack:
        trees = {"here": None, "there": chosen.against} if chosen.against else {"here": None}
        sides = {}
        for name, tree in trees.items():
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onseju-bench-")))
            sides[name] = prepare(stack.enter_context(Server(directory, tree)))
        rounds = uvloop.run(measure(sides, plan))
    result: dict[str, Any] = {"name": "order_entry", "quick": chosen.quick, "machine": machine()}
    result["ways"] = summary(rounds["here"])
    result["against"] = summary(rounds["there"]) if "there" in rounds else None
    result["rounds"] = rounds
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(result))
    return result


if __name__ == "__main__":
    main()
