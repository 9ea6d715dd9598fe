"""What every bus must do for those who ask and those who listen. A test class of an adapter inherits this one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import pytest

from onseju.bus.port import BusyError, CommandBus, EventBus, StoppedError
from tests.contract.samples import Collector, order


class Bus(CommandBus, EventBus, Protocol):
    """Both ports in one."""


class Exchange(Protocol):
    """The other end of the bus, as a test holds it: it answers only while it is let."""

    bus: Bus
    hold: Callable[[], None]
    let: Callable[[], None]
    stop: Callable[[], Awaitable[None]]


Connect = Callable[[int], AbstractAsyncContextManager[Exchange]]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


class BusContract:
    """Needs a fixture `connect`: a bus of a capacity, with an exchange behind it that gives one event a command."""

    def test_each_request_gets_its_block_in_order(self, connect: Connect) -> None:
        async def test() -> None:
            async with connect(100) as exchange:
                answers = await asyncio.gather(
                    *[exchange.bus.request([order(qty=n), order(qty=n + 1000)]) for n in range(1, 21)]
                )
            quantities = [[block.events[0].qty for block in answer] for answer in answers]
            assert quantities == [[n, n + 1000] for n in range(1, 21)]
            seqs = [block.seq for answer in answers for block in answer]
            assert seqs == sorted(seqs)

        run(test())

    def test_no_request_is_answered_at_once(self, connect: Connect) -> None:
        async def test() -> None:
            async with connect(1) as exchange:
                exchange.hold()
                assert await exchange.bus.request([]) == []

        run(test())

    def test_more_than_the_capacity_is_refused_as_a_whole(self, connect: Connect) -> None:
        async def test() -> None:
            async with connect(3) as exchange:
                listener = Collector()
                exchange.bus.subscribe(listener)
                exchange.hold()
                waiting = asyncio.create_task(exchange.bus.request([order(qty=1), order(qty=2)]))
                await asyncio.sleep(0)
                with pytest.raises(BusyError):
                    await exchange.bus.request([order(qty=3), order(qty=4)])
                last = asyncio.create_task(exchange.bus.request([order(qty=5)]))
                await asyncio.sleep(0)
                exchange.let()
                await asyncio.gather(waiting, last)
                assert [block.events[0].qty for block in listener.blocks] == [1, 2, 5]
                assert len(await exchange.bus.request([order(), order(), order()])) == 3

        run(test())

    def test_every_listener_gets_every_block_in_order(self, connect: Connect) -> None:
        async def test() -> None:
            async with connect(1000) as exchange:
                first, second = Collector(), Collector()
                exchange.bus.subscribe(first)
                exchange.bus.subscribe(second)
                await asyncio.gather(*[exchange.bus.request([order(qty=n)]) for n in range(1, 101)])
                assert [block.events[0].qty for block in first.blocks] == list(range(1, 101))
                assert first.blocks == second.blocks

        run(test())

    def test_listeners_hear_before_the_caller_is_answered(self, connect: Connect) -> None:
        async def test() -> None:
            async with connect(10) as exchange:
                listener = Collector()
                exchange.bus.subscribe(listener)
                answer = await exchange.bus.request([order(qty=5)])
                assert listener.blocks == answer

        run(test())

    def test_a_caller_that_gives_up_harms_nobody(self, connect: Connect) -> None:
        async def test() -> None:
            async with connect(3) as exchange:
                listener = Collector()
                exchange.bus.subscribe(listener)
                exchange.hold()
                gone = asyncio.create_task(exchange.bus.request([order(qty=1), order(qty=2)]))
                await asyncio.sleep(0)
                stays = asyncio.create_task(exchange.bus.request([order(qty=3)]))
                await asyncio.sleep(0)
                gone.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await gone
                exchange.let()
                (answer,) = await stays
                assert answer.events[0].qty == 3
                assert [block.events[0].qty for block in listener.blocks] == [1, 2, 3]
                assert len(await exchange.bus.request([order(), order(), order()])) == 3

        run(test())

    def test_after_a_stop_everybody_is_told(self, connect: Connect) -> None:
        async def test() -> None:
            async with connect(10) as exchange:
                exchange.hold()
                waiting = [asyncio.create_task(exchange.bus.request([order(), order()])) for _ in range(3)]
                await asyncio.sleep(0)
                await exchange.stop()
                for answer in await asyncio.gather(*waiting, return_exceptions=True):
                    assert isinstance(answer, StoppedError)
                with pytest.raises(StoppedError):
                    await exchange.bus.request([order()])

        run(test())
