"""Answers the commands about orders: new, cancel, cancel all. Every refusal is an event and changes nothing."""

from __future__ import annotations

from onseju.contract.commands import CancelAll, CancelOrder, CorrectOrder, NewOrder
from onseju.contract.events import AllCanceled, OrderCanceled
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Side, TimeInForce
from onseju.matching.accounts import Account
from onseju.matching.instruments import Instrument
from onseju.matching.matcher import Matcher
from onseju.matching.order_checks import ORDER_TYPES, SIDES, TIMES_IN_FORCE, OrderChecks, Terms, reserve_price
from onseju.matching.orders import BEST, Order
from onseju.matching.outbox import Outbox
from onseju.matching.rulebook import RATES
from onseju.matching.state import State
from onseju.matching.stops import StopDesk


class OrderDesk:
    """Checks requests about orders, and has the matcher carry out what stands the checks."""

    __slots__ = ("_checks", "_matcher", "_outbox", "_state", "_stops")

    def __init__(self, state: State, outbox: Outbox, matcher: Matcher, checks: OrderChecks, stops: StopDesk) -> None:
        self._state = state
        self._outbox = outbox
        self._matcher = matcher
        self._checks = checks
        self._stops = stops

    def new_order(self, command: NewOrder) -> None:
        """Enter an order, or refuse it. Either way it gets an id."""
        order_id = self._state.next_order_id()
        instrument = self._state.instrument(command.instrument)
        account = self._state.accounts.get(command.account)
        terms = self._why_not_read(command, instrument, account)
        if isinstance(terms, Reason) or instrument is None or account is None:
            reason = terms if isinstance(terms, Reason) else Reason.INVALID_COMMAND
            self._outbox.reject_order(command, order_id, instrument, reason)
            return
        terms = self._checks.priced(terms, instrument)
        commission, transaction_tax, rural_tax = (self._state.rules.value(rate, instrument) for rate in RATES)
        reason = self._checks.why_not(
            terms, instrument, account, commission, adds_order=terms.time_in_force is TimeInForce.DAY
        )
        if reason:
            self._outbox.reject_order(command, order_id, instrument, reason)
            return
        order = Order(
            order_id=order_id,
            account=account.number,
            instrument=instrument.number,
            side=terms.side,
            order_type=terms.order_type,
            time_in_force=terms.time_in_force,
            qty=terms.qty,
            limit_price=terms.limit_price,
            stop_price=terms.stop_price,
            priority=self._state.next_priority(),
            client_id=command.client_id,
            leaves_qty=0,
            reserve_price=reserve_price(terms, instrument),
            commission_ppm=commission,
            transaction_tax_ppm=transaction_tax,
            rural_tax_ppm=rural_tax,
        )
        self._matcher.enter(order, terms.qty)
        self._matcher.carry_out(order, instrument)
        self._stops.wake(instrument)

    def _why_not_read(
        self, command: NewOrder, instrument: Instrument | None, account: Account | None
    ) -> Terms | Reason:
        """What a new order asks; or why that cannot be said."""
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
        if command.limit_price and command.order_type in BEST:
            return Reason.INVALID_PRICE
        return Terms(
            Side(command.side),
            OrderType(command.order_type),
            command.limit_price,
            command.stop_price,
            command.qty,
            TimeInForce(command.time_in_force),
        )

    def cancel_order(self, command: CancelOrder) -> None:
        """Cancel an order's open quantity or a part of it; a part leaves the rest its place (KRX BR 13)."""
        order = self._state.orders.get(command.order_id)
        reason = why_not_theirs(self._state, order, command)
        if order is None or reason:
            self._outbox.reject_request(command, reason)
            return
        instrument = self._state.instruments[order.instrument - 1]
        in_part = 0 <= command.qty <= order.leaves_qty
        if not in_part or self._checks.why_not_lots(command.qty, instrument, order.leaves_qty):
            self._outbox.reject_request(command, Reason.INVALID_QTY, instrument)
            return
        take_out(self._matcher, self._outbox, order, instrument, command.qty or order.leaves_qty, Reason.NONE)

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
            self._matcher.end_resting(order, self._state.instruments[order.instrument - 1], Reason.NONE)
        self._outbox.write(
            AllCanceled,
            account=account.number,
            instrument=command.instrument,
            order_count=len(meant),
            side=command.side,
        )


def why_not_theirs(state: State, order: Order | None, command: CancelOrder | CorrectOrder) -> Reason:
    """Somebody else's order is as unknown as one that never was. Of done orders the engine keeps nothing, so it can only
    say that the id was given once."""
    if not state.is_open:
        return Reason.VENUE_NOT_OPEN
    if order is None:
        given = 0 < command.order_id <= state.last_order_id
        return Reason.ORDER_DONE if given else Reason.ORDER_NOT_FOUND
    return Reason.NONE if order.account == command.account else Reason.ORDER_NOT_FOUND


def take_out(matcher: Matcher, outbox: Outbox, order: Order, instrument: Instrument, qty: int, reason: Reason) -> None:
    """Take `qty` open shares out of a resting or sleeping order."""
    if qty == order.leaves_qty:
        matcher.end_resting(order, instrument, reason)
    else:
        matcher.reduce(order, instrument, qty)
        outbox.write_order(OrderCanceled, order, order.open_status, reason)
