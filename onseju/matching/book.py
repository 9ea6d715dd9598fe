"""One instrument's book: two priority queues of limit orders, two of resting market orders, and the price levels."""

from __future__ import annotations

from onseju.contract.words import Side
from onseju.matching.orders import Order
from onseju.matching.queues import OrderQueue

Level = tuple[int, int, int]
"""Price, open quantity, number of orders."""


class BookSide:
    """The resting orders of one side. Market orders rank before every limit order and show in no level."""

    __slots__ = ("levels", "limits", "markets", "sign")

    def __init__(self, side: Side) -> None:
        self.sign = -1 if side is Side.BUY else 1
        self.limits = OrderQueue()
        self.markets = OrderQueue()
        self.levels: dict[int, tuple[int, int]] = {}
        """Open limit quantity and number of orders, by price. A price without orders is absent."""

    def add(self, order: Order) -> None:
        """Rest an order."""
        if order.is_market:
            self.markets.push(0, order)
            return
        self.limits.push(self.sign * order.limit_price, order)
        qty, count = self.levels.get(order.limit_price, (0, 0))
        self.levels[order.limit_price] = (qty + order.leaves_qty, count + 1)

    def remove(self, order: Order) -> None:
        """Take out an order; `leaves_qty` is what it still shows."""
        if order.is_market:
            self.markets.discard(order)
            return
        self.limits.discard(order)
        qty, count = self.levels[order.limit_price]
        if count == 1:
            del self.levels[order.limit_price]
        else:
            self.levels[order.limit_price] = (qty - order.leaves_qty, count - 1)

    def reduce(self, order: Order, qty: int) -> None:
        """Show `qty` shares less of an order that keeps its place."""
        if not order.is_market:
            total, count = self.levels[order.limit_price]
            self.levels[order.limit_price] = (total - qty, count)

    def best_price(self) -> int:
        """The best limit price; 0 when there is none."""
        best = self.limits.first()
        return best.limit_price if best else 0

    def depth(self) -> list[Level]:
        """The levels, best first."""
        return sorted(
            ((price, qty, count) for price, (qty, count) in self.levels.items()), key=lambda level: level[0] * self.sign
        )


class Book:
    """Both sides of one instrument."""

    __slots__ = ("buys", "sells")

    def __init__(self) -> None:
        self.buys = BookSide(Side.BUY)
        self.sells = BookSide(Side.SELL)

    def side(self, side: Side) -> BookSide:
        return self.buys if side is Side.BUY else self.sells

    def opposite(self, side: Side) -> BookSide:
        return self.sells if side is Side.BUY else self.buys
