"""What holds of the reference engine after every command, whatever the commands are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onseju.contract.commands import CancelAll, Command, SetRule
from onseju.contract.events import OrderEvent, OrderFilled
from onseju.contract.words import AccountKind, AuctionPricing, MarketRemainder, OrderStatus, Rule, SelfTradePrevention
from onseju.rules.packs import RulesName
from tests.engines import make_engine
from tests.properties.driver import Driver
from tests.properties.streams import ACCOUNTS, INSTRUMENTS, streams

VENUE_ACCOUNT = 1
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

VARIANTS: list[tuple[RulesName, dict[Rule, int]]] = [
    ("krx", {}),
    ("plain", {}),
    ("plain", {Rule.MARKET_REMAINDER: MarketRemainder.REST}),
    ("krx", {Rule.COMMISSION_PPM: 150, Rule.TRANSACTION_TAX_PPM: 500, Rule.RURAL_TAX_PPM: 1500}),
    ("krx", {Rule.VI_DYNAMIC_PPM: 2_000, Rule.VI_STATIC_PPM: 4_000}),
    ("krx", {Rule.SELF_TRADE_PREVENTION: SelfTradePrevention.CANCEL_RESTING}),
    ("plain", {Rule.SELF_TRADE_PREVENTION: SelfTradePrevention.CANCEL_BOTH}),
    ("plain", {Rule.MARKET_REMAINDER: MarketRemainder.FLOAT, Rule.AUCTION_PRICING: AuctionPricing.KRX}),
    (
        "plain",
        {
            Rule.MARKET_REMAINDER: MarketRemainder.REST,
            Rule.COMMISSION_PPM: 300_000,
            Rule.TRANSACTION_TAX_PPM: 400_000,
            Rule.RURAL_TAX_PPM: 300_000,
        },
    ),
    ("plain", {Rule.MAX_CLIENT_IDS: 2}),
]
variants = pytest.mark.parametrize(
    "variant",
    VARIANTS,
    ids=[
        "krx",
        "plain",
        "rest",
        "fees",
        "interruptions",
        "prevent-resting",
        "prevent-both",
        "float",
        "rest-fees",
        "few-ids",
    ],
)


def crowd(
    rules: RulesName, values: dict[Rule, int], engine: Any = None, listed: Sequence[Command] | None = None
) -> Driver:
    """A venue with three accounts, each a little too poor for all it might want."""
    driver = Driver(engine)
    driver.open(rules, listed)
    driver.account(VENUE_ACCOUNT, kind=AccountKind.VENUE)
    for rule, value in values.items():
        driver.do(SetRule(rule=rule, value=value))
    for account in ACCOUNTS:
        driver.account(account, cash=4_000 if rules == "plain" else 8_000_000, shares=dict.fromkeys(INSTRUMENTS, 60))
    return driver


@variants
@given(data=st.data())
@quick
def test_the_state_holds_together_after_every_command(
    variant: tuple[RulesName, dict[Rule, int]], data: st.DataObject
) -> None:
    """Cash and shares are conserved, reservations are what open orders need, no book is crossed, and a reader of the
    events alone knows every level, balance, position and open order."""
    driver = crowd(*variant)
    for command in data.draw(streams(variant[0])):
        for event in driver.do(command):
            check_order_event(event)
        driver.check()


def check_order_event(event: object) -> None:
    """Open + filled + canceled = quantity, in every event that tells of an order."""
    if isinstance(event, OrderEvent):
        if event.status == OrderStatus.REJECTED and event.qty < 0:
            assert (event.leaves_qty, event.filled_qty, event.canceled_qty) == (0, 0, 0)
        else:
            assert event.leaves_qty + event.filled_qty + event.canceled_qty == event.qty
        assert OrderStatus(event.status).is_open == (event.leaves_qty > 0)
        assert min(event.leaves_qty, event.filled_qty, event.canceled_qty) >= 0
    elif isinstance(event, OrderFilled):
        assert OrderStatus(event.status).is_open == (event.leaves_qty > 0)
        assert event.qty > 0
        assert event.filled_amount >= event.price * event.qty


@variants
@given(data=st.data())
@quick
def test_nothing_is_reserved_and_nothing_kept_when_nothing_is_open(
    variant: tuple[RulesName, dict[Rule, int]], data: st.DataObject
) -> None:
    driver = crowd(*variant)
    for command in data.draw(streams(variant[0])):
        driver.do(command)
    for account in driver.engine.state.accounts:
        driver.do(CancelAll(account=account))
    driver.check()
    state = driver.engine.state
    assert not state.orders
    assert not driver.levels
    for account in state.accounts.values():
        assert account.reserved_cash == 0
        assert not account.orders
        assert all(position.reserved_qty == 0 for position in account.positions.values())


@variants
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_commands_give_the_same_bytes_and_hash(
    variant: tuple[RulesName, dict[Rule, int]], data: st.DataObject
) -> None:
    """One by one, all at once, or in pieces: the engine cannot tell."""
    driver = crowd(*variant)
    commands: list[Command] = data.draw(streams(variant[0]))
    for command in commands:
        driver.do(command)
    at_once = make_engine()
    assert at_once.apply(b"".join(driver.commands)) == b"".join(driver.payloads)
    assert at_once.state_hash() == driver.engine.state_hash()
    cut = data.draw(st.integers(0, len(driver.commands)))
    in_two = make_engine()
    pieces = in_two.apply(b"".join(driver.commands[:cut])) + in_two.apply(b"".join(driver.commands[cut:]))
    assert pieces == b"".join(driver.payloads)
    assert in_two.state_hash() == driver.engine.state_hash()


@variants
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_command_that_did_something_changes_the_hash(
    variant: tuple[RulesName, dict[Rule, int]], data: st.DataObject
) -> None:
    """Even one that was refused: it was numbered."""
    driver = crowd(*variant)
    before = driver.engine.state_hash()
    for command in data.draw(streams(variant[0], longest=12)):
        driver.do(command)
        after = driver.engine.state_hash()
        assert after != before
        assert 0 <= after < 2**128
        before = after
