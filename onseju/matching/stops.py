"""Stop orders: they sleep outside the book until the last price reaches their stop (KRX 3.9; `plain` stops as well)."""

from __future__ import annotations

from heapq import merge

from onseju.contract.events import OrderTriggered
from onseju.contract.words import Rule, StopElection
from onseju.matching.instruments import Instrument
from onseju.matching.matcher import Matcher
from onseju.matching.orders import SLEEPERS, Order
from onseju.matching.outbox import Outbox
from onseju.matching.state import State


class StopDesk:
    """Wakes stop orders."""

    __slots__ = ("_matcher", "_outbox", "_state")

    def __init__(self, state: State, outbox: Outbox, matcher: Matcher) -> None:
        self._state = state
        self._outbox = outbox
        self._matcher = matcher

    def wake(self, instrument: Instrument) -> None:
        """Wake all whose stop the last price has reached, wave after wave, until none is left.

        Called when a command has finished matching. What one check wakes is one wave: these stay awake whatever the
        trades of the first of them do to the price. What those trades wake in turn is the next wave. A woken order is a
        limit or market order whose time is now.
        """
        while wave := self._elect(instrument):
            for order in wave:
                order.order_type = SLEEPERS[order.order_type]
                order.priority = self._state.next_priority()
                self._outbox.write_order(OrderTriggered, order, order.open_status)
                self._matcher.carry_out(order, instrument)

    def _elect(self, instrument: Instrument) -> list[Order]:
        """Take those to be woken out of their sleep, in the order in which they act."""
        last = instrument.last_price
        buys, sells = instrument.book.buys, instrument.book.sells
        if not last or not (len(buys.stops) or len(sells.stops)):
            return []
        woken_buys, woken_sells = list[Order](), list[Order]()
        while (order := buys.stops.first()) and order.stop_price <= last:
            buys.remove(order)
            woken_buys.append(order)
        while (order := sells.stops.first()) and order.stop_price >= last:
            sells.remove(order)
            woken_sells.append(order)
        match self._state.rules.value(Rule.STOP_ELECTION, instrument):
            case StopElection.NEAREST:
                # Both come out of their queues nearest stop first; between a buy and a sell, time decides.
                return list(merge(woken_buys, woken_sells, key=lambda order: order.priority))
            case StopElection.DISTANCE:
                return sorted(
                    woken_buys + woken_sells, key=lambda order: (-abs(order.stop_price - last), order.priority)
                )
        return sorted(woken_buys + woken_sells, key=lambda order: order.priority)
