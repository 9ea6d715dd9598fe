"""Snapshots by a process of their own while the journal is being written: taken, kept apart from failures, segments let go."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from onseju.exchange import snapshots as module
from onseju.exchange.snapshots import Retention, Snapshots
from onseju.journal.segments import SegmentJournal
from onseju.journal.snapshots import paths
from tests.unit.exchange.checkpoints import day_records, write_day

COMMAND = (sys.executable, "-m", "onseju", "journal", "snapshot")
WITHIN_S = 60


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - what is waited for are files
            await asyncio.sleep(0.01)


def test_segments_go_once_two_snapshots_stand_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.01)
    write_day(tmp_path / "journal", day_records(), segment_bytes=10_000)
    journal = SegmentJournal.open(tmp_path / "journal", segment_bytes=10_000)
    archive = tmp_path / "archive"
    head, in_tables = 300, 0
    beside = Snapshots(
        journal,
        every=200,
        command=COMMAND,
        retention=Retention("archive", archive),
        needed_from=lambda: in_tables + 1,
    )

    async def test() -> None:
        nonlocal head, in_tables
        task = asyncio.create_task(beside.run(lambda: head))
        await until(lambda: beside.last_seq == 300)
        assert not archive.exists()
        head, in_tables = 520, 250
        await until(lambda: beside.last_seq == 520 and archive.exists())
        await until(lambda: journal.first_seq > 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    try:
        asyncio.run(test())
        assert [int(path.stem) for path in paths(journal.snapshots)] == [520, 300]
        assert 1 < journal.first_seq <= 251, "the tables lack the rest"
        assert sorted(path.name for path in archive.iterdir()) == ["commands", "events"]
        journal.verify()
    finally:
        journal.close()


def test_a_snapshot_that_fails_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.01)
    calls = tmp_path / "calls"
    script = f"import sys; open({str(calls)!r}, 'a').write('x'); sys.exit('the disk is full')"
    write_day(tmp_path / "journal", day_records())
    journal = SegmentJournal.open(tmp_path / "journal")
    beside = Snapshots(
        journal, every=1, command=(sys.executable, "-c", script), retention=Retention(), needed_from=lambda: 1
    )

    async def test() -> None:
        task = asyncio.create_task(beside.run(lambda: 10))
        await until(lambda: calls.exists() and len(calls.read_text()) >= 3)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    try:
        asyncio.run(test())
        assert beside.last_seq == 0
    finally:
        journal.close()
