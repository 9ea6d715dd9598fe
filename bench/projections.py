"""Rows a second into SQLite: one command a transaction against batches, and how the rows are handed to the driver.

`python -m bench.projections [--quick]` makes a real event log (segment files) with the reference engine, then:

1. projects its first commands into a new database file with transactions of 1, 10, 100, 1,000 and 10,000 commands;
2. with 1,000 commands a transaction, hands rows over by the driver's `executemany` and by statements of many rows, while
   the interpreter is idle and while another thread computes, as the server's event loop does.

A *change* is a row that single commands write: batches write fewer rows for the same changes, since of an order, balance,
position or candle only the last state is written. Rounds are interleaved; a figure is its rounds' median.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import (
    CancelOrder,
    DepositCash,
    DepositShares,
    NewOrder,
    OpenAccount,
    Request,
    encode_command,
    sequence,
)
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.contract.words import OrderType, Side
from onseju.exchange.applier import Applier
from onseju.journal.segments import SegmentJournal
from onseju.matching.engine import SEMANTICS_VERSION
from onseju.matching.reference import ReferenceEngine
from onseju.projections.core_rows import new_batch
from onseju.projections.database import writer_engine
from onseju.projections.projector import Projector
from onseju.projections.rows import Batch, Rows
from onseju.projections.writer import Writer
from onseju.rules import instruments, packs

RESULT = Path("build/bench/projections.json")
ACCOUNTS = range(1, 101)
FIRST_TS = 1_795_392_000_000_000
SIZES = (1, 10, 100, 1_000, 10_000)
HANDOVER_SIZE = 1_000
WARM_UP = 200


class Plan(msgspec.Struct, frozen=True):
    """How much is measured: commands in the log, commands projected by size, rounds."""

    commands: dict[int, int]
    handover_commands: int
    rounds: int


FULL = Plan({1: 3_000, 10: 10_000, 100: 20_000, 1_000: 30_000, 10_000: 30_000}, 10_000, 5)
QUICK = Plan({1: 200, 10: 500, 100: 1_000, 1_000: 2_000, 10_000: 2_000}, 1_000, 1)


class RowByRow(Writer):
    """The driver's own way with many rows."""

    def _write_rows(self, connection: sa.Connection, statement: Any, rows: Rows) -> None:
        values = [rows.values(at, at + 1) for at in range(len(rows))]
        if values:
            connection.exec_driver_sql(self._text(statement, 1), values)


def requests(count: int) -> Iterator[Request]:
    """A venue with accounts, then orders around the base prices of ten instruments, one in six a cancel."""
    draw = random.Random(1)
    yield from packs.commands("krx", 20261123)
    yield from instruments.list_commands("krx")
    for account in ACCOUNTS:
        yield Request(OpenAccount(account=account, owner=account.to_bytes(16, "little")))
        yield Request(DepositCash(account=account, amount=10**12))
        for instrument in range(1, len(instruments.DEMO) + 1):
            yield Request(DepositShares(account=account, instrument=instrument, qty=10**6, cost_amount=1))
    for number in range(count):
        account = draw.choice(ACCOUNTS)
        if number % 6 == 5:
            yield Request(CancelOrder(account=account, order_id=draw.randint(1, number)))
            continue
        instrument = draw.randrange(len(instruments.DEMO))
        base = instruments.DEMO[instrument].base_price
        price = base - base % 1000 + 1000 * draw.randint(-2, 2)
        side = draw.choice((Side.BUY, Side.SELL))
        yield Request(
            NewOrder(
                account=account,
                instrument=instrument + 1,
                qty=draw.randint(1, 20),
                limit_price=price,
                side=side,
                order_type=OrderType.LIMIT,
            )
        )


PREPARATION = len(list(requests(0)))
"""Commands that come before the orders; they are not measured."""


def fill_log(journal: SegmentJournal, count: int) -> None:
    """Write the commands and their events."""
    applier = Applier(ReferenceEngine())
    numbered = enumerate(requests(count), 1)
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
        journal.append(records)
        journal.append_events(applier.apply(CommandRun.of(records)))


class FirstCommands:
    """The log as it was after its first commands."""

    def __init__(self, journal: SegmentJournal, count: int) -> None:
        self._journal = journal
        self.journal_id = journal.journal_id
        self.last_seq = self.last_event_seq = count

    def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
        return islice(self._journal.read_events(after_seq), self.last_event_seq - after_seq)

    def read_event_runs(self, after_seq: int = 0) -> Iterator[EventRun]:
        for run in self._journal.read_event_runs(after_seq):
            if run.first_seq > self.last_event_seq:
                return
            yield run.part(0, min(len(run), self.last_event_seq - run.first_seq + 1))


def batches_of(journal: SegmentJournal, count: int, size: int) -> Iterator[Batch]:
    """The batches of `count` commands after the venue's own, `size` commands each."""
    blocks = FirstCommands(journal, PREPARATION + count).read_events(PREPARATION)
    while part := list(islice(blocks, size)):
        batch = new_batch(20261123)
        batch.add_run(EventRun.of(part))
        yield batch


def rows_of(journal: SegmentJournal, count: int, size: int) -> int:
    """The rows that `count` commands give with `size` commands a transaction."""
    return sum(batch.row_count for batch in batches_of(journal, count, size))


def write(journal: SegmentJournal, batches: Sequence[Batch], directory: Path, writer: Writer) -> float:
    """Seconds to write batches that are ready, a transaction each, into a new file that has the venue's own rows."""
    database = directory / f"{time.monotonic_ns()}.db"
    log: Any = FirstCommands(journal, PREPARATION)
    projector = Projector(log, database)
    projector.catch_up()
    projector.stop()
    engine = writer_engine(database)
    took = time_writing(engine, writer, journal.journal_id, batches)
    engine.dispose()
    database.unlink()
    return took


def time_writing(engine: sa.Engine, writer: Writer, journal_id: str, batches: Sequence[Batch]) -> float:
    """Seconds to write batches that follow the venue's own rows, a transaction each."""
    position = PREPARATION
    began = time.perf_counter()
    for batch in batches:
        with engine.begin() as connection:
            writer.write(connection, batch, journal_id, position)
        position = batch.last_seq
    return time.perf_counter() - began


def project(journal: SegmentJournal, count: int, size: int, directory: Path, writer: Writer) -> float:
    """Seconds from the event log to the rows of `count` commands after the venue's own, in a new file."""
    log: Any = FirstCommands(journal, PREPARATION)
    database = directory / f"{time.monotonic_ns()}.db"
    projector = Projector(log, database, max_blocks=size, max_events=2**60)
    projector.catch_up()
    projector._writer = writer
    log.last_seq = log.last_event_seq = PREPARATION + count
    began = time.perf_counter()
    projector.catch_up()
    took = time.perf_counter() - began
    projector.stop()
    database.unlink()
    return took


@contextmanager
def computing() -> Iterator[None]:
    """Another thread that never waits for anything."""
    finished = False

    def compute() -> None:
        number = 0
        while not finished:
            number = (number * 31 + 7) % 1_000_003

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        finished = True
        thread.join()


def warm(kind: type[Writer], journal: SegmentJournal, plan: Plan, directory: Path) -> Writer:
    """A writer that has made its statements."""
    writer = kind(sqlite.dialect())
    for size in (1, 100, HANDOVER_SIZE):
        project(journal, WARM_UP, size, directory, writer)
    return writer


def measure_batches(journal: SegmentJournal, plan: Plan, directory: Path) -> list[dict[str, Any]]:
    """Figures by batch size."""
    seconds: dict[int, list[float]] = {size: [] for size in SIZES}
    writer = warm(Writer, journal, plan, directory)
    for number in range(plan.rounds):
        for size in SIZES if number % 2 == 0 else reversed(SIZES):
            seconds[size].append(project(journal, plan.commands[size], size, directory, writer))
    figures = []
    for size in SIZES:
        count = plan.commands[size]
        changes, rows, took = (
            rows_of(journal, count, 1),
            rows_of(journal, count, size),
            statistics.median(seconds[size]),
        )
        figures.append(
            {
                "commands_a_transaction": size,
                "commands": count,
                "changes": changes,
                "rows_written": rows,
                "seconds": round(took, 4),
                "commands_per_s": round(count / took),
                "changes_per_s": round(changes / took),
                "rows_per_s": round(rows / took),
            }
        )
    return figures


def measure_handover(journal: SegmentJournal, plan: Plan, directory: Path) -> list[dict[str, Any]]:
    """Figures by the way in which rows are handed to the driver, with an idle and with a busy interpreter.

    Only the writing is measured: the batches are made before. Where threads take turns is chance, so the slowest round
    is told too.
    """
    batches = [*batches_of(journal, plan.handover_commands, HANDOVER_SIZE)]
    rows = sum(batch.row_count for batch in batches)
    ways = [
        (name, warm(kind, journal, plan, directory))
        for name, kind in (("executemany", RowByRow), ("many-row statements", Writer))
    ]
    cases = [(name, writer, busy) for name, writer in ways for busy in (False, True)]
    seconds: dict[tuple[str, bool], list[float]] = {(name, busy): [] for name, _, busy in cases}
    for number in range(plan.rounds * 2):
        for name, writer, busy in cases if number % 2 == 0 else reversed(cases):
            with computing() if busy else nullcontext():
                seconds[name, busy].append(write(journal, batches, directory, writer))
    return [
        {
            "way": name,
            "busy": busy,
            "rows_written": rows,
            "rows_per_s": round(rows / statistics.median(seconds[name, busy])),
            "slowest_rows_per_s": round(rows / max(seconds[name, busy])),
        }
        for name, _, busy in cases
    ]


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"{'commands a transaction':>24}{'commands/s':>14}{'changes/s':>14}{'rows written/s':>16}"]
    lines += [
        f"{row['commands_a_transaction']:>24,}{row['commands_per_s']:>14,}{row['changes_per_s']:>14,}{row['rows_per_s']:>16,}"
        for row in result["batches"]
    ]
    lines += ["", f"{'rows handed over by':>24}{'interpreter':>14}{'rows written/s':>16}{'slowest round':>15}"]
    lines += [
        f"{row['way']:>24}{'busy' if row['busy'] else 'idle':>14}{row['rows_per_s']:>16,}{row['slowest_rows_per_s']:>15,}"
        for row in result["handover"]
    ]
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="Rows a second into SQLite: single against batch.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: whether it works, not how fast")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else FULL
    with tempfile.TemporaryDirectory(prefix="onseju-bench-") as name:
        directory = Path(name)
        journal = SegmentJournal.open(directory / "journal", fsync=False)
        try:
            fill_log(journal, max(*plan.commands.values(), plan.handover_commands))
            figures = {
                "batches": measure_batches(journal, plan, directory),
                "handover": measure_handover(journal, plan, directory),
            }
        finally:
            journal.close()
    result = {"name": "projections", "quick": chosen.quick, "machine": machine(), "rounds": plan.rounds, **figures}
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(result))
    return result


if __name__ == "__main__":
    main()
