"""`python -m bench.streams [--quick] [--only PART] [--report]`: SSE against WebSocket, and docs/sse-vs-websocket.md from the figures.

The parts: `scale` (connections and rates), `memory`, `slow` (streams that stop reading), `proxied` (behind nginx), `tabs`
(seven tabs of a real Chromium). The last two are skipped, with the reason, where nginx or Chromium is missing. Figures go to
build/bench/streams.json, part by part; `--quick` checks that all of it works and leaves the page alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.http_orders import machine
from bench.streams import proxied, report, scale, slow, tabs

RESULT = Path("build/bench/streams.json")
Part = Callable[[Path, bool], Any]
PARTS: dict[str, Part] = {
    "scale": lambda directory, quick: scale.measure_scale(directory, scale.QUICK if quick else scale.FULL),
    "memory": lambda directory, quick: scale.measure_memory(directory, scale.QUICK if quick else scale.FULL),
    "slow": lambda directory, quick: slow.measure_slow(directory, slow.QUICK if quick else slow.FULL),
    "proxied": lambda directory, quick: proxied.measure_proxied(directory, proxied.QUICK if quick else proxied.FULL),
    "tabs": lambda directory, quick: tabs.measure_tabs(directory, tabs.QUICK if quick else tabs.FULL),
}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the tables, write the JSON and the page."""
    parser = argparse.ArgumentParser(description="SSE against WebSocket for account events.")
    parser.add_argument("--quick", action="store_true", help="a minute: whether it works, not how fast")
    parser.add_argument("--only", choices=tuple(PARTS), action="append", help="this part; the others' figures stay")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the page")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    result: dict[str, Any] = {"name": "streams", "quick": chosen.quick, "machine": machine()}
    if (chosen.only or chosen.report) and chosen.output.exists():
        result = {**json.loads(chosen.output.read_text("utf-8")), "machine": machine()}
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    for name in () if chosen.report else chosen.only or tuple(PARTS):
        with tempfile.TemporaryDirectory(prefix="onseju-bench-") as directory:
            result[name] = PARTS[name](Path(directory), chosen.quick)
        result["quick"] = chosen.quick
        chosen.output.write_text(json.dumps(result, indent=2) + "\n")
        print(f"== {name}\n{report.TABLES[name](result[name])}\n")
    if not result["quick"]:
        print(f"written: {report.write(result)}")
    return result
