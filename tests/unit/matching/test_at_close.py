"""시간외종가: the sessions at a closing price, before the opening and after the close (KRX rules 2.1, KRX ER 51)."""

from __future__ import annotations

import pytest

from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    ChangePhase,
    CorrectOrder,
    Halt,
    Resume,
    RollDay,
    SetRule,
    Uncross,
)
from onseju.contract.events import OrderExpired, OrderFilled, OrderRejected, PriceLimitsSet, Trade
from onseju.contract.reasons import Reason
from onseju.contract.words import Liquidity, OrderType, Phase, Rule, TimeInForce
from tests.properties.driver import DAY, Driver
from tests.unit.matching.test_sessions import enter, krx, refusal
from tests.unit.matching.venue import BUYER, ONE, buy, sell

RECEPTION, AT_CLOSE, BEFORE = Phase.CLOSE_PRICE_RECEPTION, Phase.CLOSE_PRICE, Phase.PREVIOUS_CLOSE
CLOSE = 70_100


def closed(close: int = CLOSE) -> Driver:
    """A day whose regular session traded at the close, and where it is 15:30 now."""
    driver = krx()
    driver.do(sell(1, close))
    driver.do(buy(1, close))
    enter(driver, Phase.CLOSING_AUCTION)
    driver.do(Uncross(instrument=ONE))
    enter(driver, RECEPTION)
    return driver


def to(phase: Phase, occurrence: int = 0) -> ChangePhase:
    return ChangePhase(instrument=ONE, trading_day=DAY, phase=phase, occurrence=occurrence)


def why_not(driver: Driver, price: int = CLOSE, **changes: int) -> Reason:
    return Reason(driver.first(buy(1, price, **changes), OrderRejected).reason)


def test_the_reception_matches_nothing_and_the_session_begins_by_time() -> None:
    driver = closed()
    driver.do(sell(5, CLOSE))
    driver.do(buy(8, CLOSE))
    driver.do(sell(9, CLOSE))
    assert len(driver.trades) == 1
    assert driver.engine.book(ONE) == ([(CLOSE, 8, 1)], [(CLOSE, 14, 2)])
    enter(driver, AT_CLOSE)
    assert [(trade.sell_order_id, trade.price, trade.qty) for trade in driver.trades[1:]] == [
        (3, CLOSE, 5),
        (5, CLOSE, 3),
    ]
    fills = driver.only(buy(2, CLOSE), OrderFilled)
    assert [fill.liquidity for fill in fills] == [Liquidity.MAKER, Liquidity.TAKER], "what comes later trades at once"
    driver.check()


@pytest.mark.parametrize("phase", [RECEPTION, AT_CLOSE])
def test_only_limit_orders_at_the_close_are_taken(phase: Phase) -> None:
    """KRX rules 3.7: no market, best, stop or immediate orders; no other price."""
    driver = closed()
    if phase is AT_CLOSE:
        enter(driver, phase)
    for order_type in (OrderType.MARKET, OrderType.BEST_OPPOSITE, OrderType.BEST_SAME, OrderType.MIDPOINT):
        assert why_not(driver, 0, order_type=order_type) is Reason.ORDER_TYPE_NOT_ALLOWED
    for order_type in (OrderType.CONDITIONAL_LIMIT, OrderType.STOP_LIMIT):
        stop = CLOSE if order_type is OrderType.STOP_LIMIT else 0
        assert why_not(driver, order_type=order_type, stop_price=stop) is Reason.ORDER_TYPE_NOT_ALLOWED
    for condition in (TimeInForce.IOC, TimeInForce.FOK):
        assert why_not(driver, time_in_force=condition) is Reason.ORDER_TYPE_NOT_ALLOWED
    for price in (CLOSE + 100, CLOSE - 100, CLOSE + 1):
        assert why_not(driver, price) is Reason.NOT_AT_CLOSE


def test_the_quantity_may_be_corrected_and_the_price_not() -> None:
    driver = closed()
    driver.do(buy(10, CLOSE))
    price = CorrectOrder(account=BUYER, order_id=3, flags=CORRECT_LIMIT_PRICE, limit_price=CLOSE - 100)
    assert refusal(driver, price) is Reason.NOT_AT_CLOSE
    driver.do(buy(1, CLOSE))
    driver.do(CorrectOrder(account=BUYER, order_id=3, flags=CORRECT_LEAVES_QTY, leaves_qty=4))
    driver.do(CorrectOrder(account=BUYER, order_id=4, flags=CORRECT_LEAVES_QTY, leaves_qty=2))
    enter(driver, AT_CLOSE)
    trades = driver.only(sell(5, CLOSE), Trade)
    assert [(trade.buy_order_id, trade.qty) for trade in trades] == [(3, 4), (4, 1)]
    driver.check()


@pytest.mark.parametrize("quote", [70_500, 69_500])
def test_an_issue_that_did_not_trade_today_has_no_close(quote: int) -> None:
    """Not even the one that its quotes tell (KRX rules 1.2), which stays the next day's base price."""
    driver = krx()
    driver.do(buy(5, quote))
    driver.do(to(RECEPTION))
    for price in (quote, 70_000):
        assert why_not(driver, price) is Reason.NO_CLOSE
    driver.do(Halt(instrument=ONE))
    driver.do(Resume(instrument=ONE, phase=AT_CLOSE))
    assert why_not(driver, 70_000) is Reason.NO_CLOSE, "nor after a halt"
    (limits,) = driver.only(RollDay(trading_day=DAY + 1), PriceLimitsSet)
    assert limits.base_price == max(quote, 70_000)


def test_its_trades_move_no_price() -> None:
    """KRX rules 1.2, 1.4: neither the previous price nor the close, before the opening and after the close."""
    driver = krx()
    driver.do(SetRule(rule=Rule.PREVIOUS_PRICE, value=70_300, instrument=ONE))
    enter(driver, BEFORE)
    driver.do(sell(5, 70_000))
    driver.do(buy(5, 70_000))
    assert driver.trades[-1].price == 70_000
    instrument = driver.engine.state.instruments[0]
    assert (instrument.last_price, instrument.close_price, instrument.has_traded) == (70_300, 0, False)
    enter(driver, Phase.CONTINUOUS)
    driver.do(sell(1, CLOSE))
    driver.do(buy(1, CLOSE))
    enter(driver, Phase.AFTER_HOURS)
    driver.do(sell(1, 71_000))
    driver.do(buy(1, 71_000))
    enter(driver, AT_CLOSE)
    driver.do(sell(1, CLOSE))
    driver.do(buy(1, CLOSE))
    assert driver.trades[-1].price == CLOSE
    instrument = driver.engine.state.instruments[0]
    assert (instrument.last_price, instrument.close_price) == (71_000, CLOSE)
    driver.check()


def test_orders_end_with_their_session() -> None:
    driver = closed()
    driver.do(buy(5, CLOSE))
    events = driver.do(to(AT_CLOSE))
    assert not [event for event in events if isinstance(event, OrderExpired)], "the reception is of the same session"
    for phase in (Phase.AFTER_HOURS, Phase.CLOSED):
        (expired,) = driver.only(to(phase), OrderExpired)
        assert expired.reason == Reason.MARKET_SESSION_ENDED
        driver.do(to(AT_CLOSE, 2 + phase))
        driver.do(buy(5, CLOSE))
    driver.check()


def test_the_session_before_the_opening_is_apart_from_the_auction() -> None:
    """At yesterday's close; its orders do not get into the opening auction, and the auction's are matched before it."""
    driver = krx()
    enter(driver, Phase.OPENING_AUCTION)
    driver.do(buy(1, 70_100))
    driver.do(sell(1, 70_100))
    assert refusal(driver, to(BEFORE)) is Reason.AUCTION_PENDING
    driver.do(Uncross(instrument=ONE))
    enter(driver, BEFORE)
    assert driver.first(sell(1, 70_100), OrderRejected).reason == Reason.NOT_AT_CLOSE
    driver.do(sell(1, 70_000))
    (expired,) = driver.only(to(Phase.OPENING_AUCTION, 1), OrderExpired)
    assert expired.order_id == 4
    driver.check()


def test_the_first_day_of_a_listing_has_no_close_of_yesterday() -> None:
    driver = krx()
    driver.do(SetRule(rule=Rule.NEW_LISTING, value=1, instrument=ONE))
    enter(driver, BEFORE)
    assert why_not(driver, 70_000) is Reason.NO_CLOSE


def test_a_new_day_in_the_session_has_no_close_yet() -> None:
    driver = closed()
    driver.do(buy(5, CLOSE))
    driver.do(RollDay(trading_day=DAY + 1))
    assert why_not(driver, CLOSE) is Reason.NO_CLOSE
    driver.check()


def test_a_venue_may_take_no_orders_at_the_close_but_no_others_either() -> None:
    driver = closed()
    for types in (1 << OrderType.MARKET, 1 << OrderType.LIMIT | 1 << OrderType.MARKET):
        assert refusal(driver, SetRule(rule=Rule.TYPES_CLOSE_PRICE, value=types)) is Reason.INVALID_COMMAND
    driver.do(SetRule(rule=Rule.TYPES_CLOSE_PRICE, value=0, instrument=ONE))
    assert why_not(driver) is Reason.ORDER_TYPE_NOT_ALLOWED
