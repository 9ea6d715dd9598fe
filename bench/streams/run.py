"""`python -m bench.streams [--quick] [--only PART] [--rounds N] [--connections N] [--report]`: SSE against WebSocket, and docs/sse-vs-websocket.md from the figures.

The parts: `scale` (connections and rates), `memory`, `slow` (streams that stop reading), `proxied` (behind nginx), `tabs`
(seven tabs of a real Chromium). The last two are skipped, with the reason, where nginx or Chromium is missing. Figures go to
build/bench/streams.json, part by part; `--quick` checks that all of it works and leaves the page alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.httpload import machine
from bench.streams import proxied, report, scale, slow, tabs

RESULT = Path("build/bench/streams.json")
PARTS = ("scale", "memory", "slow", "proxied", "tabs")


def measure(name: str, directory: Path, quick: bool, rounds: int | None, connections: Sequence[int]) -> Any:
    """A part's figures."""
    at_scale = scale.QUICK if quick else scale.FULL
    if rounds is not None:
        at_scale = msgspec.structs.replace(at_scale, rounds=rounds)
    if name == "scale":
        at_scale = msgspec.structs.replace(
            at_scale, cells=tuple(cell for cell in at_scale.cells if cell[0] in (connections or (cell[0],)))
        )
        return scale.measure_scale(directory, at_scale)
    if name == "memory":
        return scale.measure_memory(directory, at_scale)
    if name == "slow":
        return slow.measure_slow(directory, slow.QUICK if quick else slow.FULL)
    if name == "proxied":
        return proxied.measure_proxied(directory, proxied.QUICK if quick else proxied.FULL)
    return tabs.measure_tabs(directory, tabs.QUICK if quick else tabs.FULL)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the tables, write the JSON and the page."""
    parser = argparse.ArgumentParser(description="SSE against WebSocket for account events.")
    parser.add_argument("--quick", action="store_true", help="a minute: whether it works, not how fast")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; the others' figures stay")
    parser.add_argument("--rounds", type=int, help=f"rounds of connections and rates (else {scale.FULL.rounds})")
    parser.add_argument("--connections", type=int, action="append", help="of `scale`, only with so many connections")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the page")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    partly = bool(chosen.only or chosen.report)
    result: dict[str, Any] = {}
    for name in () if chosen.report else chosen.only or PARTS:
        with tempfile.TemporaryDirectory(prefix="onseju-bench-") as directory:
            figures = measure(name, Path(directory), chosen.quick, chosen.rounds, chosen.connections or ())
        kept = json.loads(chosen.output.read_text("utf-8")) if partly and chosen.output.exists() else result
        result = {**kept, "name": "streams", "quick": chosen.quick, "machine": machine(), name: figures}
        chosen.output.write_text(json.dumps(result, indent=2) + "\n")
        print(f"== {name}\n{report.TABLES[name](figures)}\n")
    if chosen.report:
        result = json.loads(chosen.output.read_text("utf-8"))
    if not result["quick"]:
        print(f"written: {report.write(result)}")
    return result
