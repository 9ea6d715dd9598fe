"""Streams that stop reading: how the others fare, when they are cut, what they find, and how they catch up.

Twenty of a transport stop reading while their account trades in bursts; twenty good streams of another account go on. Once
the server has cut all of them they read again, find what was kept for them and (on WebSocket) a code, and resume.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec

from bench.streamload import Herd
from bench.streams.scale import TRANSPORTS, WAIT_S
from bench.streams.venue import Venue

BATCH = 1000
NARROW = 4096
"""What the system may buffer of those that stop reading; its own size is megabytes for who has read a lot."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    streams: int
    bursts: int
    stall_s: float
    orders: int
    per_s: float


FULL = Plan(streams=20, bursts=5, stall_s=10, orders=200, per_s=25)
QUICK = Plan(streams=4, bursts=2, stall_s=1, orders=10, per_s=20)


def burst(venue: Venue, key: str) -> None:
    """A thousand orders at once that find nobody. Raises `RuntimeError` where they are refused."""
    order = {"symbol": venue.symbol, "side": "buy", "type": "limit", "qty": 1, "limit_price": venue.price}
    answer = httpx.post(
        venue.server.url + "/v1/orders:batch",
        json={"orders": [order | {"time_in_force": "ioc"}] * BATCH},
        headers={"Authorization": f"Bearer {key}"},
        trust_env=False,
        timeout=WAIT_S,
    )
    if answer.status_code != 200:
        raise RuntimeError(f"a batch was refused: {answer.text}")


def measure_slow(directory: Path, plan: Plan) -> dict[str, Any]:
    """Both transports at once on one server."""
    with ExitStack() as stack:
        venue = stack.enter_context(
            Venue(directory / "slow", 4 * plan.streams, 2, ONSEJU_STREAM_STALL_S=str(plan.stall_s))
        )

        def herds(name: str, key: str, receive_bytes: int = 0) -> dict[str, Herd]:
            folder = directory / name
            folder.mkdir(exist_ok=True)
            made: dict[str, Herd] = {
                kind: stack.enter_context(Herd(venue.port, kind, [key], folder, receive_bytes)) for kind in TRANSPORTS
            }
            for herd in made.values():
                herd.open(plan.streams)
            return made

        good, bad = venue.keys
        others = herds("others", good)
        burst(venue, bad)
        sockets, memory = venue.sockets(), venue.resident_kib()
        slow = herds("slow", bad, NARROW)
        for herd in slow.values():
            herd.ask("forget")
            herd.ask("pause")
        for _ in range(plan.bursts):
            burst(venue, bad)
        for herd in others.values():
            herd.ask("forget")
        venue.run(plan.per_s, plan.orders, [good])
        grown = venue.resident_kib() - memory
        # SSE's are gone when they are cut; a WebSocket's client has a few seconds to read why.
        began = time.monotonic()
        while venue.sockets() > sockets + plan.streams and time.monotonic() - began < plan.stall_s + WAIT_S:
            time.sleep(0.05)
        return {
            "streams": plan.streams,
            "events": plan.bursts * BATCH * venue.events_each,
            "memory_kib": round(grown / (2 * plan.streams), 1),
            "transports": {kind: outcome(venue, others[kind], slow[kind], plan) for kind in reversed(TRANSPORTS)},
        }


def outcome(venue: Venue, others: Herd, slow: Herd, plan: Plan) -> dict[str, Any]:
    """What became of both herds of a transport."""
    slow.ask("go_on")
    left_open = slow.ask("ended", seconds=WAIT_S)["open"]
    kept = slow.ask("report")
    missed = plan.bursts * BATCH * venue.events_each * plan.streams
    storm = slow.storm(received=missed, seconds=WAIT_S)
    back = slow.ask("report")
    wanted = plan.orders * venue.events_each * plan.streams
    others.ask("wait", received=wanted, seconds=WAIT_S)
    report = others.ask("report", stamps=str(venue.stamps))
    return {
        "others_ms": report["latency_ms"],
        "others_missing": wanted - report["received"],
        "left_open": left_open,
        "kept_bytes": round(kept["bytes"] / plan.streams),
        "codes": kept["closes"],
        "caught_up_s": storm["caught_up_s"],
        "lost": missed - back["received"] + back["gaps"],
        "doubled": back["doubled"],
    }
