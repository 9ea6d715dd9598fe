"""What the exchange's clock and calendar say to people: today's plan, the next phase, how long a phase lasts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from onseju.contract.words import Phase
from onseju.exchange.plans import DayPlans
from onseju.exchange.timers import own_timer
from onseju.exchange.watch import PhaseWatch, Watched


class PhaseSpan(NamedTuple):
    """A planned phase of the day, in microseconds since 1970; `random_end_s` is how much later it may end."""

    phase: Phase
    from_ts: int
    to_ts: int
    random_end_s: int = 0


class NextPhase(NamedTuple):
    """The phase that the plan has next, and its nominal time."""

    phase: Phase
    ts: int


class Timetable:
    """The plan, for those who may look but not touch. Random ends are not in it: nobody is to know them."""

    def __init__(
        self,
        now: Callable[[], int],
        *,
        market_hours: str = "always",
        speed: float = 1.0,
        plans: DayPlans | None = None,
        watch: PhaseWatch | None = None,
    ) -> None:
        """Without `plans` the market is always open: nothing is planned."""
        self.now = now
        """The exchange's time, microseconds since 1970-01-01 UTC."""
        self.market_hours = market_hours
        self.speed = speed
        """Seconds of the exchange's time per real second."""
        self._plans = plans
        self._watch = watch or PhaseWatch()

    def day(self) -> list[PhaseSpan]:
        """The plan of the trading day; empty where the market is always open, and on a day without trading."""
        if self._plans is None or not self._watch.trading_day:
            return []
        planned = [due.planned for due in self._plans.plan(self._watch.trading_day)]
        return [PhaseSpan(p.phase, p.from_ts, p.to_ts, p.random_end_s) for p in planned if p.to_ts is not None]

    def next_phase(self) -> NextPhase | None:
        """What the plan has next, today or on the next trading day; None where the market is always open."""
        day = self._watch.trading_day
        if self._plans is None or not day:
            return None
        now = self.now()
        following = self._plans.calendar.next_trading_day(day)
        for due in (*self._plans.plan(day), *self._plans.plan(following)):
            if due.at > now:
                return NextPhase(due.planned.phase, due.planned.from_ts)
        return None

    def phase_end(self, instrument_id: int) -> int | None:
        """The nominal end of an instrument's present phase, microseconds; None where nothing is planned.

        An interruption, a resumption and a halt of the circuit breaker have ends of their own; what a host halted has
        none.
        """
        watched = self._watch.get(instrument_id)
        if watched is None:
            return None
        timer = own_timer(watched, self._watch.trading_day)
        if timer is not None:
            return min(timer.nominal, self._closing_begins(watched, timer.nominal))
        following = self.next_phase()
        return None if watched.phase is Phase.HALTED or following is None else following.ts

    def _closing_begins(self, watched: Watched, otherwise: int) -> int:
        """When the closing auction takes over an interruption that runs into it."""
        if self._plans is None or watched.phase is not Phase.VI_AUCTION:
            return otherwise
        plan = self._plans.plan(self._watch.trading_day)
        begins = (due.at for due in plan if due.planned.phase is Phase.CLOSING_AUCTION)
        return next((at for at in begins if at > watched.since), otherwise)
