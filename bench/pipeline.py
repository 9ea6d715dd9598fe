"""Where the time of a command goes inside the exchange: `python -m bench.pipeline [--quick]`.

One process, no network, a journal with fsync, the native engine, nobody listening. Batches of 1,000 orders go in as records, a
sell and a buy of one share at one price by turns over ten instruments; then single orders. Stated is processor time of all
threads. Then each stage alone, on the same commands, by the processor time of its thread; with the compiled core and without
it, in interleaved rounds; medians.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.httpload import machine
from onseju.bus.inproc import InprocBus
from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import (
    COMMAND_BYTES,
    ChangePhase,
    Command,
    DepositCash,
    DepositShares,
    EncodedCommand,
    EncodedRequest,
    ListInstrument,
    NewOrder,
    OpenAccount,
    OpenVenue,
    encode_command,
)
from onseju.contract.ids import hash128
from onseju.contract.journal_records import FIRST_CHAIN
from onseju.contract.words import OrderType, Phase, Side
from onseju.exchange import annotations, applier, numbering
from onseju.exchange.applier import Applier
from onseju.exchange.exchange import Exchange
from onseju.journal import runs
from onseju.journal.segments import SegmentJournal
from onseju.matching import engines
from onseju.matching.compiled import CORE

RESULT = Path("build/bench/pipeline.json")
DAY, PRICE, INSTRUMENTS = 20261123, 70_000, 10
USERS = (numbering, applier, annotations, runs)
"""The modules that use the compiled core."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    rounds: int
    batches: int
    batch: int
    singles: int


FULL = Plan(rounds=7, batches=30, batch=1000, singles=1000)
QUICK = Plan(rounds=1, batches=2, batch=100, singles=20)

Figures = dict[str, list[float]]


def opening() -> list[bytes]:
    """What makes a venue with ten instruments and two rich accounts, trading."""
    commands: list[Command] = [OpenVenue(trading_day=DAY)]
    commands += [ListInstrument(symbol=b"%06d" % number, base_price=PRICE) for number in range(1, INSTRUMENTS + 1)]
    for account in (1, 2):
        commands += [
            OpenAccount(account=account, owner=hash128(bytes([account]))),
            DepositCash(account=account, amount=10**15),
        ]
        commands += [DepositShares(account=account, instrument=n, qty=10**9) for n in range(1, INSTRUMENTS + 1)]
    commands.append(ChangePhase(trading_day=DAY, phase=Phase.CONTINUOUS))
    return [encode_command(command) for command in commands]


def orders(count: int, side: Side) -> bytes:
    """Orders of one side, as records."""
    account = 1 if side == Side.SELL else 2
    fields = {"account": account, "qty": 1, "limit_price": PRICE, "side": side, "order_type": OrderType.LIMIT}
    one = [encode_command(NewOrder(instrument=number, **fields)) for number in range(1, INSTRUMENTS + 1)]
    return b"".join(one[place % INSTRUMENTS] for place in range(count))


async def whole(plan: Plan) -> dict[str, float]:
    """The whole way, in microseconds of processor time for a command."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="onseju-bench-") as directory:
        journal = SegmentJournal.open(Path(directory))
        bus = InprocBus(10 * plan.batch + 1000)
        exchange = Exchange(engines.make("native"), journal, bus, venue=1)
        exchange.recover()
        task = asyncio.create_task(exchange.run())
        await asyncio.sleep(0)
        await bus.request_records(b"".join(opening()))
        sides = (orders(plan.batch, Side.SELL), orders(plan.batch, Side.BUY))

        async def timed(name: str, count: int, work: Callable[[], Awaitable[object]]) -> None:
            began = time.process_time()
            await work()
            found[name] = (time.process_time() - began) / count * 1e6

        async def batches() -> None:
            for _ in range(plan.batches):
                for records in sides:
                    await bus.request_records(records)

        async def singles() -> None:
            requests = [EncodedRequest(EncodedCommand(records[:COMMAND_BYTES])) for records in sides]
            for _ in range(plan.singles // 2):
                for request in requests:
                    await bus.request([request])

        async def many() -> None:
            await asyncio.gather(*[singles() for _ in range(32)])

        await timed("batches", 2 * plan.batches * plan.batch, batches)
        await timed("singles, one after another", plan.singles, singles)
        await timed("singles, 32 at once", 32 * plan.singles, many)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        head_seq = exchange.head_seq
        journal.close()
        began = time.process_time()
        journal = SegmentJournal.open(Path(directory))
        replaying = Exchange(engines.make("native"), journal, InprocBus(10), venue=1)
        replaying.recover()
        found["replay"] = (time.process_time() - began) / head_seq * 1e6
        journal.close()
    return found


def stages(plan: Plan, found: Figures) -> None:
    """Each stage alone, in microseconds of its thread's processor time for a command."""
    with tempfile.TemporaryDirectory(prefix="onseju-bench-") as directory:
        journal = SegmentJournal.open(Path(directory), fsync=False)
        engine = engines.make("native")
        data = b"".join(opening())
        run = CommandRun(venue=1, epoch=1, semantics=1, first_seq=1, data=numbering.numbered(data, 1, 1))
        events = Applier(engine).apply(run)
        journal.append(run)
        journal.append_events(events)
        texts = annotations.CompiledAnnotations() if numbering.CORE else annotations.Annotations()
        sides = cycle((orders(plan.batch, Side.SELL), orders(plan.batch, Side.BUY)))
        for turn in range(plan.batches):
            seq, ts = run.last_seq + 1, 1 + turn
            with timed(found, "number", plan.batch):
                data = numbering.numbered(next(sides), seq, ts)
            run = CommandRun(venue=1, epoch=1, semantics=1, first_seq=seq, data=data)
            with timed(found, "engine", plan.batch):
                payload = engine.apply(data)
            with timed(found, "tell events apart", plan.batch):
                ends = numbering.ends_of(payload, seq)
            with timed(found, "texts", plan.batch):
                texts.annotate_run(run, payload, ends)
            events = events_of(run, payload)
            with timed(found, "frame commands", plan.batch):
                runs.frame_commands(run, FIRST_CHAIN)
            with timed(found, "frame events", plan.batch):
                runs.frame_blocks(events, FIRST_CHAIN)
            with timed(found, "append commands (framing too)", plan.batch):
                journal.append(run)
            with timed(found, "append events (framing too)", plan.batch):
                journal.append_events(events)
        journal.close()


def events_of(run: CommandRun, payload: bytes) -> Any:
    """The run of events that an applier would make of what the engine gave."""

    class Said:
        last_seq = 0

        def apply(self, _commands: bytes) -> bytes:
            return payload

        def state_hash(self) -> int:
            return 0

    return Applier(Said()).apply(run)


@contextmanager
def timed(found: Figures, name: str, count: int) -> Iterator[None]:
    began = time.thread_time()
    yield
    found[name].append((time.thread_time() - began) / count * 1e6)


@contextmanager
def core(is_used: bool) -> Iterator[None]:
    """With the compiled core beside the engine, or without it."""
    for module in USERS:
        module.CORE = CORE if is_used else None  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in USERS:
            module.CORE = CORE  # type: ignore[attr-defined]


def medians(figures: Figures) -> dict[str, float]:
    return {name: round(statistics.median(values), 3) for name, values in figures.items()}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="A command's time inside the exchange, by stage.")
    parser.add_argument("--quick", action="store_true", help="a second: whether it works, not how fast")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else FULL
    ways: Figures = defaultdict(list)
    by_core: dict[str, Figures] = {"core": defaultdict(list), "python": defaultdict(list)}
    for _ in range(plan.rounds):
        for name, figure in uvloop.run(whole(plan)).items():
            ways[name].append(figure)
        for name, figures in by_core.items():
            with core(name == "core"):
                stages(plan, figures)
    result: dict[str, Any] = {"name": "pipeline", "quick": chosen.quick, "machine": machine(), "ways": medians(ways)}
    result["stages"] = {name: medians(figures) for name, figures in by_core.items()}
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print("\n".join(f"{name:<32}{figure:>10.2f} µs" for name, figure in result["ways"].items()))
    for name, figure in result["stages"]["core"].items():
        print(f"{name:<32}{figure:>10.2f} µs{result['stages']['python'][name]:>10.2f} µs in Python")
    return result


if __name__ == "__main__":
    main()
