"""`onseju projections …`, `onseju backup`, `onseju restore`: what a host does with a data folder."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from onseju import backup as backups
from onseju.cli_journal import bar, console, fail
from onseju.journal.port import JournalError
from onseju.journal.segments import SegmentJournal
from onseju.projections.projector import ProjectionError
from onseju.projections.rebuild import catch_up, differences, project, rebuild

app = typer.Typer(help="The tables that queries read. They follow from the journal.", no_args_is_help=True)
DataDir = Annotated[Path, typer.Option(help="Where the data lies. Default ./data.", exists=True, file_okay=False)]
TABLES = "projections.db"


@app.command("rebuild")
def projections_rebuild(data_dir: DataDir = Path("data")) -> None:
    """Make the tables anew from the event log. The server must be stopped; until all is done the old tables stay."""
    try:
        journal = _stopped(data_dir)
        try:
            with bar("rebuilding the tables") as tell:
                rebuild(journal, data_dir / TABLES, tell)
            seq = journal.last_event_seq
        finally:
            journal.close()
    except (JournalError, ProjectionError, OSError) as error:
        fail(str(error))
    console.print(f"the tables are those of command {seq}", highlight=False)


@app.command("check")
def projections_check(data_dir: DataDir = Path("data")) -> None:
    """Make the tables anew beside those that are there, and compare row for row. Exit 1 where they differ."""
    try:
        journal = _stopped(data_dir)
        try:
            with tempfile.TemporaryDirectory(dir=data_dir) as folder, bar("making the tables anew") as tell:
                fresh = project(journal, Path(folder) / TABLES, tell)
                catch_up(journal, data_dir / TABLES)
                found = list(differences(data_dir / TABLES, fresh))
            seq = journal.last_event_seq
        finally:
            journal.close()
    except (JournalError, ProjectionError, OSError) as error:
        fail(str(error))
    if found:
        fail("\n".join([*found, "Make the tables anew: onseju projections rebuild"]))
    console.print(f"the same, row for row, through command {seq}", highlight=False)


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
