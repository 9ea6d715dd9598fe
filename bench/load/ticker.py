"""A clock that wakes the event loop more finely than its own timers, which count whole milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
import time
from collections.abc import AsyncGenerator

FINEST_S = 0.00025
"""Waking up more often would cost more than it tells."""

COARSE_S = 0.001
"""What is left where the system has no timer descriptors."""

_CLOCK_MONOTONIC = 1
_NONBLOCK = os.O_NONBLOCK


class _Interval(ctypes.Structure):
    """`struct itimerspec`: the interval and the first expiry, seconds and nanoseconds each."""

    _fields_ = [(name, ctypes.c_long) for name in ("interval_s", "interval_ns", "first_s", "first_ns")]


async def ticks(start: float, every_s: float) -> AsyncGenerator[float, None]:
    """The time, again and again from `start` on, about every `every_s` seconds but not more often than `FINEST_S`."""
    await asyncio.sleep(max(0.0, start - time.perf_counter()))
    yield time.perf_counter()
    if not sys.platform.startswith("linux"):
        while True:
            await asyncio.sleep(max(every_s, COARSE_S))
            yield time.perf_counter()
    system = ctypes.CDLL(None, use_errno=True)
    descriptor = system.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    loop = asyncio.get_running_loop()
    expired = asyncio.Event()
    try:
        seconds, fraction = divmod(max(every_s, FINEST_S), 1)
        interval = _Interval(int(seconds), int(fraction * 1e9), int(seconds), int(fraction * 1e9))
        if system.timerfd_settime(descriptor, 0, ctypes.byref(interval), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        loop.add_reader(descriptor, expired.set)
        while True:
            await expired.wait()
            expired.clear()
            with contextlib.suppress(BlockingIOError):
                os.read(descriptor, 8)
            yield time.perf_counter()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
