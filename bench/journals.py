"""Appends of the journal to segment files and to PostgreSQL: commands a second by the size of an append.

    python -m bench.journals

Starts a PostgreSQL of its own, from the installed package, in a folder that is deleted afterwards; both write to the same
disk; commands are flushed, events are not waited for. Rounds of both are interleaved; medians. An append is the commands' and their events'; the gateways' origins
are in every record, as they are between processes.
"""

from __future__ import annotations

import contextlib
import statistics
import struct
import tempfile
import time
from pathlib import Path

from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import COMMAND_BYTES, NewOrder, encode_command
from onseju.contract.event_runs import EventRun
from onseju.contract.events import DayRolled, encode_event
from onseju.contract.journal_records import Origin
from onseju.contract.words import OrderType, Side
from onseju.journal.port import Journal
from onseju.journal.postgres import PostgresJournal
from onseju.journal.segments import SegmentJournal
from onseju.scaled.postgres_server import PostgresServer

SIZES = {1: 100, 100: 40, 1000: 15, 10_000: 3}
"""Commands an append, and rounds."""

TS = 1_795_000_000_000_000


def runs(first: int, count: int) -> tuple[CommandRun, EventRun]:
    """Commands with one event each, and those."""
    order = NewOrder(account=7, instrument=1, limit_price=70_000, qty=1, side=Side.BUY, order_type=OrderType.LIMIT)
    data = bytearray(encode_command(order) * count)
    for at in range(count):
        struct.pack_into("<Qq", data, at * COMMAND_BYTES, first + at, TS)
    event = encode_event(DayRolled(seq=first, ts=TS, idx=0, trading_day=1))
    origins = [Origin(1, 1, first + at) for at in range(count)]
    shared = {"venue": 1, "epoch": 1, "semantics": 1, "first_seq": first}
    commands = CommandRun(**shared, data=bytes(data), origins=origins)
    blocks = EventRun(
        **shared,
        kinds=bytes([1]) * count,
        timestamps=[TS] * count,
        payload=event * count,
        ends=range(len(event), len(event) * (count + 1), len(event)),
        origins=origins,
    )
    return commands, blocks


def timed(journal: Journal, count: int) -> tuple[float, float]:
    """Seconds that an append of commands takes, and that of their events."""
    commands, blocks = runs(journal.last_seq + 1, count)
    began_s = time.perf_counter()
    journal.append(commands)
    between_s = time.perf_counter()
    journal.append_events(blocks)
    return between_s - began_s, time.perf_counter() - between_s


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory(prefix="onseju-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = PostgresServer(folder / "postgres")
        server.start()
        try:
            with (
                contextlib.closing(SegmentJournal.open(folder / "journal")) as files,
                contextlib.closing(PostgresJournal.lead(server.url)) as database,
            ):
                print(
                    "| commands an append | files: ms, events' ms, commands/s | PostgreSQL: ms, events' ms, commands/s | ratio |"
                )
                print("|--:|--:|--:|--:|")
                for count, rounds in SIZES.items():
                    seconds: tuple[list[tuple[float, float]], ...] = ([], [])
                    for _ in range(rounds):
                        seconds[0].append(timed(files, count))
                        seconds[1].append(timed(database, count))
                    medians = [
                        [statistics.median(column) * 1e3 for column in zip(*kind, strict=True)] for kind in seconds
                    ]
                    cells = [f"{c:.2f}, {e:.2f}, {count / (c + e) * 1e3:,.0f}" for c, e in medians]
                    print(
                        f"| {count:,} | {cells[0]} | {cells[1]} | {sum(medians[1]) / sum(medians[0]):.1f} |", flush=True
                    )
        finally:
            server.stop()


if __name__ == "__main__":
    main()
