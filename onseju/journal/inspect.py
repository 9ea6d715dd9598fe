"""Looking into a journal: all of it checked, or parts of it printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import closing, contextmanager
from enum import IntEnum
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

import msgspec

from onseju.contract.commands import CommandKind
from onseju.contract.events import Event, EventKind
from onseju.contract.journal_records import JournalRecord
from onseju.contract.views import timestamp
from onseju.journal.port import Journal, JournalError
from onseju.journal.segments import SegmentJournal
from onseju.journal.snapshots import Snapshot, SnapshotUnusableError, newest

TOLD = 4096
"""At least so many records are checked between two words of progress."""


class Verified(NamedTuple):
    """What was found whole."""

    journal_id: str
    first_seq: int
    last_seq: int
    commands: int
    blocks: int
    snapshots: int


class Readable(Journal, Protocol):
    """What journals offer beyond the port to who looks into them."""

    @property
    def first_seq(self) -> int:
        """The oldest command that is here."""
        ...

    @property
    def first_event_seq(self) -> int:
        """The oldest event block that is here."""
        ...


def is_address(place: str) -> bool:
    """Whether this is a database's address, not a folder."""
    return place.startswith(("postgresql://", "postgresql+psycopg://"))


@contextmanager
def _opened(place: Path | str, venue: int) -> Iterator[Readable]:
    """The journal in a folder or in a database, for reading. Raises `JournalError`."""
    if is_address(str(place)):
        from onseju.journal.postgres import PostgresJournal  # an optional part: it needs psycopg

        with closing(PostgresJournal.open_for_reading(str(place), venue=venue)) as journal:
            yield journal
    else:
        yield SegmentJournal.open_for_reading(Path(place))


def verify(place: Path | str, progress: Callable[[int, int], None], *, venue: int = 1) -> Verified:
    """Check every checksum, number and link of both hash chains, and every snapshot. Raises `JournalError` naming the file
    and the byte, or the table and the record, of the first that is wrong."""
    with _opened(place, venue) as journal:
        return _verify(journal, progress)


def _verify(journal: Readable, progress: Callable[[int, int], None]) -> Verified:
    first, first_event = journal.first_seq, journal.first_event_seq
    commands, blocks = max(journal.last_seq - first + 1, 0), max(journal.last_event_seq - first_event + 1, 0)
    total = commands + blocks
    done = told = 0
    runs: Iterable[Sized] = chain(journal.read_runs(first - 1), journal.read_event_runs(first_event - 1))
    for run in runs:
        done += len(run)
        if done - told >= TOLD:
            told = done
            progress(done, total)
    return Verified(
        journal.journal_id,
        first,
        journal.last_seq,
        commands,
        blocks,
        _check_snapshots(journal) if isinstance(journal, SegmentJournal) else 0,
    )


def _check_snapshots(journal: SegmentJournal) -> int:
    count = 0
    for found in newest(journal.snapshots):
        try:
            if not isinstance(found, Snapshot):
                raise found
            found.check()
        except SnapshotUnusableError as error:
            raise JournalError(str(error)) from error
        except OSError as error:
            raise JournalError(f"A snapshot in {journal.snapshots} cannot be read: {error}.") from error
        count += 1
    return count


def dump(place: Path | str, out: TextIO, first: int, last: int | None, *, events: bool, venue: int = 1) -> None:
    """Write commands `first` to `last`, a line of JSON each; with `events`, those of each after it. Raises `JournalError`."""
    with _opened(place, venue) as journal:
        _dump(journal, out, first, last, events=events)


def _dump(journal: Readable, out: TextIO, first: int, last: int | None, *, events: bool) -> None:
    where = journal.directory if isinstance(journal, SegmentJournal) else f"journal {journal.journal_id}"
    after = max(first, journal.first_seq) - 1
    blocks = iter(journal.read_events(after)) if events else iter(())
    for record in journal.read(after):
        if last is not None and record.seq > last:
            return
        with _as_journal_error(f"The command {record.seq} of {where}"):
            line = _line(_command(record))
        out.write(line)
        block = next(blocks, None)
        with _as_journal_error(f"An event of command {record.seq} of {where}"):
            lines = [_line(_event(event)) for event in block.events] if block is not None else []
        out.writelines(lines)


@contextmanager
def _as_journal_error(what: str) -> Iterator[None]:
    """Checksums say that a record is what somebody wrote, not that it makes sense: a journal may be a stranger's."""
    try:
        yield
    except (ValueError, OverflowError) as error:  # an unknown kind, or a time beyond what there is
        raise JournalError(f"{what} cannot be printed: {error}.") from error


def _event(event: Event) -> dict[str, Any]:
    return {"event": EventKind(event.kind).name.lower(), **_plain(_fields(event), ("kind",))}


def _command(record: JournalRecord) -> dict[str, Any]:
    command = record.decoded()
    fields = _fields(command)
    found: dict[str, Any] = {
        "seq": command.seq,
        "time": timestamp(command.ts),
        "command": CommandKind(command.kind).name.lower(),
        **_plain(fields, ("seq", "kind", "version")),
        "epoch": record.epoch,
        "semantics": record.semantics,
    }
    if any(record.origin):
        found["origin"] = list(record.origin)
    if record.text:
        found["text"] = record.text
    return found


def _fields(record: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(record)


def _plain(fields: dict[str, Any], without: Iterable[str]) -> dict[str, Any]:
    """The fields as JSON has them: hashes in hexadecimal, symbols as text; hashes of zeros are left out."""
    plain: dict[str, Any] = {}
    for name, value in fields.items():
        if name in without or (isinstance(value, bytes) and not any(value)):
            continue
        if isinstance(value, bytes):
            plain[name] = value.rstrip(b"\0").decode("ascii", "replace") if name == "symbol" else value.hex()
        else:
            plain[name] = value.name.lower() if isinstance(value, IntEnum) else value
    return plain


def _line(content: dict[str, Any]) -> str:
    return msgspec.json.encode(content).decode() + "\n"
