"""A log: records with dense numbers in segment files. One writer; readers in any thread, each with its own file handle."""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Generic

import structlog

from onseju.contract.journal_records import FIRST_CHAIN, FRAME_BYTES, RecordDamagedError
from onseju.journal.files import NO_ROOM, Files
from onseju.journal.frames import FrameReader, checksum_matches, whole_record_after
from onseju.journal.port import JournalError, JournalFullError, JournalGoneError
from onseju.journal.runs import Coding, R, Run
from onseju.journal.segment import (
    HEADER_BYTES,
    INDEX_STRIDE,
    Identity,
    Segment,
    UnknownFormatError,
    encode_header,
    segment_path,
    segment_paths,
)

_logger = structlog.get_logger(__name__)


LONGEST_RUN = 1024
"""Records that are read at once, after a few smaller pieces: who wants one record need not wait for a thousand."""


def damaged(path: Path, offset: int, why: object) -> JournalError:
    """The error for a file that cannot be believed."""
    return JournalError(f"{path} is damaged at byte {offset}: {why}.")


class SegmentLog(Generic[R, Run]):
    """A directory of segment files. The owner makes one writer at a time sure, and flushes when it must.

    `covered` is the number through which a snapshot stands for records: so far they may have been archived.
    `derived` says that the log can be rebuilt from another: then whatever is broken in its last segment is cut away with
    all that follows, because it was never flushed; in a log that is the truth, only a torn end is cut.
    Without `find_end` nothing is read at first: whoever writes the log tells what there is (`see`).
    """

    def __init__(
        self,
        directory: Path,
        identity: Identity,
        coding: Coding[R, Run],
        *,
        files: Files,
        segment_bytes: int,
        reserve_bytes: int,
        derived: bool,
        writable: bool,
        covered: int = 0,
        find_end: bool = True,
    ) -> None:
        self._directory = directory
        self._identity = identity
        self._coding = coding
        self._files = files
        self._segment_bytes = segment_bytes
        self._reserve_bytes = reserve_bytes
        self._derived = derived
        self._writable = writable
        self._covered = covered
        self._segments: list[Segment] = []
        self._descriptor: int | None = None
        self._end = HEADER_BYTES
        self._reserved_end = 0
        """Up to here the disk's blocks are the last file's."""
        self._can_reserve = True
        self._chain = FIRST_CHAIN
        self.last_seq = 0
        self._pending_seq = 0
        self.is_full = False
        """Whether the disk had no room for what is to be there beside the reserve."""
        self._load()
        if find_end and self._segments:
            self._scan_last()

    # what is there at the start

    def _load(self) -> None:
        for path in segment_paths(self._directory):
            self._segments.append(self._load_segment(path))
        if not self._segments:
            return
        first = self._segments[0]
        if first.first_seq > self._covered + 1 or (first.first_seq == 1 and first.chain != FIRST_CHAIN):
            raise JournalError(
                f"{self._directory} does not begin at record 1: a segment before {first.path.name} is missing, and there "
                "is no snapshot of what was in it. Put the segment, or a snapshot, back from the archive or a backup."
            )

    def _load_segment(self, path: Path) -> Segment:
        try:
            return Segment.load(path, self._identity)
        except RecordDamagedError as error:
            raise damaged(path, 0, error) from error
        except UnknownFormatError as error:
            raise JournalError(f"{path} cannot be read: {error}.") from error

    def _scan_last(self) -> None:
        segment = self._segments[-1]
        with segment.path.open("rb", buffering=0) as file:
            self._scan(segment, file.fileno())

    def _scan(self, segment: Segment, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        reader = FrameReader(descriptor, self._coding.least_bytes)
        offset, seq, chain = HEADER_BYTES, segment.first_seq, segment.chain
        while offset < size:
            try:
                frame = reader.frame(offset)
                found = self._coding.scan(reader.piece, offset - reader.at, seq, LONGEST_RUN, chain)
                if found is None and not checksum_matches(frame):
                    raise RecordDamagedError("the checksum does not match")
            except RecordDamagedError as error:
                self._cut_torn(segment, descriptor, offset, size, error)
                break
            if found is not None:
                segment.note_all(seq, offset, reader.at, found.ends)
                offset, seq, chain = reader.at + found.ends[-1], seq + len(found.ends), found.chain
                continue
            # whole, so written as it is: what does not fit now is no torn write
            _, chain = self._decode(segment, frame, offset, seq, chain)
            segment.note(seq, offset)
            offset += len(frame)
            seq += 1
        self._end, self._chain, self.last_seq = offset, chain, seq - 1

    def _cut_torn(self, segment: Segment, descriptor: int, offset: int, size: int, error: RecordDamagedError) -> None:
        if not self._derived:
            whole = whole_record_after(descriptor, offset, self._identity.venue, self._coding.least_bytes)
            if whole is not None:
                why = f"{error}, and a whole record follows at byte {whole}, so this is no write that a crash cut short"
                raise damaged(segment.path, offset, why)
        if self._writable:
            _logger.warning(
                "journal_end_cut", file=str(segment.path), offset=offset, bytes=size - offset, why=str(error)
            )
            self._files.cut(segment.path, offset)

    def cut_after(self, seq: int) -> None:
        """Drop every record after `seq`. Before the first reader and the first append only."""
        while self._segments and self.last_seq > seq:
            segment = self._segments[-1]
            if segment.first_seq > seq:
                self._files.remove(segment.path)
                self._segments.pop()
                self.last_seq, self._end, self._chain = 0, HEADER_BYTES, FIRST_CHAIN
                if self._segments:
                    self._scan_last()
                continue
            offset, chain = HEADER_BYTES, segment.chain
            for _, frame_offset, frame in self._frames(segment, segment.first_seq, seq):
                offset, chain = frame_offset + len(frame), bytes(frame[8:FRAME_BYTES])
            self._files.cut(segment.path, offset)
            segment.forget_after(seq)
            self.last_seq, self._end, self._chain = seq, offset, chain

    # writing

    def append(self, records: Sequence[R], *, durably: bool = False) -> None:
        """Hand the records to the system with one write; `durably`: return once they are on the disk.

        Raises `OSError`, or `JournalError` where the numbers do not follow. `JournalFullError`: the disk has no room for
        them, and the file is as it was. After an `OSError` the file's end is unknown, and nothing more may be appended.
        """
        if not records:
            return
        chain = self._chain
        parts = []
        for run in self._following(records):
            part = self._coding.frame(run, chain)
            chain = part.chain
            parts.append(part)
        data = parts[0].data if len(parts) == 1 else b"".join([part.data for part in parts])
        descriptor = self._room_for(len(data))
        try:
            (self._files.write_through if durably else self._files.write)(descriptor, data)
        except OSError as error:
            if error.errno not in NO_ROOM or os.fstat(descriptor).st_size == self._end + len(data):
                raise  # the disk took all of it, and could not flush it: no full disk to wait for
            self._take_back(descriptor)
            raise self._full(error) from error
        seq = self.last_seq
        for part in parts:
            self._segments[-1].note_all(seq + 1, self._end, self._end, part.ends)
            self._end += len(part.data)
            seq += len(part.ends)
        self._chain = chain
        self._pending_seq = seq

    def _following(self, records: Sequence[R]) -> Sequence[Run]:
        """The records as runs that follow what is there. Raises `JournalError` where they do not."""
        try:
            runs = self._coding.runs_of(records)
        except ValueError as error:
            raise JournalError(f"Nothing is appended to {self._directory}: {error}.") from error
        seq = self.last_seq
        for run in runs:
            if run.first_seq != seq + 1:
                raise JournalError(f"Record {run.first_seq} does not follow {seq} in {self._directory}.")
            seq = run.last_seq
        return runs

    def sync(self) -> None:
        """Return once all that was appended is on the disk. Raises `OSError`: then it may not be, now or ever."""
        if self._descriptor is not None:
            self._files.sync(self._descriptor)

    def publish(self) -> None:
        """Let readers see what was appended."""
        self.last_seq = self._pending_seq

    def make_room(self) -> bool:
        """Begin the next segment where it is due, and reserve what is to be reserved; whether there is room. Raises
        `OSError` where the disk fails otherwise."""
        try:
            if not self._segments or self._end >= self._segment_bytes:
                self._begin_segment()
        except JournalFullError:
            return False
        descriptor = self._open_last()
        wanted = self._segment_bytes + self._reserve_bytes
        if self._reserved_end < wanted and not self._reserve(descriptor, wanted):
            return False
        self.is_full = not self._can_reserve and not self._files.has_room(self._directory, self._reserve_bytes)
        return not self.is_full

    def _room_for(self, count: int) -> int:
        """The file to append `count` bytes to. Where no new segment can begin, the last one's reserve takes them."""
        is_due = not self._segments or (self._end > HEADER_BYTES and self._end + count > self._segment_bytes)
        if is_due and not (self._segments and self.is_full):
            try:
                self._begin_segment()
            except JournalFullError:
                if not self._segments:
                    raise
        descriptor = self._open_last()
        least = self._end + count
        if least > self._reserved_end:
            wanted = max(self._segment_bytes, least) + self._reserve_bytes
            kept = max(least, self._end + self._reserve_bytes)  # what the last run may have left for a full disk
            if not any(self._reserve(descriptor, end) for end in (wanted, kept, least)):
                raise JournalFullError(f"There is no room for {self._directory}.")
        return descriptor

    def _open_last(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self._segments[-1].path, os.O_WRONLY | os.O_APPEND)
        return self._descriptor

    def _begin_segment(self) -> None:
        self.sync()  # so that only the last segment can ever lack something
        first_seq = self.last_seq + 1
        path = segment_path(self._directory, first_seq)
        room = self._segment_bytes + self._reserve_bytes
        try:
            reserved = self._files.create(path, encode_header(self._identity, first_seq, self._chain), room=room)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise self._full(error) from error
        self._give_back()
        self.close()
        self._segments.append(Segment(path, first_seq, self._chain))
        self._end = HEADER_BYTES
        self._reserved_end = room if reserved else 0
        self._can_reserve = reserved

    def _reserve(self, descriptor: int, end: int) -> bool:
        """Have the disk's blocks through byte `end`; whether it gives them, or takes no such orders."""
        if not self._can_reserve:
            return True
        try:
            self._can_reserve = self._files.allocate(descriptor, self._end, end - self._end)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            self._full(error)
            return False
        self._reserved_end = end
        return True

    def _full(self, error: OSError) -> JournalFullError:
        if not self.is_full:
            _logger.error("disk_full", directory=str(self._directory), error=str(error))
        self.is_full = True
        return JournalFullError(f"There is no room for {self._directory} ({error.strerror}).")

    def _take_back(self, descriptor: int) -> None:
        """Cut away what a write left that found no room."""
        os.ftruncate(descriptor, self._end)
        self._reserved_end = 0

    def _give_back(self) -> None:
        """Let go of the blocks beyond the end: a full segment needs none."""
        if self._descriptor is not None and self._reserved_end > self._end:
            os.ftruncate(self._descriptor, self._end)
            self._reserved_end = 0

    def release(self) -> None:
        """Keep the reserve alone: the next start needs it where the disk is full. Before `close`."""
        if self._descriptor is not None and self._reserved_end:
            self._give_back()
            with contextlib.suppress(OSError):  # a small promise; what matters is on the disk
                self._files.allocate(self._descriptor, self._end, self._reserve_bytes)

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    # reading

    @property
    def first_seq(self) -> int:
        """The number of the oldest record that is here; 1 in an empty log."""
        return self._segments[0].first_seq if self._segments else 1

    def chain_at(self, seq: int) -> bytes:
        """The chain of a record that is here, or of the one before the first. Raises `JournalError`."""
        if seq == self.first_seq - 1:
            return self._segments[0].chain if self._segments else FIRST_CHAIN
        if not self.first_seq <= seq <= self.last_seq:
            raise JournalError(f"Record {seq} is not in {self._directory}.")
        segment = self._segments[bisect_right(self._segments, seq, key=lambda segment: segment.first_seq) - 1]
        return next(bytes(frame[8:FRAME_BYTES]) for at, _, frame in self._frames(segment, seq, seq) if at == seq)

    @property
    def newest_segment(self) -> int:
        """The number that the newest segment begins at; 0 in an empty log."""
        return self._segments[-1].first_seq if self._segments else 0

    def see(self, through_seq: int, newest_segment: int) -> None:
        """In a process beside the writer's, which tells its `last_seq` and then its `newest_segment`: read so far from now on.

        Raises `JournalError`, `OSError`.
        """
        if newest_segment > self.newest_segment:
            known = self.newest_segment
            for path in segment_paths(self._directory):
                if int(path.stem) > known:
                    self._segments = [*self._segments, self._load_segment(path)]
        self.last_seq = through_seq

    def full_segments(self, through_seq: int) -> list[Path]:
        """The files, oldest first, all of whose records are at most `through_seq`, without the last file of the log."""
        following = zip(self._segments, self._segments[1:], strict=False)
        return [segment.path for segment, after in following if after.first_seq - 1 <= through_seq]

    def paths_through(self, seq: int) -> list[Path]:
        """The files that hold the records through `seq`, oldest first."""
        return [segment.path for segment in self._segments if segment.first_seq <= seq]

    def forget(self, count: int) -> None:
        """Read nothing more from the oldest `count` segments: they are gone, or about to."""
        self._segments = self._segments[count:]

    def read(self, after_seq: int) -> Iterator[R]:
        """The records after `after_seq`, through the last one that is visible now. Cheap when there is nothing new.

        Raises `JournalError`, then or while iterating, naming the file and the byte where it is damaged.
        """
        return self._records(self.read_runs(after_seq))

    @staticmethod
    def _records(runs: Iterator[Run]) -> Iterator[R]:
        for run in runs:
            yield from run  # type: ignore[misc]  # the coding's runs are of its records

    def read_runs(self, after_seq: int) -> Iterator[Run]:
        """The same in runs, short ones at first: of one leader's records each, and at most `LONGEST_RUN`."""
        through = self.last_seq
        if after_seq >= through:
            return iter(())
        if max(after_seq, 0) + 1 < self.first_seq:
            raise JournalGoneError(f"The records before {self.first_seq} of {self._directory} were archived.")
        return self._read_runs(max(after_seq, 0) + 1, through)

    def _read_runs(self, first: int, through: int) -> Iterator[Run]:
        segments = self._segments  # a list of its own after each `forget`
        place = bisect_right(segments, first, key=lambda segment: segment.first_seq) - 1
        if place < 0:
            raise JournalGoneError(f"The records before {self.first_seq} of {self._directory} were archived.")
        chain: bytes | None = None
        limit = INDEX_STRIDE
        wanted = first
        while wanted <= through:
            segment = segments[place]
            place += 1
            last = segments[place].first_seq - 1 if place < len(segments) else through
            if chain is not None and chain != segment.chain:
                raise damaged(segment.path, 0, "the hash chain is broken: it does not follow the segment before it")
            for run, run_chain in self._segment_runs(segment, wanted, min(last, through), limit):
                chain = run_chain
                yield run
            wanted, limit = min(last, through) + 1, LONGEST_RUN

    def _segment_runs(self, segment: Segment, first: int, last: int, limit: int) -> Iterator[tuple[Run, bytes]]:
        """The records `first` through `last` of a segment, checked, and the chain of each run's last one."""
        seq, offset = segment.nearest(first)
        chain = segment.chain if seq == segment.first_seq else None
        with self._opened(segment) as file:
            reader = FrameReader(file.fileno(), self._coding.least_bytes)
            while seq <= last:
                frame = self._frame(reader, segment, offset)
                if seq < first:
                    segment.note(seq, offset)
                    offset, seq, chain = offset + len(frame), seq + 1, bytes(frame[8:FRAME_BYTES])
                    continue
                found = self._coding.scan(reader.piece, offset - reader.at, seq, min(limit, last - seq + 1), chain)
                if found is None:
                    record, chain = self._decode(segment, frame, offset, seq, chain)
                    segment.note(seq, offset)
                    offset, seq = offset + len(frame), seq + 1
                    yield self._coding.runs_of([record])[0], chain
                    continue
                segment.note_all(seq, offset, reader.at, found.ends)
                offset, seq, chain = reader.at + found.ends[-1], seq + len(found.ends), found.chain
                limit = min(limit * 2, LONGEST_RUN)
                yield found.run, chain

    @staticmethod
    def _opened(segment: Segment) -> FileIO:
        try:
            return segment.path.open("rb", buffering=0)
        except FileNotFoundError as error:
            raise JournalGoneError(f"{segment.path} was archived, or is missing.") from error

    @staticmethod
    def _frame(reader: FrameReader, segment: Segment, offset: int) -> memoryview:
        try:
            return reader.frame(offset)
        except RecordDamagedError as error:
            raise damaged(segment.path, offset, error) from error

    def _decode(
        self, segment: Segment, frame: memoryview, offset: int, seq: int, chain: bytes | None
    ) -> tuple[R, bytes]:
        try:
            record, chain = self._coding.decode(frame, chain)
        except ValueError as error:  # a `RecordDamagedError`, or text that is not UTF-8
            raise damaged(segment.path, offset, error) from error
        if record.seq != seq:
            raise damaged(segment.path, offset, f"record {record.seq} stands where {seq} belongs")
        return record, chain

    def _frames(self, segment: Segment, first: int, last: int) -> Iterator[tuple[int, int, memoryview]]:
        """Number, offset and bytes of the records from the nearest known one before `first` through `last`."""
        seq, offset = segment.nearest(first)
        with self._opened(segment) as file:
            reader = FrameReader(file.fileno(), self._coding.least_bytes)
            while seq <= last:
                frame = self._frame(reader, segment, offset)
                segment.note(seq, offset)
                yield seq, offset, frame
                offset += len(frame)
                seq += 1
