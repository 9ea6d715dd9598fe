"""A standby follows the leader, and takes over by itself when that is killed or loses the database."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from onseju.bus.inproc import InprocBus
from onseju.bus.port import StoppedError
from onseju.contract.commands import CommandKind
from onseju.exchange.applier import Applier
from onseju.exchange.exchange import Exchange
from onseju.exchange.genesis import begin
from onseju.exchange.recovery import RecoveryError, replayed
from onseju.exchange.standby import Standby
from onseju.journal.port import JournalError
from onseju.journal.postgres import Candidate, NotLeaderError, PostgresJournal
from tests.contract.bus_contract import run
from tests.contract.samples import Collector, SmallEngine, order, records
from tests.servers import NewDatabase

PATIENCE_S = 60.0
PACK = [order("first", 11)]

LEADER = """
import asyncio, sys
from onseju.bus.inproc import InprocBus
from onseju.exchange.genesis import begin
from onseju.exchange.standby import Standby
from tests.contract.samples import SmallEngine, order

async def main():
    bus = InprocBus(10_000)
    exchange = await Standby(sys.argv[1], SmallEngine(), bus).until_leader()
    running = asyncio.create_task(exchange.run())
    await begin(bus, exchange, [order("first", 11)])
    size = 1
    while True:
        blocks = await bus.request([order(f"cid-{size}", qty) for qty in range(1, size + 1)])
        print("told", blocks[-1].seq, flush=True)
        size = size % 20 + 1

asyncio.run(main())
"""


@pytest.fixture
def url(new_database: NewDatabase) -> str:
    return new_database()


@contextlib.asynccontextmanager
async def leading(exchange: Exchange, bus: InprocBus) -> AsyncIterator[None]:
    """The exchange's epoch, begun, until the end of the block."""
    task = asyncio.create_task(exchange.run())
    try:
        await begin(bus, exchange, PACK)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        exchange.journal.close()


async def until(condition: object, what: str) -> None:
    assert callable(condition)
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.01)


def check(url: str, state_hash: int) -> list[int]:
    """The journal is whole, replays to what its event log says, and to this state. Gives the numbers with a new epoch."""
    with contextlib.closing(PostgresJournal.open_for_reading(url)) as journal:
        journal.verify()
        assert journal.last_event_seq == journal.last_seq
        engine = SmallEngine()
        assert sum(len(part.commands) for part in replayed(journal, Applier(engine))) == journal.last_seq
        assert engine.state_hash() == state_hash
        return [one.seq for one in journal.read() if one.decoded().kind == CommandKind.START_EPOCH]


def test_the_standby_takes_over_from_a_killed_leader(url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LEADER, url], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    with process:
        try:
            run(play_takeover(url, process))
        finally:
            process.kill()


def next_told(process: subprocess.Popen[str]) -> int | None:
    """The next number that the leader answered with; None at its end. What it logs is passed over."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("told ") and line.endswith("\n"):
            return int(line.split()[1])
    return None


async def play_takeover(url: str, process: subprocess.Popen[str]) -> None:
    told = [await asyncio.to_thread(next_told, process)]
    bus, heard, engine = InprocBus(10_000), Collector(), SmallEngine()
    bus.subscribe(heard)
    standby = Standby(url, engine, bus)
    waiting = asyncio.create_task(standby.until_leader())
    await until(lambda: standby.position > 0, "it does not follow")
    told += [await asyncio.to_thread(next_told, process) for _ in range(50)]
    assert None not in told
    assert not waiting.done()
    followed = standby.position
    process.kill()
    began_s = time.monotonic()
    exchange = await asyncio.wait_for(waiting, PATIENCE_S)
    led_s = time.monotonic()
    async with leading(exchange, bus):
        answered_s = time.monotonic()
        while (number := next_told(process)) is not None:
            told.append(number)
        assert exchange.epoch == 2
        assert exchange.head_seq > max(number for number in told if number) >= followed > 0
        await bus.request([order("after", 5)])
    print(f"without service: {answered_s - began_s:.3f} s, {led_s - began_s:.3f} s of it until it led")
    assert heard.seqs == list(range(1, exchange.head_seq + 1))
    starts = check(url, engine.state_hash())
    assert starts == [1, exchange.head_seq - 1]
    assert [heard.blocks[seq - 1].epoch for seq in starts] == [1, 2]


def test_an_exchange_that_was_followed_stops_and_says_why(url: str) -> None:
    async def play() -> None:
        bus, new_bus, engine = InprocBus(100), InprocBus(100), SmallEngine()
        exchange = await Standby(url, SmallEngine(), bus).until_leader()
        async with leading(exchange, bus):
            await bus.request([order("a")])
            waiting = asyncio.create_task(Standby(url, engine, new_bus).until_leader())
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ 'leader of'"
                )
            new = await asyncio.wait_for(waiting, PATIENCE_S)
            async with leading(new, new_bus):
                with pytest.raises(StoppedError):
                    await bus.request([order("b")])
                assert isinstance(exchange.stopped, JournalError)
                await new_bus.request([order("c")])
        assert check(url, engine.state_hash()) == [1, 4]

    run(play())


def test_a_standby_is_no_obstacle_and_leaves_when_it_is_told_to(url: str) -> None:
    async def play() -> None:
        journal = PostgresJournal.lead(url)
        waiting = asyncio.create_task(Standby(url, SmallEngine(), InprocBus(10)).until_leader())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        journal.close()
        candidate = Candidate(url, 1)
        assert candidate.try_now()
        candidate.close()

    run(play())


def test_a_standby_whose_engine_differs_does_not_take_over(url: str) -> None:
    async def play() -> None:
        bus = InprocBus(100)
        exchange = await Standby(url, SmallEngine(), bus).until_leader()
        async with leading(exchange, bus):
            await bus.request([order("a")])
            with pytest.raises(RecoveryError, match="Replay stopped at seq 2"):
                await asyncio.wait_for(Standby(url, SmallEngine(salt=1), InprocBus(10)).until_leader(), PATIENCE_S)

    run(play())


def test_what_is_said_names_the_other(url: str) -> None:
    with contextlib.closing(PostgresJournal.lead(url)) as journal:
        with pytest.raises(JournalError, match="in use: another process leads it"):
            PostgresJournal.lead(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE journal.leader SET epoch = 9")
        with pytest.raises(NotLeaderError, match=r"its epoch is 9.*this one, of epoch 1, writes nothing more"):
            journal.append(records(1, 1))
