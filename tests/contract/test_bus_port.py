"""Every adapter of the bus ports passes the same suite."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from onseju.bus.inproc import InprocBus
from onseju.contract.commands import sequence
from onseju.contract.journal_records import JournalRecord
from onseju.exchange.applier import Applier
from tests.contract.bus_contract import BusContract, Connect
from tests.contract.samples import T0, SmallEngine


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
            blocks = []
            for pending in batch:
                self._seq += 1
                command = sequence(pending.command, self._seq, T0)
                record = JournalRecord(venue=1, epoch=1, semantics=1, command=command, text=pending.request.text)
                blocks.append(self._applier.apply(record))
            self.bus.publish(blocks)
            self.bus.answer(batch, blocks)


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
