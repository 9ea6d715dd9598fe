"""Situations of orders that are done, one for each answer that a story can give: the venue, and whose story is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CORRECT_STOP_PRICE,
    CORRECT_TYPE,
    CancelOrder,
    CorrectOrder,
    DepositCash,
    DepositShares,
    NewOrder,
    OpenAccount,
    RollDay,
)
from onseju.contract.money import MAX_AMOUNT
from onseju.contract.words import AccountKind, OrderType, Phase, SelfTradePrevention, Side, TimeInForce
from onseju.rules.packs import RulesName
from tests.properties.driver import DAY
from tests.unit.story.rig import ONE, Rig

ME, ANN, BEN = 2, 3, 4
T, P = OrderType, Phase
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK

Expected = dict[str, int | str]
Situation = tuple[Rig, int, Expected]
SITUATIONS: dict[str, Callable[[], Situation]] = {}


def situation(code: str) -> Callable[[Callable[[], Situation]], Callable[[], Situation]]:
    """The situation whose answer is `code`; it gives the venue, the order and the answer's parameters."""

    def keep(build: Callable[[], Situation]) -> Callable[[], Situation]:
        assert code not in SITUATIONS
        SITUATIONS[code] = build
        return build

    return keep


def venue(rules: RulesName = "krx", cash: int = 10**9) -> Rig:
    """Continuous trading in one instrument of base price 10,000 (KRX: 7,000 to 13,000, ticks of 10)."""
    rig = Rig(rules, base_price=10_000)
    rig.do(OpenAccount(account=1, account_kind=AccountKind.VENUE))
    for account in (ME, ANN, BEN):
        rig.do(OpenAccount(account=account))
        rig.do(DepositCash(account=account, amount=cash if account == ME else 10**9))
        rig.do(DepositShares(account=account, instrument=ONE, qty=10_000))
    return rig


def order(account: int, side: Side, qty: int, price: int = 0, **more: Any) -> NewOrder:
    """A limit order where a price is given, else a market order, unless a type is."""
    fields: dict[str, Any] = {"order_type": T.LIMIT if price else T.MARKET}
    return NewOrder(account=account, instrument=ONE, side=side, qty=qty, limit_price=price, **(fields | more))


def buy(account: int, qty: int, price: int = 0, **more: Any) -> NewOrder:
    return order(account, Side.BUY, qty, price, **more)


def sell(account: int, qty: int, price: int = 0, **more: Any) -> NewOrder:
    return order(account, Side.SELL, qty, price, **more)


def correct(order_id: int, **changes: Any) -> CorrectOrder:
    """A correction of what is named."""
    flags = {
        "limit_price": CORRECT_LIMIT_PRICE,
        "leaves_qty": CORRECT_LEAVES_QTY,
        "order_type": CORRECT_TYPE,
        "stop_price": CORRECT_STOP_PRICE,
        "part_qty": CORRECT_PART,
    }
    return CorrectOrder(account=ME, order_id=order_id, flags=sum(flags[name] for name in changes), **changes)


# done


@situation("filled")
def filled() -> Situation:
    rig = venue()
    rig.do(sell(ANN, 30, 10_000))
    rig.do(sell(ANN, 30, 10_010))
    mine = rig.order(buy(ME, 40, 10_010))
    return rig, mine, {"filled_qty": 40, "average_price": "10002.5"}


@situation("rejected")
def rejected() -> Situation:
    rig = venue()
    return rig, rig.order(buy(ME, 10, 10_005)), {"reject_reason": "price_tick"}


@situation("canceled_by_owner")
def canceled() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 40, 10_000))
    rig.do(sell(ANN, 15, 10_000))
    rig.do(CancelOrder(account=ME, order_id=mine, qty=5))
    rig.do(CancelOrder(account=ME, order_id=mine + 100))
    rig.do(CancelOrder(account=ME, order_id=mine, qty=999))
    rig.do(CancelOrder(account=ANN, order_id=mine))
    rig.do(CancelOrder(account=ME, order_id=mine))
    return rig, mine, {"order_qty": 40, "filled_qty": 15, "canceled_qty": 20}


@situation("corrected_to_zero")
def corrected_to_zero() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 40, 10_000))
    rig.do(correct(mine, leaves_qty=0))
    return rig, mine, {"order_qty": 40, "filled_qty": 0, "canceled_qty": 40}


@situation("moved")
def moved() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 40, 10_000))
    rig.do(correct(mine, limit_price=9_990, part_qty=15))
    rig.do(correct(mine, limit_price=9_990, part_qty=25))
    return rig, mine, {"moved_number": mine + 2}


@situation("ioc_nothing")
def ioc_nothing() -> Situation:
    rig = venue()
    rig.do(sell(ANN, 10, 10_010))
    mine = rig.order(buy(ME, 10, 10_000, time_in_force=IOC))
    return rig, mine, {"order_qty": 10, "filled_qty": 0, "canceled_qty": 10}


@situation("ioc_remainder")
def ioc_remainder() -> Situation:
    rig = venue()
    rig.do(sell(ANN, 4, 10_000))
    mine = rig.order(buy(ME, 10, 10_000, time_in_force=IOC))
    return rig, mine, {"order_qty": 10, "filled_qty": 4, "canceled_qty": 6}


@situation("ioc_interrupted")
def ioc_interrupted() -> Situation:
    """KRX rules 6.1: an IOC triggers the interruption, and its remainder is canceled."""
    rig = venue()
    rig.rule(vi_dynamic_ppm=20_000)
    rig.do(sell(ANN, 4, 10_000))
    rig.do(sell(ANN, 10, 10_200))
    mine = rig.order(buy(ME, 10, 10_200, time_in_force=IOC))
    return rig, mine, {"order_qty": 10, "filled_qty": 4, "canceled_qty": 6}


@situation("fok_killed")
def fok_killed() -> Situation:
    rig = venue()
    rig.do(sell(ANN, 4, 10_000))
    mine = rig.order(buy(ME, 10, 10_000, time_in_force=FOK))
    return rig, mine, {"order_qty": 10, "filled_qty": 0, "canceled_qty": 10}


@situation("market_remainder")
def market_remainder() -> Situation:
    rig = venue("plain")
    rig.do(sell(ANN, 4, 10_000))
    return rig, rig.order(buy(ME, 10)), {"order_qty": 10, "filled_qty": 4, "canceled_qty": 6}


@situation("cash_ran_out")
def cash_ran_out() -> Situation:
    rig = venue("plain", cash=35_000)
    rig.do(sell(ANN, 10, 10_000))
    return rig, rig.order(buy(ME, 10)), {"order_qty": 10, "filled_qty": 3, "canceled_qty": 7}


@situation("conversion_cash")
def conversion_cash() -> Situation:
    """KRX rules 3.5: the price limit's 13,000 is to be reserved from 12,000 of cash."""
    rig = venue(cash=12_000)
    mine = rig.order(buy(ME, 1, 10_000, order_type=T.CONDITIONAL_LIMIT))
    rig.phase(P.CLOSING_AUCTION)
    return rig, mine, {"order_qty": 1, "filled_qty": 0, "canceled_qty": 1}


@situation("self_trade")
def self_trade() -> Situation:
    rig = venue()
    rig.rule(self_trade_prevention=SelfTradePrevention.CANCEL_RESTING)
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(sell(ME, 5, 10_000))
    return rig, mine, {"order_qty": 10, "filled_qty": 0, "canceled_qty": 10}


@situation("midpoint_void")
def midpoint_void() -> Situation:
    rig = venue()
    rig.do(buy(ANN, 1, 9_990))
    rig.do(sell(ANN, 1, 10_010))
    mine = rig.order(buy(ME, 10, order_type=T.MIDPOINT))
    rig.phase(P.CLOSING_AUCTION)
    return rig, mine, {"order_qty": 10, "filled_qty": 0, "canceled_qty": 10}


@situation("day_ended")
def day_ended() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(sell(ANN, 4, 10_000))
    rig.do(RollDay(trading_day=DAY + 1))
    return rig, mine, {"order_qty": 10, "filled_qty": 4, "canceled_qty": 6}


@situation("day_ended_unreached")
def day_ended_unreached() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 10, 9_900))
    for price in (10_000, 9_950, 9_970):
        rig.do(buy(ANN, 5, price))
        rig.do(sell(BEN, 5, price))
    rig.do(RollDay(trading_day=DAY + 1))
    return rig, mine, {"limit_price": 9_900, "nearest_price": 9_950}


@situation("day_ended_in_line")
def day_ended_in_line() -> Situation:
    rig = venue()
    rig.do(buy(ANN, 30, 10_000))
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(sell(BEN, 12, 10_000))
    rig.do(RollDay(trading_day=DAY + 1))
    return rig, mine, {"limit_price": 10_000, "traded_qty": 12}


@situation("day_ended_asleep")
def day_ended_asleep() -> Situation:
    rig = venue()
    mine = rig.order(buy(ME, 10, 10_200, order_type=T.STOP_LIMIT, stop_price=10_100))
    for price in (10_000, 10_060, 10_030):
        rig.do(sell(ANN, 5, price))
        rig.do(buy(BEN, 5, price))
    rig.do(RollDay(trading_day=DAY + 1))
    return rig, mine, {"stop_price": 10_100}


@situation("session_ended")
def session_ended() -> Situation:
    rig = venue()
    rig.rule(types_after_hours=1 << T.LIMIT)
    mine = rig.order(buy(ME, 10, 10_000))
    rig.phase(P.AFTER_HOURS)
    return rig, mine, {"order_qty": 10, "filled_qty": 0, "canceled_qty": 10}


@situation("ended")
def ended() -> Situation:
    """What is left could fill beyond what the venue counts: an end without a sentence of its own."""
    rig = Rig("plain", base_price=10_000)
    for account in (ME, ANN):
        rig.do(OpenAccount(account=account))
    rig.do(DepositCash(account=ANN, amount=MAX_AMOUNT))
    rig.do(DepositShares(account=ME, instrument=ONE, qty=10))
    rig.do(buy(ANN, 1, MAX_AMOUNT))
    mine = rig.order(sell(ME, 2, MAX_AMOUNT // 2))
    return rig, mine, {"end_reason": "amount_too_large", "filled_qty": 1}
