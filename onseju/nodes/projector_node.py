"""`onseju projector`: writes the tables from the event log, or stands by until nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import Any

import structlog

from onseju.journal.port import JournalError
from onseju.journal.postgres import PostgresJournal
from onseju.metrics.exposition import Exposition, Gauge
from onseju.metrics.readiness import Obstacle, Readiness
from onseju.metrics.recorder import Recorder
from onseju.nodes.addresses import Addresses
from onseju.nodes.http import Signals, listen
from onseju.nodes.status import Status, status_server
from onseju.projections.places import TablesInUseError
from onseju.projections.projector import ProjectionError, Projector
from onseju.projections.turns import wait_for_turn
from onseju.settings import Settings

log = structlog.get_logger("onseju.projector")

LOOK_S = 0.02
"""How often the event log is looked at: it is the projector's only source."""
AGAIN_S = 0.5
"""How often a standby tries, and one whose database was not reached."""


class ProjectorNode:
    """One process that would write the tables. `run` once."""

    def __init__(self, settings: Settings) -> None:
        """Raises `CannotStartError`."""
        self.settings = settings
        self.addresses = Addresses.of(settings)
        self.projector: Projector | None = None
        """While this one writes."""
        self._journal: PostgresJournal | None = None
        self._failure: str | None = None
        self._stands_by = False
        self.status = Status(
            "projector",
            f"projector {os.getpid()}",
            settings,
            Readiness(self._is_useful),
            Exposition(Recorder(), self._gauges()),
            self._told,
        )

    async def run(self, signals: Signals) -> int:
        """Write, or stand by, until a signal. Gives the exit status."""
        with contextlib.closing(listen(self.settings.status_host, self.settings.status_port)) as sock:
            server = signals.server = status_server(self.status.app())
            serving = asyncio.create_task(server.serve(sockets=[sock]), name="http")
            try:
                while not serving.done():
                    try:
                        await self._work(serving)
                        self._failure = None
                    except TablesInUseError:  # another one was quicker
                        self._stands_by, self._failure = True, None
                    except (JournalError, ProjectionError) as error:
                        log.warning("projector_failed", error=str(error))
                        self._stands_by, self._failure = False, str(error)
                    await asyncio.wait({serving}, timeout=AGAIN_S)
                return 0
            finally:
                server.should_exit = True
                await serving

    async def _work(self, serving: asyncio.Task[None]) -> None:
        """Write until the end is asked for. Raises where another one writes, or something fails."""
        url, venue = self.addresses.database_url, self.settings.venue
        await asyncio.to_thread(PostgresJournal.prepare, url, venue=venue)
        journal = await asyncio.to_thread(PostgresJournal.open_for_reading, url, venue=venue)
        projector = Projector(journal, url)
        try:
            if not await self._turn(journal, serving):
                return
            await asyncio.to_thread(projector.catch_up)
            projector.start()
            self._journal, self.projector, self._stands_by, self._failure = journal, projector, False, None
            log.info("projector", venue=venue, position=projector.position)
            while not serving.done():
                before = journal.last_event_seq
                await asyncio.to_thread(journal.refresh)
                if journal.last_event_seq > before:
                    projector.wake()
                if isinstance(projector.failed, TablesInUseError):
                    raise projector.failed
                await asyncio.wait({serving}, timeout=LOOK_S)
        finally:
            self.projector = self._journal = None
            await asyncio.to_thread(projector.stop)
            await asyncio.to_thread(journal.close)

    async def _turn(self, journal: PostgresJournal, serving: asyncio.Task[None]) -> bool:
        """Wait until nobody writes; False where the end was asked for before."""
        stopping = threading.Event()

        def head() -> int:
            journal.refresh()
            return journal.last_event_seq

        waiting = asyncio.create_task(
            asyncio.to_thread(wait_for_turn, self.addresses.database_url, stopping, head=head)
        )
        try:
            await asyncio.wait({serving, waiting}, timeout=AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done() and not serving.done():
                log.info("standby", venue=self.settings.venue)
                self._stands_by, self._failure = True, None
                await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.set()
        return await waiting and not serving.done()

    def _is_useful(self) -> Obstacle | None:
        if self._failure is not None:
            return Obstacle("projector_failed", self._failure)
        if self.projector is None:
            return None if self._stands_by else Obstacle("starting", "It reads the event log.")
        failed = self.projector.failed
        return None if failed is None else Obstacle("projector_failed", f"It failed: {type(failed).__name__}.")

    def _told(self) -> dict[str, Any]:
        role = "active" if self.projector is not None else "standby" if self._stands_by else "starting"
        return {"role": role, "epoch": 0, "head_seq": self._position(), "lags": {"tables": self._lag()}}

    def _position(self) -> int:
        return 0 if self.projector is None else self.projector.position

    def _lag(self) -> int:
        return 0 if self._journal is None else max(self._journal.last_event_seq - self._position(), 0)

    def _gauges(self) -> list[Gauge]:
        def failures() -> float:
            return 0.0 if self.projector is None else self.projector.failures

        return [
            Gauge("onseju_projection_position", "The last command whose events the tables hold.", self._position),
            Gauge("onseju_projection_lag_commands", "Commands that the tables lack.", self._lag),
            Gauge("onseju_projection_failures_total", "How often the projector failed.", failures, total=True),
            Gauge("onseju_writes", "1 for the projector that writes.", lambda: float(self.projector is not None)),
            Gauge("onseju_ready", "1 when /readyz says yes.", lambda: float(self._is_useful() is None)),
        ]
