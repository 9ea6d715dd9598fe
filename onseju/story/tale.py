"""Tells what happened to an order: from the events that concern it to happenings, in order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import msgspec

from onseju.contract.commands import CommandKind
from onseju.contract.events import (
    AuctionExtended,
    AuctionUncrossed,
    Event,
    OrderAccepted,
    OrderCanceled,
    OrderCorrected,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    PhaseChanged,
    RequestRejected,
    Trade,
)
from onseju.contract.reasons import Reason
from onseju.contract.words import Liquidity, OrderStatus, OrderType, Phase, Side
from onseju.story.happenings import Happening, Passing
from onseju.story.landmarks import PAGE, Traded
from onseju.story.moment import Limits
from onseju.story.places import Place
from onseju.story.reading import Found
from onseju.story.wording import Value

SLEEPERS = frozenset({OrderType.STOP_LIMIT, OrderType.STOP})
UNPRICED = frozenset({OrderType.MARKET, OrderType.MIDPOINT})
POOL_PHASES = frozenset({Phase.OPENING_AUCTION, Phase.RESUMPTION_AUCTION})
"""Where an auction that ends at a daily limit divides in turns (동시호가, KRX BR 22(3))."""


class Tale(msgspec.Struct, kw_only=True):
    """What the events say about an order."""

    happenings: list[Happening]
    entry: Place | None
    """Where it stood when it first came to a queue."""
    end: Event | None
    """The event that ended it; None while it is open."""
    end_events: list[Event]
    """All events of that command that concern it."""
    moved_to: int
    """The order that all of its last shares became by a correction; 0 = none."""
    own: list[OrderEvent | OrderFilled]
    """The order's own events that were read, in order."""
    is_whole: bool
    """Whether nothing that might concern the order was left out."""
    nearest: int
    """Of the prices that others traded at, none of which its limit allowed, the nearest; 0 = none."""
    was_reached: bool
    """Whether there was a trade that its limit allowed."""
    ahead_qty: int
    """Shares that traded at its own price with others."""


class Present(NamedTuple):
    """Through which command a tale is told, its time, and how many shares are ahead of the order then; None where it is
    in no queue."""

    seq: int
    ts: int
    ahead_qty: int | None = None


def tell(found: Found, order_id: int, present: Present, limits: Limits) -> Tale:
    """The tale of an order."""
    teller = _Teller(found, order_id, limits)
    for moment in _timeline(found):
        if isinstance(moment, Traded):
            teller.take_page(moment, min((moment.page + 1) * PAGE, present.seq))
        else:
            teller.take_command(moment)
    return teller.finish(present)


def _timeline(found: Found) -> Iterator[Traded | list[Event]]:
    """Commands, and pages that were not read after the commands in them."""
    commands = [list(events) for _, events in groupby(found.events, key=lambda event: event.seq)]
    moments: list[tuple[int, int, Traded | list[Event]]] = [(events[0].seq, 0, events) for events in commands]
    moments += [((traded.page + 1) * PAGE, 1, traded) for traded in found.skipped]
    return (moment for _, _, moment in sorted(moments, key=lambda moment: moment[:2]))


class _Teller:
    def __init__(self, found: Found, order_id: int, limits: Limits) -> None:
        self._found = found
        self._order_id = order_id
        self._limits = limits
        self._told: list[Happening] = []
        self._passing = Passing()
        self._order: OrderEvent | None = None
        """As it stood last; its open quantity is `_leaves`."""
        self._leaves = 0
        self._phase: Phase | None = None
        self._entry: Place | None = None
        self._place: Place | None = None
        """Where it came to its present place."""
        self._newest_id = order_id
        """No order up to this id came to the queue after it."""
        self._ahead_filled = 0
        self._has_gap = found.left_out > 0
        self._end: Event | None = None
        self._end_events: list[Event] = []
        self._moved_to = 0
        self._own: list[OrderEvent | OrderFilled] = []
        self._nearest = 0
        self._was_reached = False
        self._ahead_qty = 0

    # what comes in

    def take_page(self, traded: Traded, seq: int) -> None:
        """Trades of a page that was not read, because none reached the order's price."""
        order = self._live()
        if order is None:
            return
        if order.order_type in SLEEPERS:
            near = traded.high if order.side == Side.BUY else traded.low
            self._passing.asleep(seq, traded.ts, order.stop_price, near, traded.qty, order.side)
            return
        near = traded.low if order.side == Side.BUY else traded.high
        self._note_near(near)
        self._passing.away(seq, traded.ts, order.limit_price, near, traded.qty, order.side)

    def take_command(self, events: list[Event]) -> None:
        """One command's events that concern the order."""
        child = next((e for e in events if isinstance(e, OrderAccepted) and e.order_id != self._order_id), None)
        for event in events:
            if isinstance(event, OrderEvent):
                if event.order_id == self._order_id:
                    self._take_own(event, child)
            elif isinstance(event, OrderFilled):
                self._fill(event)
            elif isinstance(event, RequestRejected):
                self._refuse(event)
            elif isinstance(event, Trade):
                self._trade(event)
            elif isinstance(event, PhaseChanged):
                self._change_phase(event)
            elif isinstance(event, AuctionUncrossed):
                self._uncross(event)
            elif isinstance(event, AuctionExtended) and self._live() is not None:
                self._tell(event, "auction_extended", rule=True, auction_price=event.price)
        if self._end is not None and not self._end_events:
            self._end_events = events

    def finish(self, present: Present) -> Tale:
        """What came of it."""
        self._told += self._passing.flush()
        if self._live() is not None and present.ahead_qty is not None:
            self._count_canceled(present.seq, present.ts, present.ahead_qty)
        return Tale(
            happenings=self._told,
            entry=self._entry,
            end=self._end,
            end_events=self._end_events,
            moved_to=self._moved_to,
            own=self._own,
            is_whole=not self._has_gap,
            nearest=self._nearest,
            was_reached=self._was_reached,
            ahead_qty=self._ahead_qty,
        )

    # the order's own life

    def _live(self) -> OrderEvent | None:
        return self._order if self._end is None else None

    def _take_own(self, event: OrderEvent, child: OrderAccepted | None) -> None:
        self._own.append(event)
        before, self._order = self._order, event
        left = self._leaves - event.leaves_qty
        self._leaves = event.leaves_qty
        place = self._found.places.get(event.seq)
        if isinstance(event, OrderAccepted):
            self._queue(place, event.order_id)
            self._enter(event, place)
        elif isinstance(event, OrderRejected):
            self._tell(event, "refused", own=True, reject_reason=Reason(event.reason).code)
        elif isinstance(event, OrderTriggered):
            self._queue(place, None)
            self._wake(event, before)
        elif isinstance(event, OrderCorrected) and before is not None:
            self._correct(event, before, left, place)
        elif isinstance(event, OrderCanceled):
            self._cancel(event, left, child)
        elif isinstance(event, OrderExpired):
            self._tell(event, "ended", own=True, rule=True, end_reason=Reason(event.reason).code)
        if not OrderStatus(event.status).is_open:
            self._end = event

    def _queue(self, place: Place | None, newest_id: int | None) -> None:
        """It came to the back of a queue."""
        self._place = place
        self._entry = self._entry or place
        self._newest_id = (1 << 63) if newest_id is None else newest_id
        self._ahead_filled = 0

    def _enter(self, event: OrderAccepted, place: Place | None) -> None:
        if event.order_type in SLEEPERS:
            self._tell(event, "entered_asleep", own=True, stop_price=event.stop_price, order_qty=event.qty)
        elif place is None:
            self._tell(event, "entered", own=True, order_qty=event.qty)
        else:
            code = "entered_line" if place.ahead_qty else "entered_first"
            self._tell(
                event, code, own=True, limit_price=event.limit_price, ahead_qty=place.ahead_qty, order_qty=event.qty
            )

    def _wake(self, event: OrderTriggered, before: OrderEvent | None) -> None:
        if before is not None and before.order_type == OrderType.CONDITIONAL_LIMIT:
            self._tell(event, "converted", own=True, rule=True, leaves_qty=event.leaves_qty)
        elif event.order_type == OrderType.MARKET:
            self._tell(event, "woke_market", own=True, rule=True, stop_price=event.stop_price)
        else:
            stop, limit = event.stop_price, event.limit_price
            self._tell(event, "woke_limit", own=True, rule=True, stop_price=stop, limit_price=limit)

    def _correct(self, event: OrderCorrected, before: OrderEvent, left: int, place: Place | None) -> None:
        keeps = (event.order_type, event.limit_price, event.stop_price) == (
            before.order_type,
            before.limit_price,
            before.stop_price,
        )
        if keeps and left >= 0:
            self._tell(event, "corrected_down", own=True, leaves_qty=event.leaves_qty)
            return
        self._queue(place, None)
        if event.limit_price != before.limit_price:  # what was near to the old price says nothing about the new one
            self._nearest, self._was_reached, self._ahead_qty = 0, False, 0
        if event.order_type in SLEEPERS and event.stop_price != before.stop_price:
            self._tell(event, "corrected_stop", own=True, stop_price=event.stop_price)
        elif event.order_type != before.order_type:
            self._tell(event, "corrected_type", own=True, type_word=OrderType(event.order_type).label)
        elif event.limit_price != before.limit_price:
            if place is None:
                self._tell(event, "repriced", own=True, limit_price=event.limit_price)
            else:
                self._tell(event, "corrected_price", own=True, limit_price=event.limit_price, ahead_qty=place.ahead_qty)
        elif place is not None:
            self._tell(event, "corrected_up", own=True, leaves_qty=event.leaves_qty, ahead_qty=place.ahead_qty)
        else:
            self._tell(event, "corrected", own=True)

    def _cancel(self, event: OrderCanceled, left: int, child: OrderAccepted | None) -> None:
        is_done = not event.leaves_qty
        reason = Reason(event.reason)
        if reason is Reason.NONE and child is not None:
            self._moved_to = child.order_id if is_done else 0
            self._tell(event, "moved", own=True, moved_qty=child.qty, moved_number=child.order_id)
        elif reason is Reason.NONE and is_done:
            self._tell(event, "canceled", own=True, canceled_qty=left)
        elif reason is Reason.NONE:
            self._tell(event, "canceled_part", own=True, canceled_qty=left, leaves_qty=event.leaves_qty)
        elif is_done:
            rule = reason is not Reason.CORRECTED_TO_ZERO
            self._tell(event, "ended", own=True, rule=rule, end_reason=reason.code)
        else:
            self._tell(event, "cut", own=True, rule=True, end_reason=reason.code, leaves_qty=event.leaves_qty)

    def _fill(self, event: OrderFilled) -> None:
        self._own.append(event)
        order = self._order
        is_turn = order is not None and event.liquidity == Liquidity.MAKER and event.price == order.limit_price
        if is_turn:
            self._told += self._passing.flush()
            self._count_canceled(event.seq, event.ts, 0)
        code = "filled_auction" if event.liquidity == Liquidity.AUCTION else "filled"
        self._tell(event, code, own=True, fill_price=event.price, fill_qty=event.qty, leaves_qty=event.leaves_qty)
        self._leaves = event.leaves_qty
        if not event.leaves_qty:
            self._end = event

    def _refuse(self, event: RequestRejected) -> None:
        code = "cancel_refused" if event.command_kind == CommandKind.CANCEL_ORDER else "correction_refused"
        self._tell(event, code, own=True, refuse_reason=Reason(event.reason).code)

    # what passed it by

    def _note_near(self, price: int) -> None:
        order = self._order
        if order is None or order.order_type in UNPRICED:
            return
        farther = min if order.side == Side.BUY else max
        self._nearest = farther(self._nearest or price, price)

    def _trade(self, event: Trade) -> None:
        order = self._live()
        if order is None or self._order_id in (event.buy_order_id, event.sell_order_id):
            return
        is_buy = order.side == Side.BUY
        rival = event.buy_order_id if is_buy else event.sell_order_id
        in_auction = not event.taker_side  # told as a whole
        if order.order_type in SLEEPERS | UNPRICED:
            if in_auction:
                return
            if order.order_type in SLEEPERS:
                self._passing.asleep(event.seq, event.ts, order.stop_price, event.price, event.qty, order.side)
            else:
                self._passing.add(event.seq, event.ts, "traded_past_unpriced", event.qty, last_price=event.price)
            return
        limit = order.limit_price
        if event.price > limit if is_buy else event.price < limit:
            self._note_near(event.price)
            if not in_auction:
                self._passing.away(event.seq, event.ts, limit, event.price, event.qty, order.side)
            return
        self._was_reached = True
        if in_auction:
            self._ahead_qty += event.qty if event.price == limit else 0
            self._place = None
            return
        if event.taker_side == order.side:
            return
        if event.price == limit and rival <= self._newest_id:
            self._ahead_filled += event.qty
            self._ahead_qty += event.qty
            self._passing.add(event.seq, event.ts, "traded_ahead", event.qty, limit_price=limit)
        elif event.price == limit == (self._limits.upper if is_buy else self._limits.lower):
            self._ahead_qty += event.qty
            self._place = None
            self._passing.add(event.seq, event.ts, "traded_pool", event.qty, limit_price=limit)
        else:
            self._passing.add(event.seq, event.ts, "traded_market_first", event.qty, last_price=event.price)

    def _count_canceled(self, seq: int, ts: int, ahead_now: int) -> None:
        """Once: what was ahead, less what of it traded and what is still there, went without a trade."""
        place, self._place = self._place, None
        if place is None or self._has_gap:
            return
        gone = place.ahead_qty - self._ahead_filled - ahead_now
        if gone > 0:
            params: dict[str, Value] = {"canceled_qty": gone, "ahead_qty": ahead_now}
            self._told.append(Happening(seq=seq, ts=ts, code="ahead_canceled", params=params))

    # what the rules did

    def _change_phase(self, event: PhaseChanged) -> None:
        phase = self._phase = Phase(event.phase)
        if self._live() is None:
            return
        reason = Reason(event.reason)
        if reason in (Reason.VI_DYNAMIC, Reason.VI_STATIC):
            self._tell(event, "phase_vi", rule=True, vi_reason=reason.code)
        elif reason is Reason.CIRCUIT_BREAKER:
            self._tell(event, "phase_circuit_breaker", rule=True)
        elif phase is Phase.HALTED:
            self._tell(event, "phase_halted", rule=True)
        elif phase is Phase.CLOSED:
            self._tell(event, "phase_closed", rule=True)
        elif phase is Phase.CONTINUOUS:
            self._tell(event, "phase_continuous", rule=True)
        elif phase.is_auction:
            self._tell(event, "phase_auction", rule=True, phase_word=phase.label)
        else:
            self._tell(event, "phase", rule=True, phase_word=phase.label)

    def _uncross(self, event: AuctionUncrossed) -> None:
        order = self._live()
        if order is None:
            return
        if not event.price:
            self._tell(event, "auction_no_match", rule=True)
            return
        price, qty = event.price, event.qty
        is_buy, limit = order.side == Side.BUY, order.limit_price
        if order.order_type in UNPRICED | SLEEPERS:
            self._tell(event, "auction_filled", rule=True, auction_price=price, auction_qty=qty)
        elif event.price == limit:
            at_limit = limit == (self._limits.upper if is_buy else self._limits.lower)
            if at_limit and self._limits.divides and self._phase in POOL_PHASES:
                self._tell(event, "traded_pool", rule=True, limit_price=limit, traded_qty=event.qty)
            else:
                self._tell(
                    event, "auction_at_limit", rule=True, limit_price=limit, auction_price=price, auction_qty=qty
                )
        elif (event.price > limit) == is_buy:
            code = "auction_above" if is_buy else "auction_below"
            self._tell(event, code, rule=True, limit_price=limit, auction_price=price, auction_qty=qty)
        else:
            self._tell(event, "auction_filled", rule=True, auction_price=price, auction_qty=qty)

    def _tell(self, event: Event, code: str, *, own: bool = False, rule: bool = False, **params: Value) -> None:
        self._told += self._passing.flush()
        self._told.append(Happening(seq=event.seq, ts=event.ts, code=code, params=params, own=own, rule=rule))
