"""Snapshot files: whole or not at all, and any bit that is not as it was written is found."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from onseju.journal import snapshots
from onseju.journal.files import Files
from onseju.journal.segments import SegmentJournal
from onseju.journal.snapshots import Head, Place, Snapshot, SnapshotUnusableError, write
from tests.contract.samples import blocks, records

SECTIONS = {"engine": b"engine!", "v.market": b"some view", "empty": b""}


def head(seq: int = 7) -> Head:
    return Head(1, "abcdefghijkl", 1, 1, Place(seq, 70, 1, b"c" * 16, b"e" * 16))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    found = Snapshot(write(tmp_path, head(), SECTIONS))
    assert found.head == head()
    assert {name: found.section(name) for name in SECTIONS} == SECTIONS
    with pytest.raises(KeyError):
        found.section("other")


def test_every_flipped_bit_and_every_length_is_found(tmp_path: Path) -> None:
    path = write(tmp_path, head(), SECTIONS)
    content = path.read_bytes()
    Snapshot(path).check()

    def check_refused(data: bytes) -> None:
        path.write_bytes(data)
        with pytest.raises(SnapshotUnusableError, match=re.escape(str(path))):
            Snapshot(path).check()

    for at in range(len(content)):
        check_refused(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        check_refused(content[:at])
    check_refused(content + b"\0")


class FailingFiles(Files):
    """A disk that fails at its k-th call."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.left = k

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    def write(self, descriptor: int, data: bytes) -> None:
        self._count()
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._count()
        super().sync(descriptor)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_a_full_disk_leaves_the_older_one_alone(tmp_path: Path, k: int) -> None:
    older = write(tmp_path, head(3), SECTIONS)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, head(7), SECTIONS, files=FailingFiles(k))
    assert os.listdir(tmp_path) == [older.name]
    assert snapshots.covered(tmp_path) == 3


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for seq in (5, 9, 700, 20):
        write(tmp_path, head(seq), SECTIONS)
    (tmp_path / f"{30:020d}.snapshot.new").write_bytes(b"half")
    broken = tmp_path / f"{900:020d}.snapshot"
    broken.write_bytes(b"rubbish")
    snapshots.prune(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{20:020d}.snapshot",
        f"{700:020d}.snapshot",
        broken.name,
    ]
    assert snapshots.covered(tmp_path) == 700


@pytest.mark.parametrize(("oldest", "first"), [((0, 0), 150), ((90, 60), 60), ((160, 170), 150)])
def test_segments_that_a_repeat_may_ask_about_stay(tmp_path: Path, oldest: tuple[int, int], first: int) -> None:
    """The first answer is given again from the event log, today and the day after."""
    journal = SegmentJournal.open(tmp_path, fsync=False, segment_bytes=1500)
    try:
        for seq in range(1, 201):
            journal.append(records(seq, seq))
            journal.append_events(blocks(seq, seq))
        for seq, number in zip((150, 180), oldest, strict=True):
            place = Place(seq, seq, 1, *journal.chains_at(seq))
            sections = {**SECTIONS, snapshots.OLDEST: number.to_bytes(8, "little")}
            write(journal.snapshots, Head(1, journal.journal_id, 1, 1, place), sections)
        assert journal.retire(200, None)
        assert first - 10 <= journal.first_event_seq <= first
        assert first - 10 <= journal.first_seq <= first
        assert next(journal.read_events(first - 1)).seq == first
    finally:
        journal.close()
