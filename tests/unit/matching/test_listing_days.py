"""Instruments with limits of their own: the first day of a new listing, liquidation without limits, KONEX (KRX rules 1.3)."""

from __future__ import annotations

import pytest

from onseju.contract.commands import (
    CORRECT_TYPE,
    CancelOrder,
    ChangePhase,
    CorrectOrder,
    ListInstrument,
    RollDay,
    SetRule,
    Uncross,
)
from onseju.contract.events import (
    OrderAccepted,
    OrderCorrected,
    OrderRejected,
    PhaseChanged,
    PriceLimitsSet,
    RequestRejected,
    RuleSet,
)
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Phase, Rule
from onseju.rules import packs
from tests.properties.driver import DAY, Driver
from tests.unit.matching.venue import BUYER, ONE, buy, sell, venue

NEW = SetRule(rule=Rule.NEW_LISTING, value=1, instrument=ONE)


def new_listing(base_price: int = 21_000) -> Driver:
    driver = venue("krx", base_price=base_price)
    driver.do(NEW)
    return driver


@pytest.mark.parametrize(
    ("base_price", "upper", "lower"),
    [(21_000, 84_000, 12_600), (9_000, 36_000, 5_400), (1_990, 7_960, 1_194), (20_050, 80_200, 12_050), (3, 12, 2)],
)
def test_the_first_day_reaches_from_60_to_400_per_cent(base_price: int, upper: int, lower: int) -> None:
    driver = venue("krx", base_price=base_price)
    told, limits = driver.do(NEW)
    assert isinstance(told, RuleSet)
    assert isinstance(limits, PriceLimitsSet)
    assert (limits.base_price, limits.upper_limit, limits.lower_limit) == (base_price, upper, lower)
    driver.first(buy(1, upper), OrderAccepted)
    driver.first(sell(1, lower), OrderAccepted)
    driver.check()


def test_the_next_day_has_the_usual_limits() -> None:
    driver = new_listing()
    driver.do(sell(5, 84_000))
    driver.do(buy(5, 84_000))
    (limits,) = driver.only(RollDay(trading_day=DAY + 1), PriceLimitsSet)
    assert (limits.base_price, limits.upper_limit, limits.lower_limit) == (84_000, 109_200, 58_800)
    assert Rule.NEW_LISTING not in driver.engine.state.instruments[0].rules


def test_no_market_orders_before_the_first_price() -> None:
    driver = new_listing()
    driver.do(ChangePhase(instrument=ONE, trading_day=DAY, phase=Phase.OPENING_AUCTION))
    assert driver.first(buy(1), OrderRejected).reason == Reason.ORDER_TYPE_NOT_ALLOWED
    driver.do(buy(10, 40_000))
    to_market = CorrectOrder(account=BUYER, order_id=2, flags=CORRECT_TYPE, order_type=OrderType.MARKET)
    assert driver.first(to_market, RequestRejected).reason == Reason.ORDER_TYPE_NOT_ALLOWED
    driver.do(sell(5, 40_000))
    driver.do(Uncross(instrument=ONE))
    driver.first(to_market, OrderCorrected)
    driver.first(buy(1), OrderAccepted)
    driver.check()


def test_no_interruption_on_the_listing_day() -> None:
    """KRX rules 6.1."""
    driver = new_listing()
    driver.do(SetRule(rule=Rule.VI_DYNAMIC_PPM, value=30_000))
    driver.do(SetRule(rule=Rule.VI_STATIC_PPM, value=100_000))
    driver.do(sell(5, 30_000))
    assert driver.only(buy(5, 30_000), PhaseChanged) == []
    driver.do(RollDay(trading_day=DAY + 1))
    driver.do(sell(5, 33_000))
    assert [event.phase for event in driver.only(buy(5, 33_000), PhaseChanged)] == [Phase.VI_AUCTION]


def test_a_listing_is_new_before_its_first_order_only() -> None:
    driver = venue("krx", base_price=21_000)
    driver.do(ListInstrument(symbol=b"FREE", base_price=21_000, tick_table=packs.KRX_STOCKS_TABLE))

    def refused(instrument: int = ONE, value: int = 1) -> Reason:
        command = SetRule(rule=Rule.NEW_LISTING, value=value, instrument=instrument)
        return Reason(driver.first(command, RequestRejected).reason)

    assert refused(0) is Reason.INVALID_COMMAND
    assert refused(2) is Reason.INVALID_COMMAND, "without limits there are none to widen"
    assert refused(9) is Reason.UNKNOWN_SYMBOL
    assert refused(value=2) is Reason.INVALID_COMMAND
    driver.do(buy(5, 21_000))
    assert refused() is Reason.INVALID_COMMAND, "its reservation may hang on the limit"
    driver.do(CancelOrder(account=BUYER, order_id=1))
    driver.first(NEW, RuleSet)
    (limits,) = driver.only(SetRule(rule=Rule.NEW_LISTING, value=0, instrument=ONE), PriceLimitsSet)
    assert limits.upper_limit == 27_300
    driver.do(sell(5, 21_000))
    driver.do(buy(5, 21_000))
    assert refused() is Reason.INVALID_COMMAND
    driver.check()


def test_liquidation_has_no_limits() -> None:
    """정리매매: listed without a limit rate; no interruptions, and a market buy pays as it goes."""
    driver = venue("krx", base_price=1_000)
    driver.do(ListInstrument(symbol=b"LIQ", base_price=1_000, tick_table=packs.KRX_STOCKS_TABLE))
    driver.account(9, shares={2: 100})
    driver.first(sell(10, 5, instrument=2, account=9), OrderAccepted)
    driver.first(buy(4, 100_000, instrument=2), OrderAccepted)
    driver.first(buy(4, instrument=2), OrderAccepted)
    assert [(trade.price, trade.qty) for trade in driver.trades] == [(5, 4), (5, 4)]
    driver.check()


def test_konex_reaches_15_per_cent() -> None:
    driver = venue("krx", base_price=1_000)
    konex = ListInstrument(
        symbol=b"KNX", base_price=7_770, limit_ppm=packs.KONEX_LIMIT_PPM, tick_table=packs.KRX_STOCKS_TABLE
    )
    (limits,) = driver.only(konex, PriceLimitsSet)
    assert (limits.upper_limit, limits.lower_limit) == (8_930, 6_610), "1,165.5 is cut to 1,160"
