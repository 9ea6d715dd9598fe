"""변동성완화장치 (VI): at what distance from its references an instrument's trading is interrupted (KRX BR 26-2, ER 41-2)."""

from __future__ import annotations

from typing import NamedTuple

from onseju.contract.words import Board, Security


class InterruptionRates(NamedTuple):
    """Millionths of the reference price; 0 = off. In the closing auction the dynamic rate is two thirds of this."""

    dynamic_ppm: int
    static_ppm: int


STATIC_PPM = 100_000
"""10 % from the last auction's price, whatever the instrument."""

NARROW_PPM = 30_000
"""3 % from the last price: the issues of KOSPI 200, and funds that track an index once."""

WIDE_PPM = 60_000
"""6 %: all others, and all of KOSDAQ."""


def interruption_rates(board: Board, security: Security, *, in_index: bool) -> InterruptionRates:
    """The rates of an instrument. `in_index`: it belongs to KOSPI 200, or is an ETF or ETN that tracks KOSPI 200, 100 or
    50, KRX 100 or bonds at a multiple of at most one."""
    is_narrow = in_index and board is Board.KOSPI and security in (Security.STOCK, Security.ETF, Security.ETN)
    return InterruptionRates(NARROW_PPM if is_narrow else WIDE_PPM, STATIC_PPM)
