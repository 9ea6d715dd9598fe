"""An instrument: what it was listed as, today's limits, its phase and its book."""

from __future__ import annotations

from dataclasses import dataclass, field

from onseju.contract.words import Phase
from onseju.matching.book import Book
from onseju.rules.ticks import NO_LIMITS, Bands, PriceLimits, ceil_to_grid, is_on_grid, price_limits


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
    phase: Phase = Phase.CONTINUOUS
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
        self.last_price = self.base_price
        self.limits = price_limits(self.base_price, self.limit_ppm, self.bands, self.leverage)

    @property
    def has_limits(self) -> bool:
        return self.limits.upper > 0

    def is_on_grid(self, price: int) -> bool:
        """Whether the price is a multiple of its tick."""
        return is_on_grid(self.bands, price)

    def is_within_limits(self, price: int) -> bool:
        """Whether the price is inside today's limits, the limits included."""
        return not self.has_limits or self.limits.lower <= price <= self.limits.upper
