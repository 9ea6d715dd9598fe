"""The phases of a day, from data with dates (KRX rules 2.1 to 2.3)."""

from __future__ import annotations

from datetime import datetime

import pytest

from onseju.contract.words import Phase
from onseju.rules.calendar import KST, krx_calendar
from onseju.rules.sessions import OFF_BOOK, SESSIONS, PlannedPhase, SessionsName, day_plan


def clock(ts: int | None) -> str:
    return "" if ts is None else f"{datetime.fromtimestamp(ts / 1_000_000, KST):%H:%M:%S}".removesuffix(":00")


def told(plan: tuple[PlannedPhase, ...]) -> list[str]:
    return [f"{one.phase.label}{one.occurrence or ''} {clock(one.from_ts)}-{clock(one.to_ts)}" for one in plan]


KRX_MORNING = ["pre_open 08:00-08:30", "opening_auction 08:30-09:00", "continuous 09:00-15:20"]
KRX_CLOSE = ["closing_auction 15:20-15:30", "close_price_reception 15:30-15:40", "close_price 15:40-16:00"]
KRX_EVENING = ["after_hours 16:00-20:00", "closed 20:00-"]
LATE = ["pre_open 08:00-09:30", "opening_auction 09:30-10:00"]
NXT_EVENING = ["closed 15:20-15:40", "after_hours 15:40-20:00", "closed1 20:00-"]


@pytest.mark.parametrize(
    ("name", "day", "expected"),
    [
        ("krx", 20261123, [*KRX_MORNING, *KRX_CLOSE, *KRX_EVENING]),
        ("krx", 20260914, [*KRX_MORNING, *KRX_CLOSE, *KRX_EVENING]),
        ("krx", 20260911, [*KRX_MORNING, *KRX_CLOSE, "closed 16:00-"]),
        ("krx", 20260102, [*LATE, "continuous 10:00-15:20", *KRX_CLOSE, "closed 16:00-"]),
        ("krx", 20270104, [*LATE, "continuous 10:00-15:20", *KRX_CLOSE, *KRX_EVENING]),
        (
            "krx",
            20261119,
            [
                *LATE,
                "continuous 10:00-16:20",
                "closing_auction 16:20-16:30",
                "close_price_reception 16:30-16:40",
                "close_price 16:40-17:00",
                "after_hours 17:00-20:00",
                "closed 20:00-",
            ],
        ),
        (
            "krx",
            20251113,
            [
                *LATE,
                "continuous 10:00-16:20",
                "closing_auction 16:20-16:30",
                "close_price_reception 16:30-16:40",
                "close_price 16:40-17:00",
                "closed 17:00-",
            ],
        ),
        ("krx", 20261122, ["closed 00:00-"]),
        (
            "nxt",
            20261123,
            [
                "pre_open 07:30-08:00",
                "after_hours 08:00-08:50",
                "pre_open1 08:50-09:00:30",
                "continuous 09:00:30-15:20",
                "closed 15:20-15:40",
                "after_hours1 15:40-20:00",
                "closed1 20:00-",
            ],
        ),
        ("nxt", 20270104, ["pre_open 07:30-10:00:30", "continuous 10:00:30-15:20", *NXT_EVENING]),
        (
            "nxt",
            20261119,
            [
                "pre_open 07:30-10:00:30",
                "continuous 10:00:30-16:20",
                "closed 16:20-16:40",
                "after_hours 16:40-20:00",
                "closed1 20:00-",
            ],
        ),
    ],
)
def test_a_day(name: SessionsName, day: int, expected: list[str]) -> None:
    assert told(day_plan(SESSIONS[name], krx_calendar(), day)) == expected


def test_call_auctions_alone_end_at_random() -> None:
    plan = day_plan(SESSIONS["krx"], krx_calendar(), 20261123)
    assert {one.phase: one.random_end_s for one in plan if one.random_end_s} == {
        Phase.OPENING_AUCTION: 30,
        Phase.CLOSING_AUCTION: 30,
    }


def test_phases_follow_each_other_without_a_gap_and_no_key_comes_twice() -> None:
    for hours in SESSIONS.values():
        for day in (20251113, 20260102, 20260911, 20260914, 20261119, 20261123, 20270104):
            plan = day_plan(hours, krx_calendar(), day)
            assert [one.to_ts for one in plan[:-1]] == [one.from_ts for one in plan[1:]]
            assert len({(one.phase, one.occurrence) for one in plan}) == len(plan)
            assert max(one.occurrence for one in plan) <= 1


def test_what_is_not_run_is_known() -> None:
    auctions = next(one for one in OFF_BOOK["krx"] if one.name.startswith("시간외단일가"))
    assert (auctions.begins, auctions.ends, auctions.until) == ("16:00", "18:00", 20260913)
    assert {one.begins for one in OFF_BOOK["nxt"]} == {"15:30"}
