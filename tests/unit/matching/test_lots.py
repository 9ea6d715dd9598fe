"""매매수량단위: what is traded in multiples of a lot, as ELWs are in tens (KRX rules 2.4)."""

from __future__ import annotations

import pytest

from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CancelOrder,
    ChangePhase,
    Command,
    CorrectOrder,
    DepositCash,
    ListInstrument,
    SetRule,
    WithdrawCash,
)
from onseju.contract.events import OrderAccepted, OrderRejected
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Phase, Rule, Security
from onseju.rules import packs
from tests.properties.driver import DAY, Driver
from tests.unit.matching.test_sessions import refusal
from tests.unit.matching.venue import BUYER, ONE, SELLER, buy, sell, venue

ELW = 2


def tens() -> Driver:
    """A venue where the lot is ten."""
    return venue("krx", base_price=1_000, lot_size=10)


def why_not(driver: Driver, command: Command) -> Reason:
    return Reason(driver.first(command, OrderRejected).reason)


def test_orders_are_whole_lots() -> None:
    driver = tens()
    for qty in (1, 9, 15, 101):
        assert why_not(driver, buy(qty, 1_000)) is Reason.INVALID_QTY
        assert why_not(driver, buy(qty)) is Reason.INVALID_QTY
    driver.first(buy(110, 1_000), OrderAccepted)


@pytest.mark.parametrize(
    "odd",
    [
        CancelOrder(account=BUYER, order_id=1, qty=5),
        CorrectOrder(account=BUYER, order_id=1, flags=CORRECT_LEAVES_QTY, leaves_qty=25),
        CorrectOrder(account=BUYER, order_id=1, flags=CORRECT_LEAVES_QTY, leaves_qty=45),
        CorrectOrder(account=BUYER, order_id=1, flags=CORRECT_PART | CORRECT_LIMIT_PRICE, part_qty=5, limit_price=999),
    ],
)
def test_parts_are_whole_lots(odd: CancelOrder | CorrectOrder) -> None:
    """KRX rules 3.6: what is refused leaves the order as it was."""
    driver = tens()
    driver.do(buy(40, 1_000))
    assert refusal(driver, odd) is Reason.INVALID_QTY
    assert driver.engine.book(ONE) == ([(1_000, 40, 1)], [])
    driver.do(CancelOrder(account=BUYER, order_id=1, qty=10))
    driver.do(CorrectOrder(account=BUYER, order_id=1, flags=CORRECT_LEAVES_QTY, leaves_qty=20))
    part = CORRECT_PART | CORRECT_LIMIT_PRICE
    driver.do(CorrectOrder(account=BUYER, order_id=1, flags=part, part_qty=10, limit_price=999))
    assert driver.engine.book(ONE) == ([(1_000, 10, 1), (999, 10, 1)], [])
    driver.check()


def test_what_an_earlier_lot_left_odd_goes_as_a_whole() -> None:
    driver = venue("krx", base_price=1_000)
    for price in (1_000, 999, 998):
        driver.do(buy(15, price))
    driver.do(SetRule(rule=Rule.LOT_SIZE, value=10, instrument=ONE))
    driver.do(CancelOrder(account=BUYER, order_id=1, qty=15))
    driver.do(CorrectOrder(account=BUYER, order_id=2, flags=CORRECT_LIMIT_PRICE, limit_price=997))
    part = CORRECT_PART | CORRECT_LIMIT_PRICE
    driver.do(CorrectOrder(account=BUYER, order_id=3, flags=part, part_qty=15, limit_price=997))
    assert driver.engine.book(ONE) == ([(997, 30, 2)], [])
    driver.check()


def test_the_lot_of_elws_is_theirs_alone() -> None:
    """KRX rules 2.4: ten of `krx`; an instrument's own goes before, and the venue's is for all others."""
    driver = venue("krx", base_price=1_000)
    table = packs.KRX_WARRANTS_TABLE
    driver.do(ListInstrument(symbol=b"ELW", base_price=1_000, tick_table=table, security=Security.ELW))
    driver.first(buy(1, 1_000), OrderAccepted)
    assert why_not(driver, buy(1, 1_000, instrument=ELW)) is Reason.INVALID_QTY
    driver.do(SetRule(rule=Rule.LOT_SIZE, value=7))
    assert why_not(driver, buy(10, 1_000)) is Reason.INVALID_QTY
    driver.first(buy(10, 1_000, instrument=ELW), OrderAccepted)
    driver.do(SetRule(rule=Rule.LOT_SIZE, value=3, instrument=ELW))
    driver.first(buy(9, 1_000, instrument=ELW), OrderAccepted)
    driver.do(SetRule(rule=Rule.ELW_LOT_SIZE, value=0))
    driver.do(SetRule(rule=Rule.LOT_SIZE, value=1, instrument=ELW))
    driver.first(buy(1, 1_000, instrument=ELW), OrderAccepted)


@pytest.mark.parametrize(
    ("rule", "value", "instrument"),
    [(Rule.LOT_SIZE, 0, 0), (Rule.LOT_SIZE, -1, 0), (Rule.ELW_LOT_SIZE, -1, 0), (Rule.ELW_LOT_SIZE, 10, ONE)],
)
def test_what_is_no_lot(rule: Rule, value: int, instrument: int) -> None:
    driver = tens()
    assert refusal(driver, SetRule(rule=rule, value=value, instrument=instrument)) is Reason.INVALID_COMMAND


def test_a_conversion_is_cut_to_whole_lots() -> None:
    """KRX rules 3.5: 1,300 each at the upper limit; the cash is for 25."""
    driver = tens()
    driver.do(WithdrawCash(account=BUYER, amount=10**9 - 1_300 * 25))
    driver.do(buy(30, 1_000, order_type=OrderType.CONDITIONAL_LIMIT))
    driver.do(ChangePhase(instrument=ONE, trading_day=DAY, phase=Phase.CLOSING_AUCTION))
    (order,) = driver.engine.state.orders.values()
    assert (order.order_type, order.leaves_qty, order.canceled_qty) == (OrderType.MARKET, 20, 10)
    driver.check()


@pytest.mark.parametrize("rests", [False, True])
def test_cash_buys_whole_lots(rests: bool) -> None:
    """A buy without a reservation, incoming or resting, pays for as many lots as its cash covers."""
    driver = venue("plain", base_price=100, lot_size=10, market_remainder=2, cash=2_500)
    orders = [buy(40), sell(40, 100)] if rests else [sell(40, 100), buy(40)]
    for command in orders:
        driver.do(command)
    assert [trade.qty for trade in driver.trades] == [20]
    driver.do(DepositCash(account=BUYER, amount=10_000))
    driver.check()


def test_a_fok_that_cash_cuts_is_killed_by_lots() -> None:
    driver = venue("plain", base_price=100, lot_size=10, cash=2_500)
    driver.do(sell(40, 100))
    driver.do(buy(30, time_in_force=3))
    assert not driver.trades
    driver.do(buy(20, time_in_force=3))
    assert [(trade.qty, trade.sell_order_id) for trade in driver.trades] == [(20, 1)]
    assert driver.engine.account(SELLER).position(ONE).qty == 10**6 - 20
