"""A journal under another name: nothing but the name is another, in the files and in what a snapshot keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from onseju.journal.inspect import verify
from onseju.journal.renaming import rename_journal
from onseju.journal.segments import SegmentJournal
from onseju.market.trades import TAPE_TRADES
from tests.unit.exchange.checkpoints import day_records, states_of, views_of, write_day
from tests.unit.exchange.test_checkpoint import snap, started, whole


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    write_day(tmp_path / "journal", day_records()[:300], segment_bytes=20_000)
    journal = SegmentJournal.open(tmp_path / "journal", fsync=False, segment_bytes=20_000)
    for through in (150, 250):
        snap(journal, through)
    journal.close()
    return tmp_path / "journal"


def test_a_start_goes_on_under_the_new_name_only(directory: Path) -> None:
    before = SegmentJournal.open_for_reading(directory)
    name, records, blocks = before.journal_id, list(before.read()), list(before.read_events())
    renamed = rename_journal(directory)
    assert renamed != name
    assert verify(directory, lambda _done, _all: None)[:5] == (renamed, 1, 300, 300, 300)
    assert sorted(path.name for path in directory.iterdir()) == [
        "commands",
        "events",
        "journal.json",
        "lock",
        "snapshots",
    ]
    assert name.encode() not in b"".join(path.read_bytes()[:200] for path in directory.rglob("*") if path.is_file())
    journal = SegmentJournal.open(directory, fsync=False, segment_bytes=20_000)
    try:
        assert (list(journal.read()), list(journal.read_events())) == (records, blocks)
        _, views, restored, told = started(journal)
        assert restored is not None
        assert (restored.place.seq, restored.behind, told) == (250, [], [])
        assert states_of(views) == whole(journal), "something in a snapshot still has the old name"
        tapes = [symbol.tape for symbol in views["market"]._symbols.values()]
        told = [frame for tape in tapes for frame in tape.frames(tape.start, TAPE_TRADES)]
        assert told
        assert not any(name.encode() in frame for frame in told)
    finally:
        journal.close()


def test_what_is_damaged_stays_damaged(directory: Path) -> None:
    newest = max((directory / "snapshots").glob("*.snapshot"))
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    rename_journal(directory)
    assert newest.read_bytes() == content
    journal = SegmentJournal.open(directory, fsync=False, segment_bytes=20_000)
    try:
        _, views, restored, told = started(journal)
        assert restored is not None
        assert restored.place.seq == 150
        assert len(told) == 1
        assert states_of(views) == states_of(views_of(journal)) | whole(journal)
    finally:
        journal.close()
