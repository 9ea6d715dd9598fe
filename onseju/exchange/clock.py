"""The exchange's clock: real, faster than real, or one that moves only when it is told.

Times are microseconds since 1970-01-01 UTC. The exchange stamps its commands with it, the scheduler waits by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Protocol

LONGEST_WAIT_S = 30.0
"""A clock is looked at so often, so that a machine that slept, or whose clock was set, is not late by more."""


class Clock(Protocol):
    """What tells the exchange's time."""

    speed: float
    """Seconds of the exchange's time per real second."""

    def __call__(self) -> int:
        """The time now."""
        ...

    async def wait(self, until: int | None, wake: asyncio.Event) -> None:
        """Wait until `wake` is set, or until about `until` (None = never). It may come back earlier."""
        ...


class RealClock:
    """The machine's clock. `start` sets it ahead, where the venue's time is ahead of the machine's already."""

    speed = 1.0

    def __init__(self, now: Callable[[], int] | None = None) -> None:
        self._now = now or (lambda: time.time_ns() // 1000)
        self._ahead = 0

    def __call__(self) -> int:
        return self._now() + self._ahead

    def start(self, at: int) -> None:
        """Show at least `at` from now on."""
        self._ahead = max(0, at - self._now())

    async def wait(self, until: int | None, wake: asyncio.Event) -> None:
        """See `Clock`."""
        await _wait_real(None if until is None else (until - self()) / 1_000_000, wake)


class FastClock:
    """Runs `speed` times as fast as real time, from `start` on; stands still before. It can leap ahead, never back."""

    def __init__(self, speed: float, at: int = 0, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.speed = speed
        self._monotonic_ns = monotonic_ns
        self._from_ts = at
        self._from_ns: int | None = None

    def __call__(self) -> int:
        if self._from_ns is None:
            return self._from_ts
        return self._from_ts + int((self._monotonic_ns() - self._from_ns) * self.speed) // 1000

    def start(self, at: int) -> None:
        """Run from `at` on, or from the present time where that is later."""
        self._from_ts = max(at, self())
        self._from_ns = self._monotonic_ns()

    leap = start

    async def wait(self, until: int | None, wake: asyncio.Event) -> None:
        """See `Clock`."""
        await _wait_real(None if until is None else (until - self()) / 1_000_000 / self.speed, wake)


class SteppedClock:
    """Stands still until it is told where to go: for tests and for a day that is simulated."""

    speed = 1.0

    def __init__(self, at: int) -> None:
        self._at = at
        self._waiting: set[asyncio.Event] = set()

    def __call__(self) -> int:
        return self._at

    def step_to(self, at: int) -> None:
        """Show `at` from now on. Raises `ValueError` for a step back."""
        if at < self._at:
            raise ValueError(f"the clock does not go back from {self._at} to {at}")
        self._at = at
        for event in self._waiting:
            event.set()

    async def wait(self, until: int | None, wake: asyncio.Event) -> None:
        """See `Clock`: comes back after every step."""
        if until is not None and until <= self._at:
            return
        self._waiting.add(wake)
        try:
            await wake.wait()
        finally:
            self._waiting.discard(wake)


async def _wait_real(seconds: float | None, wake: asyncio.Event) -> None:
    limit = LONGEST_WAIT_S if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT_S)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(wake.wait(), limit)
