"""When a phase ends that no plan has: interruptions, extended auctions, halts of the circuit breaker, resumptions."""

from __future__ import annotations

from typing import NamedTuple

from onseju.contract.words import Phase
from onseju.exchange.plans import US, random_end
from onseju.exchange.watch import Watched
from onseju.rules.sessions import BREAKER_HALT_S, INTERRUPTION_S, RANDOM_END_S, RESUMPTION_S


class Timer(NamedTuple):
    """The end of an instrument's own phase: as everybody may know it, and how much later it may be."""

    nominal: int
    random_end_s: int
    name: str
    """What the random end is drawn by."""

    def at(self, seed: int) -> int:
        """When it really ends: known to the leader alone."""
        return self.nominal + random_end(seed, self.name, self.random_end_s)


def own_timer(watched: Watched, day: int) -> Timer | None:
    """The timer of an instrument's phase, derived from how it began; None where the plan, or a host, ends the phase.

    An auction that was extended is timed where the plan began it: a host who runs auctions by hand ends them by hand.
    """
    if watched.phase is Phase.VI_AUCTION:
        return _timer(watched, day, watched.since, INTERRUPTION_S, f"vi:{watched.occurrence}")
    if watched.phase is Phase.RESUMPTION_AUCTION:
        return _timer(watched, day, watched.since, RESUMPTION_S, f"resumption:{watched.since}")
    if watched.is_interrupted_by_breaker:
        return Timer(watched.since + BREAKER_HALT_S * US, 0, "")
    if watched.extended is not None and watched.is_planned:
        return _timer(watched, day, watched.extended, INTERRUPTION_S, f"extended:{watched.phase.label}")
    return None


def _timer(watched: Watched, day: int, since: int, lasts_s: int, name: str) -> Timer:
    return Timer(since + lasts_s * US, RANDOM_END_S, f"{day}:{watched.number}:{name}")
