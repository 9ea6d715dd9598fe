"""Phases that no plan has: interruptions, extended auctions, the circuit breaker, resumptions; and a restart in each."""

from __future__ import annotations

from pathlib import Path

import pytest

from onseju.contract.commands import ChangePhase, Halt, Resume, Uncross
from onseju.contract.words import Board, Phase
from tests.contract.bus_contract import run
from tests.unit.exchange.floor import BASE, A, B, Floor, kinds, seconds_after, us

TWO_MINUTES, TEN_MINUTES, TWENTY_MINUTES = 120, 600, 1200


async def interrupt(floor: Floor) -> None:
    """A trade 3 % away from the last one that would be: a dynamic interruption of A."""
    await floor.cross(BASE + 3_000, 4)
    assert floor.phase(A) is Phase.VI_AUCTION


def test_an_interruption_lasts_two_minutes_and_a_random_while(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00") as floor:
            await interrupt(floor)
            assert floor.timetable.phase_end(A) == us("10:02:00"), "nobody is told the random part"
            assert floor.timetable.phase_end(B) == us("15:20:00")
            await floor.until("10:01:59")
            assert floor.phase(A) is Phase.VI_AUCTION
            await floor.until("10:05")
            told = floor.phases(A)[2:]
            assert kinds(told) == ["vi_auction vi_dynamic", "4@103000", "continuous"]
            assert TWO_MINUTES <= seconds_after(told[2], "10:00:00") <= TWO_MINUTES + 30
            assert kinds(floor.phases(B)) == ["continuous", "continuous"]
            assert floor.refusals() == []

    run(test())


def test_an_instrument_may_be_interrupted_again_and_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00") as floor:
            for turn, price in enumerate((103_000, 106_100, 109_300, 112_600, 116_000)):
                await floor.until(f"1{turn}:10")
                await floor.cross(price, 1)
                assert floor.phase(A) is Phase.VI_AUCTION, turn
                await floor.until(f"1{turn}:13")
                assert floor.phase(A) is Phase.CONTINUOUS, turn
            assert floor.refusals() == []

    run(test())


@pytest.mark.parametrize("hours", ["krx", None])
def test_a_restart_in_the_middle_of_an_interruption(tmp_path: Path, hours: str | None) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path / "whole", "10:00", hours) as whole:  # type: ignore[arg-type]
            await interrupt(whole)
            await whole.until("10:05")
        async with Floor.open(tmp_path / "parts", "10:00", hours) as first:  # type: ignore[arg-type]
            await interrupt(first)
            await first.until("10:01")
        async with Floor.open(tmp_path / "parts", "10:01", hours) as second:  # type: ignore[arg-type]
            assert second.phase(A) is Phase.VI_AUCTION
            await second.until("10:05")
        assert first.phases(A) + second.phases(A) == whole.phases(A)
        assert whole.phase(A) is Phase.CONTINUOUS

    run(test())


def test_an_interruption_that_ended_while_the_exchange_was_down(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00") as floor:
            await interrupt(floor)
        async with Floor.open(tmp_path, "11:00") as floor:
            assert floor.phases(A) == ["11:00:00 4@103000", "11:00:00 continuous"]

    run(test())


@pytest.mark.parametrize("began", ["15:18:00", "15:19:50"])
def test_an_interruption_shortly_before_the_close_merges_into_the_closing_auction(tmp_path: Path, began: str) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00") as floor:
            await floor.until(began)
            await interrupt(floor)
            assert floor.timetable.phase_end(A) == us("15:20:00")
            await floor.until("15:29")
            told = floor.phases(A)[2:]
            assert kinds(told) == ["vi_auction vi_dynamic", "closing_auction"]
            assert told[1].startswith("15:20:00")
            await floor.until("15:35")
            told = kinds(floor.phases(A)[4:])
            assert told == ["4@103000", "close_price_reception"], "2 % of the last price was before: extended"
            assert floor.refusals() == []

    run(test())


def test_an_auction_that_interrupts_itself_goes_on_alone(tmp_path: Path) -> None:
    """The opening price 10 % away: A collects two minutes longer, B opens."""

    async def test() -> None:
        async with Floor.open(tmp_path, "08:45") as floor:
            await floor.cross(BASE + 10_000, 4, A)
            await floor.cross(BASE + 500, 4, B)
            await floor.until("09:00:31")
            assert (floor.phase(A), floor.phase(B)) == (Phase.OPENING_AUCTION, Phase.CONTINUOUS)
            opened = floor.phases(B)[-1]
            end = floor.timetable.phase_end(A)
            assert end is not None
            assert 0 <= end - us(opened.split()[0]) - TWO_MINUTES * 1_000_000 < 1_000_000
            await floor.until("09:05")
            told = floor.phases(A)
            assert kinds(told[-2:]) == ["4@110000", "continuous"]
            late = seconds_after(told[-1], opened.split()[0])
            assert TWO_MINUTES <= late <= TWO_MINUTES + 31
            await floor.until("21:00")
            assert kinds(floor.phases(A)[-5:]) == [
                "0@0",
                "close_price_reception",
                "close_price",
                "after_hours",
                "closed",
            ]

    run(test())


@pytest.mark.parametrize("restart", [False, True])
def test_an_extended_closing_auction_is_matched_before_the_close(tmp_path: Path, restart: bool) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "15:25") as floor:
            await floor.cross(BASE + 2_000, 4, A)
            await floor.cross(BASE + 500, 2, B)
            await floor.until("15:30:31")
            assert (floor.phase(A), floor.phase(B)) == (Phase.CLOSING_AUCTION, Phase.CLOSE_PRICE_RECEPTION)
            if not restart:
                await floor.until("15:39")
                assert kinds(floor.phases(A)[-2:]) == ["4@102000", "close_price_reception"]
                await floor.until("16:01")
                assert floor.phase(A) is Phase.AFTER_HOURS
        if restart:
            async with Floor.open(tmp_path, "15:31") as floor:
                assert floor.phase(A) is Phase.CLOSING_AUCTION, "what a crash left behind is not this"
                await floor.until("15:39")
                assert kinds(floor.phases(A)) == ["4@102000", "close_price_reception"]

    run(test())


def test_an_auction_that_a_host_had_matched_early_and_that_was_extended_ends_with_the_others(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "08:40") as floor:
            await floor.cross(BASE + 10_000, 4, A)
            await floor.ask(Uncross(instrument=A))
            await floor.until("08:59")
            assert floor.phase(A) is Phase.OPENING_AUCTION
            await floor.until("09:03")
            assert floor.phase(A) is Phase.CONTINUOUS

    run(test())


def test_the_circuit_breaker(tmp_path: Path) -> None:
    """Twenty minutes of silence, ten of collecting, then trading again (KRX BR 25, ER 39)."""

    async def test() -> None:
        async with Floor.open(tmp_path, "10:00") as floor:
            await interrupt(floor)
            await floor.ask(Halt(flags=Board.KOSPI, stage=1))
            assert floor.timetable.phase_end(A) == us("10:20:00")
            await floor.until("10:25")
            assert floor.phase(A) is Phase.RESUMPTION_AUCTION
            assert floor.timetable.phase_end(A) == us("10:30:00")
            await floor.cross(BASE - 5_000, 3)
            await floor.until("10:40")
            told = floor.phases(A)[3:]
            assert kinds(told) == ["halted circuit_breaker", "resumption_auction", "4@103000", "continuous"]
            assert told[1].startswith("10:20:00")
            assert 0 <= seconds_after(told[3], "10:30:00") <= 30
            assert kinds(floor.phases(B)) == ["continuous", "continuous"], "the other board goes on"
            await floor.until("11:00")
            await floor.ask(Halt(flags=Board.KOSPI, stage=2))
            await floor.until("11:31")
            assert floor.phase(A) is Phase.CONTINUOUS
            assert floor.refusals() == []

    run(test())


@pytest.mark.parametrize(("down_until", "phase"), [("10:10", "halted"), ("10:25", "resumption_auction")])
def test_a_restart_in_the_middle_of_the_circuit_breaker(tmp_path: Path, down_until: str, phase: str) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00") as floor:
            await floor.ask(Halt(stage=1))
            await floor.until("10:05")
        async with Floor.open(tmp_path, down_until) as floor:
            assert floor.phase(A).label == phase
            await floor.until("10:36")
            assert floor.phase(A) is Phase.CONTINUOUS
            assert floor.refusals() == []

    run(test())


def test_the_third_stage_closes_for_the_day(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00") as floor:
            await floor.ask(Halt(stage=3))
            await floor.until("2026-11-24 07:59")
            assert set(kinds(floor.phases(A)[2:])) <= {"closed circuit_breaker", "closed"}
            await floor.until("2026-11-24 09:01")
            assert floor.phase(A) is Phase.CONTINUOUS

    run(test())


def test_the_third_stage_of_a_market_that_is_always_open_ends_with_the_day(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00", None) as floor:
            await floor.ask(Halt(stage=3))
            await floor.until("23:59")
            assert floor.phase(A) is Phase.CLOSED
            await floor.until("2026-11-24 00:00")
            assert floor.phase(A) is Phase.CONTINUOUS

    run(test())


@pytest.mark.parametrize("hours", ["krx", None])
def test_what_a_host_resumes_into_an_auction_trades_ten_minutes_later(tmp_path: Path, hours: str | None) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00", hours) as floor:  # type: ignore[arg-type]
            await floor.ask(Halt(instrument=A))
            await floor.until("10:30")
            assert floor.phase(A) is Phase.HALTED
            assert floor.timetable.phase_end(A) is None
            await floor.ask(Resume(instrument=A, phase=Phase.RESUMPTION_AUCTION))
            await floor.cross(BASE + 100, 3)
            await floor.until("10:45")
            told = floor.phases(A)[-2:]
            assert kinds(told) == ["3@100100", "continuous"]
            assert TEN_MINUTES <= seconds_after(told[1], "10:30:00") <= TEN_MINUTES + 30

    run(test())


@pytest.mark.parametrize(
    ("at", "end", "phase"),
    [("08:40", "08:55", "opening_auction"), ("15:15", "15:26", "closing_auction"), ("15:35", "15:50", "close_price")],
)
def test_a_resumption_that_runs_into_another_phase(tmp_path: Path, at: str, end: str, phase: str) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, at) as floor:
            await floor.ask(Halt(instrument=A))
            await floor.ask(Resume(instrument=A, phase=Phase.RESUMPTION_AUCTION))
            await floor.until(end)
            assert floor.phase(A).label == phase
            assert floor.refusals() == []

    run(test())


def test_a_key_that_a_host_used_up_keeps_no_interruption_from_ending(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00") as floor:
            sell, buy = floor.exchange.head_seq + 2, floor.exchange.head_seq + 3
            taken = ChangePhase(instrument=A, trading_day=20261123, phase=Phase.CONTINUOUS, occurrence=2 + buy)
            await floor.ask(taken)
            await interrupt(floor)
            watched = floor.watch.get(A)
            assert watched is not None
            assert (sell, buy) == (watched.seq - 1, watched.seq)
            await floor.until("10:05")
            assert floor.phase(A) is Phase.CONTINUOUS
            assert floor.refusals(), "the first attempt was refused"

    run(test())


def test_an_interruption_that_a_host_began_ends_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00", None) as floor:
            await floor.ask(ChangePhase(instrument=A, trading_day=20261123, phase=Phase.VI_AUCTION, occurrence=9))
            await floor.until("10:03")
            assert floor.phase(A) is Phase.CONTINUOUS

    run(test())


def test_an_extended_closing_auction_while_another_instrument_is_halted(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "15:25") as floor:
            await floor.cross(BASE + 2_000, 4, A)
            await floor.ask(Halt(instrument=B))
            await floor.until("15:31")
            assert (floor.phase(A), floor.phase(B)) == (Phase.CLOSING_AUCTION, Phase.HALTED)
            await floor.until("15:39")
            assert kinds(floor.phases(A)[-2:]) == ["4@102000", "close_price_reception"]

    run(test())


def test_an_auction_that_a_host_runs_by_hand_is_ended_by_hand(tmp_path: Path) -> None:
    async def test() -> None:
        async with Floor.open(tmp_path, "10:00", None) as floor:
            await floor.ask(ChangePhase(instrument=A, trading_day=20261123, phase=Phase.OPENING_AUCTION, occurrence=9))
            await floor.cross(BASE + 10_000, 4, A)
            await floor.ask(Uncross(instrument=A))
            assert floor.timetable.phase_end(A) is None
            await floor.until("10:30")
            assert floor.phase(A) is Phase.OPENING_AUCTION

    run(test())
