"""What people may know of the plan: nominal times alone."""

from __future__ import annotations

from pathlib import Path

from onseju.contract.commands import Halt
from onseju.contract.words import Phase
from onseju.exchange.timetable import NextPhase, PhaseSpan, Timetable
from tests.contract.bus_contract import run
from tests.unit.exchange.floor import A, B, Floor, us


def test_the_plan_of_the_day_and_what_comes_next(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "08:40") as floor:
            day = floor.timetable.day()
            assert [span.phase.label for span in day] == [
                "pre_open",
                "opening_auction",
                "continuous",
                "closing_auction",
                "close_price_reception",
                "close_price",
                "after_hours",
            ]
            assert day[1] == PhaseSpan(Phase.OPENING_AUCTION, us("08:30"), us("09:00"), 30)
            assert floor.timetable.next_phase() == NextPhase(Phase.CONTINUOUS, us("09:00"))
            assert floor.timetable.phase_end(A) == us("09:00")
            await floor.until("09:01")
            assert floor.timetable.next_phase() == NextPhase(Phase.CLOSING_AUCTION, us("15:20"))
            await floor.until("20:30")
            assert floor.timetable.next_phase() == NextPhase(Phase.PRE_OPEN, us("2026-11-24 08:00"))
            assert floor.timetable.phase_end(A) == us("2026-11-24 08:00")

    run(test())


def test_over_a_weekend_the_plan_is_that_of_the_last_day(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "2026-11-28 12:00") as floor:
            assert floor.timetable.next_phase() == NextPhase(Phase.PRE_OPEN, us("2026-11-30 08:00"))
            assert floor.timetable.day()[0].from_ts == us("2026-11-27 08:00")

    run(test())


def test_what_is_halted_has_no_end(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00") as floor:
            await floor.ask(Halt(instrument=A))
            assert floor.timetable.phase_end(A) is None
            assert floor.timetable.phase_end(B) == us("15:20")
            assert floor.timetable.phase_end(3) is None, "no such instrument"

    run(test())


def test_a_market_that_is_always_open_plans_nothing_but_interruptions(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00", None) as floor:
            assert (floor.timetable.day(), floor.timetable.next_phase()) == ([], None)
            assert floor.timetable.phase_end(A) is None
            await floor.cross(103_000)
            assert floor.timetable.phase_end(A) == us("10:02")

    run(test())
    assert Timetable(lambda: 7).now() == 7
