"""The event log as a process beside the exchange's reads it: so far as the exchange says that it goes, and no further.

Nothing is searched for: neither the log's end, which is being written, nor anything after it. So no half-written record is
ever met, and a wake-up costs no look at the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock
from onseju.journal import snapshots
from onseju.journal.files import Files
from onseju.journal.log import SegmentLog
from onseju.journal.port import JournalError
from onseju.journal.runs import EVENTS
from onseju.journal.segment import Identity
from onseju.journal.segments import EVENTS_MAGIC, load_name


class EventTail:
    """The events of the journal in `directory`, through what `see` was told. One thread tells, another reads."""

    def __init__(self, directory: Path) -> None:
        """Raises `JournalError` where there is no journal, or its segments cannot be believed."""
        try:
            name = load_name(directory)
            if name is None:
                raise JournalError(f"There is no journal in {directory}.")
            self._log: SegmentLog[EventBlock, EventRun] = SegmentLog(
                directory / "events",
                Identity(EVENTS_MAGIC, name.venue, name.journal_id),
                EVENTS,
                files=Files(),
                segment_bytes=0,
                reserve_bytes=0,
                derived=True,
                writable=False,
                covered=snapshots.covered(directory / "snapshots"),
                find_end=False,
            )
        except OSError as error:
            raise JournalError(f"The journal in {directory} cannot be read: {error}.") from error
        self._journal_id = name.journal_id

    @property
    def journal_id(self) -> str:
        """J of the event ids."""
        return self._journal_id

    @property
    def last_event_seq(self) -> int:
        """The last event block that may be read."""
        return self._log.last_seq

    def see(self, through_seq: int, newest_segment: int) -> None:
        """Read through this number from now on (`SegmentJournal.events_end`). Raises `JournalError`."""
        try:
            self._log.see(through_seq, newest_segment)
        except OSError as error:
            raise JournalError(f"The event log cannot be read: {error}.") from error

    def read_event_runs(self, after_seq: int = 0) -> Iterator[EventRun]:
        """The event blocks after `after_seq`, through `last_event_seq` as it is now, in runs."""
        return self._log.read_runs(after_seq)
