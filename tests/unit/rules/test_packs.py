"""The rule packs and the demo's instruments: what they ask of an empty venue, and that an engine takes all of it."""

from __future__ import annotations

import pytest

from onseju.contract.commands import (
    COMMAND_BYTES,
    ChangePhase,
    ListInstrument,
    NewOrder,
    OpenVenue,
    SetTickBand,
    encode_command,
)
from onseju.contract.events import InstrumentListed, OrderAccepted, OrderRejected, PriceLimitsSet, RequestRejected
from onseju.contract.words import Board, Phase, Security, Side
from onseju.rules import packs
from onseju.rules.instruments import DEMO, after_hours_commands, list_commands
from onseju.rules.packs import KRX_FUNDS, KRX_STOCKS, KRX_WARRANTS, RULES_NAMES, RulesName, rules_name
from onseju.rules.ticks import is_on_grid, price_limits
from tests.properties.driver import Driver


@pytest.mark.parametrize("name", RULES_NAMES)
def test_a_pack_opens_the_venue_first_and_the_engine_takes_it(name: RulesName) -> None:
    requests = packs.commands(name, 2026_11_23) + list_commands(name)
    assert isinstance(requests[0].command, OpenVenue)
    assert all(len(encode_command(request.command)) == COMMAND_BYTES for request in requests)
    driver = Driver()
    for request in requests:
        assert not any(isinstance(event, RequestRejected) for event in driver.do(request.command))
    assert driver.engine.state.trading_day == 2026_11_23
    assert len(driver.engine.state.instruments) == len(DEMO)


def test_krx_tables_are_those_of_the_rules() -> None:
    bands = [request.command for request in packs.commands("krx", 1) if isinstance(request.command, SetTickBand)]
    tables = {table: tuple((b.from_price, b.tick) for b in bands if b.table == table) for table in (1, 2, 3)}
    assert tables == {1: KRX_STOCKS, 2: KRX_FUNDS, 3: KRX_WARRANTS}


def test_an_unknown_pack_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown rules 'nyse'"):
        rules_name("nyse")


def test_demo_instruments_are_sound() -> None:
    assert len({demo.symbol for demo in DEMO}) == len(DEMO) == 10
    assert {demo.board for demo in DEMO} == {Board.KOSPI, Board.KOSDAQ}
    for demo in DEMO:
        assert demo.symbol.isdigit()
        assert len(demo.symbol) == 6
        assert demo.name
        assert demo.listed_shares > 10_000_000
        assert is_on_grid(KRX_FUNDS if demo.security is Security.ETF else KRX_STOCKS, demo.base_price), demo


def test_the_after_market_is_for_stocks_alone() -> None:
    """KRX rules 2.2: no ETF, ETN or ELW."""
    driver = Driver()
    for request in packs.commands("krx", 2026_11_23) + list_commands("krx") + after_hours_commands():
        assert not any(isinstance(event, RequestRejected) for event in driver.do(request.command))
    driver.account(2, cash=10**9)
    driver.do(ChangePhase(trading_day=2026_11_23, phase=Phase.AFTER_HOURS))
    for number, demo in enumerate(DEMO, 1):
        order = NewOrder(account=2, instrument=number, side=Side.BUY, order_type=1, qty=1, limit_price=demo.base_price)
        answer = driver.do(order)[0]
        assert isinstance(answer, OrderRejected if demo.security is Security.ETF else OrderAccepted)


def test_names_travel_beside_the_commands() -> None:
    assert [request.text for request in list_commands("krx")] == [demo.name for demo in DEMO]


@pytest.mark.parametrize("name", RULES_NAMES)
def test_limits_only_under_krx(name: RulesName) -> None:
    driver = Driver()
    for request in packs.commands(name, 2026_11_23):
        driver.do(request.command)
    for request, demo in zip(list_commands(name), DEMO, strict=True):
        listed, limits, _ = driver.do(request.command)
        assert isinstance(request.command, ListInstrument)
        assert isinstance(listed, InstrumentListed)
        assert listed.symbol.rstrip(b"\0").decode() == demo.symbol
        assert isinstance(limits, PriceLimitsSet)
        assert limits.base_price == demo.base_price
        bands = KRX_FUNDS if demo.security is Security.ETF else KRX_STOCKS
        expected = price_limits(demo.base_price, packs.KRX_LIMIT_PPM, bands) if name == "krx" else (0, 0)
        assert (limits.upper_limit, limits.lower_limit) == expected
