"""The auction's price against a search over every price on the grid, written for this test from the rules alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onseju.contract.commands import ChangePhase, ListInstrument, NewOrder, SetRule, Uncross
from onseju.contract.events import AuctionIndicated, AuctionUncrossed, OrderFilled
from onseju.contract.words import AccountKind, AuctionPricing, OrderType, Phase, Rule
from onseju.rules import packs
from tests.properties.driver import DAY, Driver

BUY, SELL = 1, 2
BASE, LOWER, UPPER = 20_000, 14_000, 26_000
GRID = [*range(LOWER, BASE, 10), *range(BASE, UPPER + 1, 50)]


@dataclass(frozen=True)
class Slip:
    """An order; price 0 = market. Its place in the list is its time."""

    side: int
    price: int
    qty: int


@dataclass(frozen=True)
class Curves:
    """Every order at a price: market orders at the one that they are deemed to have (KRX rules 5.5)."""

    slips: list[Slip]
    prices: list[int]

    def total(self, side: int, low: int, high: int) -> int:
        """What one side has from `low` to `high`."""
        pairs = zip(self.slips, self.prices, strict=True)
        return sum(slip.qty for slip, price in pairs if slip.side == side and low <= price <= high)

    def volume(self, price: int) -> int:
        return min(self.total(BUY, price, UPPER), self.total(SELL, LOWER, price))

    def fills_the_better(self, price: int) -> bool:
        """BR 23(4)1."""
        volume = self.volume(price)
        better = self.total(BUY, price + 1, UPPER), self.total(SELL, LOWER, price - 1)
        return volume > 0 and volume >= max(better)

    def leaves_nobody_empty(self, price: int) -> bool:
        """BR 23(4)2."""
        volume = self.volume(price)
        bid, ask = self.total(BUY, price, price), self.total(SELL, price, price)
        bids_above, asks_below = self.total(BUY, price + 1, UPPER), self.total(SELL, LOWER, price - 1)
        return not (bid and volume == bids_above) and not (ask and volume == asks_below)

    def matching_prices(self) -> list[int]:
        loose = [price for price in GRID if self.fills_the_better(price)]
        return [price for price in loose if self.leaves_nobody_empty(price)] or loose


def up(price: int) -> int:
    """The lowest grid price at or above."""
    return min(candidate for candidate in GRID if candidate >= price)


def down(price: int) -> int:
    return max(candidate for candidate in GRID if candidate <= price)


def tick_up(price: int) -> int:
    return min([candidate for candidate in GRID if candidate > price], default=UPPER)


def tick_down(price: int) -> int:
    return max([candidate for candidate in GRID if candidate < price], default=LOWER)


def deemed(slips: list[Slip], previous: int) -> Curves:
    bids = [slip.price for slip in slips if slip.side == BUY and slip.price]
    asks = [slip.price for slip in slips if slip.side == SELL and slip.price]
    if bids or asks:
        buy = max([up(previous), *(tick_up(max(bids)) for _ in bids[:1]), *asks])
        sell = min([down(previous), *(tick_down(min(asks)) for _ in asks[:1]), *bids])
    else:
        buying = sum(slip.qty for slip in slips if slip.side == BUY)
        selling = sum(slip.qty for slip in slips if slip.side == SELL)
        buy = tick_up(up(previous)) if buying > selling else up(previous)
        sell = tick_down(up(previous)) if selling > buying else up(previous)
    return Curves(slips, [slip.price or (buy if slip.side == BUY else sell) for slip in slips])


def chosen(matching: list[int], previous: int) -> int:
    """KRX rules 5.3."""
    if previous in matching:
        return previous
    if previous > matching[-1]:
        return matching[-1]
    if previous < matching[0]:
        return matching[0]
    return min(price for price in matching if price > previous)


near = st.integers(-6, 6).map(lambda n: GRID[GRID.index(BASE) + n])
prices = st.one_of(near, near, near, near, st.just(0), st.sampled_from((LOWER, UPPER)))
slips = st.builds(Slip, st.sampled_from((BUY, SELL)), prices, st.integers(1, 400))
previous_prices = st.one_of(near, st.integers(19_900, 20_300), st.sampled_from((LOWER, UPPER)))
thorough = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def auction(orders: list[Slip], previous: int, phase: Phase) -> Driver:
    """An auction that has collected these orders."""
    driver = Driver()
    for request in packs.commands("krx", DAY):
        driver.do(request.command)
    driver.do(
        ListInstrument(symbol=b"ONE", base_price=BASE, limit_ppm=packs.KRX_LIMIT_PPM, tick_table=packs.KRX_STOCKS_TABLE)
    )
    driver.account(9, kind=AccountKind.VENUE)
    driver.account(BUY, cash=10**12)
    driver.account(SELL, shares={1: 10**6})
    driver.do(SetRule(rule=Rule.PREVIOUS_PRICE, value=previous, instrument=1))
    driver.do(ChangePhase(instrument=1, trading_day=DAY, phase=phase))
    for slip in orders:
        driver.do(
            NewOrder(
                account=slip.side,
                instrument=1,
                side=slip.side,
                qty=slip.qty,
                limit_price=slip.price,
                order_type=OrderType.LIMIT if slip.price else OrderType.MARKET,
            )
        )
    return driver


@given(orders=st.lists(slips, min_size=2, max_size=12), previous=previous_prices)
@thorough
def test_the_price_is_the_one_of_all_that_satisfies_the_rules(orders: list[Slip], previous: int) -> None:
    """KRX rules 5.2 to 5.5, in the closing auction, where time alone decides at the price."""
    driver = auction(orders, previous, Phase.CLOSING_AUCTION)
    curves = deemed(orders, previous)
    matching = curves.matching_prices()
    price = chosen(matching, previous) if matching else 0
    volume = curves.volume(price) if matching else 0
    assert driver.engine.state.instruments[0].indicated == (price, volume)
    events = driver.do(Uncross(instrument=1))
    (uncrossed,) = [event for event in events if isinstance(event, AuctionUncrossed)]
    assert (uncrossed.price, uncrossed.qty) == (price, volume)
    assert volume == max(curves.volume(candidate) for candidate in GRID), "no other price trades more"
    filled = dict.fromkeys(range(1, len(orders) + 1), 0)
    for event in events:
        if isinstance(event, OrderFilled):
            assert event.price == price
            filled[event.order_id] += event.qty
    assert filled == by_rule(curves, price, volume)
    driver.check()


def by_rule(curves: Curves, price: int, volume: int) -> dict[int, int]:
    """Who gets what: the strictly better all, those at the price by time, market orders before limit orders except at a
    daily limit (KRX rules 5.4)."""
    filled = dict.fromkeys(range(1, len(curves.slips) + 1), 0)
    for side, sign, limit in ((BUY, -1, UPPER), (SELL, 1, LOWER)):
        left = volume
        queue = []
        for number, (slip, at) in enumerate(zip(curves.slips, curves.prices, strict=True), 1):
            if slip.side == side and sign * at <= sign * price:
                queue.append((sign * at, bool(slip.price) or at == limit, number))
        for _, _, number in sorted(queue):
            filled[number] = min(left, curves.slips[number - 1].qty)
            left -= filled[number]
    return filled


@given(orders=st.lists(slips, min_size=2, max_size=10), previous=previous_prices)
@thorough
def test_at_a_price_limit_an_opening_auction_divides_in_passes(orders: list[Slip], previous: int) -> None:
    """KRX rules 5.6, with the passes counted share by share."""
    driver = auction(orders, previous, Phase.OPENING_AUCTION)
    curves = deemed(orders, previous)
    matching = curves.matching_prices()
    events = driver.do(Uncross(instrument=1))
    price = chosen(matching, previous) if matching else 0
    expected = by_rule(curves, price, curves.volume(price)) if price else {}
    for side, limit in ((BUY, UPPER), (SELL, LOWER)):
        if price == limit:
            pool = [n for n, p in enumerate(curves.prices, 1) if p == limit and curves.slips[n - 1].side == side]
            expected |= in_passes({number: curves.slips[number - 1].qty for number in pool}, curves.volume(price))
    filled: dict[int, int] = {}
    for event in events:
        if isinstance(event, OrderFilled):
            filled[event.order_id] = filled.get(event.order_id, 0) + event.qty
    assert filled == {number: qty for number, qty in expected.items() if qty}
    driver.check()


def in_passes(asks_for: dict[int, int], volume: int) -> dict[int, int]:
    got = dict.fromkeys(asks_for, 0)
    queue = sorted(asks_for, key=lambda number: (-asks_for[number], number))
    for a_pass in (1, 2, 3):
        for number in queue:
            lacks = asks_for[number] - got[number]
            share = min(lacks, 100) if a_pass == 1 else (lacks - lacks // 2 if a_pass == 2 else lacks)
            share = min(share, volume)
            got[number] += share
            volume -= share
    return got


@given(orders=st.lists(slips, min_size=2, max_size=10), previous=previous_prices)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_left_does_not_cross_and_trades_on_by_the_same_queue(orders: list[Slip], previous: int) -> None:
    """KRX rules 5.7: the rest keeps its time; continuous trading may begin at once."""
    driver = auction(orders, previous, Phase.CLOSING_AUCTION)
    driver.do(Uncross(instrument=1))
    trades = len(driver.trades)
    driver.do(ChangePhase(instrument=1, trading_day=DAY, phase=Phase.CONTINUOUS))
    assert len(driver.trades) == trades
    driver.check()


@given(orders=st.lists(slips, min_size=2, max_size=12), previous=st.integers(19_900, 20_300))
@thorough
def test_max_volume_takes_the_price_of_an_order_with_the_most_volume(orders: list[Slip], previous: int) -> None:
    """The `plain` rule: then the smallest surplus, then the higher price; market orders trade at any."""
    driver = Driver()
    for request in packs.commands("plain", DAY):
        driver.do(request.command)
    driver.do(ListInstrument(symbol=b"ONE", base_price=previous))
    driver.account(BUY, cash=10**12)
    driver.account(SELL, shares={1: 10**6})
    driver.do(ChangePhase(instrument=1, trading_day=DAY, phase=Phase.OPENING_AUCTION))
    for slip in orders:
        driver.do(
            NewOrder(
                account=slip.side,
                instrument=1,
                side=slip.side,
                qty=slip.qty,
                limit_price=slip.price,
                order_type=OrderType.LIMIT if slip.price else OrderType.MARKET,
            )
        )
    found = []
    for price in {slip.price for slip in orders if slip.price} or {previous}:
        demand = sum(s.qty for s in orders if s.side == BUY and (not s.price or s.price >= price))
        offer = sum(s.qty for s in orders if s.side == SELL and s.price <= price)
        found.append((min(demand, offer), -abs(demand - offer), price))
    volume, _, price = max(found)
    (uncrossed,) = driver.only(Uncross(instrument=1), AuctionUncrossed)
    assert (uncrossed.price, uncrossed.qty) == ((price, volume) if volume else (0, 0))
    driver.check()


@pytest.mark.parametrize("pricing", AuctionPricing)
def test_an_auction_is_indicated_only_when_it_changes(pricing: AuctionPricing) -> None:
    driver = auction([Slip(BUY, 20_050, 10)], BASE, Phase.OPENING_AUCTION)
    driver.do(SetRule(rule=Rule.AUCTION_PRICING, value=pricing))
    sell = NewOrder(account=SELL, instrument=1, side=SELL, qty=4, limit_price=20_050, order_type=OrderType.LIMIT)
    (indicated,) = driver.only(sell, AuctionIndicated)
    assert (indicated.price, indicated.qty) == (20_050, 4)
    away = NewOrder(account=SELL, instrument=1, side=SELL, qty=4, limit_price=20_500, order_type=OrderType.LIMIT)
    assert driver.only(away, AuctionIndicated) == []
    (indicated,) = driver.only(Uncross(instrument=1), AuctionIndicated)
    assert (indicated.price, indicated.qty) == (0, 0)
