"""The wiring, in the order an order travels. The only file that knows all stages."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TextIO

import structlog
from pydantic import SecretStr
from starlette.applications import Starlette

from onseju import listeners
from onseju.bots.accounts import BOT_ACCOUNTS
from onseju.bus.inproc import InprocBus
from onseju.bus.port import StoppedError
from onseju.contract.commands import Request
from onseju.contract.views import timestamp
from onseju.exchange.checkpoint import View, follow, restore, take
from onseju.exchange.clock import FastClock, RealClock
from onseju.exchange.exchange import Exchange, now_us
from onseju.exchange.genesis import begin, first_commands
from onseju.exchange.plans import DayPlans
from onseju.exchange.replay import replay
from onseju.exchange.scheduler import Scheduler, fast_start
from onseju.exchange.snapshots import Retention, Snapshots
from onseju.exchange.timetable import Timetable
from onseju.exchange.watch import PhaseWatch
from onseju.gateway import (
    accounts,
    admin,
    admin_market,
    admin_rules,
    clock,
    health,
    keys,
    markets,
    orders,
    queue,
    story,
    users,
)
from onseju.gateway.clock import clock_view
from onseju.gateway.context import Gateway
from onseju.gateway.openings import VENUE_ACCOUNT, VENUE_OWNER, ensure_account, finish_openings
from onseju.gateway.principal import READ, TRADE
from onseju.gateway.shell import build_app
from onseju.identity.records import DatabaseUnusableError
from onseju.identity.service import IdentityService
from onseju.journal.files import Files
from onseju.journal.port import JournalGoneError
from onseju.journal.segments import SegmentJournal
from onseju.kis import approval
from onseju.kis.approval import KisDesk, LiveDesk, SimulatorDesk
from onseju.kis.live import LiveKis
from onseju.kis.simulator import KisSimulator, SimulatorSettings
from onseju.kis.source import MarketSource
from onseju.market.market import Market
from onseju.matching import engines
from onseju.matching.engines import EngineMissingError, EngineName
from onseju.metrics.exposition import Exposition, Gauge
from onseju.metrics.files import TimedFiles
from onseju.metrics.readiness import Obstacle, Readiness, disk_space
from onseju.metrics.recorder import Recorder
from onseju.projections.process import ProjectorProcess
from onseju.projections.projector import ProjectionError
from onseju.projections.queries import Queries
from onseju.push import events, sse, websocket
from onseju.push.ring import AccountRing
from onseju.rules import pack_file, packs
from onseju.rules.calendar import korean_day, krx_calendar
from onseju.rules.pack import RulePack
from onseju.rules.sessions import SESSIONS
from onseju.settings import ADMIN_KEY, Settings
from onseju.story.stories import Stories

OPERATIONS = (
    orders.operations,
    accounts.operations,
    markets.operations,
    clock.operations,
    events.operations,
    sse.operations,
    websocket.operations,
    users.operations,
    keys.operations,
    admin.operations,
    admin_market.operations,
    admin_rules.operations,
    health.operations,
    queue.operations,
    story.operations,
    approval.operations,
)

PAGE = Path(__file__).parent / "web"
"""The built web page."""

CLOCK_TOLERANCE_US = 60 * 1_000_000
"""Clocks of machines differ by less. A journal that is further ahead was written in fast time."""

log = structlog.get_logger("onseju")

Progress = Callable[[str, int, int], None]
"""Told while starting: what is being done, how much of it is done, how much there is. What it raises ends the start."""


class CannotStartError(Exception):
    """The exchange cannot start; the text says why and what to do."""


class Venue:
    """All stages of one venue in one process."""

    def __init__(self, settings: Settings) -> None:
        """Open everything. Raises `CannotStartError`, or `JournalError` for the journal."""
        self.pack = rule_pack(settings.rules)
        try:
            self.engine = engines.choose(settings.engine)
        except EngineMissingError as error:
            raise CannotStartError(str(error)) from error
        try:
            Files().make_directory(settings.data_dir)
            key = admin_key(settings)
        except OSError as error:
            where = error.filename or settings.data_dir
            raise CannotStartError(
                f"{where} cannot be used ({error.strerror}). Choose a data folder that this user may write: --data-dir DIR"
            ) from error
        self.settings = settings.model_copy(update={"admin_key": SecretStr(key)})
        self.recorder = Recorder(trace=settings.log_level == "debug")
        self.journal = SegmentJournal.open(
            settings.data_dir / "journal",
            venue=settings.venue,
            files=TimedFiles(self.recorder.fsync, durable=settings.fsync),
            segment_bytes=settings.journal_segment_mib << 20,
            reserve_bytes=settings.journal_reserve_mib << 20,
        )
        self.bus = InprocBus(capacity=settings.bus_capacity)
        self.exchange_task: asyncio.Task[None] | None = None
        ends = settings.seed if settings.seed is not None else secrets.randbits(64)
        self.clock = FastClock(settings.clock_speed) if settings.market_hours == "fast" else RealClock()
        self.exchange = Exchange(
            engines.make(self.engine.name),
            self.journal,
            self.bus,
            venue=settings.venue,
            clock=self.clock,
            recorder=self.recorder,
        )
        self.plans = (
            None if settings.market_hours == "always" else DayPlans(SESSIONS[settings.sessions], krx_calendar(), ends)
        )
        self.watch = PhaseWatch()
        self.scheduler = Scheduler(self.bus, self.watch, self.clock, self.plans, seed=ends)
        forms = listeners.best(self.engine.name)
        self.market = Market(self.journal.journal_id, forms.digester)
        self.ring = AccountRing(
            self.journal,
            self.market.directory.symbol_of,
            settings.ring_events,
            oldest=lambda: self.journal.first_event_seq,
            core=forms.account_chains,
        )
        self.projector = ProjectorProcess(
            projector_command(settings), lambda: self.journal.events_end, max_waiters=settings.min_seq_waiters
        )
        self.queries = Queries(settings.data_dir / "projections.db")
        try:
            self.identity = IdentityService.open(
                settings.data_dir / "identity.db", session_hours=settings.session_hours
            )
        except DatabaseUnusableError as error:
            self.journal.close()
            raise CannotStartError(
                f"{error} The users, sessions and keys in it cannot be rebuilt: put a copy of it back from a backup."
            ) from error
        self.queues = forms.queues()
        self.stories = Stories(self.journal)
        source = MarketSource(self.market, forms.digester)
        self.kis_simulator = KisSimulator(source, SimulatorSettings(layout=settings.kis_layout), market_time=self.clock)
        self.views: dict[str, View] = {
            "watch": self.watch,  # before the market, which asks the timetable
            "market": self.market,
            "kis": source,
            "queues": self.queues,
            "stories": self.stories.landmarks,
            "ring": self.ring,
        }
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
        hearers = [view.listen for view in self.views.values()]
        self.bus.subscribe(listeners.Listeners(*hearers, self.projector.listen).listen)
        self.gateway = Gateway(
            settings=self.settings,
            commands=self.bus,
            journal=self.journal,
            projector=self.projector,
            queries=self.queries,
            market=self.market,
            queues=self.queues,
            stories=self.stories,
            kis=self._kis_desk(),
            ring=self.ring,
            identity=self.identity,
            timetable=Timetable(
                self.clock,
                market_hours=settings.market_hours,
                speed=self.clock.speed,
                plans=self.plans,
                watch=self.watch,
            ),
            recorder=self.recorder,
            metrics=Exposition(self.recorder, self._gauges()),
            readiness=Readiness(
                self._is_running,
                self._journal_has_room,
                self._tables_follow,
                disk_space(settings.data_dir, settings.ready_free_mib),
            ),
        )
        self.market.phase_end = self.gateway.timetable.phase_end
        self.market.clock = lambda: clock_view(self.gateway)

    def app(self) -> Starlette:
        """The HTTP application on these stages."""
        return build_app(self.gateway, OPERATIONS, page=PAGE, routes=self.kis_simulator.routes())

    def _kis_desk(self) -> KisDesk:
        settings = self.settings
        if settings.kis == "simulator" or settings.kis_app_key is None or settings.kis_app_secret is None:
            return SimulatorDesk(self.kis_simulator, settings.kis_layout)
        kis = LiveKis(settings.kis, settings.kis_app_key, settings.kis_app_secret)
        return LiveDesk(kis, settings.kis_layout, share_with_loopback=settings.kis_share_with_loopback)

    def _gauges(self) -> list[Gauge]:
        """The numbers that the metrics read when somebody asks."""

        def head() -> int:
            return self.journal.last_event_seq

        return [
            Gauge("onseju_head_seq", "The last command whose events are out.", head),
            Gauge("onseju_queue_commands", "Commands that were taken and are not answered.", lambda: self.bus.waiting),
            Gauge("onseju_queue_capacity", "How many of them there may be.", lambda: self.bus.capacity),
            Gauge("onseju_ring_events", "Account events in the streams' memory.", lambda: len(self.ring)),
            Gauge("onseju_ring_lag_commands", "Commands that the ring lacks.", lambda: head() - self.ring.head.seq),
            Gauge(
                "onseju_projection_lag_commands",
                "Commands that the tables lack.",
                lambda: head() - self.projector.position,
            ),
            Gauge(
                "onseju_projection_lag_seconds",
                "How long ago the first command that the tables lack was published.",
                lambda: self.recorder.lag_s(self.projector.position),
            ),
            Gauge("onseju_projection_waiters", "Reads that wait for the tables.", lambda: self.projector.waiting),
            Gauge(
                "onseju_projection_failures_total",
                "How often the projector failed.",
                lambda: self.projector.failures,
                total=True,
            ),
            Gauge("onseju_ready", "1 when /readyz says yes.", lambda: float(not self.gateway.readiness.obstacles())),
            Gauge(
                "onseju_disk_free_bytes",
                "Free on the data folder's disk.",
                lambda: shutil.disk_usage(self.settings.data_dir).free,
            ),
        ]

    def _is_running(self) -> Obstacle | None:
        task = self.exchange_task
        if task is not None and not task.done() and self.exchange.stopped is None:
            return None
        return Obstacle("exchange_stopped", f"The exchange does not run: {self.exchange.stopped or 'it is stopping'}.")

    def _journal_has_room(self) -> Obstacle | None:
        if not self.journal.is_full:
            return None
        return Obstacle("disk_full", "The journal's disk is full: orders are refused, cancels and reads go on.")

    def _tables_follow(self) -> Obstacle | None:
        failed, lag_s = self.projector.failed, self.recorder.lag_s(self.projector.position)
        if failed is not None:
            return Obstacle("projector_failed", f"Reads are refused: the projector failed ({failed}).")
        if lag_s > self.settings.ready_lag_s:
            return Obstacle("projection_behind", f"The tables are {lag_s:.1f} s behind the exchange.")
        return None

    @contextlib.asynccontextmanager
    async def running(self, progress: Progress | None = None, *, schedule: bool = True) -> AsyncIterator[Venue]:
        """Replay, begin, catch the projections up; inside, the venue takes commands; afterwards everything is closed.

        Without `schedule` no phase and no day begins: for a moment's work on a venue whose hours are not known.

        Raises `CannotStartError`, `JournalError`, and what `progress` raises.
        """
        tell = progress or (lambda _what, _done, _all: None)
        tasks: list[asyncio.Task[None]] = []
        try:
            self.projector.launch()  # it loads while the journal is replayed
            self._recover(tell)
            self._start_clock()
            # after the replay: what was counted before a restart counts no more
            self.bus.subscribe(self.recorder.listen)
            self.exchange_task = asyncio.create_task(self.exchange.run(), name="exchange")
            tasks.append(self.exchange_task)
            try:
                await begin(self.bus, self.exchange, self._first_commands())
                await finish_openings(self.gateway)
                if schedule:
                    await self.scheduler.run_due()
            except StoppedError:
                raise CannotStartError(f"The exchange has stopped: {self.exchange.stopped}") from self.exchange.stopped
            if schedule:
                tasks.append(asyncio.create_task(self._schedule(), name="scheduler"))
            try:
                self.projector.catch_up(lambda done, all_: tell("catching up the tables", done, all_))
            except ProjectionError as error:
                raise CannotStartError(str(error)) from error
            self.projector.start()
            tasks.append(asyncio.create_task(self.snapshots.run(lambda: self.exchange.head_seq), name="snapshots"))
            yield self
        finally:
            for task in reversed(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.ring.close()
            self.queries.close()  # before the projector's, so that the last connection is the one that may write
            self.projector.stop()
            await self.identity.close()
            self.journal.close()

    def _recover(self, tell: Progress) -> None:
        """Take up the newest snapshot, and replay what came after it."""
        restored = restore(self.journal, partial(engines.restore, self.engine.name), self.views, warn_of_snapshot)
        if restored is not None:
            self.snapshots.last_seq = restored.place.seq
            try:
                behind = [self.views[name] for name in restored.behind]
                follow(
                    self.journal,
                    behind,
                    restored.place.seq,
                    lambda done, all_: tell("reading the event log", done, all_),
                )
            except JournalGoneError as error:
                raise CannotStartError(
                    f"{error} This release keeps other things in memory than the one that took the snapshot, and needs "
                    "them once: put the archived segments back, start, and let them be archived again."
                ) from error
        self.exchange.recover(lambda done, all_: tell("replaying the journal", done, all_), restored)

    async def bot_keys(self) -> dict[str, str | list[str]]:
        """Fresh API keys of the demo's bots, whose accounts are opened where they are missing."""
        prices = {instrument.symbol: instrument.base_price for instrument in self.market.directory.all()}
        maker, noise = "", []
        for bot in BOT_ACCOUNTS:
            user = await ensure_account(
                self.gateway, bot.name, kind="bot", cash=bot.cash, holdings=bot.holdings(prices)
            )
            key = await self.identity.create_key(user.user_id, "bots", [READ, TRADE], replace=True)
            if bot.role == "market_maker":
                maker = key
            else:
                noise.append(key)
        return {"market_maker": maker, "noise": noise}

    async def demo_user(self, name: str, password: str) -> None:
        """A user to log in with, made where it is missing."""
        await ensure_account(self.gateway, name, password=password)

    async def _schedule(self) -> None:
        """A market whose phases nobody ends must not go on: a scheduler that fails stops the exchange."""
        try:
            await self.scheduler.run()
        except Exception as error:
            log.critical("scheduler_failed", error=str(error), exc_info=error)
            self.exchange.stopped = error
            self.bus.stop(error)

    def _start_clock(self) -> None:
        """The exchange's time does not go back behind the journal's end."""
        last_ts, now = self.exchange.last_ts, now_us()
        if self.plans is not None and isinstance(self.clock, FastClock):
            self.clock.start(fast_start(self.plans, self.watch, last_ts, now))
        elif last_ts > now + CLOCK_TOLERANCE_US:
            log.warning("clock_ahead", journal=timestamp(last_ts), machine=timestamp(now))
            self.clock.start(last_ts)

    def _first_commands(self) -> list[Request]:
        now = self.clock()
        return first_commands(
            self.pack,
            korean_day(now) if self.plans is None else self.plans.trading_day_at(now),
            venue_account=VENUE_ACCOUNT,
            owner=VENUE_OWNER,
            sessions=None if self.plans is None else self.settings.sessions,
        )


def projector_command(settings: Settings) -> tuple[str, ...]:
    """What writes the tables beside this process."""
    return (
        *(sys.executable, "-m", "onseju.projector"),
        *("--journal", str(settings.data_dir / "journal"), "--database", str(settings.data_dir / "projections.db")),
        *("--nice", str(settings.projector_nice)),
        *("--log-level", settings.log_level, "--log-format", settings.log_format),
    )


def rule_pack(rules: str) -> RulePack:
    """The pack that the setting names: one that ships, or a host's own file. Raises `CannotStartError`."""
    if rules in packs.RULES_NAMES:
        return packs.PACKS[packs.rules_name(rules)]
    try:
        return pack_file.read(Path(rules))
    except pack_file.PackFileError as error:
        raise CannotStartError(f"The rules cannot be used. {error}") from error
    except OSError as error:
        raise CannotStartError(f"The rules cannot be read: {rules} ({error.strerror}).") from error


def admin_key(settings: Settings) -> str:
    """The bootstrap admin key: the setting, or `DATA_DIR/admin.key`, made at the first start (mode 0600)."""
    if settings.admin_key is not None:
        return settings.admin_key.get_secret_value()
    path = settings.data_dir / "admin.key"
    with contextlib.suppress(FileNotFoundError):
        key = path.read_text("utf-8", "replace").strip()
        if not ADMIN_KEY.fullmatch(key):
            raise CannotStartError(f"{path} holds no key (KEY.SECRET). Delete it, and the next start makes a new one.")
        return key
    key = f"ADMIN{secrets.token_hex(6).upper()}.{secrets.token_urlsafe(32)}"
    _write_private(path, key + "\n")
    return key


def _write_private(path: Path, text: str) -> None:
    """Make the file whole or not at all: an empty key file would be a key that everybody has."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    Files().sync_directory(path.parent)


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
