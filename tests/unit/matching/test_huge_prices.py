"""Prices at the edge of what the state machine counts with: refused or bounded, never more than a record holds."""

from __future__ import annotations

import pytest

from onseju.contract.commands import ListInstrument, SetTickBand
from onseju.contract.events import PriceLimitsSet, RequestRejected
from onseju.contract.money import MAX_AMOUNT
from onseju.contract.reasons import Reason
from onseju.rules.ticks import price_limits
from tests.properties.driver import Driver

HUGE_TICK = MAX_AMOUNT


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
