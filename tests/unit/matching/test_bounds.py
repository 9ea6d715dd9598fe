"""Amounts at the edge of what 64 bits hold: refused or ended with a reason, never an exception."""

from __future__ import annotations

from onseju.contract.commands import CORRECT_LEAVES_QTY, CorrectOrder, DepositCash, DepositShares, WithdrawCash
from onseju.contract.events import OrderCorrected, RequestRejected
from onseju.contract.money import MAX_AMOUNT
from onseju.contract.reasons import Reason
from onseju.contract.words import MarketRemainder
from tests.unit.matching.venue import BUYER, ONE, SELLER, buy, sell, told, venue

TOO_LARGE = ("OrderCanceled", Reason.AMOUNT_TOO_LARGE)


def test_a_rest_that_could_fill_beyond_the_bound_is_canceled() -> None:
    driver = venue(cash=MAX_AMOUNT)
    driver.do(buy(1, MAX_AMOUNT))
    events = driver.do(sell(2, MAX_AMOUNT // 2))
    assert driver.trades[0].price == MAX_AMOUNT
    assert told(events)[-1] == TOO_LARGE
    driver.check()


def test_a_resting_market_order_ends_when_it_has_filled_all_that_can_be_counted() -> None:
    driver = venue(cash=MAX_AMOUNT, market_remainder=int(MarketRemainder.REST))
    driver.do(sell(3))
    driver.do(buy(1, MAX_AMOUNT))
    assert driver.orders[1].filled_amount == MAX_AMOUNT
    driver.do(WithdrawCash(account=SELLER, amount=MAX_AMOUNT))
    driver.do(DepositCash(account=BUYER, amount=MAX_AMOUNT))
    events = driver.do(buy(1, 1))
    assert TOO_LARGE in told(events)
    assert driver.engine.book(ONE) == ([(1, 1, 1)], [])
    driver.check()


def test_an_order_grows_to_the_bound_and_no_further() -> None:
    half = MAX_AMOUNT // 2
    driver = venue(cash=MAX_AMOUNT)
    driver.do(buy(half, 1))

    def leave(qty: int) -> CorrectOrder:
        return CorrectOrder(account=BUYER, order_id=1, flags=CORRECT_LEAVES_QTY, leaves_qty=qty)

    driver.first(leave(1), OrderCorrected)
    assert driver.first(leave(half + 2), RequestRejected).reason == Reason.AMOUNT_TOO_LARGE
    assert driver.first(leave(half + 1), OrderCorrected).qty == MAX_AMOUNT
    driver.check()


def test_cost_and_profit_stop_at_the_bound() -> None:
    driver = venue(cash=MAX_AMOUNT, shares=10)
    driver.do(DepositShares(account=SELLER, instrument=ONE, qty=1, cost_amount=MAX_AMOUNT))
    driver.do(DepositShares(account=SELLER, instrument=ONE, qty=1, cost_amount=MAX_AMOUNT))
    assert driver.positions[SELLER, ONE][2] == MAX_AMOUNT
    for _ in range(3):
        driver.do(sell(1, MAX_AMOUNT))
        driver.do(buy(1, MAX_AMOUNT))
        driver.do(WithdrawCash(account=SELLER, amount=MAX_AMOUNT))
        driver.do(DepositCash(account=BUYER, amount=MAX_AMOUNT))
    assert driver.positions[BUYER, ONE][2] == MAX_AMOUNT
    assert 0 < driver.positions[SELLER, ONE][3] <= MAX_AMOUNT
    driver.check()
