"""Volatility interruptions beyond what a scenario shows: books that an auction left far apart, and phases that follow at once."""

from __future__ import annotations

from onseju.contract.commands import ChangePhase, Uncross
from onseju.contract.events import AuctionIndicated, OrderCanceled, PhaseChanged, Trade
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Phase, TimeInForce
from tests.properties.driver import DAY, Driver
from tests.unit.matching.venue import ONE, buy, sell, venue

PPM = 10_000
"""A per cent."""


def interrupted_at(base_price: int, dynamic: int) -> Driver:
    return venue("krx", base_price=base_price, vi_dynamic_ppm=dynamic * PPM)


def go(driver: Driver, phase: Phase, occurrence: int = 0) -> list[PhaseChanged]:
    command = ChangePhase(instrument=ONE, trading_day=DAY, phase=phase, occurrence=occurrence)
    return driver.only(command, PhaseChanged)


def test_a_fok_whose_first_trade_would_interrupt_is_killed_and_interrupts_nothing() -> None:
    """KRX rules 6.1: though behind the far price there is enough at prices that would not."""
    driver = interrupted_at(2_000, 3)
    driver.do(buy(5, 1_999))
    go(driver, Phase.VI_AUCTION)
    driver.do(buy(5, 2_100))
    driver.do(Uncross(instrument=ONE))
    go(driver, Phase.CONTINUOUS)
    events = driver.do(sell(5, 1_999, time_in_force=TimeInForce.FOK))
    (killed,) = [event for event in events if isinstance(event, OrderCanceled)]
    assert killed.reason == Reason.FOK_KILLED
    assert not any(isinstance(event, PhaseChanged | Trade) for event in events)
    assert driver.engine.book(ONE) == ([(2_100, 5, 1), (1_999, 5, 1)], [])
    (started,) = driver.only(sell(5, 1_999), PhaseChanged)
    assert started.phase == Phase.VI_AUCTION, "a day order does interrupt"


def test_an_interruption_at_the_moment_of_going_on_is_indicated_anew() -> None:
    """The auction's price wakes a stop order that sets off the next interruption once trading goes on: whoever follows the
    events forgot the first auction's indication, and is told the second's though it is the same."""
    driver = interrupted_at(2_000, 1)
    go(driver, Phase.VI_AUCTION)
    driver.do(buy(5, 2_050, order_type=OrderType.STOP_LIMIT, stop_price=2_010))
    driver.do(sell(10, 2_010))
    driver.do(buy(10, 2_010))
    driver.do(sell(5, 2_050))
    uncrossed = driver.only(Uncross(instrument=ONE), AuctionIndicated)
    assert [(event.price, event.qty) for event in uncrossed] == [(2_050, 5)], "the woken stop meets the ask"
    events = driver.do(ChangePhase(instrument=ONE, trading_day=DAY, phase=Phase.CONTINUOUS))
    assert [event.phase for event in events if isinstance(event, PhaseChanged)] == [Phase.CONTINUOUS, Phase.VI_AUCTION]
    indicated = [event for event in events if isinstance(event, AuctionIndicated)]
    assert [(event.price, event.qty) for event in indicated] == [(2_050, 5)]
    driver.check()
