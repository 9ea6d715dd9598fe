"""How long a start takes after many orders: `python -m bench.restart [--orders 10000000] [--tail 250000] [--quick]`.

It makes a journal of so many commands (a sixth of them cancels), with a snapshot `tail` commands before its end, and starts
from it as `onseju up` does, without the tables: take up the snapshot, replay what came after, compare with the event log,
bring everything in memory to the end. Each start is a process of its own; medians of the rounds. For comparison also a start
without any snapshot, of the first `--whole` commands.

And what a snapshot takes from the exchange: another process writes it, so only that process's start is felt.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from bench.listeners import RING_EVENTS
from bench.projections import FIRST_TS, machine, requests
from onseju.app import take_snapshot
from onseju.bus.inproc import InprocBus
from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import encode_command, sequence
from onseju.contract.journal_records import JournalRecord
from onseju.exchange.applier import Applier
from onseju.exchange.checkpoint import View, follow, restore
from onseju.exchange.exchange import Exchange
from onseju.exchange.watch import PhaseWatch
from onseju.journal import snapshots
from onseju.journal.segments import SegmentJournal
from onseju.kis.source import MarketSource
from onseju.listeners import Listeners, best
from onseju.market.market import Market
from onseju.matching import engines
from onseju.matching.engine import SEMANTICS_VERSION
from onseju.push.ring import AccountRing
from onseju.story.stories import Stories

FIGURES = Path(__file__).parent.parent / "build/bench/restart.json"
AT_ONCE = 1024
MIB = 1 << 20
PAUSE_MIB = 512
PAUSE_ROUNDS = 50


class Plan(msgspec.Struct, frozen=True):
    """How much is measured."""

    orders: int = 10_000_000
    tail: int = 250_000
    whole: int = 1_000_000
    rounds: int = 3


QUICK = Plan(orders=20_000, tail=5_000, whole=20_000, rounds=1)


def fill(directory: Path, count: int) -> float:
    """Write the commands and their events; gives the seconds it took."""
    began = time.perf_counter()
    journal = SegmentJournal.open(directory, fsync=False)
    applier = Applier(engines.make("native"))
    numbered = enumerate(requests(count), 1)
    while part := list(islice(numbered, AT_ONCE)):
        records = [
            JournalRecord(
                venue=1,
                epoch=1,
                semantics=SEMANTICS_VERSION,
                command=sequence(encode_command(request.command), seq, FIRST_TS + seq * 1_000),
                text=request.text,
            )
            for seq, request in part
        ]
        journal.append(records)
        journal.append_events(applier.apply(CommandRun.of(records)))
    journal.close()
    return time.perf_counter() - began


def start(directory: Path) -> dict[str, Any]:
    """One start, in this process. Seconds by step."""
    began, worked = time.perf_counter(), time.process_time()
    journal = SegmentJournal.open(directory)
    opened = time.perf_counter()
    forms = best()
    market = Market(journal.journal_id, forms.digester)
    views: dict[str, View] = {
        "watch": PhaseWatch(),
        "market": market,
        "kis": MarketSource(market, forms.digester),
        "queues": forms.queues(),
        "stories": Stories(journal).landmarks,
        "ring": AccountRing(journal, market.directory.symbol_of, RING_EVENTS, core=forms.account_chains),
    }
    told: list[str] = []
    restored = restore(journal, partial(engines.restore, "native"), views, told.append)
    if told or (restored is not None and restored.behind):
        raise SystemExit(f"a snapshot was not used: {told}")
    taken_up = time.perf_counter()
    bus = InprocBus(10)
    bus.subscribe(Listeners(*[view.listen for view in views.values()]).listen)
    exchange = Exchange(engines.make("native"), journal, bus, venue=1)
    follow(journal, [], 0)
    exchange.recover(restored=restored)
    done = time.perf_counter()
    commands = exchange.head_seq - (restored.place.seq if restored is not None else 0)
    journal.close()
    return {
        "open_s": opened - began,
        "take_up_s": taken_up - opened,
        "replay_s": done - taken_up,
        "all_s": done - began,
        "processor_s": time.process_time() - worked,
        "commands": exchange.head_seq,
        "replayed": commands,
        "replayed_per_s": round(commands / (done - taken_up)) if commands else 0,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def in_a_process(directory: Path) -> dict[str, Any]:
    """A start in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.restart", "--start", str(directory)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def snapshot_pauses(rounds: int) -> dict[str, Any]:
    """What a snapshot takes from the exchange: its event loop starts a process, and nothing else runs on it meanwhile.

    Milliseconds, in a process with `PAUSE_MIB` of memory in use: processor time of the loop's thread, and on the clock, where
    the least says most when other programs take the processors.
    """
    ballast = bytearray(os.urandom(1) * (PAUSE_MIB * MIB))
    worked: list[float] = []
    passed: list[float] = []

    async def begin_processes() -> None:
        for _ in range(rounds):
            began, began_s = time.thread_time(), time.perf_counter()
            process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "")
            worked.append((time.thread_time() - began) * 1000)
            passed.append((time.perf_counter() - began_s) * 1000)
            await process.wait()

    asyncio.run(begin_processes())
    return {
        "rounds": rounds,
        "memory_mib": len(ballast) // MIB,
        "processor_median_ms": round(statistics.median(worked), 2),
        "processor_worst_ms": round(max(worked), 2),
        "clock_least_ms": round(min(passed), 2),
        "clock_median_ms": round(statistics.median(passed), 2),
    }


def medians(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure."""
    return {name: round(statistics.median(each[name] for each in rounds), 3) for name in rounds[0]}


def measure(plan: Plan, where: Path) -> dict[str, Any]:
    """Everything. Interleaved: a start with the snapshot, a start without, and again."""
    with_snapshot, without = where / "long", where / "whole"
    print(f"writing {plan.orders:,} commands …", flush=True)
    filled_s = fill(with_snapshot, plan.orders)
    fill(without, plan.whole)
    journal = SegmentJournal.open_for_reading(with_snapshot)
    last, journal_bytes = journal.last_seq, sum(path.stat().st_size for path in with_snapshot.glob("*/*.log"))
    print(f"{filled_s:,.0f} s, {journal_bytes / MIB:,.0f} MiB; taking the snapshot …", flush=True)
    began = time.perf_counter()
    at = take_snapshot(with_snapshot, "native", last - plan.tail, lambda _done, _all: None)
    snapshot_s = time.perf_counter() - began
    (path,) = snapshots.paths(with_snapshot / "snapshots")
    size = path.stat().st_size
    print(f"at {at:,}: {snapshot_s:,.0f} s, {size / MIB:,.1f} MiB; starting …", flush=True)
    rounds: dict[str, list[dict[str, Any]]] = {"with": [], "without": []}
    for _ in range(plan.rounds):
        rounds["with"].append(in_a_process(with_snapshot))
        rounds["without"].append(in_a_process(without))
    return {
        "quick": plan == QUICK,
        "plan": msgspec.structs.asdict(plan),
        "journal_mib": round(journal_bytes / MIB),
        "snapshot_mib": round(size / MIB, 1),
        "snapshot_from_nothing_s": round(snapshot_s, 1),
        "with_snapshot": medians(rounds["with"]),
        "without_snapshot": medians(rounds["without"]),
        "pause": snapshot_pauses(PAUSE_ROUNDS),
        "load": round(os.getloadavg()[0], 1),
        "machine": machine(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and keep the figures in build/bench/restart.json."""
    parser = argparse.ArgumentParser(description="How long a start takes after many orders.")
    parser.add_argument("--orders", type=int, default=Plan().orders)
    parser.add_argument("--tail", type=int, default=Plan().tail, help="commands after the snapshot")
    parser.add_argument("--whole", type=int, default=Plan().whole, help="commands of the start without a snapshot")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it works")
    parser.add_argument("--pause", action="store_true", help="measure only what a snapshot takes from the exchange")
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.start is not None:
        print(json.dumps(start(chosen.start)))
        return
    if chosen.pause:
        print(json.dumps(snapshot_pauses(PAUSE_ROUNDS), indent=2))
        return
    plan = QUICK if chosen.quick else Plan(orders=chosen.orders, tail=chosen.tail, whole=chosen.whole)
    where = Path(tempfile.mkdtemp(prefix="onseju-restart-"))
    try:
        figures = measure(plan, where)
    finally:
        shutil.rmtree(where)
    print(json.dumps(figures, indent=2))
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
