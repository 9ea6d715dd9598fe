"""The two rule packs that ship, as the commands that set up an empty venue: `krx` and `plain`."""

from __future__ import annotations

from typing import Literal

from onseju.contract.commands import OpenVenue, Request, SetRule, SetTickBand
from onseju.contract.words import MarketRemainder, Rule, SelfTradePrevention
from onseju.rules.ticks import EVERY_WHOLE_PRICE, Bands

RulesName = Literal["krx", "plain"]
RULES_NAMES: tuple[RulesName, ...] = ("krx", "plain")

PLAIN_TABLE = 0
KRX_STOCKS_TABLE = 1
KRX_FUNDS_TABLE = 2

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

KRX_LIMIT_PPM = 300_000
"""±30 % of the base price (KRX BR 20)."""

MAX_OPEN_ORDERS = 1_000
"""Open orders an account may have: each is kept in memory, and all of them end in one command. The host may change it."""

TICK_TABLES: dict[RulesName, dict[int, Bands]] = {
    "krx": {KRX_STOCKS_TABLE: KRX_STOCKS, KRX_FUNDS_TABLE: KRX_FUNDS},
    "plain": {PLAIN_TABLE: EVERY_WHOLE_PRICE},
}


def rules_name(name: str) -> RulesName:
    """`name` as a rule pack's name. Raises `ValueError` for one that does not ship."""
    if name not in RULES_NAMES:
        raise ValueError(f"unknown rules {name!r}; there are {', '.join(RULES_NAMES)}")
    return name


def commands(name: RulesName, trading_day: int) -> list[Request]:
    """What opens an empty venue under these rules on `trading_day` (YYYYMMDD, KST): its tick tables and its rules."""
    tables = TICK_TABLES[rules_name(name)]
    bands = [
        SetTickBand(table=table, from_price=from_price, tick=tick)
        for table, table_bands in tables.items()
        for from_price, tick in table_bands
    ]
    rules = [
        SetRule(rule=Rule.MARKET_REMAINDER, value=MarketRemainder.CANCEL),
        SetRule(rule=Rule.SELF_TRADE_PREVENTION, value=SelfTradePrevention.OFF),
        SetRule(rule=Rule.MAX_OPEN_ORDERS, value=MAX_OPEN_ORDERS),
    ]
    return [Request(command) for command in (OpenVenue(trading_day=trading_day), *bands, *rules)]
