"""Continuous matching: the incoming order against the best resting one, again and again, by price and then time."""

from __future__ import annotations

from onseju.contract.events import OrderAccepted, OrderCanceled, OrderEvent, OrderFilled, PhaseChanged, Trade
from onseju.contract.money import MAX_AMOUNT
from onseju.contract.reasons import Reason
from onseju.contract.words import (
    Liquidity,
    MarketRemainder,
    OrderStatus,
    Phase,
    Rule,
    SelfTradePrevention,
    TimeInForce,
)
from onseju.matching.counterparty import Counterparties, Match
from onseju.matching.instruments import Instrument
from onseju.matching.ledger import Ledger
from onseju.matching.orders import Order, affordable_qty, whole_lots
from onseju.matching.outbox import Outbox
from onseju.matching.state import State
from onseju.matching.trial import can_fill_whole
from onseju.matching.volatility import interruption


class Matcher:
    """Carries orders out, and takes them off the book again."""

    __slots__ = ("_counterparties", "_ledger", "_outbox", "_state")

    def __init__(self, state: State, outbox: Outbox, ledger: Ledger, counterparties: Counterparties) -> None:
        self._state = state
        self._outbox = outbox
        self._ledger = ledger
        self._counterparties = counterparties

    # An order's life

    def enter(self, order: Order, qty: int) -> None:
        """Make an order live with `qty` open shares: reserve, remember, tell."""
        self._ledger.resize(order, qty)
        self._state.orders[order.order_id] = order
        self._state.accounts[order.account].orders[order.order_id] = order
        self._outbox.write_order(OrderAccepted, order, OrderStatus.NEW)

    def carry_out(self, order: Order, instrument: Instrument) -> None:
        """Trade what can be traded now; rest or end what is left, as the order's type and condition and the phase say.

        IOC and FOK never rest (KRX ER 13(3)). A stop order only falls asleep here. While an auction collects, all rest.
        A market order's remainder is canceled, rests or floats by the rule `MARKET_REMAINDER`.
        """
        if order.sleeps:
            self.rest(order, instrument)
            return
        if instrument.phase.is_continuous:
            if order.time_in_force is TimeInForce.FOK and not self._can_fill_whole(order, instrument):
                self.end(order, Reason.FOK_KILLED)
                return
            self._trade_with_book(order, instrument)
        if order.leaves_qty:
            self._keep_or_end(order, instrument)
        if instrument.book.has_moving_prices():
            self.settle_crossed(instrument)

    def rest(self, order: Order, instrument: Instrument) -> None:
        """Put an order into the book, at the place of its price and priority stamp."""
        self._note(order, instrument)
        instrument.book.side(order.side).add(order)
        if instrument.phase.is_auction and not order.sleeps:
            instrument.awaits_uncross = True

    def withdraw(self, order: Order, instrument: Instrument) -> None:
        """Take a resting order out of the book; it stays live."""
        self._note(order, instrument)
        instrument.book.side(order.side).remove(order)

    def reduce(self, order: Order, instrument: Instrument, qty: int) -> None:
        """Take `qty` of a resting order's open shares out, not all; it keeps its place."""
        self._note(order, instrument)
        instrument.book.side(order.side).reduce(order, qty)
        order.canceled_qty += qty
        self._ledger.resize(order, order.leaves_qty - qty)

    def end(
        self,
        order: Order,
        reason: Reason = Reason.NONE,
        event_class: type[OrderEvent] = OrderCanceled,
        status: OrderStatus = OrderStatus.CANCELED,
    ) -> None:
        """End a live order that is not in the book: free what it reserves, forget it, tell."""
        order.canceled_qty += order.leaves_qty
        self._ledger.resize(order, 0)
        self._forget(order)
        self._outbox.write_order(event_class, order, status, reason)

    def end_resting(self, order: Order, instrument: Instrument, reason: Reason) -> None:
        """Take a resting order out of the book, and end it."""
        self.withdraw(order, instrument)
        self.end(order, reason)

    def _keep_or_end(self, order: Order, instrument: Instrument) -> None:
        """What becomes of the shares that could not trade."""
        collects = instrument.phase.is_auction
        remainder = self._state.rules.value(Rule.MARKET_REMAINDER, instrument)
        if order.time_in_force is TimeInForce.FOK:
            self.end(order, Reason.FOK_KILLED)
        elif order.time_in_force is TimeInForce.IOC:
            self.end(order, Reason.IOC_REMAINDER)
        elif order.is_market and remainder == MarketRemainder.CANCEL and not collects:
            self.end(order, Reason.MARKET_REMAINDER)
        elif order.filled_amount + order.limit_price * order.leaves_qty > MAX_AMOUNT:
            self.end(order, Reason.AMOUNT_TOO_LARGE)
        else:
            self.rest(order, instrument)

    def _forget(self, order: Order) -> None:
        del self._state.orders[order.order_id]
        del self._state.accounts[order.account].orders[order.order_id]

    def _note(self, order: Order, instrument: Instrument) -> None:
        self._outbox.touch(instrument)
        if order.has_own_price:
            self._outbox.note_level(instrument, order.side, order.limit_price)

    # Matching

    def _trade_with_book(self, taker: Order, instrument: Instrument) -> None:
        """Trade an incoming order with the best resting orders while its limit allows (KRX BR 22, 24)."""
        last_price = instrument.last_price
        while taker.leaves_qty:
            match = self._counterparties.best_match(taker, instrument)
            if match is None or not self._meet(taker, match, instrument, last_price, rests=False):
                return

    def settle_crossed(self, instrument: Instrument) -> None:
        """In continuous trading, let resting orders trade that cross though none of them is new: midpoint orders whose
        price moved, market orders that waited for a first price, orders that an auction left behind."""
        while instrument.phase.is_continuous:
            found = self._counterparties.crossing(instrument)
            if found is None or not self._meet(*found, instrument, instrument.last_price, rests=True):
                return

    def _meet(self, taker: Order, match: Match, instrument: Instrument, last_price: int, *, rests: bool) -> bool:
        """Let two orders meet; `rests` says that the taker is in the book itself. False where they must not trade now.

        First: is it a trade of an account with itself; then, would it set off an interruption? That trade does not happen
        then, and the instrument is in an auction (KRX BR 26-2).
        """
        maker, price = match.order, match.price
        if maker.account == taker.account and self._prevent_self_trade(taker, maker, instrument, rests=rests):
            return True
        reason = interruption(self._state, instrument, price, last_price)
        if reason:
            self._interrupt(instrument, reason)
            return False
        wanted = min(taker.leaves_qty, match.qty)
        maker_can, taker_can = self.most(maker, price), self.most(taker, price)
        qty = min(wanted, maker_can, taker_can)
        if qty:
            if rests:
                self._take_from_book(taker, instrument, qty)
            self._trade(taker, maker, instrument, price, qty)
        if maker_can == qty < wanted:
            self.end_resting(maker, instrument, self.why_short(maker, price))
        if taker_can == qty < wanted:
            self._end_taker(taker, instrument, self.why_short(taker, price), rests=rests)
        return True

    def _end_taker(self, taker: Order, instrument: Instrument, reason: Reason, *, rests: bool) -> None:
        if rests:
            self.withdraw(taker, instrument)
        self.end(taker, reason)

    def _prevent_self_trade(self, taker: Order, maker: Order, instrument: Instrument, *, rests: bool) -> bool:
        """Where the venue's rule forbids an account to trade with itself: cancel what the rule says, and tell so."""
        rule = self._state.rules.value(Rule.SELF_TRADE_PREVENTION, instrument)
        if rule in (SelfTradePrevention.CANCEL_RESTING, SelfTradePrevention.CANCEL_BOTH):
            self.end_resting(maker, instrument, Reason.SELF_TRADE)
        if rule in (SelfTradePrevention.CANCEL_INCOMING, SelfTradePrevention.CANCEL_BOTH):
            self._end_taker(taker, instrument, Reason.SELF_TRADE, rests=rests)
        return rule != SelfTradePrevention.OFF

    def _interrupt(self, instrument: Instrument, reason: Reason) -> None:
        """Begin a volatility interruption: continuous trading becomes an auction."""
        self._outbox.touch(instrument)
        instrument.interruptions += 1
        instrument.phase = Phase.VI_AUCTION
        instrument.awaits_uncross = True
        instrument.is_extended = False
        self._outbox.write(
            PhaseChanged,
            instrument=instrument.number,
            reason=reason,
            trading_day=self._state.trading_day,
            phase=Phase.VI_AUCTION,
            occurrence=min(instrument.interruptions, 0xFFFF),
        )

    def most(self, order: Order, price: int) -> int:
        """How many of its open shares an order can trade at a price.

        All, as a rule. But a buy without a reservation pays from the cash that is free, in whole lots, and no order's
        filled amount grows beyond `MAX_AMOUNT`.
        """
        room = min(order.leaves_qty, (MAX_AMOUNT - order.filled_amount) // price)
        if order.pays_as_it_goes:
            cash = self._state.accounts[order.account].available_cash
            can_pay = affordable_qty(cash, price, order.filled_amount, order.commission_ppm, order.commission)
            lot = self._state.rules.lot_size(self._state.instruments[order.instrument - 1])
            return min(room, whole_lots(can_pay, lot))
        return room

    def why_short(self, order: Order, price: int) -> Reason:
        """Why `most` was less than what there was to trade."""
        room = (MAX_AMOUNT - order.filled_amount) // price
        return Reason.AMOUNT_TOO_LARGE if room == 0 or not order.pays_as_it_goes else Reason.CASH_RAN_OUT

    def _trade(self, taker: Order, maker: Order, instrument: Instrument, price: int, qty: int) -> None:
        """One match of an incoming order."""
        if instrument.book.pool:
            instrument.book.pool.take(maker, price, qty)
        self._take_from_book(maker, instrument, qty)
        buy, sell = (taker, maker) if taker.is_buy else (maker, taker)
        trade_id = self._settle(buy, sell, instrument, price, qty, taker.side)
        self._tell_fill(maker, trade_id, price, qty, Liquidity.MAKER)
        self._tell_fill(taker, trade_id, price, qty, Liquidity.TAKER)

    def trade_in_auction(self, buy: Order, sell: Order, instrument: Instrument, price: int, qty: int) -> None:
        """One match of an auction: both orders rest in the book, nobody takes."""
        self._take_from_book(buy, instrument, qty)
        self._take_from_book(sell, instrument, qty)
        trade_id = self._settle(buy, sell, instrument, price, qty, 0)
        self._tell_fill(buy, trade_id, price, qty, Liquidity.AUCTION)
        self._tell_fill(sell, trade_id, price, qty, Liquidity.AUCTION)

    def _take_from_book(self, order: Order, instrument: Instrument, qty: int) -> None:
        """Show that `qty` shares of a resting order are about to trade."""
        self._note(order, instrument)
        side = instrument.book.side(order.side)
        if qty == order.leaves_qty:
            side.remove(order)
        else:
            side.reduce(order, qty)

    def _settle(self, buy: Order, sell: Order, instrument: Instrument, price: int, qty: int, taker_side: int) -> int:
        """Move money and shares, remember the price, tell the public. Gives the trade's id."""
        self._ledger.settle(buy, sell, price, qty)
        if not instrument.phase.is_at_close:
            instrument.last_price = price
        if instrument.phase.off_hours is None:
            instrument.close_price = price
            instrument.has_traded = True
        trade_id = self._state.next_trade_id()
        self._outbox.write(
            Trade,
            instrument=instrument.number,
            trade_id=trade_id,
            price=price,
            qty=qty,
            buy_order_id=buy.order_id,
            sell_order_id=sell.order_id,
            taker_side=taker_side,
        )
        return trade_id

    def _tell_fill(self, order: Order, trade_id: int, price: int, qty: int, liquidity: Liquidity) -> None:
        """Tell an account of its side of a trade; forget an order that is filled."""
        self._outbox.write(
            OrderFilled,
            account=order.account,
            instrument=order.instrument,
            order_id=order.order_id,
            trade_id=trade_id,
            price=price,
            qty=qty,
            leaves_qty=order.leaves_qty,
            filled_qty=order.filled_qty,
            canceled_qty=order.canceled_qty,
            filled_amount=order.filled_amount,
            commission=order.commission,
            transaction_tax=order.transaction_tax,
            rural_tax=order.rural_tax,
            side=order.side,
            liquidity=liquidity,
            status=order.open_status if order.leaves_qty else OrderStatus.FILLED,
        )
        if not order.leaves_qty:
            self._forget(order)

    def _can_fill_whole(self, order: Order, instrument: Instrument) -> bool:
        return can_fill_whole(self._state, self._counterparties, order, instrument)
