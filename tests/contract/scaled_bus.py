"""Gateways and an exchange with a carrier between them, for tests: of the bus contract, and of what only this bus must do."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from onseju.bus.cursors import GatewayCursors
from onseju.bus.exchange_end import ExchangeEnd, ExchangeEndSettings
from onseju.bus.gateway_end import GatewayEnd, GatewayEndSettings
from onseju.bus.inproc import InprocBus
from onseju.bus.transport import Receiver, Sender
from onseju.contract.command_runs import CommandRun
from onseju.contract.event_runs import EventRun
from onseju.contract.events import OrderAccepted
from onseju.contract.journal_records import EventBlock, Origin
from onseju.exchange.applier import Applier
from onseju.exchange.exchange import Exchange
from onseju.exchange.numbering import numbered
from onseju.journal.segments import SegmentJournal
from tests.contract.bus_contract import BusContract, Connect
from tests.contract.samples import T0, Collector, SmallEngine


class Topics:
    """Where one test's messages go: topics of its own, or a venue of its own on topics that it shares."""

    def __init__(self, orders: str = "", executions: str = "", venue: int = 1) -> None:
        name = uuid.uuid4().hex[:8]
        self.orders, self.executions = orders or f"orders-{name}", executions or f"executions-{name}"
        self.venue = venue


class AnyCarrier(Protocol):
    """What carries: in memory, or a real broker."""

    def topics(self) -> Topics: ...

    def sender(self) -> Sender: ...

    def receiver(self, topic: str, group: str) -> Receiver: ...


class MemoryLog:
    """An event log that is a list."""

    def __init__(self) -> None:
        self.runs: list[EventRun] = []
        self.readings = 0

    def refresh(self) -> None:
        self.readings += 1

    def read_event_runs(self, after_seq: int = 0) -> Iterator[EventRun]:
        for run in list(self.runs):
            if run.last_seq > after_seq:
                yield run.part(max(after_seq + 1 - run.first_seq, 0), len(run))


class DiskLog:
    """A segment journal's event log, which another thread of this process writes."""

    def __init__(self, journal: SegmentJournal) -> None:
        self._journal = journal

    def refresh(self) -> None:
        """What the writer's object shows is new always."""

    def read_event_runs(self, after_seq: int = 0) -> Iterator[EventRun]:
        return self._journal.read_event_runs(after_seq)


class HeldExchange:
    """An exchange without a journal, as `BusContract` holds it: the gateway's bus, and the other end behind the carrier."""

    def __init__(self, inproc: InprocBus, bus: GatewayEnd, log: MemoryLog, venue: int) -> None:
        self.bus = bus
        self._open = asyncio.Event()
        self._open.set()
        self.hold, self.let = self._open.clear, self._open.set
        self._inproc, self._log, self._venue = inproc, log, venue
        self._applier = Applier(SmallEngine())
        self._seq = 0

    async def stop(self) -> None:
        await self.bus.stop(RuntimeError("enough"))

    async def run(self) -> None:
        while True:
            await self._open.wait()
            batch = await self._inproc.take()
            await self._open.wait()
            first_seq, count = self._seq + 1, sum(pending.count for pending in batch)
            data = numbered(b"".join([pending.commands for pending in batch]), first_seq, T0)
            origins = [origin for pending in batch for origin in pending.origins or [Origin()] * pending.count]
            self._seq += count
            run = self._applier.apply(
                CommandRun(venue=self._venue, epoch=1, semantics=1, first_seq=first_seq, data=data, origins=origins)
            )
            self._log.runs.append(run)
            self._inproc.publish(run)
            self._inproc.answer(batch, run)


class ScaledBusContract(BusContract):
    """The bus contract, passed by both ends over a carrier: needs a fixture `carrier`."""

    @pytest.fixture
    def connect(self, carrier: AnyCarrier) -> Connect:
        @contextlib.asynccontextmanager
        async def connected(capacity: int) -> AsyncIterator[HeldExchange]:
            topics, log, inproc = carrier.topics(), MemoryLog(), InprocBus(2 * capacity)
            cursors = GatewayCursors()
            inproc.subscribe(cursors.listen)
            orders = carrier.receiver(topics.orders, "exchange")
            executions = carrier.receiver(topics.executions, "gateway-1")
            senders = [carrier.sender(), carrier.sender()]
            chosen = ExchangeEndSettings(executions_topic=topics.executions)
            end = ExchangeEnd(inproc, senders[0], orders, cursors, venue=topics.venue, settings=chosen)
            gateway = GatewayEnd(
                senders[1],
                executions,
                log,
                venue=topics.venue,
                gateway=1,
                epoch=1,
                capacity=capacity,
                settings=GatewayEndSettings(orders_topic=topics.orders, deadline_s=20),
            )
            exchange = HeldExchange(inproc, gateway, log, topics.venue)
            end.start(log, 0)
            gateway.start()
            running = asyncio.create_task(exchange.run())
            await asyncio.sleep(0)
            try:
                yield exchange
            finally:
                await gateway.stop()
                await end.stop()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await asyncio.to_thread(_stop_all, senders)

        return connected


def _stop_all(senders: list[Sender]) -> None:
    for sender in senders:
        sender.stop()


class Leader:
    """One exchange process, with a journal on disk."""

    def __init__(
        self,
        carrier: AnyCarrier,
        topics: Topics,
        directory: Path,
        settings: ExchangeEndSettings | None = None,
        capacity: int = 10_000,
    ) -> None:
        self.journal = SegmentJournal.open(directory, fsync=False)
        self.bus = InprocBus(capacity)
        self.exchange = Exchange(SmallEngine(), self.journal, self.bus, venue=1)
        self.cursors = GatewayCursors()
        self.bus.subscribe(self.cursors.listen)
        self.sender = carrier.sender()
        settings = (settings or ExchangeEndSettings())._replace(executions_topic=topics.executions)
        self.end = ExchangeEnd(
            self.bus, self.sender, carrier.receiver(topics.orders, "exchange"), self.cursors, venue=1, settings=settings
        )
        self.running: asyncio.Task[None] | None = None

    def start(self, known_through: int | None = None) -> None:
        """Recover, begin to receive, and work."""
        self.exchange.recover()
        self.end.start(DiskLog(self.journal), self.exchange.head_seq, known_through)
        self.work()

    def work(self) -> None:
        self.running = asyncio.create_task(self.exchange.run())

    async def stop(self, *, kill: bool = False) -> None:
        """End in order; or as after a kill: nothing more is sent or acknowledged."""
        if kill:
            self.sender.stop()
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
        if kill and self.end.running is not None:
            self.end.running.cancel()
            await asyncio.gather(self.end.running, return_exceptions=True)
        await self.end.stop()
        self.journal.close()


class Front:
    """One gateway process."""

    def __init__(
        self,
        carrier: AnyCarrier,
        topics: Topics,
        log: Callable[[], DiskLog] | DiskLog,
        number: int,
        epoch: int = 1,
        *,
        capacity: int = 10_000,
        **settings: float,
    ) -> None:
        self.sender = carrier.sender()
        self.heard = Collector()
        self.end = GatewayEnd(
            self.sender,
            carrier.receiver(topics.executions, f"gateway-{number}"),
            log if isinstance(log, DiskLog) else LateLog(log),
            venue=1,
            gateway=number,
            epoch=epoch,
            capacity=capacity,
            settings=GatewayEndSettings(orders_topic=topics.orders)._replace(**settings),  # type: ignore[arg-type]
        )
        self.end.subscribe(self.heard)

    async def stop(self, *, kill: bool = False) -> None:
        if kill:
            self.sender.stop()
        await self.end.stop()


class LateLog:
    """The event log of whichever exchange leads at the time."""

    def __init__(self, log: Callable[[], DiskLog]) -> None:
        self._log = log

    def refresh(self) -> None:
        """What the leader's object shows is new always."""

    def read_event_runs(self, after_seq: int = 0) -> Iterator[EventRun]:
        return self._log().read_event_runs(after_seq)


def quantities(blocks: list[EventBlock], gateway: int | None = None) -> list[int]:
    """The quantities of the orders that were taken, in order; of one gateway, or of all."""
    return [
        event.qty
        for block in blocks
        if gateway is None or block.origin.gateway == gateway
        for event in block.events
        if isinstance(event, OrderAccepted)
    ]


async def until(condition: Callable[[], bool], within_s: float = 15) -> None:
    """Wait for it. Raises `TimeoutError`."""

    async def wait() -> None:
        while not condition():  # noqa: ASYNC110 - what is waited for changes in other threads, too
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), within_s)
