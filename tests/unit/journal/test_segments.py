"""The segment journal beyond its port: files, lock, failing disks, cheap tails, reading without the lock."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crc32c import crc32c

from onseju.journal import frames
from onseju.journal.files import Files
from onseju.journal.port import JournalError, JournalFullError
from onseju.journal.segment import HEADER_BYTES, INDEX_STRIDE
from onseju.journal.segments import SegmentJournal
from tests.contract.samples import block, blocks, record, records


class FailingFiles(Files):
    """Fails the operation named in `broken`, and counts all."""

    at_once = False

    def __init__(self) -> None:
        super().__init__(durable=True)
        self.broken = ""
        self.half = False
        self.calls: list[str] = []

    def _check(self, name: str) -> None:
        self.calls.append(name)
        if self.broken == name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def write(self, descriptor: int, data: bytes) -> None:
        if self.broken == "write" and self.half:
            super().write(descriptor, data[: len(data) // 2])
        self._check("write")
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._check("sync")
        super().sync(descriptor)

    def sync_directory(self, directory: Path) -> None:
        self._check("sync_directory")
        super().sync_directory(directory)


@pytest.fixture
def files() -> FailingFiles:
    return FailingFiles()


@pytest.fixture
def journal(tmp_path: Path, files: FailingFiles) -> Iterator[SegmentJournal]:
    journal = SegmentJournal.open(tmp_path, files=files)
    yield journal
    journal.close()


def test_one_batch_is_one_write_and_one_flush(journal: SegmentJournal, files: FailingFiles) -> None:
    journal.append(records(1, 1))
    files.calls.clear()
    journal.append(records(2, 500))
    assert files.calls == ["write", "sync"]
    files.calls.clear()
    journal.append_events(blocks(1, 1))
    files.calls.clear()
    journal.append_events(blocks(2, 500))
    assert files.calls == ["write"]


@pytest.mark.parametrize("broken", ["write", "sync"])
def test_a_failing_disk_ends_all_writing(
    journal: SegmentJournal, files: FailingFiles, tmp_path: Path, broken: str
) -> None:
    journal.append(records(1, 2))
    journal.append_events(blocks(1, 1))
    files.broken = broken
    with pytest.raises(JournalError, match="disk failed"):
        journal.append(records(3, 4))
    files.broken = ""  # the disk says that it is well again: it is not believed
    for _ in range(2):
        with pytest.raises(JournalError, match=re.escape(f"{tmp_path / 'commands'} failed")):
            journal.append(records(3, 4))
        with pytest.raises(JournalError, match="failed"):
            journal.append_events(blocks(2, 2))
    assert (journal.last_seq, journal.last_event_seq) == (2, 1)
    assert list(journal.read()) == records(1, 2)
    assert list(journal.read_events()) == blocks(1, 1)


def test_a_disk_that_fails_under_events_ends_all_writing(journal: SegmentJournal, files: FailingFiles) -> None:
    journal.append(records(1, 2))
    files.broken = "write"
    with pytest.raises(JournalError, match="disk failed"):
        journal.append_events(blocks(1, 2))
    files.broken = ""
    with pytest.raises(JournalError, match="failed"):
        journal.append(records(3, 3))
    assert (journal.last_seq, journal.last_event_seq) == (2, 0)


@pytest.mark.parametrize("broken", ["sync", "sync_directory"])
def test_a_disk_that_fails_at_a_new_segment_ends_all_writing(tmp_path: Path, files: FailingFiles, broken: str) -> None:
    journal = SegmentJournal.open(tmp_path, files=files, segment_bytes=1000)
    journal.append(records(1, 5))
    files.broken = broken
    with pytest.raises(JournalError, match="disk failed"):
        journal.append(records(6, 6))
    files.broken = ""
    with pytest.raises(JournalError):
        journal.append(records(6, 6))
    journal.close()
    journal = SegmentJournal.open(tmp_path, segment_bytes=1000)
    assert list(journal.read()) == records(1, 5)
    journal.append(records(6, 12))
    journal.verify()
    journal.close()


def test_half_a_write_is_cut_away_at_the_next_start(tmp_path: Path, files: FailingFiles) -> None:
    journal = SegmentJournal.open(tmp_path, files=files)
    journal.append(records(1, 2))
    files.broken, files.half = "write", True
    with pytest.raises(JournalError):
        journal.append(records(3, 3))
    journal.close()
    journal = SegmentJournal.open(tmp_path)
    assert list(journal.read()) == records(1, 2)
    journal.append(records(3, 3))
    journal.verify()
    journal.close()


def test_without_fsync_nothing_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise AssertionError("flushed")

    monkeypatch.setattr(os, "fdatasync", refuse)
    monkeypatch.setattr(os, "fsync", refuse)
    journal = SegmentJournal.open(tmp_path, fsync=False, segment_bytes=1000)
    journal.append(records(1, 5))
    journal.append(records(6, 10))
    journal.close()


def test_files_are_named_by_their_first_record(tmp_path: Path) -> None:
    journal = SegmentJournal.open(tmp_path, fsync=False, segment_bytes=1000)
    for first in range(1, 30, 4):
        journal.append(records(first, first + 3))
    names = sorted(path.name for path in (tmp_path / "commands").iterdir())
    assert names == [f"{first:020d}.log" for first in range(1, 30, 4)]
    assert all(path.stat().st_size > HEADER_BYTES for path in (tmp_path / "commands").iterdir())
    journal.close()


def test_a_batch_larger_than_a_segment_is_kept_together(tmp_path: Path) -> None:
    journal = SegmentJournal.open(tmp_path, fsync=False, segment_bytes=1000)
    journal.append(records(1, 1))
    journal.append(records(2, 200))
    journal.append(records(201, 201))
    assert len(list((tmp_path / "commands").iterdir())) == 3
    assert list(journal.read(150)) == records(151, 201)
    journal.close()


def test_the_error_names_the_process_that_holds_the_journal(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from onseju.journal.segments import SegmentJournal\n"
        "journal = SegmentJournal.open(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(JournalError, match=rf"in use by another process \(pid {holder.pid}\)"):
            SegmentJournal.open(tmp_path)
        holder.kill()
    SegmentJournal.open(tmp_path).close()


def test_a_journal_of_another_venue_is_refused(tmp_path: Path) -> None:
    SegmentJournal.open(tmp_path, venue=3).close()
    with pytest.raises(JournalError, match="is of venue 3, not 4"):
        SegmentJournal.open(tmp_path, venue=4)
    SegmentJournal.open(tmp_path, venue=3).close()


@pytest.mark.parametrize("content", [b"", b"{}", b"\0\0\0", b'{"journal_id":"a","venue":1,"format":1,"x":2}'])
def test_a_damaged_name_is_refused(tmp_path: Path, content: bytes) -> None:
    SegmentJournal.open(tmp_path).close()
    (tmp_path / "journal.json").write_bytes(content)
    with pytest.raises(JournalError, match=r"journal\.json is damaged"):
        SegmentJournal.open(tmp_path)


def test_what_a_later_release_wrote_is_not_read(tmp_path: Path) -> None:
    journal = SegmentJournal.open(tmp_path, fsync=False)
    journal.append(records(1, 1))
    journal.close()
    name = tmp_path / "journal.json"
    content = name.read_bytes()
    name.write_bytes(b'{"journal_id":"aaaaaaaaaaaa","venues":[1],"format":2}')
    for opened in (SegmentJournal.open, SegmentJournal.open_for_reading):
        with pytest.raises(
            JournalError,
            match=r"of a format that was made by a newer release; this one reads through 1. Start that release",
        ):
            opened(tmp_path)
    name.write_bytes(content)

    (segment,) = (tmp_path / "commands").iterdir()
    whole = segment.read_bytes()
    header = whole[:8] + (2).to_bytes(2, "little") + whole[10:60]
    segment.write_bytes(header + crc32c(header).to_bytes(4, "little") + whole[64:])
    for opened in (SegmentJournal.open, SegmentJournal.open_for_reading):
        with pytest.raises(
            JournalError,
            match=r"segment format 2 was written by a newer release; this one reads through 1. Start that release",
        ) as found:
            opened(tmp_path)
        assert "damaged" not in str(found.value)
    segment.write_bytes(whole)
    SegmentJournal.open(tmp_path).close()


def test_a_missing_name_is_not_replaced_by_a_new_one(tmp_path: Path) -> None:
    journal = SegmentJournal.open(tmp_path, fsync=False)
    journal.append(records(1, 1))
    journal.close()
    (tmp_path / "journal.json").unlink()
    with pytest.raises(JournalError, match=r"journal\.json is missing"):
        SegmentJournal.open(tmp_path)


def test_two_journals_have_two_ids(tmp_path: Path) -> None:
    names = set()
    for number in range(5):
        journal = SegmentJournal.open(tmp_path / str(number), fsync=False)
        names.add(journal.journal_id)
        journal.close()
    assert len(names) == 5
    assert all(re.fullmatch("[a-z2-7]{12}", name) for name in names)


def test_a_directory_that_cannot_be_made_is_an_error_with_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match="cannot be opened"):
        SegmentJournal.open(tmp_path / "file" / "journal")


def test_reading_without_the_lock_while_it_is_written(tmp_path: Path) -> None:
    journal = SegmentJournal.open(tmp_path, fsync=False)
    journal.append(records(1, 5))
    journal.append_events(blocks(1, 3))
    reader = SegmentJournal.open_for_reading(tmp_path)
    journal.append(records(6, 6))
    assert list(reader.read()) == records(1, 5)
    assert list(reader.read_events()) == blocks(1, 3)
    assert (reader.journal_id, reader.venue) == (journal.journal_id, 1)
    with pytest.raises(JournalError, match="opened for reading"):
        reader.append(records(7, 7))
    reader.close()
    journal.append(records(7, 7))
    journal.close()


def test_reading_without_the_lock_changes_nothing(tmp_path: Path) -> None:
    journal = SegmentJournal.open(tmp_path, fsync=False)
    journal.append(records(1, 5))
    journal.append_events(blocks(1, 5))
    journal.close()
    path = tmp_path / "commands" / "00000000000000000001.log"
    torn = path.read_bytes()[:-7]
    path.write_bytes(torn)
    reader = SegmentJournal.open_for_reading(tmp_path)
    assert [record.seq for record in reader.read()] == [1, 2, 3, 4]
    assert [block.seq for block in reader.read_events()] == [1, 2, 3, 4]
    reader.verify()
    reader.close()
    assert path.read_bytes() == torn


def test_reading_where_there_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="There is no journal"):
        SegmentJournal.open_for_reading(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_tail_reads_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = SegmentJournal.open(tmp_path, fsync=False)
    total = 20_000
    for first in range(1, total, 1000):
        journal.append(records(first, first + 999))
        journal.append_events(blocks(first, first + 999))
    read: list[int] = []
    pread = os.pread

    def counting(descriptor: int, count: int, offset: int) -> bytes:
        data = pread(descriptor, count, offset)
        read.append(len(data))
        return data

    monkeypatch.setattr(frames.os, "pread", counting)
    assert list(journal.read_events(total)) == []
    assert read == []
    assert [block.seq for block in journal.read_events(total - 3)] == [total - 2, total - 1, total]
    longest = (INDEX_STRIDE + 3) * 400
    assert sum(read) < longest
    read.clear()
    journal.close()
    journal = SegmentJournal.open(tmp_path, fsync=False)
    read.clear()
    assert [record.seq for record in journal.read(total - 1)] == [total]
    assert sum(read) < longest
    journal.close()


def test_long_records_are_read_whole(tmp_path: Path) -> None:
    journal = SegmentJournal.open(tmp_path, fsync=False)
    journal.append(records(1, 3))
    long = [block(1, events=30_000), block(2), block(3, events=9_000)]
    journal.append_events(long)
    assert list(journal.read_events()) == long
    journal.verify()
    journal.close()
    journal = SegmentJournal.open(tmp_path, fsync=False)
    assert list(journal.read_events(1)) == long[1:]
    journal.close()


def test_a_half_read_iterator_can_be_left(tmp_path: Path) -> None:
    journal = SegmentJournal.open(tmp_path, fsync=False)
    journal.append(records(1, 100))
    iterator = journal.read()
    assert next(iterator) == record(1)
    del iterator
    journal.append(records(101, 101))
    assert next(journal.read(100)) == record(101)
    journal.close()


@pytest.mark.parametrize("at_once", [True, False])
def test_commands_are_on_the_disk_before_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if at_once and not Files.at_once:
        pytest.skip("this system does not write and flush in one call")
    monkeypatch.setattr(Files, "at_once", at_once)
    flushed: list[tuple[str, int]] = []

    def note(flush: Callable[[int], None]) -> Callable[[int], None]:
        def noting(descriptor: int) -> None:
            flush(descriptor)
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            flushed.append((os.path.relpath(path, tmp_path), os.fstat(descriptor).st_size))

        return noting

    def write_through(descriptor: int, data: list[bytes], offset: int, flags: int, pwritev=os.pwritev) -> int:
        assert flags == os.RWF_DSYNC
        written: list[int] = []
        note(lambda it: written.append(pwritev(it, data, offset, flags)))(descriptor)
        return written[0]

    monkeypatch.setattr(os, "pwritev", write_through)
    monkeypatch.setattr(os, "fdatasync", note(os.fdatasync))
    monkeypatch.setattr(os, "fsync", note(os.fsync))
    journal = SegmentJournal.open(tmp_path)
    journal.append(records(1, 2))
    (segment,) = (tmp_path / "commands").iterdir()
    name = f"commands/{segment.name}"
    assert ("commands", (tmp_path / "commands").stat().st_size) in flushed, "the new file's name"
    assert flushed[-1] == (name, segment.stat().st_size), "the records, all of them"
    flushed.clear()
    journal.append(records(3, 3))
    assert flushed == [(name, segment.stat().st_size)], "one flush for a batch"
    journal.close()

    flushed.clear()
    journal = SegmentJournal.open(tmp_path, fsync=False)
    journal.append(records(4, 4))
    journal.close()
    assert flushed == [], "a venue to be thrown away"


@pytest.mark.skipif(not Files.at_once, reason="this system does not write and flush in one call")
def test_what_is_written_and_flushed_at_once_may_be_taken_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = SegmentJournal.open(tmp_path)
    pieces: list[int] = []

    def in_pieces(descriptor: int, data: list[bytes], offset: int, flags: int, pwritev=os.pwritev) -> int:
        pieces.append(len(data[0]))
        return int(pwritev(descriptor, [data[0][: len(data[0]) // 2 + 1]], offset, flags))

    monkeypatch.setattr(os, "pwritev", in_pieces)
    journal.append(records(1, 20))
    journal.close()
    assert len(pieces) > 2
    assert list(SegmentJournal.open_for_reading(tmp_path).read()) == records(1, 20)


@pytest.mark.skipif(not Files.at_once, reason="this system does not write and flush in one call")
@pytest.mark.parametrize("taken", ["nothing", "half", "all"])
def test_no_room_for_a_flush_is_no_full_disk_to_wait_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    journal = SegmentJournal.open(tmp_path)
    journal.append(records(1, 2))
    (segment,) = (tmp_path / "commands").iterdir()
    size = segment.stat().st_size

    def full(descriptor: int, data: list[bytes], offset: int, flags: int) -> int:
        os.write(descriptor, {"nothing": b"", "half": data[0][: len(data[0]) // 2], "all": data[0]}[taken])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwritev", full)
        with pytest.raises(JournalError) as raised:
            journal.append(records(3, 4))
    if taken == "all":
        assert not isinstance(raised.value, JournalFullError)
        with pytest.raises(JournalError, match="Nothing can be written"):
            journal.append(records(3, 4))
        journal.close()
        return
    assert isinstance(raised.value, JournalFullError)
    assert segment.stat().st_size == size, "what was half written is gone"
    journal.append(records(3, 4))
    journal.close()
    assert list(SegmentJournal.open_for_reading(tmp_path).read()) == records(1, 4)


class SmallDisk(Files):
    """A disk with so many bytes; what is reserved counts. Whether it can reserve at all is said by `reserves`."""

    at_once = False

    def __init__(self, size: int, *, reserves: bool) -> None:
        super().__init__()
        self.free = size
        self.reserves = reserves
        self.ends: dict[int, int] = {}

    def _take(self, descriptor: int, end: int) -> None:
        inode = os.fstat(descriptor).st_ino
        more = max(end - self.ends.get(inode, 0), 0)
        if more > self.free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.free -= more
        self.ends[inode] = max(end, self.ends.get(inode, 0))

    def allocate(self, descriptor: int, offset: int, count: int) -> bool:
        if self.reserves:
            self._take(descriptor, offset + count)
        return self.reserves

    def has_room(self, directory: Path, count: int) -> bool:
        return self.free >= count

    def write(self, descriptor: int, data: bytes) -> None:
        end = os.fstat(descriptor).st_size + len(data)
        try:
            self._take(descriptor, end)
        except OSError:
            super().write(descriptor, data[: len(data) // 2])  # it takes what it can
            raise
        super().write(descriptor, data)


@pytest.mark.parametrize("reserves", [True, False])
def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path, reserves: bool) -> None:
    disk = SmallDisk(30_000, reserves=reserves)
    journal = SegmentJournal.open(tmp_path, segment_bytes=4_000, reserve_bytes=2_000, files=disk)
    seq = 0
    try:
        while not journal.is_full:
            try:
                journal.append(records(seq + 1, seq + 1))
                seq += 1
                journal.append_events(blocks(seq, seq))
            except JournalFullError:
                break
        assert seq > 20
        if reserves:  # the reserve takes some more
            for _ in range(3):
                if journal.last_event_seq < seq:
                    journal.append_events(blocks(seq, seq))
                journal.append(records(seq + 1, seq + 1))
                seq += 1
                journal.append_events(blocks(seq, seq))
        while True:
            try:
                if journal.last_event_seq < seq:
                    journal.append_events(blocks(seq, seq))
                journal.append(records(seq + 1, seq + 1))
                seq += 1
            except JournalFullError:
                break
        assert not journal.make_room()
        assert journal.last_seq == seq
        journal.verify()
        disk.free += 50_000
        assert journal.make_room()
        assert not journal.is_full
        journal.append_events(blocks(journal.last_event_seq + 1, seq))
        journal.append(records(seq + 1, seq + 30))
        journal.append_events(blocks(seq + 1, seq + 30))
        assert list(journal.read()) == records(1, seq + 30)
        journal.verify()
    finally:
        journal.close()


def test_a_stop_keeps_the_reserve_alone(tmp_path: Path) -> None:
    journal = SegmentJournal.open(tmp_path, segment_bytes=1 << 20, reserve_bytes=1 << 16)
    journal.append(records(1, 1))
    path = tmp_path / "commands" / f"{1:020d}.log"
    if journal._commands._can_reserve:
        assert path.stat().st_blocks * 512 >= (1 << 20) + (1 << 16)
    size = path.stat().st_size
    journal.close()
    assert path.stat().st_size == size
    assert path.stat().st_blocks * 512 <= (1 << 16) + 16_384
