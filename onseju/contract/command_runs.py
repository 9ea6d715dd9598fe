"""Commands that follow each other, with their bytes in one piece: what `event_runs` is for events.

The exchange numbers, writes and applies a run without an object for each command; it is a sequence of `JournalRecord`, made
when one is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onseju.contract.commands import COMMAND_BYTES
from onseju.contract.journal_records import JournalRecord, Origin
from onseju.contract.runs import Run, shared, split

_NO_TEXTS: Mapping[int, str] = {}


class CommandRun(Run[JournalRecord]):
    """The journal's commands from `first_seq` on, none missing. What is shared by all of them stands once."""

    __slots__ = ("data", "origins", "texts")

    def __init__(
        self,
        *,
        venue: int,
        epoch: int,
        semantics: int,
        first_seq: int,
        data: bytes,
        texts: Mapping[int, str] = _NO_TEXTS,
        origins: Sequence[Origin] = (),
    ) -> None:
        self.venue = venue
        self.epoch = epoch
        self.semantics = semantics
        self.first_seq = first_seq
        self.data = data
        """The commands, 112 bytes each, numbered from `first_seq` on."""
        self.texts = texts
        """What came beside a command, by its place in the run; most have none."""
        self.origins = origins
        """One a command; empty = all by the exchange itself."""

    @classmethod
    def of(cls, records: Sequence[JournalRecord]) -> CommandRun:
        """A run of one or more records that follow each other. Raises `ValueError` where they do not, or where they are not
        of one venue, epoch and semantics."""
        first = records[0]
        for seq, record in enumerate(records, first.seq):
            if record.seq != seq:
                raise ValueError(f"record {record.seq} came after {seq - 1}")
            if shared(record) != shared(first):
                raise ValueError(f"record {seq} is of another venue, epoch or semantics than {first.seq}")
        return cls(
            venue=first.venue,
            epoch=first.epoch,
            semantics=first.semantics,
            first_seq=first.seq,
            data=b"".join([record.command for record in records]),
            texts={at: record.text for at, record in enumerate(records) if record.text},
            origins=[record.origin for record in records] if any(any(record.origin) for record in records) else (),
        )

    def part(self, start: int, stop: int) -> CommandRun:
        """The run of the commands at places `start` to `stop`."""
        if start == 0 and stop == len(self):
            return self
        return CommandRun(
            venue=self.venue,
            epoch=self.epoch,
            semantics=self.semantics,
            first_seq=self.first_seq + start,
            data=self.data[start * COMMAND_BYTES : stop * COMMAND_BYTES],
            texts={at - start: text for at, text in self.texts.items() if start <= at < stop},
            origins=self.origins[start:stop],
        )

    @classmethod
    def joined(cls, runs: Sequence[CommandRun]) -> CommandRun:
        """One run of one or more that follow each other, all of one venue, epoch and semantics. Raises `ValueError`."""
        first = runs[0]
        if len(runs) == 1:
            return first
        texts: dict[int, str] = {}
        seq = first.first_seq
        for run in runs:
            if run.first_seq != seq or run.shared != first.shared:
                raise ValueError(f"the run from {run.first_seq} does not go on with the one through {seq - 1}")
            for at, text in run.texts.items():
                texts[seq - first.first_seq + at] = text
            seq += len(run)
        have_origins = any(run.origins for run in runs)
        return cls(
            venue=first.venue,
            epoch=first.epoch,
            semantics=first.semantics,
            first_seq=first.first_seq,
            data=b"".join([run.data for run in runs]),
            texts=texts,
            origins=[o for run in runs for o in (run.origins or [Origin()] * len(run))] if have_origins else (),
        )

    def __len__(self) -> int:
        return len(self.data) // COMMAND_BYTES

    def entry(self, at: int) -> JournalRecord:
        return JournalRecord(
            venue=self.venue,
            epoch=self.epoch,
            semantics=self.semantics,
            origin=self.origins[at] if self.origins else Origin(),
            command=self.data[at * COMMAND_BYTES : (at + 1) * COMMAND_BYTES],
            text=self.texts.get(at, ""),
        )


def command_runs_of(records: Sequence[JournalRecord]) -> Sequence[CommandRun]:
    """The records as runs: themselves if they are one; two or more where the epoch changes between them."""
    return (records,) if isinstance(records, CommandRun) else split(records, CommandRun.of)
