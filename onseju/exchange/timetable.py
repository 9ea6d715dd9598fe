"""What the exchange's clock and calendar say to people: today's plan, the next phase, how long a phase lasts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from onseju.contract.words import Phase


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
    """The plan of a venue that is always open: there is none."""

    def __init__(self, now: Callable[[], int], *, market_hours: str = "always", speed: float = 1.0) -> None:
        self.now = now
        """The exchange's time, microseconds since 1970-01-01 UTC."""
        self.market_hours = market_hours
        self.speed = speed
        """Seconds of the exchange's time per real second."""

    def day(self) -> list[PhaseSpan]:
        """The plan of the trading day; empty where the market is always open."""
        return []

    def next_phase(self) -> NextPhase | None:
        """What the plan has next; None where the market is always open."""
        return None

    def phase_end(self, instrument_id: int) -> int | None:
        """The nominal end of an instrument's present phase, microseconds; None where nothing is planned."""
        return None
