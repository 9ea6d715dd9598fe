"""Phases, halts, circuit breakers, the close and the trading day."""

from __future__ import annotations

import pytest

from onseju.contract.commands import (
    CancelOrder,
    ChangePhase,
    Command,
    DepositCash,
    Halt,
    ListInstrument,
    Resume,
    RollDay,
    SetRule,
    Uncross,
    WithdrawCash,
)
from onseju.contract.events import (
    AuctionExtended,
    AuctionUncrossed,
    BalanceChanged,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    PhaseChanged,
    PriceLimitsSet,
    RequestRejected,
    Trade,
)
from onseju.contract.reasons import Reason
from onseju.contract.words import Board, Liquidity, OrderType, Phase, Rule
from onseju.rules import packs
from tests.properties.driver import DAY, Driver
from tests.unit.matching.venue import BUYER, ONE, SELLER, buy, order, sell, venue

CLOSING, OPENING, CONTINUOUS = Phase.CLOSING_AUCTION, Phase.OPENING_AUCTION, Phase.CONTINUOUS


def krx(base_price: int = 70_000, **changes: int) -> Driver:
    return venue("krx", base_price=base_price, **changes)


def enter(driver: Driver, phase: Phase, occurrence: int = 0, instrument: int = ONE) -> PhaseChanged:
    command = ChangePhase(instrument=instrument, trading_day=DAY, phase=phase, occurrence=occurrence)
    return driver.first(command, PhaseChanged)


def refusal(driver: Driver, command: Command) -> Reason:
    return Reason(driver.first(command, RequestRejected).reason)


# Auctions


def test_an_auction_tells_its_fills_as_nobodys_taking() -> None:
    """KRX rules 5.4: all trades print at one price; who was first does not matter."""
    driver = krx()
    enter(driver, OPENING)
    driver.do(sell(10, 69_900))
    driver.do(buy(10, 70_100))
    events = driver.do(Uncross(instrument=ONE))
    (trade,) = [event for event in events if isinstance(event, Trade)]
    assert (trade.price, trade.qty, trade.taker_side) == (70_000, 10, 0)
    fills = [event for event in events if isinstance(event, OrderFilled)]
    assert [(fill.account, fill.liquidity) for fill in fills] == [
        (BUYER, Liquidity.AUCTION),
        (SELLER, Liquidity.AUCTION),
    ]
    (uncrossed,) = [event for event in events if isinstance(event, AuctionUncrossed)]
    assert (uncrossed.price, uncrossed.qty) == (70_000, 10)
    assert driver.balances[BUYER] == (10**9 - 700_000, 0)
    driver.check()


def test_there_is_nothing_to_uncross_in_continuous_trading() -> None:
    driver = krx()
    assert refusal(driver, Uncross(instrument=ONE)) is Reason.INVALID_COMMAND
    assert refusal(driver, Uncross(instrument=9)) is Reason.UNKNOWN_SYMBOL


def test_all_auctions_are_uncrossed_at_once() -> None:
    driver = krx()
    driver.do(ListInstrument(symbol=b"TWO", base_price=0))
    enter(driver, OPENING, instrument=0)
    assert [event.instrument for event in driver.only(Uncross(), AuctionUncrossed)] == [1, 2]


def test_continuous_trading_waits_until_the_auction_is_uncrossed() -> None:
    driver = krx()
    enter(driver, OPENING)
    driver.do(sell(10, 70_000))
    driver.do(buy(10, 70_000))
    begin = ChangePhase(instrument=0, trading_day=DAY, phase=CONTINUOUS)
    assert refusal(driver, begin) is Reason.AUCTION_PENDING
    driver.do(Uncross(instrument=ONE))
    assert driver.first(begin, PhaseChanged).phase == CONTINUOUS


def test_an_auction_that_was_extended_stays_while_the_others_open() -> None:
    """KRX rules 6.1: the phase command for all moves the others; the same command moves it later."""
    driver = krx(base_price=100_000)
    driver.do(
        ListInstrument(
            symbol=b"TWO",
            base_price=100_000,
            limit_ppm=packs.KRX_LIMIT_PPM,
            vi_static_ppm=100_000,
            tick_table=packs.KRX_STOCKS_TABLE,
        )
    )
    driver.account(8, cash=10**9)
    driver.account(9, shares={2: 10})
    enter(driver, OPENING, instrument=0)
    driver.do(sell(10, 112_000, instrument=2, account=9))
    driver.do(buy(10, 112_000, instrument=2, account=8))
    extended = driver.only(Uncross(), AuctionExtended)
    assert [(event.instrument, event.price, event.reason) for event in extended] == [(2, 112_000, Reason.VI_STATIC)]
    begin = ChangePhase(trading_day=DAY, phase=CONTINUOUS)
    assert [event.instrument for event in driver.only(begin, PhaseChanged)] == [1]
    assert refusal(driver, begin) is Reason.AUCTION_PENDING
    assert [event.qty for event in driver.only(Uncross(), AuctionUncrossed)] == [10]
    assert [event.instrument for event in driver.only(begin, PhaseChanged)] == [2]
    driver.check()


def test_what_the_auctions_price_woke_trades_when_continuous_trading_begins() -> None:
    """A stop that wakes after the uncross need not wait for another auction, and leaves no crossed book."""
    driver = krx(base_price=100_000)
    enter(driver, OPENING)
    driver.do(buy(5, 100_500, order_type=OrderType.STOP_LIMIT, stop_price=100_200))
    driver.do(sell(10, 100_200))
    driver.do(buy(10, 100_200))
    driver.do(sell(3, 100_400))
    events = driver.do(Uncross(instrument=ONE))
    assert [event.order_id for event in events if isinstance(event, OrderTriggered)] == [1]
    trades = driver.only(ChangePhase(instrument=ONE, trading_day=DAY, phase=CONTINUOUS), Trade)
    assert [(trade.price, trade.qty) for trade in trades] == [(100_400, 3)]
    driver.check()


def test_an_interruption_tells_its_reason_and_number() -> None:
    """KRX rules 6.1: unlimited in number, counted by the day."""
    driver = krx(base_price=100_000)
    driver.do(SetRule(rule=Rule.VI_DYNAMIC_PPM, value=30_000, instrument=ONE))
    for number, price in ((1, 103_000), (2, 107_000)):
        driver.do(sell(5, price))
        events = driver.do(buy(5, price))
        (changed,) = [event for event in events if isinstance(event, PhaseChanged)]
        assert (changed.phase, changed.reason, changed.occurrence) == (Phase.VI_AUCTION, Reason.VI_DYNAMIC, number)
        assert not any(isinstance(event, Trade) for event in events)
        driver.do(Uncross(instrument=ONE))
        enter(driver, CONTINUOUS, occurrence=number)
    assert [trade.price for trade in driver.trades] == [103_000, 107_000]
    driver.do(RollDay(trading_day=DAY + 1))
    assert driver.engine.state.instruments[0].interruptions == 0


# The closing auction


def test_a_conditional_order_becomes_a_market_order() -> None:
    """KRX rules 3.5, 8.1: for the part that the cash covers at the upper limit; the rest ends with the reason."""
    driver = krx(base_price=10_000, cash=100_000)
    driver.do(buy(10, 10_000, order_type=OrderType.CONDITIONAL_LIMIT))
    events = driver.do(ChangePhase(instrument=ONE, trading_day=DAY, phase=CLOSING))
    (cut,) = [event for event in events if isinstance(event, OrderCanceled)]
    assert (cut.leaves_qty, cut.canceled_qty, cut.reason) == (7, 3, Reason.CASH_RAN_OUT)
    (converted,) = [event for event in events if isinstance(event, OrderTriggered)]
    assert (converted.order_type, converted.limit_price, converted.leaves_qty) == (OrderType.MARKET, 0, 7)
    assert driver.balances[BUYER] == (100_000, 91_000)
    driver.check()


def test_a_conditional_order_without_cash_for_a_share_ends() -> None:
    driver = krx(base_price=10_000, cash=12_000)
    driver.do(buy(1, 10_000, order_type=OrderType.CONDITIONAL_LIMIT))
    events = driver.do(ChangePhase(instrument=ONE, trading_day=DAY, phase=CLOSING))
    (ended,) = [event for event in events if isinstance(event, OrderCanceled)]
    assert (ended.leaves_qty, ended.reason) == (0, Reason.CASH_RAN_OUT)
    assert driver.balances[BUYER] == (12_000, 0)


# Halts


def test_a_halt_takes_cancels_only_and_ends_in_an_auction() -> None:
    """KRX rules 5.1, 6.2: 10 minutes of collecting come before continuous trading."""
    driver = krx()
    driver.do(buy(10, 70_000))
    driver.do(Halt(instrument=ONE))
    assert driver.first(sell(1, 70_000), OrderRejected).reason == Reason.HALTED
    driver.first(CancelOrder(account=BUYER, order_id=1, qty=4), OrderCanceled)
    assert driver.first(Resume(instrument=ONE, phase=Phase.RESUMPTION_AUCTION), PhaseChanged).phase == 9
    driver.do(sell(6, 70_000))
    assert [event.qty for event in driver.only(Uncross(instrument=ONE), AuctionUncrossed)] == [6]


def test_a_halt_in_an_auction_does_not_end_in_continuous_trading() -> None:
    driver = krx()
    enter(driver, OPENING)
    driver.do(sell(10, 70_000))
    driver.do(buy(10, 70_000))
    driver.do(Halt(instrument=ONE))
    assert refusal(driver, Resume(instrument=ONE)) is Reason.AUCTION_PENDING
    driver.first(Resume(instrument=ONE, phase=Phase.RESUMPTION_AUCTION), PhaseChanged)


def test_a_phase_command_for_all_leaves_the_halted_halted() -> None:
    driver = krx()
    driver.do(ListInstrument(symbol=b"TWO", base_price=0))
    driver.do(Halt(instrument=2))
    moved = driver.only(ChangePhase(trading_day=DAY, phase=CLOSING), PhaseChanged)
    assert [event.instrument for event in moved] == [1]


def test_the_circuit_breakers_stages() -> None:
    """KRX rules 6.2: KOSPI and KOSDAQ separately, each stage once a day, the third closes for the day."""
    driver = krx()
    driver.do(ListInstrument(symbol=b"KP", base_price=0, board=Board.KOSPI))
    driver.do(ListInstrument(symbol=b"KQ", base_price=0, board=Board.KOSDAQ))
    first = driver.only(Halt(stage=1, flags=Board.KOSPI), PhaseChanged)
    assert [(event.instrument, event.phase, event.reason) for event in first] == [
        (2, Phase.HALTED, Reason.CIRCUIT_BREAKER)
    ]
    driver.do(Resume(phase=Phase.RESUMPTION_AUCTION))
    assert refusal(driver, Halt(stage=1, flags=Board.KOSPI)) is Reason.INVALID_COMMAND
    assert [event.instrument for event in driver.only(Halt(stage=2), PhaseChanged)] == [1, 2, 3]
    assert [event.phase for event in driver.only(Halt(stage=3, flags=Board.KOSPI), PhaseChanged)] == [Phase.CLOSED]
    again = ChangePhase(instrument=2, trading_day=DAY, phase=OPENING)
    assert refusal(driver, again) is Reason.INVALID_COMMAND
    assert refusal(driver, Halt(instrument=2)) is Reason.INVALID_COMMAND, "a halt could end in trading"
    assert driver.first(buy(1, 1, instrument=2), OrderRejected).reason == Reason.MARKET_CLOSED
    driver.do(RollDay(trading_day=DAY + 1))
    driver.first(ChangePhase(instrument=2, trading_day=DAY + 1, phase=OPENING), PhaseChanged)


def test_a_circuit_breaker_ends_an_interruption() -> None:
    """KRX rules 6.1."""
    driver = krx(base_price=100_000)
    driver.do(SetRule(rule=Rule.VI_DYNAMIC_PPM, value=30_000))
    driver.do(sell(5, 103_000))
    driver.do(buy(5, 103_000))
    (halted,) = driver.only(Halt(stage=1), PhaseChanged)
    assert halted.phase == Phase.HALTED
    driver.check()


# After hours and the close


def test_orders_move_neither_into_nor_out_of_the_after_market() -> None:
    """KRX rules 2.2; its trades do not change the official close."""
    driver = krx()
    driver.do(sell(1, 70_100))
    driver.do(buy(1, 70_100))
    driver.do(buy(5, 69_900))
    events = driver.do(ChangePhase(trading_day=DAY, phase=Phase.AFTER_HOURS))
    assert [event.reason for event in events if isinstance(event, OrderExpired)] == [Reason.MARKET_SESSION_ENDED]
    driver.do(sell(5, 70_500))
    driver.do(buy(2, 70_500))
    events = driver.do(ChangePhase(trading_day=DAY, phase=Phase.CLOSED))
    assert [event.order_id for event in events if isinstance(event, OrderExpired)] == [4]
    (limits,) = driver.only(RollDay(trading_day=DAY + 1), PriceLimitsSet)
    assert limits.base_price == 70_100


@pytest.mark.parametrize(
    ("quotes", "close"),
    [
        ([(2, 69_500)], 69_500),
        ([(2, 70_500)], 70_000),
        ([(1, 70_500)], 70_500),
        ([(1, 69_500)], 70_000),
        ([(1, 69_000), (2, 69_500)], 69_500),
        ([], 70_000),
    ],
)
def test_a_day_without_a_trade_closes_at_its_quotes(quotes: list[tuple[int, int]], close: int) -> None:
    """KRX rules 1.2, 기세: the lowest ask below the base price, else the highest bid above it, else the base price."""
    for through_after_hours in (False, True):
        driver = krx()
        for side, price in quotes:
            driver.first(order(buy(1).side if side == 1 else sell(1).side, 5, price), OrderAccepted)
        if through_after_hours:
            driver.do(ChangePhase(trading_day=DAY, phase=Phase.AFTER_HOURS))
        (limits,) = driver.only(RollDay(trading_day=DAY + 1), PriceLimitsSet)
        assert limits.base_price == close


def test_a_close_off_the_grid_is_raised() -> None:
    """KRX rules 1.2: a midpoint trade may close the day."""
    driver = krx(base_price=20_000)
    driver.do(sell(10, 20_100))
    driver.do(buy(10, 20_050))
    driver.do(sell(1, order_type=OrderType.MIDPOINT))
    driver.do(buy(1, order_type=OrderType.MIDPOINT))
    assert driver.trades[-1].price == 20_075
    (limits,) = driver.only(RollDay(trading_day=DAY + 1), PriceLimitsSet)
    assert limits.base_price == 20_100


def test_the_previous_price_can_differ_from_the_base_price() -> None:
    """KRX rules 1.4: only before the first trade of the day."""
    driver = krx()
    driver.do(SetRule(rule=Rule.PREVIOUS_PRICE, value=70_300, instrument=ONE))
    driver.do(buy(5))
    assert driver.engine.book(ONE) == ([(70_300, 5, 1)], [])
    driver.do(SetRule(rule=Rule.PREVIOUS_PRICE, value=70_400, instrument=ONE))
    assert driver.engine.book(ONE) == ([(70_400, 5, 1)], [])
    driver.do(sell(1, 70_400))
    late = SetRule(rule=Rule.PREVIOUS_PRICE, value=70_500, instrument=ONE)
    assert refusal(driver, late) is Reason.INVALID_COMMAND
    driver.check()


# Settlement


def test_cash_settles_two_trading_days_later() -> None:
    """KRX rules 7.3: proceeds buy at once, and are withdrawn on T+2."""
    driver = krx(cash=1_000_000)
    driver.do(sell(10, 70_000))
    driver.do(buy(10, 70_000))
    sold = {event.account: event for event in driver.only(DepositCash(account=SELLER, amount=1), BalanceChanged)}
    assert (sold[SELLER].cash, sold[SELLER].unsettled_d1, sold[SELLER].unsettled_d2) == (700_001, 0, 700_000)
    assert driver.unsettled[BUYER] == (0, -700_000)
    assert refusal(driver, WithdrawCash(account=SELLER, amount=2)) is Reason.CASH_NOT_SETTLED
    assert refusal(driver, WithdrawCash(account=BUYER, amount=300_001)) is Reason.INSUFFICIENT_CASH
    driver.first(buy(1, 70_000, account=SELLER), OrderAccepted)
    driver.do(RollDay(trading_day=DAY + 1))
    assert (driver.unsettled[SELLER], driver.unsettled[BUYER]) == ((700_000, 0), (-700_000, 0))
    assert refusal(driver, WithdrawCash(account=SELLER, amount=2)) is Reason.CASH_NOT_SETTLED
    driver.do(RollDay(trading_day=DAY + 2))
    assert (driver.unsettled[SELLER], driver.unsettled[BUYER]) == ((0, 0), (0, 0))
    assert driver.first(WithdrawCash(account=SELLER, amount=700_001), BalanceChanged).cash == 0
    driver.check()


def test_what_leaves_tomorrow_is_not_withdrawn_today() -> None:
    """Bought yesterday, sold today: the money of D+1 is spoken for, that of D+2 is not here."""
    driver = krx(cash=1_000_000)
    driver.do(sell(10, 70_000))
    driver.do(buy(10, 70_000))
    driver.do(RollDay(trading_day=DAY + 1))
    driver.account(9, cash=10**6)
    driver.do(sell(10, 70_000, account=BUYER))
    driver.do(buy(10, 70_000, account=9))
    assert driver.balances[BUYER] == (1_000_000, 0)
    assert driver.unsettled[BUYER] == (-700_000, 700_000)
    assert refusal(driver, WithdrawCash(account=BUYER, amount=300_001)) is Reason.CASH_NOT_SETTLED
    assert driver.first(WithdrawCash(account=BUYER, amount=300_000), BalanceChanged).cash == 700_000


def test_plain_cash_is_settled_at_once() -> None:
    driver = venue()
    driver.do(sell(10, 100))
    driver.do(buy(10, 100))
    assert driver.first(WithdrawCash(account=SELLER, amount=1_000), BalanceChanged).cash == 0


# Sizes


@pytest.mark.parametrize(
    ("base_price", "listed_shares", "most"),
    [
        (98_500, 5_919_637_922, 1_015_229),  # 583 trillion won: 100 billion by value, rounded up
        (50_000, 200_000_000, 2_000_000),  # exactly 10 trillion
        (50_000, 199_999_999, 1_999_999),  # a share less: 1 % of the shares
        (1_000, 100_000_000, 1_000_000),  # exactly 100 billion
        (1_000, 99_999_999, 1_000_000),  # less: a billion by value
        (700, 30_000_000, 1_428_572),  # 21 billion
        (700, 28_000_000, 1_400_000),  # 19.6 billion: 5 % of the shares
    ],
)
def test_the_most_shares_of_one_order(base_price: int, listed_shares: int, most: int) -> None:
    """KRX rules 2.4."""
    driver = krx()
    driver.do(
        ListInstrument(
            symbol=b"TWO",
            base_price=base_price,
            listed_shares=listed_shares,
            limit_ppm=packs.KRX_LIMIT_PPM,
            tick_table=packs.KRX_STOCKS_TABLE,
        )
    )
    driver.account(9, cash=10**13)
    too_many = buy(most + 1, base_price, instrument=2, account=9)
    assert driver.first(too_many, OrderRejected).reason == Reason.QTY_LIMIT
    driver.first(buy(most, base_price, instrument=2, account=9), OrderAccepted)
