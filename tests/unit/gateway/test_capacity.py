"""주문가능 as arithmetic: the most that the cash pays, to the won, and the reason when it is nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onseju.contract.money import MAX_AMOUNT, MAX_INPUT
from onseju.contract.reasons import Reason
from onseju.contract.words import Board, OrderType, Phase, Security, Side
from onseju.gateway.capacity import PPM, Capacity, Question, affordable, affordable_on_the_way, capacity
from onseju.market.directory import Instrument


def instrument(**changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "id": 1, "symbol": "005930", "name": "삼성전자", "board": Board.KOSPI, "security": Security.STOCK,
        "listed_shares": 1, "leverage": 1, "limit_ppm": 300_000, "tick_table": 1, "tick_bands": [(0, 100)],
        "phase": Phase.CONTINUOUS, "base_price": 70_000, "upper_limit": 91_000, "lower_limit": 49_000,
    }  # fmt: skip
    return Instrument(**values | changes)


PLAIN = instrument(upper_limit=0, lower_limit=0, tick_bands=[])


def asked(**changes: Any) -> Capacity:
    values: dict[str, Any] = {
        "instrument": instrument(), "side": Side.BUY, "order_type": OrderType.LIMIT, "limit_price": 70_000,
        "available_cash": 1_000_000, "available_qty": 8, "opposite": [(70_000, 5), (70_100, 5)],
    }  # fmt: skip
    return capacity(Question(**values | changes))


MARKET = {"order_type": OrderType.MARKET, "limit_price": 0}


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, Capacity(14, 70_000)),
        ({"available_cash": 70_000}, Capacity(1, 70_000)),
        ({"available_cash": 69_999}, Capacity(0, 70_000, Reason.INSUFFICIENT_CASH)),
        ({"available_cash": 0}, Capacity(0, 70_000, Reason.INSUFFICIENT_CASH)),
        ({"commission_ppm": 150, "available_cash": 70_010}, Capacity(1, 70_000)),
        ({"commission_ppm": 150, "available_cash": 70_009}, Capacity(0, 70_000, Reason.INSUFFICIENT_CASH)),
        ({"max_order_qty": 10}, Capacity(10, 70_000)),
        ({"too_many_open": True}, Capacity(0, 70_000, Reason.TOO_MANY_OPEN_ORDERS)),
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
        # a sell needs shares, whatever the cash
        ({"side": Side.SELL, "available_cash": 0}, Capacity(8, None)),
        ({"side": Side.SELL, **MARKET}, Capacity(8, None)),
        ({"side": Side.SELL, "available_qty": 0}, Capacity(0, None, Reason.INSUFFICIENT_SHARES)),
        ({"side": Side.SELL, "limit_price": 70_050}, Capacity(0, None, Reason.PRICE_TICK)),
    ],
)
def test_capacity(changes: dict[str, Any], want: Capacity) -> None:
    assert asked(**changes) == want


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
