"""Sell taxes by date and market, and what an engine makes of them (KRX rules 7.1, 7.2)."""

from __future__ import annotations

import pytest

from onseju.contract.commands import ListInstrument, OpenAccount, SetRule
from onseju.contract.events import OrderFilled, RequestRejected
from onseju.contract.words import AccountKind, Board, Rule, Security
from onseju.rules import packs
from onseju.rules.fees import COMMISSION_PPM, SellTax, Taxed, fee_commands, sell_tax
from onseju.rules.instruments import DEMO, list_commands, taxed
from tests.properties.driver import DAY, Driver
from tests.unit.matching.venue import BUYER, SELLER, VENUE, buy, sell

STOCK = Security.STOCK


@pytest.mark.parametrize(
    ("day", "board", "tax"),
    [
        (2023_06_30, Board.KOSPI, SellTax(500, 1_500)),
        (2024_01_02, Board.KOSPI, SellTax(300, 1_500)),
        (2024_12_31, Board.KOSPI, SellTax(300, 1_500)),
        (2025_01_02, Board.KOSPI, SellTax(0, 1_500)),
        (2025_12_31, Board.KOSPI, SellTax(0, 1_500)),
        (2026_01_02, Board.KOSPI, SellTax(500, 1_500)),
        (2023_06_30, Board.KOSDAQ, SellTax(2_000, 0)),
        (2024_06_30, Board.KOSDAQ, SellTax(1_800, 0)),
        (2025_06_30, Board.KOSDAQ, SellTax(1_500, 0)),
        (2026_06_30, Board.KOSDAQ, SellTax(2_000, 0)),
        (2026_06_30, Board.KONEX, SellTax(1_000, 0)),
        (2026_06_30, Board.OTHER, SellTax(0, 0)),
        (2020_01_02, Board.KOSDAQ, SellTax(2_000, 0)),
    ],
)
def test_the_sell_tax_of_a_day(day: int, board: Board, tax: SellTax) -> None:
    assert sell_tax(day, board, STOCK) == tax


@pytest.mark.parametrize("security", [Security.ETF, Security.ETN, Security.ELW])
def test_funds_and_warrants_are_not_taxed(security: Security) -> None:
    assert sell_tax(2026_06_30, Board.KOSPI, security) == SellTax(0, 0)


def test_a_sell_pays_the_taxes_of_its_day_floored() -> None:
    """KRX rules 7.1: 7 shares at 12,340 are 86,380 won: 43 and 129 of tax in 2026, 0 and 129 the year before."""
    for day, taxes in ((2026_11_23, (43, 129)), (2025_11_24, (0, 129))):
        driver = Driver()
        for request in packs.commands("krx", day):
            driver.do(request.command)
        driver.do(
            ListInstrument(
                symbol=b"ONE",
                base_price=12_340,
                limit_ppm=packs.KRX_LIMIT_PPM,
                tick_table=packs.KRX_STOCKS_TABLE,
                board=Board.KOSPI,
            )
        )
        driver.account(VENUE, kind=AccountKind.VENUE)
        for request in fee_commands(day, [Taxed(1, Board.KOSPI, STOCK)]):
            driver.do(request.command)
        driver.account(BUYER, cash=10**6)
        driver.account(SELLER, shares={1: 7})
        driver.do(sell(7, 12_340))
        fills = {fill.account: fill for fill in driver.only(buy(7, 12_340), OrderFilled)}
        commission = 86_380 * COMMISSION_PPM // 1_000_000
        assert (fills[SELLER].commission, fills[SELLER].transaction_tax, fills[SELLER].rural_tax) == (
            commission,
            *taxes,
        )
        assert (fills[BUYER].commission, fills[BUYER].transaction_tax, fills[BUYER].rural_tax) == (commission, 0, 0)
        assert driver.balances[VENUE] == (2 * commission + sum(taxes), 0)
        driver.check()


def test_the_demos_fees_are_taken_by_an_engine() -> None:
    driver = Driver()
    for request in packs.commands("krx", DAY) + list_commands("krx", interruptions=True):
        driver.do(request.command)
    driver.do(OpenAccount(account=VENUE, account_kind=AccountKind.VENUE))
    for request in fee_commands(DAY, taxed()):
        assert isinstance(request.command, SetRule)
        assert not any(isinstance(event, RequestRejected) for event in driver.do(request.command))
    rules = driver.engine.state.rules
    for demo, instrument in zip(DEMO, driver.engine.state.instruments, strict=True):
        tax = sell_tax(DAY, demo.board, demo.security)
        assert rules.value(Rule.TRANSACTION_TAX_PPM, instrument) == tax.transaction_ppm
        assert rules.value(Rule.RURAL_TAX_PPM, instrument) == tax.rural_ppm
        assert instrument.vi_static_ppm == 100_000
        assert instrument.vi_dynamic_ppm == (60_000 if demo.board is Board.KOSDAQ else 30_000)
