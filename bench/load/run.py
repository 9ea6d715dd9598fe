"""The exchange under load: every way to enter orders up to its maximum, and beside what one would run instead.

`python -m bench.load [--quick] [--seconds 60] [--ways http websocket …] [--without-peers]` starts servers of its own (one
process, fsync, event log, the streams' ring and projections on, no bots, 200 accounts) and a load process. For each way:

1. closed loop, with the simple flow and with the realistic one (`bench.load.flow`): the maximum, and a profile there.
2. open loop on a timetable (no coordinated omission) at 50, 80 and 95 % of it, each on a fresh server; at half of it until
   the fill on SSE, too. Meanwhile and afterwards: how far the tables are behind, and how long they need to catch up.

Then the rate that the tables sustain, and the same requests to servers that do a part of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.httpload import machine
from bench.load import measure
from bench.load.generator import WAYS, Generator
from bench.load.show import told

RESULT = Path("build/bench/load.json")
BYTES_A_COMMAND = 900
"""What journal and event log take, more or less."""


def every_way(
    opening: measure.Opening, plan: measure.Plan, names: Sequence[str], directory: Path
) -> dict[str, dict[str, Any]]:
    """The ways, one after the other."""
    ways: dict[str, dict[str, Any]] = {}
    for name in names:
        way = measure.way_of(name, plan)
        with Generator() as generator:
            row = ways[name] = {"label": way.label, "connections": way.connections, "batch": way.batch}
            row |= measure.maximum(opening, generator, way, plan, directory)
            most = row["mixed"]["per_s"]
            print(f"  {way.label}: {row['simple']['per_s']:,} and {most:,} commands/s", flush=True)
            row["steps"] = []
            for share in measure.SHARES:
                wanted = plan.seconds * most * share * BYTES_A_COMMAND
                if wanted > shutil.disk_usage(directory).free / 2:
                    row["steps"].append({"share": share, "missing": f"needs {wanted / 1e9:.0f} GB of disk"})
                    continue
                row["steps"].append(measure.step(opening, generator, way, plan, most * share, share))
    return ways


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description="Every way to enter orders, under load.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: whether it works, not how fast")
    parser.add_argument("--seconds", type=float, help="of each open loop (60)")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    parser.add_argument("--without-peers", action="store_true", help="install and compare nothing")
    parser.add_argument("--without-sustain", action="store_true", help="do not look for the tables' rate")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    plan = measure.QUICK if chosen.quick else measure.FULL
    if chosen.seconds:
        plan = msgspec.structs.replace(plan, seconds=chosen.seconds)
    began = time.perf_counter()
    load_average = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory(prefix="onseju-bench-") as name:
        directory = Path(name)
        opening = measure.Opening(directory, plan)
        alone = measure.generator_alone(plan, chosen.ways, opening.symbols)
        ways = every_way(opening, plan, chosen.ways, directory)
        steady: list[dict[str, Any]] = []
        if not chosen.without_sustain:
            fastest = max(ways, key=lambda one: float(ways[one]["mixed"]["per_s"]))
            with Generator() as generator:
                way = measure.way_of(fastest, plan)
                steady = measure.sustained(opening, generator, plan, way, ways[fastest]["mixed"]["per_s"])
        beside = None if chosen.without_peers else measure.beside(opening, plan)
    result: dict[str, Any] = {
        "name": "load",
        "quick": chosen.quick,
        "machine": {**machine(), "load": load_average},
        "seconds": plan.seconds,
        "accounts": plan.accounts,
        "alone": alone,
        "ways": ways,
        "sustained": steady,
        "beside": beside,
        "minutes": round((time.perf_counter() - began) / 60, 1),
    }
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print(told(result))
    return result
