"""The trading day rolls at midnight in Korea, once, late rather than never."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from onseju.bus.port import BusyError, StoppedError
from onseju.contract.commands import Request
from onseju.contract.journal_records import EventBlock
from onseju.exchange.scheduler import LONGEST_SLEEP_S, Scheduler, seconds_to_next_day, trading_day


def us(text: str) -> int:
    """A time in UTC, as microseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


class World:
    """A clock that only sleeping moves, a bus that rolls the day, and an end after `limit` sleeps."""

    def __init__(self, now: str, day: int, limit: int) -> None:
        self.now = us(now)
        self.day = day
        self.limit = limit
        self.busy = 0
        self.stopped = False
        self.rolled: list[tuple[int, int]] = []

    async def request(self, requests: Sequence[Request]) -> list[EventBlock]:
        if self.stopped:
            raise StoppedError("stopped")
        if self.busy:
            self.busy -= 1
            raise BusyError("busy")
        for request in requests:
            self.day = request.command.trading_day
            self.rolled.append((self.now, self.day))
        return []

    async def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= LONGEST_SLEEP_S
        self.limit -= 1
        if self.limit < 0:
            raise asyncio.CancelledError
        self.now += round(seconds * 1_000_000)

    def run(self) -> None:
        scheduler = Scheduler(self, lambda: self.day, clock=lambda: self.now, sleep=self.sleep)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(scheduler.run())


def test_the_day_is_koreas() -> None:
    assert trading_day(us("2026-11-23T14:59:59")) == 20261123
    assert trading_day(us("2026-11-23T15:00:00")) == 20261124
    assert trading_day(us("2026-12-31T15:00:00")) == 20270101
    assert seconds_to_next_day(us("2026-11-23T14:59:59")) == 1
    assert seconds_to_next_day(us("2026-11-23T15:00:00")) == 24 * 3600
    assert seconds_to_next_day(us("2026-11-23T15:00:00") + 1) == 24 * 3600 - 1e-6


def test_it_rolls_at_midnight_and_not_before() -> None:
    world = World("2026-11-23T14:59:20", 20261123, limit=10)
    world.run()
    assert world.rolled == [(us("2026-11-23T15:00:00"), 20261124)]


def test_missed_days_are_caught_up_at_once() -> None:
    world = World("2026-11-23T03:00:00", 20261119, limit=1)
    world.run()
    assert world.rolled == [(us("2026-11-23T03:00:00"), 20261123)]


def test_every_midnight_has_its_roll() -> None:
    world = World("2026-11-23T03:00:00", 20261123, limit=3 * 24 * 3600 // int(LONGEST_SLEEP_S))
    world.run()
    midnights = ["2026-11-23T15:00:00", "2026-11-24T15:00:00", "2026-11-25T15:00:00"]
    assert world.rolled == [(us(text), 20261124 + place) for place, text in enumerate(midnights)]


@pytest.mark.parametrize("day", [0, 20261123, 20261130])
def test_it_does_nothing_without_a_venue_or_before_its_day(day: int) -> None:
    world = World("2026-11-23T03:00:00", day, limit=5)
    world.run()
    assert world.rolled == []


def test_a_busy_exchange_is_asked_again() -> None:
    world = World("2026-11-23T03:00:00", 20261120, limit=10)
    world.busy = 4
    world.run()
    assert [day for _, day in world.rolled] == [20261123]


def test_it_ends_when_the_exchange_has_stopped() -> None:
    world = World("2026-11-23T03:00:00", 20261120, limit=10)
    world.stopped = True
    asyncio.run(Scheduler(world, lambda: world.day, clock=lambda: world.now, sleep=world.sleep).run())
    assert world.rolled == []


def test_a_roll_that_is_refused_is_not_repeated_without_pause() -> None:
    world = World("2026-11-23T03:00:00", 20261120, limit=3)
    asked = []

    async def refuse(requests: Sequence[Request]) -> list[EventBlock]:
        asked.append(requests)
        return []

    world.request = refuse  # type: ignore[method-assign]
    world.run()
    assert len(asked) == 4, "once before each sleep"
