"""주문가능 as arithmetic: the most that the cash pays, to the won, and the reason when it is nothing; and as the engine says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onseju.contract.commands import NewOrder, SetRule
from onseju.contract.events import OrderAccepted, OrderRejected, RuleSet
from onseju.contract.money import MAX_AMOUNT, MAX_INPUT
from onseju.contract.reasons import Reason
from onseju.contract.words import (
    AccountKind,
    Board,
    MarketRemainder,
    OrderType,
    Phase,
    Rule,
    Security,
    Side,
    TimeInForce,
    type_mask,
)
from onseju.gateway.capacity import (
    PPM,
    WITH_LIMIT,
    Capacity,
    Question,
    affordable,
    affordable_on_the_way,
    capacity,
    reservation,
)
from onseju.market.directory import Directory, Instrument
from tests.properties.busy_day import BusyDay
from tests.unit.market.live import LiveMarket


def instrument(**changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "id": 1, "symbol": "005930", "name": "삼성전자", "board": Board.KOSPI, "security": Security.STOCK,
        "listed_shares": 1, "leverage": 1, "limit_ppm": 300_000, "tick_table": 1, "tick_bands": [(0, 100)],
        "phase": Phase.CONTINUOUS, "base_price": 70_000, "upper_limit": 91_000, "lower_limit": 49_000,
    }  # fmt: skip
    return Instrument(**values | changes)


PLAIN = instrument(upper_limit=0, lower_limit=0, tick_bands=[])


def directory(rules: dict[Rule, int]) -> Directory:
    found = Directory()
    for rule, value in rules.items():
        found.apply(RuleSet(seq=1, ts=1, idx=0, rule=rule, value=value), {})
    return found


def asked(rules: dict[Rule, int] | None = None, **changes: Any) -> Capacity:
    values: dict[str, Any] = {
        "instrument": instrument(), "directory": directory(rules or {}), "side": Side.BUY,
        "order_type": OrderType.LIMIT, "limit_price": 70_000, "available_cash": 1_000_000, "available_qty": 8,
        "own": [(69_900, 5)], "opposite": [(70_000, 5), (70_100, 5)],
    }  # fmt: skip
    return capacity(Question(**values | changes))


MARKET = {"order_type": OrderType.MARKET, "limit_price": 0}
IOC = {"time_in_force": TimeInForce.IOC}
COMMISSION = {Rule.COMMISSION_PPM: 150}
FLOAT = {Rule.MARKET_REMAINDER: MarketRemainder.FLOAT}
EVERY = {Rule.TYPES_CONTINUOUS: type_mask(*OrderType), Rule.IMMEDIATE_TYPES: type_mask(*OrderType)}
LOTS = {Rule.LOT_SIZE: 6}
AT_CLOSE = instrument(phase=Phase.CLOSE_PRICE, day_close=70_000)
AUCTION = instrument(phase=Phase.OPENING_AUCTION)


def of(order_type: OrderType, limit_price: int = 0, **more: Any) -> dict[str, Any]:
    return {"rules": EVERY, "order_type": order_type, "limit_price": limit_price, **more}


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, Capacity(14, 70_000)),
        ({"available_cash": 70_000}, Capacity(1, 70_000)),
        ({"available_cash": 69_999}, Capacity(0, 70_000, Reason.INSUFFICIENT_CASH)),
        ({"available_cash": 0}, Capacity(0, 70_000, Reason.INSUFFICIENT_CASH)),
        ({"rules": COMMISSION, "available_cash": 70_010}, Capacity(1, 70_000)),
        ({"rules": COMMISSION, "available_cash": 70_009}, Capacity(0, 70_000, Reason.INSUFFICIENT_CASH)),
        ({"rules": {Rule.MAX_ORDER_QTY: 10}}, Capacity(10, 70_000)),
        ({"rules": {Rule.MAX_OPEN_ORDERS: 3}, "open_orders": 3}, Capacity(0, 70_000, Reason.TOO_MANY_OPEN_ORDERS)),
        ({"limit_price": 70_050}, Capacity(0, 70_050, Reason.PRICE_TICK)),
        ({"limit_price": 91_000}, Capacity(10, 91_000)),
        ({"limit_price": 91_100}, Capacity(0, 91_100, Reason.PRICE_LIMIT)),
        ({"limit_price": 48_900}, Capacity(0, 48_900, Reason.PRICE_LIMIT)),
        ({"instrument": PLAIN, "limit_price": 91_101}, Capacity(10, 91_101)),
        ({"instrument": PLAIN, "limit_price": 1, "available_cash": MAX_AMOUNT}, Capacity(MAX_INPUT, 1)),
        ({"instrument": PLAIN, "limit_price": MAX_INPUT, "available_cash": MAX_AMOUNT}, Capacity(512, MAX_INPUT)),
        ({"instrument": instrument(phase=Phase.CLOSED)}, Capacity(0, 70_000, Reason.MARKET_CLOSED)),
        ({"instrument": instrument(phase=Phase.HALTED)}, Capacity(0, 70_000, Reason.HALTED)),
        ({"order_type": OrderType.MIDPOINT, "limit_price": 0}, Capacity(0, 91_000, Reason.ORDER_TYPE_NOT_ALLOWED)),
        # at market: the upper limit is reserved where there is one (KRX rules 8.1), else the book is walked
        (MARKET, Capacity(10, 91_000)),
        ({**MARKET, "available_cash": 90_999}, Capacity(0, 91_000, Reason.INSUFFICIENT_CASH)),
        ({**MARKET, "opposite": []}, Capacity(0, 91_000, Reason.NO_OPPOSITE_QUOTE)),
        ({**MARKET, "instrument": PLAIN}, Capacity(10, None)),
        ({**MARKET, "instrument": PLAIN, "available_cash": 420_200}, Capacity(6, None)),
        ({**MARKET, "instrument": PLAIN, "available_cash": 420_000}, Capacity(5, None)),
        ({**MARKET, "instrument": PLAIN, "available_cash": 1}, Capacity(0, None, Reason.INSUFFICIENT_CASH)),
        ({**MARKET, "instrument": PLAIN, "opposite": []}, Capacity(0, None, Reason.NO_OPPOSITE_QUOTE)),
        ({**MARKET, "instrument": PLAIN, "rules": COMMISSION, "available_cash": 70_010}, Capacity(1, None)),
        # where the rest of a market order stays, nobody needs to be there
        ({**MARKET, "opposite": [], "rules": FLOAT}, Capacity(10, 91_000)),
        ({**MARKET, "opposite": [], "rules": FLOAT, **IOC}, Capacity(0, 91_000, Reason.NO_OPPOSITE_QUOTE)),
        ({**MARKET, "opposite": [], "instrument": AUCTION}, Capacity(10, 91_000)),
        (
            {**MARKET, "instrument": instrument(phase=Phase.OPENING_AUCTION, upper_limit=0, previous_price=60_000)},
            Capacity(16, None),
        ),
        ({**IOC, "rules": {Rule.MAX_OPEN_ORDERS: 3}, "open_orders": 3}, Capacity(14, 70_000)),
        ({**IOC, "instrument": AUCTION}, Capacity(0, 70_000, Reason.ORDER_TYPE_NOT_ALLOWED)),
        # every type: what it reserves, and what it needs (KRX rules 3.4, 3.5, 3.8, 8.1)
        (of(OrderType.CONDITIONAL_LIMIT, 70_000), Capacity(14, 70_000)),
        (of(OrderType.CONDITIONAL_LIMIT, 91_000), Capacity(0, 91_000, Reason.ORDER_TYPE_NOT_ALLOWED)),
        (of(OrderType.STOP_LIMIT, 80_000, stop_price=79_000), Capacity(12, 80_000)),
        (of(OrderType.STOP_LIMIT, 80_000, stop_price=79_050), Capacity(0, 80_000, Reason.PRICE_TICK)),
        (of(OrderType.STOP_LIMIT, 80_000, stop_price=91_100), Capacity(0, 80_000, Reason.PRICE_LIMIT)),
        (of(OrderType.STOP), Capacity(10, 91_000)),
        (of(OrderType.STOP, instrument=PLAIN, stop_price=200_000), Capacity(5, None)),
        (of(OrderType.MIDPOINT), Capacity(10, 91_000)),
        (of(OrderType.MIDPOINT, own=[]), Capacity(0, 91_000, Reason.NO_OPPOSITE_QUOTE)),
        (of(OrderType.MIDPOINT, instrument=PLAIN, available_cash=69_950 * 3), Capacity(3, None)),
        (of(OrderType.BEST_OPPOSITE), Capacity(10, 91_000)),
        (of(OrderType.BEST_OPPOSITE, instrument=PLAIN), Capacity(14, 70_000)),
        (of(OrderType.BEST_OPPOSITE, instrument=PLAIN, opposite=[]), Capacity(14, 69_901)),
        (of(OrderType.BEST_SAME, instrument=PLAIN), Capacity(14, 69_900)),
        (of(OrderType.BEST_SAME, instrument=PLAIN, own=[]), Capacity(0, None, Reason.NO_OPPOSITE_QUOTE)),
        (
            of(OrderType.BEST_SAME, instrument=instrument(upper_limit=0, previous_price=70_050), own=[]),
            Capacity(14, 70_000),
        ),
        # a sell needs shares, whatever the cash
        ({"side": Side.SELL, "available_cash": 0}, Capacity(8, None)),
        ({"side": Side.SELL, **MARKET}, Capacity(8, None)),
        ({"side": Side.SELL, "available_qty": 0}, Capacity(0, None, Reason.INSUFFICIENT_SHARES)),
        ({"side": Side.SELL, "limit_price": 70_050}, Capacity(0, None, Reason.PRICE_TICK)),
        # whole lots (KRX rules 2.4)
        ({"rules": LOTS}, Capacity(12, 70_000)),
        ({"rules": LOTS, "side": Side.SELL}, Capacity(6, None)),
        ({"rules": LOTS, "side": Side.SELL, "available_qty": 5}, Capacity(0, None, Reason.INSUFFICIENT_SHARES)),
        # at a close (KRX rules 2.1)
        ({"instrument": AT_CLOSE}, Capacity(14, 70_000)),
        ({"instrument": AT_CLOSE, "limit_price": 70_100}, Capacity(0, 70_100, Reason.NOT_AT_CLOSE)),
        ({"instrument": AT_CLOSE, **MARKET}, Capacity(0, 91_000, Reason.ORDER_TYPE_NOT_ALLOWED)),
        ({"instrument": instrument(phase=Phase.CLOSE_PRICE)}, Capacity(0, 70_000, Reason.NO_CLOSE)),
    ],
)
def test_capacity(changes: dict[str, Any], want: Capacity) -> None:
    assert asked(**changes) == want


TYPES = tuple(order_type for order_type in OrderType if order_type is not OrderType.STOP)


@given(seed=st.integers(0, 2**32), draw=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_engine_takes_so_much_and_not_a_share_more(seed: int, draw: st.DataObject) -> None:
    """Every type in every phase of random days under the `krx` rules, with a commission and few open orders allowed."""
    live = LiveMarket(cash=30_000_000, shares=300)
    live.account(1, kind=AccountKind.VENUE)
    live.account(5, cash=30_000_000, shares={1: 250})
    for rule, value in ((Rule.COMMISSION_PPM, 150), (Rule.MAX_OPEN_ORDERS, 30)):
        live.do(SetRule(rule=rule, value=value))
    day = BusyDay(live, seed, (2, 3, 4), TYPES)
    for _ in range(60):
        live.do(day.next_command())
        compare_with_engine(live, draw)


def compare_with_engine(live: LiveMarket, draw: st.DataObject) -> None:
    side = draw.draw(st.sampled_from(Side))
    order_type = draw.draw(st.sampled_from(TYPES))
    close = live.market.directory.off_hours_close(live.instrument) or 98_500
    price = st.sampled_from([98_500, 98_550, 99_000, close, live.instrument.upper_limit, 10**6])
    limit_price = draw.draw(price) if order_type in WITH_LIMIT else 0
    stop_price = draw.draw(price) if order_type is OrderType.STOP_LIMIT else 0
    time_in_force = draw.draw(st.sampled_from([TimeInForce.DAY, TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK]))
    account = live.engine.state.accounts[5]
    book = live.market.book("005930", 1)
    assert book is not None
    bids, asks = [level[:2] for level in book.bids], [level[:2] for level in book.asks]
    question = Question(
        instrument=live.instrument,
        directory=live.market.directory,
        side=side,
        order_type=order_type,
        time_in_force=time_in_force,
        limit_price=limit_price,
        stop_price=stop_price,
        available_cash=account.available_cash,
        available_qty=account.available_shares(1),
        own=bids if side is Side.BUY else asks,
        opposite=asks if side is Side.BUY else bids,
        open_orders=len(account.orders),
    )
    found = capacity(question)

    def entered(qty: int) -> OrderAccepted | OrderRejected:
        event = live.do(
            NewOrder(
                account=5,
                instrument=1,
                side=side,
                order_type=order_type,
                time_in_force=time_in_force,
                limit_price=limit_price,
                stop_price=stop_price,
                qty=qty,
            )
        )[0]
        assert isinstance(event, OrderAccepted | OrderRejected)
        return event

    if found.reason is Reason.NO_OPPOSITE_QUOTE and order_type is OrderType.MARKET:
        return  # it would be taken, and end at once
    refused = entered(found.qty + 1)
    assert isinstance(refused, OrderRejected), (found, question)
    if found.reason is not Reason.NONE:
        assert Reason(refused.reason) is found.reason
        return
    assert Reason(refused.reason) in (Reason.INSUFFICIENT_CASH, Reason.INSUFFICIENT_SHARES, Reason.QTY_LIMIT)
    before = account.reserved_cash
    accepted = entered(found.qty)
    assert isinstance(accepted, OrderAccepted), Reason(accepted.reason)
    open_qty = live.orders[accepted.order_id].leaves_qty
    if found.unit_cash and open_qty == found.qty:
        assert account.reserved_cash - before == reservation(question, found.unit_cash, found.qty)


def cost(amount: int, commission_ppm: int) -> int:
    return amount + amount * commission_ppm // PPM


@given(cash=st.integers(0, 10**15), unit=st.integers(1, 10**9), rate=st.sampled_from([0, 1, 150, 3_000, 999_999, PPM]))
def test_one_share_more_is_not_paid(cash: int, unit: int, rate: int) -> None:
    qty = affordable(cash, unit, rate)
    assert cost(unit * qty, rate) <= cash
    assert cost(unit * (qty + 1), rate) > cash


@given(
    cash=st.integers(0, 10**6),
    levels=st.lists(st.tuples(st.integers(1, 10**5), st.integers(1, 50)), max_size=6),
    rate=st.sampled_from([0, 150, 3_000, PPM]),
)
def test_the_walk_takes_what_the_cash_pays_share_by_share(cash: int, levels: list[tuple[int, int]], rate: int) -> None:
    levels = sorted(levels)
    amount = bought = 0
    for price in [price for price, qty in levels for _ in range(qty)]:
        if cost(amount + price, rate) > cash:
            break
        amount, bought = amount + price, bought + 1
    assert affordable_on_the_way(cash, levels, rate) == bought
