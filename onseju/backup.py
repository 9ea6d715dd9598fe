"""Backups: the journal, its snapshots, and who the users are, in a folder of their own; the server may be running.

What is derived is left out: the tables are made anew at the next start. The order matters. Snapshots before events, events
before commands: so no copy is ahead of the truth it follows from. Users last: a user without an account gets it at the start,
while an account without its user would be nobody's.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from onseju.journal.files import Files
from onseju.journal.inspect import verify
from onseju.journal.port import JournalError
from onseju.journal.renaming import rename_journal
from onseju.journal.segments import SegmentJournal

IDENTITY = "identity.db"
PRIVATE = ("admin.key", "signing.key")
"""Without the second, keys that sign open nothing."""
FOLDERS = ("snapshots", "events", "commands")
TRIES = 5
"""The server may archive a segment while it is being copied: then all is copied again."""

Progress = Callable[[int, int], None]


class BackupError(Exception):
    """The backup cannot be made or used; the text says why."""


class Kept(NamedTuple):
    """What a backup holds."""

    journal_id: str
    last_seq: int


def backup(data_dir: Path, target: Path, progress: Progress) -> Kept:
    """Copy a data folder into `target`, which must not be there yet, and check the copy. Raises `BackupError`.

    What was acknowledged before the call is in it.
    """
    if not (data_dir / "journal" / "journal.json").exists():
        raise BackupError(f"There is no journal in {data_dir}.")
    return _made(target, lambda draft: _copy(data_dir, draft), progress)


def restore(source: Path, data_dir: Path, progress: Progress) -> Kept:
    """Make a data folder of a backup. The folder must be empty, or not be there. Raises `BackupError`.

    Its journal gets a new name: what happened after the backup may be known to clients, and is not in it.
    """
    if not (source / "journal" / "journal.json").exists() or not (source / IDENTITY).exists():
        raise BackupError(f"{source} is no backup.")
    if data_dir.is_dir() and not any(data_dir.iterdir()):
        data_dir.rmdir()
    return _made(data_dir, lambda draft: _copy(source, draft), progress, rename=True)


def _made(target: Path, fill: Callable[[Path], None], progress: Progress, *, rename: bool = False) -> Kept:
    """Fill a folder beside `target`, check it, and give it its name: whole, or not at all."""
    if target.exists():
        raise BackupError(f"{target} is there already. Name a folder that is not.")
    draft = target.with_name(target.name + ".new")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        for tried in range(TRIES):
            try:
                fill(draft)
                break
            except FileNotFoundError:
                shutil.rmtree(draft, ignore_errors=True)
                if tried == TRIES - 1:
                    raise
        SegmentJournal.open(draft / "journal", venue=_venue_of(draft)).close()  # cuts what was only half there yet
        if rename:
            rename_journal(draft / "journal")
        found = verify(draft / "journal", progress)
        _flush(draft)
        draft.replace(target)
        Files().sync_directory(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{target} cannot be written: {error}.") from error
    except JournalError as error:
        raise BackupError(f"The copy is not whole. {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Kept(found.journal_id, found.last_seq)


def _copy(source: Path, draft: Path) -> None:
    journal = draft / "journal"
    journal.mkdir(parents=True)
    for folder in FOLDERS:
        (journal / folder).mkdir()
        for path in sorted((source / "journal" / folder).glob("[0-9]*")):
            if path.suffix in (".log", ".snapshot"):
                shutil.copyfile(path, journal / folder / path.name)
    shutil.copyfile(source / "journal" / "journal.json", journal / "journal.json")
    _copy_database(source / IDENTITY, draft / IDENTITY)
    for name in PRIVATE:
        if (source / name).exists():
            descriptor = os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as copy:
                copy.write((source / name).read_bytes())


def _copy_database(source: Path, target: Path) -> None:
    """As it is at one moment, while others write it."""
    if not source.exists():
        raise BackupError(f"{source} is missing.")
    with closing(sqlite3.connect(source)) as from_, closing(sqlite3.connect(target)) as into:
        from_.backup(into)
    target.chmod(0o600)


def _venue_of(draft: Path) -> int:
    return SegmentJournal.open_for_reading(draft / "journal").venue


def _flush(draft: Path) -> None:
    files = Files()
    for folder, _, names in os.walk(draft):
        for name in names:
            with (Path(folder) / name).open("rb") as file:
                files.sync(file.fileno())
        files.sync_directory(Path(folder))
