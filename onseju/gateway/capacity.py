"""주문가능: how much an account can order now, and if nothing, why. Pure functions; the exchange alone decides in the end."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from onseju.contract.money import MAX_AMOUNT, MAX_INPUT
from onseju.contract.reasons import Reason
from onseju.contract.words import MarketRemainder, OrderType, Phase, Rule, Side, TimeInForce
from onseju.market.directory import Directory, Instrument
from onseju.rules.ticks import ceil_to_grid, floor_to_grid, is_on_grid, next_down, next_up

PPM = 1_000_000
"""Rates are millionths."""

WITH_LIMIT = frozenset({OrderType.LIMIT, OrderType.CONDITIONAL_LIMIT, OrderType.STOP_LIMIT})
BEST = frozenset({OrderType.BEST_OPPOSITE, OrderType.BEST_SAME})
"""The types that get their limit price from the book on receipt."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and what the answer depends on. Money in the venue's smallest unit, quantities in shares."""

    instrument: Instrument
    directory: Directory
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: int = 0
    """0 for an order without one."""
    stop_price: int = 0
    """0 where it has none, or none was told."""
    available_cash: int
    available_qty: int
    own: list[tuple[int, int]]
    """The book's own side, best first: price and quantity."""
    opposite: list[tuple[int, int]]
    """The other side."""
    open_orders: int = 0
    """How many orders the account has open."""

    def rule(self, rule: Rule) -> int:
        """A rule's value for the instrument."""
        return self.directory.rule(rule, self.instrument.id)


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
    commission_ppm = question.rule(Rule.COMMISSION_PPM)
    if question.side is Side.SELL:
        qty, short = question.available_qty, Reason.INSUFFICIENT_SHARES
    elif unit is not None:
        qty = affordable(question.available_cash, unit, commission_ppm)
        short = Reason.INSUFFICIENT_CASH
    else:
        qty = affordable_on_the_way(question.available_cash, _way(question), commission_ppm)
        short = Reason.INSUFFICIENT_CASH
    bounds = [qty, MAX_INPUT, MAX_AMOUNT // max(unit or question.limit_price, 1)]
    most = question.rule(Rule.MAX_ORDER_QTY), question.directory.max_qty_by_value(question.instrument)
    qty = max(min([*bounds, *filter(None, most)]), 0)
    qty -= qty % question.directory.lot_size(question.instrument)
    return Capacity(qty, unit, short if qty == 0 else Reason.NONE)


def reservation(question: Question, unit: int, qty: int) -> int:
    """What a buy of `qty` shares reserves, commission included (KRX rules 8.1)."""
    return unit * qty + unit * qty * question.rule(Rule.COMMISSION_PPM) // PPM


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
    """What each share of a buy reserves: the limit that it names, else the upper limit; where there is none, a best order
    the price that it gets, and the others nothing (KRX rules 8.1)."""
    if question.side is Side.SELL:
        return None
    if question.order_type in WITH_LIMIT:
        return question.limit_price
    best = price_on_receipt(question) if question.order_type in BEST else 0
    return question.instrument.upper_limit or best or None


def _way(question: Question) -> list[tuple[int, int]]:
    """At which prices a buy without a reservation would pay: the book's as far as it goes, and where the rest of the order
    stays, the price at which that would trade as far as can be told now."""
    instrument = question.instrument
    if question.order_type is OrderType.STOP:
        rest = question.stop_price or instrument.previous_price
    elif question.order_type is OrderType.MIDPOINT:
        rest = _midpoint(question)
    elif _ends_at_once(question):
        return question.opposite
    else:
        rest = instrument.indicative_price or instrument.previous_price
    met = question.opposite if question.order_type is OrderType.MARKET and instrument.phase.is_continuous else []
    return [*met, (rest, MAX_INPUT)] if rest else met


def _refusal(question: Question) -> Reason:
    """Why no order of this kind is taken now, whatever its quantity."""
    return _phase_refusal(question) or _price_refusal(question) or _quote_refusal(question) or _count_refusal(question)


def _phase_refusal(question: Question) -> Reason:
    """What may be entered when (KRX rules 3.7)."""
    instrument, directory = question.instrument, question.directory
    rule = Rule.types_in(instrument.phase)
    if rule is None:
        return Reason.HALTED if instrument.phase is Phase.HALTED else Reason.MARKET_CLOSED
    if instrument.phase.is_at_close and not directory.off_hours_close(instrument):
        takes = directory.rule(rule, instrument.id) >> question.order_type & 1
        return Reason.NO_CLOSE if takes else Reason.ORDER_TYPE_NOT_ALLOWED
    allowed = directory.types_allowed(instrument)
    if question.time_in_force is not TimeInForce.DAY:
        allowed = directory.immediate_types_allowed(instrument)
    return Reason.NONE if allowed >> question.order_type & 1 else Reason.ORDER_TYPE_NOT_ALLOWED


def _price_refusal(question: Question) -> Reason:
    """Grid and limits of the prices that are told (KRX rules 1.1, 1.3)."""
    instrument = question.instrument
    fixed = question.directory.off_hours_close(instrument)
    if fixed and question.limit_price != fixed:
        return Reason.NOT_AT_CLOSE
    for price in filter(None, (question.limit_price, question.stop_price)):
        if not is_on_grid(instrument.bands, price):
            return Reason.PRICE_TICK
        if instrument.upper_limit and not instrument.lower_limit <= price <= instrument.upper_limit:
            return Reason.PRICE_LIMIT
    at_limit = instrument.upper_limit if question.side is Side.BUY else instrument.lower_limit
    if question.order_type is OrderType.CONDITIONAL_LIMIT and at_limit and question.limit_price == at_limit:
        return Reason.ORDER_TYPE_NOT_ALLOWED
    return Reason.NONE


def _quote_refusal(question: Question) -> Reason:
    """Quotes that the type needs."""
    lacks = (
        (question.order_type is OrderType.MIDPOINT and not _midpoint(question))
        or (question.order_type in BEST and not price_on_receipt(question))
        or (_ends_at_once(question) and not question.opposite)
    )
    return Reason.NO_OPPOSITE_QUOTE if lacks else Reason.NONE


def _count_refusal(question: Question) -> Reason:
    """The account's number of open orders; one that ends at once adds none."""
    most = question.rule(Rule.MAX_OPEN_ORDERS)
    is_one_more = question.time_in_force is TimeInForce.DAY
    return Reason.TOO_MANY_OPEN_ORDERS if most and is_one_more and question.open_orders >= most else Reason.NONE


def _ends_at_once(question: Question) -> bool:
    """Whether a market order ends with what it finds now."""
    if question.order_type is not OrderType.MARKET or not question.instrument.phase.is_continuous:
        return False
    is_canceled = question.rule(Rule.MARKET_REMAINDER) == MarketRemainder.CANCEL
    return is_canceled or question.time_in_force is not TimeInForce.DAY


def _midpoint(question: Question) -> int:
    """The price of midpoint orders now; 0 while a side is empty."""
    return (question.own[0][0] + question.opposite[0][0]) // 2 if question.own and question.opposite else 0


def price_on_receipt(question: Question) -> int:
    """The limit price that a 최유리 or 최우선 order would get (KRX ER 3, 4); 0 when there is none.

    최유리 (best opposite): the other side's best price; where it is empty, one tick better than the own side's best; in an
    empty book the previous price, brought onto the grid towards trading. 최우선 (best same): the own side's best price,
    else the previous price, brought onto the grid away from trading.
    """
    instrument, is_buy = question.instrument, question.side is Side.BUY
    own = question.own[0][0] if question.own else 0
    if question.order_type is OrderType.BEST_SAME:
        return own or _previous_on_grid(instrument, up=not is_buy)
    if question.opposite:
        return question.opposite[0][0]
    if not own:
        return _previous_on_grid(instrument, up=is_buy)
    better = next_up(instrument.bands, own) if is_buy else next_down(instrument.bands, own) or own
    return _clamp(instrument, better)


def _previous_on_grid(instrument: Instrument, *, up: bool) -> int:
    price, bands = instrument.previous_price, instrument.bands
    if not price:
        return 0
    return _clamp(instrument, (0 if up else floor_to_grid(bands, price)) or ceil_to_grid(bands, price))


def _clamp(instrument: Instrument, price: int) -> int:
    if not instrument.upper_limit:
        return price
    return max(instrument.lower_limit, min(price, instrument.upper_limit))
