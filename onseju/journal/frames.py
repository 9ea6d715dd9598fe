"""Reads frames (length, checksum, content) out of a segment file, in large pieces, without a shared file position."""

from __future__ import annotations

import os
import re
import struct

from crc32c import crc32c

from onseju.contract.journal_records import FORMAT, FRAME_BYTES, MAX_RECORD_BYTES, RecordDamagedError

FIRST_PIECE = 1 << 16
LARGEST_PIECE = 1 << 20

_LENGTH = struct.Struct("<I")
_LENGTH_CRC = struct.Struct("<II")


class FrameReader:
    """Frames of an open file, by offset. `least` is the shortest a record of this log can be."""

    def __init__(self, descriptor: int, least: int) -> None:
        self._descriptor = descriptor
        self._least = least
        self.piece = b""
        """What was read last."""
        self.at = 0
        """Where in the file it begins."""
        self._view = memoryview(b"")
        self._piece_bytes = FIRST_PIECE

    def frame(self, offset: int) -> memoryview:
        """The frame that begins at `offset`, as long as it says it is; nothing else is checked.

        Raises `RecordDamagedError` where the file ends first, or the length cannot be.
        """
        (length,) = _LENGTH.unpack(self._bytes(offset, _LENGTH.size))
        if not self._least <= length <= MAX_RECORD_BYTES:
            raise RecordDamagedError(f"a record cannot be {length} bytes long")
        return self._bytes(offset, length)

    def _bytes(self, offset: int, count: int) -> memoryview:
        start = offset - self.at
        if start < 0 or start + count > len(self.piece):
            if count > LARGEST_PIECE:  # a damaged length must not make room for a gigabyte that is not there
                self._check_there(offset, count)
            self.at = offset
            self.piece = os.pread(self._descriptor, max(count, self._piece_bytes), offset)
            self._view = memoryview(self.piece)
            self._piece_bytes = min(self._piece_bytes * 2, LARGEST_PIECE)
            start = 0
            if len(self.piece) < count:
                raise _ends_before(count - len(self.piece))
        return self._view[start : start + count]

    def _check_there(self, offset: int, count: int) -> None:
        lacking = offset + count - os.fstat(self._descriptor).st_size
        if lacking > 0:
            raise _ends_before(lacking)


def _ends_before(lacking: int) -> RecordDamagedError:
    return RecordDamagedError(f"the file ends {lacking} bytes before the record does")


def checksum_matches(frame: memoryview) -> bool:
    """Whether a frame's bytes are the ones that were written."""
    length, crc = _LENGTH_CRC.unpack_from(frame)
    return bool(length == len(frame) and crc32c(frame[8:]) == crc)


def whole_record_after(descriptor: int, offset: int, venue: int, least: int) -> int | None:
    """The offset of a whole record somewhere after `offset`, or None.

    A torn write is the last thing in a file. Where a whole record follows, the bytes before it were once whole too.
    """
    data = memoryview(os.pread(descriptor, os.fstat(descriptor).st_size - offset, offset))
    content = re.compile(
        b"(?s)(?=" + re.escape(struct.pack("<H", FORMAT)) + b".." + re.escape(_LENGTH.pack(venue)) + b")"
    )
    for found in content.finditer(data, FRAME_BYTES + 1):
        start = found.start() - FRAME_BYTES
        (length,) = _LENGTH.unpack_from(data, start)
        if least <= length <= len(data) - start and checksum_matches(data[start : start + length]):
            return offset + start
    return None
