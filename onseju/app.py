"""The wiring of `onseju up`: all stages in one process, in the order an order travels."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TextIO

import structlog
from starlette.applications import Starlette

from onseju import listeners
from onseju.bus.port import StoppedError
from onseju.exchange.checkpoint import View, follow, restore, take
from onseju.exchange.exchange import Exchange
from onseju.exchange.replay import replay
from onseju.exchange.snapshots import Retention, Snapshots
from onseju.exchange.watch import PhaseWatch
from onseju.gateway.openings import finish_openings
from onseju.identity.records import DatabaseUnusableError
from onseju.identity.service import IdentityService
from onseju.journal.port import JournalGoneError
from onseju.journal.segments import SegmentJournal
from onseju.kis.source import MarketSource
from onseju.market.market import Market
from onseju.matching import engines
from onseju.matching.engines import EngineMissingError, EngineName
from onseju.metrics.exposition import Gauge
from onseju.metrics.files import TimedFiles
from onseju.metrics.recorder import Recorder
from onseju.nodes.exchange_part import ExchangePart
from onseju.nodes.gateway_part import GatewayPart, Stores
from onseju.nodes.starting import CannotStartError, Progress, rule_pack, with_data_folder
from onseju.projections.process import ProjectorProcess
from onseju.projections.projector import ProjectionError
from onseju.projections.queries import Queries
from onseju.push.ring import AccountRing
from onseju.settings import Settings
from onseju.story.stories import Stories

log = structlog.get_logger("onseju")


class Venue:
    """All stages of one venue in one process."""

    def __init__(self, settings: Settings) -> None:
        """Open everything. Raises `CannotStartError`, or `JournalError` for the journal."""
        self.pack = rule_pack(settings.rules)
        try:
            self.engine = engines.choose(settings.engine)
        except EngineMissingError as error:
            raise CannotStartError(str(error)) from error
        self.settings = with_data_folder(settings)
        self.recorder = Recorder(trace=settings.log_level == "debug")
        self.journal = SegmentJournal.open(
            settings.data_dir / "journal",
            venue=settings.venue,
            files=TimedFiles(self.recorder.fsync, durable=settings.fsync),
            segment_bytes=settings.journal_segment_mib << 20,
            reserve_bytes=settings.journal_reserve_mib << 20,
        )
        self.writing = ExchangePart(self.settings, self.pack)
        self.bus, self.scheduler = self.writing.bus, self.writing.scheduler
        self.clock, self.plans, self.watch = self.writing.clock, self.writing.plans, self.writing.watch
        self.exchange = self.writing.take(
            Exchange(
                engines.make(self.engine.name),
                self.journal,
                self.bus,
                venue=settings.venue,
                clock=self.clock,
                recorder=self.recorder,
            )
        )
        self.projector = ProjectorProcess(
            projector_command(settings), lambda: self.journal.events_end, max_waiters=settings.min_seq_waiters
        )
        self.queries = Queries(settings.data_dir / "projections.db")
        try:
            self.identity = IdentityService.open(
                settings.data_dir / "identity.db",
                session_hours=settings.session_hours,
                signing=None if settings.signing_key is None else settings.signing_key.get_secret_value(),
            )
        except DatabaseUnusableError as error:
            self.journal.close()
            raise CannotStartError(
                f"{error} The users, sessions and keys in it cannot be rebuilt: put a copy of it back from a backup."
            ) from error
        self.serving = GatewayPart(
            self.settings,
            self.bus,
            Stores(self.journal, self.projector, self.queries, self.identity),
            listeners.best(self.engine.name),
            self.recorder,
            now=self.clock,
            plans=self.plans,
            watch=self.watch,
            oldest=lambda: self.journal.first_event_seq,
            gauges=[
                Gauge(
                    "onseju_projection_failures_total",
                    "How often the projector failed.",
                    lambda: self.projector.failures,
                    total=True,
                )
            ],
            checks=(self.writing.is_running, self.writing.journal_has_room),
        )
        self.gateway, self.market, self.ring = self.serving.gateway, self.serving.market, self.serving.ring
        self.snapshots = Snapshots(
            self.journal,
            every=settings.snapshot_every_commands,
            command=(
                sys.executable,
                "-m",
                "onseju",
                "journal",
                "snapshot",
                "--background",
                "--engine",
                self.engine.name,
            ),
            retention=Retention(
                settings.journal_retention, settings.journal_archive_dir or settings.data_dir / "archive"
            ),
            needed_from=lambda: self.projector.position + 1,
        )
        hearers = [view.listen for view in self.serving.views.values()]
        self.bus.subscribe(listeners.Listeners(*hearers, self.projector.listen).listen)

    @property
    def exchange_task(self) -> asyncio.Task[None] | None:
        """The exchange's own task. It ends when the exchange does."""
        return self.writing.task

    def app(self) -> Starlette:
        """The HTTP application on these stages."""
        return self.serving.app()

    @contextlib.asynccontextmanager
    async def running(self, progress: Progress | None = None, *, schedule: bool = True) -> AsyncIterator[Venue]:
        """Replay, begin, catch the projections up; inside, the venue takes commands; afterwards everything is closed.

        Without `schedule` no phase and no day begins: for a moment's work on a venue whose hours are not known.

        Raises `CannotStartError`, `JournalError`, and what `progress` raises.
        """
        tell = progress or (lambda _what, _done, _all: None)
        snapshots: asyncio.Task[None] | None = None
        try:
            self.projector.launch()  # it loads while the journal is replayed
            self._recover(tell)
            # after the replay: what was counted before a restart counts no more
            self.bus.subscribe(self.recorder.listen)
            try:
                await self.writing.start()
                await finish_openings(self.gateway)
                if schedule:
                    await self.writing.schedule()
            except StoppedError:
                raise CannotStartError(f"The exchange has stopped: {self.exchange.stopped}") from self.exchange.stopped
            try:
                self.projector.catch_up(lambda done, all_: tell("catching up the tables", done, all_))
            except ProjectionError as error:
                raise CannotStartError(str(error)) from error
            self.projector.start()
            snapshots = asyncio.create_task(self.snapshots.run(lambda: self.exchange.head_seq), name="snapshots")
            yield self
        finally:
            if snapshots is not None:
                snapshots.cancel()
                await asyncio.gather(snapshots, return_exceptions=True)
            await self.writing.stop()
            self.ring.close()
            self.queries.close()  # before the projector's, so that the last connection is the one that may write
            self.projector.stop()
            await self.identity.close()
            self.journal.close()

    def _recover(self, tell: Progress) -> None:
        """Take up the newest snapshot, and replay what came after it."""
        views = self.serving.views
        restored = restore(self.journal, partial(engines.restore, self.engine.name), views, warn_of_snapshot)
        if restored is not None:
            self.snapshots.last_seq = restored.place.seq
            try:
                follow(
                    self.journal,
                    [views[name] for name in restored.behind],
                    restored.place.seq,
                    lambda done, all_: tell("reading the event log", done, all_),
                )
            except JournalGoneError as error:
                raise CannotStartError(
                    f"{error} This release keeps other things in memory than the one that took the snapshot, and needs "
                    "them once: put the archived segments back, start, and let them be archived again."
                ) from error
        self.exchange.recover(lambda done, all_: tell("replaying the journal", done, all_), restored)


def projector_command(settings: Settings) -> tuple[str, ...]:
    """What writes the tables beside this process."""
    return (
        *(sys.executable, "-m", "onseju.projector"),
        *("--journal", str(settings.data_dir / "journal"), "--database", str(settings.data_dir / "projections.db")),
        *("--nice", str(settings.projector_nice)),
        *("--log-level", settings.log_level, "--log-format", settings.log_format),
    )


def warn_of_snapshot(why: str) -> None:
    """A snapshot that is not used costs time, and may be the first sign of a failing disk."""
    log.warning("snapshot_not_used", why=why)


def take_snapshot(
    directory: Path, engine: EngineName, through: int | None, progress: Callable[[int, int], None]
) -> int:
    """Write a snapshot of a journal (`onseju journal snapshot`); its server may be running. Gives the command it stands at;
    0 where there is one of it already.

    Raises `JournalError`, `OSError`, `EngineMissingError`.
    """
    journal = SegmentJournal.open_for_reading(directory)
    try:
        forms = listeners.best(engine)
        market = Market(journal.journal_id, forms.digester)
        views: dict[str, View] = {
            "watch": PhaseWatch(),
            "market": market,
            "kis": MarketSource(market, forms.digester),
            "queues": forms.queues(),
            "stories": Stories(journal).landmarks,
            "ring": AccountRing(journal, market.directory.symbol_of, 1, core=forms.account_chains),
        }
        makers = (partial(engines.make, engine), partial(engines.restore, engine))
        place = take(
            journal, makers, views, journal.last_seq if through is None else through, warn_of_snapshot, progress
        )
        return 0 if place is None else place.seq
    finally:
        journal.close()


def replay_journal(directory: Path, engine: EngineName, out: TextIO) -> int:
    """Print a journal's events and its state hash (`onseju replay`); the journal's server may be running."""
    journal = SegmentJournal.open_for_reading(directory)
    try:
        return replay(journal, engines.make(engine), out)
    finally:
        journal.close()
