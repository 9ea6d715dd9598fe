"""Continuous matching: the incoming order against the best resting one, again and again, by price and then time."""

from __future__ import annotations

from collections import deque

from onseju.contract.events import OrderAccepted, OrderCanceled, OrderEvent, OrderFilled, Trade
from onseju.contract.money import MAX_AMOUNT
from onseju.contract.reasons import Reason
from onseju.contract.words import Liquidity, MarketRemainder, OrderStatus, Rule, TimeInForce
from onseju.matching.book import BookSide
from onseju.matching.instruments import Instrument
from onseju.matching.ledger import Ledger
from onseju.matching.orders import PPM, Order, affordable_qty
from onseju.matching.outbox import Outbox
from onseju.matching.state import State


class Matcher:
    """Carries orders out, and takes them off the book again."""

    __slots__ = ("_ledger", "_outbox", "_state")

    def __init__(self, state: State, outbox: Outbox, ledger: Ledger) -> None:
        self._state = state
        self._outbox = outbox
        self._ledger = ledger

    # An order's life

    def enter(self, order: Order, qty: int) -> None:
        """Make an order live with `qty` open shares: reserve, remember, tell."""
        self._ledger.resize(order, qty)
        self._state.orders[order.order_id] = order
        self._state.accounts[order.account].orders[order.order_id] = order
        self._outbox.write_order(OrderAccepted, order, OrderStatus.NEW)

    def carry_out(self, order: Order, instrument: Instrument) -> None:
        """Trade what can be traded now; rest or cancel what is left, as the order's type and condition say.

        IOC and FOK never rest (KRX ER 13(3)). A market order's remainder is canceled or rests by the rule
        `MARKET_REMAINDER`.
        """
        if order.time_in_force is TimeInForce.FOK and not self._can_fill_whole(order, instrument):
            self.end(order, Reason.FOK_KILLED)
            return
        had_last_price = instrument.last_price > 0
        self._trade_with_book(order, instrument)
        if order.leaves_qty:
            rests = self._state.rules.value(Rule.MARKET_REMAINDER, instrument) == MarketRemainder.REST
            if order.time_in_force is not TimeInForce.DAY:
                self.end(order, Reason.IOC_REMAINDER)
            elif order.is_market and not rests:
                self.end(order, Reason.MARKET_REMAINDER)
            elif order.filled_amount + order.limit_price * order.leaves_qty > MAX_AMOUNT:
                self.end(order, Reason.AMOUNT_TOO_LARGE)
            else:
                self.rest(order, instrument)
        if not had_last_price and instrument.last_price:
            self._trade_waiting_markets(instrument)

    def rest(self, order: Order, instrument: Instrument) -> None:
        """Put an order into the book, at the place of its price and priority stamp."""
        self._note(order, instrument)
        instrument.book.side(order.side).add(order)

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

    def _forget(self, order: Order) -> None:
        del self._state.orders[order.order_id]
        del self._state.accounts[order.account].orders[order.order_id]

    def _note(self, order: Order, instrument: Instrument) -> None:
        if not order.is_market:
            self._outbox.note_level(instrument, order.side, order.limit_price)

    # Matching

    def _trade_with_book(self, taker: Order, instrument: Instrument) -> None:
        """Trade an incoming order with the best resting orders while its limit allows (KRX BR 22, 24)."""
        opposite = instrument.book.opposite(taker.side)
        while taker.leaves_qty:
            found = self._best_match(taker, opposite, instrument.last_price)
            if found is None:
                return
            maker, price = found
            wanted = min(taker.leaves_qty, maker.leaves_qty)
            maker_can, taker_can = self._most(maker, price), self._most(taker, price)
            qty = min(wanted, maker_can, taker_can)
            if qty:
                self._trade(taker, maker, instrument, price, qty)
            if maker_can == qty < wanted:
                self.withdraw(maker, instrument)
                self.end(maker, self._why_short(maker, price))
            if taker_can == qty < wanted:
                self.end(taker, self._why_short(taker, price))

    def _best_match(self, taker: Order, opposite: BookSide, last_price: int) -> tuple[Order, int] | None:
        """Whom the incoming order meets now, and at what price; None when nobody.

        Resting market orders rank before every limit order and trade at the incoming limit's price; two market orders
        trade at the last price, or wait while there is none. A limit order trades at its own price, the earlier one's
        (KRX BR 24).
        """
        market = opposite.markets.first()
        if market is not None:
            price = last_price if taker.is_market else taker.limit_price
            if price:
                return market, price
        limit = opposite.limits.first()
        if limit is not None and taker.crosses(limit.limit_price):
            return limit, limit.limit_price
        return None

    def _most(self, order: Order, price: int) -> int:
        """How many shares an order can trade at a price: a limit order all, a market order what its money allows.

        A market buy without a reservation pays from the cash that is free. And no order's filled amount grows beyond
        `MAX_AMOUNT`: a limit order's entry made sure, a market order's price was not known then.
        """
        if not order.is_market:
            return order.leaves_qty
        room = (MAX_AMOUNT - order.filled_amount) // price
        if order.pays_as_it_goes:
            return min(room, self._affordable(order, price, self._state.accounts[order.account].available_cash))
        return room

    def _affordable(self, order: Order, price: int, cash: int) -> int:
        return affordable_qty(cash, price, order.filled_amount, order.commission_ppm, order.commission)

    def _why_short(self, order: Order, price: int) -> Reason:
        """Why `_most` was less than what there was to trade."""
        room = (MAX_AMOUNT - order.filled_amount) // price
        return Reason.AMOUNT_TOO_LARGE if room == 0 or not order.pays_as_it_goes else Reason.CASH_RAN_OUT

    def _trade(self, taker: Order, maker: Order, instrument: Instrument, price: int, qty: int) -> None:
        """One match: settle it, show the maker's level anew, tell the public and both accounts."""
        self._note(maker, instrument)
        maker_side = instrument.book.side(maker.side)
        if qty == maker.leaves_qty:
            maker_side.remove(maker)
        else:
            maker_side.reduce(maker, qty)
        buy, sell = (taker, maker) if taker.is_buy else (maker, taker)
        self._ledger.settle(buy, sell, price, qty)
        instrument.last_price = price
        trade_id = self._state.next_trade_id()
        self._outbox.write(
            Trade,
            instrument=instrument.number,
            trade_id=trade_id,
            price=price,
            qty=qty,
            buy_order_id=buy.order_id,
            sell_order_id=sell.order_id,
            taker_side=taker.side,
        )
        for order, liquidity in ((maker, Liquidity.MAKER), (taker, Liquidity.TAKER)):
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

    def _trade_waiting_markets(self, instrument: Instrument) -> None:
        """Market orders of both sides may have waited for a first price. There is one now: the earlier is the maker."""
        buys, sells = instrument.book.buys.markets, instrument.book.sells.markets
        while (buy := buys.first()) and (sell := sells.first()):
            taker = max(buy, sell, key=lambda order: order.priority)
            self.withdraw(taker, instrument)
            self._trade_with_book(taker, instrument)
            if taker.leaves_qty:
                self.rest(taker, instrument)

    def _can_fill_whole(self, taker: Order, instrument: Instrument) -> bool:
        """Look ahead for a FOK: is all of it there now, over any number of levels within its limit, and paid for?

        For a buy without a reservation its free cash counts as it was on entry, and so does that of resting market buys:
        what the order's own trades would bring to the same account does not.
        """
        opposite = instrument.book.opposite(taker.side)
        if not len(opposite.markets) and not taker.pays_as_it_goes:
            there = sum(qty for price, (qty, _) in opposite.levels.items() if taker.crosses(price))
            return there >= taker.leaves_qty
        markets, limits = deque(opposite.markets.in_order()), deque(opposite.limits.in_order())
        payer = self._state.accounts[taker.account] if taker.pays_as_it_goes else None
        last_price, needed = instrument.last_price, taker.leaves_qty
        amount, spent = 0, dict[int, int]()
        while needed:
            price = last_price if taker.is_market else taker.limit_price
            if markets and price:
                maker = markets.popleft()
            elif limits and taker.crosses(limits[0].limit_price):
                maker = limits.popleft()
                price = maker.limit_price
            else:
                return False
            qty = min(needed, maker.leaves_qty)
            if maker.pays_as_it_goes:
                free = self._state.accounts[maker.account].available_cash - spent.get(maker.account, 0)
                qty = min(qty, self._affordable(maker, price, free), (MAX_AMOUNT - maker.filled_amount) // price)
                cost = price * qty - (-price * qty * maker.commission_ppm // PPM)
                spent[maker.account] = spent.get(maker.account, 0) + cost
            amount += price * qty
            needed -= qty
            last_price = price
        if payer is None:
            return True
        return amount + amount * taker.commission_ppm // PPM <= payer.available_cash
