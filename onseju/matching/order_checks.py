"""Why an order is refused: its own form, what the phase takes, the market's rules, the account's cash and shares."""

from __future__ import annotations

from typing import NamedTuple

from onseju.contract.money import MAX_AMOUNT
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Phase, Rule, Side, TimeInForce
from onseju.matching.accounts import Account
from onseju.matching.instruments import Instrument
from onseju.matching.orders import BEST, SLEEPERS, WITH_LIMIT, Order, reservation
from onseju.matching.quotes import Quotes
from onseju.matching.state import State

SIDES = frozenset(Side)
ORDER_TYPES = frozenset(OrderType)
TIMES_IN_FORCE = frozenset(TimeInForce)
AT_MARKET = frozenset({OrderType.MARKET, OrderType.STOP})
"""Types that trade without a limit."""


class Terms(NamedTuple):
    """What an order asks: enough to check it against the market's rules and the account.

    `limit_price` is 0 for market, midpoint and `plain` stop orders; a 최유리 or 최우선 order has one once the book gave it
    one. `is_fixed` says that it keeps the price it has.
    """

    side: Side
    order_type: OrderType
    limit_price: int
    stop_price: int
    qty: int
    time_in_force: TimeInForce
    is_fixed: bool = False


class Freed(NamedTuple):
    """What the order that is corrected has reserved for the shares in question."""

    cash: int = 0
    qty: int = 0


class OrderChecks:
    """Asks in a fixed order; each answer is the first reason found, `Reason.NONE` where there is none."""

    __slots__ = ("_quotes", "_state")

    def __init__(self, state: State, quotes: Quotes) -> None:
        self._state = state
        self._quotes = quotes

    def why_not(
        self,
        terms: Terms,
        instrument: Instrument,
        account: Account,
        commission_ppm: int,
        *,
        adds_order: bool,
        open_qty: int = 0,
        already_filled: int = 0,
        freed: Freed | None = None,
    ) -> Reason:
        """Why an order may not enter, or be corrected to these terms. `open_qty` is what is open of it now,
        `already_filled` the amount that it has traded before; `adds_order` says whether the account would have one open
        order more."""
        return (
            _why_not_form(terms)
            or self.why_not_lots(terms.qty, instrument, open_qty)
            or self.why_not_phase(terms, instrument)
            or self._why_not_market(terms, instrument, already_filled)
            or (self.why_not_one_more(account) if adds_order else Reason.NONE)
            or _why_not_account(terms, instrument, account, commission_ppm, freed or Freed())
        )

    def priced(self, terms: Terms, instrument: Instrument, without: Order | None = None) -> Terms:
        """The terms with the limit price that a 최유리 or 최우선 order gets now. `without` is its own old quote."""
        if terms.order_type not in BEST or terms.is_fixed:
            return terms
        price = self._quotes.price_on_receipt(instrument, terms.side, terms.order_type, without)
        return terms._replace(limit_price=price)

    def why_not_lots(self, qty: int, instrument: Instrument, open_qty: int = 0) -> Reason:
        """Orders, and the parts that are canceled or corrected, are whole lots (KRX rules 2.4). All that is open of an
        order may be taken together, though a smaller lot of earlier left it odd."""
        lot = self._state.rules.lot_size(instrument)
        return Reason.INVALID_QTY if qty % lot and qty != open_qty else Reason.NONE

    def why_not_phase(self, terms: Terms, instrument: Instrument) -> Reason:
        """What may be entered when (KRX rules 3.7). Cancels are always taken.

        A best order that keeps its price is a limit order by now.
        """
        rule = Rule.types_in(instrument.phase)
        if rule is None:
            return Reason.HALTED if instrument.phase is Phase.HALTED else Reason.MARKET_CLOSED
        order_type = OrderType.LIMIT if terms.is_fixed else terms.order_type
        if not self._state.rules.value(rule, instrument) >> order_type & 1:
            return Reason.ORDER_TYPE_NOT_ALLOWED
        if instrument.is_new and not instrument.close_price and order_type in AT_MARKET:
            return Reason.ORDER_TYPE_NOT_ALLOWED  # there is no price yet that it could go by (KRX rules 1.3)
        if instrument.phase.is_at_close and not instrument.off_hours_close():
            return Reason.NO_CLOSE
        if terms.time_in_force is not TimeInForce.DAY:
            immediate = self._state.rules.value(Rule.IMMEDIATE_TYPES, instrument)
            if instrument.phase is not Phase.CONTINUOUS or not immediate >> order_type & 1:
                return Reason.ORDER_TYPE_NOT_ALLOWED
        return Reason.NONE

    def why_not_one_more(self, account: Account) -> Reason:
        """The account's number of open orders."""
        most = self._state.rules.value(Rule.MAX_OPEN_ORDERS)
        return Reason.TOO_MANY_OPEN_ORDERS if most and len(account.orders) >= most else Reason.NONE

    def _why_not_market(self, terms: Terms, instrument: Instrument, already_filled: int) -> Reason:
        """The market's rules: grid, limits, sizes, and quotes where the type needs them."""
        if instrument.phase.is_at_close and terms.limit_price != instrument.off_hours_close():
            return Reason.NOT_AT_CLOSE
        prices = [terms.limit_price] if terms.order_type in WITH_LIMIT else []
        if terms.order_type in SLEEPERS:
            prices.append(terms.stop_price)
        for price in prices:
            if not instrument.is_on_grid(price):
                return Reason.PRICE_TICK
            if not instrument.is_within_limits(price):
                return Reason.PRICE_LIMIT
        if terms.order_type is OrderType.CONDITIONAL_LIMIT and instrument.is_at_limit(terms.side, terms.limit_price):
            return Reason.ORDER_TYPE_NOT_ALLOWED
        if terms.order_type is OrderType.MIDPOINT and not self._quotes.midpoint(instrument):
            return Reason.NO_OPPOSITE_QUOTE
        if terms.order_type in BEST and not terms.limit_price:
            return Reason.NO_OPPOSITE_QUOTE
        most = self._state.rules.value(Rule.MAX_ORDER_QTY, instrument)
        if most and terms.qty > most:
            return Reason.QTY_LIMIT
        if terms.qty > MAX_AMOUNT or already_filled + terms.limit_price * terms.qty > MAX_AMOUNT:
            return Reason.AMOUNT_TOO_LARGE
        if self._state.rules.value(Rule.MAX_QTY_BY_VALUE, instrument):
            most = instrument.max_qty_by_value()
            return Reason.QTY_LIMIT if most and terms.qty > most else Reason.NONE
        return Reason.NONE


def _why_not_form(terms: Terms) -> Reason:
    """The order's own form: quantity, price, stop price."""
    if terms.qty <= 0:
        return Reason.INVALID_QTY
    is_priced = terms.order_type in WITH_LIMIT or terms.order_type in BEST
    if (terms.limit_price <= 0 and terms.order_type in WITH_LIMIT) or (terms.limit_price and not is_priced):
        return Reason.INVALID_PRICE
    if (terms.stop_price <= 0) if terms.order_type in SLEEPERS else (terms.stop_price != 0):
        return Reason.INVALID_STOP_PRICE
    return Reason.NONE


def _why_not_account(
    terms: Terms, instrument: Instrument, account: Account, commission_ppm: int, freed: Freed
) -> Reason:
    """The account's cash or shares (KRX rules 8.1, 8.2)."""
    if terms.side is Side.SELL:
        has = account.available_shares(instrument.number) + freed.qty
        return Reason.INSUFFICIENT_SHARES if terms.qty > has else Reason.NONE
    free = account.available_cash + freed.cash
    unit = reserve_price(terms, instrument)
    if unit == 0:
        return Reason.INSUFFICIENT_CASH if free <= 0 else Reason.NONE
    needed = reservation(unit, terms.qty, commission_ppm)
    if needed > MAX_AMOUNT:
        return Reason.AMOUNT_TOO_LARGE
    return Reason.INSUFFICIENT_CASH if needed > free else Reason.NONE


def reserve_price(terms: Terms, instrument: Instrument) -> int:
    """The cash that each open share of a buy reserves (KRX rules 8.1); 0 for a sell.

    An order that names a limit reserves it. One that does not reserves the upper limit; where there is none, a best order
    reserves the price that it got, and the others nothing (0): they pay as they go.
    """
    if terms.side is Side.SELL:
        return 0
    if terms.order_type in WITH_LIMIT:
        return terms.limit_price
    return instrument.limits.upper or terms.limit_price
