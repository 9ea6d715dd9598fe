"""Plays a LOBSTER recording as orders: a venue under `plain` rules has NASDAQ's visible book then.

A new order enters; a deletion, whole or part, cancels; an execution of a visible order is an incoming IOC order of the
other side at its price, so that the venue's own priority decides whom it meets. Hidden executions touch no visible order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from onseju.contract.commands import CancelOrder, NewOrder
from onseju.contract.words import OrderType, Side, TimeInForce
from onseju.market_data.lobster import Message, MessageType, Row

ANONYMOUS = 0
"""Stands for the orders of a level that the recording never showed one by one."""


class Venue(Protocol):
    """Where the orders go."""

    def new_order(self, order: NewOrder) -> int:
        """Enter an order; gives its id."""

    def cancel(self, cancel: CancelOrder) -> None:
        """Cancel an order or a part of it."""


@dataclass(slots=True)
class Resting:
    """An order of the venue, and how many of its shares are open as the recording tells."""

    order_id: int
    qty: int


class LobsterPlayer:
    """Plays messages with one account, which must have cash and shares enough.

    Of orders from before the recording only totals of levels are known. Each such level is one anonymous order, the
    first at its price; what a message does to an order that was never shown is done to it.

    Below the recording's window (its ten best levels) nothing is told, neither what rests there nor what happens to it.
    What comes into the window from below, `reveal` learns from the row.
    """

    def __init__(self, venue: Venue, account: int, instrument: int, depth: int = 10) -> None:
        self._venue = venue
        self._account = account
        self._instrument = instrument
        self._depth = depth
        self._levels: dict[tuple[Side, int], dict[int, Resting]] = {}
        self._window: dict[Side, int] = {}

    def knows(self, side: Side, price: int) -> bool:
        """Whether the recording told all that happened at a price up to now: it was in the window after the last row."""
        return _is_within(side, price, self._window.get(side))

    def resting(self, message: Message) -> Resting | None:
        """The order that a message names, or the anonymous one at its price; None where there is neither."""
        level = self._levels.get((message.side, message.price), {})
        return level.get(message.order_id) or level.get(ANONYMOUS)

    def shows(self, message: Message) -> bool:
        """Whether the order that a message names was shown by the recording before."""
        return message.order_id in self._levels.get((message.side, message.price), {})

    def seed(self, row: Row) -> None:
        """Enter the book that the first message meets."""
        for side in Side:
            for price, qty in row.levels(side):
                self._enter(side, price, qty, ANONYMOUS)
        self._look(row)

    def play(self, message: Message) -> None:
        """Do what a message tells. Raises `LookupError` for one about an order of which nothing can be known."""
        match message.kind:
            case MessageType.NEW:
                self._enter(message.side, message.price, message.size, message.order_id)
            case MessageType.PARTIAL_CANCEL | MessageType.DELETE:
                self._cancel(self._take(message).order_id, message.size)
            case MessageType.EXECUTION:
                self._take(message)
                incoming = self._order(message.side.opposite, message.price, message.size, TimeInForce.IOC)
                self._venue.new_order(incoming)

    def reveal(self, row: Row) -> list[tuple[Side, int]]:
        """Learn what came into the window from below: levels that the row shows, and that others are gone. Gives the
        levels of which something else was known."""
        learned = []
        for side in Side:
            shown = dict(row.levels(side))
            edge = row.levels(side)[-1][0] if len(shown) >= self._depth else None
            ours = {price for s, price in self._levels if s is side and _is_within(side, price, edge)}
            for price in sorted(shown.keys() | ours):
                level = self._levels.get((side, price), {})
                qty = shown.get(price, 0)
                if self.knows(side, price) or sum(resting.qty for resting in level.values()) == qty:
                    continue
                for resting in level.values():
                    self._cancel(resting.order_id, resting.qty)
                level.clear()
                if qty:
                    self._enter(side, price, qty, ANONYMOUS)
                learned.append((side, price))
        self._look(row)
        return learned

    def _look(self, row: Row) -> None:
        """Remember how deep the recording can be seen through now."""
        self._window = {
            side: levels[-1][0] for side in Side for levels in [row.levels(side)] if len(levels) >= self._depth
        }

    def _enter(self, side: Side, price: int, qty: int, name: int) -> None:
        order_id = self._venue.new_order(self._order(side, price, qty))
        self._levels.setdefault((side, price), {})[name] = Resting(order_id, qty)

    def _take(self, message: Message) -> Resting:
        """The order that a message names, less the message's shares."""
        resting = self.resting(message)
        if resting is None or resting.qty < message.size:
            raise LookupError(f"nothing is known of the order of {message}")
        resting.qty -= message.size
        if not resting.qty:
            level = self._levels[message.side, message.price]
            del level[message.order_id if level.get(message.order_id) is resting else ANONYMOUS]
            if not level:
                del self._levels[message.side, message.price]
        return resting

    def _cancel(self, order_id: int, qty: int) -> None:
        self._venue.cancel(CancelOrder(account=self._account, order_id=order_id, qty=qty))

    def _order(self, side: Side, price: int, qty: int, condition: TimeInForce = TimeInForce.DAY) -> NewOrder:
        return NewOrder(
            account=self._account,
            instrument=self._instrument,
            side=side,
            qty=qty,
            limit_price=price,
            order_type=OrderType.LIMIT,
            time_in_force=condition,
        )


def _is_within(side: Side, price: int, edge: int | None) -> bool:
    """Whether a price is at or better than the window's last; without one all are."""
    return edge is None or (price >= edge if side is Side.BUY else price <= edge)
