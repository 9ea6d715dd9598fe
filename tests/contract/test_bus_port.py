"""Every adapter of the bus ports passes the same suite."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from onseju.bus.inproc import InprocBus
from onseju.contract.command_runs import CommandRun
from onseju.exchange.applier import Applier
from onseju.exchange.numbering import numbered
from tests.contract.bus_contract import BusContract, Connect
from tests.contract.hostile_transport import GOOD, Carrier, Habits
from tests.contract.samples import T0, SmallEngine
from tests.contract.scaled_bus import ScaledBusContract


class _Exchange:
    """Numbers, applies, publishes, answers: no journal."""

    def __init__(self, bus: InprocBus) -> None:
        self.bus = bus
        self._open = asyncio.Event()
        self._open.set()
        self.hold, self.let = self._open.clear, self._open.set
        self._applier = Applier(SmallEngine())
        self._seq = 0

    async def stop(self) -> None:
        self.bus.stop(RuntimeError("enough"))

    async def run(self) -> None:
        while True:
            await self._open.wait()
            batch = await self.bus.take()
            await self._open.wait()
            first_seq, count = self._seq + 1, sum(pending.count for pending in batch)
            data = numbered(b"".join([pending.commands for pending in batch]), first_seq, T0)
            self._seq += count
            run = self._applier.apply(CommandRun(venue=1, epoch=1, semantics=1, first_seq=first_seq, data=data))
            self.bus.publish(run)
            self.bus.answer(batch, run)


class TestInproc(BusContract):
    @pytest.fixture
    def connect(self) -> Connect:
        @contextlib.asynccontextmanager
        async def connected(capacity: int) -> AsyncIterator[_Exchange]:
            exchange = _Exchange(InprocBus(capacity))
            running = asyncio.create_task(exchange.run())
            await asyncio.sleep(0)
            yield exchange
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        return connected


class TestOverCarrier(ScaledBusContract):
    @pytest.fixture(params=[GOOD, Habits()], ids=["good", "hostile"])
    def carrier(self, request: pytest.FixtureRequest) -> Iterator[Carrier]:
        carrier = Carrier(request.param)
        yield carrier
        carrier.close()
