"""Looks ahead for a FOK order: is all of it there now, over any number of levels within its limit, and paid for?"""

from __future__ import annotations

from dataclasses import replace

from onseju.contract.money import MAX_AMOUNT
from onseju.contract.words import Rule, SelfTradePrevention, Side
from onseju.matching.counterparty import Counterparties
from onseju.matching.instruments import Instrument
from onseju.matching.orders import PPM, Order, affordable_qty, whole_lots
from onseju.matching.state import State
from onseju.matching.volatility import interruption


def can_fill_whole(state: State, counterparties: Counterparties, order: Order, instrument: Instrument) -> bool:
    """Whether the order would fill whole: without a trade that sets off an interruption (it is killed before it does),
    and, where the venue prevents self-trades, without shares of its own account."""
    if _is_plain_case(state, order, instrument):
        return _qty_within_reach(state, order, instrument) >= order.leaves_qty
    return _Trial(state, counterparties, instrument).fills(replace(order))


def _is_plain_case(state: State, order: Order, instrument: Instrument) -> bool:
    """Whether limit orders at fixed prices are all that it can meet, so that adding up levels is enough."""
    book = instrument.book
    moving = len(book.buys.midpoints) + len(book.sells.midpoints) + len(book.opposite(order.side).markets)
    prevented = state.rules.value(Rule.SELF_TRADE_PREVENTION, instrument) != SelfTradePrevention.OFF
    return not (moving or prevented or order.is_midpoint or order.pays_as_it_goes)


def _qty_within_reach(state: State, order: Order, instrument: Instrument) -> int:
    """What stands at the levels that the order would come to, best first, up to the first that it must not trade at."""
    side = instrument.book.opposite(order.side)
    there = 0
    for price in sorted(side.levels, key=lambda price: side.sign * price):
        if not _allows(order, price) or interruption(state, instrument, price, instrument.last_price):
            break
        there += side.levels[price][0]
    return there


def _allows(order: Order, price: int) -> bool:
    if order.is_market:
        return True
    return price <= order.limit_price if order.side is Side.BUY else price >= order.limit_price


class _Trial:
    """Plays the order on a copy of the book, where no money moves.

    For a buy without a reservation its account's free cash counts as it was on entry, and so does that of resting buys
    like it: what the order's own trades would bring to the same account does not.
    """

    def __init__(self, state: State, counterparties: Counterparties, instrument: Instrument) -> None:
        self._state = state
        self._counterparties = counterparties
        self._instrument = replace(instrument, book=instrument.book.copy())
        self._spent: dict[int, int] = {}

    def fills(self, taker: Order) -> bool:
        """Whether nothing of the order is left in the end."""
        instrument, last_price = self._instrument, self._instrument.last_price
        while taker.leaves_qty:
            match = self._counterparties.best_match(taker, instrument)
            if match is None or interruption(self._state, instrument, match.price, last_price):
                return False
            maker, price = match.order, match.price
            if maker.account == taker.account:
                rule = self._state.rules.value(Rule.SELF_TRADE_PREVENTION, instrument)
                if rule == SelfTradePrevention.CANCEL_RESTING:
                    self._end(maker)
                    continue
                if rule != SelfTradePrevention.OFF:
                    return False
            wanted = min(taker.leaves_qty, match.qty)
            maker_can, taker_can = self._most(maker, price), self._most(taker, price)
            if taker_can < min(wanted, maker_can):
                return False
            qty = min(wanted, maker_can)
            if qty:
                self._trade(taker, maker, price, qty)
            if maker.leaves_qty and maker_can == qty < wanted:
                self._end(maker)
        return True

    def _end(self, maker: Order) -> None:
        """Take an order out of the book, and out of its turns in a pool."""
        self._instrument.book.side(maker.side).remove(maker)
        maker.leaves_qty = 0

    def _trade(self, taker: Order, maker: Order, price: int, qty: int) -> None:
        book = self._instrument.book
        if book.pool:
            book.pool.take(maker, price, qty)
        side = book.side(maker.side)
        if qty == maker.leaves_qty:
            side.remove(maker)
        else:
            side.reduce(maker, qty)
        for order in (maker, taker):
            if order.pays_as_it_goes:
                self._spent[order.account] = self._spent.get(order.account, 0) + _cost(order, price, qty)
            order.leaves_qty -= qty
            order.filled_amount += price * qty
            order.commission = max(order.commission, order.filled_amount * order.commission_ppm // PPM)
        self._instrument.last_price = price

    def _most(self, order: Order, price: int) -> int:
        room = min(order.leaves_qty, (MAX_AMOUNT - order.filled_amount) // price)
        if not order.pays_as_it_goes:
            return room
        free = self._state.accounts[order.account].available_cash - self._spent.get(order.account, 0)
        can_pay = affordable_qty(free, price, order.filled_amount, order.commission_ppm, order.commission)
        return min(room, whole_lots(can_pay, self._state.rules.lot_size(self._instrument)))


def _cost(order: Order, price: int, qty: int) -> int:
    amount = price * qty
    commission = (order.filled_amount + amount) * order.commission_ppm // PPM - order.commission
    return amount + max(commission, 0)
