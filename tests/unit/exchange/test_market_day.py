"""Whole trading days on a stepped clock: phases in order, auctions, days, holidays, late openings, missed phases."""

from __future__ import annotations

from pathlib import Path

import pytest

from onseju.contract.commands import ChangePhase, Halt, ListInstrument, OpenAccount, Resume, SetRule, Uncross
from onseju.contract.events import Event, OrderExpired, OrderRejected, RuleSet, Trade
from onseju.contract.reasons import Reason
from onseju.contract.words import AccountKind, Board, Phase, Rule, Security, Side
from onseju.rules.fees import Taxed, fee_commands
from tests.contract.bus_contract import run
from tests.unit.exchange.floor import BASE, A, B, Floor, clock_text, kinds, seconds_after, us


def test_a_krx_day(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "07:00") as floor:
            assert floor.watch.trading_day == 20261120, "the day before, until the morning"
            await floor.until("08:45")
            await floor.cross(BASE + 500, 10)
            await floor.until("09:01")
            assert floor.phase() is Phase.CONTINUOUS
            await floor.cross(BASE + 700, 5)
            await floor.until("15:25")
            await floor.cross(BASE + 900, 3)
            await floor.until("16:30")
            await floor.cross(BASE + 1_000, 2)
            await floor.until("23:59")
            told = floor.phases()
            trades = [(event.price, event.qty) for event in floor.events if isinstance(event, Trade)]
            assert kinds(told) == [
                "continuous",  # as it was listed
                "closed",  # the day before is over
                "day 20261123",
                "pre_open",
                "opening_auction",
                "10@100500",
                "continuous",
                "closing_auction",
                "3@100900",
                "close_price_reception",
                "close_price",
                "after_hours",
                "closed",
            ]
            assert [line[:5] for line in told[2:5]] == ["08:00", "08:00", "08:30"]
            assert told[5][:8] == told[6][:8], "matched, and open at the same moment"
            assert 0 <= seconds_after(told[6], "09:00:00") <= 30
            assert told[7].startswith("15:20:00 ")
            assert 0 <= seconds_after(told[9], "15:30:00") <= 30
            assert [line[:9] for line in told[10:]] == ["15:40:00 ", "16:00:00 ", "20:00:00 "]
            assert trades == [(100_500, 10), (100_700, 5), (100_900, 3), (101_000, 2)]
            assert floor.refusals() == []

    run(test())


def test_the_session_at_the_close(tmp_path: Path) -> None:
    """KRX rules 2.1: received from the close on, matched by time from 15:40, over at 16:00. B did not trade today."""

    async def test() -> None:
        async with Floor.open(tmp_path, "15:00") as floor:
            await floor.cross(BASE + 500, 2)
            await floor.order(Side.BUY, BASE, 7)
            await floor.until("15:29")
            await floor.cross(BASE + 900, 3)
            await floor.until("15:35")
            assert floor.phase() is Phase.CLOSE_PRICE_RECEPTION
            await floor.order(Side.SELL, BASE + 900, 5)
            assert rejected(await floor.order(Side.SELL, BASE + 800)) is Reason.NOT_AT_CLOSE
            assert rejected(await floor.order(Side.SELL, BASE, instrument=B)) is Reason.NO_CLOSE
        async with Floor.open(tmp_path, "15:36") as floor:  # started anew in between
            await floor.order(Side.BUY, BASE + 900, 8, account=2)
            assert floor.timetable.phase_end(A) == us("15:40")
            await floor.until("15:45")
            await floor.order(Side.SELL, BASE + 900, 1)
            await floor.until("16:10")
            traded = [(clock_text(e.ts), e.price, e.qty) for e in floor.events if isinstance(e, Trade)]
            assert traded == [("15:40:00", BASE + 900, 5), ("15:45:00", BASE + 900, 1)]
            expired = [(clock_text(e.ts), e.canceled_qty) for e in floor.events if isinstance(e, OrderExpired)]
            assert expired == [("16:00:00", 2)]
            await floor.until("2026-11-24 08:10")
            assert {i.base_price for i in floor.engine.state.instruments} == {BASE + 900, BASE}
            assert floor.refusals() == []

    run(test())


def test_what_comes_while_the_closing_auction_is_matched_gets_into_no_other_session(tmp_path: Path) -> None:
    """Matching and the next phase are one request: what crosses is matched, what does not ends with the regular session."""

    async def test() -> None:
        async with Floor.open(tmp_path, "15:25") as floor:
            await floor.ask(Uncross())
            await floor.cross(BASE + 100, 4)
            await floor.order(Side.BUY, BASE - 500, 1)
            await floor.until("15:35")
            assert kinds(floor.phases()[-3:]) == ["0@0", "4@100100", "close_price_reception"]
            assert sum(isinstance(event, OrderExpired) for event in floor.events) == 1

    run(test())


def rejected(events: list[Event]) -> Reason:
    (event,) = events
    assert isinstance(event, OrderRejected)
    return Reason(event.reason)


def test_a_seed_fixes_the_random_ends_and_replay_gives_the_same_state(tmp_path: Path) -> None:
    async def day(name: str, seed: int) -> tuple[list[str], bytes, int]:
        async with Floor.open(tmp_path / name, "07:00", seed=seed) as floor:
            await floor.until("08:45")
            await floor.cross(BASE, 10)
            await floor.until("10:00")
            await floor.cross(BASE + 3_000, 10)  # an interruption
            await floor.until("21:00")
            return floor.phases(), b"".join(block.payload for block in floor.blocks), floor.engine.state_hash()

    async def test() -> None:
        first, again, other = await day("a", 1), await day("b", 1), await day("c", 2)
        assert first == again
        assert first[0] != other[0]
        assert kinds(first[0]) == kinds(other[0])
        async with Floor.open(tmp_path / "a", "21:00") as floor:
            assert floor.phases() == []

    run(test())


def test_an_auctions_end_is_drawn_anew_each_day(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "07:00") as floor:
            await floor.until("2026-12-05 12:00")
            opened = [line for line in floor.phases() if line.endswith(" continuous")][1:]
            late = [seconds_after(line, "09:00:00") for line in opened]
            assert len(late) == 10
            assert len(set(late)) > 5
            assert all(0 <= one <= 30 for one in late)

    run(test())


def test_over_a_weekend_and_a_year(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "2026-12-30 21:00") as floor:
            await floor.until("2027-01-05 08:01")
            told = floor.phases()
            assert [line for line in told if " day " in line] == ["08:00:00 day 20270104", "08:00:00 day 20270105"]
            first = told[told.index("08:00:00 day 20270104") :]
            assert first[1:3] == ["08:00:00 pre_open", "09:30:00 opening_auction"]
            assert 0 <= seconds_after(first[4], "10:00:00") <= 30
            assert "15:20:00 closing_auction" in first

    run(test())


def test_on_the_day_of_the_exam_everything_is_an_hour_late(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "2026-11-19 07:00") as floor:
            await floor.until("2026-11-19 21:00")
            told = floor.phases()
            assert "09:30:00 opening_auction" in told
            assert "16:20:00 closing_auction" in told
            assert told[-2:] == ["17:00:00 after_hours", "20:00:00 closed"]

    run(test())


def test_before_the_after_market_there_was_none(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "2026-09-11 08:10") as floor:
            await floor.until("2026-09-11 23:00")
            assert "after_hours" not in kinds(floor.phases())
            assert floor.phase() is Phase.CLOSED

    run(test())


def test_a_day_of_nextrade(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "07:40", "nxt") as floor:
            await floor.until("08:10")
            await floor.cross(BASE, 1)
            await floor.order(Side.BUY, BASE - 500)
            await floor.until("08:50")
            assert any(isinstance(event, OrderExpired) for event in floor.events), "orders die with the pre-market"
            await floor.until("21:00")
            assert floor.phases()[1:] == [
                "07:40:00 pre_open",
                "08:00:00 after_hours",
                "08:50:00 pre_open",
                "09:00:30 continuous",
                "15:20:00 closed",
                "15:40:00 after_hours",
                "20:00:00 closed",
            ]

    run(test())


def test_missed_phases_come_in_order_with_the_present_time(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "07:00") as floor:
            await floor.until("08:45")
            await floor.cross(BASE + 500, 10)
        async with Floor.open(tmp_path, "16:10") as floor:
            told = floor.phases()
            assert kinds(told) == [
                "10@100500",
                "continuous",
                "closing_auction",
                "0@0",
                "close_price_reception",
                "close_price",
                "after_hours",
            ]
            assert {line[:8] for line in told} == {"16:10:00"}
            assert floor.refusals() == []

    run(test())


def test_missed_days_are_left_out_but_the_day_that_was_is_ended(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "07:00") as floor:
            await floor.until("15:25")
            await floor.cross(BASE + 500, 10)
        async with Floor.open(tmp_path, "2026-12-03 08:35") as floor:
            assert kinds(floor.phases()) == [
                "10@100500",
                "close_price_reception",
                "close_price",
                "after_hours",
                "closed",
                "day 20261203",
                "pre_open",
                "opening_auction",
            ]

    run(test())


@pytest.mark.parametrize("at", ["08:45", "09:00:15", "15:25", "12:00", "15:35", "15:45", "20:30"])
def test_a_restart_changes_nothing(tmp_path: Path, at: str) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path / "whole", "07:00") as whole:
            await whole.until("08:40")
            await whole.cross(BASE + 500, 10)
            await whole.until("21:00")
        async with Floor.open(tmp_path / "parts", "07:00") as first:
            await first.until("08:40")
            await first.cross(BASE + 500, 10)
            await first.until(at)
        async with Floor.open(tmp_path / "parts", at) as second:
            await second.until("21:00")
        assert first.phases() + second.phases() == whole.phases()
        assert first.refusals() == second.refusals() == []

    run(test())


def test_a_crash_between_an_auctions_matching_and_its_end(tmp_path: Path) -> None:
    """Neither is it matched twice, nor do orders that came in between keep it from ending."""

    async def test() -> None:
        for name, crossing in (("quiet", False), ("crossing", True)):
            async with Floor.open(tmp_path / name, "08:45") as floor:
                await floor.cross(BASE + 500, 10)
                floor.clock.step_to(us("09:00:40"))
                await floor.ask(Uncross())
                if crossing:
                    await floor.cross(BASE + 600, 4)
            async with Floor.open(tmp_path / name, "09:00:41") as floor:
                told = kinds(floor.phases())
                assert told == (["4@100600", "continuous"] if crossing else ["continuous"])
                assert kinds(floor.phases(B)) == ["continuous"]

    run(test())


def test_a_crash_between_two_instruments(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "12:00") as floor:
            floor.clock.step_to(us("15:20:00"))
            await floor.ask(ChangePhase(instrument=A, trading_day=20261123, phase=Phase.CLOSING_AUCTION))
        async with Floor.open(tmp_path, "15:20:05") as floor:
            assert floor.phases(A) == []
            assert floor.phases(B) == ["15:20:05 closing_auction"]

    run(test())


def test_what_a_host_halted_stays_until_the_host_resumes_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "07:00") as floor:
            await floor.until("11:00")
            await floor.ask(Halt(instrument=A))
            await floor.until("2026-11-24 08:50")
            assert floor.phase(A) is Phase.HALTED
            assert floor.phase(B) is Phase.OPENING_AUCTION
            await floor.ask(Resume(instrument=A, phase=Phase.OPENING_AUCTION))
            await floor.until("2026-11-24 09:01")
            assert {floor.phase(A), floor.phase(B)} == {Phase.CONTINUOUS}

    run(test())


def test_what_a_host_moved_by_hand_goes_on_with_the_plan(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "11:00") as floor:
            await floor.ask(ChangePhase(instrument=A, trading_day=20261123, phase=Phase.CLOSED, occurrence=77))
            await floor.until("15:19")
            assert floor.phase(A) is Phase.CLOSED
            await floor.until("15:20")
            assert {floor.phase(A), floor.phase(B)} == {Phase.CLOSING_AUCTION}

    run(test())


def test_a_new_instrument_joins_the_others(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "08:40") as floor:
            await floor.ask(ListInstrument(symbol=b"NEW", base_price=5_000, tick_table=1))
            await floor.scheduler.run_due()
            assert floor.phase(3) is Phase.OPENING_AUCTION
            await floor.until("09:01")
            assert floor.phase(3) is Phase.CONTINUOUS
            assert floor.refusals() == []

    run(test())


@pytest.mark.parametrize(
    ("at", "phase", "day"),
    [
        ("08:40", "opening_auction", 20261123),
        ("12:00", "continuous", 20261123),
        ("22:00", "closed", 20261123),
        ("2026-11-22 12:00", "closed", 20261120),
        ("07:59:59", "closed", 20261120),
        ("08:00", "pre_open", 20261123),
    ],
)
def test_a_new_venue_begins_in_the_phase_that_it_is(tmp_path: Path, at: str, phase: str, day: int) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, at) as floor:
            assert kinds(floor.phases()) == ["continuous", phase]
            assert floor.watch.trading_day == day

    run(test())


# Always open


def test_always_open_rolls_at_midnight_in_korea(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "12:00", None) as floor:
            await floor.until("2026-11-25 09:00")
            assert floor.phases() == ["12:00:00 continuous", "00:00:00 day 20261124", "00:00:00 day 20261125"]
        async with Floor.open(tmp_path, "2026-11-29 09:00", None) as floor:
            assert floor.phases() == ["09:00:00 day 20261129"], "missed days are one"

    run(test())


def test_always_open_leaves_a_hosts_phases_alone(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "12:00", None) as floor:
            await floor.ask(ChangePhase(trading_day=20261123, phase=Phase.OPENING_AUCTION, occurrence=5))
        async with Floor.open(tmp_path, "12:05", None) as floor:
            await floor.until("2026-11-24 09:00")
            assert floor.phase() is Phase.OPENING_AUCTION

    run(test())


@pytest.mark.parametrize("at", ["08:45", "15:25", "22:00"])
def test_always_open_opens_what_a_plan_had_closed(tmp_path: Path, at: str) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, at) as floor:
            if at != "22:00":
                await floor.cross(BASE + 500, 10)
        async with Floor.open(tmp_path, at, None) as floor:
            assert {floor.phase(A), floor.phase(B)} == {Phase.CONTINUOUS}
            assert floor.refusals() == []

    run(test())


def test_hours_come_to_a_venue_that_was_always_open(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "12:00", None):
            pass
        async with Floor.open(tmp_path, "15:25") as floor:
            assert floor.phases() == ["15:25:00 closing_auction"]
            await floor.until("15:31")
            assert floor.phase() is Phase.CLOSE_PRICE_RECEPTION

    run(test())


# Fees


def test_taxes_change_with_the_year_unless_they_are_the_hosts_own(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "2025-12-30 12:00") as floor:
            await floor.ask(OpenAccount(account=99, owner=bytes(16), account_kind=AccountKind.VENUE))
            taxed = [Taxed(A, Board.KOSPI, Security.STOCK), Taxed(B, Board.KOSDAQ, Security.STOCK)]
            await floor.ask(*(request.command for request in fee_commands(20251230, taxed)))
            await floor.ask(SetRule(rule=Rule.TRANSACTION_TAX_PPM, value=1, instrument=B))
            known = len(floor.events)
            await floor.until("2026-01-05 09:00")
            changed = [
                (event.instrument, Rule(event.rule), event.value, clock_text(event.ts))
                for event in floor.events[known:]
                if isinstance(event, RuleSet)
            ]
            assert changed == [
                (A, Rule.TRANSACTION_TAX_PPM, 500, "08:00:00"),
                (A, Rule.RURAL_TAX_PPM, 1_500, "08:00:00"),
            ]

    run(test())


def test_what_a_host_opened_at_night_costs_the_others_no_phase(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "21:00") as floor:
            await floor.ask(ChangePhase(instrument=A, trading_day=20261123, phase=Phase.CONTINUOUS, occurrence=77))
        async with Floor.open(tmp_path, "2026-11-24 10:00") as floor:
            expected = ["day 20261124", "pre_open", "opening_auction", "0@0", "continuous"]
            assert kinds(floor.phases(A)) == kinds(floor.phases(B)) == expected

    run(test())
