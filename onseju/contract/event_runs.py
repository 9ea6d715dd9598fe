"""The event blocks of commands that follow each other, with their events in one piece: who reads many at once needs no
object for each command.

The exchange gives listeners a run; it is a sequence of `EventBlock`, made when one is first asked for. Whoever gets blocks
from elsewhere (the event log, a test) makes runs of them with `runs_of`.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from onseju.contract.events import EVENT_BYTES
from onseju.contract.journal_records import EventBlock, Origin
from onseju.contract.runs import Run, shared, split

_NO_TEXTS: Mapping[int, str] = {}


class EventRun(Run[EventBlock]):
    """The blocks of the commands from `first_seq` on, none missing. What is shared by all of them stands once."""

    __slots__ = (
        "_blocks",
        "ends",
        "kinds",
        "origins",
        "payload",
        "texts",
        "timestamps",
    )

    def __init__(
        self,
        *,
        venue: int,
        epoch: int,
        semantics: int,
        first_seq: int,
        kinds: bytes,
        timestamps: Sequence[int],
        payload: bytes,
        ends: Sequence[int],
        texts: Mapping[int, str] = _NO_TEXTS,
        origins: Sequence[Origin] = (),
    ) -> None:
        self.venue = venue
        self.epoch = epoch
        self.semantics = semantics
        self.first_seq = first_seq
        self.kinds = kinds
        """The command's kind, a byte each."""
        self.timestamps = timestamps
        """Microseconds since 1970, one a command."""
        self.payload = payload
        """All events, 128 bytes each."""
        self.ends = ends
        """The byte of `payload` behind each command's events."""
        self.texts = texts
        """A block's text by its place in the run; most have none."""
        self.origins = origins
        """One a command; empty = all by the exchange itself."""
        self._blocks: list[EventBlock | None] | None = None

    @classmethod
    def of(cls, blocks: Sequence[EventBlock]) -> EventRun:
        """A run of one or more blocks that follow each other. Raises `ValueError` where they do not, or where they are not
        of one venue, epoch and semantics."""
        first = blocks[0]
        ends: list[int] = []
        end = 0
        for seq, block in enumerate(blocks, first.seq):
            if block.seq != seq:
                raise ValueError(f"event block {block.seq} came after {seq - 1}")
            if shared(block) != shared(first):
                raise ValueError(f"event block {seq} is of another venue, epoch or semantics than {first.seq}")
            end += len(block.payload)
            ends.append(end)
        run = cls(
            venue=first.venue,
            epoch=first.epoch,
            semantics=first.semantics,
            first_seq=first.seq,
            kinds=bytes([block.command_kind for block in blocks]),
            timestamps=[block.ts for block in blocks],
            payload=b"".join([block.payload for block in blocks]),
            ends=ends,
            texts={at: block.text for at, block in enumerate(blocks) if block.text},
            origins=[block.origin for block in blocks] if any(any(block.origin) for block in blocks) else (),
        )
        run._blocks = list(blocks)
        return run

    def part(self, start: int, stop: int) -> EventRun:
        """The run of the commands at places `start` to `stop`."""
        if start == 0 and stop == len(self.ends):
            return self
        from_byte = self.ends[start - 1] if start else 0
        part = EventRun(
            venue=self.venue,
            epoch=self.epoch,
            semantics=self.semantics,
            first_seq=self.first_seq + start,
            kinds=self.kinds[start:stop],
            timestamps=self.timestamps[start:stop],
            payload=self.payload[from_byte : self.ends[stop - 1] if stop > start else from_byte],
            ends=array("Q", [end - from_byte for end in self.ends[start:stop]]),
            texts={at - start: text for at, text in self.texts.items() if start <= at < stop},
            origins=self.origins[start:stop],
        )
        if self._blocks is not None:
            part._blocks = self._blocks[start:stop]
        return part

    @classmethod
    def joined(cls, runs: Sequence[EventRun]) -> EventRun:
        """One run of one or more that follow each other, all of one venue, epoch and semantics. Raises `ValueError`."""
        first = runs[0]
        if len(runs) == 1:
            return first
        ends, timestamps, texts = array("Q"), array("q"), dict[int, str]()
        from_byte = 0
        for run in runs:
            place = len(ends)
            if run.first_seq != first.first_seq + place or run.shared != first.shared:
                raise ValueError(f"the run from {run.first_seq} does not go on with {first.first_seq + place - 1}")
            ends.extend([from_byte + end for end in run.ends])
            timestamps.extend(run.timestamps)
            for at, text in run.texts.items():
                texts[place + at] = text
            from_byte += len(run.payload)
        have_origins = any(run.origins for run in runs)
        return cls(
            venue=first.venue,
            epoch=first.epoch,
            semantics=first.semantics,
            first_seq=first.first_seq,
            kinds=b"".join([run.kinds for run in runs]),
            timestamps=timestamps,
            payload=b"".join([run.payload for run in runs]),
            ends=ends,
            texts=texts,
            origins=[o for run in runs for o in (run.origins or [Origin()] * len(run))] if have_origins else (),
        )

    @property
    def event_count(self) -> int:
        """The events of all commands."""
        return len(self.payload) // EVENT_BYTES

    def __len__(self) -> int:
        return len(self.ends)

    def entry(self, at: int) -> EventBlock:
        blocks = self._blocks
        if blocks is None:
            blocks = self._blocks = [None] * len(self.ends)
        block = blocks[at]
        if block is None:
            block = blocks[at] = EventBlock(
                venue=self.venue,
                epoch=self.epoch,
                semantics=self.semantics,
                origin=self.origins[at] if self.origins else Origin(),
                seq=self.first_seq + at,
                ts=self.timestamps[at],
                command_kind=self.kinds[at],
                payload=self.payload[self.ends[at - 1] if at else 0 : self.ends[at]],
                text=self.texts.get(at, ""),
            )
        return block


def runs_of(blocks: Sequence[EventBlock]) -> Sequence[EventRun]:
    """The blocks as runs: themselves if they are one; two or more where the epoch changes between them."""
    return (blocks,) if isinstance(blocks, EventRun) else split(blocks, EventRun.of)
