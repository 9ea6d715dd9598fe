"""Another name for a journal that was copied: from here on its history is its own.

A copy of a journal goes on otherwise than the first one did after the copy was made. Under the first one's name a client
could not tell: it would resume at a position that now means something else. So whoever makes a journal of a copy gives it a
new name; clients that come with the old one are told to begin anew.
"""

from __future__ import annotations

from pathlib import Path

from onseju.journal import snapshots
from onseju.journal.segment import HEADER_BYTES, decode_header, encode_header, segment_paths
from onseju.journal.segments import SegmentJournal

FOLDERS = ("commands", "events")


def rename_journal(directory: Path) -> str:
    """Give the journal in `directory` a new name: in `journal.json`, in each segment's header, in each snapshot.

    Nobody may have it open. Not one step: call it on a copy that has no name of its own yet, and flush that afterwards.
    What is damaged stays as it is, for `verify` to tell of. Raises `JournalError`, `OSError`.
    """
    venue = SegmentJournal.open_for_reading(directory).venue
    other = directory / "other"
    SegmentJournal.open(other, venue=venue).close()
    journal_id = SegmentJournal.open_for_reading(other).journal_id
    for folder in FOLDERS:
        for path in segment_paths(directory / folder):
            with path.open("r+b") as file:
                identity, first_seq, chain = decode_header(file.read(HEADER_BYTES))
                file.seek(0)
                file.write(encode_header(identity._replace(journal_id=journal_id), first_seq, chain))
    for found in snapshots.newest(directory / "snapshots"):
        if isinstance(found, snapshots.Snapshot):
            _rename_snapshot(found, journal_id)
    (other / "journal.json").replace(directory / "journal.json")
    for folder in FOLDERS:
        (other / folder).rmdir()
    (other / "lock").unlink()
    other.rmdir()
    return journal_id


def _rename_snapshot(snapshot: snapshots.Snapshot, journal_id: str) -> None:
    try:
        sections = {section.name: snapshot.section(section.name) for section in snapshot._sections}
    except snapshots.SnapshotUnusableError:
        return
    snapshots.write(snapshot.path.parent, snapshot.head._replace(journal_id=journal_id), sections)
