"""Which days trade, and which open late (KRX rules 2.1)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from structlog.testing import capture_logs

from onseju.rules.calendar import (
    Calendar,
    DayKind,
    following_day,
    korean_day,
    korean_time,
    krx_calendar,
)

CALENDAR = krx_calendar()


def test_the_day_is_koreas() -> None:
    before = int(datetime(2026, 11, 22, 14, 59, 59, tzinfo=UTC).timestamp()) * 1_000_000
    assert korean_day(before) == 20261122
    assert korean_day(before + 1_000_000) == 20261123
    assert korean_time(20261123, 0) == before + 1_000_000
    assert following_day(20261231) == 20270101


@pytest.mark.parametrize(
    "day",
    [
        *(20250101, 20250127, 20250303, 20250501, 20250603, 20251006, 20251231),
        *(20260101, 20260218, 20260302, 20260501, 20260525, 20260603, 20260717, 20260817, 20260924, 20261005, 20261231),
        *(20270101, 20270209, 20270513, 20270719, 20270916, 20271011, 20271227, 20271231),
        *(20261121, 20261122),
    ],
)
def test_no_trading(day: int) -> None:
    assert not CALENDAR.is_trading_day(day)


@pytest.mark.parametrize("day", [20250102, 20250131, 20260102, 20260219, 20261119, 20261123, 20261230, 20271230])
def test_trading(day: int) -> None:
    assert CALENDAR.is_trading_day(day)


def test_the_number_of_trading_days_of_a_year() -> None:
    for year, expected in ((2025, 242), (2026, 244)):
        days = 0
        day = year * 10_000 + 101
        while day // 10_000 == year:
            days += CALENDAR.is_trading_day(day)
            day = following_day(day)
        assert days == expected


def test_from_day_to_day() -> None:
    assert CALENDAR.next_trading_day(20261120) == 20261123
    assert CALENDAR.next_trading_day(20261230) == 20270104
    assert CALENDAR.previous_trading_day(20270104) == 20261230
    assert CALENDAR.next_trading_day(20251002) == 20251010


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (20250102, DayKind.FIRST_OF_YEAR),
        (20260102, DayKind.FIRST_OF_YEAR),
        (20270104, DayKind.FIRST_OF_YEAR),
        (20251113, DayKind.EXAM),
        (20261119, DayKind.EXAM),
        (20271118, DayKind.EXAM),
        (20260105, DayKind.REGULAR),
        (20261123, DayKind.REGULAR),
        (20261230, DayKind.REGULAR),
    ],
)
def test_late_openings(day: int, kind: DayKind) -> None:
    assert CALENDAR.kind(day) is kind


def test_the_last_weekday_of_a_year_is_closed() -> None:
    calendar = Calendar([], [], known_until=date(2100, 1, 1))
    assert [day for day in (20221229, 20221230, 20231229, 20241231) if not calendar.is_trading_day(day)] == [
        20221230,  # December 31 was a Saturday
        20231229,  # a Sunday
        20241231,
    ]


def test_after_the_files_end_weekdays_trade_and_the_log_says_so_once() -> None:
    calendar = Calendar([date(2027, 3, 1)], [], known_until=date(2027, 12, 31))
    with capture_logs() as logs:
        assert calendar.is_trading_day(20280301)
        assert not calendar.is_trading_day(20280304)
        assert not calendar.is_trading_day(20280501)
        assert calendar.is_trading_day(20280302)
        assert calendar.kind(20280103) is DayKind.FIRST_OF_YEAR
    assert [(line["event"], line["year"], line["log_level"]) for line in logs] == [
        ("calendar_unknown", 2028, "warning")
    ]
    assert CALENDAR.known_until == 20271231


def test_a_number_that_is_no_day() -> None:
    with pytest.raises(ValueError, match="day is out of range"):
        CALENDAR.is_trading_day(20260230)
