"""The gateway's part of a process: what it keeps in memory of the events, and the API on it. On any bus and any store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from starlette.applications import Starlette

from onseju.bots.accounts import BOT_ACCOUNTS
from onseju.bus.port import CommandBus
from onseju.exchange.checkpoint import View
from onseju.exchange.clock import Clock
from onseju.exchange.plans import DayPlans
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
from onseju.gateway.context import Gateway, Tables
from onseju.gateway.openings import ensure_account
from onseju.gateway.operations import Operations
from onseju.gateway.principal import READ, TRADE
from onseju.gateway.shell import build_app
from onseju.identity.service import IdentityService
from onseju.journal.port import EventLog
from onseju.kis import approval
from onseju.kis.approval import KisDesk, LiveDesk, SimulatorDesk
from onseju.kis.live import LiveKis
from onseju.kis.simulator import KisSimulator, SimulatorSettings
from onseju.kis.source import MarketSource
from onseju.listeners import Forms
from onseju.market.market import Market
from onseju.metrics.exposition import Exposition, Gauge
from onseju.metrics.readiness import Check, Obstacle, Readiness, disk_space
from onseju.metrics.recorder import Recorder
from onseju.projections.queries import Queries
from onseju.push import events, sse, websocket
from onseju.push.ring import AccountRing
from onseju.settings import Settings
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

PAGE = Path(__file__).parent.parent / "web"
"""The built web page."""


class BoundedBus(CommandBus, Protocol):
    """The way to the exchange, which tells how full it is."""

    capacity: int

    @property
    def waiting(self) -> int: ...


class Stores:
    """Where a gateway reads: the event log, the tables and how far they are, the users."""

    def __init__(self, log: EventLog, tables: Tables, queries: Queries, identity: IdentityService) -> None:
        self.log = log
        self.tables = tables
        self.queries = queries
        self.identity = identity


class GatewayPart:
    """What serves people and bots. `views` must hear every block, none missing, before anybody is served."""

    def __init__(
        self,
        settings: Settings,
        bus: BoundedBus,
        stores: Stores,
        forms: Forms,
        recorder: Recorder,
        *,
        now: Clock,
        plans: DayPlans | None,
        watch: PhaseWatch,
        oldest: Callable[[], int],
        gauges: Sequence[Gauge] = (),
        checks: Sequence[Check] = (),
    ) -> None:
        """`settings` hold the admin key. `oldest` tells the first command whose events the log still has."""
        log = stores.log
        self.settings = settings
        self.identity = stores.identity
        self.market = Market(log.journal_id, forms.digester)
        self.ring = AccountRing(
            log, self.market.directory.symbol_of, settings.ring_events, oldest=oldest, core=forms.account_chains
        )
        self.queues = forms.queues()
        self.stories = Stories(log)
        source = MarketSource(self.market, forms.digester)
        self.kis_simulator = KisSimulator(source, SimulatorSettings(layout=settings.kis_layout), market_time=now)
        self.views: dict[str, View] = {
            "watch": watch,  # before the market, which asks the timetable
            "market": self.market,
            "kis": source,
            "queues": self.queues,
            "stories": self.stories.landmarks,
            "ring": self.ring,
        }
        self._log, self._bus, self._tables, self._recorder = log, bus, stores.tables, recorder
        self.gateway = Gateway(
            settings=settings,
            commands=bus,
            journal=log,
            projector=stores.tables,
            queries=stores.queries,
            market=self.market,
            queues=self.queues,
            stories=self.stories,
            kis=self._kis_desk(),
            ring=self.ring,
            identity=self.identity,
            timetable=Timetable(now, market_hours=settings.market_hours, speed=now.speed, plans=plans, watch=watch),
            recorder=recorder,
            metrics=Exposition(recorder, [*self._gauges(), *gauges]),
            readiness=Readiness(*checks, self._tables_follow, disk_space(settings.data_dir, settings.ready_free_mib)),
        )
        self.market.phase_end = self.gateway.timetable.phase_end
        self.market.clock = lambda: clock_view(self.gateway)

    def app(self, more: Sequence[Operations] = ()) -> Starlette:
        """The HTTP application, with `more` operations than every gateway has."""
        return build_app(self.gateway, [*OPERATIONS, *more], page=PAGE, routes=self.kis_simulator.routes())

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

    def _kis_desk(self) -> KisDesk:
        settings = self.settings
        if settings.kis == "simulator" or settings.kis_app_key is None or settings.kis_app_secret is None:
            return SimulatorDesk(self.kis_simulator, settings.kis_layout)
        kis = LiveKis(settings.kis, settings.kis_app_key, settings.kis_app_secret)
        return LiveDesk(kis, settings.kis_layout, share_with_loopback=settings.kis_share_with_loopback)

    def _gauges(self) -> list[Gauge]:
        """The numbers that the metrics read when somebody asks."""

        def head() -> int:
            return self._log.last_event_seq

        bus, tables = self._bus, self._tables
        return [
            Gauge("onseju_head_seq", "The last command whose events are out.", head),
            Gauge("onseju_queue_commands", "Commands that were taken and are not answered.", lambda: bus.waiting),
            Gauge("onseju_queue_capacity", "How many of them there may be.", lambda: bus.capacity),
            Gauge("onseju_ring_events", "Account events in the streams' memory.", lambda: len(self.ring)),
            Gauge("onseju_ring_lag_commands", "Commands that the ring lacks.", lambda: head() - self.ring.head.seq),
            Gauge("onseju_projection_lag_commands", "Commands that the tables lack.", lambda: head() - tables.position),
            Gauge(
                "onseju_projection_lag_seconds",
                "How long ago the first command that the tables lack was published.",
                lambda: self._recorder.lag_s(tables.position),
            ),
            Gauge("onseju_projection_waiters", "Reads that wait for the tables.", lambda: tables.waiting),
            Gauge("onseju_ready", "1 when /readyz says yes.", lambda: float(not self.gateway.readiness.obstacles())),
            Gauge(
                "onseju_disk_free_bytes",
                "Free on the data folder's disk.",
                lambda: shutil.disk_usage(self.settings.data_dir).free,
            ),
        ]

    def _tables_follow(self) -> Obstacle | None:
        failed, lag_s = self._tables.failed, self._recorder.lag_s(self._tables.position)
        if failed is not None:
            return Obstacle("projector_failed", f"Reads are refused: the projector failed ({type(failed).__name__}).")
        if lag_s > self.settings.ready_lag_s:
            return Obstacle("projection_behind", f"The tables are {lag_s:.1f} s behind the exchange.")
        return None
