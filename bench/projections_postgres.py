"""Rows a second into PostgreSQL: a statement a row, then many rows a statement, then COPY.

`python -m bench.projections_postgres [--quick]` starts a PostgreSQL of its own, makes a real event log, and writes the same
commands into new tables in each way. Only the writing is measured: the batches are made before. Rounds are interleaved; a
figure is its rounds' median.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from bench.projections import PREPARATION, FirstCommands, batches_of, fill_log, machine, time_writing
from onseju.journal.segments import SegmentJournal
from onseju.projections import postgres
from onseju.projections.copy_writer import CopyWriter
from onseju.projections.database import writer_engine
from onseju.projections.places import PostgresTables
from onseju.projections.projector import Projector
from onseju.projections.rows import Rows
from onseju.projections.writer import Statement
from onseju.scaled.postgres_server import PostgresServer

RESULT = Path("build/bench/projections_postgres.json")
NEVER = 10**9
_numbers = itertools.count(1)


class RowByRow(CopyWriter):
    """A statement a row, as a program without any thought of batches would."""

    def _write_rows(self, connection: sa.Connection, statement: Statement, rows: Rows) -> None:
        form = self._forms[statement]
        for at in range(len(rows)):
            connection.exec_driver_sql(form.from_arrays, form.arrays(rows.values(at, at + 1)))


class Way(NamedTuple):
    """How rows are written: commands a transaction, the writer, and from how many rows on by COPY."""

    name: str
    size: int
    writer: type[CopyWriter]
    copy_from: int
    commands: int


def ways(count: int) -> list[Way]:
    """The ways in order, `count` commands for the quick ones."""
    return [
        Way("a statement a row, a transaction a command", 1, RowByRow, NEVER, count // 20),
        Way("a statement a row", 1_000, RowByRow, NEVER, count // 10),
        Way("arrays, a transaction a command", 1, CopyWriter, NEVER, count // 20),
        Way("arrays", 1_000, CopyWriter, NEVER, count),
        Way("COPY", 1_000, CopyWriter, 1, count),
        Way("arrays", 5_000, CopyWriter, NEVER, count),
        Way("COPY", 5_000, CopyWriter, 1, count),
    ]


def write(journal: SegmentJournal, url: str, way: Way) -> tuple[int, float]:
    """Rows and seconds of the way's commands, into new tables that have the venue's own rows."""
    tables = PostgresTables(url, f"round{next(_numbers)}")
    log: Any = FirstCommands(journal, PREPARATION)
    projector = Projector(log, tables)
    projector.catch_up()
    projector.stop()
    batches = list(batches_of(journal, way.commands, way.size))
    rows = sum(batch.row_count for batch in batches)
    engine = writer_engine(tables)
    writer = way.writer(engine.dialect, way.copy_from)
    with engine.connect():  # connected before the clock runs
        pass
    took = time_writing(engine, writer, journal.journal_id, batches)
    engine.dispose()
    postgres.drop(tables)
    return rows, took


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="Rows a second into PostgreSQL: single, batched, COPY.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: whether it works, not how fast")
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--commands", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    count, rounds = (1_000, 1) if chosen.quick else (chosen.commands, chosen.rounds)
    folder = Path(tempfile.mkdtemp(prefix="onseju-bench-"))
    folder.chmod(0o711)
    server = PostgresServer(folder / "postgres")
    plan = ways(count)
    rates: list[list[float]] = [[] for _ in plan]
    orders: list[list[float]] = [[] for _ in plan]
    journal = SegmentJournal.open(folder / "journal", fsync=False)
    try:
        server.start()
        fill_log(journal, count)
        for number in range(rounds):
            for at in range(len(plan)) if number % 2 == 0 else reversed(range(len(plan))):
                rows, took = write(journal, server.url, plan[at])
                rates[at].append(rows / took)
                orders[at].append(plan[at].commands / took)
    finally:
        journal.close()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    figures = [
        {
            "way": way.name,
            "commands_a_transaction": way.size,
            "commands": way.commands,
            "commands_per_s": round(statistics.median(orders[at])),
            "rows_per_s": round(statistics.median(rates[at])),
            "slowest_rows_per_s": round(min(rates[at])),
            "fastest_rows_per_s": round(max(rates[at])),
        }
        for at, way in enumerate(plan)
    ]
    result = {
        "name": "projections_postgres",
        "quick": chosen.quick,
        "machine": machine(),
        "rounds": rounds,
        "ways": figures,
    }
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print(
        f"{'rows handed over by':<44}{'commands a tx':>14}{'commands/s':>12}{'rows/s':>10}{'slowest':>10}{'fastest':>10}"
    )
    for row in figures:
        print(
            f"{row['way']:<44}{row['commands_a_transaction']:>14,}{row['commands_per_s']:>12,}{row['rows_per_s']:>10,}"
            f"{row['slowest_rows_per_s']:>10,}{row['fastest_rows_per_s']:>10,}"
        )
    return result


if __name__ == "__main__":
    main()
