"""The sessions of the trading day as data, with the days from which they apply: KRX and Nextrade (NXT). KRX rules 2.

Clock times are Korean; times of a plan are microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from onseju.contract.words import Phase
from onseju.rules.calendar import Calendar, DayKind, korean_time

SessionsName = Literal["krx", "nxt"]

RANDOM_END_S = 30
"""A call auction ends at a random moment up to so many seconds after its nominal end (KRX ER 35)."""

INTERRUPTION_S = 120
"""How long the auction of a volatility interruption lasts, and by how much one extends an auction (KRX ER 41-2)."""

BREAKER_HALT_S = 20 * 60
"""How long the first two stages of the circuit breaker stop trading (KRX ER 39)."""

RESUMPTION_S = 10 * 60
"""How long the auction after a halt lasts (KRX ER 39)."""

ALWAYS = 9999_12_31


class Session(NamedTuple):
    """A stretch of the day, from and to in "HH:MM" or "HH:MM:SS", on the days from `since` to `until` (YYYYMMDD)."""

    phase: Phase
    begins: str
    ends: str
    random_end_s: int = 0
    since: int = 0
    until: int = ALWAYS


class OffBook(NamedTuple):
    """A session that no order book matches and the exchange does not run: it stands here to be known."""

    name: str
    begins: str
    ends: str
    since: int = 0
    until: int = ALWAYS


class PlannedPhase(NamedTuple):
    """A phase of one day's plan. `to_ts` is nominal: it may end `random_end_s` later. The last one, `closed`, has no end.

    (`phase`, `occurrence`) is its key of the day.
    """

    phase: Phase
    occurrence: int
    from_ts: int
    to_ts: int | None
    random_end_s: int = 0


KRX_AFTER_MARKET_SINCE = 2026_09_14
"""From this day on KRX trades from 16:00 to 20:00 (애프터마켓), and the ten-minute auctions are gone."""

_KRX_AFTERNOON = (
    Session(Phase.CLOSING_AUCTION, "15:20", "15:30", RANDOM_END_S),
    Session(Phase.CLOSE_PRICE_RECEPTION, "15:30", "15:40"),
    Session(Phase.CLOSE_PRICE, "15:40", "16:00"),
    Session(Phase.AFTER_HOURS, "16:00", "20:00", since=KRX_AFTER_MARKET_SINCE),
)
_NXT_EVENING = (
    Session(Phase.CLOSED, "15:20", "15:40"),
    Session(Phase.AFTER_HOURS, "15:40", "20:00"),
)

Hours = Mapping[DayKind, tuple[Session, ...]]

KRX: Hours = {
    DayKind.REGULAR: (
        Session(Phase.PRE_OPEN, "08:00", "08:30"),
        Session(Phase.OPENING_AUCTION, "08:30", "09:00", RANDOM_END_S),
        Session(Phase.CONTINUOUS, "09:00", "15:20"),
        *_KRX_AFTERNOON,
    ),
    DayKind.FIRST_OF_YEAR: (
        Session(Phase.PRE_OPEN, "08:00", "09:30"),
        Session(Phase.OPENING_AUCTION, "09:30", "10:00", RANDOM_END_S),
        Session(Phase.CONTINUOUS, "10:00", "15:20"),
        *_KRX_AFTERNOON,
    ),
    # What comes after the close begins an hour later and ends as always (reading, from how it was until 2025).
    DayKind.EXAM: (
        Session(Phase.PRE_OPEN, "08:00", "09:30"),
        Session(Phase.OPENING_AUCTION, "09:30", "10:00", RANDOM_END_S),
        Session(Phase.CONTINUOUS, "10:00", "16:20"),
        Session(Phase.CLOSING_AUCTION, "16:20", "16:30", RANDOM_END_S),
        Session(Phase.CLOSE_PRICE_RECEPTION, "16:30", "16:40"),
        Session(Phase.CLOSE_PRICE, "16:40", "17:00"),
        Session(Phase.AFTER_HOURS, "17:00", "20:00", since=KRX_AFTER_MARKET_SINCE),
    ),
}
"""The order book of KRX. Regular session: BR 4, 5; late days: notices of the exchange."""

NXT: Hours = {
    DayKind.REGULAR: (
        Session(Phase.PRE_OPEN, "07:30", "08:00"),
        Session(Phase.AFTER_HOURS, "08:00", "08:50"),  # the pre-market: the same order types, orders die with it
        Session(Phase.PRE_OPEN, "08:50", "09:00:30"),
        Session(Phase.CONTINUOUS, "09:00:30", "15:20"),
        *_NXT_EVENING,
    ),
    # On late days there is no pre-market.
    DayKind.FIRST_OF_YEAR: (
        Session(Phase.PRE_OPEN, "07:30", "10:00:30"),
        Session(Phase.CONTINUOUS, "10:00:30", "15:20"),
        *_NXT_EVENING,
    ),
    DayKind.EXAM: (
        Session(Phase.PRE_OPEN, "07:30", "10:00:30"),
        Session(Phase.CONTINUOUS, "10:00:30", "16:20"),
        Session(Phase.CLOSED, "16:20", "16:40"),
        Session(Phase.AFTER_HOURS, "16:40", "20:00"),
    ),
}
"""The order book of Nextrade, since 2025-03-04. The reception of 15:30 to 15:40 is not run: see `OFF_BOOK`."""

SESSIONS: dict[SessionsName, Hours] = {"krx": KRX, "nxt": NXT}

OFF_BOOK: dict[SessionsName, tuple[OffBook, ...]] = {
    "krx": (
        # One book cannot collect the opening auction's orders and match these at once; hosts have `previous_close` for it.
        OffBook("장전 시간외종가: yesterday's close", "08:30", "08:40"),
        OffBook("장전 대량·바스켓: blocks and baskets", "08:00", "09:00"),
        OffBook("시간외단일가: an auction every ten minutes", "16:00", "18:00", until=2026_09_13),
    ),
    "nxt": (
        OffBook("종가매매: the close of KRX", "15:30", "16:00"),
        OffBook("애프터마켓 호가접수: reception for the after-market's opening auction", "15:30", "15:40"),
    ),
}
"""What the exchanges have beside, on regular days, and this one does not match."""


def day_plan(hours: Hours, calendar: Calendar, day: int) -> tuple[PlannedPhase, ...]:
    """The phases of `day` (YYYYMMDD) in order, the first when the trading day begins, the last `closed` without an end.

    A day without trading is closed from midnight.
    """
    if not calendar.is_trading_day(day):
        return (PlannedPhase(Phase.CLOSED, 0, korean_time(day, 0), None),)
    plan: list[PlannedPhase] = []
    seen: dict[Phase, int] = {}
    for session in hours[calendar.kind(day)]:
        if session.since <= day <= session.until:
            from_ts, to_ts = (korean_time(day, _second(text)) for text in (session.begins, session.ends))
            plan.append(PlannedPhase(session.phase, seen.get(session.phase, 0), from_ts, to_ts, session.random_end_s))
            seen[session.phase] = seen.get(session.phase, 0) + 1
    last = plan[-1]
    if last.phase is Phase.CLOSED:
        plan[-1] = last._replace(to_ts=None)
    else:
        plan.append(PlannedPhase(Phase.CLOSED, seen.get(Phase.CLOSED, 0), last.to_ts or last.from_ts, None))
    return tuple(plan)


def _second(text: str) -> int:
    hours, minutes, *rest = (int(part) for part in text.split(":"))
    return hours * 3600 + minutes * 60 + sum(rest)
