"""Market orders, IOC and FOK: they walk the volume that is there; what is left is canceled or rests by rule."""

from __future__ import annotations

from onseju.contract.commands import CancelOrder, DepositShares, WithdrawCash
from onseju.contract.events import OrderAccepted, OrderCanceled, OrderFilled
from onseju.contract.reasons import Reason
from onseju.contract.words import Liquidity, MarketRemainder, Side, TimeInForce
from tests.properties.driver import Driver
from tests.unit.matching.venue import BUYER, ONE, SELLER, buy, sell, told, venue

REST = int(MarketRemainder.REST)
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK


def trades(driver: Driver) -> list[tuple[int, int, int, int]]:
    return [(trade.buy_order_id, trade.sell_order_id, trade.price, trade.qty) for trade in driver.trades]


def test_a_market_buy_walks_the_levels_and_its_rest_is_canceled() -> None:
    driver = venue()
    for price in (102, 101, 103):
        driver.do(sell(10, price))
    events = driver.do(buy(35))
    assert trades(driver) == [(4, 2, 101, 10), (4, 1, 102, 10), (4, 3, 103, 10)]
    assert told(events) == [("OrderAccepted", Reason.NONE), ("OrderCanceled", Reason.MARKET_REMAINDER)]
    last = driver.orders[4]
    assert (last.leaves_qty, last.filled_qty, last.canceled_qty, last.filled_amount) == (0, 30, 5, 3_060)
    assert driver.balances[BUYER] == (10**9 - 3_060, 0)


def test_fills_tell_both_sides_the_maker_first() -> None:
    driver = venue()
    driver.do(sell(10, 100))
    fills = driver.only(buy(4, 105), OrderFilled)
    assert [(fill.account, fill.liquidity, fill.price, fill.leaves_qty) for fill in fills] == [
        (SELLER, Liquidity.MAKER, 100, 6),
        (BUYER, Liquidity.TAKER, 100, 0),
    ]
    assert driver.trades[0].taker_side == Side.BUY


def test_cash_runs_out_on_the_way() -> None:
    driver = venue(cash=1_050)
    driver.do(sell(5, 100))
    driver.do(sell(5, 200))
    driver.do(sell(5, 300))
    events = driver.do(buy(12))
    assert trades(driver) == [(4, 1, 100, 5), (4, 2, 200, 2)]
    assert told(events)[-1] == ("OrderCanceled", Reason.CASH_RAN_OUT)
    assert driver.balances[BUYER] == (150, 0)


def test_a_commission_counts_when_cash_runs_out() -> None:
    driver = venue(cash=1_009, commission_ppm=10_000)
    driver.do(sell(20, 100))
    driver.do(buy(20))
    assert [trade.qty for trade in driver.trades] == [9]
    assert driver.balances[BUYER] == (1_009 - 909, 0)
    driver.check()


def test_ioc_takes_what_is_there() -> None:
    driver = venue()
    driver.do(sell(10, 100))
    events = driver.do(buy(15, 100, time_in_force=IOC))
    assert told(events)[-1] == ("OrderCanceled", Reason.IOC_REMAINDER)
    assert not driver.engine.state.orders
    assert driver.balances[BUYER] == (10**9 - 1_000, 0)


def test_fok_takes_all_over_several_levels_or_nothing() -> None:
    driver = venue()
    driver.do(sell(10, 100))
    driver.do(sell(10, 101))
    killed = driver.do(buy(20, 100, time_in_force=FOK))
    assert told(killed)[-1] == ("OrderCanceled", Reason.FOK_KILLED)
    assert not driver.trades
    driver.do(buy(20, 101, time_in_force=FOK))
    assert trades(driver) == [(4, 1, 100, 10), (4, 2, 101, 10)]


def test_fok_at_market_looks_at_its_cash_too() -> None:
    driver = venue(cash=1_999)
    driver.do(sell(10, 100))
    driver.do(sell(10, 100))
    killed = driver.do(buy(20, time_in_force=FOK))
    assert told(killed)[-1] == ("OrderCanceled", Reason.FOK_KILLED)
    assert not driver.trades
    driver.do(buy(19, time_in_force=FOK))
    assert sum(trade.qty for trade in driver.trades) == 19


def test_fok_looks_at_the_cash_of_resting_market_buys() -> None:
    """Of two market buys that rest on the same cash only as much counts as it pays."""
    driver = venue(market_remainder=REST, cash=1_500)
    driver.do(buy(10))
    driver.do(buy(10))
    assert told(driver.do(sell(16, 100, time_in_force=FOK)))[-1] == ("OrderCanceled", Reason.FOK_KILLED)
    assert not driver.trades
    driver.do(sell(15, 100, time_in_force=FOK))
    assert trades(driver) == [(1, 4, 100, 10), (2, 4, 100, 5)]


def test_fok_counts_market_orders_that_its_own_first_trade_wakes() -> None:
    """The waiting market sell has no price to trade at, until the limit sell behind it has given one."""
    driver = venue(market_remainder=REST)
    driver.do(sell(3))
    driver.do(sell(2, 100))
    assert not driver.trades
    driver.do(buy(5, time_in_force=FOK))
    assert trades(driver) == [(3, 2, 100, 2), (3, 1, 100, 3)]


def test_a_resting_market_order_ranks_first_and_shows_in_no_level() -> None:
    driver = venue(market_remainder=REST)
    driver.do(buy(5, 110))
    driver.do(buy(5))
    assert driver.engine.book(ONE) == ([(110, 5, 1)], [])
    driver.do(sell(7, 100))
    assert trades(driver) == [(2, 3, 100, 5), (1, 3, 110, 2)]


def test_two_market_orders_wait_for_a_first_price() -> None:
    driver = venue(market_remainder=REST)
    driver.do(buy(5))
    driver.do(sell(3))
    assert not driver.trades
    driver.do(sell(1, 100))
    assert trades(driver) == [(1, 3, 100, 1), (1, 2, 100, 3)]
    assert driver.engine.state.orders.keys() == {1}


def test_two_market_orders_trade_at_the_last_price() -> None:
    driver = venue(market_remainder=REST, base_price=120)
    driver.do(buy(5))
    driver.do(sell(3))
    assert trades(driver) == [(1, 2, 120, 3)]


def test_a_resting_market_buy_runs_out_of_cash_and_the_next_is_asked() -> None:
    driver = venue(market_remainder=REST, cash=1_000)
    driver.do(buy(10))
    driver.do(WithdrawCash(account=BUYER, amount=550))
    driver.account(4, cash=10_000)
    driver.do(buy(10, account=4))
    events = driver.do(sell(10, 100))
    assert trades(driver) == [(1, 3, 100, 4), (2, 3, 100, 6)]
    assert ("OrderCanceled", Reason.CASH_RAN_OUT) in told(events)
    assert driver.engine.state.orders.keys() == {2}
    driver.check()


def test_an_account_may_trade_with_itself() -> None:
    driver = venue()
    driver.do(DepositShares(account=BUYER, instrument=ONE, qty=10, cost_amount=500))
    driver.do(sell(10, 100, account=BUYER))
    driver.do(buy(10, 100))
    driver.check()
    assert driver.balances[BUYER] == (10**9, 0)
    assert driver.positions[BUYER, ONE] == (10, 0, 1_000, 500)


def test_cost_and_profit() -> None:
    driver = venue()
    driver.do(sell(10, 100))
    driver.do(sell(5, 130))
    driver.do(buy(15))
    assert driver.positions[BUYER, ONE] == (15, 0, 1_650, 0)
    driver.account(4, cash=10_000)
    driver.do(buy(4, 120, account=4))
    driver.do(sell(4, account=BUYER))
    assert driver.positions[BUYER, ONE] == (11, 0, 1_210, 40)


def test_a_better_price_frees_the_difference() -> None:
    """KRX rules 8.1: limit 71,000 × 100 filled 60 at 70,000: 4,200,000 paid, 2,840,000 still reserved."""
    driver = venue("krx", base_price=70_000, cash=7_100_000)
    driver.do(sell(60, 70_000))
    driver.do(buy(100, 71_000))
    assert driver.balances[BUYER] == (2_900_000, 2_840_000)


def test_a_part_cancel_keeps_the_place() -> None:
    driver = venue()
    driver.do(buy(10, 100))
    driver.do(buy(10, 100))
    partial = driver.first(CancelOrder(account=BUYER, order_id=1, qty=4), OrderCanceled)
    assert (partial.leaves_qty, partial.canceled_qty, partial.status) == (6, 4, 1)
    driver.do(sell(7, 100))
    assert trades(driver) == [(1, 3, 100, 6), (2, 3, 100, 1)]


def test_a_filled_rest_after_a_part_cancel_is_filled() -> None:
    driver = venue()
    order = driver.first(buy(10, 100), OrderAccepted)
    driver.do(CancelOrder(account=BUYER, order_id=order.order_id, qty=4))
    driver.do(sell(6, 100))
    last = driver.orders[order.order_id]
    assert (last.status, last.filled_qty, last.canceled_qty) == (3, 6, 4)
