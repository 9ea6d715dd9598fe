"""From one connection to thousands: latency, processor time of a delivery, bytes, and how all of them come back at once.

Both transports are served by the same process and carry the same envelopes to the same parser, in interleaved rounds on
fresh connections, of ten accounts. Orders leave on a fixed timetable, whatever the server does; each gives all streams of
its account its events. The processor time of a delivery is the server's, less what the same orders cost without a stream.
Then all streams break off at once, miss some orders of every account, and come back at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from bench.streamload import Herd, Transport
from bench.streams.figures import median_of
from bench.streams.venue import ACCOUNTS, Venue

TRANSPORTS: tuple[Transport, ...] = ("sse", "websocket")
WAIT_S = 120.0
AT_ONCE = 2000
"""Connections that come back at the same time: the system keeps 4,096 for a port, and who finds no room tries again after
one second, three, seven and so on, which would measure the system."""
SURE_S = 0.1
"""Processor time is told in hundredths of a second: a difference below this says nothing."""
SURE_STREAMS = 100
"""The orders' own processor time differs from run to run by up to half a millisecond an order: what a delivery adds is told
where each event goes to so many streams."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured: (connections, orders a second) for each cell, and the orders missed of each account."""

    cells: tuple[tuple[int, float], ...]
    seconds: float
    rounds: int
    missed: int
    memory: int


FULL = Plan(
    cells=((1, 20), (1, 100), (100, 20), (100, 100), (1000, 10), (1000, 50), (5000, 2), (5000, 10)),
    seconds=6,
    rounds=3,
    missed=4,
    memory=5000,
)
QUICK = Plan(cells=((1, 20), (20, 40)), seconds=0.5, rounds=1, missed=2, memory=40)


def measure_cell(
    venue: Venue, transport: Transport, connections: int, per_s: float, alone_s: float, plan: Plan
) -> dict[str, Any]:
    """One round of one transport."""
    keys = venue.keys[: min(connections, ACCOUNTS)]
    count = max(len(keys), int(per_s * plan.seconds) // len(keys) * len(keys))
    streams_each = connections // len(keys)
    deliveries = count * venue.events_each * streams_each
    with Herd(venue.port, transport, keys, venue.directory) as herd:
        spent = venue.processor_s()
        opened = herd.open(connections)
        opening = venue.processor_s() - spent
        herd.ask("forget")
        busy = venue.run(per_s, count, keys)
        herd.ask("wait", received=deliveries, seconds=WAIT_S)
        report = herd.ask("report", stamps=str(venue.stamps))
        herd.ask("drop")
        venue.run(200, plan.missed * len(keys), keys)
        herd.ask("forget")
        spent = venue.processor_s()
        missed = plan.missed * venue.events_each * connections
        storm = herd.storm(received=missed, seconds=WAIT_S, at_once=AT_ONCE)
        resuming = venue.processor_s() - spent
        back = herd.ask("report")
    more = busy - alone_s
    sure = streams_each >= SURE_STREAMS
    return {
        "opened": opened["open"],
        "open_us": round(opening / connections * 1e6) if opening >= SURE_S else None,
        "delivery_us": round(more / deliveries * 1e6, 2) if sure and more >= SURE_S else None,
        "wire_bytes": round(report["bytes"] / deliveries),
        "latency_ms": report["latency_ms"],
        "lost": deliveries - report["received"] + missed - back["received"] + report["gaps"] + back["gaps"],
        "doubled": report["doubled"] + back["doubled"],
        "back_s": storm["seconds"],
        "caught_up_s": storm["caught_up_s"],
        "resume_us": round(resuming / connections * 1e6) if resuming >= SURE_S else None,
    }


def measure_scale(directory: Path, plan: Plan) -> list[dict[str, Any]]:
    """All cells: for each the medians of its rounds."""
    rows: dict[tuple[int, float, str], list[dict[str, Any]]] = {}
    most = max(connections for connections, _ in plan.cells)
    with Venue(directory / "scale", most) as venue:
        for place in range(plan.rounds):
            for connections, per_s in plan.cells:
                keys = venue.keys[: min(connections, ACCOUNTS)]
                count = max(len(keys), int(per_s * plan.seconds) // len(keys) * len(keys))
                alone_s = venue.run(per_s, count, keys)
                for transport in TRANSPORTS[:: 1 if place % 2 else -1]:
                    row = measure_cell(venue, transport, connections, per_s, alone_s, plan)
                    rows.setdefault((connections, per_s, transport), []).append(row)
    return [
        {
            "connections": connections,
            "orders_per_s": per_s,
            "transport": transport,
            "rounds": len(found),
            **median_of(found),
        }
        for (connections, per_s, transport), found in rows.items()
    ]


def measure_memory(directory: Path, plan: Plan) -> dict[str, Any]:
    """What an open stream takes of the server's memory: a fresh server for each, since what was freed is used again."""
    found: dict[str, Any] = {}
    for transport in TRANSPORTS:
        with (
            Venue(directory / f"memory-{transport}", plan.memory) as venue,
            Herd(venue.port, transport, venue.keys, directory) as herd,
        ):
            few = plan.memory // 10
            herd.open(few)
            before = venue.resident_kib()
            herd.open(plan.memory - few)
            idle = venue.resident_kib()
            herd.ask("forget")
            venue.run(20, ACCOUNTS)
            report = herd.ask("wait", received=venue.events_each * plan.memory, seconds=WAIT_S)
            each = plan.memory - few
            found[transport] = {
                "connections": plan.memory,
                "idle_kib": round((idle - before) / each, 1),
                "used_kib": round((venue.resident_kib() - before) / each, 1),
                "received": report["received"],
            }
    return found
