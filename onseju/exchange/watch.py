"""What the scheduler must know of each instrument, from the event blocks alone: so a restart knows it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from onseju.contract.commands import CommandKind
from onseju.contract.event_runs import runs_of
from onseju.contract.events import (
    EVENT_BYTES,
    KIND_OFFSET,
    AuctionExtended,
    AuctionUncrossed,
    DayRolled,
    Event,
    EventKind,
    InstrumentListed,
    PhaseChanged,
    RuleSet,
    VenueOpened,
    decode_event,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.contract.words import Board, Phase, Rule, Security

_KINDS = frozenset(
    {
        EventKind.PHASE_CHANGED,
        EventKind.AUCTION_EXTENDED,
        EventKind.AUCTION_UNCROSSED,
        EventKind.DAY_ROLLED,
        EventKind.INSTRUMENT_LISTED,
        EventKind.VENUE_OPENED,
        EventKind.RULE_SET,
    }
)
_OTHERS = bytes(kind for kind in range(256) if kind not in _KINDS)
LAST_PLANNED = 1
"""A day's plan has each phase twice at most: occurrence 0 and 1. All other moves have larger numbers."""

Key = tuple[int, int]
"""(phase, occurrence): what takes effect once a day."""


@dataclass(slots=True)
class Watched:
    """An instrument's phase, and what happened in it. Times in microseconds since 1970."""

    number: int
    board: Board
    security: Security
    phase: Phase = Phase.CONTINUOUS
    since: int = 0
    reason: int = 0
    seq: int = 0
    """The command that brought it here."""
    occurrence: int = 0
    is_fresh: bool = True
    """Listed, and in no phase of the plan yet."""
    is_planned: bool = False
    """Whether the plan brought it here."""
    extended: int | None = None
    """When its auction was extended."""
    is_uncrossed: bool = False
    """Whether its auction was matched since it began."""
    done: set[Key] = field(default_factory=set)
    """The keys of the plan that took effect today."""
    taxes: dict[int, int] = field(default_factory=dict)
    """Its own tax rules."""

    @property
    def is_interrupted_by_breaker(self) -> bool:
        """Whether the circuit breaker's first or second stage stopped it."""
        return self.phase is Phase.HALTED and self.reason == Reason.CIRCUIT_BREAKER


class PhaseWatch:
    """All instruments, and the trading day (YYYYMMDD; 0 before the venue is open)."""

    def __init__(self) -> None:
        self.trading_day = 0
        self.on_change: Callable[[], None] = lambda: None
        """Called after a batch of blocks that changed something here."""
        self._watched: dict[int, Watched] = {}

    def all(self) -> list[Watched]:
        """Every instrument, in the order of listing."""
        return list(self._watched.values())

    def get(self, instrument: int) -> Watched | None:
        """The instrument with this number, or None."""
        return self._watched.get(instrument)

    def done(self) -> set[Key]:
        """The keys of the plan that took effect today for any instrument."""
        return {key for watched in self._watched.values() for key in watched.done}

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps (`exchange.checkpoint.View`)."""
        return {"trading_day": self.trading_day, "watched": self._watched}

    def take_up(self, state: dict[str, Any]) -> None:
        """Stand where `state` was taken."""
        self.trading_day, self._watched = state["trading_day"], state["watched"]

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Take in published blocks (an `EventListener`)."""
        changed = False
        for run in runs_of(blocks):
            if not run.payload[KIND_OFFSET::EVENT_BYTES].translate(None, _OTHERS):
                continue
            for block in run:
                for place, kind in enumerate(block.payload[KIND_OFFSET::EVENT_BYTES]):
                    if kind in _KINDS:
                        changed = True
                        self._take(decode_event(block.payload, place * EVENT_BYTES), block.command_kind)
        if changed:
            self.on_change()

    def _take(self, event: Event, command_kind: int) -> None:
        if isinstance(event, PhaseChanged):
            for watched in self._meant(event.instrument):
                _move(watched, event, command_kind)
        elif isinstance(event, AuctionExtended):
            self._watched[event.instrument].extended = event.ts
        elif isinstance(event, AuctionUncrossed):
            watched = self._watched[event.instrument]
            watched.extended, watched.is_uncrossed = None, True
        elif isinstance(event, InstrumentListed):
            number = event.instrument
            self._watched[number] = Watched(number, Board(event.board), Security(event.security))
        elif isinstance(event, RuleSet) and event.rule in (Rule.TRANSACTION_TAX_PPM, Rule.RURAL_TAX_PPM):
            if event.instrument:
                self._watched[event.instrument].taxes[event.rule] = event.value
        elif isinstance(event, DayRolled):
            self.trading_day = event.trading_day
            for watched in self._watched.values():
                watched.done.clear()
        elif isinstance(event, VenueOpened):
            self.trading_day = event.trading_day

    def _meant(self, instrument: int) -> Iterable[Watched]:
        return [self._watched[instrument]] if instrument else self._watched.values()


def _move(watched: Watched, event: PhaseChanged, command_kind: int) -> None:
    by_plan = command_kind == CommandKind.CHANGE_PHASE and event.occurrence <= LAST_PLANNED
    if by_plan:
        watched.done.add((event.phase, event.occurrence))
    watched.phase = Phase(event.phase)
    watched.since, watched.seq = event.ts, event.seq
    watched.reason, watched.occurrence = event.reason, event.occurrence
    watched.is_fresh = command_kind == CommandKind.LIST_INSTRUMENT
    watched.is_planned = by_plan
    watched.extended, watched.is_uncrossed = None, False
