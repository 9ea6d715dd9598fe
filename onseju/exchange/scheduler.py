"""Issues what the clock decides: phases, the matching of auctions, the ends of interruptions, the next trading day.

The state machine itself has no clock. What is done and what is due follows from the published events and the calendar
alone, so that a new start goes on where the last one ended: what was missed is issued in order, with the present time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from onseju.bus.port import CommandBus, StoppedError
from onseju.contract.commands import Command, RollDay, SetRule
from onseju.contract.reasons import Reason
from onseju.contract.words import Phase, Rule
from onseju.exchange.clock import Clock, FastClock
from onseju.exchange.moves import Mover
from onseju.exchange.plans import US, DayPlans
from onseju.exchange.timers import own_timer
from onseju.exchange.watch import PhaseWatch, Watched
from onseju.rules.calendar import following_day, korean_day, korean_time
from onseju.rules.fees import sell_tax
from onseju.rules.sessions import PlannedPhase

_logger = structlog.get_logger(__name__)

BEFORE_OPENING_US = 5 * 60 * US
"""A fast clock begins its days so long before the opening (exchange's time)."""

AFTER_CLOSE_US = 10 * 60 * US
"""And leaps over the night so long after the last phase has ended."""


ATTEMPTS = 3
"""So often an instrument's own phase is asked to end; then its host must do it."""


def fast_start(plans: DayPlans, watch: PhaseWatch, last_ts: int, now: int) -> int:
    """Where a fast clock begins: in a day that was cut short where its journal ends (`last_ts`), else shortly before an
    opening: of the day that it is, `now`, or of a later one that the journal has not reached."""
    if watch.done() and last_ts <= plans.ends(watch.trading_day):
        return last_ts
    today = korean_time(korean_day(max(last_ts, now)), 0)
    return max(plans.next_opening(max(today, last_ts)) - BEFORE_OPENING_US, last_ts)


class Duty(NamedTuple):
    """Something to do, and when."""

    at: int
    do: Callable[[], Awaitable[None]]


class Scheduler:
    """Follows the clock. Without `plans` the market is always open, and a trading day is a day in Korea.

    `watch` must listen to the published blocks from the journal's first on. `seed` fixes the random ends.
    """

    def __init__(self, bus: CommandBus, watch: PhaseWatch, clock: Clock, plans: DayPlans | None, *, seed: int) -> None:
        self._watch = watch
        self._clock = clock
        self._plans = plans
        self._seed = seed
        self._mover = Mover(bus, watch)
        self._wake = asyncio.Event()
        self._day = 0
        """The day that `_next` is about."""
        self._next = 0
        """The place in the day's plan of what comes next."""
        self._given_up: set[tuple[int, int]] = set()
        """(instrument, command that began its phase): what would not end when its time came."""
        self._refused_day = 0
        """A day that the exchange would not roll to."""
        watch.on_change = self._wake.set

    async def run(self) -> None:
        """Work until canceled, or until the exchange has stopped."""
        try:
            while True:
                self._wake.clear()
                await self.run_due()
                await self._clock.wait(self.next_due(), self._wake)
        except StoppedError:
            return

    async def run_due(self) -> None:
        """Do all that is due now, in the order of its times. Raises `StoppedError`."""
        while True:
            await self._take_up_day()
            duty = self._earliest()
            if duty is None or duty.at > self._clock():
                return
            await duty.do()

    def next_due(self) -> int | None:
        """When the next thing is to be done, microseconds; None where nothing is planned. For who steps a clock."""
        duty = self._earliest()
        return None if duty is None else duty.at

    # What is due

    def _earliest(self) -> Duty | None:
        day = self._watch.trading_day
        if not day:
            return None
        duties = [Duty(at, self._ender(watched)) for watched, at in self._own_ends(day)]
        if self._plans is None:
            duties.append(Duty(korean_time(following_day(day), 0), self._roll))
        else:
            plan = self._plans.plan(day)
            if self._day == day and self._next < len(plan):
                duties.append(Duty(plan[self._next].at, self._begin_next))
            else:
                duties.append(Duty(self._plans.begins(self._plans.calendar.next_trading_day(day)), self._roll))
                duties += self._leaps(self._plans, day)
        return min((duty for duty in duties if not self._is_refused(duty)), key=lambda duty: duty.at, default=None)

    def _own_ends(self, day: int) -> list[tuple[Watched, int]]:
        ends = []
        for watched in self._watch.all():
            timer = own_timer(watched, day)
            if timer is None or (watched.number, watched.seq) in self._given_up:
                continue
            present = self._present()
            if watched.extended is not None and present is not None and watched.phase is present.phase:
                continue  # a host had it matched early: the plan ends it
            ends.append((watched, timer.at(self._seed)))
        return ends

    def _leaps(self, plans: DayPlans, day: int) -> list[Duty]:
        """A fast clock does not wait for the morning."""
        clock = self._clock
        if not isinstance(clock, FastClock):
            return []
        target = plans.opening(plans.calendar.next_trading_day(day)) - BEFORE_OPENING_US
        leaves = plans.ends(day) + AFTER_CLOSE_US

        async def leap() -> None:
            clock.leap(target)

        return [Duty(leaves, leap)] if clock() < target and leaves < target else []

    def _is_refused(self, duty: Duty) -> bool:
        return duty.do == self._roll and self._refused_day == self._day_to_roll_to()

    def _present(self) -> PlannedPhase | None:
        """What the plan has now; None where there is none, for the market is always open."""
        if self._plans is None or not self._day:
            return None
        return self._plans.plan(self._day)[max(self._next - 1, 0)].planned

    # Days

    async def _take_up_day(self) -> None:
        """A day began, or this is a new start: find the place in its plan, and what a crash left half done."""
        day = self._watch.trading_day
        if day and day != self._day:
            rolled = self._day != 0
            self._day = day
            if self._plans is None:
                await self._open_all(rolled=rolled)
            else:
                await self._find_place(self._plans, rolled=rolled)
        present = self._present()
        fresh = [watched for watched in self._watch.all() if watched.is_fresh]
        if present is not None and self._next and fresh:
            await self._place(fresh, present)

    async def _find_place(self, plans: DayPlans, *, rolled: bool) -> None:
        keys = [(due.planned.phase, due.planned.occurrence) for due in plans.plan(self._day)]
        done = self._watch.done()
        self._next = max((place + 1 for place, key in enumerate(keys) if key in done), default=0)
        if self._next:
            await self._finish(plans, self._next - 1)
        elif not rolled and any(one.phase not in (Phase.CLOSED, Phase.HALTED) for one in self._watch.all()):
            # A new venue, or one that was always open until now: it did not miss the day's phases.
            now = self._clock()
            self._next = sum(due.at <= now for due in plans.plan(self._day))
            if self._next:
                await self._mover.begin(plans.plan(self._day)[self._next - 1].planned)

    async def _finish(self, plans: DayPlans, place: int) -> None:
        """Take those along that a crash left behind in the phase before."""
        before = plans.plan(self._day)[place - 1].planned.phase if place else None
        planned = plans.plan(self._day)[place].planned
        left = [
            one
            for one in self._watch.all()
            if one.phase is before and one.is_planned and (planned.phase, planned.occurrence) not in one.done
        ]
        if left:
            await self._mover.begin(planned, left)

    async def _place(self, fresh: list[Watched], present: PlannedPhase) -> None:
        """A newly listed instrument joins the phase of the others."""
        await self._mover.begin(present, fresh)
        for watched in fresh:
            watched.is_fresh = False

    async def _open_all(self, *, rolled: bool) -> None:
        """The market is always open: what a plan had closed trades again, what the circuit breaker had, on a new day."""
        for watched in self._watch.all():
            by_breaker = watched.phase is Phase.CLOSED and watched.reason == Reason.CIRCUIT_BREAKER and rolled
            by_plan = watched.is_planned and not rolled and watched.phase is not Phase.CONTINUOUS
            if by_plan or by_breaker:
                await self._mover.open(watched)

    def _day_to_roll_to(self) -> int:
        now = self._clock()
        return korean_day(now) if self._plans is None else self._plans.trading_day_at(now)

    async def _roll(self) -> None:
        """Begin the trading day that it is now, whole days that were missed left out, with the fees of its date."""
        before, day = self._watch.trading_day, self._day_to_roll_to()
        await self._mover.ask([RollDay(trading_day=day), *self._tax_changes(before, day)])
        if self._watch.trading_day == day:
            self._given_up.clear()
            _logger.info("trading_day_rolled", before=before, trading_day=day)
        else:
            self._refused_day = day
            _logger.warning("trading_day_refused", before=before, trading_day=day)

    def _tax_changes(self, before: int, day: int) -> list[Command]:
        """The taxes that are others on `day`: of instruments that had the law's, for a host's own stay."""
        changes: list[Command] = []
        for watched in self._watch.all():
            old, new = (sell_tax(on, watched.board, watched.security) for on in (before, day))
            rules = (Rule.TRANSACTION_TAX_PPM, Rule.RURAL_TAX_PPM)
            if old != new and tuple(watched.taxes.get(rule, -1) for rule in rules) == old:
                changes += [
                    SetRule(rule=rule, value=value, instrument=watched.number)
                    for rule, value in zip(rules, new, strict=True)
                ]
        return changes

    # Phases

    async def _begin_next(self) -> None:
        if self._plans is None:
            return
        planned = self._plans.plan(self._day)[self._next].planned
        self._next += 1
        await self._mover.begin(planned)
        _logger.info("phase_began", trading_day=self._day, phase=planned.phase.label, occurrence=planned.occurrence)

    def _ender(self, watched: Watched) -> Callable[[], Awaitable[None]]:
        async def end() -> None:
            began = watched.seq, watched.phase, watched.extended
            for attempt in range(ATTEMPTS):
                await self._mover.end_own(watched, self._present(), attempt)
                if (watched.seq, watched.phase, watched.extended) != began:
                    return
            self._given_up.add((watched.number, watched.seq))
            _logger.warning("phase_did_not_end", instrument=watched.number, phase=watched.phase.label)

        return end
