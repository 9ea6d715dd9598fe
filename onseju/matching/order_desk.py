"""Answers the commands about orders: new, cancel, correct, cancel all. Every refusal is an event and changes nothing."""

from __future__ import annotations

from typing import NamedTuple

from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CORRECT_STOP_PRICE,
    CORRECT_TYPE,
    CancelAll,
    CancelOrder,
    CorrectOrder,
    NewOrder,
)
from onseju.contract.events import AllCanceled, OrderCanceled, OrderCorrected
from onseju.contract.money import MAX_AMOUNT
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Phase, Rule, Side, TimeInForce
from onseju.matching.accounts import Account
from onseju.matching.instruments import Instrument
from onseju.matching.ledger import Ledger
from onseju.matching.matcher import Matcher
from onseju.matching.orders import Order, reservation
from onseju.matching.outbox import Outbox
from onseju.matching.rulebook import RATES
from onseju.matching.state import State

SIDES = frozenset(Side)
ORDER_TYPES = frozenset(OrderType)
TIMES_IN_FORCE = frozenset(TimeInForce)
ALLOWED_TYPES = frozenset({OrderType.LIMIT, OrderType.MARKET})
"""What continuous trading takes by this release's rules."""

CORRECT_FLAGS = CORRECT_LIMIT_PRICE | CORRECT_LEAVES_QTY | CORRECT_TYPE | CORRECT_STOP_PRICE | CORRECT_PART


class Terms(NamedTuple):
    """What an order asks: enough to check it against the market's rules and the account."""

    side: Side
    order_type: OrderType
    limit_price: int
    qty: int


class OrderDesk:
    """Checks requests about orders, and has the matcher carry out what stands the checks."""

    __slots__ = ("_ledger", "_matcher", "_outbox", "_state")

    def __init__(self, state: State, outbox: Outbox, ledger: Ledger, matcher: Matcher) -> None:
        self._state = state
        self._outbox = outbox
        self._ledger = ledger
        self._matcher = matcher

    def new_order(self, command: NewOrder) -> None:
        """Enter an order, or refuse it. Either way it gets an id."""
        order_id = self._state.next_order_id()
        instrument = self._state.instrument(command.instrument)
        account = self._state.accounts.get(command.account)
        reason = self._why_not_new(command, instrument, account)
        if reason or instrument is None or account is None:
            self._outbox.reject_order(command, order_id, instrument, reason)
            return
        terms = Terms(Side(command.side), OrderType(command.order_type), command.limit_price, command.qty)
        commission, transaction_tax, rural_tax = (self._state.rules.value(rate, instrument) for rate in RATES)
        order = Order(
            order_id=order_id,
            account=account.number,
            instrument=instrument.number,
            side=terms.side,
            order_type=terms.order_type,
            time_in_force=TimeInForce(command.time_in_force),
            qty=command.qty,
            limit_price=command.limit_price,
            priority=self._state.next_priority(),
            client_id=command.client_id,
            leaves_qty=0,
            reserve_price=reserve_price(terms, instrument),
            commission_ppm=commission,
            transaction_tax_ppm=transaction_tax,
            rural_tax_ppm=rural_tax,
        )
        self._matcher.enter(order, command.qty)
        self._matcher.carry_out(order, instrument)

    def cancel_order(self, command: CancelOrder) -> None:
        """Cancel an order's open quantity or a part of it; a part leaves the rest its place (KRX BR 13)."""
        order = self._state.orders.get(command.order_id)
        reason = self._why_not_theirs(order, command)
        if order is None or reason:
            self._outbox.reject_request(command, reason)
            return
        instrument = self._state.instruments[order.instrument - 1]
        if not 0 <= command.qty <= order.leaves_qty:
            self._outbox.reject_request(command, Reason.INVALID_QTY, instrument)
            return
        self._take_out(order, instrument, command.qty or order.leaves_qty, Reason.NONE)

    def cancel_all(self, command: CancelAll) -> None:
        """Cancel an account's open orders, oldest first; then say how many."""
        account = self._state.accounts.get(command.account)
        instrument = self._state.instrument(command.instrument)
        if account is None:
            self._outbox.reject_request(command, Reason.UNKNOWN_ACCOUNT)
            return
        if instrument is None and command.instrument != 0:
            self._outbox.reject_request(command, Reason.UNKNOWN_SYMBOL)
            return
        if command.side not in SIDES and command.side != 0:
            self._outbox.reject_request(command, Reason.INVALID_SIDE, instrument)
            return
        meant = [
            order
            for order in account.orders.values()
            if command.instrument in (0, order.instrument) and command.side in (0, order.side)
        ]
        for order in meant:
            self._matcher.withdraw(order, self._state.instruments[order.instrument - 1])
            self._matcher.end(order)
        self._outbox.write(
            AllCanceled,
            account=account.number,
            instrument=command.instrument,
            order_count=len(meant),
            side=command.side,
        )

    def correct_order(self, command: CorrectOrder) -> None:
        """Correct an open order (정정, KRX BR 13): refused without harm, or done whole.

        A decrease of the open quantity alone keeps the order's place. Another price or type, or an increase, sends it to
        the back of the queue of its new price, and it may trade at once. An open quantity of 0 cancels it. With a part
        quantity, only so many shares are corrected: they leave the order and become a new one that names it.
        """
        order = self._state.orders.get(command.order_id)
        reason = self._why_not_theirs(order, command)
        if order is None or reason:
            self._outbox.reject_request(command, reason)
            return
        instrument = self._state.instruments[order.instrument - 1]
        terms = self._corrected_terms(command, order)
        reason = terms if isinstance(terms, Reason) else self._why_not_corrected(command, order, instrument, terms)
        if isinstance(terms, Reason) or reason:
            self._outbox.reject_request(command, reason, instrument)
        elif command.flags & CORRECT_PART:
            self._split(order, instrument, terms)
        elif terms.qty == 0:
            self._take_out(order, instrument, order.leaves_qty, Reason.CORRECTED_TO_ZERO)
        else:
            self._change(order, instrument, terms)

    # How a correction is done

    def _change(self, order: Order, instrument: Instrument, terms: Terms) -> None:
        """Correct the whole order."""
        same_quote = (terms.order_type, terms.limit_price) == (order.order_type, order.limit_price)
        if same_quote and terms.qty <= order.leaves_qty:
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
        order.reserve_price = reserve_price(terms, instrument)
        order.priority = self._state.next_priority()
        self._ledger.resize(order, terms.qty)
        self._outbox.write_order(OrderCorrected, order, order.open_status)
        self._matcher.carry_out(order, instrument)

    def _split(self, order: Order, instrument: Instrument, terms: Terms) -> None:
        """Correct a part: these shares leave the order and enter as a new one, behind everybody at its price."""
        self._take_out(order, instrument, terms.qty, Reason.NONE)
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

    def _take_out(self, order: Order, instrument: Instrument, qty: int, reason: Reason) -> None:
        """Take `qty` open shares out of a resting order."""
        if qty == order.leaves_qty:
            self._matcher.withdraw(order, instrument)
            self._matcher.end(order, reason)
        else:
            self._matcher.reduce(order, instrument, qty)
            self._outbox.write_order(OrderCanceled, order, order.open_status, reason)

    # Why something is refused; `Reason.NONE` where it is not

    def _why_not_new(self, command: NewOrder, instrument: Instrument | None, account: Account | None) -> Reason:
        if not self._state.is_open:
            return Reason.VENUE_NOT_OPEN
        if account is None:
            return Reason.UNKNOWN_ACCOUNT
        if instrument is None:
            return Reason.UNKNOWN_SYMBOL
        if command.side not in SIDES:
            return Reason.INVALID_SIDE
        if command.order_type not in ORDER_TYPES:
            return Reason.INVALID_ORDER_TYPE
        if command.time_in_force not in TIMES_IN_FORCE:
            return Reason.INVALID_TIME_IN_FORCE
        terms = Terms(Side(command.side), OrderType(command.order_type), command.limit_price, command.qty)
        return (
            self._why_not_form(terms, command.stop_price)
            or why_not_phase(instrument)
            or self._why_not_market(terms, instrument, already_filled=0)
            or (self._why_not_one_more(account) if command.time_in_force == TimeInForce.DAY else Reason.NONE)
            or self._why_not_account(
                terms, instrument, account, self._state.rules.value(Rule.COMMISSION_PPM, instrument)
            )
        )

    def _why_not_theirs(self, order: Order | None, command: CancelOrder | CorrectOrder) -> Reason:
        """Somebody else's order is as unknown as one that never was. Of done orders the engine keeps nothing, so it can
        only say that the id was given once."""
        if not self._state.is_open:
            return Reason.VENUE_NOT_OPEN
        if order is None:
            given = 0 < command.order_id <= self._state.last_order_id
            return Reason.ORDER_DONE if given else Reason.ORDER_NOT_FOUND
        return Reason.NONE if order.account == command.account else Reason.ORDER_NOT_FOUND

    def _why_not_form(self, terms: Terms, stop_price: int) -> Reason:
        """The order's own form: type, quantity, price."""
        if terms.order_type not in ALLOWED_TYPES:
            return Reason.ORDER_TYPE_NOT_ALLOWED
        if terms.qty <= 0:
            return Reason.INVALID_QTY
        if (terms.limit_price <= 0) if terms.order_type is OrderType.LIMIT else (terms.limit_price != 0):
            return Reason.INVALID_PRICE
        if stop_price != 0:
            return Reason.INVALID_STOP_PRICE
        return Reason.NONE

    def _why_not_market(self, terms: Terms, instrument: Instrument, already_filled: int) -> Reason:
        """The market's rules: grid, limits, sizes. `already_filled` is the amount that the order has traded before."""
        if terms.order_type is OrderType.LIMIT:
            if not instrument.is_on_grid(terms.limit_price):
                return Reason.PRICE_TICK
            if not instrument.is_within_limits(terms.limit_price):
                return Reason.PRICE_LIMIT
        max_qty = self._state.rules.value(Rule.MAX_ORDER_QTY, instrument)
        if max_qty and terms.qty > max_qty:
            return Reason.QTY_LIMIT
        if terms.qty > MAX_AMOUNT or already_filled + terms.limit_price * terms.qty > MAX_AMOUNT:
            return Reason.AMOUNT_TOO_LARGE
        return Reason.NONE

    def _why_not_one_more(self, account: Account) -> Reason:
        most = self._state.rules.value(Rule.MAX_OPEN_ORDERS)
        return Reason.TOO_MANY_OPEN_ORDERS if most and len(account.orders) >= most else Reason.NONE

    def _why_not_account(
        self,
        terms: Terms,
        instrument: Instrument,
        account: Account,
        commission_ppm: int,
        freed_cash: int = 0,
        freed_qty: int = 0,
    ) -> Reason:
        """The account's cash or shares; `freed_…` is what the order that is corrected has reserved for these shares."""
        if terms.side is Side.SELL:
            has = account.available_shares(instrument.number) + freed_qty
            return Reason.INSUFFICIENT_SHARES if terms.qty > has else Reason.NONE
        free = account.available_cash + freed_cash
        unit = reserve_price(terms, instrument)
        if unit == 0:
            return Reason.INSUFFICIENT_CASH if free <= 0 else Reason.NONE
        needed = reservation(unit, terms.qty, commission_ppm)
        if needed > MAX_AMOUNT:
            return Reason.AMOUNT_TOO_LARGE
        return Reason.INSUFFICIENT_CASH if needed > free else Reason.NONE

    def _corrected_terms(self, command: CorrectOrder, order: Order) -> Terms | Reason:
        """What the order, or its part, shall be; or why that cannot be said."""
        flags = command.flags
        if flags & ~CORRECT_FLAGS or (flags & CORRECT_PART and flags & CORRECT_LEAVES_QTY):
            return Reason.INVALID_COMMAND
        if flags & CORRECT_STOP_PRICE:
            return Reason.INVALID_STOP_PRICE
        order_type = order.order_type
        if flags & CORRECT_TYPE:
            if command.order_type not in ORDER_TYPES:
                return Reason.INVALID_ORDER_TYPE
            order_type = OrderType(command.order_type)
        limit_price = order.limit_price if order_type is OrderType.LIMIT else 0
        if flags & CORRECT_LIMIT_PRICE:
            limit_price = command.limit_price
        same_quote = (order_type, limit_price) == (order.order_type, order.limit_price)
        if same_quote and not flags & CORRECT_LEAVES_QTY:
            return Reason.NOTHING_TO_CORRECT
        qty = order.leaves_qty
        if flags & CORRECT_LEAVES_QTY:
            qty = command.leaves_qty
        elif flags & CORRECT_PART:
            qty = command.part_qty
            if not 0 < qty <= order.leaves_qty:
                return Reason.INVALID_QTY
        return Terms(order.side, order_type, limit_price, qty)

    def _why_not_corrected(self, command: CorrectOrder, order: Order, instrument: Instrument, terms: Terms) -> Reason:
        reason = why_not_phase(instrument)
        if reason:
            return reason
        if command.flags & CORRECT_LEAVES_QTY and terms.qty == 0:
            return Reason.NONE
        is_part = bool(command.flags & CORRECT_PART)
        reason = self._why_not_form(terms, 0) or self._why_not_market(
            terms, instrument, already_filled=0 if is_part else order.filled_amount
        )
        if reason:
            return reason
        if terms.qty > order.leaves_qty and order.qty + terms.qty - order.leaves_qty > MAX_AMOUNT:
            return Reason.AMOUNT_TOO_LARGE
        account = self._state.accounts[order.account]
        if is_part and terms.qty < order.leaves_qty:
            reason = self._why_not_one_more(account)
            if reason:
                return reason
        # The order's present reservation is free for the corrected one: all of it, or what the part takes along.
        stays = order.leaves_qty - terms.qty if is_part else 0
        freed_cash = order.reserved_cash - (
            reservation(order.reserve_price, stays, order.commission_ppm) if order.is_buy else 0
        )
        return self._why_not_account(
            terms, instrument, account, order.commission_ppm, freed_cash, freed_qty=order.leaves_qty - stays
        )


def reserve_price(terms: Terms, instrument: Instrument) -> int:
    """The cash that each open share of a buy reserves: its limit, or the upper limit for a market order (KRX rules 8.1);
    0 where there is no such limit, and for a sell."""
    if terms.side is Side.SELL:
        return 0
    return terms.limit_price if terms.order_type is OrderType.LIMIT else instrument.limits.upper


def why_not_phase(instrument: Instrument) -> Reason:
    """Whether the instrument takes new and corrected orders now. Cancels it always takes."""
    if instrument.phase is Phase.CONTINUOUS:
        return Reason.NONE
    return Reason.HALTED if instrument.phase is Phase.HALTED else Reason.MARKET_CLOSED
