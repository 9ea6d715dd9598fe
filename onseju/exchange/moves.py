"""Moves instruments from phase to phase: an auction is matched before it ends, and nobody is moved twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from onseju.bus.port import BusyError, CommandBus
from onseju.contract.commands import ChangePhase, Command, Request, Resume, Uncross
from onseju.contract.words import Phase
from onseju.exchange.watch import PhaseWatch, Watched
from onseju.rules.sessions import PlannedPhase

_logger = structlog.get_logger(__name__)

RETRY_S = 0.2
"""How long a busy exchange is left alone (real seconds)."""

CHUNK = 64
"""So many commands are one request: room that even a small bus has."""

OPEN = PlannedPhase(Phase.CONTINUOUS, 0, 0, None)
"""What a market without plans is in."""

OCCURRENCES = 65_536


class Mover:
    """Issues the commands. Raises `StoppedError` where the exchange has stopped; a busy one is asked again."""

    def __init__(self, bus: CommandBus, watch: PhaseWatch) -> None:
        self._bus = bus
        self._watch = watch

    async def ask(self, commands: Sequence[Command]) -> None:
        """Have the commands carried out, in order. What is refused changes nothing: the watch tells."""
        while commands:
            try:
                await self._bus.request([Request(command) for command in commands[:CHUNK]])
                commands = commands[CHUNK:]
            except BusyError:
                await asyncio.sleep(RETRY_S)

    async def begin(self, planned: PlannedPhase, among: Sequence[Watched] | None = None) -> None:
        """Begin a planned phase for all whose own state follows the plan, or for those of `among` that do."""
        known = self._watch.all()
        following = [one for one in (known if among is None else among) if follows(one, planned)]
        if among is None and len(following) == len(known):
            await self._move_all(planned)
        await self._move([one for one in following if _lacks(one, planned)], planned)

    async def end_own(self, watched: Watched, planned: PlannedPhase | None, attempt: int = 0) -> None:
        """End an instrument's own phase: back to what the plan has now, or without one to continuous trading; a halt of
        the circuit breaker through an auction. Each attempt has a key of its own, for a host may have used one up."""
        present = planned or OPEN
        if watched.phase is Phase.HALTED:
            phase = Phase.RESUMPTION_AUCTION if present.phase is Phase.CONTINUOUS else present.phase
            await self.ask([Resume(instrument=watched.number, phase=phase)])
        elif planned is not None and (planned.phase, planned.occurrence) not in watched.done:
            await self._move([watched], planned)
        else:
            await self._move([watched], _unplanned(watched, present, attempt))

    async def open(self, watched: Watched) -> None:
        """Let an instrument trade that a plan, or the circuit breaker on the day before, left closed or in an auction."""
        await self._move([watched], _unplanned(watched, OPEN))

    async def _move_all(self, planned: PlannedPhase) -> None:
        """All instruments at once, in one or two commands."""
        move = ChangePhase(trading_day=self._watch.trading_day, phase=planned.phase, occurrence=planned.occurrence)
        collects = not planned.phase.is_auction and any(_must_match(one) for one in self._watch.all())
        if not collects:
            await self.ask([move])
        elif planned.phase.ends_auctions:
            await self.ask([Uncross(), move])  # those whose auction is extended stay
        else:
            await self.ask([Uncross()])
            if all(one.extended is None for one in self._watch.all()):
                await self.ask([move])

    async def _move(self, meant: Sequence[Watched], planned: PlannedPhase) -> None:
        """One by one. Into a phase that ends auctions with the matching in one request: nobody comes in between."""
        if planned.phase.ends_auctions:
            await self.ask([command for one in meant for command in (*_matching(one, planned), self._to(one, planned))])
            # Orders came after an auction had been matched, before a crash: match them too.
            pending = [one for one in meant if one.phase.is_auction and one.is_uncrossed]
            await self.ask([command for one in pending for command in (_uncross(one), self._to(one, planned))])
            return
        await self.ask([command for one in meant for command in _matching(one, planned)])
        await self.ask([self._to(one, planned) for one in meant if planned.phase.is_auction or one.extended is None])

    def _to(self, watched: Watched, planned: PlannedPhase) -> ChangePhase:
        return ChangePhase(
            instrument=watched.number,
            trading_day=self._watch.trading_day,
            phase=planned.phase,
            occurrence=planned.occurrence,
        )


def follows(watched: Watched, planned: PlannedPhase) -> bool:
    """Whether an instrument goes where the plan goes.

    What is halted stays. An auction that is not the plan's own, or is extended, ends in its own time; but an auction of
    the plan takes it in, as the closing auction does with an interruption, and the market's close ends the former.
    """
    if watched.phase is Phase.HALTED:
        return False
    if planned.phase.is_auction:
        return True
    if watched.extended is not None:
        return False
    is_own = watched.phase in (Phase.VI_AUCTION, Phase.RESUMPTION_AUCTION)
    return not (is_own and planned.phase is Phase.CONTINUOUS)


def _unplanned(watched: Watched, planned: PlannedPhase, attempt: int = 0) -> PlannedPhase:
    """The planned phase under a key that no plan has: the command that began the present phase numbers it."""
    return planned._replace(occurrence=2 + (watched.seq + attempt) % (OCCURRENCES - 2))


def _lacks(watched: Watched, planned: PlannedPhase) -> bool:
    return (planned.phase, planned.occurrence) not in watched.done and follows(watched, planned)


def _must_match(watched: Watched) -> bool:
    return watched.phase.is_auction and not watched.is_uncrossed


def _matching(watched: Watched, planned: PlannedPhase) -> list[Uncross]:
    return [_uncross(watched)] if _must_match(watched) and not planned.phase.is_auction else []


def _uncross(watched: Watched) -> Uncross:
    return Uncross(instrument=watched.number)
