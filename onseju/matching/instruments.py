"""An instrument: what it was listed as, today's limits, its phase and its book."""

from __future__ import annotations

from dataclasses import dataclass, field

from onseju.contract.words import Phase, Rule, Side
from onseju.matching.book import Book
from onseju.rules.sizes import max_qty_by_value
from onseju.rules.ticks import (
    NO_LIMITS,
    Bands,
    PriceLimits,
    ceil_to_grid,
    first_day_limits,
    floor_to_grid,
    is_on_grid,
    next_down,
    next_up,
    price_limits,
)


@dataclass(slots=True)
class Instrument:
    """A listed instrument. `last_price` is the previous price of KRX rules 1.4: the last trade's, before it the base
    price; 0 while there is neither."""

    number: int
    symbol: bytes
    base_price: int
    listed_shares: int
    limit_ppm: int
    vi_dynamic_ppm: int
    vi_static_ppm: int
    tick_table: int
    board: int
    security: int
    leverage: int
    bands: Bands
    limits: PriceLimits = NO_LIMITS
    last_price: int = 0
    close_price: int = 0
    """What the day closes at: the last trade of the regular session, or where there was none and the session is over, the
    price that its quotes tell (기세); 0 before."""
    has_traded: bool = False
    """Whether it traded in today's regular session."""
    auction_price: int = 0
    """The last price that a call auction fixed, before the first of the day the base price: what a static volatility
    interruption is measured from."""
    phase: Phase = Phase.CONTINUOUS
    indicated: tuple[int, int] = (0, 0)
    """What the auction was last said to give: price and quantity."""
    awaits_uncross: bool = False
    """Whether an auction collected orders since it was last uncrossed."""
    is_extended: bool = False
    """Whether this auction went on because its own price would have set off an interruption: once at most."""
    interruptions: int = 0
    """Today's volatility interruptions."""
    breaker_stage: int = 0
    """The highest circuit breaker stage of today."""
    total_shares: int = 0
    """Shares that all accounts hold together."""
    rules: dict[int, int] = field(default_factory=dict)
    """Rules set for this instrument alone."""
    phases_done: set[tuple[int, int]] = field(default_factory=set)
    """(phase, occurrence) of today's phase changes: each takes effect once."""
    book: Book = field(default_factory=Book)

    def set_base(self, price: int) -> None:
        """Fix the day's base price, raised to the grid (KRX ER 30), and what follows from it."""
        self.base_price = ceil_to_grid(self.bands, price) if price else 0
        self.last_price = self.auction_price = self.base_price
        self.set_limits()

    def set_limits(self) -> None:
        """Fix the day's limits, which follow from the base price."""
        if self.is_new:
            self.limits = first_day_limits(self.base_price, self.bands)
        else:
            self.limits = price_limits(self.base_price, self.limit_ppm, self.bands, self.leverage)

    def begin_day(self, close: int) -> None:
        """A trading day begins; `close` is the price at which the one before it ended. The phase stays."""
        self.rules.pop(Rule.NEW_LISTING, None)
        self.set_base(close)
        self.close_price = 0
        self.has_traded = False
        self.phases_done.clear()
        self.is_extended = False
        self.interruptions = 0
        self.breaker_stage = 0
        self.book.pool = None

    @property
    def is_new(self) -> bool:
        """Whether this is the first day of its listing."""
        return self.rules.get(Rule.NEW_LISTING) == 1

    @property
    def has_limits(self) -> bool:
        return self.limits.upper > 0

    def is_on_grid(self, price: int) -> bool:
        """Whether the price is a multiple of its tick."""
        return is_on_grid(self.bands, price)

    def is_within_limits(self, price: int) -> bool:
        """Whether the price is inside today's limits, the limits included."""
        return not self.has_limits or self.limits.lower <= price <= self.limits.upper

    def clamp(self, price: int) -> int:
        """The price, brought inside today's limits; 0 stays 0."""
        if not price or not self.has_limits:
            return price
        return max(self.limits.lower, min(price, self.limits.upper))

    def is_at_limit(self, side: Side, price: int) -> bool:
        """Whether a bid stands at the upper limit, or an ask at the lower."""
        return self.has_limits and price == (self.limits.upper if side is Side.BUY else self.limits.lower)

    def one_tick_better(self, side: Side, price: int) -> int:
        """One tick up for a buy, down for a sell, as far as limits and grid go."""
        return self.clamp(next_up(self.bands, price) if side is Side.BUY else next_down(self.bands, price) or price)

    def last_on_grid(self, side: Side) -> int:
        """The previous price, brought onto the grid: up for a buy, down for a sell; 0 while there is none."""
        if not self.last_price:
            return 0
        if side is Side.BUY:
            return ceil_to_grid(self.bands, self.last_price)
        return floor_to_grid(self.bands, self.last_price) or ceil_to_grid(self.bands, self.last_price)

    def closing_price(self) -> int:
        """The day's close (종가). Without a trade it is the 기세, where a base price makes limits: the lowest ask below
        the base price, else the highest bid above it, else the base price (KRX BR 2(9))."""
        if self.close_price or not self.has_limits:
            return self.close_price or self.last_price
        bid, ask = self.book.buys.best_limit(), self.book.sells.best_limit()
        if 0 < ask < self.base_price:
            return ask
        return bid if bid > self.base_price else self.base_price

    def off_hours_close(self) -> int:
        """The one price of a phase at a close (시간외종가, KRX ER 51), raised to the grid: yesterday's close before the
        regular session, today's after it; 0 where there was no trade to fix it, and in all other phases."""
        if self.phase is Phase.PREVIOUS_CLOSE:
            return 0 if self.is_new else self.base_price
        if not self.phase.is_at_close or not self.has_traded:
            return 0
        return ceil_to_grid(self.bands, self.close_price)

    def max_qty_by_value(self) -> int:
        """The most shares that one order may have, by the company's value at the base price in won (KRX ER 14(1)3); 0
        where the number of listed shares is not known."""
        return max_qty_by_value(self.base_price, self.listed_shares)
