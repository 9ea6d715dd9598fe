"""The venue's rules as they were set by commands: tick tables, and numbers by `words.Rule`."""

from __future__ import annotations

from onseju.contract.money import MAX_AMOUNT, fits
from onseju.contract.words import (
    AuctionPricing,
    MarketRemainder,
    OrderType,
    Rule,
    Security,
    SelfTradePrevention,
    StopElection,
    type_mask,
)
from onseju.matching.instruments import Instrument
from onseju.matching.orders import PPM
from onseju.rules.defaults import DEFAULTS
from onseju.rules.ticks import EVERY_WHOLE_PRICE, Bands

RATES = (Rule.COMMISSION_PPM, Rule.TRANSACTION_TAX_PPM, Rule.RURAL_TAX_PPM)
INTERRUPTION_RATES = (Rule.VI_DYNAMIC_PPM, Rule.VI_STATIC_PPM)
TYPE_RULES = frozenset({rule for rule in Rule if rule.name.startswith("TYPES_")} | {Rule.IMMEDIATE_TYPES})

_CHOICES = {
    Rule.MARKET_REMAINDER: frozenset(MarketRemainder),
    Rule.SELF_TRADE_PREVENTION: frozenset(SelfTradePrevention),
    Rule.AUCTION_PRICING: frozenset(AuctionPricing),
    Rule.STOP_ELECTION: frozenset(StopElection),
    Rule.SETTLEMENT_DAYS: frozenset({0, 1, 2}),
    Rule.MAX_QTY_BY_VALUE: frozenset({0, 1}),
    Rule.TYPES_CLOSE_PRICE: frozenset({0, type_mask(OrderType.LIMIT)}),
}
_VENUE_ONLY = frozenset({Rule.MAX_OPEN_ORDERS, Rule.SETTLEMENT_DAYS, Rule.ELW_LOT_SIZE, Rule.MAX_CLIENT_IDS})
_COUNTS = frozenset({Rule.MAX_ORDER_QTY, Rule.MAX_OPEN_ORDERS, Rule.ELW_LOT_SIZE, Rule.MAX_CLIENT_IDS})


class RuleBook:
    """Tick tables by number, and rule values. Table 0 is there from the start: every positive whole price."""

    __slots__ = ("tick_tables", "values")

    def __init__(self) -> None:
        self.tick_tables: dict[int, Bands] = {0: EVERY_WHOLE_PRICE}
        self.values: dict[int, int] = {}

    def value(self, rule: Rule, instrument: Instrument | None = None) -> int:
        """The rule's value: the instrument's own, else the venue's, else the default."""
        if instrument is not None and rule in instrument.rules:
            return instrument.rules[rule]
        return self.values.get(rule, DEFAULTS[rule])

    def lot_size(self, instrument: Instrument) -> int:
        """The shares that an instrument is traded in multiples of (KRX rules 2.4): its own, else that of ELWs, else the
        venue's."""
        own = instrument.rules.get(Rule.LOT_SIZE, 0)
        of_elws = self.value(Rule.ELW_LOT_SIZE) if instrument.security == Security.ELW else 0
        return own or of_elws or self.value(Rule.LOT_SIZE)

    def set_band(self, table: int, from_price: int, tick: int) -> None:
        """Add a band to a table, or change the one that begins at the same price."""
        bands = dict(self.tick_tables.get(table, ()))
        bands[from_price] = tick
        self.tick_tables[table] = tuple(sorted(bands.items()))

    def is_whole(self, table: int) -> bool:
        """Whether the table exists and covers every price."""
        bands = self.tick_tables.get(table)
        return bool(bands) and bands is not None and bands[0][0] == 0


def is_valid_value(rule: int, value: int, for_one_instrument: bool) -> bool:
    """Whether the rule exists and may have this value. `VenueDesk` answers for `PREVIOUS_PRICE` and `NEW_LISTING`."""
    if rule in _VENUE_ONLY and for_one_instrument:
        return False
    if rule in _CHOICES:
        return value in _CHOICES[Rule(rule)]
    if rule in RATES or rule in INTERRUPTION_RATES:
        return 0 <= value <= PPM
    if rule in TYPE_RULES:
        return value >= 0 and value & ~type_mask(*OrderType) == 0
    if rule == Rule.LOT_SIZE:
        return 0 < value <= MAX_AMOUNT
    return rule in _COUNTS and fits(value)
