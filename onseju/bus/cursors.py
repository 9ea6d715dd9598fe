"""Through which of its commands each gateway has been heard: a view of the events, kept in checkpoints as the others are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from onseju.contract.commands import CommandKind
from onseju.contract.event_runs import EventRun, runs_of
from onseju.contract.events import GatewayGapClosed, decode_event
from onseju.contract.journal_records import EventBlock


class Cursor(NamedTuple):
    """A gateway's place: its newest epoch, and the number after its last command there that took effect or was given up."""

    epoch: int
    next_seq: int


class GatewayCursors:
    """Every gateway's cursor, after the blocks that it has heard."""

    def __init__(self) -> None:
        self._cursors: dict[int, Cursor] = {}

    def of(self, gateway: int) -> Cursor | None:
        """The gateway's cursor; None where it was never heard of."""
        return self._cursors.get(gateway)

    def all(self) -> dict[int, Cursor]:
        """Every gateway's."""
        return dict(self._cursors)

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Hear the next blocks."""
        for run in runs_of(blocks):
            for gateway, cursor in last_of(run).items():
                self._move(gateway, cursor)

    def _move(self, gateway: int, cursor: Cursor) -> None:
        self._cursors[gateway] = max(cursor, self._cursors.get(gateway, cursor))

    def state(self) -> dict[str, Any]:
        """Plain data."""
        return {"cursors": {gateway: tuple(cursor) for gateway, cursor in self._cursors.items()}}

    def take_up(self, state: dict[str, Any]) -> None:
        """Stand where another stood that gave this state."""
        self._cursors = {gateway: Cursor(*cursor) for gateway, cursor in state["cursors"].items()}


def last_of(run: EventRun) -> dict[int, Cursor]:
    """The cursors of the gateways that the run has commands of, or closed gaps."""
    found: dict[int, Cursor] = {}
    if run.origins:
        newest = {origin[0]: origin for origin in run.origins}  # a gateway's are in order: the last one stays
        found = {gateway: Cursor(epoch, seq + 1) for gateway, epoch, seq in newest.values() if gateway}
    for gap in closed_gaps(run).values():
        cursor = Cursor(gap.gateway_epoch, gap.through_seq + 1)
        found[gap.gateway] = max(cursor, found.get(gap.gateway, cursor))
    return found


def closed_gaps(run: EventRun) -> dict[int, GatewayGapClosed]:
    """The gaps that the run's commands closed, by place."""
    found: dict[int, GatewayGapClosed] = {}
    at = run.kinds.find(CommandKind.CLOSE_GATEWAY_GAP)
    while at >= 0:
        event = decode_event(run.payload, run.ends[at - 1] if at else 0)
        if isinstance(event, GatewayGapClosed):
            found[at] = event
        at = run.kinds.find(CommandKind.CLOSE_GATEWAY_GAP, at + 1)
    return found
