"""Snapshots: snapshot and rest are the whole; whatever is wrong with one, an older one or the journal serves."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onseju.bus.inproc import InprocBus
from onseju.contract.ids import BEFORE_ALL, Position
from onseju.exchange import checkpoint
from onseju.exchange.checkpoint import Restored, View, follow, restore, take
from onseju.exchange.exchange import Exchange
from onseju.exchange.recovery import RecoveryError
from onseju.journal import snapshots
from onseju.journal.port import JournalError, JournalGoneError
from onseju.journal.segments import SegmentJournal
from onseju.push.frames import events_of
from onseju.push.ring import AccountRing
from tests.unit.exchange.checkpoints import day_records, makers, plain, states_of, views_of, write_day

AT = 400
ACCOUNTS = range(1, 20)


@pytest.fixture(scope="module")
def records(tested_on: str) -> list[Any]:
    return day_records()


@pytest.fixture
def directory(tmp_path: Path, records: list[Any]) -> Path:
    write_day(tmp_path / "journal", records, segment_bytes=20_000)
    return tmp_path / "journal"


@pytest.fixture
def journal(directory: Path) -> Iterator[SegmentJournal]:
    journal = SegmentJournal.open(directory, fsync=False, segment_bytes=20_000)
    yield journal
    journal.close()


def snap(journal: SegmentJournal, through: int) -> None:
    told: list[str] = []
    assert take(journal, makers(), views_of(journal), through, told.append) is not None
    assert told == []


def started(journal: SegmentJournal) -> tuple[Exchange, dict[str, View], Restored | None, list[str]]:
    """A start as the venue does it. Gives also why snapshots were not used."""
    told: list[str] = []
    views = views_of(journal)
    restored = restore(journal, makers()[1], views, told.append)
    bus = InprocBus(10)
    for view in views.values():
        bus.subscribe(view.listen)
    exchange = Exchange(makers()[0](), journal, bus, venue=1)
    if restored is not None:
        follow(journal, [views[name] for name in restored.behind], restored.place.seq)
    exchange.recover(restored=restored)
    return exchange, views, restored, told


def whole(journal: SegmentJournal) -> dict[str, Any]:
    """What the views keep after all events, without any snapshot."""
    views = views_of(journal)
    follow(journal, list(views.values()), journal.last_seq)
    return states_of(views)


@pytest.mark.parametrize(("variant", "seed"), [(0, 1), (0, 2), (4, 3)])
def test_snapshot_and_rest_are_the_whole(tmp_path: Path, variant: int, seed: int) -> None:
    records = day_records(variant, seed)
    write_day(tmp_path, records)
    journal = SegmentJournal.open(tmp_path, fsync=False)
    try:
        plain_start, _, _, _ = started(journal)
        expected = whole(journal)
        for through in (AT, AT + 1, AT + 150):
            snap(journal, through)
            exchange, views, restored, told = started(journal)
            assert restored is not None
            assert told == []
            assert (restored.place.seq, restored.behind) == (through, [])
            assert states_of(views) == expected
            assert exchange._applier._engine.snapshot() == plain_start._applier._engine.snapshot()
            assert exchange._applier.texts == plain_start._applier.texts
            assert (exchange.head_seq, exchange.epoch, exchange.last_ts) == (
                plain_start.head_seq,
                plain_start.epoch,
                plain_start.last_ts,
            )
        assert len(snapshots.paths(journal.snapshots)) == snapshots.KEPT
        assert expected["queues"]["entries"], "some orders are open, or this shows little"
    finally:
        journal.close()


def test_a_snapshot_at_the_end_leaves_nothing_to_replay(journal: SegmentJournal) -> None:
    snap(journal, journal.last_seq)
    exchange, views, restored, _ = started(journal)
    assert restored is not None
    assert exchange.head_seq == restored.place.seq == journal.last_seq
    assert states_of(views) == whole(journal)
    assert take(journal, makers(), views_of(journal), journal.last_seq, lambda _: None) is None


def test_a_damaged_snapshot_falls_back_to_the_older_one(journal: SegmentJournal) -> None:
    snap(journal, 200)
    snap(journal, AT)
    newest = snapshots.paths(journal.snapshots)[0]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 4
    newest.write_bytes(content)
    _, views, restored, told = started(journal)
    assert restored is not None
    assert states_of(views) == whole(journal)
    if restored.place.seq == AT:  # a view alone was hit, and is made anew
        assert len(restored.behind) == 1
    else:
        assert restored.place.seq == 200
    assert str(newest) in told[0]
    assert "damaged at byte" in told[0]


def test_without_a_good_one_everything_is_replayed(journal: SegmentJournal) -> None:
    snap(journal, 200)
    snap(journal, AT)
    for path in snapshots.paths(journal.snapshots):
        path.write_bytes(b"\0" * 5000)
    exchange, views, restored, told = started(journal)
    assert restored is None
    assert len(told) == 2
    assert exchange.head_seq == journal.last_seq
    assert states_of(views) == whole(journal)


def test_a_newer_format_says_what_to_do(journal: SegmentJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(snapshots, "FORMAT", 2)
        snap(journal, AT)
    _, _, restored, told = started(journal)
    assert restored is None
    assert "of format 2, made by a newer release" in told[0]
    assert "take the file away" in told[0]


def test_views_of_another_form_are_made_anew(journal: SegmentJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    snap(journal, AT)
    monkeypatch.setattr(checkpoint, "VIEWS_FORMAT", 99)
    _, views, restored, _ = started(journal)
    assert restored is not None
    assert restored.place.seq == AT
    assert sorted(restored.behind) == sorted(views)
    assert states_of(views) == whole(journal)


def test_a_snapshot_beyond_the_journal_stops_the_start(journal: SegmentJournal, directory: Path) -> None:
    snap(journal, journal.last_seq)
    journal.close()
    last = max((directory / "commands").glob("*.log"))
    last.unlink()
    shorter = SegmentJournal.open(directory, fsync=False, segment_bytes=20_000)
    try:
        with pytest.raises(
            JournalError, match=r"stands at command \d+, but the journal ends at \d+: what was written is lost"
        ):
            started(shorter)
    finally:
        shorter.close()


def test_a_snapshot_of_another_history_is_not_used(tmp_path: Path, directory: Path, records: list[Any]) -> None:
    """A journal that was put back from a backup and went on otherwise."""
    journal = SegmentJournal.open(directory, fsync=False, segment_bytes=20_000)
    snap(journal, AT)
    journal.close()
    other = tmp_path / "other"
    other.mkdir()
    (other / "journal.json").write_bytes((directory / "journal.json").read_bytes())
    write_day(other, records[:300] + day_records(0, 9)[300:], segment_bytes=20_000)
    (directory / "snapshots").rename(other / "snapshots")
    journal = SegmentJournal.open(other, fsync=False, segment_bytes=20_000)
    try:
        _, _, restored, told = started(journal)
        assert restored is None
        assert f"went on otherwise after it was taken at {AT}" in told[0]
    finally:
        journal.close()


def test_events_that_are_not_there_yet_make_it_unusable(journal: SegmentJournal, directory: Path) -> None:
    snap(journal, AT)
    journal.close()
    for path in sorted((directory / "events").glob("*.log"))[1:]:
        path.unlink()
    shorter = SegmentJournal.open(directory, fsync=False, segment_bytes=20_000)
    try:
        assert shorter.last_event_seq < AT
        exchange, _, restored, told = started(shorter)
        assert restored is None
        assert "the event log ends at" in told[0]
        assert exchange.head_seq == shorter.last_event_seq == shorter.last_seq
    finally:
        shorter.close()


class Harmful:
    def __reduce__(self) -> Any:
        return os.system, ("echo harm",)


@pytest.mark.parametrize("harm", [Harmful(), Path("x"), print])
def test_a_view_that_asks_for_other_classes_is_refused(
    journal: SegmentJournal, monkeypatch: pytest.MonkeyPatch, harm: object
) -> None:
    real = pickle.dumps
    with monkeypatch.context() as forged:
        forged.setattr(pickle, "dumps", lambda state, protocol: real({**state, "x": harm}, protocol))
        snap(journal, AT)
    _, views, restored, told = started(journal)
    assert restored is not None
    assert sorted(restored.behind) == sorted(views)
    assert "has no place in a snapshot" in told[0]
    assert states_of(views) == whole(journal)


def test_a_journal_that_does_not_replay_gives_no_snapshot(journal: SegmentJournal) -> None:
    fresh, engine_from = makers()
    engine = fresh()
    real = engine.apply

    class Liar:
        snapshot = engine.snapshot

        def apply(self, commands: bytes) -> bytes:
            return real(commands)[:-1] + b"\x01"

        def state_hash(self) -> int:
            return 0

    with pytest.raises(RecoveryError, match="Replay stopped at seq 1"):
        take(journal, (Liar, engine_from), views_of(journal), AT, lambda _: None)  # type: ignore[arg-type]
    assert snapshots.paths(journal.snapshots) == []


def test_one_at_a_time(journal: SegmentJournal) -> None:
    from onseju.journal.lock import DirectoryLock

    journal.snapshots.mkdir()
    lock = DirectoryLock(journal.snapshots)
    try:
        with pytest.raises(JournalError, match="in use by another process"):
            take(journal, makers(), views_of(journal), AT, lambda _: None)
    finally:
        lock.release()


async def check_ring(ring: AccountRing, journal: SegmentJournal) -> None:
    """A ring that was taken up tells what the log has let go of, and gives the rest from the log and from memory."""
    oldest = journal.first_event_seq
    there = [
        (account, Position(block.seq, idx))
        for block in journal.read_events(oldest - 1)
        for account in ACCOUNTS
        for idx in events_of(block.payload, account)
    ]
    seen = {account for account, _ in there}
    assert seen
    try:
        for account in seen:
            assert ring.is_too_old(account, BEFORE_ALL)
            assert not ring.is_too_old(account, ring.first_place())
            reader, got = ring.reader(account, ring.first_place()), []
            while frames := await reader.next(100):
                got += [frame.position for frame in frames]
            assert got == [position for other, position in there if other == account]
    finally:
        ring.close()


@pytest.mark.parametrize("kind", ["archive", "drop"])
def test_segments_before_every_snapshot_may_go(
    journal: SegmentJournal, directory: Path, tmp_path: Path, kind: str
) -> None:
    archive = tmp_path / "archive" if kind == "archive" else None
    expected = whole(journal)
    before = {path.relative_to(directory): path.read_bytes() for path in directory.glob("*/*.log")}
    assert journal.retire(journal.last_seq, archive) == [], "not without snapshots"
    snap(journal, 450)
    assert journal.retire(journal.last_seq, archive) == [], "and not with one alone"
    snap(journal, 550)
    assert journal.retire(0, archive) == [], "the tables have nothing yet"
    gone = journal.retire(journal.last_seq, archive)
    assert gone
    assert all(not path.exists() for path in gone)
    assert 1 < journal.first_seq <= 450
    assert 1 < journal.first_event_seq <= 450
    with pytest.raises(JournalGoneError):
        journal.read(0)
    assert [block.seq for block in journal.read_events(journal.first_event_seq - 1)][-1] == journal.last_seq
    if archive is not None:
        for path in gone:
            assert (archive / path.relative_to(directory)).read_bytes() == before[path.relative_to(directory)]
    journal.close()

    again = SegmentJournal.open(directory, fsync=False, segment_bytes=20_000)
    try:
        exchange, views, restored, told = started(again)
        assert restored is not None
        assert told == []
        assert states_of(views) == expected
        assert exchange.head_seq == again.last_seq
        again.verify()
        ring = views["ring"]
        assert isinstance(ring, AccountRing)
        asyncio.run(check_ring(ring, again))
    finally:
        again.close()
    for path in snapshots.paths(directory / "snapshots"):
        path.unlink()
    with pytest.raises(JournalError, match="does not begin at record 1"):
        SegmentJournal.open(directory, fsync=False)


def test_plain_sees_every_attribute() -> None:
    class Slotted:
        __slots__ = ("a",)

        def __init__(self) -> None:
            self.a = [1]

    assert plain({"x": Slotted()}) == {"x": {"a": [1]}}
