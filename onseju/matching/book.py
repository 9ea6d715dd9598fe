"""One instrument's book: per side the queues of limit, market and midpoint orders, and the price levels; and the stops."""

from __future__ import annotations

from dataclasses import replace

from onseju.contract.words import Side
from onseju.matching.orders import Order
from onseju.matching.pool import Pool
from onseju.matching.queues import OrderQueue

Level = tuple[int, int, int]
"""Price, open quantity, number of orders."""


class BookSide:
    """The resting orders of one side. Only limit orders, of whatever type, make levels: the prices of market and
    midpoint orders move with the book (`quotes.py`)."""

    __slots__ = ("levels", "limits", "market_qty", "markets", "midpoints", "sign", "stops")

    def __init__(self, side: Side) -> None:
        self.sign = -1 if side is Side.BUY else 1
        self.limits = OrderQueue()
        self.markets = OrderQueue()
        self.midpoints = OrderQueue()
        self.stops = OrderQueue()
        """Sleeping stop orders, the nearest stop first: the lowest of the buys, the highest of the sells."""
        self.levels: dict[int, tuple[int, int]] = {}
        """Open limit quantity and number of orders, by price. A price without orders is absent."""
        self.market_qty = 0
        """Open shares of all market orders."""

    def add(self, order: Order) -> None:
        """Rest an order, or put a stop order to sleep."""
        if order.sleeps:
            self.stops.push(-self.sign * order.stop_price, order)
        elif order.is_market:
            self.markets.push(0, order)
            self.market_qty += order.leaves_qty
        elif order.is_midpoint:
            self.midpoints.push(0, order)
        else:
            self.limits.push(self.sign * order.limit_price, order)
            qty, count = self.levels.get(order.limit_price, (0, 0))
            self.levels[order.limit_price] = (qty + order.leaves_qty, count + 1)

    def remove(self, order: Order) -> None:
        """Take out an order; `leaves_qty` is what it still shows."""
        if order.sleeps:
            self.stops.discard(order)
        elif order.is_market:
            self.markets.discard(order)
            self.market_qty -= order.leaves_qty
        elif order.is_midpoint:
            self.midpoints.discard(order)
        else:
            self.limits.discard(order)
            qty, count = self.levels[order.limit_price]
            if count == 1:
                del self.levels[order.limit_price]
            else:
                self.levels[order.limit_price] = (qty - order.leaves_qty, count - 1)

    def reduce(self, order: Order, qty: int) -> None:
        """Show `qty` shares less of an order that keeps its place."""
        if order.is_market:
            self.market_qty -= qty
        elif order.has_own_price:
            total, count = self.levels[order.limit_price]
            self.levels[order.limit_price] = (total - qty, count)

    def best_limit(self, without: Order | None = None) -> int:
        """The best limit price; 0 when there is none. `without` is an order that shall not count."""
        best = self.limits.first()
        if best is None:
            return 0
        if best is not without or self.levels[best.limit_price][1] > 1:
            return best.limit_price
        return self.sign * min((self.sign * price for price in self.levels if price != best.limit_price), default=0)

    def worst_limit(self) -> int:
        """The limit price farthest from trading: the highest ask, the lowest bid; 0 when there is none."""
        return self.sign * max((self.sign * price for price in self.levels), default=0)

    def orders(self) -> list[Order]:
        """All orders in the book, those that sleep aside."""
        return [*self.markets.in_order(), *self.midpoints.in_order(), *self.limits.in_order()]


class Book:
    """Both sides of one instrument, and the pool of an auction that ended at a price limit."""

    __slots__ = ("buys", "pool", "sells")

    def __init__(self) -> None:
        self.buys = BookSide(Side.BUY)
        self.sells = BookSide(Side.SELL)
        self.pool: Pool | None = None

    def side(self, side: Side) -> BookSide:
        return self.buys if side is Side.BUY else self.sells

    def opposite(self, side: Side) -> BookSide:
        return self.sells if side is Side.BUY else self.buys

    def has_moving_prices(self) -> bool:
        """Whether resting orders could come to cross by themselves: midpoint orders, or market orders of both sides."""
        buys, sells = self.buys, self.sells
        return bool(len(buys.midpoints) or len(sells.midpoints) or (len(buys.markets) and len(sells.markets)))

    def copy(self) -> Book:
        """A book of copied orders, to try something on. Stop orders stay behind: they are in no queue."""
        copy = Book()
        twins = {order.order_id: replace(order) for side in (self.buys, self.sells) for order in side.orders()}
        for twin in twins.values():
            copy.side(twin.side).add(twin)
        copy.pool = self.pool.copy(twins) if self.pool else None
        return copy
