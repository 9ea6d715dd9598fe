"""The exchange's part of a process: the single writer, its clock, and what the clock decides. On any journal."""

from __future__ import annotations

import asyncio
import secrets

import structlog

from onseju.bus.inproc import InprocBus
from onseju.contract.commands import Request
from onseju.contract.views import timestamp
from onseju.exchange.clock import FastClock, RealClock
from onseju.exchange.exchange import Exchange, now_us
from onseju.exchange.genesis import begin, first_commands
from onseju.exchange.plans import DayPlans
from onseju.exchange.scheduler import Scheduler, fast_start
from onseju.exchange.watch import PhaseWatch
from onseju.gateway.openings import VENUE_ACCOUNT, VENUE_OWNER
from onseju.metrics.readiness import Obstacle
from onseju.rules.calendar import korean_day, krx_calendar
from onseju.rules.pack import RulePack
from onseju.rules.sessions import SESSIONS
from onseju.settings import Settings

CLOCK_TOLERANCE_US = 60 * 1_000_000
"""Clocks of machines differ by less. A journal that is further ahead was written in fast time."""

log = structlog.get_logger("onseju")


class ExchangePart:
    """One venue's writer. Its `watch` is a view: it must hear every block from the first on, before the scheduler runs."""

    def __init__(self, settings: Settings, pack: RulePack) -> None:
        """Without an exchange yet: `take` has it."""
        ends = settings.seed if settings.seed is not None else secrets.randbits(64)
        self.bus = InprocBus(capacity=settings.bus_capacity)
        self.clock = make_clock(settings)
        self.plans = make_plans(settings, ends)
        self.watch = PhaseWatch()
        self.scheduler = Scheduler(self.bus, self.watch, self.clock, self.plans, seed=ends)
        self.task: asyncio.Task[None] | None = None
        """The exchange's own, from `start` on. It ends when the exchange does."""
        self._exchange: Exchange | None = None
        self._settings = settings
        self._pack = pack
        self._scheduling: asyncio.Task[None] | None = None

    def take(self, exchange: Exchange) -> Exchange:
        """The exchange of this part: on its bus, by its clock."""
        self._exchange = exchange
        return exchange

    @property
    def exchange(self) -> Exchange:
        """The exchange that was taken."""
        if self._exchange is None:
            raise RuntimeError("there is no exchange here yet")
        return self._exchange

    async def start(self) -> None:
        """Run, begin this leader's epoch, and the venue where it is new. After the recovery. Raises `StoppedError`."""
        self._start_clock()
        self.task = asyncio.create_task(self.exchange.run(), name="exchange")
        await begin(self.bus, self.exchange, self._first_commands())

    async def schedule(self) -> None:
        """Do what is due, and follow the clock from now on. Raises `StoppedError`."""
        await self.scheduler.run_due()
        self._scheduling = asyncio.create_task(self._schedule(), name="scheduler")

    async def stop(self) -> None:
        """Finish what was taken, and end. Idempotent."""
        tasks = [task for task in (self._scheduling, self.task) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def is_running(self) -> Obstacle | None:
        """A check of readiness."""
        if self.task is not None and not self.task.done() and self.exchange.stopped is None:
            return None
        return Obstacle("exchange_stopped", f"The exchange does not run: {self.exchange.stopped or 'it is stopping'}.")

    def journal_has_room(self) -> Obstacle | None:
        """A check of readiness."""
        if not self.exchange.journal.is_full:
            return None
        return Obstacle("disk_full", "The journal's disk is full: orders are refused, cancels and reads go on.")

    async def _schedule(self) -> None:
        """A market whose phases nobody ends must not go on: a scheduler that fails stops the exchange."""
        try:
            await self.scheduler.run()
        except Exception as error:
            log.critical("scheduler_failed", error=str(error), exc_info=error)
            self.exchange.stopped = error
            self.bus.stop(error)

    def _start_clock(self) -> None:
        """The exchange's time does not go back behind the journal's end."""
        last_ts, now = self.exchange.last_ts, now_us()
        if self.plans is not None and isinstance(self.clock, FastClock):
            self.clock.start(fast_start(self.plans, self.watch, last_ts, now))
        elif last_ts > now + CLOCK_TOLERANCE_US:
            log.warning("clock_ahead", journal=timestamp(last_ts), machine=timestamp(now))
            self.clock.start(last_ts)

    def _first_commands(self) -> list[Request]:
        now = self.clock()
        return first_commands(
            self._pack,
            korean_day(now) if self.plans is None else self.plans.trading_day_at(now),
            venue_account=VENUE_ACCOUNT,
            owner=VENUE_OWNER,
            sessions=None if self.plans is None else self._settings.sessions,
        )


def make_clock(settings: Settings) -> FastClock | RealClock:
    """The clock that the venue's hours go by."""
    return FastClock(settings.clock_speed) if settings.market_hours == "fast" else RealClock()


def make_plans(settings: Settings, ends: int) -> DayPlans | None:
    """The plans of its days, their random ends drawn from `ends`; None where the market is always open."""
    if settings.market_hours == "always":
        return None
    return DayPlans(SESSIONS[settings.sessions], krx_calendar(), ends)
