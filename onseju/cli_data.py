"""`onseju projections …`, `onseju backup`, `onseju restore`: what a host does with a data folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from onseju import backup as backups
from onseju.cli_journal import bar, console, fail
from onseju.journal.port import Journal, JournalError
from onseju.journal.segments import SegmentJournal
from onseju.projections.places import Database, PostgresTables, TablesInUseError, place_of
from onseju.projections.projector import ProjectionError
from onseju.projections.rebuild import catch_up, differences, project, rebuild, remove
from onseju.projections.retention import trim_tables

app = typer.Typer(help="The tables that queries read. They follow from the journal.", no_args_is_help=True)
DataDir = Annotated[Path, typer.Option(help="Where the data lies. Default ./data.", exists=True, file_okay=False)]
OptionalDataDir = Annotated[
    Path,
    typer.Option(help="Where the data lies, unless the journal is in the database. Default ./data.", file_okay=False),
]
Venue = Annotated[int, typer.Option(min=0, help="The venue, where the journal is in the database.")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        help="The PostgreSQL database that holds the tables, postgresql://… Default: the file in the data folder. The journal is the one in that database; where there is none, the data folder's."
    ),
]
TABLES = "projections.db"
UNUSABLE = (JournalError, ProjectionError, OSError, ValueError, TablesInUseError, SQLAlchemyError)


@app.command("rebuild")
def projections_rebuild(
    data_dir: OptionalDataDir = Path("data"), database_url: DatabaseUrl = None, venue: Venue = 1
) -> None:
    """Make the tables anew from the event log. The server must be stopped; until all is done the old tables stay."""
    try:
        tables = _tables(data_dir, database_url)
        journal = _journal(data_dir, tables, venue)
        try:
            with bar("rebuilding the tables") as tell:
                rebuild(journal, tables, tell)
            seq = journal.last_event_seq
        finally:
            journal.close()
    except UNUSABLE as error:
        fail(str(error))
    console.print(f"the tables are those of command {seq}", highlight=False)


@app.command("check")
def projections_check(
    data_dir: OptionalDataDir = Path("data"), database_url: DatabaseUrl = None, venue: Venue = 1
) -> None:
    """Make the tables anew beside those that are there, and compare row for row. Exit 1 where they differ."""
    try:
        tables = _tables(data_dir, database_url)
        journal = _journal(data_dir, tables, venue)
        try:
            with _beside(tables, data_dir) as beside, bar("making the tables anew") as tell:
                fresh = project(journal, beside, tell)
                catch_up(journal, tables)
                found = list(differences(tables, fresh))
            seq = journal.last_event_seq
        finally:
            journal.close()
    except UNUSABLE as error:
        fail(str(error))
    if found:
        fail("\n".join([*found, "Make the tables anew: onseju projections rebuild"]))
    console.print(f"the same, row for row, through command {seq}", highlight=False)


@app.command("trim")
def projections_trim(
    before: Annotated[
        int, typer.Option(help="The first trading day that stays, YYYYMMDD.", min=1900_01_01, max=9999_12_31)
    ],
    data_dir: OptionalDataDir = Path("data"),
    database_url: DatabaseUrl = None,
) -> None:
    """Delete the orders, fills and trades of earlier days from the tables. The journal keeps them.

    A file needs the server stopped; in PostgreSQL everything goes on.
    """
    try:
        tables = _tables(data_dir, database_url)
        if isinstance(tables, PostgresTables):
            gone = trim_tables(tables, before)
        else:
            journal = _stopped(data_dir)
            try:
                gone = trim_tables(tables, before)
            finally:
                journal.close()
    except UNUSABLE as error:
        fail(str(error))
    console.print(f"deleted: {gone.orders} orders, {gone.fills} fills, {gone.trades} trades", highlight=False)


def _tables(data_dir: Path, database_url: str | None) -> PostgresTables | Path:
    """Raises `ValueError` for what is no URL."""
    return data_dir / TABLES if database_url is None else place_of(database_url)


@contextmanager
def _beside(tables: Database, data_dir: Path) -> Iterator[PostgresTables | Path]:
    """A place for other tables in the same database or on the same disk, until it is left."""
    if isinstance(tables, PostgresTables):
        beside = tables._replace(schema=tables.schema + "_check")
        try:
            yield beside
        finally:
            remove(beside)
        return
    with tempfile.TemporaryDirectory(dir=data_dir) as folder:
        yield Path(folder) / TABLES


def _journal(data_dir: Path, tables: PostgresTables | Path, venue: int) -> Journal:
    """The one in the tables' database, as it is now; else that of the data folder. Raises `JournalError`."""
    if isinstance(tables, PostgresTables):
        from onseju.journal.postgres import PostgresJournal  # the embedded server runs without its driver
        from onseju.journal.postgres_schema import NoJournalError

        with suppress(NoJournalError):
            return PostgresJournal.open_for_reading(tables.url, venue=venue)
    return _stopped(data_dir)


def _stopped(data_dir: Path) -> SegmentJournal:
    """The journal of a server that does not run. Raises `JournalError`."""
    venue = SegmentJournal.open_for_reading(data_dir / "journal").venue
    return SegmentJournal.open(data_dir / "journal", venue=venue)


def backup(
    target: Annotated[Path, typer.Argument(help="The folder to make.")], data_dir: DataDir = Path("data")
) -> None:
    """Copy everything that cannot be derived, and check the copy. The server may be running."""
    try:
        with bar("checking the copy") as tell:
            kept = backups.backup(data_dir, target, tell)
    except backups.BackupError as error:
        fail(str(error))
    console.print(f"{target}: journal {kept.journal_id} through command {kept.last_seq}", highlight=False)


def restore(
    source: Annotated[Path, typer.Argument(help="A backup.", exists=True, file_okay=False)],
    data_dir: Annotated[
        Path, typer.Option(help="The data folder to make; empty, or not there. Default ./data.")
    ] = Path("data"),
) -> None:
    """Make a data folder of a backup, and check it. Then start the server on it."""
    try:
        with bar("checking the copy") as tell:
            kept = backups.restore(source, data_dir, tell)
    except backups.BackupError as error:
        fail(str(error))
    console.print(f"{data_dir}: journal {kept.journal_id} through command {kept.last_seq}", highlight=False)
