"""What the listeners to events cost: processor time an order, for each of them and for all together.

`python -m bench.listeners [--quick]` makes a market of orders with the engine, then gives each of the server's listeners the
same events in runs of 1,000 commands and of one, while nobody watches: in their forms with the compiled core, and in plain
Python. Every listener gets runs of its own, so each pays for what it asks of them. Rounds are interleaved; a figure is its
rounds' median.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

import msgspec

from bench.projections import FIRST_TS, PREPARATION, requests
from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import KIND_OFFSET, encode_command, sequence
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.exchange.applier import Applier
from onseju.exchange.watch import PhaseWatch
from onseju.journal.port import Journal
from onseju.kis.simulator import KisSimulator, SimulatorSettings
from onseju.kis.source import MarketSource
from onseju.listeners import PLAIN, Forms, best
from onseju.market.market import Market
from onseju.matching import engines
from onseju.matching.engine import SEMANTICS_VERSION
from onseju.metrics.recorder import Recorder
from onseju.push.ring import AccountRing
from onseju.story.landmarks import Landmarks

RESULT = Path("build/bench/listeners.json")
RING_EVENTS = 200_000
SIZES = (1_000, 1)
ORDER = ("watch", "market", "kis", "queues", "landmarks", "ring", "recorder")

Listen = Callable[[Sequence[EventBlock]], None]


class Plan(msgspec.Struct, frozen=True):
    """How many orders come before the measured ones, how many are measured by size of run, and rounds of how many."""

    before: int
    measured: dict[int, int]
    rounds: int


FULL = Plan(40_000, {1_000: 5_000, 1: 500}, 7)
QUICK = Plan(1_000, {1_000: 1_000, 1: 50}, 1)


class _NoJournal:
    """The listeners read no log here."""

    journal_id = "benchmark"


def listeners(forms: Forms) -> dict[str, Listen]:
    """The server's listeners, fresh, in the order in which they are called."""
    market = Market("benchmark", forms.digester)
    source = MarketSource(market, forms.digester)
    KisSimulator(source, SimulatorSettings())
    ring = AccountRing(
        cast("Journal", _NoJournal()), market.directory.symbol_of, RING_EVENTS, core=forms.account_chains
    )
    found: dict[str, Any] = {
        "watch": PhaseWatch(),
        "market": market,
        "kis": source,
        "queues": forms.queues(),
        "landmarks": Landmarks(),
        "ring": ring,
        "recorder": Recorder(),
    }
    return {name: found[name].listen for name in ORDER}


def blocks_of(count: int) -> list[EventBlock]:
    """The events of the venue's beginning and `count` orders."""
    applier = Applier(engines.make(engines.choose(None).name))
    numbered = enumerate(requests(count), 1)
    blocks: list[EventBlock] = []
    while part := list(islice(numbered, 1_000)):
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
        assert all(record.command[KIND_OFFSET] for record in records)
        blocks += applier.apply(CommandRun.of(records))
    return blocks


def runs_in(blocks: Sequence[EventBlock], size: int) -> list[EventRun]:
    """Runs of `size` commands that hold no blocks yet, as the exchange gives them."""
    found: list[EventRun] = []
    for start in range(0, len(blocks), size):
        made = EventRun.of(blocks[start : start + size])
        made._blocks = None
        found.append(made)
    return found


def measure(blocks: list[EventBlock], plan: Plan, forms: dict[str, Forms]) -> list[dict[str, Any]]:
    """Microseconds of processor time an order, by form, size of run and listener."""
    heard = {form: listeners(how) for form, how in forms.items()}
    first = PREPARATION + plan.before
    for run in runs_in(blocks[:first], 1_000):
        for of_form in heard.values():
            for listen in of_form.values():
                listen(run)
    spent: dict[tuple[str, int, str], list[float]] = {}
    at = first
    for _ in range(plan.rounds):
        for size in SIZES:
            part = blocks[at : at + plan.measured[size]]
            at += len(part)
            for form, of_form in heard.items():
                for name, listen in of_form.items():
                    runs = runs_in(part, size)
                    began = time.thread_time()
                    for run in runs:
                        listen(run)
                    took = (time.thread_time() - began) / len(part) * 1e6
                    spent.setdefault((form, size, name), []).append(took)
    figures = []
    for form in forms:
        for size in SIZES:
            rounds = [spent[form, size, name] for name in ORDER]
            by_listener = {name: round(statistics.median(spent[form, size, name]), 3) for name in ORDER}
            together = round(statistics.median(map(sum, zip(*rounds, strict=True))), 3)
            figures.append(
                {"form": form, "commands_a_run": size, "us_an_order": by_listener, "all_us_an_order": together}
            )
    return figures


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    figures = result["figures"]
    lines = [
        f"{'µs an order, in runs of':>24}" + "".join(f"{row['commands_a_run']:>8,} {row['form']}" for row in figures)
    ]
    for name in ORDER:
        lines.append(f"{name:>24}" + "".join(f"{row['us_an_order'][name]:>14.2f}" for row in figures))
    lines.append(f"{'all':>24}" + "".join(f"{row['all_us_an_order']:>14.2f}" for row in figures))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="Processor time of the listeners to events, an order.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: whether it works, not how fast")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else FULL
    blocks = blocks_of(plan.before + sum(plan.measured.values()) * plan.rounds)
    events = sum(block.event_count for block in blocks[PREPARATION:]) / (len(blocks) - PREPARATION)
    forms = {"core": best(), "plain": PLAIN} if best() is not PLAIN else {"plain": PLAIN}
    result = {
        "name": "listeners",
        "quick": chosen.quick,
        "machine": {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()},
        "rounds": plan.rounds,
        "orders_before": plan.before,
        "events_an_order": round(events, 2),
        "figures": measure(blocks, plan, forms),
    }
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(result))
    return result


if __name__ == "__main__":
    main()
