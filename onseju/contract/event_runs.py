"""The event blocks of commands that follow each other, with their events in one piece: who reads many at once needs no
object for each command.

The exchange gives listeners a run; it is a sequence of `EventBlock`, made when one is first asked for. Whoever gets blocks
from elsewhere (the event log, a test) makes runs of them with `runs_of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

from onseju.contract.events import EVENT_BYTES
from onseju.contract.journal_records import EventBlock, Origin

_NO_TEXTS: Mapping[int, str] = {}


class EventRun(Sequence[EventBlock]):
    """The blocks of the commands from `first_seq` on, none missing. What is shared by all of them stands once."""

    __slots__ = (
        "_blocks",
        "ends",
        "epoch",
        "first_seq",
        "kinds",
        "origins",
        "payload",
        "semantics",
        "texts",
        "timestamps",
        "venue",
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
        shared = (first.venue, first.epoch, first.semantics)
        ends: list[int] = []
        end = 0
        for seq, block in enumerate(blocks, first.seq):
            if block.seq != seq:
                raise ValueError(f"event block {block.seq} came after {seq - 1}")
            if (block.venue, block.epoch, block.semantics) != shared:
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

    @property
    def last_seq(self) -> int:
        """The last command's number."""
        return self.first_seq + len(self.ends) - 1

    @property
    def event_count(self) -> int:
        """The events of all commands."""
        return len(self.payload) // EVENT_BYTES

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> EventBlock: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[EventBlock]: ...

    def __getitem__(self, index: int | slice) -> EventBlock | Sequence[EventBlock]:
        if isinstance(index, slice):
            return [self._block(at) for at in range(*index.indices(len(self.ends)))]
        count = len(self.ends)
        if not -count <= index < count:
            raise IndexError(index)
        return self._block(index % count)

    def __iter__(self) -> Iterator[EventBlock]:
        return map(self._block, range(len(self.ends)))

    def _block(self, at: int) -> EventBlock:
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


def runs_of(blocks: Sequence[EventBlock]) -> Iterable[EventRun]:
    """The blocks as runs: themselves if they are one; two or more where the epoch changes between them."""
    if isinstance(blocks, EventRun):
        return (blocks,)
    runs: list[EventRun] = []
    start = 0
    for at in range(1, len(blocks) + 1):
        if at == len(blocks) or _shared(blocks[at]) != _shared(blocks[start]):
            runs.append(EventRun.of(blocks[start:at]))
            start = at
    return runs


def _shared(block: EventBlock) -> tuple[int, int, int]:
    return block.venue, block.epoch, block.semantics
