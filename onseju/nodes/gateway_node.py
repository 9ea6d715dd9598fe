"""`onseju gateway`: the API in a process of its own. Events come from the event log at the start, then over RocketMQ."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from onseju import listeners
from onseju.bots.process import BotProcess
from onseju.bus.gateway_end import GatewayEnd, GatewayEndSettings
from onseju.bus.port import BusyError, StoppedError, UnansweredError
from onseju.bus.rocketmq import RocketReceiver, RocketSender
from onseju.contract.event_runs import EventRun, runs_of
from onseju.contract.journal_records import EventBlock
from onseju.exchange.clock import FastClock, RealClock
from onseju.exchange.recovery import without_collector
from onseju.exchange.watch import PhaseWatch
from onseju.gateway.openings import finish_openings
from onseju.gateway.problems import Problem
from onseju.identity.records import DatabaseUnusableError
from onseju.identity.service import IdentityService
from onseju.identity.together import next_gateway_epoch
from onseju.journal.port import JournalError
from onseju.journal.postgres import PostgresJournal
from onseju.matching import engines
from onseju.metrics.exposition import Gauge
from onseju.metrics.readiness import Obstacle
from onseju.metrics.recorder import Recorder
from onseju.nodes.addresses import Addresses
from onseju.nodes.exchange_part import CLOCK_TOLERANCE_US, make_clock, make_plans
from onseju.nodes.gateway_part import GatewayPart, Stores
from onseju.nodes.heard_log import HeardLog
from onseju.nodes.http import Signals, api_server, collect_seldom, listen, raise_file_limit
from onseju.nodes.names import executions_topic, gateway_group, orders_topic
from onseju.nodes.starting import CannotStartError, with_data_folder
from onseju.nodes.topology import Topology
from onseju.projections.position import PositionReader
from onseju.projections.queries import Queries
from onseju.settings import Settings

log = structlog.get_logger("onseju.gateway")

AGAIN_S = 0.5
"""Pause before what failed for want of a database, or of an exchange, is tried again."""
TRY_S = 60.0
"""So long a start waits for a database."""
LOOK_S = 1.0
"""How often the event log is looked at, to know whether what is heard is late."""
FINISH_S = 60.0
"""How often openings of accounts are finished that another gateway has begun and not ended."""
BOT_SEED = 1
DEMO = ("demo", "onseju-demo")
"""A log-in to begin with, on this machine alone."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class FollowedClock:
    """The exchange's clock as its events tell it: between them it runs on at the same speed."""

    def __init__(self, clock: FastClock | RealClock) -> None:
        self.clock = clock
        self._tolerance_us = 0 if isinstance(clock, FastClock) else CLOCK_TOLERANCE_US

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Hear the time of the newest command."""
        ts = blocks.timestamps[-1] if isinstance(blocks, EventRun) else blocks[-1].ts
        if ts > self.clock() + self._tolerance_us:
            self.clock.start(ts)


class GatewayNode:
    """One gateway's process. `run` once."""

    def __init__(self, settings: Settings) -> None:
        """Raises `CannotStartError`."""
        self.addresses = Addresses.of(settings)
        self.settings = with_data_folder(settings)
        self.recorder = Recorder(trace=settings.log_level == "debug")
        self.late_s = 0.0
        """How long ago the event log had something that was not heard here."""
        self._lost: str | None = None
        self._end: GatewayEnd | None = None
        self._reader: PostgresJournal | None = None

    async def run(self, signals: Signals) -> int:
        """Serve until a signal, or until the bus has failed. Gives the exit status. Raises `CannotStartError`."""
        raise_file_limit()
        async with contextlib.AsyncExitStack() as closing:
            sock = closing.enter_context(contextlib.closing(listen(self.settings.host, self.settings.port)))
            port = sock.getsockname()[1]
            self.settings = self.settings.model_copy(update={"port": port})
            until = time.monotonic() + TRY_S
            while True:
                try:
                    part = await self._open(closing)
                    break
                except (JournalError, DatabaseUnusableError, SQLAlchemyError) as error:
                    if signals.asked:
                        return 0
                    if time.monotonic() > until:
                        raise CannotStartError(f"The database cannot be used. {error}") from error
                    log.warning("database_not_ready", error=str(error))
                    await asyncio.sleep(AGAIN_S)
            if signals.asked:
                return 0
            collect_seldom()
            return await self._serve(part, sock, signals)

    async def _open(self, closing: contextlib.AsyncExitStack) -> GatewayPart:
        """Everything, with all that has happened heard. What was opened is closed with `closing`, also after a failure."""
        settings, venue, url = self.settings, self.settings.venue, self.addresses.database_url
        async with contextlib.AsyncExitStack() as stack:
            await asyncio.to_thread(PostgresJournal.prepare, url, venue=venue)
            reader = await asyncio.to_thread(PostgresJournal.open_for_reading, url, venue=venue)
            stack.push_async_callback(asyncio.to_thread, reader.close)
            epoch = await asyncio.to_thread(next_gateway_epoch, url, settings.gateway_id)
            identity = await asyncio.to_thread(
                IdentityService.open,
                url,
                session_hours=settings.session_hours,
                signing=_signing(settings),
                cache_s=settings.identity_cache_s,
            )
            stack.push_async_callback(identity.close)
            heard = HeardLog(
                reader, settings.min_seq_wait_s, oldest=await asyncio.to_thread(lambda: reader.first_event_seq)
            )
            tables = PositionReader(url, max_waiters=settings.min_seq_waiters)
            tables.start()
            stack.push_async_callback(asyncio.to_thread, tables.stop)
            queries = Queries(url)
            stack.callback(queries.close)
            endpoints = self.addresses.rocketmq_endpoints
            sender = RocketSender(endpoints)
            stack.push_async_callback(asyncio.to_thread, sender.stop)
            group = gateway_group(venue, settings.gateway_id)
            end = self._end = GatewayEnd(
                sender,
                RocketReceiver(endpoints, executions_topic(venue), group),
                reader,
                venue=venue,
                gateway=settings.gateway_id,
                epoch=epoch,
                capacity=settings.bus_capacity,
                settings=GatewayEndSettings(orders_topic=orders_topic(venue)),
            )
            clock = make_clock(settings)
            watch = PhaseWatch()
            part = GatewayPart(
                settings,
                end,
                Stores(heard, tables, queries, identity),
                listeners.best(engines.choose(settings.engine).name),
                self.recorder,
                now=clock,
                plans=make_plans(settings, settings.seed if settings.seed is not None else secrets.randbits(64)),
                watch=watch,
                oldest=lambda: heard.oldest,
                gauges=self._gauges(end),
                checks=(self._hears,),
            )
            part.gateway.reach = heard.reach
            part.gateway.client_ids = end.client_id
            hearers = [FollowedClock(clock).listen, *[view.listen for view in part.views.values()]]
            together = listeners.Listeners(*hearers)
            last = await asyncio.to_thread(_read_all, reader, together)
            if last is not None:
                heard.heard(last[0])
            end.subscribe(together.listen)
            end.subscribe(self.recorder.listen)
            end.subscribe(heard.listen)
            end.start(*(last or (0, 0)))
            stack.push_async_callback(end.stop)
            stack.callback(part.ring.close)
            self._reader = reader
            await closing.enter_async_context(stack.pop_all())
            log.info("gateway", gateway=settings.gateway_id, epoch=epoch, head_seq=heard.last_event_seq)
            return part

    async def _serve(self, part: GatewayPart, sock: socket.socket, signals: Signals) -> int:
        settings = self.settings
        topology = Topology(settings, self._standing(part))
        server = signals.server = api_server(part.app([topology.operations]), settings)
        serving = asyncio.create_task(server.serve(sockets=[sock]), name="http")
        looking = asyncio.create_task(self._look(), name="lag")
        helping = asyncio.create_task(self._help(part), name="openings")
        try:
            await server.tried.wait()
            await asyncio.wait({serving, looking}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                return 0
            server.should_exit = True
            await serving
            return 1
        finally:
            for task in (looking, helping):
                task.cancel()
            await asyncio.gather(looking, helping, return_exceptions=True)

    async def _look(self) -> None:
        """See whether the event log has what was not heard here. Ends when the bus has."""
        end, reader = self._end, self._reader
        if end is None or reader is None:
            raise RuntimeError("the gateway is not open")
        late_since: float | None = None
        while end.stopped is None:
            head = end.head_seq
            try:
                await asyncio.to_thread(reader.refresh)
                self._lost = None
            except JournalError as error:
                self._lost = str(error)
            now = time.monotonic()
            if reader.last_event_seq <= end.head_seq:
                late_since = None
            elif late_since is None or end.head_seq > head:
                late_since = now
            self.late_s = 0.0 if late_since is None else now - late_since
            await asyncio.sleep(LOOK_S)

    async def _help(self, part: GatewayPart) -> None:
        """What the exchange must be there for: unfinished openings now and then; the demo's user, and its bots."""
        settings = self.settings
        bots: BotProcess | None = None
        is_first = settings.gateway_id == 1 and settings.host in LOOPBACK
        try:
            while True:
                try:
                    await finish_openings(part.gateway)
                    if is_first and settings.sign_up == "open":
                        await part.demo_user(*DEMO)
                        is_first = False
                    if bots is None and settings.bots:
                        seed = BOT_SEED if settings.seed is None else settings.seed
                        bots = BotProcess(f"http://127.0.0.1:{settings.port}", seed, part.bot_keys)
                        await bots.start()
                    wait_s = FINISH_S
                except (BusyError, StoppedError, UnansweredError, Problem) as error:
                    log.info("exchange_not_ready", error=str(error))
                    wait_s = AGAIN_S
                    bots = None
                await asyncio.sleep(wait_s)
        finally:
            if bots is not None:
                await bots.stop()

    def _hears(self) -> Obstacle | None:
        end = self._end
        if end is None or end.stopped is not None:
            return Obstacle("bus_stopped", f"The bus has ended: {'' if end is None else end.stopped}.")
        if self._lost is not None:
            return Obstacle("database_failed", self._lost)
        if self.late_s > self.settings.ready_lag_s:
            return Obstacle("events_behind", f"The exchange's events are {self.late_s:.1f} s late here.")
        return None

    def _standing(self, part: GatewayPart) -> Any:
        def told() -> dict[str, Any]:
            head = part.gateway.journal.last_event_seq
            behind = 0 if self._reader is None else max(self._reader.last_event_seq - head, 0)
            return {
                "kind": "gateway",
                "name": f"gateway {self.settings.gateway_id}",
                "role": "active",
                "epoch": 0 if self._end is None else self._end.epoch,
                "head_seq": head,
                "obstacles": [obstacle.code for obstacle in part.gateway.readiness.obstacles()],
                "lags": {
                    "events": behind,
                    "tables": max(head - part.gateway.projector.position, 0),
                    "answers": 0 if self._end is None else self._end.waiting,
                },
            }

        return told

    def _gauges(self, end: GatewayEnd) -> list[Gauge]:
        def behind() -> float:
            return 0.0 if self._reader is None else max(self._reader.last_event_seq - end.head_seq, 0)

        return [
            Gauge("onseju_events_lag_commands", "Commands whose events were not heard here.", behind),
            Gauge("onseju_events_lag_seconds", "How long ago the first of them was seen.", lambda: self.late_s),
            Gauge("onseju_unanswered_total", "Callers told that there is no answer yet.", lambda: end.unanswered, True),
            Gauge("onseju_messages_refused_total", "Messages that cannot be read.", lambda: end.refused, True),
        ]


def _signing(settings: Settings) -> Path | str:
    """The master of the signing secrets: the setting, or the file of all gateways."""
    key = settings.signing_key
    return settings.data_dir / "signing.key" if key is None else key.get_secret_value()


def _read_all(reader: PostgresJournal, hearers: listeners.Listeners) -> tuple[int, int] | None:
    """Let them hear all that has happened. Gives the last command's number and its leader's."""
    last: tuple[int, int] | None = None
    with without_collector():
        for run in _runs(reader):
            hearers.listen(run)
            last = run.last_seq, run.epoch
    return last


def _runs(reader: PostgresJournal) -> Iterator[EventRun]:
    seq = 0
    while True:
        reader.refresh()
        if reader.last_event_seq <= seq:
            return
        for run in reader.read_event_runs(seq):
            yield from runs_of(run)
            seq = run.last_seq
