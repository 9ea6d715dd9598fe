"""Situations of orders that are open, one for each answer; and some more for happenings that no answer needs."""

from __future__ import annotations

from collections.abc import Callable

from onseju.contract.commands import (
    CancelOrder,
    DepositCash,
    Halt,
    OpenAccount,
    Resume,
    Uncross,
)
from onseju.contract.words import OrderType
from onseju.rules.packs import RulesName
from tests.unit.story.rig import ONE, Rig
from tests.unit.story.situations import ANN, BEN, ME, P, Situation, T, buy, correct, sell, situation, venue

# open: nothing trades


@situation("halted")
def halted() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(Halt(instrument=ONE))
    rig.do(correct(mine, limit_price=10_010))
    return rig, mine, {}


@situation("circuit_breaker")
def circuit_breaker() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(Halt(instrument=ONE, stage=1))
    return rig, mine, {}


@situation("not_open")
def not_open() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 10, 10_000))
    rig.phase(P.CLOSED)
    return rig, mine, {}


@situation("close_reception")
def close_reception() -> Situation:
    rig = venue()
    rig.do(sell(ANN, 1, 10_000))
    rig.do(buy(BEN, 1, 10_000))
    rig.phase(P.CLOSE_PRICE_RECEPTION)
    rig.do(sell(ANN, 4, 10_000))
    mine = rig.order(buy(ME, 10, 10_000))
    return rig, mine, {"limit_price": 10_000}


# open: an auction


@situation("auction_no_match")
def auction_no_match() -> Situation:
    rig = venue()
    rig.phase(P.OPENING_AUCTION)
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(Uncross(instrument=ONE))
    return rig, mine, {"phase_word": "opening_auction"}


@situation("auction_would_fill")
def auction_would_fill() -> Situation:
    rig = venue()
    rig.phase(P.OPENING_AUCTION)
    mine = rig.order(buy(ME, 10, 10_100))
    rig.do(sell(ANN, 20, 10_000))
    return rig, mine, {"phase_word": "opening_auction", "indicative_price": 10_000}


@situation("auction_at_price")
def auction_at_price() -> Situation:
    rig = venue()
    rig.phase(P.CLOSING_AUCTION)
    rig.do(buy(ANN, 50, 10_000))
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(sell(BEN, 20, 9_990))
    return rig, mine, {"phase_word": "closing_auction", "limit_price": 10_000, "indicative_price": 10_000}


@situation("auction_beyond")
def auction_beyond() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 10, 9_900))
    rig.rule(vi_dynamic_ppm=20_000)
    rig.do(sell(ANN, 4, 10_300))
    rig.do(buy(BEN, 4, 10_300))
    return rig, mine, {"phase_word": "vi_auction", "limit_price": 9_900, "indicative_price": 10_300}


# open: waiting


@situation("asleep")
def asleep() -> Situation:
    rig = venue()
    mine = rig.order(sell(ME, 10, 9_700, order_type=T.STOP_LIMIT, stop_price=9_800))
    for price in (10_000, 9_850, 9_910):
        rig.do(sell(ANN, 5, price))
        rig.do(buy(BEN, 5, price))
    rig.do(correct(mine, stop_price=9_750))
    rig.do(correct(mine, leaves_qty=12))
    return rig, mine, {"stop_price": 9_750, "last_price": 9_910}


@situation("asleep_untraded")
def asleep_untraded() -> Situation:
    rig = Rig("plain", base_price=0)
    rig.do(OpenAccount(account=ME))
    rig.do(DepositCash(account=ME, amount=10**9))
    mine = rig.order(buy(ME, 10, 120, order_type=T.STOP_LIMIT, stop_price=110))
    return rig, mine, {"stop_price": 110}


@situation("midpoint_suspended")
def midpoint_suspended() -> Situation:
    rig = venue()
    bid = rig.order(buy(ANN, 1, 9_990))
    rig.do(sell(ANN, 1, 10_010))
    mine = rig.order(buy(ME, 10, order_type=T.MIDPOINT))
    rig.do(CancelOrder(account=ANN, order_id=bid))
    return rig, mine, {}


@situation("midpoint_waiting")
def midpoint_waiting() -> Situation:
    rig = venue()
    rig.do(buy(ANN, 5, 9_990))
    rig.do(sell(ANN, 5, 10_010))
    mine = rig.order(buy(ME, 10, order_type=T.MIDPOINT))
    rig.do(buy(BEN, 2, 10_010))
    return rig, mine, {}


@situation("market_waiting")
def market_waiting() -> Situation:
    """KRX rules 3.2: with the other side empty a market order rests."""
    rig = venue()
    return rig, rig.order(buy(ME, 10)), {}


@situation("in_line")
def in_line() -> Situation:
    rig = venue()
    rig.do(buy(ANN, 30, 10_000))
    gone = rig.order(buy(BEN, 7, 10_000))
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(buy(BEN, 100, 10_000))
    rig.do(sell(BEN, 12, 10_000))
    rig.do(CancelOrder(account=BEN, order_id=gone))
    rig.do(sell(BEN, 60, 10_010))
    return rig, mine, {"limit_price": 10_000, "ahead_qty": 18, "ahead_count": 1}


@situation("first_in_line")
def first_in_line() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(sell(ANN, 4, 10_020))
    return rig, mine, {"limit_price": 10_000}


@situation("better_prices_first")
def better_prices_first() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 10, 9_900))
    rig.do(buy(ANN, 25, 9_950))
    rig.do(sell(BEN, 60, 9_960))
    return rig, mine, {"best_price": 9_950, "limit_price": 9_900}


@situation("price_not_reached")
def price_not_reached() -> Situation:
    rig = venue()
    mine = rig.order(sell(ME, 10, 10_200))
    for price in (10_000, 10_150, 10_120):
        rig.do(sell(ANN, 5, price))
        rig.do(buy(BEN, 5, price))
    rig.do(sell(ANN, 5, 10_160))
    return rig, mine, {"limit_price": 10_200, "nearest_price": 10_150}


# what an answer alone does not show


def a_full_life() -> Situation:
    """Corrections of every kind, partly filled, raised and reduced."""
    rig = venue()
    rig.do(buy(ANN, 20, 9_990))
    rig.do(buy(ANN, 30, 10_000))
    mine = rig.order(buy(ME, 10, 9_980))
    rig.do(correct(mine, limit_price=9_990))
    rig.do(correct(mine, leaves_qty=25))
    rig.do(correct(mine, leaves_qty=15))
    rig.do(correct(mine, order_type=T.CONDITIONAL_LIMIT))
    rig.do(CancelOrder(account=ME, order_id=mine, qty=3))
    rig.do(correct(mine, limit_price=9_995))
    rig.do(correct(mine, limit_price=10_010))
    rig.do(sell(BEN, 4, 10_010))
    return rig, mine, {}


def a_conversion() -> Situation:
    """A conditional order that becomes a market order, in part, and waits behind an earlier one."""
    rig = venue(cash=130_000)
    mine = rig.order(buy(ME, 12, 10_000, order_type=T.CONDITIONAL_LIMIT))
    rig.phase(P.CLOSING_AUCTION)
    return rig, mine, {}


def a_stop_that_woke(rules: RulesName, order_type: OrderType) -> Situation:
    rig = venue(rules)
    if rules == "plain":
        rig.rule(market_remainder=2)
    price = 10_000 if order_type is T.STOP_LIMIT else 0
    mine = rig.order(buy(ME, 10, price, order_type=order_type, stop_price=10_100))
    rig.do(sell(ANN, 5, 10_050))
    rig.do(buy(BEN, 5, 10_050))
    rig.do(sell(ANN, 5, 10_100))
    rig.do(buy(BEN, 5, 10_100))
    return rig, mine, {}


def a_day_of_phases() -> Situation:
    """A low bid that sees auctions above it, an extension, halts, and a session without trade."""
    rig = venue()
    rig.phase(P.PRE_OPEN)
    rig.phase(P.OPENING_AUCTION)
    mine = rig.order(buy(ME, 10, 9_500))
    rig.rule(vi_static_ppm=100_000)
    rig.do(buy(ANN, 4, 11_500))
    rig.do(sell(BEN, 4, 11_500))
    rig.do(Uncross(instrument=ONE))
    rig.phase(P.CONTINUOUS)
    rig.do(Halt(instrument=ONE))
    rig.do(Resume(instrument=ONE, phase=P.RESUMPTION_AUCTION))
    rig.phase(P.CONTINUOUS, 1)
    rig.do(Halt(instrument=ONE, stage=1))
    rig.do(Resume(instrument=ONE, phase=P.RESUMPTION_AUCTION))
    rig.phase(P.CONTINUOUS, 2)
    rig.phase(P.PRE_OPEN, 1)
    return rig, mine, {}


def an_offer_below() -> Situation:
    """A high ask that sees an auction below it and one at its price."""
    rig = venue()
    rig.phase(P.OPENING_AUCTION)
    mine = rig.order(sell(ME, 10, 10_500))
    rig.do(buy(ANN, 4, 10_000))
    rig.do(sell(BEN, 4, 10_000))
    rig.phase(P.CONTINUOUS)
    rig.phase(P.CLOSING_AUCTION)
    rig.do(sell(BEN, 6, 10_490))
    rig.do(buy(ANN, 8, 10_500))
    rig.phase(P.CLOSED)
    return rig, mine, {}


def a_pool(resumes: bool) -> Situation:
    """동시호가 at the upper limit (KRX rules 5.6): the largest goes first, in continuous trading still."""
    rig = venue()
    rig.phase(P.OPENING_AUCTION)
    mine = rig.order(buy(ME, 150, 13_000))
    rig.do(buy(ANN, 1_000, 13_000))
    rig.do(sell(BEN, 150, 13_000))
    rig.phase(P.CONTINUOUS)
    if resumes:
        rig.do(sell(BEN, 60, 13_000))
    return rig, mine, {}


def market_orders_first() -> Situation:
    """Market orders that rest go before limit orders (plain rules, where they do not float)."""
    rig = venue("plain")
    rig.rule(market_remainder=2)
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(buy(ANN, 6))
    rig.do(sell(BEN, 6, 10_000))
    return rig, mine, {}


def a_midpoint_in_an_auction() -> Situation:
    """A midpoint order sees a VI auction, in which it takes no part."""
    rig = venue()
    rig.do(buy(ANN, 5, 9_990))
    rig.do(sell(ANN, 5, 10_010))
    mine = rig.order(sell(ME, 10, order_type=T.MIDPOINT))
    rig.phase(P.VI_AUCTION)
    rig.do(buy(BEN, 3, 10_010))
    rig.do(Uncross(instrument=ONE))
    return rig, mine, {}


def first_of_an_auction() -> Situation:
    """Filled in part by an auction at a better price than its own."""
    rig = venue()
    rig.phase(P.OPENING_AUCTION)
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(sell(ANN, 4, 9_990))
    rig.phase(P.CONTINUOUS)
    return rig, mine, {}


def an_unchanged_correction() -> Situation:
    """To another type and more shares at once, or in a way that leaves nothing of it in the queue."""
    rig = venue()
    rig.do(sell(ANN, 10, 10_010))
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(correct(mine, limit_price=10_010))
    return rig, mine, {}


OTHERS: dict[str, Callable[[], Situation]] = {
    "a full life": a_full_life,
    "a conversion": a_conversion,
    "a stop limit that woke": lambda: a_stop_that_woke("krx", T.STOP_LIMIT),
    "a stop that woke": lambda: a_stop_that_woke("plain", T.STOP),
    "a day of phases": a_day_of_phases,
    "an offer below": an_offer_below,
    "a pool": lambda: a_pool(resumes=False),
    "a pool that goes on": lambda: a_pool(resumes=True),
    "market orders first": market_orders_first,
    "a midpoint in an auction": a_midpoint_in_an_auction,
    "first of an auction": first_of_an_auction,
    "a correction that trades": an_unchanged_correction,
}
"""Situations for happenings that no answer needs."""
