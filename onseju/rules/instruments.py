"""The demo's instruments: ten that every Korean trader knows, with rounded base prices and listed shares of 2026."""

from __future__ import annotations

from typing import NamedTuple

from onseju.contract.commands import ListInstrument, Request, SetRule
from onseju.contract.words import Board, Rule, Security
from onseju.rules.fees import Taxed
from onseju.rules.interruptions import interruption_rates
from onseju.rules.packs import (
    KONEX_LIMIT_PPM,
    KRX_FUNDS_TABLE,
    KRX_LIMIT_PPM,
    KRX_STOCKS_TABLE,
    KRX_WARRANTS_TABLE,
    PLAIN_TABLE,
    RulesName,
    rules_name,
)


class DemoInstrument(NamedTuple):
    """An instrument to list: its Korean name, and the price in won at which the demo begins."""

    symbol: str
    name: str
    base_price: int
    board: Board
    security: Security
    listed_shares: int


DEMO: tuple[DemoInstrument, ...] = (
    DemoInstrument("005930", "삼성전자", 98_500, Board.KOSPI, Security.STOCK, 5_919_637_922),
    DemoInstrument("000660", "SK하이닉스", 545_000, Board.KOSPI, Security.STOCK, 728_002_365),
    DemoInstrument("373220", "LG에너지솔루션", 436_500, Board.KOSPI, Security.STOCK, 234_000_000),
    DemoInstrument("005380", "현대차", 262_500, Board.KOSPI, Security.STOCK, 204_757_766),
    DemoInstrument("035420", "NAVER", 248_000, Board.KOSPI, Security.STOCK, 156_852_638),
    DemoInstrument("035720", "카카오", 59_400, Board.KOSPI, Security.STOCK, 442_281_000),
    DemoInstrument("068270", "셀트리온", 183_700, Board.KOSPI, Security.STOCK, 230_965_000),
    DemoInstrument("247540", "에코프로비엠", 147_300, Board.KOSDAQ, Security.STOCK, 97_801_344),
    DemoInstrument("293490", "카카오게임즈", 15_480, Board.KOSDAQ, Security.STOCK, 82_900_000),
    DemoInstrument("069500", "KODEX 200", 57_215, Board.KOSPI, Security.ETF, 148_000_000),
)


def list_commands(name: RulesName, *, interruptions: bool = False) -> list[Request]:
    """What lists the demo's instruments under these rules; each request's text is the instrument's name.

    With `interruptions` those of `krx` have volatility interruptions: somebody must end their auctions then.
    """
    krx = rules_name(name) == "krx"
    return [
        Request(
            ListInstrument(
                symbol=demo.symbol.encode("ascii"),
                base_price=demo.base_price,
                listed_shares=demo.listed_shares,
                limit_ppm=limit_ppm(demo.board) if krx else 0,
                vi_dynamic_ppm=rates.dynamic_ppm if krx and interruptions else 0,
                vi_static_ppm=rates.static_ppm if krx and interruptions else 0,
                tick_table=tick_table(demo.security) if krx else PLAIN_TABLE,
                board=demo.board,
                security=demo.security,
            ),
            demo.name,
        )
        for demo in DEMO
        # All of the demo's on KOSPI belong to KOSPI 200, or track it.
        for rates in [interruption_rates(demo.board, demo.security, in_index=demo.board is Board.KOSPI)]
    ]


def after_hours_commands() -> list[Request]:
    """What keeps ETFs, ETNs and ELWs out of KRX's after-market, where the demo's instruments are the venue's first."""
    return [
        Request(SetRule(rule=Rule.TYPES_AFTER_HOURS, value=0, instrument=number))
        for number, demo in enumerate(DEMO, 1)
        if demo.security is not Security.STOCK
    ]


def taxed() -> list[Taxed]:
    """The demo's instruments as the tax sees them, numbered as an empty venue lists them."""
    return [Taxed(number, demo.board, demo.security) for number, demo in enumerate(DEMO, 1)]


def limit_ppm(board: Board) -> int:
    """The daily price limit of a board under `krx`, in millionths (KRX BR 20)."""
    return KONEX_LIMIT_PPM if board is Board.KONEX else KRX_LIMIT_PPM


def tick_table(security: Security) -> int:
    """The `krx` tick table of a kind of security."""
    if security is Security.ELW:
        return KRX_WARRANTS_TABLE
    return KRX_FUNDS_TABLE if security in (Security.ETF, Security.ETN) else KRX_STOCKS_TABLE
