"""The single writer: order, durability before everything, and a stop that names its place."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from onseju.bus.inproc import InprocBus
from onseju.bus.port import StoppedError
from onseju.contract.commands import CommandKind
from onseju.contract.journal_records import JournalRecord
from onseju.exchange.applier import EngineFailedError
from onseju.exchange.exchange import Exchange, ListenerFailedError
from onseju.journal.port import JournalError
from onseju.journal.segments import SegmentJournal
from tests.contract.bus_contract import run
from tests.contract.samples import T0, Collector, SmallEngine, order


class GatedJournal:
    """A real journal whose `append` waits at a gate, and fails when told to."""

    def __init__(self, journal: SegmentJournal) -> None:
        self._journal = journal
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []
        self.arrived = threading.Semaphore(0)
        self.broken = False

    def append(self, records: Sequence[JournalRecord]) -> None:
        self.batches.append(len(records))
        self.arrived.release()
        assert self.gate.wait(30)
        if self.broken:
            raise JournalError("The journal's disk failed: no more room.")
        self._journal.append(records)

    def __getattr__(self, name: str):
        return getattr(self._journal, name)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[GatedJournal]:
    journal = SegmentJournal.open(tmp_path, fsync=False)
    yield GatedJournal(journal)
    journal.close()


@contextlib.asynccontextmanager
async def running(
    journal: GatedJournal, engine: SmallEngine | None = None, clock: Callable[[], int] = lambda: T0
) -> AsyncIterator[tuple[Exchange, InprocBus, Collector]]:
    bus, listener = InprocBus(10_000), Collector()
    bus.subscribe(listener)
    exchange = Exchange(engine or SmallEngine(), journal, bus, venue=1, clock=clock)
    exchange.recover()
    task = asyncio.create_task(exchange.run())
    await asyncio.sleep(0)
    try:
        yield exchange, bus, listener
    finally:
        journal.gate.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def arrival(journal: GatedJournal) -> None:
    """Until the writer stands at the gate."""
    assert await asyncio.to_thread(journal.arrived.acquire, True, 30)


def test_commands_are_numbered_in_the_order_of_their_asking(journal: GatedJournal) -> None:
    async def test() -> None:
        async with running(journal) as (exchange, bus, listener):
            answers = await asyncio.gather(*[bus.request([order(qty=n)]) for n in range(1, 301)])
            assert [block.seq for (block,) in answers] == list(range(1, 301))
            assert [block.events[0].qty for (block,) in answers] == list(range(1, 301))
            assert listener.seqs == list(range(1, 301))
            assert exchange.head_seq == journal.last_seq == journal.last_event_seq == 300
            assert list(journal.read_events()) == listener.blocks
            assert (await exchange.execute([order()]))[0].seq == 301

    run(test())


def test_nothing_leaves_before_it_is_durable(journal: GatedJournal) -> None:
    async def test() -> None:
        async with running(journal) as (exchange, bus, listener):
            await bus.request([order()])
            await arrival(journal)
            journal.gate.clear()
            engine_saw = exchange._applier._engine.applied
            waiting = asyncio.create_task(bus.request([order(), order()]))
            await arrival(journal)
            while len(engine_saw) < 3:  # noqa: ASYNC110 - it is applied while the disk works
                await asyncio.sleep(0)
            for _ in range(100):
                await asyncio.sleep(0)
            assert not waiting.done()
            assert listener.seqs == [1]
            assert (exchange.head_seq, journal.last_seq, journal.last_event_seq) == (1, 1, 1)
            journal.gate.set()
            assert [block.seq for block in await waiting] == [2, 3]
            assert listener.seqs == [1, 2, 3]
            assert (exchange.head_seq, journal.last_seq, journal.last_event_seq) == (3, 3, 3)

    run(test())


def test_what_arrives_during_a_flush_shares_the_next_one(journal: GatedJournal) -> None:
    async def test() -> None:
        async with running(journal) as (_, bus, _listener):
            journal.gate.clear()
            first = asyncio.create_task(bus.request([order()]))
            await arrival(journal)
            rest = [asyncio.create_task(bus.request([order()])) for _ in range(50)]
            await asyncio.sleep(0)
            journal.gate.set()
            await asyncio.gather(first, *rest)
            assert journal.batches == [1, 50]

    run(test())


def test_time_never_goes_back(journal: GatedJournal) -> None:
    times = iter([T0 + 5, T0 + 3, T0 + 9, T0 - 1_000_000, T0 + 10])

    async def test() -> None:
        async with running(journal, clock=lambda: next(times)) as (_, bus, _listener):
            blocks = [(await bus.request([order()]))[0] for _ in range(5)]
            assert [block.ts - T0 for block in blocks] == [5, 5, 9, 9, 10]
            assert [block.events[0].ts for block in blocks] == [block.ts for block in blocks]
        async with running(journal, SmallEngine(), clock=lambda: T0 - 7) as (_, bus, _listener):
            assert (await bus.request([order()]))[0].ts == T0 + 10, "not even over a restart"

    run(test())


def test_records_say_where_they_are_from(journal: GatedJournal) -> None:
    async def test() -> None:
        async with running(journal) as (exchange, bus, _):
            (block,) = await bus.request([order("나의-주문")])
            assert (block.venue, block.epoch, block.semantics, block.command_kind) == (1, 1, 1, CommandKind.NEW_ORDER)
            assert exchange.epoch == 1
        (record,) = journal.read()
        assert (record.venue, record.epoch, record.semantics, record.text) == (1, 1, 1, "나의-주문")
        async with running(journal) as (exchange, bus, _):
            assert exchange.epoch == 2
            assert (await bus.request([order()]))[0].epoch == 2

    run(test())


def test_one_flush_takes_all_that_came_while_the_last_was_running(journal: GatedJournal) -> None:
    async def test() -> None:
        async with running(journal) as (exchange, bus, listener):
            journal.gate.clear()
            first = asyncio.create_task(bus.request([order()]))
            await arrival(journal)
            others = [asyncio.create_task(bus.request([order()])) for _ in range(20)]
            others_later = []
            while len(exchange._applier._engine.applied) < 21:  # noqa: ASYNC110 - matching goes on meanwhile
                await asyncio.sleep(0)
            others_later += [asyncio.create_task(bus.request([order()])) for _ in range(5)]
            while len(exchange._applier._engine.applied) < 26:  # noqa: ASYNC110
                await asyncio.sleep(0)
            assert listener.seqs == []
            journal.gate.set()
            await asyncio.gather(first, *others, *others_later)
            assert journal.batches == [1, 25]
            assert listener.seqs == list(range(1, 27))

    run(test())


def test_an_orderly_end_finishes_a_batch_that_the_engine_is_at(
    journal: GatedJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onseju.exchange.exchange.SLICE_NS", 0)
    monkeypatch.setattr("onseju.exchange.exchange.AT_ONCE", 1)

    async def test() -> None:
        bus = InprocBus(1000)
        exchange = Exchange(SmallEngine(), journal, bus, venue=1)
        exchange.recover()
        task = asyncio.create_task(exchange.run())
        waiting = asyncio.create_task(bus.request([order() for _ in range(100)]))  # noqa: RUF006 - the loop below holds it
        while len(exchange._applier._engine.applied) < 10:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        assert [block.seq for block in await waiting] == list(range(1, 101))
        with pytest.raises(asyncio.CancelledError):
            await task

    run(test())


def test_a_failing_engine_stops_the_exchange_and_the_seq_is_named(journal: GatedJournal) -> None:
    async def test() -> None:
        async with running(journal, SmallEngine(fail_at=4)) as (exchange, bus, listener):
            assert len(await bus.request([order(), order()])) == 2
            waiting = [asyncio.create_task(bus.request([order()])) for _ in range(4)]
            for answer in await asyncio.gather(*waiting, return_exceptions=True):
                assert isinstance(answer, StoppedError)
                assert "seq 4" in str(answer)
            with pytest.raises(StoppedError, match="seq 4: ZeroDivisionError"):
                await bus.request([order()])
            assert isinstance(exchange.stopped, EngineFailedError)
            assert exchange.stopped.seq == 4
            assert listener.seqs == [1, 2]
            assert exchange.head_seq == 2

    run(test())


@pytest.mark.parametrize("wrong", [b"", b"x" * 127, b"\0" * 128])
def test_an_engine_that_answers_nonsense_stops_the_exchange(
    journal: GatedJournal, monkeypatch: pytest.MonkeyPatch, wrong: bytes
) -> None:
    monkeypatch.setattr(SmallEngine, "apply", lambda _self, _commands: wrong)

    async def test() -> None:
        async with running(journal) as (exchange, bus, _):
            with pytest.raises(StoppedError, match="seq 1"):
                await bus.request([order()])
            assert isinstance(exchange.stopped, EngineFailedError)

    run(test())


def test_a_failing_journal_stops_the_exchange_and_nothing_is_acknowledged(journal: GatedJournal) -> None:
    async def test() -> None:
        async with running(journal) as (exchange, bus, listener):
            await bus.request([order()])
            journal.broken = True
            waiting = [asyncio.create_task(bus.request([order()])) for _ in range(3)]
            for answer in await asyncio.gather(*waiting, return_exceptions=True):
                assert isinstance(answer, StoppedError)
            assert isinstance(exchange.stopped, JournalError)
            assert listener.seqs == [1]
            with pytest.raises(StoppedError, match="no more room"):
                await bus.request([order()])

    run(test())


def test_a_listener_that_raises_stops_the_exchange(journal: GatedJournal) -> None:
    async def test() -> None:
        async with running(journal) as (exchange, bus, _):

            def bad(_blocks: object) -> None:
                raise KeyError("bug")

            bus.subscribe(bad)
            with pytest.raises(StoppedError, match="listener failed at seq 1 to 2"):
                await bus.request([order(), order()])
            assert isinstance(exchange.stopped, ListenerFailedError)

    run(test())


def test_an_orderly_end_finishes_all_that_was_taken(journal: GatedJournal) -> None:
    async def test() -> None:
        bus = InprocBus(100)
        exchange = Exchange(SmallEngine(), journal, bus, venue=1)
        exchange.recover()
        task = asyncio.create_task(exchange.run())
        journal.gate.clear()
        taken = asyncio.create_task(bus.request([order()]))
        await arrival(journal)
        meanwhile = asyncio.create_task(bus.request([order()]))
        while len(exchange._applier._engine.applied) < 2:  # noqa: ASYNC110 - matching goes on while the disk works
            await asyncio.sleep(0)
        task.cancel()
        late = asyncio.create_task(bus.request([order()]))
        await asyncio.sleep(0)
        journal.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await taken)[0].seq == 1
        assert (await meanwhile)[0].seq == 2
        with pytest.raises(StoppedError, match="shut down"):
            await late
        assert exchange.stopped is None
        assert (journal.last_seq, journal.last_event_seq) == (2, 2)

    run(test())


def test_a_large_batch_lets_others_have_their_turn(journal: GatedJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    turns_at: list[int] = []

    async def test() -> None:
        async with running(journal) as (exchange, bus, _):
            monkeypatch.setattr("onseju.exchange.exchange.SLICE_NS", 0)
            monkeypatch.setattr("onseju.exchange.exchange.AT_ONCE", 1)
            engine = exchange._applier._engine
            waiting = asyncio.create_task(bus.request([order() for _ in range(200)]))  # noqa: RUF006 - the loop below holds it
            while not waiting.done():
                await asyncio.sleep(0)
                turns_at.append(len(engine.applied))
            assert [block.seq for block in await waiting] == list(range(1, 201))

    run(test())
    assert len({count for count in turns_at if 0 < count < 200}) > 100


def test_run_needs_recover(journal: GatedJournal) -> None:
    exchange = Exchange(SmallEngine(), journal, InprocBus(10), venue=1)
    with pytest.raises(RuntimeError, match="recover"):
        run(exchange.run())
