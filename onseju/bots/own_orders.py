"""A bot's own open orders, from two sources that may tell the same thing in any order: answers and the event stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onseju.bots.orders import Standing

REMEMBERED = 5_000
"""Ended orders that are remembered, so that a late word of their life does not bring them back."""
OPEN = ("new", "partially_filled")


class OwnOrders:
    """Open limit orders by instrument. What is told as of an earlier command than what is known is passed over."""

    def __init__(self) -> None:
        self._orders: dict[str, dict[int, tuple[int, Standing]]] = {}
        self._ended: dict[int, None] = {}

    def of(self, symbol: str) -> list[Standing]:
        """The instrument's open orders, oldest first."""
        return [order for _, order in self._orders.get(symbol, {}).values()]

    def count(self) -> int:
        """How many orders are open."""
        return sum(map(len, self._orders.values()))

    def forget(self) -> None:
        """All orders have been canceled."""
        for orders in self._orders.values():
            for order_id in orders:
                self._end(order_id)
        self._orders.clear()

    def drop(self, symbol: str, order_id: int) -> None:
        """The exchange says that this order is not open."""
        self._orders.get(symbol, {}).pop(order_id, None)
        self._end(order_id)

    def take_order(self, view: Mapping[str, Any]) -> None:
        """An order's state, as an answer or an `order` event tells it."""
        order_id, symbol, seq = view["order_id"], view["symbol"], view["seq"]
        if order_id in self._ended:
            return
        if view["status"] not in OPEN or not view["leaves_qty"]:
            self.drop(symbol, order_id)
            return
        orders = self._orders.setdefault(symbol, {})
        known = orders.get(order_id)
        if view["limit_price"] and (known is None or seq >= known[0]):
            orders[order_id] = (seq, Standing(order_id, view["side"], view["limit_price"], view["leaves_qty"]))

    def take_fill(self, view: Mapping[str, Any]) -> None:
        """A `fill` event: its price is the trade's, so it tells only what is left of an order that is known."""
        order_id, symbol, seq = view["order_id"], view["symbol"], view["seq"]
        if view["status"] not in OPEN:
            self.drop(symbol, order_id)
            return
        known = self._orders.get(symbol, {}).get(order_id)
        if known is not None and seq >= known[0]:
            order = known[1]
            changed = Standing(order_id, order.side, order.price, view["leaves_qty"])
            self._orders[symbol][order_id] = (seq, changed)

    def _end(self, order_id: int) -> None:
        self._ended[order_id] = None
        if len(self._ended) > REMEMBERED:
            del self._ended[next(iter(self._ended))]
