"""동시호가: what an auction at a price limit leaves to its pool, and how continuous trading uses it up (KRX rules 5.6)."""

from __future__ import annotations

from onseju.contract.commands import CancelOrder, ChangePhase, SetRule, Uncross
from onseju.contract.words import MarketRemainder, Phase, Rule, SelfTradePrevention, TimeInForce
from tests.properties.driver import DAY, Driver
from tests.unit.matching.venue import ONE, SELLER, buy, sell, venue

LOWER = 1_400


def limit_down_opening() -> Driver:
    """A limit ask of 100 and a market sell of 1,000 share 400 at the lower limit: the latter 300, with 250 + 450 to come."""
    driver = venue("krx", base_price=2_000)
    driver.do(ChangePhase(instrument=ONE, trading_day=DAY, phase=Phase.OPENING_AUCTION))
    driver.do(sell(100, LOWER))
    driver.do(sell(1_000))
    driver.do(buy(400, LOWER))
    driver.do(Uncross(instrument=ONE))
    driver.do(ChangePhase(instrument=ONE, trading_day=DAY, phase=Phase.CONTINUOUS))
    filled = {order_id: driver.orders[order_id].filled_qty for order_id in (1, 2)}
    assert filled == {1: 100, 2: 300}
    return driver


def sold(driver: Driver) -> list[tuple[int, int, int]]:
    """What was sold since the auction: by which order, price, quantity."""
    return [(trade.sell_order_id, trade.price, trade.qty) for trade in driver.trades if trade.taker_side]


def test_what_a_market_order_trades_at_another_price_is_not_of_its_turn() -> None:
    driver = limit_down_opening()
    driver.do(sell(5, 1_500))
    driver.do(buy(300, 1_499))
    assert sold(driver) == [(2, 1_499, 300)], "one tick below the best ask, away from the limit"
    driver.do(sell(10, LOWER))
    driver.do(buy(395, LOWER))
    assert sold(driver)[1:] == [(2, LOWER, 250), (2, LOWER, 145)], "its turn of 250, then the next one's first 145"
    driver.do(buy(400, LOWER, time_in_force=TimeInForce.FOK))
    driver.do(buy(15, LOWER, time_in_force=TimeInForce.FOK))
    assert sold(driver)[3:] == [(2, LOWER, 5), (6, LOWER, 10)], "only 15 are there"
    driver.check()


def test_a_market_order_that_stops_floating_takes_no_more_than_its_turn() -> None:
    """Where a host lets market orders wait without a price, they go first with all they have, whoever's turn it is."""
    driver = limit_down_opening()
    driver.do(SetRule(rule=Rule.MARKET_REMAINDER, value=MarketRemainder.REST))
    driver.do(buy(300, LOWER))
    assert sold(driver) == [(2, LOWER, 300)], "its turn was of 250"
    driver.do(sell(50, LOWER))
    driver.do(buy(420, 1_450))
    assert sold(driver)[1:] == [(2, 1_450, 400), (5, LOWER, 20)]
    driver.check()


def test_a_pool_of_which_nothing_is_left_is_in_nobodys_way() -> None:
    driver = limit_down_opening()
    driver.do(sell(5, 1_500))
    driver.do(buy(300, 1_499))
    driver.do(CancelOrder(account=SELLER, order_id=2))
    driver.do(sell(10))
    driver.do(buy(4, 1_499, time_in_force=TimeInForce.FOK))
    assert sold(driver)[1:] == [(6, 1_499, 4)]
    driver.check()


def test_a_fok_sees_past_its_own_accounts_turns() -> None:
    """With `cancel_resting` the account's own pool order goes, with all its turns, and the next one's are met."""
    driver = venue("krx", base_price=2_000, self_trade_prevention=SelfTradePrevention.CANCEL_RESTING)
    driver.account(8, shares={ONE: 1_000}, cash=10**9)
    driver.do(ChangePhase(instrument=ONE, trading_day=DAY, phase=Phase.OPENING_AUCTION))
    driver.do(sell(1_000, LOWER, account=8))
    driver.do(sell(400, LOWER))
    driver.do(buy(300, LOWER))
    driver.do(Uncross(instrument=ONE))
    driver.do(ChangePhase(instrument=ONE, trading_day=DAY, phase=Phase.CONTINUOUS))
    driver.do(buy(301, LOWER, account=8, time_in_force=TimeInForce.FOK))
    assert sold(driver) == [], "300 are another's, so it is killed and nothing is canceled"
    assert driver.orders[1].leaves_qty == 800
    driver.do(buy(300, LOWER, account=8, time_in_force=TimeInForce.FOK))
    assert sum(qty for _, _, qty in sold(driver)) == 300
    assert driver.orders[1].leaves_qty == 0
    driver.check()
