"""Moves money and shares: what an open order reserves, and what a fill settles. There is no second place for either."""

from __future__ import annotations

from onseju.contract.words import Rule
from onseju.matching.accounts import Account
from onseju.matching.orders import PPM, Order, reservation
from onseju.matching.outbox import Outbox
from onseju.matching.state import State


class Ledger:
    """Keeps every account's cash, shares and reservations in step with its open orders."""

    __slots__ = ("_outbox", "_state")

    def __init__(self, state: State, outbox: Outbox) -> None:
        self._state = state
        self._outbox = outbox

    def resize(self, order: Order, leaves_qty: int) -> None:
        """Let `leaves_qty` shares of an order be open, and its account reserve what these need (KRX rules 8.1, 8.2)."""
        account = self._state.accounts[order.account]
        if order.is_buy:
            reserved = reservation(order.reserve_price, leaves_qty, order.commission_ppm)
            if reserved != order.reserved_cash:
                self._outbox.note_balance(account)
                account.reserved_cash += reserved - order.reserved_cash
                order.reserved_cash = reserved
        else:
            position = self._outbox.note_position(account, order.instrument)
            position.reserved_qty += leaves_qty - order.leaves_qty
        order.leaves_qty = leaves_qty

    def settle(self, buy: Order, sell: Order, price: int, qty: int) -> None:
        """Settle a fill, both sides in the same step: the seller gives the shares and is paid, then the buyer pays and
        takes them. What a buy had reserved above the price is free again."""
        amount = price * qty
        for order in (sell, buy):
            self.resize(order, order.leaves_qty - qty)
            order.filled_qty += qty
            order.filled_amount += amount

        seller = self._state.accounts[sell.account]
        self._outbox.note_balance(seller)
        self._outbox.note_position(seller, sell.instrument).sell(qty, amount)
        self._move(seller, amount)
        # A fee is floored on the order's whole amount, so its increase may be a few won more than this fill brings.
        self._charge(seller, sell, at_most=amount)

        buyer = self._state.accounts[buy.account]
        self._outbox.note_balance(buyer)
        self._outbox.note_position(buyer, buy.instrument).buy(qty, amount)
        self._move(buyer, -amount)
        self._charge(buyer, buy, at_most=buyer.available_cash)

    def _charge(self, account: Account, order: Order, at_most: int) -> None:
        """Take the increase of the order's commission and taxes, each floored on its whole filled amount (KRX rules 8.1),
        for the venue account. Never more than `at_most`, so that no fee makes cash negative; a later fill catches up."""
        if not (order.commission_ppm or order.transaction_tax_ppm or order.rural_tax_ppm):
            return
        amount = order.filled_amount
        commission = min(amount * order.commission_ppm // PPM - order.commission, at_most)
        order.commission += commission
        charged = commission
        if not order.is_buy:
            tax = min(amount * order.transaction_tax_ppm // PPM - order.transaction_tax, at_most - charged)
            order.transaction_tax += tax
            charged += tax
            rural = min(amount * order.rural_tax_ppm // PPM - order.rural_tax, at_most - charged)
            order.rural_tax += rural
            charged += rural
        if charged:
            venue = self._state.accounts[self._state.venue_account]
            self._outbox.note_balance(venue)
            self._move(account, -charged)
            self._move(venue, charged)

    def _move(self, account: Account, amount: int) -> None:
        """Give or take a trade's cash. It may be used at once, and is settled some trading days later (KRX BR 7)."""
        account.cash += amount
        match self._state.rules.value(Rule.SETTLEMENT_DAYS):
            case 1:
                account.unsettled_d1 += amount
            case 2:
                account.unsettled_d2 += amount
