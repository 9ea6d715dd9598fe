"""Uncrosses call auctions: one price, everything better filled whole, the rest by time, or at a price limit in turns."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from onseju.contract.events import AuctionExtended, AuctionUncrossed
from onseju.contract.reasons import Reason
from onseju.contract.words import MarketRemainder, Phase, Rule, Side
from onseju.matching.auction import AuctionPricer, Found
from onseju.matching.instruments import Instrument
from onseju.matching.matcher import Matcher
from onseju.matching.orders import Order
from onseju.matching.outbox import Outbox
from onseju.matching.pool import Pool, Quota, quotas
from onseju.matching.quotes import Quotes
from onseju.matching.state import State
from onseju.matching.volatility import interruption

POOL_PHASES = frozenset({Phase.OPENING_AUCTION, Phase.RESUMPTION_AUCTION})
"""Where 동시호가 exists: never in the closing auction or after an interruption (KRX BR 22(3))."""


@dataclass(slots=True)
class Turn:
    """An order, and how much of it trades before the next one's turn. `quota` is set for orders of a pool."""

    order: Order
    qty: int
    quota: Quota | None = None


class Auctioneer:
    """Matches what an auction collected."""

    __slots__ = ("_matcher", "_outbox", "_pricer", "_quotes", "_state")

    def __init__(self, state: State, outbox: Outbox, quotes: Quotes, pricer: AuctionPricer, matcher: Matcher) -> None:
        self._state = state
        self._outbox = outbox
        self._quotes = quotes
        self._pricer = pricer
        self._matcher = matcher

    def crosses(self, instrument: Instrument) -> bool:
        """Whether orders in the book would match in an auction."""
        return self._pricer.find(instrument).qty > 0

    def uncross(self, instrument: Instrument) -> None:
        """Match the auction; the phase stays. Where its price would set off an interruption, it only goes on, once."""
        self._outbox.touch(instrument)
        found = self._pricer.find(instrument)
        if found.qty and not instrument.is_extended:
            reason = interruption(self._state, instrument, found.price, instrument.last_price)
            if reason:
                self._extend(instrument, found, reason)
                return
        traded = self._trade(instrument, found) if found.qty else 0
        if traded:
            instrument.auction_price = found.price
        instrument.is_extended = False
        self._outbox.write(
            AuctionUncrossed, instrument=instrument.number, price=found.price if traded else 0, qty=traded
        )
        self.end_market_remainders(instrument)
        instrument.awaits_uncross = False

    def _extend(self, instrument: Instrument, found: Found, reason: Reason) -> None:
        instrument.is_extended = True
        instrument.interruptions += 1
        self._outbox.write(
            AuctionExtended, instrument=instrument.number, reason=reason, price=found.price, qty=found.qty
        )

    def _trade(self, instrument: Instrument, found: Found) -> int:
        """Walk both sides' turns in parallel until the volume is traded. Gives how much was.

        It is less than was found only where a buy without a reservation runs out of cash; its rest is canceled.
        """
        sides = {side: self._turns(instrument, side, found.price) for side in Side}
        buys, sells = deque(sides[Side.BUY]), deque(sides[Side.SELL])
        left = found.qty
        while left and buys and sells:
            buy, sell = buys[0], sells[0]
            if not (buy.order.leaves_qty and sell.order.leaves_qty):  # canceled below, with turns left
                (sells if buy.order.leaves_qty else buys).popleft()
                continue
            wanted = min(left, buy.qty, sell.qty)
            can = {turn.order.order_id: self._matcher.most(turn.order, found.price) for turn in (buy, sell)}
            qty = min(wanted, *can.values())
            if qty:
                self._matcher.trade_in_auction(buy.order, sell.order, instrument, found.price, qty)
                left -= qty
            for turn, turns in ((buy, buys), (sell, sells)):
                turn.qty -= qty
                if turn.quota:
                    turn.quota.qty -= qty
                if can[turn.order.order_id] == qty < wanted:
                    reason = self._matcher.why_short(turn.order, found.price)
                    self._matcher.end_resting(turn.order, instrument, reason)
                    turn.qty = 0
                if not turn.qty:
                    turns.popleft()
        for side, turns in ((Side.BUY, buys), (Side.SELL, sells)):
            rest = [turn.quota for turn in turns if turn.quota]
            if rest:
                instrument.book.pool = Pool(side, found.price, rest)
        return found.qty - left

    def _turns(self, instrument: Instrument, side: Side, price: int) -> list[Turn]:
        """A side's orders that may trade at the price, in the order in which they do (KRX rules 5.4, 5.6).

        By price, then market orders before limit orders, then time; at the daily limit time alone decides between them.
        """
        book_side = instrument.book.side(side)
        deemed = price
        if self._pricer.follows_krx(instrument):
            deemed = dict(zip((Side.BUY, Side.SELL), self._quotes.auction_prices(instrument), strict=True))[side]
        ranked = [
            (book_side.sign * order.limit_price, 1, order.priority, order) for order in book_side.limits.in_order()
        ]
        if self._pricer.follows_krx(instrument):
            goes_first = 1 if instrument.is_at_limit(side, deemed) else 0
            ranked += [(book_side.sign * deemed, goes_first, o.priority, o) for o in book_side.markets.in_order()]
            ranked.sort(key=lambda rank: rank[:3])
        else:
            first = -(1 << 63)
            ranked = [(first, 0, o.priority, o) for o in book_side.markets.in_order()] + ranked
        eligible = [order for key, _, _, order in ranked if key <= book_side.sign * price]
        if self._divides_in_turns(instrument, side, price):
            return [
                Turn(quota.order, quota.qty, quota)
                for quota in quotas(eligible, self._state.rules.lot_size(instrument))
            ]
        return [Turn(order, order.leaves_qty) for order in eligible]

    def _divides_in_turns(self, instrument: Instrument, side: Side, price: int) -> bool:
        return (
            instrument.phase in POOL_PHASES
            and self._pricer.follows_krx(instrument)
            and instrument.is_at_limit(side, price)
        )

    def end_market_remainders(self, instrument: Instrument) -> None:
        """Where market orders do not rest, an auction is all that they can wait for."""
        if self._state.rules.value(Rule.MARKET_REMAINDER, instrument) != MarketRemainder.CANCEL:
            return
        for side in (instrument.book.buys, instrument.book.sells):
            for order in side.markets.in_order():
                self._matcher.end_resting(order, instrument, Reason.MARKET_REMAINDER)
