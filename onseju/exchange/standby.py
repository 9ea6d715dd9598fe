"""A process that would be the exchange: it follows the journal, and takes over when nobody leads.

What it has replayed stays: a takeover replays only what the last leader wrote at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TypeVar

import structlog

from onseju.bus.inproc import InprocBus
from onseju.contract.command_runs import CommandRun
from onseju.contract.event_runs import EventRun
from onseju.exchange.exchange import Exchange, now_us
from onseju.exchange.recovery import BATCH
from onseju.journal.postgres import Candidate, DatabaseFailedError, PostgresJournal
from onseju.matching.engine import Engine
from onseju.metrics.recorder import Recorder

_logger = structlog.get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R", CommandRun, EventRun)

POLL_S = 0.1
"""How often it looks whether there is something to follow, and whether somebody leads."""

RETRY_S = 1.0
"""How long a database that fails is left alone."""


class Standby:
    """One venue's exchange in waiting. Those who listen to the bus get every block, while it follows and when it takes over:
    what leaves the process must begin to listen after `until_leader`.
    """

    def __init__(
        self,
        url: str,
        engine: Engine,
        bus: InprocBus,
        *,
        venue: int = 1,
        clock: Callable[[], int] = now_us,
        recorder: Recorder | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self.exchange: Exchange | None = None
        """The exchange as far as it has followed; None before it could read the journal."""
        self.journal_seq = 0
        """The last command with events that was seen in the journal."""
        self._url = url
        self._engine = engine
        self._bus = bus
        self._venue = venue
        self._clock = clock
        self._recorder = recorder
        self._poll_s = poll_s

    @property
    def position(self) -> int:
        """The last command that was followed."""
        return self.exchange.replayed_seq if self.exchange is not None else 0

    async def until_leader(self) -> Exchange:
        """Follow until this process leads; then the exchange, recovered: `run` it, and `genesis.begin` its epoch.

        Its `journal` is a `PostgresJournal`, whose `ended` says when the leadership is lost: then the process must end. A
        database that does not answer is asked again and again. Raises `RecoveryError` where the engine does not give what
        the leader's gave, and other `JournalError` where the journal cannot be used.
        """
        candidate = Candidate(self._url, self._venue)
        reader: PostgresJournal | None = None
        try:
            while True:
                try:
                    if reader is None:
                        reader = await _finished(self._open, undo=PostgresJournal.close)
                    if await _finished(candidate.try_now):
                        journal = await _finished(self._lead(candidate), undo=PostgresJournal.close)
                        break
                    moved = await self._follow(reader)
                except DatabaseFailedError as error:
                    _logger.warning("database_unreachable", venue=self._venue, error=str(error))
                    await asyncio.sleep(RETRY_S)
                else:
                    if not moved:
                        await asyncio.sleep(self._poll_s)
        finally:
            candidate.close()
            if reader is not None:
                reader.close()
        return self._recovered(journal)

    def _open(self) -> PostgresJournal:
        PostgresJournal.prepare(self._url, venue=self._venue)
        return PostgresJournal.open_for_reading(self._url, venue=self._venue)

    def _lead(self, candidate: Candidate) -> Callable[[], PostgresJournal]:
        return lambda: PostgresJournal.lead(self._url, venue=self._venue, candidate=candidate)

    async def _follow(self, reader: PostgresJournal) -> bool:
        """Take the next piece of what has its events in the log; whether there was any."""
        exchange = self._exchange(reader)
        commands, logged = await _finished(lambda: _read(reader, exchange.replayed_seq))
        self.journal_seq = reader.last_event_seq
        if commands:
            exchange.follow(iter(commands), iter(logged))
        return bool(commands)

    def _exchange(self, journal: PostgresJournal) -> Exchange:
        if self.exchange is None:
            self.exchange = Exchange(
                self._engine, journal, self._bus, venue=self._venue, clock=self._clock, recorder=self._recorder
            )
        return self.exchange

    def _recovered(self, journal: PostgresJournal) -> Exchange:
        exchange = self._exchange(journal)
        exchange.journal = journal
        followed = exchange.replayed_seq
        try:
            exchange.recover(epoch=journal.epoch)
        except BaseException:
            journal.close()
            raise
        _logger.info(
            "took_over",
            venue=self._venue,
            epoch=exchange.epoch,
            followed=followed,
            replayed=exchange.head_seq - followed,
        )
        return exchange


def _read(journal: PostgresJournal, after_seq: int) -> tuple[list[CommandRun], list[EventRun]]:
    """The next commands after `after_seq` whose events are in the log, and those: of some thousand at most."""
    journal.refresh()
    through = min(journal.last_event_seq, after_seq + BATCH)
    return (
        _through(through, journal.read_runs(after_seq)) if through > after_seq else [],
        _through(through, journal.read_event_runs(after_seq)) if through > after_seq else [],
    )


def _through(last_seq: int, runs: Iterator[R]) -> list[R]:
    """The runs, none of them beyond `last_seq`."""
    found: list[R] = []
    for run in runs:
        if run.last_seq >= last_seq:
            found.append(run.part(0, last_seq - run.first_seq + 1))
            break
        found.append(run)
    return found


async def _finished(work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
    """What `work` gives, done in a thread. Who is canceled waits for its end, and has what it gave undone."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if undo is not None and not task.cancelled() and task.exception() is None:
            undo(task.result())
        raise
