"""정정: corrects open orders (KRX BR 13, ER 17). A correction is refused without harm, or done whole."""

from __future__ import annotations

from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CORRECT_STOP_PRICE,
    CORRECT_TYPE,
    CorrectOrder,
)
from onseju.contract.events import OrderCorrected
from onseju.contract.money import MAX_AMOUNT
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType
from onseju.matching.instruments import Instrument
from onseju.matching.ledger import Ledger
from onseju.matching.matcher import Matcher
from onseju.matching.order_checks import ORDER_TYPES, Freed, OrderChecks, Terms, reserve_price
from onseju.matching.order_desk import take_out, why_not_theirs
from onseju.matching.orders import BEST, SLEEPERS, WITH_LIMIT, Order, reservation
from onseju.matching.outbox import Outbox
from onseju.matching.state import State
from onseju.matching.stops import StopDesk

CORRECT_FLAGS = CORRECT_LIMIT_PRICE | CORRECT_LEAVES_QTY | CORRECT_TYPE | CORRECT_STOP_PRICE | CORRECT_PART

KEEP_THEIR_TYPE = frozenset({OrderType.MIDPOINT, *SLEEPERS})
"""Types that an order can neither leave nor take by a correction."""


class CorrectionDesk:
    """Checks corrections, and has the matcher carry out what stands the checks."""

    __slots__ = ("_checks", "_ledger", "_matcher", "_outbox", "_state", "_stops")

    def __init__(
        self, state: State, outbox: Outbox, ledger: Ledger, matcher: Matcher, checks: OrderChecks, stops: StopDesk
    ) -> None:
        self._state = state
        self._outbox = outbox
        self._ledger = ledger
        self._matcher = matcher
        self._checks = checks
        self._stops = stops

    def correct_order(self, command: CorrectOrder) -> None:
        """Correct an open order.

        A decrease of the open quantity alone keeps the order's place. Another price, stop or type, or an increase, sends
        it to the back of the queue of its new price, and it may trade at once. An open quantity of 0 cancels it. With a
        part quantity, only so many shares are corrected: they leave the order and become a new one that names it.
        """
        order = self._state.orders.get(command.order_id)
        reason = why_not_theirs(self._state, order, command)
        if order is None or reason:
            self._outbox.reject_request(command, reason)
            return
        instrument = self._state.instruments[order.instrument - 1]
        terms = self._corrected_terms(command, order, instrument)
        reason = terms if isinstance(terms, Reason) else self._why_not(command, order, instrument, terms)
        if isinstance(terms, Reason) or reason:
            self._outbox.reject_request(command, reason, instrument)
        elif command.flags & CORRECT_PART:
            self._split(order, instrument, terms)
        elif terms.qty == 0:
            take_out(self._matcher, self._outbox, order, instrument, order.leaves_qty, Reason.CORRECTED_TO_ZERO)
        else:
            self._change(order, instrument, terms)
        self._stops.wake(instrument)

    # What is asked

    def _corrected_terms(self, command: CorrectOrder, order: Order, instrument: Instrument) -> Terms | Reason:
        """What the order, or its part, shall be; or why that cannot be said."""
        flags = command.flags
        if flags & ~CORRECT_FLAGS or (flags & CORRECT_PART and flags & CORRECT_LEAVES_QTY):
            return Reason.INVALID_COMMAND
        quote = self._corrected_quote(command, order, instrument)
        if isinstance(quote, Reason):
            return quote
        if _quote(quote) == _order_quote(order) and not flags & CORRECT_LEAVES_QTY:
            return Reason.NOTHING_TO_CORRECT
        if flags & CORRECT_LEAVES_QTY:
            return quote._replace(qty=command.leaves_qty)
        if flags & CORRECT_PART:
            return (
                quote._replace(qty=command.part_qty) if 0 < command.part_qty <= order.leaves_qty else Reason.INVALID_QTY
            )
        return quote

    def _corrected_quote(self, command: CorrectOrder, order: Order, instrument: Instrument) -> Terms | Reason:
        """Type and prices as corrected, for the whole open quantity.

        A price alone keeps the type; a best order, which has been a limit order since its receipt, is one in name too
        then. A type alone keeps the price where both types have one; a best order's is taken from the book anew.
        """
        flags = command.flags
        if flags & CORRECT_STOP_PRICE and not order.sleeps:
            return Reason.INVALID_STOP_PRICE
        order_type, is_fixed = order.order_type, order.order_type in BEST
        if flags & CORRECT_TYPE:
            if command.order_type not in ORDER_TYPES:
                return Reason.INVALID_ORDER_TYPE
            order_type, is_fixed = OrderType(command.order_type), False
            if order_type is not order.order_type and (
                order_type in KEEP_THEIR_TYPE or order.order_type in KEEP_THEIR_TYPE
            ):
                return Reason.ORDER_TYPE_NOT_ALLOWED
        limit_price = order.limit_price if order_type in WITH_LIMIT or is_fixed else 0
        if flags & CORRECT_LIMIT_PRICE:
            if order_type not in WITH_LIMIT and not is_fixed:
                return Reason.INVALID_PRICE
            if is_fixed and command.limit_price != order.limit_price:
                order_type, is_fixed = OrderType.LIMIT, False
            limit_price = command.limit_price
        stop_price = 0
        if order.sleeps:
            stop_price = command.stop_price if flags & CORRECT_STOP_PRICE else order.stop_price
        terms = Terms(
            order.side, order_type, limit_price, stop_price, order.leaves_qty, order.time_in_force, is_fixed=is_fixed
        )
        return self._checks.priced(terms, instrument, without=order)

    # Whether it may be

    def _why_not(self, command: CorrectOrder, order: Order, instrument: Instrument, terms: Terms) -> Reason:
        is_part = bool(command.flags & CORRECT_PART)
        if not is_part and 0 <= terms.qty <= order.leaves_qty and _quote(terms) == _order_quote(order):
            odd = self._checks.why_not_lots(terms.qty, instrument, order.leaves_qty)
            return odd or self._checks.why_not_phase(terms, instrument)
        if command.flags & CORRECT_LEAVES_QTY and terms.qty == 0:
            return self._checks.why_not_phase(terms, instrument)
        if terms.qty > order.leaves_qty and order.qty + terms.qty - order.leaves_qty > MAX_AMOUNT:
            return Reason.AMOUNT_TOO_LARGE
        # The order's present reservation is free for the corrected one: all of it, or what the part takes along.
        stays = order.leaves_qty - terms.qty if is_part else 0
        freed_cash = 0
        if order.is_buy:
            freed_cash = order.reserved_cash - reservation(order.reserve_price, stays, order.commission_ppm)
        return self._checks.why_not(
            terms,
            instrument,
            self._state.accounts[order.account],
            order.commission_ppm,
            adds_order=is_part and terms.qty < order.leaves_qty,
            open_qty=order.leaves_qty,
            already_filled=0 if is_part else order.filled_amount,
            freed=Freed(freed_cash, order.leaves_qty - stays),
        )

    # How it is done

    def _change(self, order: Order, instrument: Instrument, terms: Terms) -> None:
        """Correct the whole order."""
        if _quote(terms) == _order_quote(order) and terms.qty <= order.leaves_qty:
            if terms.qty < order.leaves_qty:
                self._matcher.reduce(order, instrument, order.leaves_qty - terms.qty)
            self._outbox.write_order(OrderCorrected, order, order.open_status)
            return
        self._matcher.withdraw(order, instrument)
        if terms.qty < order.leaves_qty:
            order.canceled_qty += order.leaves_qty - terms.qty
        else:
            order.qty += terms.qty - order.leaves_qty
        order.order_type = terms.order_type
        order.limit_price = terms.limit_price
        if order.sleeps:
            order.stop_price = terms.stop_price
        order.reserve_price = reserve_price(terms, instrument)
        order.priority = self._state.next_priority()
        self._ledger.resize(order, terms.qty)
        self._outbox.write_order(OrderCorrected, order, order.open_status)
        self._matcher.carry_out(order, instrument)

    def _split(self, order: Order, instrument: Instrument, terms: Terms) -> None:
        """Correct a part: these shares leave the order and enter as a new one, behind everybody at its price."""
        take_out(self._matcher, self._outbox, order, instrument, terms.qty, Reason.NONE)
        part = Order(
            order_id=self._state.next_order_id(),
            parent_order_id=order.order_id,
            account=order.account,
            instrument=order.instrument,
            side=terms.side,
            order_type=terms.order_type,
            time_in_force=order.time_in_force,
            qty=terms.qty,
            limit_price=terms.limit_price,
            stop_price=terms.stop_price,
            priority=self._state.next_priority(),
            client_id=bytes(16),
            leaves_qty=0,
            reserve_price=reserve_price(terms, instrument),
            commission_ppm=order.commission_ppm,
            transaction_tax_ppm=order.transaction_tax_ppm,
            rural_tax_ppm=order.rural_tax_ppm,
        )
        self._matcher.enter(part, terms.qty)
        self._matcher.carry_out(part, instrument)


def _quote(terms: Terms) -> tuple[OrderType, int, int]:
    return terms.order_type, terms.limit_price, terms.stop_price


def _order_quote(order: Order) -> tuple[OrderType, int, int]:
    """Type and prices of an order as they stand. Of a stop that woke its stop price is history."""
    return order.order_type, order.limit_price, order.stop_price if order.sleeps else 0
