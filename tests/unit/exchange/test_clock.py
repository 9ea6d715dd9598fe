"""Clocks: real, faster than real, stepped."""

from __future__ import annotations

import asyncio
import time

import pytest

from onseju.exchange.clock import FastClock, RealClock, SteppedClock


def test_a_real_clock_goes_on_from_a_journal_that_is_ahead() -> None:
    machine = [1_000_000]
    clock = RealClock(lambda: machine[0])
    assert clock() == 1_000_000
    clock.start(500_000)
    assert clock() == 1_000_000, "never behind the machine's"
    clock.start(5_000_000)
    machine[0] += 7
    assert clock() == 5_000_007


def test_a_fast_clock_stands_until_it_starts_and_then_runs() -> None:
    ns = [10]
    clock = FastClock(570, at=3, monotonic_ns=lambda: ns[0])
    ns[0] += 10**9
    assert clock() == 3
    clock.start(1_000)
    ns[0] += 10**9
    assert clock() == 1_000 + 570_000_000
    clock.leap(2_000_000_000)
    assert clock() == 2_000_000_000
    clock.leap(1_000)
    assert clock() == 2_000_000_000, "it does not go back"
    ns[0] += 10**6
    assert clock() == 2_000_570_000


def test_a_fast_clock_waits_in_real_seconds() -> None:
    async def wait() -> float:
        clock = FastClock(1_000)
        clock.start(0)
        began = time.monotonic()
        await clock.wait(100_000_000, asyncio.Event())
        assert clock() >= 99_000_000
        return time.monotonic() - began

    assert 0.09 <= asyncio.run(wait()) < 1


@pytest.mark.parametrize("clock", [RealClock(), FastClock(2), SteppedClock(0)])
def test_what_happens_ends_a_wait(clock: RealClock | FastClock | SteppedClock) -> None:
    async def wait() -> None:
        wake = asyncio.Event()
        waiting = asyncio.create_task(clock.wait(None, wake))
        await asyncio.sleep(0)
        assert not waiting.done()
        wake.set()
        await asyncio.wait_for(waiting, 5)

    asyncio.run(wait())


def test_a_stepped_clock_moves_when_it_is_told() -> None:
    async def step() -> None:
        clock = SteppedClock(100)
        await clock.wait(100, asyncio.Event())
        waiting = asyncio.create_task(clock.wait(200, asyncio.Event()))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        assert clock() == 100
        clock.step_to(200)
        await asyncio.wait_for(waiting, 5)
        with pytest.raises(ValueError, match="does not go back"):
            clock.step_to(199)

    asyncio.run(step())
