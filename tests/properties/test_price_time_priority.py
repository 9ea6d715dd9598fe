"""Price-time priority against a matcher written for this test alone: a plain list, sorted anew for every trade."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_TYPE,
    CancelOrder,
    Command,
    CorrectOrder,
    ListInstrument,
    NewOrder,
    OpenVenue,
    SetRule,
)
from onseju.contract.words import MarketRemainder, Rule
from tests.properties.driver import Driver

BUY, SELL = 1, 2
LIMIT, MARKET = 1, 2
DAY, IOC, FOK = 1, 2, 3

Trade = tuple[int, int, int, int]
"""Buyer's order, seller's order, price, quantity."""


@dataclass
class Slip:
    """An order on the brute-force matcher's list."""

    number: int
    side: int
    kind: int
    price: int
    qty: int
    time: int


@dataclass
class BruteForce:
    """The rules said as directly as possible, and as slowly."""

    market_rests: bool
    last: int = 0
    clock: int = 0
    resting: list[Slip] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)

    def new(self, number: int, side: int, kind: int, condition: int, price: int, qty: int) -> None:
        self.clock += 1
        slip = Slip(number, side, kind, price, qty, self.clock)
        if condition == FOK and not self.would_fill(slip):
            return
        self.enter(slip, condition)

    def enter(self, slip: Slip, condition: int = DAY) -> None:
        while slip.qty:
            partners = self.partners(slip)
            if not partners:
                break
            maker, price = partners[0]
            self.trade(slip, maker, price)
        if slip.qty and condition == DAY and (slip.kind == LIMIT or self.market_rests):
            self.resting.append(slip)
        self.wake_waiting_markets()

    def wake_waiting_markets(self) -> None:
        """Two market orders that could not trade for want of a last price do so once there is one."""
        while True:
            buys = sorted((s for s in self.resting if s.kind == MARKET and s.side == BUY), key=lambda s: s.time)
            sells = sorted((s for s in self.resting if s.kind == MARKET and s.side == SELL), key=lambda s: s.time)
            if not (self.last and buys and sells):
                return
            early, late = sorted((buys[0], sells[0]), key=lambda s: s.time)
            self.trade(late, early, self.last)
            self.resting = [s for s in self.resting if s.qty]

    def partners(self, slip: Slip) -> list[tuple[Slip, int]]:
        """Everybody who could trade with it now, best first, and at what price."""
        found = []
        for other in self.resting:
            if other.side == slip.side:
                continue
            if other.kind == MARKET:
                price = slip.price if slip.kind == LIMIT else self.last
                if price:
                    found.append((0, 0, other.time, other, price))
                continue
            fits = slip.kind == MARKET or (slip.price >= other.price if slip.side == BUY else slip.price <= other.price)
            if fits:
                found.append((1, other.price if slip.side == BUY else -other.price, other.time, other, other.price))
        return [(other, price) for _, _, _, other, price in sorted(found, key=lambda f: f[:3])]

    def trade(self, taker: Slip, maker: Slip, price: int) -> None:
        qty = min(taker.qty, maker.qty)
        taker.qty -= qty
        maker.qty -= qty
        self.last = price
        buyer, seller = (taker, maker) if taker.side == BUY else (maker, taker)
        self.trades.append((buyer.number, seller.number, price, qty))
        if not maker.qty and maker in self.resting:
            self.resting.remove(maker)

    def would_fill(self, slip: Slip) -> bool:
        """Play it on a copy."""
        copy = BruteForce(self.market_rests, self.last, self.clock, [Slip(**vars(s)) for s in self.resting])
        trial = Slip(**vars(slip))
        copy.enter(trial, IOC)
        return trial.qty == 0

    def find(self, number: int) -> Slip | None:
        return next((slip for slip in self.resting if slip.number == number), None)

    def cancel(self, number: int, qty: int) -> None:
        slip = self.find(number)
        if slip is None or qty > slip.qty:
            return
        slip.qty -= qty or slip.qty
        if not slip.qty:
            self.resting.remove(slip)

    def correct(self, number: int, kind: int, price: int, qty: int) -> None:
        slip = self.find(number)
        if slip is None:
            return
        if (kind, price) == (slip.kind, slip.price) and qty <= slip.qty:
            slip.qty = qty
            if not qty:
                self.resting.remove(slip)
            return
        self.resting.remove(slip)
        if qty:
            self.clock += 1
            self.enter(Slip(number, slip.side, kind, price, qty, self.clock))

    def levels(self, side: int) -> list[tuple[int, int]]:
        prices = sorted({s.price for s in self.resting if s.side == side and s.kind == LIMIT}, reverse=side == BUY)
        mine = [s for s in self.resting if s.side == side and s.kind == LIMIT]
        return [(price, sum(s.qty for s in mine if s.price == price)) for price in prices]


Action = tuple[str, tuple[int, ...]]

new_orders = st.tuples(
    st.just("new"),
    st.tuples(
        st.sampled_from((BUY, SELL)),
        st.sampled_from((LIMIT, LIMIT, LIMIT, MARKET)),
        st.sampled_from((DAY, DAY, DAY, DAY, IOC, FOK)),
        st.integers(97, 103),
        st.integers(1, 12),
    ),
)
cancels = st.tuples(st.just("cancel"), st.tuples(st.integers(1, 40), st.sampled_from((0, 0, 1, 3, 20))))
corrections = st.tuples(
    st.just("correct"),
    st.tuples(
        st.integers(1, 40), st.sampled_from((LIMIT, LIMIT, LIMIT, MARKET)), st.integers(97, 103), st.integers(0, 15)
    ),
)
actions = st.lists(st.one_of(new_orders, new_orders, new_orders, cancels, corrections), min_size=1, max_size=50)


@pytest.mark.parametrize("market_rests", [False, True], ids=["cancel", "rest"])
@given(stream=actions)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_trades_and_book_are_those_of_the_brute_force(market_rests: bool, stream: list[Action]) -> None:
    driver, instrument = venue_without_a_price(market_rests)
    brute = BruteForce(market_rests)
    number = 0
    for name, numbers in stream:
        if name == "new":
            side, kind, condition, price, qty = numbers
            price = price if kind == LIMIT else 0
            number += 1
            driver.do(
                NewOrder(
                    account=side,
                    instrument=instrument,
                    qty=qty,
                    limit_price=price,
                    side=side,
                    order_type=kind,
                    time_in_force=condition,
                )
            )
            brute.new(number, side, kind, condition, price, qty)
        else:
            driver.do(as_command(driver, name, numbers))
            if name == "cancel":
                brute.cancel(*numbers)
            else:
                order, kind, price, qty = numbers
                brute.correct(order, kind, price if kind == LIMIT else 0, qty)
        trades = [(t.buy_order_id, t.sell_order_id, t.price, t.qty) for t in driver.trades]
        assert trades == brute.trades
        bids, asks = driver.engine.book(instrument)
        assert [level[:2] for level in bids] == brute.levels(BUY)
        assert [level[:2] for level in asks] == brute.levels(SELL)
        assert driver.engine.state.orders.keys() == {slip.number for slip in brute.resting}


def as_command(driver: Driver, name: str, numbers: tuple[int, ...]) -> Command:
    """The command of an action on an order; the owner's account is its side."""
    order = driver.engine.state.orders.get(numbers[0])
    account = order.account if order else 1
    if name == "cancel":
        return CancelOrder(account=account, order_id=numbers[0], qty=numbers[1])
    order_id, kind, price, qty = numbers
    return CorrectOrder(
        account=account,
        order_id=order_id,
        flags=CORRECT_LEAVES_QTY | CORRECT_TYPE | (CORRECT_LIMIT_PRICE if kind == LIMIT else 0),
        limit_price=price if kind == LIMIT else 0,
        leaves_qty=qty,
        order_type=kind,
    )


def venue_without_a_price(market_rests: bool) -> tuple[Driver, int]:
    """A plain venue whose one instrument has neither base nor last price; account 1 buys, account 2 sells."""
    driver = Driver()
    driver.do(OpenVenue(trading_day=2026_11_23))
    driver.do(ListInstrument(symbol=b"ONE", base_price=0))
    remainder = MarketRemainder.REST if market_rests else MarketRemainder.CANCEL
    driver.do(SetRule(rule=Rule.MARKET_REMAINDER, value=remainder))
    driver.account(BUY, cash=10**9)
    driver.account(SELL, shares={1: 10**9})
    return driver, 1
