"""The two rule packs that ship, as the commands that set up an empty venue: `krx` and `plain`."""

from __future__ import annotations

from typing import Literal

from onseju.contract.commands import Request
from onseju.contract.words import (
    AuctionPricing,
    MarketRemainder,
    OrderType,
    Rule,
    SelfTradePrevention,
    StopElection,
    type_mask,
)
from onseju.rules.pack import RulePack
from onseju.rules.ticks import EVERY_WHOLE_PRICE, Bands

RulesName = Literal["krx", "plain"]
RULES_NAMES: tuple[RulesName, ...] = ("krx", "plain")

PLAIN_TABLE = 0
KRX_STOCKS_TABLE = 1
KRX_FUNDS_TABLE = 2
KRX_WARRANTS_TABLE = 3

KRX_STOCKS: Bands = (
    (0, 1),
    (2_000, 5),
    (5_000, 10),
    (20_000, 50),
    (50_000, 100),
    (200_000, 500),
    (500_000, 1_000),
)
"""Stocks of KOSPI and KOSDAQ (KRX ER 32(2), since 2023-01-25)."""

KRX_FUNDS: Bands = ((0, 1), (2_000, 5))
"""ETFs and ETNs (KRX ER 32(2))."""

KRX_WARRANTS: Bands = ((0, 5),)
"""ELWs (KRX ER 32(2))."""

KRX_LIMIT_PPM = 300_000
"""±30 % of the base price (KRX BR 20)."""

KONEX_LIMIT_PPM = 150_000
"""±15 % on KONEX."""

MAX_OPEN_ORDERS = 1_000
"""Open orders an account may have: each is kept in memory, and all of them end in one command. The host may change it."""

MAX_CLIENT_IDS = 1_000_000
"""Client ids an account may use on a trading day (cancels: twice as many): some 40 bytes each, kept for two days, so at most
160 MB of an account that never tires. One that sends ten orders a second all day stays far below. The host may change it."""

TICK_TABLES: dict[RulesName, dict[int, Bands]] = {
    "krx": {KRX_STOCKS_TABLE: KRX_STOCKS, KRX_FUNDS_TABLE: KRX_FUNDS, KRX_WARRANTS_TABLE: KRX_WARRANTS},
    "plain": {PLAIN_TABLE: EVERY_WHOLE_PRICE},
}

_LIMIT, _MARKET, _CONDITIONAL = OrderType.LIMIT, OrderType.MARKET, OrderType.CONDITIONAL_LIMIT
_BEST_OPPOSITE, _BEST_SAME, _MIDPOINT = OrderType.BEST_OPPOSITE, OrderType.BEST_SAME, OrderType.MIDPOINT
_STOP_LIMIT = OrderType.STOP_LIMIT
_PLAIN_TYPES = type_mask(_LIMIT, _MARKET, OrderType.STOP, _STOP_LIMIT)

RULES: dict[RulesName, dict[Rule, int]] = {
    "krx": {
        Rule.MARKET_REMAINDER: MarketRemainder.FLOAT,
        Rule.SELF_TRADE_PREVENTION: SelfTradePrevention.OFF,
        Rule.MAX_OPEN_ORDERS: MAX_OPEN_ORDERS,
        Rule.MAX_CLIENT_IDS: MAX_CLIENT_IDS,
        Rule.AUCTION_PRICING: AuctionPricing.KRX,
        Rule.STOP_ELECTION: StopElection.NEAREST,
        Rule.SETTLEMENT_DAYS: 2,
        Rule.MAX_QTY_BY_VALUE: 1,
        Rule.ELW_LOT_SIZE: 10,
        # What may be entered when: KRX ER 3, 4, 13, 15 and krx-rules 3.7.
        Rule.IMMEDIATE_TYPES: type_mask(_LIMIT, _MARKET, _BEST_OPPOSITE, _MIDPOINT),
        Rule.TYPES_OPENING_AUCTION: type_mask(_LIMIT, _MARKET, _CONDITIONAL, _STOP_LIMIT),
        Rule.TYPES_CONTINUOUS: type_mask(
            _LIMIT, _MARKET, _CONDITIONAL, _BEST_OPPOSITE, _BEST_SAME, _MIDPOINT, _STOP_LIMIT
        ),
        Rule.TYPES_CLOSING_AUCTION: type_mask(_LIMIT, _MARKET, _STOP_LIMIT),
        Rule.TYPES_VI_AUCTION: type_mask(_LIMIT, _MARKET, _CONDITIONAL, _STOP_LIMIT),
        Rule.TYPES_AFTER_HOURS: type_mask(_LIMIT, _BEST_OPPOSITE, _BEST_SAME),
        Rule.TYPES_RESUMPTION_AUCTION: type_mask(_LIMIT, _MARKET, _CONDITIONAL, _STOP_LIMIT),
        Rule.TYPES_CLOSE_PRICE: type_mask(_LIMIT),
    },
    "plain": {
        Rule.MARKET_REMAINDER: MarketRemainder.CANCEL,
        Rule.SELF_TRADE_PREVENTION: SelfTradePrevention.OFF,
        Rule.MAX_OPEN_ORDERS: MAX_OPEN_ORDERS,
        Rule.MAX_CLIENT_IDS: MAX_CLIENT_IDS,
        Rule.AUCTION_PRICING: AuctionPricing.MAX_VOLUME,
        Rule.STOP_ELECTION: StopElection.TIME,
        Rule.IMMEDIATE_TYPES: _PLAIN_TYPES,
        Rule.TYPES_OPENING_AUCTION: _PLAIN_TYPES,
        Rule.TYPES_CONTINUOUS: _PLAIN_TYPES,
        Rule.TYPES_CLOSING_AUCTION: _PLAIN_TYPES,
    },
}
"""What each pack sets; all else is the state machine's default."""


PACKS: dict[RulesName, RulePack] = {
    name: RulePack(name=name, tick_tables=TICK_TABLES[name], rules=RULES[name]) for name in RULES_NAMES
}


def rules_name(name: str) -> RulesName:
    """`name` as a rule pack's name. Raises `ValueError` for one that does not ship."""
    if name not in RULES_NAMES:
        raise ValueError(f"unknown rules {name!r}; there are {', '.join(RULES_NAMES)}")
    return name


def commands(name: RulesName, trading_day: int) -> list[Request]:
    """What opens an empty venue under these rules on `trading_day` (YYYYMMDD, KST): its tick tables and its rules."""
    return PACKS[rules_name(name)].commands(trading_day)
