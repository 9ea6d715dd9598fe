"""Issues what the clock decides: the next trading day at midnight in Korea. The state machine itself has no clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone

import structlog

from onseju.bus.port import BusyError, CommandBus, StoppedError
from onseju.contract.commands import Request, RollDay
from onseju.exchange.exchange import now_us

_logger = structlog.get_logger(__name__)

KST = timezone(timedelta(hours=9), "KST")
"""Korea has had no summer time since 1988."""

LONGEST_SLEEP_S = 30.0
"""The clock is looked at so often, so that a machine that slept, or whose clock was set, is not late by more."""

RETRY_S = 0.2


def trading_day(ts: int) -> int:
    """The day in Korea, YYYYMMDD, of a time in microseconds since 1970-01-01 UTC."""
    day = datetime.fromtimestamp(ts // 1_000_000, UTC).astimezone(KST)
    return day.year * 10_000 + day.month * 100 + day.day


def seconds_to_next_day(ts: int) -> float:
    """How long it is until midnight in Korea."""
    day_us = 24 * 3600 * 1_000_000
    return (day_us - (ts + 9 * 3600 * 1_000_000) % day_us) / 1_000_000


class Scheduler:
    """Rolls the day. `current_day` tells the venue's trading day (YYYYMMDD; 0 while there is none)."""

    def __init__(
        self,
        bus: CommandBus,
        current_day: Callable[[], int],
        *,
        clock: Callable[[], int] = now_us,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._bus = bus
        self._current_day = current_day
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Work until canceled, or until the exchange has stopped. A day that was missed is rolled to at once."""
        try:
            while True:
                await self._roll_if_due()
                await self._sleep(min(seconds_to_next_day(self._clock()), LONGEST_SLEEP_S))
        except StoppedError:
            return

    async def _roll_if_due(self) -> None:
        current, today = self._current_day(), trading_day(self._clock())
        if not 0 < current < today:
            return
        while True:
            try:
                await self._bus.request([Request(RollDay(trading_day=today))])
                break
            except BusyError:
                await self._sleep(RETRY_S)
        _logger.info("trading_day_rolled", before=current, trading_day=today)
