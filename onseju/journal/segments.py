"""The journal in segment files: `commands/` is the truth, flushed with one fsync a batch; `events/` is derived from it.

`journal.json` names the journal, `lock` keeps a second writer away. Files are only ever appended to; a segment's file
appears whole with its header, and the next one begins when it is full.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec

from onseju.contract.command_runs import CommandRun
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.journal import snapshots
from onseju.journal.files import Files
from onseju.journal.lock import DirectoryLock
from onseju.journal.log import SegmentLog
from onseju.journal.port import JournalError
from onseju.journal.runs import COMMANDS, EVENTS, Coding, R, Run
from onseju.journal.segment import JOURNAL_ID_CHARS, Identity

SEGMENT_BYTES = 16 * 1024 * 1024
"""A start reads the last segment twice: short ones start faster, long ones make fewer files."""

FLUSHED = 2
"""Segments of each log that a checkpoint flushes. A segment is flushed when it ends: only the last one may lack something."""

RESERVE_BYTES = 4 * 1024 * 1024
"""Of the disk, for each log, beyond its last segment: for cancels, halts and phases when it is full."""

EVENTS_MAGIC = b"ONSEJU-E"

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


FORMAT = 1
"""Of `journal.json`, and so of the folder. A newer one may mean anything: it is not read."""


class _Form(msgspec.Struct, frozen=True):
    format: int = FORMAT


class _Name(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `journal.json`."""

    journal_id: str
    venue: int
    format: int = FORMAT


class SegmentJournal:
    """One venue's journal in a directory (`journal.port.Journal`). Made by `open` or `open_for_reading`."""

    def __init__(
        self,
        directory: Path,
        name: _Name,
        files: Files,
        lock: DirectoryLock | None,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self.directory = directory
        self.snapshots = directory / "snapshots"
        """The folder with the snapshots."""
        self._name = name
        self._files = files
        self._lock = lock
        self._writing = threading.Lock()
        self._unusable: str | None = None if lock else "it was opened for reading"

        covered = snapshots.covered(self.snapshots)

        def log(folder: str, magic: bytes, coding: Coding[R, Run], derived: bool) -> SegmentLog[R, Run]:
            identity = Identity(magic, name.venue, name.journal_id)
            return SegmentLog(
                directory / folder,
                identity,
                coding,
                files=files,
                segment_bytes=segment_bytes,
                reserve_bytes=reserve_bytes,
                derived=derived,
                writable=lock is not None,
                covered=covered,
            )

        self._commands = log("commands", b"ONSEJU-C", COMMANDS, False)
        self._events = log("events", EVENTS_MAGIC, EVENTS, True)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        venue: int = 1,
        fsync: bool = True,
        segment_bytes: int = SEGMENT_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
        files: Files | None = None,
    ) -> Self:
        """Open the journal in `directory` for writing, or make one there.

        What a crash cut short at the end is cut away. Raises `JournalError` where another process has it open, where it
        belongs to another venue, and where it is damaged (the text names file and byte).
        """
        files = files or Files(durable=fsync)
        lock: DirectoryLock | None = None
        try:
            for folder in ("commands", "events"):
                (directory / folder).mkdir(parents=True, exist_ok=True)
            lock = DirectoryLock(directory)
            name = load_name(directory) or _make_name(directory, venue, files)
            if name.venue != venue:
                raise JournalError(f"The journal in {directory} is of venue {name.venue}, not {venue}.")
            for draft in directory.glob("*/*.new"):
                draft.unlink()
            journal = cls(directory, name, files, lock, segment_bytes=segment_bytes, reserve_bytes=reserve_bytes)
            # a power cut may have kept events, which nobody flushes, and lost commands that were not yet acknowledged
            journal._events.cut_after(journal._commands.last_seq)
        except BaseException as error:
            if lock is not None:
                lock.release()
            if isinstance(error, OSError):
                raise JournalError(f"The journal in {directory} cannot be opened: {error}.") from error
            raise
        return journal

    @classmethod
    def open_for_reading(cls, directory: Path) -> Self:
        """The journal as it is now, without lock and without changing a byte, also while a server writes it.

        Raises `JournalError` where there is none, or it is damaged.
        """
        try:
            name = load_name(directory)
            if name is None:
                raise JournalError(f"There is no journal in {directory}.")
            journal = cls(directory, name, Files(), None)
        except OSError as error:
            raise JournalError(f"The journal in {directory} cannot be read: {error}.") from error
        journal._events.last_seq = min(journal._events.last_seq, journal._commands.last_seq)
        return journal

    @property
    def journal_id(self) -> str:
        """J of the event ids."""
        return self._name.journal_id

    @property
    def venue(self) -> int:
        """The venue whose journal this is."""
        return self._name.venue

    @property
    def last_seq(self) -> int:
        """The last durable command's number; 0 when there is none."""
        return self._commands.last_seq

    @property
    def last_event_seq(self) -> int:
        """The number of the last event block that readers can see; 0 when there is none."""
        return self._events.last_seq

    @property
    def events_end(self) -> tuple[int, int]:
        """`last_event_seq`, and the number that the newest segment of the event log begins at: what `EventTail.see` takes."""
        last = self._events.last_seq  # first: the segment that holds it is there by then
        return last, self._events.newest_segment

    @property
    def is_full(self) -> bool:
        """Whether the disk is full and only the reserve is left."""
        return self._commands.is_full or self._events.is_full

    def make_room(self) -> bool:
        """Ask the disk for room again; whether there is."""
        with self._writing:
            self._check_usable()
            for folder, log in (("commands", self._commands), ("events", self._events)):
                try:
                    if not log.make_room():
                        return False
                except OSError as error:
                    raise self._fail(folder, error) from error
        return True

    def append(self, records: Sequence[JournalRecord]) -> None:
        """Append commands and return once they are durable. One write and one flush for all of them.

        `JournalFullError`: there is no room for them, and nothing was written. Any other write or flush that fails ends all
        writing: after a failed fsync the system may have dropped the pages, and a second try would report success for data
        that is lost.
        """
        with self._writing:
            self._check_usable()
            if not records:
                return
            try:
                self._commands.append(records, durably=True)
            except OSError as error:
                raise self._fail("commands", error) from error
            self._commands.publish()

    def append_events(self, blocks: Sequence[EventBlock]) -> None:
        """Append event blocks, visible to readers on return. They reach the disk when the system likes: replay makes
        them again."""
        with self._writing:
            self._check_usable()
            if not blocks:
                return
            last = blocks.last_seq if isinstance(blocks, EventRun) else blocks[-1].seq
            if last > self.last_seq:
                raise JournalError(f"Events of {last} come before their command is durable ({self.last_seq}).")
            try:
                self._events.append(blocks)
            except OSError as error:
                raise self._fail("events", error) from error
            self._events.publish()

    @property
    def first_seq(self) -> int:
        """The oldest command that is here: 1, unless older ones were archived."""
        return self._commands.first_seq

    @property
    def first_event_seq(self) -> int:
        """The oldest event block that is here."""
        return self._events.first_seq

    def chains_at(self, seq: int) -> tuple[bytes, bytes]:
        """The chains of a command and of its event block. Raises `JournalError` where one of them is not here."""
        return self._commands.chain_at(seq), self._events.chain_at(seq)

    def read(self, after_seq: int = 0) -> Iterator[JournalRecord]:
        """The commands after `after_seq`, through `last_seq` as it is now."""
        return self._commands.read(after_seq)

    def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
        """The event blocks after `after_seq`, through `last_event_seq` as it is now. Nothing new costs nothing."""
        return self._events.read(after_seq)

    def read_runs(self, after_seq: int = 0) -> Iterator[CommandRun]:
        """The same commands in runs of one leader's each, at most `log.LONGEST_RUN` of them."""
        return self._commands.read_runs(after_seq)

    def read_event_runs(self, after_seq: int = 0) -> Iterator[EventRun]:
        """The same event blocks in runs of one leader's each, at most `log.LONGEST_RUN` of them."""
        return self._events.read_runs(after_seq)

    def flush_through(self, seq: int) -> None:
        """Return once both logs are on the disk through `seq`, whoever wrote them. Raises `OSError`."""
        files = Files()
        for log in (self._commands, self._events):
            for path in log.paths_through(seq)[-FLUSHED:]:
                with path.open("rb") as file:
                    files.sync(file.fileno())

    def retire(self, through_seq: int, archive: Path | None) -> list[Path]:
        """Move the segments that nobody needs to the archive, or delete them without one. Gives the files that are gone.

        A segment goes when all it holds is at or before `through_seq`, and before every snapshot that is kept and every
        command that a repeat may still ask about. Raises `JournalError`, `OSError`.
        """
        kept = [found for found in snapshots.newest(self.snapshots) if isinstance(found, snapshots.Snapshot)]
        if len(kept) < snapshots.KEPT:
            return []
        through = min([through_seq, *(found.head.place.seq - 1 for found in kept), *map(_before_first_use, kept)])
        gone: list[Path] = []
        with self._writing:
            self._check_usable()
            for log in (self._events, self._commands):
                paths = log.full_segments(through)
                log.forget(len(paths))
                gone += paths
        for path in gone:
            if archive is not None:
                self._archive(path, archive)
            path.unlink()
        for folder in {path.parent for path in gone}:
            self._files.sync_directory(folder)
        return gone

    def _archive(self, path: Path, archive: Path) -> None:
        """Copy a segment, durably, before it is deleted here: the archive may be another disk."""
        folder = archive / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        self._files.create(folder / path.name, path.read_bytes())

    def verify(self) -> None:
        """Read everything, and check every checksum, number and link of both hash chains. Raises `JournalError`."""
        for _ in self.read_runs(self.first_seq - 1):
            pass
        for _ in self.read_event_runs(self.first_event_seq - 1):
            pass

    def close(self) -> None:
        """Flush, release the lock. Idempotent."""
        with self._writing:
            if self._lock is None:
                return
            try:
                if self._unusable is None:
                    self._events.sync()
                    self._commands.release()
                    self._events.release()
            except OSError as error:
                raise self._fail("events", error) from error
            finally:
                self._unusable = self._unusable or "it is closed"
                self._commands.close()
                self._events.close()
                self._lock.release()
                self._lock = None

    def _check_usable(self) -> None:
        if self._unusable is not None:
            raise JournalError(f"Nothing can be written to the journal in {self.directory}: {self._unusable}.")

    def _fail(self, folder: str, error: OSError) -> JournalError:
        self._unusable = f"writing {self.directory / folder} failed ({error})"
        return JournalError(f"The journal's disk failed: {self._unusable}. What was being written may be lost.")


def _before_first_use(snapshot: snapshots.Snapshot) -> int:
    """The last command before every one that a repeat may ask about, as the snapshot says."""
    oldest = int.from_bytes(snapshot.section(snapshots.OLDEST), "little")
    return oldest - 1 if oldest else snapshot.head.place.seq


def load_name(directory: Path) -> _Name | None:
    """The journal's id and venue; None where there is no journal. Raises `JournalError`, `OSError`."""
    path = directory / "journal.json"
    try:
        content = path.read_bytes()
        if msgspec.json.decode(content, type=_Form).format != FORMAT:
            raise JournalError(
                f"{path} is of a format that was made by a newer release; this one reads through {FORMAT}. "
                "Start that release, or put back a backup from before it."
            )
        name = msgspec.json.decode(content, type=_Name)
    except FileNotFoundError:
        if any(directory.glob("*/*.log")):
            raise JournalError(f"{path} is missing, though there are segments beside it.") from None
        return None
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, a number too long, too deep
        raise JournalError(f"{path} is damaged: {error}.") from error
    if not (len(name.journal_id) == JOURNAL_ID_CHARS and name.journal_id.isascii() and 0 <= name.venue < 1 << 32):
        raise JournalError(f"{path} is damaged: this is no journal's id and venue.")
    return name


def _make_name(directory: Path, venue: int, files: Files) -> _Name:
    name = _Name("".join(secrets.choice(_ALPHABET) for _ in range(JOURNAL_ID_CHARS)), venue)
    files.create(directory / "journal.json", msgspec.json.encode(name) + b"\n")
    files.sync_directory(directory.parent)
    return name
