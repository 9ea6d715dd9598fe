"""One segment file: its header, its name, and a sparse index of where its records begin.

Header, 64 bytes, little-endian:

    0  8s magic         `ONSEJU-C` for commands, `ONSEJU-E` for event blocks
    8  u16 format · u16 zero · u32 venue
    16 12s journal id   ASCII
    28 u64 first seq    the number of the segment's first record, which its name repeats
    36 16s chain        of the record before it: 16 zero bytes before the journal's first
    52 8 zero bytes
    60 u32 crc          CRC-32C of the 60 bytes before it
"""

from __future__ import annotations

import struct
import threading
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from crc32c import crc32c

from onseju.contract.journal_records import RecordDamagedError

SEGMENT_FORMAT = 1
HEADER_BYTES = 64
JOURNAL_ID_CHARS = 12
INDEX_STRIDE = 32
"""Every so many records the index notes an offset: reading starts at most this many records early."""

_HEADER = struct.Struct("<8sHHI12sQ16s8x")
_CRC = struct.Struct("<I")
_SUFFIX = ".log"


class UnknownFormatError(Exception):
    """The segment is whole, and was written by another release."""


class Identity(NamedTuple):
    """What all segments of one log share."""

    magic: bytes
    venue: int
    journal_id: str


def segment_path(directory: Path, first_seq: int) -> Path:
    """Where the segment lies whose first record is `first_seq`. Names sort as numbers do."""
    return directory / f"{first_seq:020d}{_SUFFIX}"


def segment_paths(directory: Path) -> list[Path]:
    """The segments of a directory, oldest first."""
    return sorted(path for path in directory.glob(f"*{_SUFFIX}") if path.stem.isdecimal())


def encode_header(identity: Identity, first_seq: int, chain: bytes) -> bytes:
    """A segment's first 64 bytes."""
    name = identity.journal_id.encode("ascii")
    head = _HEADER.pack(identity.magic, SEGMENT_FORMAT, 0, identity.venue, name, first_seq, chain)
    return head + _CRC.pack(crc32c(head))


def decode_header(data: bytes) -> tuple[Identity, int, bytes]:
    """A header's identity, first seq and chain. Raises `RecordDamagedError` or `UnknownFormatError`."""
    if len(data) != HEADER_BYTES:
        raise RecordDamagedError(f"{len(data)} bytes are too few for a segment's header")
    head = data[: _HEADER.size]
    if _CRC.unpack_from(data, _HEADER.size)[0] != crc32c(head):
        raise RecordDamagedError("the checksum of the segment's header does not match")
    magic, fmt, _, venue, name, first_seq, chain = _HEADER.unpack(head)
    if fmt != SEGMENT_FORMAT:
        raise UnknownFormatError(
            f"segment format {fmt} was written by a newer release; this one reads through {SEGMENT_FORMAT}. "
            "Start that release, or put back a backup from before it"
        )
    if not name.isascii():
        raise RecordDamagedError("the journal's id in the segment's header is not ASCII")
    return Identity(magic, venue, name.decode("ascii")), first_seq, chain


class Segment:
    """A segment file and what is known of it in memory. `chain` is that of the record before its first."""

    __slots__ = ("_lock", "_offsets", "chain", "first_seq", "path")

    def __init__(self, path: Path, first_seq: int, chain: bytes) -> None:
        self.path = path
        self.first_seq = first_seq
        self.chain = chain
        self._offsets = array("Q", [HEADER_BYTES])
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path, identity: Identity) -> Self:
        """The segment in this file.

        Raises `RecordDamagedError` where it is harmed or belongs to another journal, or `UnknownFormatError`.
        """
        with path.open("rb") as file:
            found, first_seq, chain = decode_header(file.read(HEADER_BYTES))
        if found != identity:
            raise RecordDamagedError(f"the segment is of {found}, not of {identity}")
        if path.stem != f"{first_seq:020d}":
            raise RecordDamagedError(f"the header says that the first record is {first_seq}, the name says otherwise")
        return cls(path, first_seq, chain)

    def note(self, seq: int, offset: int) -> None:
        """Remember where a record begins, if it is one of those that the index keeps."""
        place, rest = divmod(seq - self.first_seq, INDEX_STRIDE)
        if rest == 0:
            with self._lock:
                if place == len(self._offsets):
                    self._offsets.append(offset)

    def note_all(self, first_seq: int, offset: int, base: int, ends: Sequence[int]) -> None:
        """The same for records from `first_seq` on, the first at `offset`; each ends `ends` bytes after `base`."""
        before = -(first_seq - self.first_seq) % INDEX_STRIDE
        if before == 0:
            self.note(first_seq, offset)
            before = INDEX_STRIDE
        for place in range(before, len(ends), INDEX_STRIDE):
            self.note(first_seq + place, base + ends[place - 1])

    def nearest(self, seq: int) -> tuple[int, int]:
        """The last known record at or before `seq`: its number and its offset."""
        place = min((seq - self.first_seq) // INDEX_STRIDE, len(self._offsets) - 1)
        return self.first_seq + place * INDEX_STRIDE, self._offsets[place]

    def forget_after(self, seq: int) -> None:
        """Drop what the index knows of records after `seq`."""
        keep = max((seq - self.first_seq) // INDEX_STRIDE + 1, 1)
        with self._lock:
            del self._offsets[keep:]
