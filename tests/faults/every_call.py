"""An exchange whose disk fails at the k-th call, for every k over a short run. Needs faultyfiles.c preloaded.

`python -m tests.faults.every_call FAULT STICKY` works in the folder it is started in, and prints how many calls it made fail.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import sys
import tempfile
from itertools import count
from pathlib import Path

import structlog

from onseju.bus.inproc import InprocBus
from onseju.bus.port import DiskFullError, StoppedError
from onseju.exchange import writer as module
from onseju.exchange.exchange import Exchange
from onseju.journal.segments import SegmentJournal
from tests.contract.samples import SmallEngine, order

TRADERS = 3
ORDERS = 5
SEGMENT_BYTES = 3000
RESERVE_BYTES = 1500
TRIES = 2000

shim = ctypes.CDLL(None)
shim.faulty_arm.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_int)
shim.faulty_calls.restype = ctypes.c_long


def opened(directory: Path) -> SegmentJournal:
    return SegmentJournal.open(directory, segment_bytes=SEGMENT_BYTES, reserve_bytes=RESERVE_BYTES)


async def trade(directory: Path, k: int, fault: int, sticky: bool) -> tuple[dict[str, int], str | None]:
    """Let the exchange work, its disk failing from the k-th call on. Gives what it acknowledged, and why it stopped."""
    acknowledged: dict[str, int] = {}
    journal = opened(directory)
    bus = InprocBus(1000)
    cleaner: asyncio.Task[None] | None = None
    try:
        exchange = Exchange(SmallEngine(), journal, bus, venue=1)
        exchange.recover()
        task = asyncio.create_task(exchange.run())
        shim.faulty_arm(k, fault, int(sticky))
        cleaner = asyncio.create_task(clean_up(bus))
        try:
            await asyncio.gather(*[trader(bus, name, acknowledged) for name in range(TRADERS)])
        except StoppedError:
            await task
            return acknowledged, str(exchange.stopped)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return acknowledged, None
    finally:
        if cleaner is not None:
            cleaner.cancel()
        hits = shim.faulty_hits()
        shim.faulty_disarm()
        journal.close()
        acknowledged["hits"] = hits


async def clean_up(bus: InprocBus) -> None:
    """When orders are refused, see that there is room again."""
    while bus._only is None:  # noqa: ASYNC110 - the bus has no event for it
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.005)
    shim.faulty_disarm()


async def trader(bus: InprocBus, name: int, acknowledged: dict[str, int]) -> None:
    """Orders one after another."""
    for number in range(ORDERS):
        await send(bus, f"{name}.{number}", acknowledged)


async def send(bus: InprocBus, cid: str, acknowledged: dict[str, int]) -> None:
    """One order, asked again while the disk is full."""
    for _ in range(TRIES):
        try:
            (block,) = await bus.request([order(cid)])
        except DiskFullError:
            await asyncio.sleep(0.001)
            continue
        acknowledged[cid] = block.seq
        return
    raise AssertionError(f"{cid} was refused {TRIES} times")


def check(directory: Path, acknowledged: dict[str, int]) -> None:
    """All that was acknowledged is there, once, and the journal can go on."""
    journal = opened(directory)
    try:
        there = {record.text: record.seq for record in journal.read() if record.text}
        texts = [record.text for record in journal.read() if record.text]
        assert len(texts) == len(there), "an order is there twice"
        lost = {cid: seq for cid, seq in acknowledged.items() if there.get(cid) != seq}
        assert not lost, f"acknowledged, but lost: {lost}"
        bus = InprocBus(10)
        Exchange(SmallEngine(), journal, bus, venue=1).recover()
        assert journal.last_event_seq == journal.last_seq
        journal.verify()
    finally:
        journal.close()


def silence(_logger: object, _name: str, _event: object) -> dict[str, object]:
    """No log: there would be a line for each failing call."""
    raise structlog.DropEvent


def main(fault: int, sticky: bool) -> None:
    module.ROOM_POLL_S = 0.001
    structlog.configure(processors=[silence])
    stops = 0
    for k in count(1):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
            acknowledged, stopped = asyncio.run(trade(Path(name), k, fault, sticky))
            hits = acknowledged.pop("hits")
            check(Path(name), acknowledged)
            if stopped is None:
                assert len(acknowledged) == TRADERS * ORDERS, f"call {k}: only {len(acknowledged)} were acknowledged"
            else:
                stops += 1
                assert "disk failed" in stopped, stopped
                assert fault, f"a short write stopped the exchange: {stopped}"
        if not hits:
            print(f"{k - 1} calls failed, one in each run; the exchange stopped {stops} times")
            return


if __name__ == "__main__":
    main(getattr(errno, sys.argv[1], 0), sys.argv[2] == "sticky")
