"""주문가능: how much an account can order now, and if nothing, why. Pure functions; the exchange alone decides in the end."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from onseju.contract.money import MAX_AMOUNT, MAX_INPUT
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Phase, Side
from onseju.market.directory import Instrument
from onseju.rules.ticks import is_on_grid

PPM = 1_000_000
"""Rates are millionths."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and what the answer depends on. Money in the venue's smallest unit, quantities in shares."""

    instrument: Instrument
    side: Side
    order_type: OrderType
    limit_price: int
    """0 for an order without one."""
    available_cash: int
    available_qty: int
    opposite: list[tuple[int, int]]
    """The book's other side, best first: price and quantity."""
    commission_ppm: int = 0
    max_order_qty: int = 0
    """The rule's bound of one order; 0 = none."""
    too_many_open: bool = False


class Capacity(msgspec.Struct, frozen=True):
    """`qty` shares can be ordered; where that is 0, `reason` says why."""

    qty: int
    unit_cash: int | None
    """Cash that each share reserves, commission apart; None where nothing is reserved."""
    reason: Reason = Reason.NONE


def capacity(question: Question) -> Capacity:
    """How many shares can be ordered now."""
    unit = _unit_cash(question)
    refusal = _refusal(question)
    if refusal is not Reason.NONE:
        return Capacity(0, unit, refusal)
    if question.side is Side.SELL:
        qty, short = question.available_qty, Reason.INSUFFICIENT_SHARES
    elif unit is not None:
        qty = affordable(question.available_cash, unit, question.commission_ppm)
        short = Reason.INSUFFICIENT_CASH
    else:
        qty = affordable_on_the_way(question.available_cash, question.opposite, question.commission_ppm)
        short = Reason.INSUFFICIENT_CASH
    bounds = [qty, MAX_INPUT, MAX_AMOUNT // max(unit or question.limit_price, 1)]
    if question.max_order_qty:
        bounds.append(question.max_order_qty)
    qty = max(min(bounds), 0)
    return Capacity(qty, unit, short if qty == 0 else Reason.NONE)


def affordable(cash: int, unit: int, commission_ppm: int) -> int:
    """The most shares whose reservation, `unit × qty + floor(unit × qty × rate)`, is at most `cash` (KRX rules 8.1)."""
    if cash <= 0:
        return 0
    # amount + floor(amount × rate) <= cash exactly when amount × (1 + rate) < cash + 1
    return ((cash + 1) * PPM - 1) // (unit * (PPM + commission_ppm))


def affordable_on_the_way(cash: int, levels: Iterable[tuple[int, int]], commission_ppm: int) -> int:
    """The most shares that `cash` buys off these levels, each at its own price: the order reserves nothing before."""
    bought = 0
    spendable = ((cash + 1) * PPM - 1) // (PPM + commission_ppm) if cash > 0 else 0
    for price, qty in levels:
        take = min(qty, spendable // price)
        bought += take
        spendable -= take * price
        if take < qty:
            break
    return bought


def _unit_cash(question: Question) -> int | None:
    if question.side is Side.SELL:
        return None
    if question.order_type is OrderType.LIMIT:
        return question.limit_price
    return question.instrument.upper_limit or None


def _refusal(question: Question) -> Reason:
    """Why no order of this kind is taken now, whatever its quantity."""
    instrument, price = question.instrument, question.limit_price
    if question.order_type not in (OrderType.LIMIT, OrderType.MARKET):
        return Reason.ORDER_TYPE_NOT_ALLOWED
    if instrument.phase is Phase.HALTED:
        return Reason.HALTED
    if instrument.phase is Phase.CLOSED:
        return Reason.MARKET_CLOSED
    if question.order_type is OrderType.LIMIT:
        if instrument.tick_bands and not is_on_grid(tuple(instrument.tick_bands), price):
            return Reason.PRICE_TICK
        if instrument.upper_limit and not instrument.lower_limit <= price <= instrument.upper_limit:
            return Reason.PRICE_LIMIT
    elif not question.opposite:
        return Reason.NO_OPPOSITE_QUOTE
    return Reason.TOO_MANY_OPEN_ORDERS if question.too_many_open else Reason.NONE
