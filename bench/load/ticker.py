"""A clock that wakes the event loop more finely than its own timers, which count whole milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator

FINEST_S = 0.00025
"""Waking up more often would cost more than it tells."""

COARSE_S = 0.001
"""What is left where the system has no timer descriptors."""

_CLOCK_MONOTONIC = 1


class _Interval(ctypes.Structure):
    """`struct itimerspec`: the interval and the first expiry, seconds and nanoseconds each."""

    _fields_ = [(name, ctypes.c_long) for name in ("interval_s", "interval_ns", "first_s", "first_ns")]


@contextlib.contextmanager
def ticking(call: Callable[[], None], start: float, every_s: float) -> Iterator[None]:
    """Call it on the running loop, first at `start`, then about every `every_s` seconds but not more often than `FINEST_S`,
    while the context lasts."""
    with (_descriptor if sys.platform.startswith("linux") else _timers)(call, start, every_s):
        yield


@contextlib.contextmanager
def _descriptor(call: Callable[[], None], start: float, every_s: float) -> Iterator[None]:
    system = ctypes.CDLL(None, use_errno=True)
    descriptor = system.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    loop = asyncio.get_running_loop()

    def expired() -> None:
        with contextlib.suppress(BlockingIOError):  # nothing to read: it was read already
            os.read(descriptor, 8)
        call()

    try:
        times = [divmod(max(seconds, 1e-6), 1) for seconds in (max(every_s, FINEST_S), start - time.perf_counter())]
        interval = _Interval(*(int(part) for seconds, rest in times for part in (seconds, rest * 1e9)))
        if system.timerfd_settime(descriptor, 0, ctypes.byref(interval), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        loop.add_reader(descriptor, expired)
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


@contextlib.contextmanager
def _timers(call: Callable[[], None], start: float, every_s: float) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def expired() -> None:
        nonlocal handle
        handle = loop.call_later(max(every_s, COARSE_S), expired)
        call()

    handle = loop.call_later(max(0.0, start - time.perf_counter()), expired)
    try:
        yield
    finally:
        handle.cancel()
