"""KRX's continuous trading against a plain list: whenever the best ask is at or below the best bid, they trade at the
earlier one's price; every price is worked out anew from the list."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onseju.contract.commands import CancelOrder, ListInstrument, NewOrder
from onseju.contract.events import OrderAccepted
from onseju.contract.words import AccountKind
from onseju.rules import packs
from tests.properties.driver import DAY, Driver

BUY, SELL = 1, 2
LIMIT, MARKET, BEST_OPPOSITE, BEST_SAME, MIDPOINT = 1, 2, 4, 5, 6
AS_DAY, IOC = 1, 2
BASE, LOWER, UPPER = 2_000, 1_400, 2_600
GRID = [*range(LOWER, BASE), *range(BASE, UPPER + 1, 5)]


def at_least(price: int) -> int:
    return min(p for p in GRID if p >= price)


def at_most(price: int) -> int:
    return max(p for p in GRID if p <= price)


def above(price: int) -> int:
    return min([p for p in GRID if p > price], default=UPPER)


def below(price: int) -> int:
    return max([p for p in GRID if p < price], default=LOWER)


@dataclass
class Slip:
    """An order on the list; a best order is a limit order by then. Its number is its time."""

    number: int
    side: int
    kind: int
    price: int
    qty: int


@dataclass
class Floor:
    """The list of open orders, and what was traded: buyer, seller, price, quantity."""

    last: int = BASE
    slips: list[Slip] = field(default_factory=list)
    trades: list[tuple[int, int, int, int]] = field(default_factory=list)

    def limits(self, side: int, without: Slip | None = None) -> list[int]:
        return [s.price for s in self.slips if s.side == side and s.kind == LIMIT and s is not without]

    def deemed(self, side: int, met: Slip | None) -> int:
        """KRX rules 3.2; `met` is on the list already, so that its limit counts."""
        bids, asks = self.limits(BUY), self.limits(SELL)
        if side == BUY:
            own = [p for p in bids if met is None or met.side == SELL or p != met.price or bids.count(p) > 1]
            first = min(above(max(own)), UPPER) if own else at_least(self.last)
            return max([first, *asks])
        own = [p for p in asks if met is None or met.side == BUY or p != met.price or asks.count(p) > 1]
        first = max(below(min(own)), LOWER) if own else at_most(self.last)
        return min([first, *bids])

    def best(self, side: int, without: Slip | None = None) -> int:
        """The best quote, midpoint orders left out; 0 = none. `without` has not arrived yet."""
        prices = self.limits(side, without)
        if any(s.side == side and s.kind == MARKET and s is not without for s in self.slips):
            kept, self.slips = self.slips, [s for s in self.slips if s is not without]
            prices.append(self.deemed(side, None))
            self.slips = kept
        return (max(prices) if side == BUY else min(prices)) if prices else 0

    def midpoint(self, without: Slip | None) -> int:
        bid, ask = self.best(BUY, without), self.best(SELL, without)
        return (bid + ask) // 2 if bid and ask else 0

    def price_of(self, slip: Slip, newest: Slip | None) -> int:
        if slip.kind == MARKET:
            return self.deemed(slip.side, newest if newest and newest.kind == LIMIT else None)
        return self.midpoint(newest) if slip.kind == MIDPOINT else slip.price

    def ranked(self, side: int, newest: Slip | None) -> list[tuple[int, bool, int, Slip, int]]:
        """Price, then markets first except at the limit, then time."""
        found = []
        for slip in self.slips:
            price = self.price_of(slip, newest)
            if slip.side != side or not price:
                continue
            at_limit = price == (UPPER if side == BUY else LOWER)
            key = -price if side == BUY else price
            found.append((key, slip.kind != MARKET or at_limit, slip.number, slip, price))
        return sorted(found, key=lambda entry: entry[:3])

    def arrive(self, number: int, side: int, kind: int, price: int, qty: int, condition: int) -> bool:
        """Whether the order is taken."""
        if kind == MIDPOINT and not self.midpoint(None):
            return False
        if kind in (BEST_OPPOSITE, BEST_SAME):
            price, kind = self.price_on_receipt(side, kind), LIMIT
        slip = Slip(number, side, kind, price, qty)
        self.slips.append(slip)
        self.match(slip)
        if condition == IOC:
            self.slips = [s for s in self.slips if s is not slip]
        self.match(None)
        return True

    def price_on_receipt(self, side: int, kind: int) -> int:
        own, other = self.best(side), self.best(3 - side)
        if kind == BEST_SAME:
            return own or (at_most(self.last) if side == BUY else at_least(self.last))
        if other:
            return other
        if own:
            return min(above(own), UPPER) if side == BUY else max(below(own), LOWER)
        return at_least(self.last) if side == BUY else at_most(self.last)

    def match(self, newest: Slip | None) -> None:
        """Let the newest trade with the best of the other side; without one, whatever crosses."""
        while True:
            bids, asks = self.ranked(BUY, newest), self.ranked(SELL, newest)
            if newest is not None:
                if newest.qty == 0 or newest not in self.slips:
                    return
                mine = [e for e in bids + asks if e[3] is newest]
                others = asks if newest.side == BUY else bids
                if not mine or not others:
                    return
                pair = (mine[0], others[0]) if newest.side == BUY else (others[0], mine[0])
                crosses = newest.kind == MARKET or pair[0][4] >= pair[1][4]
            else:
                if not bids or not asks:
                    return
                pair = (bids[0], asks[0])
                crosses = pair[0][4] >= pair[1][4]
            if not crosses:
                return
            buyer, seller = pair[0][3], pair[1][3]
            price = (pair[0] if buyer.number < seller.number else pair[1])[4]
            qty = min(buyer.qty, seller.qty)
            buyer.qty -= qty
            seller.qty -= qty
            self.last = price
            self.trades.append((buyer.number, seller.number, price, qty))
            self.slips = [s for s in self.slips if s.qty]

    def depth(self, side: int) -> list[tuple[int, int]]:
        levels: dict[int, int] = {}
        for slip in self.slips:
            if slip.side == side and slip.kind != MIDPOINT:
                price = self.price_of(slip, None)
                levels[price] = levels.get(price, 0) + slip.qty
        return sorted(levels.items(), reverse=side == BUY)


prices = st.one_of(
    st.integers(-5, 5).map(lambda n: GRID[GRID.index(BASE) + n]),
    st.integers(-2, 2).map(lambda n: GRID[GRID.index(BASE) + n]),
    st.sampled_from((LOWER, UPPER)),
)
arrivals = st.tuples(
    st.sampled_from((BUY, SELL)),
    st.sampled_from((LIMIT, LIMIT, LIMIT, LIMIT, MARKET, MARKET, BEST_OPPOSITE, BEST_SAME, MIDPOINT, MIDPOINT)),
    prices,
    st.integers(1, 12),
    st.sampled_from((AS_DAY, AS_DAY, AS_DAY, IOC)),
)
cancels = st.integers(1, 40)


@given(stream=st.lists(st.one_of(arrivals, arrivals, arrivals, cancels), min_size=1, max_size=40))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_trades_and_book_are_those_of_the_list(stream: list[tuple[int, int, int, int, int] | int]) -> None:
    """KRX rules 3.2, 3.4, 3.8, 4.1, 4.2, 4.3."""
    driver = Driver()
    for request in packs.commands("krx", DAY):
        driver.do(request.command)
    driver.do(
        ListInstrument(symbol=b"ONE", base_price=BASE, limit_ppm=packs.KRX_LIMIT_PPM, tick_table=packs.KRX_STOCKS_TABLE)
    )
    driver.account(9, kind=AccountKind.VENUE)
    driver.account(BUY, cash=10**9)
    driver.account(SELL, shares={1: 10**6})
    floor = Floor()
    number = 0
    for step in stream:
        if isinstance(step, int):
            order = driver.engine.state.orders.get(step)
            driver.do(CancelOrder(account=order.account if order else 1, order_id=step))
            floor.slips = [slip for slip in floor.slips if slip.number != step]
            floor.match(None)
        else:
            side, kind, price, qty, condition = step
            condition = AS_DAY if kind == BEST_SAME else condition
            number += 1
            order_command = NewOrder(
                account=side,
                instrument=1,
                side=side,
                qty=qty,
                limit_price=price if kind == LIMIT else 0,
                order_type=kind,
                time_in_force=condition,
            )
            taken = isinstance(driver.do(order_command)[0], OrderAccepted)
            assert taken == floor.arrive(number, side, kind, price, qty, condition)
        assert [(t.buy_order_id, t.sell_order_id, t.price, t.qty) for t in driver.trades] == floor.trades
        bids, asks = driver.engine.book(1)
        assert [level[:2] for level in bids] == floor.depth(BUY)
        assert [level[:2] for level in asks] == floor.depth(SELL)
        assert driver.engine.state.orders.keys() == {slip.number for slip in floor.slips}
    driver.check()
