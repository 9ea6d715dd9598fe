"""The journal's thread: what leaves it, in which order, and what it does when the disk fails or is full in the middle."""

from __future__ import annotations

import asyncio
import threading
from array import array
from collections.abc import Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import CommandKind
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.exchange import writer as module
from onseju.exchange.applier import Applier
from onseju.exchange.writer import MAY_PASS, TOGETHER, Step, Writer
from onseju.journal.port import JournalError, JournalFullError
from onseju.journal.segments import SegmentJournal
from tests.contract.bus_contract import run
from tests.contract.samples import T0, SmallEngine, record


class FailingJournal:
    """A real journal, with calls that fail when told to, and a gate before each append of commands."""

    def __init__(self, journal: SegmentJournal) -> None:
        self._journal = journal
        self.calls: list[tuple[str, int, int]] = []
        self.fail: dict[str, list[Exception]] = {"append": [], "append_events": []}
        self.gate = threading.Event()
        self.gate.set()
        self.is_full = False
        self.has_room = False

    def append(self, records: Sequence[JournalRecord]) -> None:
        assert self.gate.wait(30)
        self._call("append", records)

    def append_events(self, blocks: Sequence[EventBlock]) -> None:
        self._call("append_events", blocks)

    def _call(self, name: str, records: Sequence[JournalRecord] | Sequence[EventBlock]) -> None:
        if self.fail[name]:
            raise self.fail[name].pop(0)
        getattr(self._journal, name)(records)
        self.calls.append((name, records[0].seq, records[-1].seq))

    def make_room(self) -> bool:
        self.is_full = not self.has_room
        return self.has_room

    def __getattr__(self, name: str):
        return getattr(self._journal, name)


class Desk:
    """The event loop's side: makes steps, keeps what comes out."""

    def __init__(self, journal: FailingJournal) -> None:
        self.out: list[int] = []
        self.let: list[Collection[int] | None] = []
        self.changed = asyncio.Event()
        self.writer = Writer(journal, self._out, self._let_in)
        self._journal = journal
        self._applier = Applier(SmallEngine())
        self._seq = 0

    def step(self, count: int = 1) -> Step:
        records = [record(self._seq + at) for at in range(1, count + 1)]
        self._seq += count
        return Step([], CommandRun.of(records), T0)

    def apply(self, step: Step) -> Step:
        step.events = self._applier.apply(step.commands)
        return step

    def _out(self, steps: list[Step], events: EventRun) -> None:
        assert self._journal.last_seq >= events.last_seq, "it left before it was durable"
        assert self._journal.last_event_seq >= events.last_seq, "it left before readers can see it"
        assert [block.seq for step in steps for block in step.events or ()] == [block.seq for block in events]
        self.out += [block.seq for block in events]
        self.changed.set()

    def _let_in(self, kinds: Collection[int] | None) -> None:
        self.let.append(kinds)
        self.changed.set()

    async def until_out(self, seq: int) -> None:
        while not self.out or self.out[-1] < seq:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 30)

    async def until_let(self, count: int) -> None:
        while len(self.let) < count:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 30)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[FailingJournal]:
    real = SegmentJournal.open(tmp_path, fsync=False)
    yield FailingJournal(real)
    real.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOM_POLL_S", 0.001)


@asynccontextmanager
async def desk_at(journal: FailingJournal):
    desk = Desk(journal)
    desk.writer.start()
    try:
        yield desk
    finally:
        journal.gate.set()
        await desk.writer.end()
        if desk.writer.ended.done():
            desk.writer.ended.exception()


def test_one_flush_and_one_write_serve_all_that_came_meanwhile(journal: FailingJournal) -> None:
    async def test() -> None:
        async with desk_at(journal) as desk:
            journal.gate.clear()
            desk.writer.put(desk.apply(desk.step()))
            while desk.writer._queue.qsize():  # noqa: ASYNC110 - a thread takes it
                await asyncio.sleep(0)
            for count in (3, 1, 200):
                desk.writer.put(desk.apply(desk.step(count)))
            journal.gate.set()
            await desk.until_out(205)
        assert journal.calls == [
            ("append", 1, 1),
            ("append_events", 1, 1),
            ("append", 2, 205),
            ("append_events", 2, 205),
        ]
        assert desk.out == list(range(1, 206))

    run(test())


def test_a_long_step_leaves_as_the_run_it_is(journal: FailingJournal) -> None:
    async def test() -> None:
        async with desk_at(journal) as desk:
            journal.gate.clear()
            desk.writer.put(desk.apply(desk.step()))
            while desk.writer._queue.qsize():  # noqa: ASYNC110 - a thread takes it
                await asyncio.sleep(0)
            for count in (2, 3, TOGETHER + 1, 1, TOGETHER, 4):
                desk.writer.put(desk.apply(desk.step(count)))
            journal.gate.set()
            await desk.until_out(desk._seq)
        sizes = [(name, last - first + 1) for name, first, last in journal.calls[2:]]
        assert sizes == [
            ("append", 2 * TOGETHER + 11),
            *[("append_events", n) for n in (5, TOGETHER + 1, 1, TOGETHER, 4)],
        ]
        assert desk.out == list(range(1, 2 * TOGETHER + 13))

    run(test())


def test_events_that_come_later_leave_later_and_keep_the_order(journal: FailingJournal) -> None:
    async def test() -> None:
        async with desk_at(journal) as desk:
            slow, quick = desk.step(5), desk.step(2)
            desk.writer.put(slow)
            desk.apply(slow), desk.apply(quick)
            events, slow.events = slow.events, None
            desk.writer.put(quick)
            while journal.last_seq < 7:  # noqa: ASYNC110 - a thread writes
                await asyncio.sleep(0)
            assert desk.out == [], "the later step must not overtake"
            slow.events = events
            desk.writer.put(slow)
            await desk.until_out(7)
        assert desk.out == list(range(1, 8))

    run(test())


def test_a_step_that_comes_twice_at_once_is_written_once(journal: FailingJournal) -> None:
    async def test() -> None:
        async with desk_at(journal) as desk:
            journal.gate.clear()
            desk.writer.put(desk.apply(desk.step()))
            while desk.writer._queue.qsize():  # noqa: ASYNC110 - a thread takes it
                await asyncio.sleep(0)
            long = desk.step(300)
            desk.writer.put(long)
            desk.writer.put(desk.apply(long))
            journal.gate.set()
            await desk.until_out(301)
        assert journal.calls == [
            ("append", 1, 1),
            ("append_events", 1, 1),
            ("append", 2, 301),
            ("append_events", 2, 301),
        ]
        assert desk.out == list(range(1, 302))

    run(test())


def test_a_step_without_events_is_durable_and_never_out(journal: FailingJournal) -> None:
    """As it is when the engine has failed at it."""

    async def test() -> None:
        async with desk_at(journal) as desk:
            desk.writer.put(desk.apply(desk.step(2)))
            desk.writer.put(desk.step(3))
            desk.writer.put(desk.step(1))
        assert (journal.last_seq, journal.last_event_seq, desk.out) == (6, 2, [1, 2])
        assert desk.writer.ended.exception() is None

    run(test())


@pytest.mark.parametrize("name", ["append", "append_events"])
def test_a_disk_that_fails_ends_the_thread_and_nothing_more_is_out(journal: FailingJournal, name: str) -> None:
    async def test() -> None:
        async with desk_at(journal) as desk:
            desk.writer.put(desk.apply(desk.step(2)))
            await desk.until_out(2)
            journal.fail[name].append(JournalError("The journal's disk failed."))
            desk.writer.put(desk.apply(desk.step(3)))
            await asyncio.wait({desk.writer.ended}, timeout=30)
            error = desk.writer.ended.exception()
            assert isinstance(error, JournalError)
            desk.writer.put(desk.apply(desk.step(1)))
        assert desk.out == [1, 2]
        assert journal.last_event_seq == 2

    run(test())


@pytest.mark.parametrize("name", ["append", "append_events"])
def test_a_full_disk_is_waited_for_and_nothing_is_lost(journal: FailingJournal, name: str) -> None:
    async def test() -> None:
        async with desk_at(journal) as desk:
            journal.fail[name] += [JournalFullError("There is no room."), JournalFullError("There is no room.")]
            journal.is_full = True
            desk.writer.put(desk.apply(desk.step(3)))
            await desk.until_out(3)
            assert desk.let[-2:] == [(), MAY_PASS], "nothing while nothing fits; what the reserve is for when it did"
            told = len(desk.let)
            desk.writer.put(desk.apply(desk.step(1)))
            await desk.until_out(4)
            assert len(desk.let) == told, "it is told once"
            journal.has_room = True
            await desk.until_let(told + 1)
            assert desk.let[-1] is None
            desk.writer.put(desk.apply(desk.step(1)))
            await desk.until_out(5)
            assert len(desk.let) == told + 1
        assert desk.out == [1, 2, 3, 4, 5]

    run(test())
    assert CommandKind.NEW_ORDER not in MAY_PASS


def test_an_end_on_a_full_disk_waits_for_no_room(journal: FailingJournal) -> None:
    async def test() -> None:
        async with desk_at(journal) as desk:
            journal.fail["append"] += [JournalFullError("There is no room.") for _ in range(100_000)]
            desk.writer.put(desk.apply(desk.step(3)))
            await desk.until_let(1)
            await desk.writer.end()
            assert isinstance(desk.writer.ended.exception(), JournalFullError)
            assert desk.out == []

    run(test())


def test_times_of_a_step_follow_each_other(journal: FailingJournal) -> None:
    async def test() -> None:
        async with desk_at(journal) as desk:
            step = desk.step()
            step.began_s = 0.0
            desk.writer.put(desk.apply(step))
            await desk.until_out(1)
            assert 0 < step.flushed_s <= step.ready_s <= step.logged_s

    run(test())


def test_runs_that_do_not_follow_cannot_be_joined(journal: FailingJournal) -> None:
    first = CommandRun.of([record(1), record(2)])
    with pytest.raises(ValueError, match="does not go on"):
        CommandRun.joined([first, CommandRun.of([record(4)])])
    with pytest.raises(ValueError, match="does not go on"):
        CommandRun.joined([first, CommandRun.of([record(3, epoch=2)])])
    applied = Applier(SmallEngine()).apply(first)
    with pytest.raises(ValueError, match="does not go on"):
        EventRun.joined([applied, applied])
    assert list(EventRun.joined([applied.part(0, 1), applied.part(1, 2)])) == list(applied)
    assert applied.ends == array("Q", [128, 256])
