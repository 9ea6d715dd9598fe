"""Prices that move with the book: of resting market orders, of midpoint orders, and the best quotes. Nothing is changed.

Where the venue's rule says that market orders float (KRX), each rests at a *deemed price*, which counts as a quote of its
side and shows in the levels.
"""

from __future__ import annotations

from typing import NamedTuple

from onseju.contract.words import MarketRemainder, OrderType, Rule, Side
from onseju.matching.instruments import Instrument
from onseju.matching.orders import Order
from onseju.matching.state import State


class MarketLevel(NamedTuple):
    """Where a side's resting market orders show: at no price (0) while they have none."""

    price: int = 0
    qty: int = 0
    order_count: int = 0


class Quotes:
    """Answers what the prices in an instrument's book are at this moment."""

    __slots__ = ("_state",)

    def __init__(self, state: State) -> None:
        self._state = state

    def float_at_all(self, instrument: Instrument) -> bool:
        """Whether the instrument's market orders rest at a deemed price."""
        return self._state.rules.value(Rule.MARKET_REMAINDER, instrument) == MarketRemainder.FLOAT

    def deemed_price(self, instrument: Instrument, side: Side, met_limit: int = 0, without: Order | None = None) -> int:
        """The deemed price of market orders in continuous trading (KRX BR 24(2)); 0 while there is nothing to tell it by.

        A buy stands one tick above the best bid limit, or at the last price where there is none, and never below the
        highest ask limit: so it crosses all of them. A sell mirrors that. `met_limit` is the limit of the incoming order
        that it meets, which counts. `without` is an order that shall not count. No price is outside the day's limits.
        """
        own, other = instrument.book.side(side), instrument.book.opposite(side)
        best = own.best_limit(without)
        price = instrument.one_tick_better(side, best) if best else instrument.last_on_grid(side)
        return _farthest(side, instrument.clamp(price), other.worst_limit(), met_limit)

    def auction_prices(self, instrument: Instrument) -> tuple[int, int]:
        """The deemed prices of market buys and market sells while an auction collects (KRX BR 23(3)); 0 = none.

        With limit orders in the book: one tick better than the best of the own side, the farthest of the other side, or
        the previous price, whichever goes farthest. With market orders alone: the previous price, and one tick better for
        the side that has more of them.
        """
        buys, sells = instrument.book.buys, instrument.book.sells
        if not buys.levels and not sells.levels:
            price = instrument.clamp(instrument.last_on_grid(Side.BUY))
            if not price:
                return 0, 0
            more = buys.market_qty - sells.market_qty
            return (
                instrument.one_tick_better(Side.BUY, price) if more > 0 else price,
                instrument.one_tick_better(Side.SELL, price) if more < 0 else price,
            )
        return self._auction_price(instrument, Side.BUY), self._auction_price(instrument, Side.SELL)

    def _auction_price(self, instrument: Instrument, side: Side) -> int:
        best = instrument.book.side(side).best_limit()
        better = instrument.one_tick_better(side, best) if best else 0
        previous = instrument.clamp(instrument.last_on_grid(side))
        return _farthest(side, better, instrument.book.opposite(side).worst_limit(), previous)

    def market_levels(self, instrument: Instrument) -> dict[Side, MarketLevel]:
        """Where resting market orders show now; sides without any are absent."""
        book = instrument.book
        if not (book.buys.market_qty or book.sells.market_qty) or not self.float_at_all(instrument):
            return {}
        resting = [side for side in Side if book.side(side).market_qty]
        if instrument.phase.is_auction:
            prices = dict(zip((Side.BUY, Side.SELL), self.auction_prices(instrument), strict=True))
        else:
            prices = {side: self.deemed_price(instrument, side) for side in resting}
        return {
            side: MarketLevel(prices[side], book.side(side).market_qty, len(book.side(side).markets))
            for side in resting
            if prices[side]
        }

    def best(self, instrument: Instrument, side: Side, without: Order | None = None) -> int:
        """A side's best quote in continuous trading, midpoint orders left out (KRX ER 3, 4); 0 when there is none."""
        book_side = instrument.book.side(side)
        limit = book_side.best_limit(without)
        markets = len(book_side.markets)
        if without is not None and without.is_market and without.side is side:
            markets -= 1
        if markets > 0 and self.float_at_all(instrument):
            return _farthest(side, limit, self.deemed_price(instrument, side, without=without))
        return limit

    def midpoint(self, instrument: Instrument) -> int:
        """The price of midpoint orders: half way between the best quotes, fractions cut, on the grid or not; 0 while a
        side is empty, when they are suspended (KRX 중간가호가)."""
        bid, ask = self.best(instrument, Side.BUY), self.best(instrument, Side.SELL)
        return (bid + ask) // 2 if bid and ask else 0

    def price_on_receipt(
        self, instrument: Instrument, side: Side, order_type: OrderType, without: Order | None = None
    ) -> int:
        """The limit price that a 최유리 or 최우선 order gets, once, on receipt (KRX ER 3, 4); 0 when there is none.

        최유리 (best opposite): the other side's best price; where that side is empty, one tick better than the own side's
        best; in an empty book the last price, brought onto the grid towards trading. 최우선 (best same): the own side's
        best price; where there is none, the last price, brought onto the grid away from trading.
        """
        own = self.best(instrument, side, without)
        if order_type is OrderType.BEST_SAME:
            return own or instrument.clamp(instrument.last_on_grid(side.opposite))
        other = self.best(instrument, side.opposite, without)
        if other or not own:
            return other or instrument.clamp(instrument.last_on_grid(side))
        return instrument.one_tick_better(side, own)


def _farthest(side: Side, *prices: int) -> int:
    """Of the prices that exist (not 0), the one that goes farthest to trade: a buy's highest, a sell's lowest; else 0."""
    there = [price for price in prices if price]
    return (max(there) if side is Side.BUY else min(there)) if there else 0
