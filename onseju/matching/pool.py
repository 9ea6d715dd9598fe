"""동시호가: how an opening or resumption auction that ends exactly at a price limit divides what there is (KRX ER 34).

The pool are the orders at that limit: the bids at the upper, the asks at the lower. Time does not count among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from onseju.contract.words import Side
from onseju.matching.orders import Order

FIRST_PASS_LOTS = 100
"""Lots that each order gets in the first pass."""


@dataclass(slots=True)
class Quota:
    """What an order may take before the next one's turn. It is void once the order left its place (`priority`)."""

    order: Order
    qty: int
    priority: int

    @property
    def open_qty(self) -> int:
        """How much of it can still be taken: canceled shares drop out."""
        return min(self.qty, self.order.leaves_qty) if self.order.priority == self.priority else 0


def quotas(orders: Sequence[Order], lot: int = 1) -> list[Quota]:
    """The turns of a pool, from its orders in order of record; `lot` in shares.

    The largest goes first, equal ones in order of record. First each gets up to 100 lots, then half of what it still
    lacks (half a lot counts as one), then the rest.
    """
    by_size = sorted(orders, key=lambda order: -order.leaves_qty)
    lacks = {order.order_id: order.leaves_qty for order in by_size}
    turns: list[Quota] = []
    passes: tuple[Callable[[int], int], ...] = (
        lambda qty: min(qty, FIRST_PASS_LOTS * lot),
        lambda qty: (qty // lot + 1) // 2 * lot,
        lambda qty: qty,
    )
    for part in passes:
        for order in by_size:
            qty = part(lacks[order.order_id])
            lacks[order.order_id] -= qty
            if qty:
                turns.append(Quota(order, qty, order.priority))
    return turns


class Pool:
    """What is left of an auction's quotas. In continuous trading they go on where the auction stopped, before all later
    orders at this price (KRX ER 34(3)); other auctions ignore them."""

    __slots__ = ("price", "side", "turns")

    def __init__(self, side: Side, price: int, turns: list[Quota]) -> None:
        self.side = side
        self.price = price
        self.turns = turns

    def first(self) -> Quota | None:
        """Whose turn it is; None when the pool is used up."""
        while self.turns and not self.turns[0].open_qty:
            del self.turns[0]
        return self.turns[0] if self.turns else None

    def take(self, order: Order, price: int, qty: int) -> None:
        """Count a trade of the order whose turn it is, before the trade takes its shares. What a market order of the pool
        trades at another price than the pool's is not of its turn; nor is what it trades beyond its turn, where market
        orders do not float (any more) and so go first with all they have."""
        turn = self.first()
        if turn is not None and turn.order is order and price == self.price:
            turn.qty -= min(qty, turn.qty)

    def copy(self, twins: Mapping[int, Order]) -> Pool:
        """The same pool over copied orders."""
        turns = [Quota(twins[turn.order.order_id], turn.qty, turn.priority) for turn in self.turns if turn.open_qty]
        return Pool(self.side, self.price, turns)
