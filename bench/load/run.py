"""The exchange under load: every way to enter orders up to its maximum, and beside what one would run instead.

`python -m bench.load [--quick] [--seconds 60] [--ways http websocket …] [--without-peers] [--against DIR]` starts servers of its own (one
process, fsync, event log, the streams' ring and projections on, no bots, 200 accounts) and a load process. For each way:

1. closed loop, with the simple flow and with the realistic one (`bench.load.flow`): the maximum, and a profile there.
2. open loop on a timetable (no coordinated omission) at 50, 80 and 95 % of it, each on a fresh server; at half of it until
   the fill on SSE, too. Meanwhile and afterwards: how far the tables are behind, and how long they need to catch up.

Then the rate that the tables sustain, and the same requests to servers that do a part of it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.httpload import Server, machine
from bench.load import measure
from bench.load.generator import WAYS, Generator
from bench.load.show import table

RESULT = Path("build/bench/load.json")
BYTES_A_COMMAND = 900
"""What journal and event log take, more or less."""


def every_way(opening: measure.Opening, plan: measure.Plan, names: Sequence[str], directory: Path) -> dict[str, Any]:
    """The ways, one after the other, and the rate that the tables sustain. A fresh server for each part; a small plan has
    one for all."""
    ways: dict[str, dict[str, Any]] = {}
    steady: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        generator = stack.enter_context(Generator())
        only = stack.enter_context(opening.server()) if plan.small else None

        def server() -> contextlib.AbstractContextManager[Server]:
            return opening.server() if only is None else contextlib.nullcontext(only)

        for name in names:
            way = measure.way_of(name, plan)
            row = ways[name] = {"label": way.label, "connections": way.connections, "batch": way.batch}
            with server() as one:
                row |= measure.maximum(one, opening, generator, way, plan)
            most = row["mixed"]["per_s"]
            print(f"  {way.label}: {row['simple']['per_s']:,} and {most:,} commands/s", flush=True)
            row["steps"] = []
            for share in plan.shares:
                wanted = plan.seconds * most * share * BYTES_A_COMMAND
                if wanted > shutil.disk_usage(directory).free / 2:
                    row["steps"].append({"share": share, "missing": f"needs {wanted / 1e9:.0f} GB of disk"})
                    continue
                with server() as one:
                    row["steps"].append(measure.step(one, opening, generator, way, plan, most * share, share))
        if plan.ladder:
            fastest = max(ways, key=lambda name: float(ways[name]["mixed"]["per_s"]))
            way, most = measure.way_of(fastest, plan), ways[fastest]["mixed"]["per_s"]
            with server() as one:
                steady = measure.sustained(one, opening, generator, plan, way, most)
    return {"ways": ways, "sustained": steady}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description="Every way to enter orders, under load.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: whether it works, not how fast")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each open loop (60)")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    parser.add_argument("--without-peers", action="store_true", help="install and compare nothing")
    parser.add_argument("--against", type=Path, help="another tree of Onseju, to take turns with at the maximum")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    plan = measure.QUICK if chosen.quick else measure.full(chosen.seconds)
    began = time.perf_counter()
    load_average = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory(prefix="onseju-bench-") as name:
        directory = Path(name)
        opening = measure.Opening(directory, plan)
        alone = measure.generator_alone(plan, chosen.ways, opening.symbols)
        found = every_way(opening, plan, chosen.ways, directory)
        other = None
        if chosen.against:
            (directory / "against").mkdir()
            there = measure.Opening(directory / "against", plan, chosen.against)
            other = measure.against(opening, there, plan, chosen.ways)
        beside = None if chosen.without_peers else measure.beside(opening, plan)
    result: dict[str, Any] = {
        "name": "load",
        "quick": chosen.quick,
        "machine": {**machine(), "load": load_average},
        "seconds": plan.seconds,
        "accounts": plan.accounts,
        "alone": alone,
        **found,
        "against": other,
        "beside": beside,
        "minutes": round((time.perf_counter() - began) / 60, 1),
    }
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(result))
    return result
