"""Small venues for tests of the engine: one instrument, a buyer and a seller."""

from __future__ import annotations

from typing import Any

from onseju.contract.commands import ListInstrument, NewOrder, SetRule
from onseju.contract.events import Event, OrderEvent
from onseju.contract.reasons import Reason
from onseju.contract.words import AccountKind, OrderType, Rule, Side, TimeInForce
from onseju.rules import packs
from onseju.rules.packs import RulesName
from tests.properties.driver import DAY, Driver

VENUE, BUYER, SELLER = 1, 2, 3
ONE = 1


def venue(
    rules: RulesName = "plain", base_price: int = 0, cash: int = 10**9, shares: int = 10**6, **values: int
) -> Driver:
    """A venue with one instrument; rules by name, such as `market_remainder=2`."""
    driver = Driver()
    for request in packs.commands(rules, DAY):
        driver.do(request.command)
    krx = rules == "krx"
    driver.do(
        ListInstrument(
            symbol=b"ONE",
            base_price=base_price,
            limit_ppm=packs.KRX_LIMIT_PPM if krx else 0,
            tick_table=packs.KRX_STOCKS_TABLE if krx else packs.PLAIN_TABLE,
        )
    )
    driver.account(VENUE, kind=AccountKind.VENUE)
    for name, value in values.items():
        driver.do(SetRule(rule=Rule.parse(name), value=value))
    driver.account(BUYER, cash=cash)
    driver.account(SELLER, shares={ONE: shares})
    return driver


def order(side: Side, qty: int, price: int = 0, **changes: Any) -> NewOrder:
    """A day order of the buyer or the seller: limit where a price is given, else market."""
    fields: dict[str, Any] = {
        "account": BUYER if side is Side.BUY else SELLER,
        "instrument": ONE,
        "qty": qty,
        "limit_price": price,
        "side": side,
        "order_type": OrderType.LIMIT if price else OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
    }
    return NewOrder(**fields | changes)


def buy(qty: int, price: int = 0, **changes: Any) -> NewOrder:
    return order(Side.BUY, qty, price, **changes)


def sell(qty: int, price: int = 0, **changes: Any) -> NewOrder:
    return order(Side.SELL, qty, price, **changes)


def told(events: list[Event]) -> list[tuple[str, Reason]]:
    """What the events about orders and requests are, and their reasons."""
    return [(type(event).__name__, Reason(event.reason)) for event in events if isinstance(event, OrderEvent)]
