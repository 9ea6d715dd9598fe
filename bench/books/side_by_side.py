"""Order books side by side: install the peers, make the workloads, measure all in turn, write build/bench/books.json.

Rounds go over all engines before the next begins, so that a busy minute of the machine meets all; figures are medians. A
slow engine gets only as many of a workload's commands as take it about a second, and the page says how many.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.books import peers
from bench.books.peers import BUILD, ROOT, Engine, FailedError

RESULT = ROOT / "build/bench/books.json"
WORKLOADS = ("base", "deep", "multi")
STAGES = ("compare", "sweep", "memory")
COUNTS = (1_000, 2_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
"""How many commands an engine may get: the generator tells what is right after each of them."""

PROBES = (1_000, 30_000)
"""How many it gets first, to see how quick it is."""

DEPTHS = (1_000, 10_000, 100_000, 1_000_000)
SYMBOLS = (1, 10, 100, 1_000, 10_000)
SWEPT = ("onseju", "onseju-ahead", "onseju-any-price", "native-1024", "exchange-core", "matchcore")
SECONDS_A_PASS = 1.0
PATIENCE_S = 120


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    commands: int
    rounds: int
    sweep_commands: int
    sweep_rounds: int
    churn: int
    ids: int


FULL = Plan(commands=1_000_000, rounds=5, sweep_commands=300_000, sweep_rounds=3, churn=100_000_000, ids=4_000_000)
QUICK = Plan(commands=2_000, rounds=1, sweep_commands=0, sweep_rounds=0, churn=20_000, ids=20_000)


def generate(binary: Path, directory: Path, name: str, commands: int) -> Path:
    """A workload's file, made anew."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.bin"
    peers.run(binary, "generate", path, name, str(commands))
    return path


def measure(engine: Engine, path: Path, count: int) -> dict[str, Any]:
    """One engine on one workload. Raises `FailedError`."""
    said = peers.run(*engine.command, path, str(count), timeout=PATIENCE_S, env=peers.environment())
    try:
        figures: dict[str, Any] = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        raise FailedError(f"said {said[-200:]!r}") from None
    return figures


def what_is_wrong(figures: dict[str, Any], path: Path) -> str:
    """What an engine's trades differ in from those of the model; nothing where they do not. What it does not tell is let
    pass, but the volume has to be told."""
    right = json.loads(path.with_suffix(".json").read_text("utf-8"))["after"][str(figures["commands"])]
    for name in ("trades", "volume", "hash"):
        given = figures[name]
        if given is None and name != "volume":
            continue
        if given != right[name]:
            shown = f"{given:,} instead of {right[name]:,}" if name != "hash" else "another order of makers"
            return f"{name}: {shown}"
    return "" if figures["is_same"] else "other trades in another pass"


def count_for(engine: Engine, path: Path, most: int) -> int:
    """How many commands of a workload an engine gets. Raises `FailedError` where it manages not even the fewest."""
    affordable = 0.0
    for count in PROBES:
        if count <= most:
            seconds = max(measure(engine, path, count)["seconds"], 1e-9)
            affordable = count * SECONDS_A_PASS / seconds
            if seconds > 0.05:
                break
    fitting = [count for count in COUNTS if count <= min(most, affordable * 1.3)]
    return fitting[-1] if fitting else COUNTS[0]


def medians(rounds: list[dict[str, Any]], path: Path) -> dict[str, Any]:
    """The figures of several rounds as one."""
    merged = {
        name: statistics.median(figures[name] for figures in rounds)
        for name, value in rounds[0].items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    rates = sorted(figures["commands"] / figures["seconds"] for figures in rounds)
    wrong = next(filter(None, (what_is_wrong(figures, path) for figures in rounds)), "")
    return {
        **merged,
        "hash": rounds[0]["hash"],
        "rate": statistics.median(rates),
        "lowest": rates[0],
        "highest": rates[-1],
        "wrong": wrong,
    }


def compare(
    engines: list[Engine], paths: dict[str, Path], most: int, rounds: int, *, probe: bool = True
) -> dict[str, dict[str, Any]]:
    """All engines on all workloads, in turn. Gives by workload and engine the figures, or the error."""
    results: dict[str, dict[str, Any]] = {name: {} for name in paths}
    counts: dict[tuple[str, str], int] = {}
    taken: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for name, path in paths.items():
        for engine in engines:
            if engine.missing:
                results[name][engine.name] = {"error": engine.missing}
                continue
            try:
                counts[name, engine.name] = count_for(engine, path, most) if probe else most
            except FailedError as error:
                results[name][engine.name] = {"error": str(error)}
    for number in range(rounds):
        for name, path in paths.items():
            for engine in engines:
                key = name, engine.name
                if key not in counts:
                    continue
                try:
                    taken.setdefault(key, []).append(measure(engine, path, counts[key]))
                except FailedError as error:
                    results[name][engine.name] = {"error": str(error)}
                    del counts[key]
        print(f"  round {number + 1} of {rounds}", flush=True)
    for (name, engine_name), figures in taken.items():
        results[name].setdefault(engine_name, medians(figures, paths[name]))
    return results


def churned(binary: Path, orders: int) -> dict[str, Any]:
    """Memory while orders come and go: the bare book and the whole exchange."""
    book = json.loads(peers.run(binary, "churn", str(orders)))
    exchange = json.loads(
        peers.run(sys.executable, "-m", "bench.books.ours", "churn", str(orders), env=peers.environment())
    )
    return {"book": book, "exchange": exchange}


def ids(orders: int) -> dict[str, Any]:
    """What kept client ids take."""
    told: dict[str, Any] = json.loads(
        peers.run(sys.executable, "-m", "bench.books.ours", "ids", str(orders), env=peers.environment())
    )
    return told


def machine() -> dict[str, Any]:
    """Where the figures come from, and how busy it was."""
    return {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def table(results: dict[str, dict[str, Any]]) -> str:
    """The rates in a few lines, for the terminal."""
    lines = []
    for name in next(iter(results.values())):
        cells = []
        for figures in (of_workload.get(name, {"error": "-"}) for of_workload in results.values()):
            cells.append(
                "failed" if "error" in figures else f"{figures['rate'] / 1e6:.3f}{'!' * bool(figures['wrong'])}"
            )
        lines.append(f"{name:24} " + " ".join(f"{cell:>9}" for cell in cells))
    return "\n".join([f"{'M commands/s':24} " + " ".join(f"{name:>9}" for name in results), *lines])


def sweep(engines: list[Engine], binary: Path, work: Path, plan: Plan) -> dict[str, Any]:
    """Cost against the number of resting orders and of instruments, for some engines."""
    swept = [engine for engine in engines if engine.name in SWEPT]
    given: dict[str, Any] = {}
    for title, prefix, sizes in (("depth", "resting", DEPTHS), ("symbols", "symbols", SYMBOLS)):
        print(f"cost against {title} …", flush=True)
        paths = {str(size): generate(binary, work, f"{prefix}-{size}", plan.sweep_commands) for size in sizes}
        given[title] = compare(swept, paths, plan.sweep_commands, plan.sweep_rounds, probe=False)
        print(table(given[title]), flush=True)
    return given


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="Order books side by side.")
    parser.add_argument("--quick", action="store_true", help="whether it works, with our own engines only")
    parser.add_argument("--rounds", type=int, help="how often all engines are measured (5)")
    parser.add_argument("--only", nargs="+", metavar="ENGINE", help="these engines alone; nothing is written")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, help="the rest stays as it was measured")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else FULL
    result: dict[str, Any] = {}
    if chosen.output.exists() and set(chosen.stages) != set(STAGES):
        result = json.loads(chosen.output.read_text("utf-8"))
    began = machine()
    print("building and installing …", flush=True)
    binary = peers.OWN if chosen.quick else peers.RUST
    engines = peers.ours(binary)
    if chosen.quick:
        peers.build_own()
    else:
        engines += [*peers.crates(), *peers.java(), *peers.pypi()]
    if chosen.only:
        engines = [engine for engine in engines if engine.name in chosen.only]
    for engine in engines:
        if engine.missing:
            print(f"  {engine.name} is missing: {engine.missing}")
    work = BUILD / ("quick" if chosen.quick else "work")

    def keep(**more: Any) -> None:
        result.update(name="books", quick=chosen.quick, machine=began, **more)
        if not chosen.only:
            chosen.output.parent.mkdir(parents=True, exist_ok=True)
            chosen.output.write_text(json.dumps(result, indent=2) + "\n")

    if "compare" in chosen.stages:
        rounds = chosen.rounds or plan.rounds
        paths = {name: generate(binary, work, name, plan.commands) for name in WORKLOADS}
        results = compare(engines, paths, plan.commands, rounds)
        print(table(results), flush=True)
        named = {e.name: {"label": e.label, "language": e.language, "is_ours": e.is_ours} for e in engines}
        keep(rounds=rounds, engines=named, results=results)
    if "sweep" in chosen.stages and plan.sweep_commands:
        keep(**sweep(engines, binary, work, plan))
    if "memory" in chosen.stages and not chosen.only:
        print("orders that come and go …", flush=True)
        keep(churn=churned(binary, plan.churn), ids=ids(plan.ids))
    return result
