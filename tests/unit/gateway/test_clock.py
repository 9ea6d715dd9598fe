"""GET /v1/clock: the exchange's time and plan, not the machine's."""

from __future__ import annotations

from pathlib import Path

from onseju.exchange.clock import SteppedClock
from onseju.exchange.plans import DayPlans
from onseju.exchange.timetable import Timetable
from onseju.exchange.watch import PhaseWatch
from onseju.gateway import clock
from onseju.rules.calendar import korean_time, krx_calendar
from onseju.rules.sessions import KRX
from tests.unit.gateway.served import Venue


def test_a_market_that_is_always_open(tmp_path: Path) -> None:
    venue = Venue(tmp_path)
    venue.gateway.timetable = Timetable(SteppedClock(korean_time(20261123, 12 * 3600)))
    with venue.served(clock.operations) as server, server.client() as client:
        assert client.get("/v1/clock").json() == {
            "now": "2026-11-23T03:00:00.000000Z",
            "trading_day": "2026-11-23",
            "phase": "continuous",
            "seq": venue.bus.last_seq,
            "price_scale": 0,
            "currency": "KRW",
            "market_hours": "always",
            "speed": 1.0,
            "next_phase": None,
            "next_phase_at": None,
            "day": [],
        }
    venue.close()


def test_a_market_with_hours(tmp_path: Path) -> None:
    venue, watch = Venue(tmp_path), PhaseWatch()
    watch.listen(venue.bus.blocks)
    now = SteppedClock(korean_time(20261123, 12 * 3600))
    plans = DayPlans(KRX, krx_calendar(), seed=1)
    venue.gateway.timetable = Timetable(now, market_hours="fast", speed=570, plans=plans, watch=watch)
    with venue.served(clock.operations) as server, server.client() as client:
        told = client.get("/v1/clock").json()
        assert (told["market_hours"], told["speed"]) == ("fast", 570)
        assert (told["next_phase"], told["next_phase_at"]) == ("closing_auction", "2026-11-23T06:20:00.000000Z")
        assert told["day"][1] == {
            "phase": "opening_auction",
            "from": "2026-11-22T23:30:00.000000Z",
            "to": "2026-11-23T00:00:00.000000Z",
            "random_end_s": 30,
        }
        assert told["day"][-1]["to"] == "2026-11-23T11:00:00.000000Z"
    venue.close()
