"""A market on paper: its orders as a list, and what every price is, worked out anew each time (`paper.py` trades by them).

Written from the rules' text alone, to judge the reference engine by; it shares no code with it but the words.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field

from onseju.contract.words import OrderType as T
from onseju.contract.words import Phase, SelfTradePrevention, Side, TimeInForce

BUY, SELL = Side.BUY, Side.SELL
GRID = [*range(1, 2_000), *range(2_000, 5_000, 5), *range(5_000, 20_000, 10), *range(20_000, 40_001, 50)]
PRICED = {T.LIMIT, T.CONDITIONAL_LIMIT, T.STOP_LIMIT}
BEST = {T.BEST_OPPOSITE, T.BEST_SAME}
AUCTIONS = {Phase.OPENING_AUCTION, Phase.CLOSING_AUCTION, Phase.VI_AUCTION, Phase.RESUMPTION_AUCTION}
AT_CLOSE = {Phase.CLOSE_PRICE_RECEPTION, Phase.CLOSE_PRICE, Phase.PREVIOUS_CLOSE}
TRADING = {Phase.CONTINUOUS, Phase.AFTER_HOURS, Phase.CLOSE_PRICE, Phase.PREVIOUS_CLOSE}


def at_least(price: int) -> int:
    return GRID[bisect_left(GRID, max(price, 1))]


def at_most(price: int) -> int:
    return GRID[bisect_right(GRID, price) - 1]


def tick(price: int) -> int:
    return GRID[bisect_right(GRID, price)] - at_most(price)


@dataclass(eq=False)
class Slip:
    """An order. `stamp` is its time; `unit` what it reserves for each open share."""

    number: int
    owner: int
    side: Side
    kind: T
    price: int
    stop: int
    qty: int
    condition: TimeInForce
    stamp: int = 0
    unit: int = 0
    amount: int = 0
    fees: int = 0

    @property
    def sleeps(self) -> bool:
        return self.kind in (T.STOP, T.STOP_LIMIT)

    @property
    def is_limit(self) -> bool:
        return not self.sleeps and self.kind not in (T.MARKET, T.MIDPOINT)


@dataclass
class Turn:
    """How much an order of a pool may take before the next one."""

    slip: Slip
    stamp: int
    qty: int


@dataclass(kw_only=True)
class PaperBook:
    """What is open, what it is worth. `rates` are commission, transaction tax and rural tax in millionths."""

    krx: bool
    base: int
    stp: SelfTradePrevention = SelfTradePrevention.OFF
    dynamic_ppm: int = 0
    static_ppm: int = 0
    rates: tuple[int, int, int] = (0, 0, 0)
    lot: int = 1
    cash: dict[int, int] = field(default_factory=dict)
    shares: dict[int, int] = field(default_factory=dict)
    phase: Phase = Phase.CONTINUOUS
    numbers: int = 0
    stamps: int = 0
    book: list[Slip] = field(default_factory=list)
    trades: list[tuple[int, int, int, int]] = field(default_factory=list)
    pool: tuple[Side, int, list[Turn]] | None = None
    seen: Counter[str] = field(default_factory=Counter)
    extended: bool = False
    close: int = 0
    traded: bool = False
    """Whether the regular session had a trade."""

    def __post_init__(self) -> None:
        self.begin_day(self.base)

    def begin_day(self, close: int) -> None:
        self.base = at_least(close)
        self.last = self.fixed = self.base
        self.close = 0
        self.traded = False
        self.pool = None
        if self.krx:
            self.upper, self.lower = limits(self.base)

    def clamp(self, price: int) -> int:
        return max(self.lower, min(price, self.upper)) if self.krx and price else price

    # Money

    def reserve(self, unit: int, qty: int) -> int:
        return unit * qty + unit * qty * self.rates[0] // 10**6

    def free_cash(self, owner: int) -> int:
        return self.cash[owner] - sum(self.reserve(s.unit, s.qty) for s in self.book if s.owner == owner)

    def free_shares(self, owner: int) -> int:
        return self.shares[owner] - sum(s.qty for s in self.book if s.owner == owner and s.side is SELL)

    def unit_of(self, side: Side, kind: T, price: int) -> int:
        """KRX rules 8.1."""
        if side is SELL:
            return 0
        return price if kind in PRICED else (self.upper if self.krx else 0)

    def pay(self, slip: Slip, price: int, qty: int) -> None:
        sign = 1 if slip.side is BUY else -1
        slip.amount += price * qty
        rates = self.rates if slip.side is SELL else self.rates[:1]
        fees = sum(slip.amount * rate // 10**6 for rate in rates)
        self.cash[slip.owner] -= sign * price * qty + fees - slip.fees
        self.shares[slip.owner] += sign * qty
        slip.fees = fees

    # Prices

    def next_stamp(self) -> int:
        self.stamps += 1
        return self.stamps

    def limit_prices(self, side: Side, without: Slip | None = None) -> list[int]:
        return [s.price for s in self.book if s.side is side and s.is_limit and s is not without]

    def markets(self, side: Side, without: Slip | None = None) -> list[Slip]:
        return [s for s in self.book if s.side is side and s.kind is T.MARKET and s is not without]

    def better(self, side: Side, price: int) -> int:
        step = GRID[bisect_right(GRID, price)] if side is BUY else GRID[max(bisect_left(GRID, price) - 1, 0)]
        return self.clamp(step)

    def last_for(self, side: Side) -> int:
        return self.clamp(at_least(self.last) if side is BUY else at_most(self.last))

    def deemed(self, side: Side, met: int = 0, without: Slip | None = None) -> int:
        """KRX rules 3.2."""
        own, other = self.limit_prices(side, without), self.limit_prices(side.opposite)
        if side is BUY:
            return max([self.better(BUY, max(own)) if own else self.last_for(BUY), *other, met])
        return min([self.better(SELL, min(own)) if own else self.last_for(SELL), *other, met or 10**9])

    def auction_deemed(self, side: Side) -> int:
        """KRX rules 5.5."""
        own, other = self.limit_prices(side), self.limit_prices(side.opposite)
        if own or other:
            found = [self.last_for(side), *other]
            if own:
                found.append(self.better(side, max(own) if side is BUY else min(own)))
            return max(found) if side is BUY else min(found)
        sizes = {s: sum(slip.qty for slip in self.markets(s)) for s in Side}
        ref = self.last_for(BUY)
        return self.better(side, ref) if sizes[side] > sizes[side.opposite] else ref

    def best(self, side: Side, without: Slip | None = None) -> int:
        """The best quote, midpoint orders left out, market orders at their deemed price; 0 = none."""
        found = self.limit_prices(side, without)
        if self.krx and self.markets(side, without):
            found.append(self.deemed(side, without=without))
        return (max(found) if side is BUY else min(found)) if found else 0

    def midpoint(self) -> int:
        bid, ask = self.best(BUY), self.best(SELL)
        return (bid + ask) // 2 if bid and ask else 0

    def on_receipt(self, side: Side, kind: T, without: Slip | None = None) -> int:
        """KRX rules 3.4."""
        own, other = self.best(side, without), self.best(side.opposite, without)
        if kind is T.BEST_SAME:
            return own or self.clamp(at_most(self.last) if side is BUY else at_least(self.last))
        if other:
            return other
        return self.better(side, own) if own else self.last_for(side)

    # What is seen

    def depth(self, side: Side) -> list[tuple[int, int]]:
        levels = Counter[int]()
        for slip in self.book:
            if slip.side is side and slip.is_limit:
                levels[slip.price] += slip.qty
            elif slip.side is side and slip.kind is T.MARKET and self.krx:
                at = self.auction_deemed(side) if self.phase in AUCTIONS else self.deemed(side)
                levels[at] += slip.qty
        return sorted(levels.items(), reverse=side is BUY)


def limits(base: int) -> tuple[int, int]:
    """KRX rules 1.3, by search."""
    band = max(base * 3 // 10 - base * 3 // 10 % tick(base), 1)
    return at_most(base + band), at_least(base - band)
