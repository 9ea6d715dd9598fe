"""Prices at the edge of what the state machine counts with: refused or bounded, never more than a record holds."""

from __future__ import annotations

import pytest

from onseju.contract.commands import ListInstrument, NewOrder, SetRule, SetTickBand
from onseju.contract.events import LevelChanged, PriceLimitsSet, RequestRejected
from onseju.contract.money import MAX_AMOUNT
from onseju.contract.reasons import Reason
from onseju.contract.words import MarketRemainder, OrderType, Rule, Side
from onseju.rules.ticks import price_limits
from tests.properties.driver import Driver

HUGE_TICK = MAX_AMOUNT
LARGEST = 2**63 - 1


@pytest.fixture
def driver() -> Driver:
    driver = Driver()
    driver.open("plain")
    driver.do(SetTickBand(table=8, from_price=0, tick=HUGE_TICK))
    return driver


def test_a_base_price_counts_as_raised_to_its_grid(driver: Driver) -> None:
    refused = driver.first(ListInstrument(symbol=b"X", base_price=1, limit_ppm=300_000, tick_table=8), RequestRejected)
    assert refused.reason == Reason.AMOUNT_TOO_LARGE


def test_without_limits_the_highest_price_may_be_a_base_price(driver: Driver) -> None:
    (limits,) = driver.only(ListInstrument(symbol=b"X", base_price=1, tick_table=8), PriceLimitsSet)
    assert (limits.base_price, limits.upper_limit) == (HUGE_TICK, 0)


def test_no_limit_is_above_what_an_amount_may_be() -> None:
    assert price_limits(MAX_AMOUNT - 1, 10_000_000, ((0, 1),)).upper == MAX_AMOUNT


def test_a_level_that_is_more_than_a_record_holds_shows_the_most_that_it_can(driver: Driver) -> None:
    """Market buys that pay as they go reserve nothing, so any number of any size may rest."""
    driver.do(SetRule(rule=Rule.MARKET_REMAINDER, value=MarketRemainder.FLOAT))
    driver.do(ListInstrument(symbol=b"X", base_price=100))
    shown = []
    for account in (2, 3, 4):
        driver.account(account, cash=1)
        order = NewOrder(account=account, instrument=1, qty=MAX_AMOUNT, side=Side.BUY, order_type=OrderType.MARKET)
        shown += [event.qty for event in driver.do(order) if isinstance(event, LevelChanged)]
    assert shown == [MAX_AMOUNT, LARGEST, LARGEST]
