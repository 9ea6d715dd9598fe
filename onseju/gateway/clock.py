"""GET /v1/clock: the exchange's time, its phase, and the plan of its day."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract.views import timestamp
from onseju.gateway.answers import json_response
from onseju.gateway.context import Gateway, gateway_of
from onseju.gateway.operations import PUBLIC, Operations

operations = Operations("market")


class PlannedPhase(msgspec.Struct, frozen=True, kw_only=True):
    """A phase of today's plan. It may end up to `random_end_s` seconds after `to`: nobody is told when."""

    phase: str
    from_: str = msgspec.field(name="from")
    to: str
    random_end_s: int


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange's time. `trading_day` is the Korean day, like 2026-11-23; null before the venue is open.

    `speed` is how many seconds of it pass in a real one. `next_phase_at` is nominal: an auction's end is random.
    `day` is empty where the market is always open. `price_scale` digits of every price and amount stand behind the decimal
    point when people read it, in `currency` (ISO 4217; null where the rules name none).
    """

    now: str
    trading_day: str | None
    phase: str
    seq: int
    price_scale: int
    currency: str | None
    market_hours: str
    speed: float
    next_phase: str | None
    next_phase_at: str | None
    day: list[PlannedPhase]


@operations.add(
    "GET",
    "/v1/clock",
    summary="The exchange's time, trading day, phase, and today's plan",
    scope=PUBLIC,
    limit="public",
    responses={200: Clock},
)
async def get_clock(request: Request) -> Response:
    """The time now, and the last command's number."""
    clock = clock_view(gateway_of(request))
    return json_response(clock, seq=clock.seq)


def clock_view(gateway: Gateway) -> Clock:
    """The clock as the API and the market channel show it."""
    market, timetable = gateway.market, gateway.timetable
    following = timetable.next_phase()
    return Clock(
        now=timestamp(timetable.now()),
        trading_day=_day(market.trading_day),
        phase=market.phase.label,
        seq=market.seq,
        price_scale=market.directory.denomination.scale,
        currency=market.directory.denomination.currency,
        market_hours=timetable.market_hours,
        speed=timetable.speed,
        next_phase=following.phase.label if following else None,
        next_phase_at=timestamp(following.ts) if following else None,
        day=[
            PlannedPhase(
                phase=span.phase.label,
                from_=timestamp(span.from_ts),
                to=timestamp(span.to_ts),
                random_end_s=span.random_end_s,
            )
            for span in timetable.day()
        ],
    )


def _day(trading_day: int) -> str | None:
    if trading_day == 0:
        return None
    return f"{trading_day // 10_000:04d}-{trading_day // 100 % 100:02d}-{trading_day % 100:02d}"
