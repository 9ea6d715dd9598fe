"""Why did it not fill? The most important reason now, or how it ended."""

from __future__ import annotations

from onseju.contract.events import OrderEvent, OrderFilled, PhaseChanged
from onseju.contract.reasons import Reason
from onseju.contract.words import Phase
from onseju.story.moment import Line, Moment, Standing
from onseju.story.tale import Tale

VOLATILITY = frozenset({Reason.VI_DYNAMIC, Reason.VI_STATIC})

_ENDS: dict[Reason, str] = {
    Reason.FOK_KILLED: "fok_killed",
    Reason.MARKET_REMAINDER: "market_remainder",
    Reason.SELF_TRADE: "self_trade",
    Reason.CORRECTED_TO_ZERO: "corrected_to_zero",
    Reason.MIDPOINT_VOID: "midpoint_void",
    Reason.MARKET_SESSION_ENDED: "session_ended",
}
"""Reasons with one answer each."""


def answer(order: Standing, tale: Tale, moment: Moment) -> Line:
    """The answer to why the order has not filled."""
    return _waiting(order, tale, moment) if order.is_open else _ended(order, tale)


# done


def _ended(order: Standing, tale: Tale) -> Line:
    if order.status == "filled":
        return Line("filled", {"filled_qty": order.filled_qty, "average_price": order.average_price})
    end = tale.end
    reason = Reason(end.reason) if end is not None else Reason.NONE
    if order.status == "rejected":
        return Line("rejected", {"reject_reason": reason.code})
    parts: dict[str, int | str] = {
        "order_qty": order.qty,
        "filled_qty": order.filled_qty,
        "canceled_qty": _taken_out(order, tale),
    }
    if reason is Reason.NONE:
        if tale.moved_to:
            return Line("moved", {"moved_number": tale.moved_to})
        return Line("canceled_by_owner", parts)
    if reason is Reason.IOC_REMAINDER:
        return Line(_why_ioc(order, tale), parts)
    if reason is Reason.CASH_RAN_OUT:
        return Line("conversion_cash" if _is_conversion(tale) else "cash_ran_out", parts)
    if reason is Reason.DAY_ENDED:
        return _day_ended(order, tale, parts)
    if reason in _ENDS:
        return Line(_ENDS[reason], parts)
    return Line("ended", {"end_reason": reason.code, "filled_qty": order.filled_qty})


def _taken_out(order: Standing, tale: Tale) -> int:
    """What the end took out: parts that were canceled before do not count."""
    before = 0
    for event in tale.own:
        if event is not tale.end and isinstance(event, OrderEvent | OrderFilled):
            before = event.canceled_qty
    return order.canceled_qty - before


def _why_ioc(order: Standing, tale: Tale) -> str:
    if any(isinstance(e, PhaseChanged) and Reason(e.reason) in VOLATILITY for e in tale.end_events):
        return "ioc_interrupted"
    return "ioc_remainder" if order.filled_qty else "ioc_nothing"


def _is_conversion(tale: Tale) -> bool:
    """Whether it ended as the closing auction began."""
    return any(isinstance(e, PhaseChanged) and e.phase == Phase.CLOSING_AUCTION for e in tale.end_events)


def _day_ended(order: Standing, tale: Tale, parts: dict[str, int | str]) -> Line:
    if order.is_asleep:
        return Line("day_ended_asleep", {"stop_price": order.stop_price})
    if order.limit_price and not order.filled_qty:
        if tale.nearest and not tale.was_reached and tale.is_whole:
            prices: dict[str, int | str] = {"limit_price": order.limit_price, "nearest_price": tale.nearest}
            return Line("day_ended_unreached", prices)
        if tale.ahead_qty:
            return Line("day_ended_in_line", {"limit_price": order.limit_price, "traded_qty": tale.ahead_qty})
    return Line("day_ended", parts)


# open


def _waiting(order: Standing, tale: Tale, moment: Moment) -> Line:
    phase = moment.phase
    if phase is Phase.HALTED:
        return Line("circuit_breaker" if moment.phase_reason is Reason.CIRCUIT_BREAKER else "halted")
    if phase in (Phase.CLOSED, Phase.PRE_OPEN):
        return Line("circuit_breaker" if moment.phase_reason is Reason.CIRCUIT_BREAKER else "not_open")
    if phase is Phase.CLOSE_PRICE_RECEPTION:
        return Line("close_reception", {"limit_price": order.limit_price})
    if order.is_asleep:
        if not moment.last_price:
            return Line("asleep_untraded", {"stop_price": order.stop_price})
        return Line("asleep", {"stop_price": order.stop_price, "last_price": moment.last_price})
    if order.is_midpoint:
        quoted = bool(moment.bid.price and moment.ask.price) and not phase.is_auction
        return Line("midpoint_waiting" if quoted else "midpoint_suspended")
    if phase.is_auction:
        return _collecting(order, moment)
    if order.is_market:
        return Line("market_waiting")
    return _in_book(order, tale, moment)


def _collecting(order: Standing, moment: Moment) -> Line:
    word: dict[str, int | str] = {"phase_word": moment.phase.label}
    indicative = moment.indicative_price
    if not indicative:
        return Line("auction_no_match", word)
    if order.is_market or order.is_better(order.limit_price, indicative):
        return Line("auction_would_fill", word | {"indicative_price": indicative})
    prices = word | {"limit_price": order.limit_price, "indicative_price": indicative}
    return Line("auction_at_price" if order.limit_price == indicative else "auction_beyond", prices)


def _in_book(order: Standing, tale: Tale, moment: Moment) -> Line:
    """A limit order that rests while the market trades continuously."""
    limit, best = order.limit_price, moment.own(order.side).price
    if best and order.is_better(best, limit):
        if tale.nearest and not tale.was_reached and not order.filled_qty:
            return Line("price_not_reached", {"limit_price": limit, "nearest_price": tale.nearest})
        return Line("better_prices_first", {"best_price": best, "limit_price": limit})
    if moment.place is not None and moment.place.ahead_qty:
        ahead: dict[str, int | str] = {"limit_price": limit, "ahead_qty": moment.place.ahead_qty}
        return Line("in_line", ahead | {"ahead_count": moment.place.ahead_orders})
    return Line("first_in_line", {"limit_price": limit})
