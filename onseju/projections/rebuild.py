"""The tables made anew from the event log, and compared with the ones that are there."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from onseju.projections import tables as t
from onseju.projections.database import reader_engine
from onseju.projections.places import Database, PostgresTables, place_of
from onseju.projections.projector import EventLog, Progress, Projector

D = TypeVar("D", bound=Database)

ROWS_AT_ONCE = 2_000


def rebuild(journal: EventLog, database: Database, progress: Progress | None = None) -> None:
    """Make the tables anew from the event log, and put them in the place of those that are there. Nobody may use them.

    Until all of it is done the old tables stay; in PostgreSQL queries go on. Raises `JournalError`, `ProjectionError`,
    `OSError`, `TablesInUseError`.
    """
    place = place_of(database)
    if isinstance(place, PostgresTables):
        _rebuild_schema(journal, place, progress)
    else:
        _rebuild_file(journal, place, progress)


def _rebuild_schema(journal: EventLog, tables: PostgresTables, progress: Progress | None) -> None:
    from onseju.projections import postgres  # the embedded server runs without its driver

    draft = tables._replace(schema=tables.schema + "_new")
    with postgres.writing_alone(tables):
        project(journal, draft, progress)
        postgres.put_in_place(draft, tables)


def _rebuild_file(journal: EventLog, database: Path, progress: Progress | None) -> None:
    draft = project(journal, database.with_name(database.name + ".new"), progress)
    remove(database)
    draft.replace(database)
    draft.with_name(draft.name + ".lock").unlink()
    descriptor = os.open(database.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def project(journal: EventLog, database: D, progress: Progress | None = None) -> D:
    """Write fresh tables of the whole event log into this file or schema, which is replaced. Raises as `rebuild` does."""
    remove(database)
    catch_up(journal, database, progress)
    return database


def catch_up(journal: EventLog, database: Database, progress: Progress | None = None) -> None:
    """Bring tables to the event log's end, and close them."""
    projector = Projector(journal, database)
    try:
        projector.catch_up(progress)
    finally:
        projector.stop()


def differences(one: Database, other: Database) -> Iterator[str]:
    """For each table that is not the same, row for row, in both places: its first difference in words."""
    engines = reader_engine(one), reader_engine(other)
    try:
        with engines[0].connect() as left, engines[1].connect() as right:
            for table in t.metadata.sorted_tables:
                with closing(_rows(left, table)) as here, closing(_rows(right, table)) as there:
                    found = next(((a, b) for a, b in zip_longest(here, there) if a != b), None)
                if found is not None:
                    yield f"{table.name}: {found[0]} here, {found[1]} there"
    finally:
        for engine in engines:
            engine.dispose()


def _rows(connection: sa.Connection, table: sa.Table) -> Generator[tuple[Any, ...], None, None]:
    query = sa.select(table).order_by(*table.primary_key.columns)
    with connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as found:
        for row in found:
            yield tuple(row)


def remove(database: Database) -> None:
    """Remove the tables, a file with what SQLite keeps beside it. Nobody may use them."""
    place = place_of(database)
    if isinstance(place, PostgresTables):
        from onseju.projections import postgres

        postgres.drop(place)
        return
    for ending in ("-wal", "-shm", ""):
        place.with_name(place.name + ending).unlink(missing_ok=True)
