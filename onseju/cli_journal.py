"""`onseju journal …`: look into a journal, check it, take a snapshot of it. The journal's server may be running."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from onseju.journal.inspect import dump, is_address, verify
from onseju.journal.port import JournalError
from onseju.matching import engines
from onseju.matching.engines import EngineMissingError, EngineName

app = typer.Typer(help="A journal on the disk: check it, print it, take a snapshot of it.", no_args_is_help=True)
console = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)

Folder = Annotated[Path, typer.Argument(help="A journal's folder: DATA_DIR/journal.", exists=True, file_okay=False)]
Venue = Annotated[int, typer.Option(min=0, help="The venue, where the journal is in a database.")]
NICENESS = 19


def folder_or_address(place: str) -> str:
    """Refuse what is neither."""
    if not is_address(place) and not Path(place).is_dir():
        raise typer.BadParameter(f"There is no folder {place!r}, and a database's address begins with postgresql://.")
    return place


Place = Annotated[
    str,
    typer.Argument(help="A journal's folder, DATA_DIR/journal, or its database's address.", callback=folder_or_address),
]


@app.command("verify")
def journal_verify(journal: Place, venue: Venue = 1) -> None:
    """Read everything: every checksum, number and link of the hash chains, and the snapshots. Exit 1 names file and byte."""
    try:
        with bar("checking") as tell:
            found = verify(journal, tell, venue=venue)
    except JournalError as error:
        fail(str(error))
    console.print(
        f"whole: {found.commands:,} commands ({found.first_seq} to {found.last_seq}), events of {found.blocks:,} of them, "
        f"{found.snapshots} snapshots; journal {found.journal_id}",
        highlight=False,
    )


@app.command("dump")
def journal_dump(
    journal: Place,
    first: Annotated[
        int | None, typer.Option("--from", min=1, help="The first command. Default: the oldest there is.")
    ] = None,
    last: Annotated[int | None, typer.Option("--to", min=1, help="The last command. Default: the newest.")] = None,
    events: Annotated[bool, typer.Option("--events", help="Print the events of the commands, too.")] = False,
    venue: Venue = 1,
) -> None:
    """Print commands as JSON lines, as they were journaled."""
    try:
        dump(journal, sys.stdout, first or 1, last, events=events, venue=venue)
    except JournalError as error:
        fail(str(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader, such as `head`, has seen enough
        raise typer.Exit(0) from None


@app.command("snapshot")
def journal_snapshot(
    journal: Folder,
    through: Annotated[int | None, typer.Option(min=1, help="The command to take it at. Default: the last.")] = None,
    engine: Annotated[EngineName | None, typer.Option(help="The engine to replay on. Default: native.")] = None,
    background: Annotated[bool, typer.Option("--background", help="Take only time that nobody else wants.")] = False,
) -> None:
    """Write a snapshot, from which the next start goes on. A server does this itself, every `snapshot_every_commands`."""
    from onseju.app import take_snapshot
    from onseju.gateway.logs import configure_logs

    if background:
        configure_logs()
        os.nice(NICENESS)
    try:
        with bar("replaying") as tell:
            seq = take_snapshot(journal, engines.choose(engine).name, through, tell)
    except (JournalError, EngineMissingError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"The snapshot cannot be written: {error}.")
    console.print(f"snapshot at command {seq}" if seq else "there is one already", highlight=False)


class bar:
    """A progress bar on a terminal, and nothing elsewhere. Gives what is told (done, all)."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        )

    def __enter__(self) -> Callable[[int, int], None]:
        self._bars.start()
        task = self._bars.add_task(self._what, total=None)
        return lambda done, total: self._bars.update(task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bars.stop()


def fail(text: str) -> NoReturn:
    errors.print(text, markup=False, highlight=False)
    raise typer.Exit(1)
