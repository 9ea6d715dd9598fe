"""What trading costs by date and market: sell taxes (증권거래세, 농어촌특별세) and the commission. Rates are millionths.

Each is floored to a won on an order's whole amount; the ledger does that, and pays what it takes to the venue's account.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from onseju.contract.commands import Request, SetRule
from onseju.contract.words import Board, Rule, Security

COMMISSION_PPM = 150
"""0.015 %, what a Korean broker takes online, of both sides. Brokers differ: 0.004 to 0.015 %."""


class SellTax(NamedTuple):
    """What a seller pays of the amount, profit or loss."""

    transaction_ppm: int = 0
    rural_ppm: int = 0


SELL_TAXES: dict[Board, tuple[tuple[int, SellTax], ...]] = {
    Board.KOSPI: (
        (2023_01_01, SellTax(500, 1_500)),
        (2024_01_01, SellTax(300, 1_500)),
        (2025_01_01, SellTax(0, 1_500)),
        (2026_01_01, SellTax(500, 1_500)),
    ),
    Board.KOSDAQ: (
        (2023_01_01, SellTax(2_000)),
        (2024_01_01, SellTax(1_800)),
        (2025_01_01, SellTax(1_500)),
        (2026_01_01, SellTax(2_000)),
    ),
    Board.KONEX: ((2023_01_01, SellTax(1_000)),),
    Board.OTHER: ((2023_01_01, SellTax()),),
}
"""By board, from the day (YYYYMMDD) on: 증권거래세법 시행령 5, 농어촌특별세법 5. The same on NXT."""

UNTAXED = frozenset({Security.ETF, Security.ETN, Security.ELW})


class Taxed(NamedTuple):
    """An instrument as the tax sees it; `number` is its dense id."""

    number: int
    board: Board
    security: Security


def sell_tax(day: int, board: Board, security: Security) -> SellTax:
    """The sell tax of a trading day (YYYYMMDD). Before the table begins, its first entry."""
    if security in UNTAXED:
        return SellTax()
    table = SELL_TAXES[board]
    return max((entry for entry in table if entry[0] <= day), default=table[0])[1]


def fee_commands(day: int, instruments: Iterable[Taxed], commission_ppm: int = COMMISSION_PPM) -> list[Request]:
    """What makes `day`'s fees and taxes hold: for orders entered from then on. The venue's account must be open.

    To be asked again on the first trading day of a year, when the taxes may change.
    """
    requests = [Request(SetRule(rule=Rule.COMMISSION_PPM, value=commission_ppm))]
    for number, board, security in instruments:
        tax = sell_tax(day, board, security)
        for rule, value in (
            (Rule.TRANSACTION_TAX_PPM, tax.transaction_ppm),
            (Rule.RURAL_TAX_PPM, tax.rural_ppm),
        ):
            requests.append(Request(SetRule(rule=rule, value=value, instrument=number)))
    return requests
