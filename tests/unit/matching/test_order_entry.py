"""What a new order is answered: every refusal with its reason, costing nothing; reservations; the market's rules."""

from __future__ import annotations

from typing import Any

import pytest

from onseju.contract.commands import CancelOrder, DepositCash, Halt, NewOrder, OpenAccount, Resume, SetRule
from onseju.contract.events import OrderAccepted, OrderRejected, RequestRejected
from onseju.contract.money import MAX_AMOUNT
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderStatus, OrderType, Rule, Side
from tests.properties.driver import Driver
from tests.unit.matching.venue import BUYER, ONE, SELLER, buy, sell, venue


def refusal(driver: Driver, command: NewOrder) -> Reason:
    """Why the order is refused; checks that this is all that happened."""
    cash = driver.engine.account(BUYER).available_cash
    shares = driver.engine.account(SELLER).available_shares(ONE)
    events = driver.do(command)
    assert len(events) == 1
    event = events[0]
    assert isinstance(event, OrderRejected), event
    assert event.status == OrderStatus.REJECTED
    assert event.order_id == driver.engine.state.last_order_id
    assert (event.leaves_qty, event.filled_qty) == (0, 0)
    assert event.canceled_qty == max(command.qty, 0)
    assert driver.engine.account(BUYER).available_cash == cash
    assert driver.engine.account(SELLER).available_shares(ONE) == shares
    assert not driver.engine.state.orders
    driver.check()
    return Reason(event.reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"qty": 0}, Reason.INVALID_QTY),
        ({"qty": -1}, Reason.INVALID_QTY),
        ({"qty": -(2**63)}, Reason.INVALID_QTY),
        ({"limit_price": 0}, Reason.INVALID_PRICE),
        ({"limit_price": -70_000}, Reason.INVALID_PRICE),
        ({"limit_price": 70_050}, Reason.PRICE_TICK),
        ({"limit_price": 91_100}, Reason.PRICE_LIMIT),
        ({"limit_price": 48_950}, Reason.PRICE_LIMIT),
        ({"limit_price": 2**63 - 1}, Reason.PRICE_TICK),
        ({"stop_price": 1}, Reason.INVALID_STOP_PRICE),
        ({"side": 0}, Reason.INVALID_SIDE),
        ({"side": 3}, Reason.INVALID_SIDE),
        ({"order_type": 0}, Reason.INVALID_ORDER_TYPE),
        ({"order_type": 99}, Reason.INVALID_ORDER_TYPE),
        ({"order_type": OrderType.MARKET}, Reason.INVALID_PRICE),
        ({"order_type": OrderType.STOP, "limit_price": 0, "stop_price": 70_000}, Reason.ORDER_TYPE_NOT_ALLOWED),
        ({"order_type": OrderType.MIDPOINT}, Reason.INVALID_PRICE),
        ({"order_type": OrderType.MIDPOINT, "limit_price": 0}, Reason.NO_OPPOSITE_QUOTE),
        ({"order_type": OrderType.BEST_OPPOSITE}, Reason.INVALID_PRICE),
        ({"order_type": OrderType.BEST_SAME, "limit_price": 0, "time_in_force": 2}, Reason.ORDER_TYPE_NOT_ALLOWED),
        ({"order_type": OrderType.CONDITIONAL_LIMIT, "time_in_force": 3}, Reason.ORDER_TYPE_NOT_ALLOWED),
        ({"order_type": OrderType.CONDITIONAL_LIMIT, "limit_price": 91_000}, Reason.ORDER_TYPE_NOT_ALLOWED),
        ({"order_type": OrderType.STOP_LIMIT}, Reason.INVALID_STOP_PRICE),
        ({"order_type": OrderType.STOP_LIMIT, "stop_price": 70_050}, Reason.PRICE_TICK),
        ({"order_type": OrderType.STOP_LIMIT, "stop_price": 91_100}, Reason.PRICE_LIMIT),
        ({"order_type": OrderType.STOP_LIMIT, "stop_price": 70_100, "time_in_force": 2}, Reason.ORDER_TYPE_NOT_ALLOWED),
        ({"time_in_force": 0}, Reason.INVALID_TIME_IN_FORCE),
        ({"time_in_force": 4}, Reason.INVALID_TIME_IN_FORCE),
        ({"instrument": 0}, Reason.UNKNOWN_SYMBOL),
        ({"instrument": 2}, Reason.UNKNOWN_SYMBOL),
        ({"instrument": 2**32 - 1}, Reason.UNKNOWN_SYMBOL),
        ({"account": 0}, Reason.UNKNOWN_ACCOUNT),
        ({"account": 99}, Reason.UNKNOWN_ACCOUNT),
        ({"qty": 2**62 + 1}, Reason.AMOUNT_TOO_LARGE),
        ({"qty": 2**63 - 1}, Reason.AMOUNT_TOO_LARGE),
        ({"qty": MAX_AMOUNT // 70_000 + 1}, Reason.AMOUNT_TOO_LARGE),
        ({"qty": 10**9}, Reason.INSUFFICIENT_CASH),
    ],
)
def test_refused_buys(changes: dict[str, Any], reason: Reason) -> None:
    driver = venue("krx", base_price=70_000)
    command = buy(10, 70_000)
    fields = {name: getattr(command, name) for name in command.__struct_fields__}
    assert refusal(driver, NewOrder(**fields | changes)) is reason


@pytest.mark.parametrize("price", [91_000, 49_000])
def test_orders_at_the_limits_are_taken(price: int) -> None:
    driver = venue("krx", base_price=70_000)
    driver.first(buy(1, price), OrderAccepted)


def test_a_buy_reserves_its_price_to_the_last_won() -> None:
    """KRX rules 7.4: the whole amount, in cash."""
    driver = venue(cash=7_000)
    assert refusal(driver, buy(1, 7_001)) is Reason.INSUFFICIENT_CASH
    driver.first(buy(70, 100), OrderAccepted)
    assert driver.balances[BUYER] == (7_000, 7_000)
    event = driver.first(buy(1, 1), OrderRejected)
    assert event.reason == Reason.INSUFFICIENT_CASH


def test_a_buy_reserves_the_commission_too() -> None:
    """KRX rules 8.1: unit × open + floor(unit × open × rate)."""
    driver = venue(cash=10_014, commission_ppm=1_500)
    assert refusal(driver, buy(100, 100)) is Reason.INSUFFICIENT_CASH
    driver.do(DepositCash(account=BUYER, amount=1))
    driver.first(buy(100, 100), OrderAccepted)
    assert driver.balances[BUYER] == (10_015, 10_015)


def test_a_sell_reserves_its_shares() -> None:
    """KRX rules 6.4, 8.2: no short sale; shares in open sells are not free."""
    driver = venue(shares=10)
    assert refusal(driver, sell(11, 5)) is Reason.INSUFFICIENT_SHARES
    driver.first(sell(6, 5), OrderAccepted)
    event = driver.first(sell(5, 5), OrderRejected)
    assert event.reason == Reason.INSUFFICIENT_SHARES
    driver.first(sell(4, 5), OrderAccepted)


def test_a_market_buy_under_limits_reserves_the_upper_limit() -> None:
    """KRX rules 8.1: base 70,000, 100 shares need 9,100,000; a won less is refused."""
    driver = venue("krx", base_price=70_000, cash=9_099_999)
    driver.do(sell(100, 70_000))
    event = driver.first(buy(100), OrderRejected)
    assert event.reason == Reason.INSUFFICIENT_CASH
    driver.do(DepositCash(account=BUYER, amount=1))
    driver.first(buy(100), OrderAccepted)
    assert driver.balances[BUYER] == (2_100_000, 0)


def test_a_market_buy_without_limits_needs_some_cash() -> None:
    driver = venue(cash=0)
    assert refusal(driver, buy(1)) is Reason.INSUFFICIENT_CASH


def test_no_order_before_the_venue_opens() -> None:
    driver = Driver()
    event = driver.first(buy(1, 1), OrderRejected)
    assert event.reason == Reason.VENUE_NOT_OPEN
    rejected = driver.first(OpenAccount(account=1), RequestRejected)
    assert rejected.reason == Reason.VENUE_NOT_OPEN
    rejected = driver.first(CancelOrder(account=1, order_id=1), RequestRejected)
    assert rejected.reason == Reason.VENUE_NOT_OPEN


def test_a_halt_takes_cancels_only() -> None:
    driver = venue()
    resting = driver.first(buy(10, 100), OrderAccepted)
    driver.do(Halt(instrument=ONE))
    assert driver.first(buy(1, 100), OrderRejected).reason == Reason.HALTED
    driver.do(CancelOrder(account=BUYER, order_id=resting.order_id))
    assert not driver.engine.state.orders
    driver.do(Resume(instrument=ONE))
    driver.first(buy(1, 100), OrderAccepted)


def test_a_closed_market_takes_no_orders() -> None:
    driver = venue()
    driver.do(Halt(instrument=ONE))
    driver.do(Resume(instrument=ONE, phase=6))
    assert driver.first(buy(1, 100), OrderRejected).reason == Reason.MARKET_CLOSED


def test_the_largest_order_and_the_most_open_orders_are_rules() -> None:
    driver = venue(max_order_qty=10, max_open_orders=2)
    assert refusal(driver, buy(11, 1)) is Reason.QTY_LIMIT
    driver.first(buy(10, 1), OrderAccepted)
    driver.first(buy(1, 1), OrderAccepted)
    assert driver.first(buy(1, 1), OrderRejected).reason == Reason.TOO_MANY_OPEN_ORDERS
    driver.first(buy(1, 1, time_in_force=2), OrderAccepted)
    driver.do(SetRule(rule=Rule.MAX_ORDER_QTY, value=5, instrument=ONE))
    driver.do(CancelOrder(account=BUYER, order_id=3))
    assert driver.first(buy(6, 1, time_in_force=2), OrderRejected).reason == Reason.QTY_LIMIT


def test_order_ids_are_dense_and_refusals_get_one() -> None:
    driver = venue()
    ids = [
        driver.first(buy(qty, 1), kind).order_id
        for qty, kind in ((1, OrderAccepted), (0, OrderRejected), (1, OrderAccepted))
    ]
    assert ids == [1, 2, 3]


def test_a_side_is_told_as_asked_even_when_unknown() -> None:
    driver = venue()
    command = NewOrder(account=BUYER, instrument=ONE, qty=1, side=7, order_type=77, time_in_force=200)
    event = driver.first(command, OrderRejected)
    assert (event.side, event.order_type, event.time_in_force) == (7, 77, 200)


@pytest.mark.parametrize("side", list(Side))
def test_amounts_at_the_bounds_break_nothing(side: Side) -> None:
    driver = venue(cash=MAX_AMOUNT, shares=MAX_AMOUNT)
    half = MAX_AMOUNT // 2
    first, second = (sell(half, 2), buy(half, 2)) if side is Side.BUY else (buy(half, 2), sell(half, 2))
    driver.do(first)
    driver.do(second)
    driver.check()
    assert driver.trades[0].qty == half
    assert driver.engine.account(SELLER).cash == MAX_AMOUNT
    rejected = driver.first(DepositCash(account=BUYER, amount=1), RequestRejected)
    assert rejected.reason == Reason.AMOUNT_TOO_LARGE
