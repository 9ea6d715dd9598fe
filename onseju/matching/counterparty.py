"""Who is first: the best resting order of a side at this moment, by price and then time (KRX BR 22). Nothing is changed."""

from __future__ import annotations

from typing import NamedTuple

from onseju.contract.words import Side
from onseju.matching.book import BookSide
from onseju.matching.instruments import Instrument
from onseju.matching.orders import Order
from onseju.matching.quotes import Quotes


class Match(NamedTuple):
    """A resting order that may trade now: at what price, and how many shares at most before the next one's turn."""

    order: Order
    price: int
    qty: int


class Counterparties:
    """Finds whom an incoming order meets."""

    __slots__ = ("_quotes",)

    def __init__(self, quotes: Quotes) -> None:
        self._quotes = quotes

    def best_match(self, taker: Order, instrument: Instrument) -> Match | None:
        """Whom the incoming order meets now, and at which price: the earlier one's (선행호가, KRX BR 24); None when nobody.

        A market order crosses every price. A midpoint order's limit is the midpoint at this moment.
        """
        limit = self._limit_of(taker, instrument)
        if taker.is_midpoint and not limit:
            return None
        best = self.best_resting(instrument, taker.side.opposite, met=taker, met_limit=limit)
        if best is None or not (taker.is_market or _reaches(taker.side, limit, best.price)):
            return None
        return best

    def best_resting(
        self, instrument: Instrument, side: Side, met: Order | None = None, met_limit: int = 0
    ) -> Match | None:
        """The order of a side that trades first, when it meets the incoming order `met` with its `met_limit`.

        Ranked by price; at the same price market orders go first, but at the daily limit time alone decides between them
        and limit orders (KRX BR 22(2)1). What is left of a pool at a price limit goes before all others there.
        """
        book_side = instrument.book.side(side)
        limit = book_side.limits.first()
        if not book_side.market_qty and not len(book_side.midpoints):  # the usual case
            if limit is None:
                return None
            price = limit.limit_price
            return self._from_pool(instrument, side, price) or Match(limit, price, limit.leaves_qty)
        floats = self._quotes.float_at_all(instrument)
        market = book_side.markets.first()
        if market is not None and not floats:
            # They rank before every limit order and trade at the incoming limit's price; two market orders trade at the
            # last price, or wait while there is none.
            price = met_limit or instrument.last_price
            if price:
                return Match(market, price, market.leaves_qty)
        found: list[tuple[int, bool, int, Order, int]] = []
        if limit is not None:
            found.append(_ranked(book_side, limit, limit.limit_price, goes_first=False))
        if market is not None and floats:
            counts = met is not None and met.has_own_price
            price = self._quotes.deemed_price(instrument, side, met_limit if counts else 0)
            if price:
                found.append(_ranked(book_side, market, price, goes_first=not instrument.is_at_limit(side, price)))
        midpoint_order = book_side.midpoints.first()
        if midpoint_order is not None and (price := self._quotes.midpoint(instrument)):
            found.append(_ranked(book_side, midpoint_order, price, goes_first=False))
        if not found:
            return None
        *_, order, price = min(found, key=lambda rank: rank[:3])
        return self._from_pool(instrument, side, price) or Match(order, price, order.leaves_qty)

    def crossing(self, instrument: Instrument) -> tuple[Order, Match] | None:
        """The best of both sides where they would trade with each other: the later one, which takes, and the earlier one,
        whose price it is. Market orders that do not float cross any price, and take the other's."""
        buy, sell = self.best_resting(instrument, Side.BUY), self.best_resting(instrument, Side.SELL)
        if buy is None or sell is None:
            return None
        earlier, later = sorted((buy, sell), key=lambda match: match.order.priority)
        price = earlier.price
        at_market = [match for match in (buy, sell) if match.order.is_market]
        if at_market and not self._quotes.float_at_all(instrument):
            price = next((match.price for match in (buy, sell) if not match.order.is_market), price)
        elif buy.price < sell.price:
            return None
        return later.order, Match(earlier.order, price, min(earlier.qty, later.qty))

    def _from_pool(self, instrument: Instrument, side: Side, price: int) -> Match | None:
        pool = instrument.book.pool
        if pool is None or (pool.side, pool.price) != (side, price):
            return None
        turn = pool.first()
        return Match(turn.order, price, turn.open_qty) if turn else None

    def _limit_of(self, order: Order, instrument: Instrument) -> int:
        """The limit that an incoming order has now; 0 for a market order, and for a suspended midpoint order."""
        if order.is_midpoint:
            return self._quotes.midpoint(instrument)
        return 0 if order.is_market else order.limit_price


def _ranked(side: BookSide, order: Order, price: int, *, goes_first: bool) -> tuple[int, bool, int, Order, int]:
    return side.sign * price, not goes_first, order.priority, order, price


def _reaches(side: Side, limit: int, price: int) -> bool:
    """Whether a limit allows a trade at a price."""
    return price <= limit if side is Side.BUY else price >= limit
