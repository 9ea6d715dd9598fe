"""`onseju exchange`: leads a venue, or stands by until nobody does. Journal in PostgreSQL, commands and events over RocketMQ."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, cast

import structlog

from onseju.bus.cursors import GatewayCursors
from onseju.bus.exchange_end import ExchangeEnd, ExchangeEndSettings
from onseju.bus.port import StoppedError
from onseju.bus.rocketmq import RocketReceiver, RocketSender
from onseju.bus.transport import Delivery, Receiver
from onseju.exchange.standby import Standby
from onseju.journal.port import JournalError
from onseju.journal.postgres import PostgresJournal
from onseju.matching import engines
from onseju.matching.engines import EngineMissingError
from onseju.metrics.exposition import Exposition, Gauge
from onseju.metrics.readiness import Obstacle, Readiness
from onseju.metrics.recorder import Recorder
from onseju.nodes.addresses import Addresses
from onseju.nodes.exchange_part import ExchangePart
from onseju.nodes.http import Signals, collect_seldom, listen, switch_often
from onseju.nodes.names import exchange_group, executions_topic, orders_topic
from onseju.nodes.starting import CannotStartError, rule_pack
from onseju.nodes.status import Status, status_server
from onseju.settings import Settings

log = structlog.get_logger("onseju.exchange")


class GatedReceiver:
    """A receiver that lets nothing in before it is opened: a leader's own first commands come before everybody's."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._deliver: Callable[[Delivery], None] | None = None
        self._is_open = False

    def start(self, deliver: Callable[[Delivery], None]) -> None:
        """Remember whom to deliver to."""
        self._deliver = deliver

    def open(self) -> None:
        """Begin to receive."""
        if self._deliver is None:
            raise RuntimeError("start() comes before open()")
        self._is_open = True
        self._receiver.start(self._deliver)

    def stop(self) -> None:
        """See `bus.transport.Receiver`."""
        if self._is_open:
            self._receiver.stop()


class ExchangeNode:
    """One process that would lead a venue. `run` once."""

    def __init__(self, settings: Settings) -> None:
        """Raises `CannotStartError`."""
        self.settings = settings
        self.addresses = Addresses.of(settings)
        self.pack = rule_pack(settings.rules)
        try:
            self.engine = engines.choose(settings.engine)
        except EngineMissingError as error:
            raise CannotStartError(str(error)) from error
        self.recorder = Recorder(trace=settings.log_level == "debug")
        self.cursors = GatewayCursors()
        self.part = ExchangePart(settings, self.pack)
        self.standby = Standby(
            self.addresses.database_url,
            engines.make(self.engine.name),
            self.part.bus,
            venue=settings.venue,
            clock=self.part.clock,
            recorder=self.recorder,
        )
        self.part.bus.subscribe(self.part.watch.listen)
        self.part.bus.subscribe(self.cursors.listen)
        self.end: ExchangeEnd | None = None
        """From the takeover on."""
        self.journal: PostgresJournal | None = None
        readiness = Readiness(self._is_useful)
        self.status = Status(
            "exchange",
            f"exchange {settings.status_port}",
            settings,
            readiness,
            Exposition(self.recorder, self._gauges()),
            self._told,
        )

    async def run(self, signals: Signals) -> int:
        """Stand by, lead, until a signal or until another leads. Gives the exit status. Raises `CannotStartError`."""
        with contextlib.closing(listen(self.settings.status_host, self.settings.status_port)) as sock:
            server = status_server(self.status.app())
            signals.server = server
            serving = asyncio.create_task(server.serve(sockets=[sock]), name="http")
            try:
                return await self._lead(serving) if await self._stand_by(serving) else 0
            except JournalError as error:
                raise CannotStartError(str(error)) from error
            finally:
                server.should_exit = True
                await serving

    # standing by

    async def _stand_by(self, serving: asyncio.Task[None]) -> bool:
        """Follow until this process leads; False where somebody asked for the end before."""
        log.info("standby", venue=self.settings.venue)
        waiting = asyncio.create_task(self.standby.until_leader(), name="standby")
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            return False
        self.part.take(waiting.result())
        return True

    # leading

    async def _lead(self, serving: asyncio.Task[None]) -> int:
        venue, part = self.settings.venue, self.part
        journal = self.journal = cast("PostgresJournal", part.exchange.journal)
        endpoints = self.addresses.rocketmq_endpoints
        sender = RocketSender(endpoints)
        receiver = GatedReceiver(RocketReceiver(endpoints, orders_topic(venue), exchange_group(venue)))
        end = ExchangeEnd(
            part.bus,
            sender,
            receiver,
            self.cursors,
            venue=venue,
            settings=ExchangeEndSettings(executions_topic=executions_topic(venue)),
        )
        lost = _as_task(journal.ended)
        try:
            log.info("leading", venue=venue, epoch=journal.epoch, head_seq=part.exchange.head_seq)
            part.bus.subscribe(self.recorder.listen)  # what was counted before counts no more
            end.start(journal, part.exchange.head_seq)
            await part.start()
            self.end = end
            await part.schedule()
            receiver.open()
            collect_seldom()
            switch_often()
            ends = {serving, lost, *(task for task in (part.task, end.running) if task is not None)}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                return 0
            why = part.exchange.stopped or (lost.done() and lost.exception()) or "its end of the bus has failed"
            log.critical("exchange_ended", error=str(why))
            return 1
        except StoppedError as error:
            log.critical("exchange_ended", error=str(part.exchange.stopped or error))
            return 1
        finally:
            lost.cancel()
            await asyncio.gather(lost, return_exceptions=True)
            await part.stop()
            await end.stop()
            await asyncio.to_thread(sender.stop)
            await asyncio.to_thread(journal.close)

    # what it tells

    @property
    def role(self) -> str:
        """`leader`, `standby` or `starting`."""
        if self.journal is not None:
            return "leader" if self.end is not None else "starting"
        return "starting" if self.standby.exchange is None or self._behind() else "standby"

    def _is_useful(self) -> Obstacle | None:
        """A leader that takes commands, or a standby that follows."""
        if self.role == "starting":
            return Obstacle("starting", "It reads the journal.")
        if self.role == "standby":
            return None
        return self.part.is_running() or self.part.journal_has_room()

    def _told(self) -> dict[str, Any]:
        lags = {"standby": self._behind()}
        if self.end is not None:
            lags = {"executions": max(self._head() - self.end.known_through, 0), "orders": self.end.waiting}
        epoch = 0 if self.journal is None else self.journal.epoch
        return {"role": self.role, "epoch": epoch, "head_seq": self._head(), "lags": lags}

    def _head(self) -> int:
        return self.standby.position if self.journal is None else self.part.exchange.head_seq

    def _behind(self) -> int:
        return 0 if self.journal is not None else max(self.standby.journal_seq - self.standby.position, 0)

    def _gauges(self) -> list[Gauge]:
        def of_end(read: Callable[[ExchangeEnd], float]) -> Callable[[], float]:
            return lambda: 0.0 if self.end is None else read(self.end)

        return [
            Gauge("onseju_head_seq", "The last command whose events are out.", self._head),
            Gauge("onseju_leads", "1 for the exchange that leads.", lambda: float(self.end is not None)),
            Gauge("onseju_epoch", "The leader's number.", lambda: 0.0 if self.journal is None else self.journal.epoch),
            Gauge(
                "onseju_standby_lag_commands",
                "Commands that the standby has not followed.",
                self._behind,
            ),
            Gauge(
                "onseju_queue_commands", "Commands that were taken and are not answered.", lambda: self.part.bus.waiting
            ),
            Gauge(
                "onseju_orders_waiting_commands",
                "Commands in order that wait for room.",
                of_end(lambda end: end.waiting),
            ),
            Gauge(
                "onseju_executions_lag_commands",
                "Commands whose events the topic of executions is not known to have.",
                of_end(lambda end: max(self._head() - end.known_through, 0)),
            ),
            Gauge(
                "onseju_messages_refused_total", "Messages that cannot be read.", of_end(lambda end: end.refused), True
            ),
            Gauge("onseju_messages_repeated_total", "Messages known before.", of_end(lambda end: end.repeated), True),
            Gauge("onseju_gaps_closed_total", "Gateways' gaps given up.", of_end(lambda end: end.gaps_closed), True),
            Gauge("onseju_ready", "1 when /readyz says yes.", lambda: float(self._is_useful() is None)),
        ]


def _as_task(future: Future[None]) -> asyncio.Task[None]:
    async def wait() -> None:
        await asyncio.shield(asyncio.wrap_future(future))

    return asyncio.create_task(wait(), name="leadership")
