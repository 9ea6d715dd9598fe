"""The trading days of the Korean market: weekends and year ends by rule, holidays and exam days from a dated file.

Days are numbers like 20261123, times microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from functools import cache
from pathlib import Path

import structlog

_logger = structlog.get_logger(__name__)

KST = timezone(timedelta(hours=9), "KST")
"""Korea has had no summer time since 1988."""

FILE = Path(__file__).with_name("krx_calendar.toml")


class DayKind(Enum):
    """Which hours a trading day has."""

    REGULAR = "regular"
    FIRST_OF_YEAR = "first_of_year"  # opens at 10:00, closes as usual
    EXAM = "exam"  # 수능: opens and closes an hour later


def korean_day(ts: int) -> int:
    """The day in Korea of a time."""
    return _number(datetime.fromtimestamp(ts // 1_000_000, UTC).astimezone(KST).date())


def korean_time(day: int, second: int) -> int:
    """The time that is `second` seconds after midnight in Korea on `day`."""
    midnight = datetime(day // 10_000, day // 100 % 100, day % 100, tzinfo=KST)
    return (int(midnight.timestamp()) + second) * 1_000_000


def following_day(day: int) -> int:
    """The next day of the year, trading day or not."""
    return _number(_date(day) + timedelta(days=1))


class Calendar:
    """The trading days. After `known_until` the rules alone hold, and the log says so once for each year."""

    def __init__(self, holidays: Collection[date], exam_days: Collection[date], known_until: date) -> None:
        self._holidays = frozenset(holidays)
        self._exam_days = frozenset(exam_days)
        self._known_until = known_until
        self._warned: set[int] = set()

    @property
    def known_until(self) -> int:
        """The last day for which the holidays are known."""
        return _number(self._known_until)

    def is_trading_day(self, day: int) -> bool:
        """Whether the market opens on `day`. Raises `ValueError` for a number that is no day."""
        return self._is_open(_date(day))

    def next_trading_day(self, day: int) -> int:
        """The first trading day after `day`."""
        return _number(self._step(_date(day), 1))

    def previous_trading_day(self, day: int) -> int:
        """The last trading day before `day`."""
        return _number(self._step(_date(day), -1))

    def kind(self, day: int) -> DayKind:
        """Which hours a trading day has."""
        on = _date(day)
        if on in self._exam_days:
            return DayKind.EXAM
        if self._step(on, -1).year < on.year:
            return DayKind.FIRST_OF_YEAR
        return DayKind.REGULAR

    def _step(self, on: date, sign: int) -> date:
        on += timedelta(days=sign)
        while not self._is_open(on):
            on += timedelta(days=sign)
        return on

    def _is_open(self, on: date) -> bool:
        if on.weekday() >= 5 or (on.month, on.day) == (5, 1) or on == _last_weekday(on.year):
            return False
        if on > self._known_until and on.year not in self._warned:
            self._warned.add(on.year)
            _logger.warning("calendar_unknown", year=on.year, known_until=self.known_until, meaning="weekdays are open")
        return on not in self._holidays


@cache
def krx_calendar() -> Calendar:
    """The calendar that ships."""
    data = tomllib.loads(FILE.read_text("utf-8"))
    return Calendar(data["holidays"], data["exam_days"], data["known_until"])


@cache
def _last_weekday(year: int) -> date:
    """The day of the year's end on which the market is closed: December 31, or the last weekday before it."""
    last = date(year, 12, 31)
    return last - timedelta(days=max(0, last.weekday() - 4))


def _date(day: int) -> date:
    return date(day // 10_000, day // 100 % 100, day % 100)


def _number(on: date) -> int:
    return on.year * 10_000 + on.month * 100 + on.day
