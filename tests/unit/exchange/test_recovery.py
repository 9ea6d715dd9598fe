"""Starting again: the same state, the same blocks, an event log that is complete, and a clear word where it is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from onseju.bus.inproc import InprocBus
from onseju.contract.commands import CancelOrder, Request
from onseju.contract.journal_records import EventBlock
from onseju.exchange.exchange import Exchange
from onseju.exchange.recovery import BATCH, RecoveryError
from onseju.journal.port import JournalError
from onseju.journal.segments import SegmentJournal
from tests.contract.bus_contract import run
from tests.contract.samples import Collector, SmallEngine, order

REQUESTS = [order(f"my-{n}", qty=n + 1) for n in range(20)] + [
    Request(CancelOrder(order_id=number, account=7)) for number in range(1, 11)
]


def session(directory: Path, requests: list[Request]) -> tuple[list[EventBlock], int]:
    """An exchange that does these requests. Gives its blocks and its state's hash."""
    journal = SegmentJournal.open(directory, fsync=False)
    engine, bus, listener = SmallEngine(), InprocBus(100_000), Collector()
    bus.subscribe(listener)
    exchange = Exchange(engine, journal, bus, venue=1)

    async def work() -> None:
        exchange.recover()
        task = asyncio.create_task(exchange.run())
        await bus.request(requests)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    try:
        run(work())
    finally:
        journal.close()
    return listener.blocks, engine.state_hash()


def recovered(directory: Path, engine: SmallEngine | None = None) -> tuple[Collector, list[tuple[int, int]], Exchange]:
    journal = SegmentJournal.open(directory, fsync=False)
    bus, listener, steps = InprocBus(10), Collector(), []
    bus.subscribe(listener)
    exchange = Exchange(engine or SmallEngine(), journal, bus, venue=1)
    try:
        exchange.recover(lambda done, total: steps.append((done, total)))
    finally:
        journal.close()
    return listener, steps, exchange


def truncate_events(directory: Path, keep: int) -> None:
    """Take the last blocks out of the event log, as a power cut may."""
    journal = SegmentJournal.open(directory, fsync=False)
    journal._events.cut_after(keep)
    journal.close()


def test_a_restart_gives_the_same_blocks_and_the_same_state(tmp_path: Path) -> None:
    blocks, state = session(tmp_path, REQUESTS)
    engine = SmallEngine()
    listener, steps, exchange = recovered(tmp_path, engine)
    assert listener.blocks == blocks
    assert engine.state_hash() == state
    assert steps == [(30, 30)]
    assert (exchange.head_seq, exchange.epoch) == (30, 2)


def test_an_empty_journal_is_recovered_at_once(tmp_path: Path) -> None:
    listener, steps, exchange = recovered(tmp_path)
    assert (listener.blocks, steps, exchange.head_seq, exchange.epoch) == ([], [], 0, 1)


@pytest.mark.parametrize("keep", [0, 1, 7, 29, 30])
def test_missing_blocks_are_added(tmp_path: Path, keep: int) -> None:
    blocks, _ = session(tmp_path, REQUESTS)
    content = (tmp_path / "events" / f"{1:020d}.log").read_bytes()
    truncate_events(tmp_path, keep)
    assert SegmentJournal.open_for_reading(tmp_path).last_event_seq == keep
    listener, _, _ = recovered(tmp_path)
    assert listener.blocks == blocks
    assert (tmp_path / "events" / f"{1:020d}.log").read_bytes() == content


def test_the_whole_event_log_can_be_rebuilt(tmp_path: Path) -> None:
    session(tmp_path, REQUESTS)
    path = tmp_path / "events" / f"{1:020d}.log"
    content = path.read_bytes()
    path.unlink()
    recovered(tmp_path)
    assert path.read_bytes() == content


def test_a_second_session_continues_the_first(tmp_path: Path) -> None:
    first, _ = session(tmp_path, REQUESTS[:15])
    both, state = session(tmp_path, REQUESTS[15:])
    assert both[:15] == first
    assert [block.seq for block in both] == list(range(1, 31))
    engine = SmallEngine()
    assert recovered(tmp_path, engine)[0].blocks == both
    assert engine.state_hash() == state


def test_long_journals_are_replayed_in_pieces(tmp_path: Path) -> None:
    count = 2 * BATCH + 5
    blocks, _ = session(tmp_path, [order(qty=n + 1) for n in range(count)])
    truncate_events(tmp_path, BATCH + 3)
    listener, steps, _ = recovered(tmp_path)
    assert listener.blocks == blocks
    assert steps == [(BATCH, count), (2 * BATCH, count), (count, count)]


def test_an_engine_that_means_something_else_is_refused(tmp_path: Path) -> None:
    session(tmp_path, REQUESTS)
    with pytest.raises(RecoveryError, match="at seq 1: it gave 1 events, the event log has 1, and event 0") as caught:
        recovered(tmp_path, SmallEngine(salt=1))
    assert caught.value.seq == 1
    assert isinstance(caught.value, JournalError)


def test_a_log_that_says_something_else_is_refused(tmp_path: Path) -> None:
    blocks, _ = session(tmp_path, REQUESTS)
    truncate_events(tmp_path, 9)
    journal = SegmentJournal.open(tmp_path, fsync=False)
    journal.append_events([msgspec.structs.replace(blocks[9], text="10\tyours")])
    journal.close()
    with pytest.raises(
        RecoveryError, match="at seq 10: the events are those of the event log, but not the block's text"
    ):
        recovered(tmp_path)


def test_an_engine_that_fails_in_replay_is_named(tmp_path: Path) -> None:
    session(tmp_path, REQUESTS)
    with pytest.raises(RecoveryError, match="seq 17: ZeroDivisionError"):
        recovered(tmp_path, SmallEngine(fail_at=17))


def test_records_of_another_meaning_are_not_replayed(tmp_path: Path) -> None:
    session(tmp_path, REQUESTS)
    journal = SegmentJournal.open(tmp_path, fsync=False)
    last = next(journal.read(29))
    command = (31).to_bytes(8, "little") + last.command[8:]
    journal.append([msgspec.structs.replace(last, command=command, semantics=2)])
    journal.close()
    with pytest.raises(RecoveryError, match="seq 31: semantics version 2 is not 1"):
        recovered(tmp_path)
