"""Commission and taxes: floored on an order's whole amount, paid to the venue account, never more than there is."""

from __future__ import annotations

from onseju.contract.commands import SetRule, WithdrawCash
from onseju.contract.events import OrderFilled
from onseju.contract.words import Rule
from tests.properties.driver import Driver
from tests.unit.matching.venue import BUYER, SELLER, VENUE, buy, sell, venue


def fees(driver: Driver, order_id: int) -> tuple[int, int, int]:
    """What the order has paid so far, as its last fill tells."""
    fill = driver.orders[order_id]
    assert isinstance(fill, OrderFilled)
    return fill.commission, fill.transaction_tax, fill.rural_tax


def test_the_worked_example_of_the_rules() -> None:
    """KRX rules 7.1: 7 × 12,340 = 86,380 costs 43 of 증권거래세 and 129 of 농특세; 0.015 % of commission is 12."""
    driver = venue("krx", base_price=12_340, commission_ppm=150, transaction_tax_ppm=500, rural_tax_ppm=1_500)
    driver.do(sell(7, 12_340))
    driver.do(buy(7, 12_340))
    assert fees(driver, 1) == (12, 43, 129)
    assert fees(driver, 2) == (12, 0, 0)
    assert driver.balances[SELLER] == (86_380 - 12 - 43 - 129, 0)
    assert driver.balances[BUYER] == (10**9 - 86_380 - 12, 0)
    assert driver.balances[VENUE] == (12 + 43 + 129 + 12, 0)
    driver.check()


def test_fills_pay_the_increase_so_that_the_sum_is_that_of_one_fill() -> None:
    driver = venue("krx", base_price=12_340, commission_ppm=150, transaction_tax_ppm=500, rural_tax_ppm=1_500)
    driver.do(sell(7, 12_340))
    for _ in range(7):
        driver.do(buy(1, 12_340))
    assert fees(driver, 1) == (12, 43, 129)


def test_an_order_keeps_the_rates_of_its_entry() -> None:
    driver = venue(commission_ppm=10_000, cash=1_010)
    driver.do(buy(10, 100))
    driver.do(SetRule(rule=Rule.COMMISSION_PPM, value=500_000))
    driver.check()
    driver.do(sell(10, 100))
    assert fees(driver, 1) == (10, 0, 0)
    assert fees(driver, 2) == (500, 0, 0)
    assert driver.balances[BUYER] == (0, 0)


def test_an_instruments_own_rate_goes_before_the_venues() -> None:
    driver = venue(commission_ppm=10_000)
    driver.do(SetRule(rule=Rule.COMMISSION_PPM, value=20_000, instrument=1))
    driver.do(sell(10, 100))
    driver.do(buy(10, 100))
    assert fees(driver, 1) == (20, 0, 0)


def test_a_commission_never_makes_cash_negative() -> None:
    """Half a won is floored away at the first fill and its reservation freed. Where that won is withdrawn, the second
    fill owes a whole one that is not there."""
    driver = venue(commission_ppm=500_000, cash=3)
    driver.do(buy(2, 1))
    driver.do(sell(1, 1))
    assert driver.balances[BUYER] == (2, 1)
    driver.do(WithdrawCash(account=BUYER, amount=1))
    driver.do(sell(1, 1))
    assert fees(driver, 1) == (0, 0, 0)
    assert driver.balances[BUYER] == (0, 0)
    driver.check()


def test_a_sale_never_costs_more_than_it_brings() -> None:
    driver = venue(commission_ppm=340_000, transaction_tax_ppm=340_000, rural_tax_ppm=340_000)
    driver.do(sell(3, 1))
    driver.do(buy(2, 1))
    driver.do(WithdrawCash(account=SELLER, amount=2))
    driver.do(buy(1, 1))
    assert fees(driver, 1) == (1, 0, 0)
    assert driver.balances[SELLER] == (0, 0)
    driver.check()
