"""변동성완화장치 (VI): at what distance from its references an instrument's trading is interrupted (KRX BR 26-2, ER 41-2)."""

from __future__ import annotations

from typing import NamedTuple

from onseju.contract.words import Board, Phase, Security
from onseju.rules.ticks import PPM, Bands, ceil_to_grid, floor_to_grid, tick_size


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

LOW_PRICE = 1_000
"""Below this previous price (won) a move of few ticks interrupts nothing."""

LOW_PRICE_TICKS = 3

OFF = InterruptionRates(0, 0)


class Bounds(NamedTuple):
    """The nearest prices on the grid at which a trade interrupts; 0 = none."""

    lower: int
    upper: int


NO_BOUNDS = Bounds(0, 0)


def interruption_rates(board: Board, security: Security, *, in_index: bool) -> InterruptionRates:
    """The rates of an instrument. `in_index`: it belongs to KOSPI 200, or is an ETF or ETN that tracks KOSPI 200, 100 or
    50, KRX 100 or bonds at a multiple of at most one."""
    is_narrow = in_index and board is Board.KOSPI and security in (Security.STOCK, Security.ETF, Security.ETN)
    return InterruptionRates(NARROW_PPM if is_narrow else WIDE_PPM, STATIC_PPM)


def rates_in(phase: Phase, rates: InterruptionRates) -> InterruptionRates:
    """The rates that hold in a phase. Continuous trading and the closing auction know both, the opening auction the static
    one alone, the auctions after an interruption or a halt none. In the closing auction the dynamic rate is two thirds of
    the usual one (3 → 2 %, 6 → 4 %)."""
    match phase:
        case Phase.CONTINUOUS:
            return rates
        case Phase.OPENING_AUCTION:
            return InterruptionRates(0, rates.static_ppm)
        case Phase.CLOSING_AUCTION:
            return InterruptionRates(rates.dynamic_ppm * 2 // 3, rates.static_ppm)
    return OFF


def is_far(bands: Bands, price: int, reference: int, rate_ppm: int, previous_price: int) -> bool:
    """Whether a trade at `price` is so far from the reference that it interrupts. A low `previous_price` (KRX rules 1.4)
    lets a move of three ticks pass."""
    if not rate_ppm or not reference:
        return False
    move = abs(price - reference)
    if previous_price < LOW_PRICE and move <= LOW_PRICE_TICKS * tick_size(bands, reference):
        return False
    return move * PPM >= rate_ppm * reference


def bounds(bands: Bands, reference: int, rate_ppm: int, previous_price: int) -> Bounds:
    """The nearest prices on both sides of the reference for which `is_far` holds."""
    if not rate_ppm or not reference:
        return NO_BOUNDS
    move = -(-rate_ppm * reference // PPM)
    if previous_price < LOW_PRICE:
        move = max(move, LOW_PRICE_TICKS * tick_size(bands, reference) + 1)
    return Bounds(floor_to_grid(bands, reference - move), ceil_to_grid(bands, reference + move))
