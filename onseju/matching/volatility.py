"""변동성완화장치 (VI): whether a trade would be so far from a reference price that an auction must come first (KRX BR 26-2)."""

from __future__ import annotations

from onseju.contract.reasons import Reason
from onseju.contract.words import Rule
from onseju.matching.instruments import Instrument
from onseju.matching.state import State
from onseju.rules.interruptions import OFF, InterruptionRates, is_far, rates_in


def interruption(state: State, instrument: Instrument, price: int, last_price: int) -> Reason:
    """Which interruption a trade at `price` would set off, the dynamic one first; `Reason.NONE` for none.

    The dynamic one measures from `last_price`, the previous price when the order arrived; the static one from the last
    auction's price. Which of them a phase knows, and its rates: `rates_in`.
    """
    listed = rates(state, instrument)
    if not (listed.dynamic_ppm or listed.static_ppm):
        return Reason.NONE
    dynamic_ppm, static_ppm = rates_in(instrument.phase, listed)
    if is_far(instrument.bands, price, last_price, dynamic_ppm, last_price):
        return Reason.VI_DYNAMIC
    if is_far(instrument.bands, price, instrument.auction_price, static_ppm, last_price):
        return Reason.VI_STATIC
    return Reason.NONE


def rates(state: State, instrument: Instrument) -> InterruptionRates:
    """The dynamic and the static rate: by rule where one is set, else what the instrument was listed with. None on the
    first day of its listing."""
    if instrument.is_new:
        return OFF
    return InterruptionRates(
        _rate(state, instrument, Rule.VI_DYNAMIC_PPM, instrument.vi_dynamic_ppm),
        _rate(state, instrument, Rule.VI_STATIC_PPM, instrument.vi_static_ppm),
    )


def _rate(state: State, instrument: Instrument, rule: Rule, listed: int) -> int:
    return instrument.rules.get(rule, state.rules.values.get(rule, listed))
