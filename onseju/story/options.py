"""What can one do about it? Each with its consequence, from the book at this moment."""

from __future__ import annotations

from onseju.contract.reasons import Reason
from onseju.contract.views import timestamp
from onseju.contract.words import Side
from onseju.story.moment import Line, Moment, Standing
from onseju.story.tale import Tale

RESTING = frozenset({"limit", "conditional_limit", "best_opposite", "best_same"})
"""Types that stand at a price of their own."""

_AFTER: dict[Reason, str] = {
    Reason.IOC_REMAINDER: "order_day",
    Reason.FOK_KILLED: "order_day",
    Reason.MARKET_REMAINDER: "order_limit",
    Reason.MIDPOINT_VOID: "order_limit",
    Reason.CASH_RAN_OUT: "order_less",
    Reason.DAY_ENDED: "order_tomorrow",
    Reason.MARKET_SESSION_ENDED: "order_tomorrow",
}


def options(order: Standing, tale: Tale, moment: Moment) -> list[Line]:
    """What one can do now, the quickest to a fill first."""
    if not order.is_open:
        return _when_done(order, tale)
    lines: list[Line] = []
    trades = moment.phase.is_auction or moment.phase.is_continuous
    if trades and order.order_type in RESTING and moment.is_correctable:
        lines += _corrections(order, moment)
    if trades and order.is_asleep:
        lines.append(Line("correct_stop", {"stop_price": order.stop_price}))
    lines.append(_wait(order, moment, trades=trades))
    is_queued = moment.place is not None and moment.place.ahead_qty > 0
    if trades and is_queued and order.leaves_qty > 1:
        lines.append(Line("reduce"))
    lines.append(Line("cancel_buy" if order.side is Side.BUY else "cancel_sell", {"leaves_qty": order.leaves_qty}))
    return lines


def _when_done(order: Standing, tale: Tale) -> list[Line]:
    if order.status == "filled":
        return []
    if order.status == "rejected":
        return [Line("order_fixed")]
    if tale.moved_to:
        return [Line("see_moved", {"moved_number": tale.moved_to})]
    reason = Reason(tale.end.reason) if tale.end is not None else Reason.NONE
    return [Line(_AFTER.get(reason, "order_again"))]


def _corrections(order: Standing, moment: Moment) -> list[Line]:
    limit = order.limit_price
    if moment.phase.is_auction:
        indicative = moment.indicative_price
        if indicative and order.is_better(indicative, limit):
            return [Line("correct_to_indicative", {"indicative_price": indicative})]
        return []
    lines: list[Line] = []
    opposite, best = moment.opposite(order.side), moment.own(order.side)
    if opposite.price and order.is_better(opposite.price, limit):
        fillable = min(opposite.qty, order.leaves_qty)
        params: dict[str, int | str] = {"opposite_price": opposite.price, "fillable_qty": fillable}
        if fillable < order.leaves_qty:
            lines.append(Line("correct_to_opposite_part", params | {"rest_qty": order.leaves_qty - fillable}))
        else:
            lines.append(Line("correct_to_opposite", params))
    if best.price and order.is_better(best.price, limit):
        lines.append(Line("correct_to_best", {"best_price": best.price, "ahead_qty": best.qty}))
    return lines


def _wait(order: Standing, moment: Moment, *, trades: bool) -> Line:
    if not trades:
        return Line("wait_trading")
    if order.is_asleep:
        return Line("wait_stop", {"stop_price": order.stop_price})
    if order.is_midpoint:
        return Line("wait_opposite")
    if moment.phase.is_auction:
        until = moment.phase_until
        return Line("wait_auction_until", {"end_time": timestamp(until)}) if until else Line("wait_auction")
    if order.is_market:
        return Line("wait_opposite")
    best = moment.own(order.side).price
    if best and order.is_better(best, order.limit_price):
        return Line("wait_price", {"limit_price": order.limit_price})
    if moment.place is not None and moment.place.ahead_qty:
        return Line("wait_in_line", {"ahead_qty": moment.place.ahead_qty})
    return Line("wait_first")
