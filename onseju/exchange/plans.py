"""The plans of all days: which phases a trading day has, when its auctions really end, which day a time belongs to."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from onseju.contract.words import Phase
from onseju.rules.calendar import Calendar, following_day, korean_day
from onseju.rules.sessions import Hours, PlannedPhase, day_plan

US = 1_000_000
WITHOUT_ORDERS = (Phase.PRE_OPEN, Phase.CLOSED)


class Due(NamedTuple):
    """A planned phase, and the moment when it really begins: known to the leader alone."""

    at: int
    planned: PlannedPhase


def random_end(seed: int, what: str, most_s: int) -> int:
    """A random part of `most_s` seconds, in microseconds: the same for the same seed and name."""
    return Random(f"{seed}:{what}").randint(0, most_s * US)  # noqa: S311  # a draw to be repeated, not a secret


class DayPlans:
    """A market's hours on its calendar; `seed` fixes the random ends."""

    def __init__(self, hours: Hours, calendar: Calendar, seed: int) -> None:
        self.calendar = calendar
        self._hours = hours
        self._seed = seed
        self._plans: dict[int, tuple[Due, ...]] = {}

    def plan(self, day: int) -> tuple[Due, ...]:
        """The phases of a day in order. An auction's successor begins when the auction really ends."""
        found = self._plans.get(day)
        if found is None:
            found = self._plans[day] = tuple(self._dues(day))
        return found

    def begins(self, day: int) -> int:
        """When a trading day begins."""
        return self.plan(day)[0].at

    def opening(self, day: int) -> int:
        """When a trading day first takes orders."""
        return next(due.at for due in self.plan(day) if due.planned.phase not in WITHOUT_ORDERS)

    def ends(self, day: int) -> int:
        """When a trading day's last phase, `closed`, begins."""
        return self.plan(day)[-1].at

    def trading_day_at(self, ts: int) -> int:
        """The trading day that a time belongs to: the last one that has begun."""
        day = self.calendar.previous_trading_day(following_day(korean_day(ts)))
        return day if self.begins(day) <= ts else self.calendar.previous_trading_day(day)

    def next_opening(self, ts: int) -> int:
        """The first opening of a trading day at `ts` or later."""
        day = self.trading_day_at(ts)
        while self.opening(day) < ts:
            day = self.calendar.next_trading_day(day)
        return self.opening(day)

    def _dues(self, day: int) -> list[Due]:
        dues: list[Due] = []
        late = 0
        for planned in day_plan(self._hours, self.calendar, day):
            dues.append(Due(planned.from_ts + late, planned))
            name = f"{day}:{planned.phase.label}:{planned.occurrence}"
            late = random_end(self._seed, name, planned.random_end_s)
        return dues
