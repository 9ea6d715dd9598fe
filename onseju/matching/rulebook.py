"""The venue's rules as they were set by commands: tick tables, and numbers by `words.Rule`."""

from __future__ import annotations

from onseju.contract.money import fits
from onseju.contract.words import MarketRemainder, Rule, SelfTradePrevention
from onseju.matching.instruments import Instrument
from onseju.matching.orders import PPM
from onseju.rules.ticks import EVERY_WHOLE_PRICE, Bands

DEFAULTS: dict[int, int] = {
    Rule.MARKET_REMAINDER: MarketRemainder.CANCEL,
    Rule.SELF_TRADE_PREVENTION: SelfTradePrevention.OFF,
    Rule.COMMISSION_PPM: 0,
    Rule.TRANSACTION_TAX_PPM: 0,
    Rule.RURAL_TAX_PPM: 0,
    Rule.MAX_ORDER_QTY: 0,
    Rule.MAX_OPEN_ORDERS: 0,
}
"""What holds until a command says otherwise."""

RATES = (Rule.COMMISSION_PPM, Rule.TRANSACTION_TAX_PPM, Rule.RURAL_TAX_PPM)


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
    """Whether this release can carry out the rule with this value. Floating market remainders and self-trade prevention
    are not among what it can."""
    if rule == Rule.MARKET_REMAINDER:
        return value in (MarketRemainder.CANCEL, MarketRemainder.REST)
    if rule == Rule.SELF_TRADE_PREVENTION:
        return value == SelfTradePrevention.OFF
    if rule in RATES:
        return 0 <= value <= PPM
    if rule == Rule.MAX_ORDER_QTY:
        return fits(value)
    if rule == Rule.MAX_OPEN_ORDERS:
        return fits(value) and not for_one_instrument
    return False
