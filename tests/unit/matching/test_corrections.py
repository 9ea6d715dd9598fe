"""정정: refused without harm or done whole; who keeps the place in the queue; parts."""

from __future__ import annotations

from typing import Any

import pytest

from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CORRECT_STOP_PRICE,
    CORRECT_TYPE,
    CancelAll,
    CancelOrder,
    CorrectOrder,
    Halt,
)
from onseju.contract.events import (
    AllCanceled,
    OrderAccepted,
    OrderCanceled,
    OrderCorrected,
    OrderEvent,
    RequestRejected,
)
from onseju.contract.reasons import Reason
from onseju.contract.words import MarketRemainder, OrderStatus, OrderType
from tests.properties.driver import Driver
from tests.unit.matching.venue import BUYER, ONE, SELLER, buy, sell, told, venue

PRICE, LEAVES, TYPE, PART = CORRECT_LIMIT_PRICE, CORRECT_LEAVES_QTY, CORRECT_TYPE, CORRECT_PART


def correct(order_id: int, flags: int, **changes: Any) -> CorrectOrder:
    fields: dict[str, Any] = {"account": BUYER, "order_id": order_id, "flags": flags}
    return CorrectOrder(**fields | changes)


def fills(driver: Driver) -> list[tuple[int, int, int]]:
    return [(trade.buy_order_id, trade.price, trade.qty) for trade in driver.trades]


def test_a_decrease_keeps_the_place() -> None:
    driver = venue()
    driver.do(buy(10, 100))
    driver.do(buy(10, 100))
    corrected = driver.first(correct(1, LEAVES, leaves_qty=4), OrderCorrected)
    assert (corrected.qty, corrected.leaves_qty, corrected.canceled_qty) == (10, 4, 6)
    driver.do(sell(6, 100))
    assert fills(driver) == [(1, 100, 4), (2, 100, 2)]


def test_an_increase_goes_to_the_back_and_grows_the_order() -> None:
    driver = venue()
    driver.do(buy(10, 100))
    driver.do(buy(10, 100))
    corrected = driver.first(correct(1, LEAVES, leaves_qty=15), OrderCorrected)
    assert (corrected.qty, corrected.leaves_qty, corrected.canceled_qty) == (15, 15, 0)
    driver.do(sell(12, 100))
    assert fills(driver) == [(2, 100, 10), (1, 100, 2)]
    driver.check()


def test_another_price_goes_to_the_back_even_there_and_back() -> None:
    driver = venue()
    driver.do(buy(10, 100))
    driver.do(buy(10, 100))
    driver.do(correct(1, PRICE, limit_price=99))
    driver.do(correct(1, PRICE, limit_price=100))
    driver.do(sell(11, 100))
    assert fills(driver) == [(2, 100, 10), (1, 100, 1)]


def test_another_price_may_trade_at_once() -> None:
    driver = venue()
    driver.do(sell(4, 105))
    driver.do(buy(10, 100))
    events = driver.do(correct(2, PRICE, limit_price=105))
    assert told(events) == [("OrderCorrected", Reason.NONE)]
    assert fills(driver) == [(2, 105, 4)]
    assert driver.engine.book(ONE) == ([(105, 6, 1)], [])


def test_the_same_open_quantity_changes_nothing_but_is_no_refusal() -> None:
    driver = venue()
    driver.do(buy(10, 100))
    driver.do(buy(10, 100))
    corrected = driver.first(correct(1, LEAVES | PRICE, leaves_qty=10, limit_price=100), OrderCorrected)
    assert corrected.leaves_qty == 10
    driver.do(sell(1, 100))
    assert fills(driver) == [(1, 100, 1)]


def test_an_open_quantity_of_nothing_cancels() -> None:
    driver = venue()
    driver.do(buy(10, 100))
    event = driver.first(correct(1, LEAVES, leaves_qty=0), OrderCanceled)
    assert (event.reason, event.status, event.canceled_qty) == (Reason.CORRECTED_TO_ZERO, OrderStatus.CANCELED, 10)
    assert driver.balances[BUYER] == (10**9, 0)


def test_limit_to_market_and_back() -> None:
    driver = venue(market_remainder=int(MarketRemainder.REST))
    driver.do(buy(10, 100))
    driver.do(correct(1, TYPE, order_type=OrderType.MARKET))
    assert driver.engine.book(ONE) == ([], [])
    assert driver.balances[BUYER] == (10**9, 0)
    refused = driver.first(correct(1, TYPE, order_type=OrderType.LIMIT), RequestRejected)
    assert refused.reason == Reason.INVALID_PRICE
    driver.do(correct(1, TYPE | PRICE, order_type=OrderType.LIMIT, limit_price=90))
    assert driver.engine.book(ONE) == ([(90, 10, 1)], [])
    assert driver.balances[BUYER] == (10**9, 900)


def test_limit_to_market_takes_the_other_side() -> None:
    driver = venue("krx", base_price=70_000)
    driver.do(sell(4, 70_300))
    driver.do(buy(10, 70_000))
    events = driver.do(correct(2, TYPE, order_type=OrderType.MARKET))
    assert told(events) == [("OrderCorrected", Reason.NONE)]
    assert fills(driver) == [(2, 70_300, 4)]
    assert driver.engine.book(ONE) == ([(70_300, 6, 1)], []), "the rest floats at the last price"


REFUSALS: list[tuple[dict[str, Any], Reason]] = [
    ({"flags": 0}, Reason.NOTHING_TO_CORRECT),
    ({"flags": PRICE, "limit_price": 70_000}, Reason.NOTHING_TO_CORRECT),
    ({"flags": TYPE, "order_type": OrderType.LIMIT}, Reason.NOTHING_TO_CORRECT),
    ({"flags": PRICE, "limit_price": 69_950}, Reason.PRICE_TICK),
    ({"flags": PRICE, "limit_price": 91_100}, Reason.PRICE_LIMIT),
    ({"flags": PRICE, "limit_price": 0}, Reason.INVALID_PRICE),
    ({"flags": PRICE, "limit_price": -1}, Reason.INVALID_PRICE),
    ({"flags": TYPE | PRICE, "order_type": OrderType.MARKET, "limit_price": 1}, Reason.INVALID_PRICE),
    ({"flags": TYPE, "order_type": 0}, Reason.INVALID_ORDER_TYPE),
    ({"flags": TYPE, "order_type": OrderType.MIDPOINT}, Reason.ORDER_TYPE_NOT_ALLOWED),
    ({"flags": CORRECT_STOP_PRICE, "stop_price": 1}, Reason.INVALID_STOP_PRICE),
    ({"flags": LEAVES, "leaves_qty": -1}, Reason.INVALID_QTY),
    ({"flags": LEAVES, "leaves_qty": 2**63 - 1}, Reason.AMOUNT_TOO_LARGE),
    ({"flags": LEAVES, "leaves_qty": 10**6}, Reason.INSUFFICIENT_CASH),
    ({"flags": PART, "part_qty": 5}, Reason.NOTHING_TO_CORRECT),
    ({"flags": PART | PRICE, "part_qty": 0, "limit_price": 69_900}, Reason.INVALID_QTY),
    ({"flags": PART | PRICE, "part_qty": 11, "limit_price": 69_900}, Reason.INVALID_QTY),
    ({"flags": PART | LEAVES, "part_qty": 1, "leaves_qty": 1}, Reason.INVALID_COMMAND),
    ({"flags": 32}, Reason.INVALID_COMMAND),
    ({"flags": PRICE, "limit_price": 69_900, "account": SELLER}, Reason.ORDER_NOT_FOUND),
    ({"flags": PRICE, "limit_price": 69_900, "account": 99}, Reason.ORDER_NOT_FOUND),
    ({"flags": PRICE, "limit_price": 69_900, "order_id": 2}, Reason.ORDER_NOT_FOUND),
    ({"flags": PRICE, "limit_price": 69_900, "order_id": -1}, Reason.ORDER_NOT_FOUND),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSALS)
def test_a_refused_correction_leaves_the_order_alone(changes: dict[str, Any], reason: Reason) -> None:
    driver = venue("krx", base_price=70_000, cash=1_000_000)
    driver.do(buy(10, 70_000))
    order, hash_before = driver.engine.state.orders[1], driver.engine.state_hash()
    before = (order.leaves_qty, order.limit_price, order.priority, order.reserved_cash, order.order_type)
    events = driver.do(correct(**{"order_id": 1} | changes))
    assert [type(event) for event in events] == [RequestRejected]
    assert events[0].reason == reason
    assert (order.leaves_qty, order.limit_price, order.priority, order.reserved_cash, order.order_type) == before
    driver.check()
    assert driver.engine.state_hash() != hash_before


def test_a_dearer_price_is_reserved_first_with_the_old_reservation_counted() -> None:
    driver = venue(cash=1_010)
    driver.do(buy(10, 100))
    refused = driver.first(correct(1, PRICE, limit_price=102), RequestRejected)
    assert refused.reason == Reason.INSUFFICIENT_CASH
    driver.first(correct(1, PRICE, limit_price=101), OrderCorrected)
    assert driver.balances[BUYER] == (1_010, 1_010)


def test_more_shares_than_held_cannot_be_offered() -> None:
    driver = venue(shares=10)
    driver.do(sell(6, 100))
    refused = driver.first(correct(1, LEAVES, leaves_qty=11, account=SELLER), RequestRejected)
    assert refused.reason == Reason.INSUFFICIENT_SHARES
    driver.first(correct(1, LEAVES, leaves_qty=10, account=SELLER), OrderCorrected)


def test_done_orders_and_halts_refuse() -> None:
    driver = venue()
    driver.do(buy(10, 100))
    driver.do(buy(10, 100))
    driver.do(CancelOrder(account=BUYER, order_id=1))
    assert driver.first(correct(1, PRICE, limit_price=99), RequestRejected).reason == Reason.ORDER_DONE
    assert driver.first(CancelOrder(account=BUYER, order_id=1), RequestRejected).reason == Reason.ORDER_DONE
    assert driver.first(CancelOrder(account=BUYER, order_id=3), RequestRejected).reason == Reason.ORDER_NOT_FOUND
    assert driver.first(CancelOrder(account=SELLER, order_id=2), RequestRejected).reason == Reason.ORDER_NOT_FOUND
    driver.do(Halt(instrument=ONE))
    assert driver.first(correct(2, PRICE, limit_price=99), RequestRejected).reason == Reason.HALTED


def test_a_part_becomes_a_new_order_that_names_its_parent() -> None:
    driver = venue(cash=1_020)
    driver.do(buy(10, 100, client_id=b"\x07" * 16))
    events = driver.do(correct(1, PART | PRICE, part_qty=4, limit_price=105))
    assert told(events) == [("OrderCanceled", Reason.NONE), ("OrderAccepted", Reason.NONE)]
    parent, part = (event for event in events if isinstance(event, OrderEvent))
    assert (parent.leaves_qty, parent.canceled_qty, parent.client_id) == (6, 4, b"\x07" * 16)
    assert (part.order_id, part.parent_order_id, part.qty, part.leaves_qty) == (2, 1, 4, 4)
    assert part.client_id == bytes(16)
    assert driver.engine.book(ONE) == ([(105, 4, 1), (100, 6, 1)], [])
    assert driver.balances[BUYER] == (1_020, 1_020)
    driver.check()


def test_a_part_that_the_cash_does_not_cover_is_refused() -> None:
    driver = venue(cash=1_019)
    driver.do(buy(10, 100))
    refused = driver.first(correct(1, PART | PRICE, part_qty=4, limit_price=105), RequestRejected)
    assert refused.reason == Reason.INSUFFICIENT_CASH
    assert driver.engine.book(ONE) == ([(100, 10, 1)], [])


def test_all_of_it_as_a_part_ends_the_parent() -> None:
    driver = venue()
    driver.do(buy(10, 100))
    events = driver.do(correct(1, PART | PRICE, part_qty=10, limit_price=90))
    assert driver.orders[1].status == OrderStatus.CANCELED
    assert [type(event) for event in events[:2]] == [OrderCanceled, OrderAccepted]
    assert driver.engine.state.orders.keys() == {2}
    driver.check()


@pytest.mark.parametrize("qty", [-1, 11, 2**62])
def test_more_than_is_open_cannot_be_canceled(qty: int) -> None:
    driver = venue()
    driver.do(buy(10, 100))
    refused = driver.first(CancelOrder(account=BUYER, order_id=1, qty=qty), RequestRejected)
    assert refused.reason == Reason.INVALID_QTY
    assert driver.engine.book(ONE) == ([(100, 10, 1)], [])


def test_cancel_all_takes_what_is_meant_and_counts() -> None:
    driver = venue(shares=100)
    driver.do(sell(10, 200))
    driver.do(sell(10, 100, account=SELLER))
    driver.do(buy(10, 90))
    driver.do(buy(10, 91))
    events = driver.do(CancelAll(account=BUYER))
    assert [event.order_id for event in events if isinstance(event, OrderCanceled)] == [3, 4]
    counted = [event for event in events if isinstance(event, AllCanceled)]
    assert [event.order_count for event in counted] == [2]
    assert driver.engine.state.orders.keys() == {1, 2}
    nothing = driver.first(CancelAll(account=SELLER, side=1), AllCanceled)
    assert nothing.order_count == 0
    driver.do(CancelAll(account=SELLER, side=2, instrument=ONE))
    assert not driver.engine.state.orders


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"account": 99}, Reason.UNKNOWN_ACCOUNT),
        ({"instrument": 9}, Reason.UNKNOWN_SYMBOL),
        ({"side": 3}, Reason.INVALID_SIDE),
    ],
)
def test_cancel_all_refusals(changes: dict[str, int], reason: Reason) -> None:
    driver = venue()
    driver.do(buy(10, 100))
    command = CancelAll(**{"account": BUYER} | changes)
    assert driver.first(command, RequestRejected).reason == reason
    assert driver.engine.state.orders.keys() == {1}
