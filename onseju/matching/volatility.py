"""변동성완화장치 (VI): whether a trade would be so far from a reference price that an auction must come first (KRX BR 26-2)."""

from __future__ import annotations

from onseju.contract.reasons import Reason
from onseju.contract.words import Phase, Rule
from onseju.matching.instruments import Instrument
from onseju.matching.orders import PPM
from onseju.matching.state import State
from onseju.rules.ticks import tick_size

LOW_PRICE = 1_000
"""Below this last price (won) a move of few ticks interrupts nothing."""

LOW_PRICE_TICKS = 3


def interruption(state: State, instrument: Instrument, price: int, last_price: int) -> Reason:
    """Which interruption a trade at `price` would set off, the dynamic one first; `Reason.NONE` for none.

    The dynamic one measures from `last_price`, the previous price when the order arrived; the static one from the last
    auction's price. Continuous trading and the closing auction know both, the opening auction the static one alone, the
    auctions after an interruption or a halt none. In the closing auction the dynamic rate is two thirds of the usual one
    (3 → 2 %, 6 → 4 %).
    """
    dynamic_ppm, static_ppm = rates(state, instrument)
    if not (dynamic_ppm or static_ppm):
        return Reason.NONE
    if instrument.phase is Phase.OPENING_AUCTION:
        dynamic_ppm = 0
    elif instrument.phase is Phase.CLOSING_AUCTION:
        dynamic_ppm = dynamic_ppm * 2 // 3
    elif instrument.phase is not Phase.CONTINUOUS:
        return Reason.NONE
    is_low = last_price < LOW_PRICE
    if _is_far(instrument, price, last_price, dynamic_ppm, is_low):
        return Reason.VI_DYNAMIC
    if _is_far(instrument, price, instrument.auction_price, static_ppm, is_low):
        return Reason.VI_STATIC
    return Reason.NONE


def rates(state: State, instrument: Instrument) -> tuple[int, int]:
    """The dynamic and the static rate: by rule where one is set, else what the instrument was listed with."""
    return (
        _rate(state, instrument, Rule.VI_DYNAMIC_PPM, instrument.vi_dynamic_ppm),
        _rate(state, instrument, Rule.VI_STATIC_PPM, instrument.vi_static_ppm),
    )


def _rate(state: State, instrument: Instrument, rule: Rule, listed: int) -> int:
    return instrument.rules.get(rule, state.rules.values.get(rule, listed))


def _is_far(instrument: Instrument, price: int, reference: int, rate_ppm: int, is_low: bool) -> bool:
    if not rate_ppm or not reference:
        return False
    move = abs(price - reference)
    if is_low and move <= LOW_PRICE_TICKS * tick_size(instrument.bands, reference):
        return False
    return move * PPM >= rate_ppm * reference
