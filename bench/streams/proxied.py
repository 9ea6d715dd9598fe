"""Behind nginx with Debian's default settings: what gets through, how much later, and how many streams there may be.

The default sites pass HTTP/1.0 on and drop `Upgrade`, so a WebSocket needs lines of the host's own. Measured: both
transports straight and through nginx, by turns; a silence longer than nginx's `proxy_read_timeout` (60 s); and more streams
than `worker_connections` leaves room for.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from bench.streamload import Herd, Transport
from bench.streams import nginx
from bench.streams.figures import median_of
from bench.streams.scale import WAIT_S
from bench.streams.venue import ACCOUNTS, Venue


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    connections: int
    orders: int
    per_s: float
    rounds: int
    silence_s: float
    many: int


FULL = Plan(connections=100, orders=100, per_s=25, rounds=3, silence_s=65, many=1200)
QUICK = Plan(connections=10, orders=10, per_s=20, rounds=1, silence_s=0, many=0)

Way = tuple[str, str, Transport]
WAYS: tuple[Way, ...] = (
    ("straight", "", "sse"),
    ("nginx as it is", nginx.PLAIN, "sse"),
    ("nginx as it is", nginx.PLAIN, "websocket"),
    ("straight", "", "websocket"),
    ("nginx with Upgrade", nginx.FULL, "websocket"),
    ("nginx with Upgrade", nginx.FULL, "sse"),
)


def measure_way(venue: Venue, port: int, transport: Transport, plan: Plan) -> dict[str, Any]:
    """One round on one way."""
    with Herd(port, transport, venue.keys, venue.directory) as herd:
        opened = herd.ask("open", count=plan.connections)["open"]
        herd.ask("forget")
        if not opened:
            return {"opened": 0, "latency_ms": {}, "lost": 0, "doubled": 0, "back_s": None}
        venue.run(plan.per_s, plan.orders, port=port)
        wanted = plan.orders * venue.events_each * plan.connections // ACCOUNTS
        herd.ask("wait", received=wanted, seconds=WAIT_S)
        live = herd.ask("report", stamps=str(venue.stamps))
        herd.ask("drop")
        venue.run(100, ACCOUNTS, port=port)
        herd.ask("forget")
        missed = venue.events_each * plan.connections
        storm = herd.storm(received=missed, seconds=WAIT_S)
        back = herd.ask("report")
    return {
        "opened": opened,
        "latency_ms": live["latency_ms"],
        "lost": wanted - live["received"] + missed - back["received"] + live["gaps"] + back["gaps"],
        "doubled": live["doubled"] + back["doubled"],
        "back_s": storm["caught_up_s"],
    }


def measure_silence(venue: Venue, ports: dict[str, int], plan: Plan) -> dict[str, Any]:
    """What is left of the streams when nothing happened for longer than nginx waits by default."""
    found = {}
    herds = []
    for name, transport, port in (
        ("SSE", "sse", ports[nginx.PLAIN]),
        ("WebSocket", "websocket", ports[nginx.FULL]),
    ):
        kind: Transport = "sse" if transport == "sse" else "websocket"
        herd = Herd(port, kind, venue.keys, venue.directory)
        herds.append((name, herd))
        herd.open(ACCOUNTS)
        herd.ask("forget")
    time.sleep(plan.silence_s)
    venue.run(50, ACCOUNTS)
    for name, herd in herds:
        wanted = venue.events_each * ACCOUNTS
        report = herd.ask("wait", received=wanted, seconds=10)
        found[name] = {"cut": report["lost"], "missing": wanted - report["received"]}
        herd.close()
    return found


def measure_many(venue: Venue, ports: dict[str, int], plan: Plan) -> dict[str, Any]:
    """How many of many streams get through: each takes two of a worker's connections."""
    found = {}
    for name, site, transport in (WAYS[1], WAYS[4]):
        with Herd(ports[site], transport, venue.keys, venue.directory) as herd:
            found[f"{name}, {transport}"] = herd.ask("open", count=plan.many, once=True)["open"]
    return found


def measure_proxied(directory: Path, plan: Plan) -> dict[str, Any]:
    """All of it; or a reason why there is nothing."""
    if nginx.executable() is None:
        return {"skipped": "nginx is missing (on Debian and Ubuntu: apt-get install nginx)"}
    rows: dict[str, list[dict[str, Any]]] = {}
    with (
        Venue(directory / "proxied", max(plan.connections, plan.many)) as venue,
        nginx.Nginx(directory / "nginx-plain", venue.port) as plain,
        nginx.Nginx(directory / "nginx-full", venue.port, nginx.FULL) as full,
    ):
        ports = {"": venue.port, nginx.PLAIN: plain.port, nginx.FULL: full.port}
        for _ in range(plan.rounds):
            for name, site, transport in WAYS:
                rows.setdefault(f"{name}, {transport}", []).append(measure_way(venue, ports[site], transport, plan))
        silence = measure_silence(venue, ports, plan) if plan.silence_s else {}
        many = measure_many(venue, ports, plan) if plan.many else {}
    return {
        "nginx": nginx.version(),
        "connections": plan.connections,
        "ways": {name: median_of(found) for name, found in rows.items()},
        "silence_s": plan.silence_s,
        "silence": silence,
        "asked": plan.many,
        "many": many,
    }
