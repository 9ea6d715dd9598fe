"""A venue under `plain` rules to play recordings on: the reference engine, and one account that is everybody."""

from __future__ import annotations

from onseju.contract.commands import CancelOrder, ListInstrument, NewOrder
from onseju.contract.events import OrderAccepted, OrderCanceled
from onseju.contract.words import Rule
from onseju.market_data.lobster import PRICE_SCALE, Row
from onseju.rules import packs
from onseju.rules.pack import RulePack
from tests.properties.driver import DAY, Driver

ONE, ACCOUNT = 1, 1


class PlainVenue:
    """The reference engine under `plain` rules, with one account that is rich enough to be everybody."""

    def __init__(self) -> None:
        self.driver = Driver()
        pack = RulePack(name="nasdaq", price_scale=PRICE_SCALE, rules=packs.RULES["plain"] | {Rule.MAX_OPEN_ORDERS: 0})
        for request in pack.commands(DAY):
            self.driver.do(request.command)
        self.driver.do(ListInstrument(symbol=b"AAPL", base_price=0))
        self.driver.account(ACCOUNT, cash=10**15, shares={ONE: 10**8})

    def new_order(self, order: NewOrder) -> int:
        return self.driver.first(order, OrderAccepted).order_id

    def cancel(self, cancel: CancelOrder) -> None:
        self.driver.first(cancel, OrderCanceled)

    def book(self) -> Row:
        bids, asks = self.driver.engine.book(ONE)
        return Row(tuple(level[:2] for level in bids), tuple(level[:2] for level in asks))
