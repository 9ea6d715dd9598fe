"""The tables made anew from the event log, and compared with the ones that are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from onseju.projections import tables as t
from onseju.projections.database import reader_engine
from onseju.projections.projector import EventLog, Progress, Projector

ROWS_AT_ONCE = 2_000


def rebuild(journal: EventLog, database: Path, progress: Progress | None = None) -> None:
    """Make the tables anew from the event log, and put them in the place of those that are there. Nobody may use them.

    Until all of it is done the old tables stay. Raises `JournalError`, `ProjectionError`, `OSError`.
    """
    draft = project(journal, database.with_name(database.name + ".new"), progress)
    _remove(database)
    draft.replace(database)
    draft.with_name(draft.name + ".lock").unlink()
    descriptor = os.open(database.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def project(journal: EventLog, database: Path, progress: Progress | None = None) -> Path:
    """Write fresh tables of the whole event log into this file, which is replaced. Raises as `rebuild` does."""
    _remove(database)
    catch_up(journal, database, progress)
    return database


def catch_up(journal: EventLog, database: Path, progress: Progress | None = None) -> None:
    """Bring tables to the event log's end, and close them."""
    projector = Projector(journal, database)
    try:
        projector.catch_up(progress)
    finally:
        projector.stop()


def differences(one: Path, other: Path) -> Iterator[str]:
    """For each table that is not the same, row for row, in both files: its first difference in words."""
    engines = reader_engine(one), reader_engine(other)
    try:
        with engines[0].connect() as left, engines[1].connect() as right:
            for table in t.metadata.sorted_tables:
                for a, b in zip_longest(_rows(left, table), _rows(right, table)):
                    if a != b:
                        yield f"{table.name}: {a} here, {b} there"
                        break
    finally:
        for engine in engines:
            engine.dispose()


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[tuple[Any, ...]]:
    found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        sa.select(table).order_by(*table.primary_key.columns)
    )
    return (tuple(row) for row in found)


def _remove(database: Path) -> None:
    """A database with what SQLite keeps beside it."""
    for ending in ("-wal", "-shm", ""):
        database.with_name(database.name + ending).unlink(missing_ok=True)
