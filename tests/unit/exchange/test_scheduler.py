"""The scheduler's loop: it wakes for what happens, waits for a busy exchange, ends with a stopped one, runs fast days."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from onseju.bus.port import BusyError, StoppedError
from onseju.contract.commands import ChangePhase, CommandKind, ListInstrument, Request, RollDay
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import Phase
from onseju.exchange.clock import FastClock, SteppedClock
from onseju.exchange.plans import DayPlans
from onseju.exchange.scheduler import Scheduler, fast_start
from onseju.exchange.watch import PhaseWatch
from onseju.rules.calendar import krx_calendar
from onseju.rules.sessions import SESSIONS
from tests.contract.bus_contract import run
from tests.unit.exchange.floor import BASE, A, Floor, us

PLANS = DayPlans(SESSIONS["krx"], krx_calendar(), seed=1)


class Bus:
    """Rolls the day, when it is let."""

    def __init__(self, watch: PhaseWatch) -> None:
        self.watch = watch
        self.error: Exception | None = None
        self.errors = 0
        self.refuses = False
        self.asked: list[int] = []

    async def request(self, requests: Sequence[Request]) -> list[EventBlock]:
        if self.error is not None and self.errors:
            self.errors -= 1
            raise self.error
        for request in requests:
            assert isinstance(request.command, RollDay)
            self.asked.append(request.command.trading_day)
            if not self.refuses:
                self.watch.trading_day = request.command.trading_day
        return []


def always(at: str, day: int) -> tuple[Scheduler, Bus, SteppedClock]:
    watch, clock = PhaseWatch(), SteppedClock(us(at))
    watch.trading_day = day
    bus = Bus(watch)
    return Scheduler(bus, watch, clock, None, seed=1), bus, clock


class Noting(SteppedClock):
    """Notes until when it was waited for."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.until: asyncio.Queue[int | None] = asyncio.Queue()

    async def wait(self, until: int | None, wake: asyncio.Event) -> None:
        self.until.put_nowait(until)
        await super().wait(until, wake)


def test_an_event_wakes_it(tmp_path: Path) -> None:
    """It waits for 15:20, and yet ends an interruption that begins meanwhile."""

    async def test() -> None:
        async with Floor.open(tmp_path, "10:00") as floor:
            clock = Noting(us("10:00"))
            floor.scheduler._clock = clock
            running = asyncio.create_task(floor.scheduler.run())
            assert await clock.until.get() == us("15:20")
            await floor.cross(BASE + 3_000)
            assert floor.phase(A) is Phase.VI_AUCTION
            end = await clock.until.get()
            assert end is not None
            assert us("10:02") <= end <= us("10:02:30")
            clock.step_to(end)
            floor.clock.step_to(end)
            while end != us("15:20"):
                end = await clock.until.get()
            assert floor.phase(A) is Phase.CONTINUOUS
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run(test())


def test_a_busy_exchange_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onseju.exchange.moves.RETRY_S", 0.001)
    scheduler, bus, _ = always("12:00", 20261120)
    bus.error, bus.errors = BusyError("busy"), 3
    asyncio.run(scheduler.run_due())
    assert bus.asked == [20261123]
    assert bus.errors == 0


def test_it_ends_when_the_exchange_has_stopped() -> None:
    scheduler, bus, _ = always("12:00", 20261120)
    bus.error, bus.errors = StoppedError("stopped"), 1
    run(scheduler.run())
    assert bus.asked == []


def test_a_day_that_is_refused_is_not_asked_for_again_and_again() -> None:
    scheduler, bus, clock = always("12:00", 20261120)
    bus.refuses = True
    asyncio.run(scheduler.run_due())
    asyncio.run(scheduler.run_due())
    assert bus.asked == [20261123]
    clock.step_to(us("2026-11-24 00:00"))
    asyncio.run(scheduler.run_due())
    assert bus.asked == [20261123, 20261124]


def test_nothing_is_due_before_the_venue_is_open() -> None:
    scheduler, bus, _ = always("12:00", 0)
    asyncio.run(scheduler.run_due())
    assert scheduler.next_due() is None
    assert bus.asked == []


def test_a_fast_clock_leaps_over_the_night_and_the_weekend() -> None:
    watch = PhaseWatch()
    watch.trading_day = 20261120
    ns = [0]
    clock = FastClock(570, monotonic_ns=lambda: ns[0])
    clock.start(us("2026-11-20 20:05"))
    bus = Bus(watch)
    bus.refuses = True
    scheduler = Scheduler(bus, watch, clock, PLANS, seed=1)
    asyncio.run(_pass_the_day(scheduler))
    assert scheduler.next_due() == us("2026-11-20 20:10")
    ns[0] += 10**9
    asyncio.run(scheduler.run_due())
    assert us("2026-11-23 08:25") <= clock() < us("2026-11-23 08:25") + 1_000_000
    assert bus.asked == [20261123]


async def _pass_the_day(scheduler: Scheduler) -> None:
    """There is no instrument that a phase could be asked for."""
    scheduler._mover.begin = _nothing  # type: ignore[method-assign, assignment]
    await scheduler.run_due()


async def _nothing(*_: object) -> None:
    return


def test_where_a_fast_day_begins(tmp_path: Path) -> None:
    empty = PhaseWatch()
    assert fast_start(PLANS, empty, 0, us("19:25")) == us("08:25")
    assert fast_start(PLANS, empty, 0, us("2026-11-22 12:00")) == us("2026-11-23 08:25")
    assert fast_start(PLANS, empty, us("19:25"), us("19:26")) == us("2026-11-24 08:25"), "not behind the journal"
    assert fast_start(PLANS, empty, us("07:00"), us("19:26")) == us("08:25")
    assert fast_start(PLANS, empty, us("08:27"), us("08:28")) == us("08:27")

    async def test() -> None:
        async with Floor.open(tmp_path, "11:00") as floor:
            now = us("2026-12-01 09:00")
            assert fast_start(PLANS, floor.watch, us("11:00"), now) == us("11:00"), "the day goes on"
            assert fast_start(PLANS, floor.watch, us("21:00"), us("12:00")) == us("2026-11-24 08:25")
            assert fast_start(PLANS, floor.watch, us("21:00"), now) == us("2026-12-01 08:25")

    run(test())


def test_a_move_of_many_instruments_is_several_requests(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00") as floor:
            names = [f"N{number}".encode() for number in range(200)]
            await floor.ask(*(ListInstrument(symbol=name, base_price=5_000, tick_table=1) for name in names))
            await floor.scheduler.run_due()
            await floor.ask(ChangePhase(instrument=A, trading_day=20261123, phase=Phase.HALTED, occurrence=9))
            first = len(floor.blocks)
            await floor.until("15:35")
            moves = [block for block in floor.blocks[first:] if block.command_kind == CommandKind.CHANGE_PHASE]
            assert len(moves) == 2 * 201
            assert {watched.phase for watched in floor.watch.all()} == {Phase.CLOSE_PRICE_RECEPTION, Phase.HALTED}
            assert floor.refusals() == []

    run(test())
