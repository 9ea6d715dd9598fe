"""How an instrument stands in its day: phase, auction, interruption bounds, and what may be ordered now."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from onseju.contract.reasons import Reason
from onseju.contract.views import timestamp
from onseju.contract.words import OrderType
from onseju.market.directory import Directory, Instrument


class StateView(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument's state. Prices in the venue's smallest unit, null where there is none.

    `phase_until` is the nominal end of its present phase. `phase_reason` says why it is in it, or why its auction goes on,
    though no phase command asked: `vi_dynamic`, `vi_static` or `circuit_breaker`. The `indicative_…` are what its auction
    would give now. The `vi_…` prices are those from which a trade would interrupt now, null where none would.
    `fixed_price` is the one price that orders may name while the phase trades at a close (시간외종가), else null.
    `order_types` are the types that the phase takes ([] = cancels only), `immediate_types` those that may be IOC or FOK.
    """

    symbol: str
    phase: str
    phase_since: str | None
    phase_until: str | None
    phase_reason: str | None
    indicative_price: int | None
    indicative_qty: int | None
    vi_count: int
    vi_static_lower: int | None
    vi_static_upper: int | None
    vi_dynamic_lower: int | None
    vi_dynamic_upper: int | None
    base_price: int
    upper_limit: int | None
    lower_limit: int | None
    fixed_price: int | None
    order_types: list[str]
    immediate_types: list[str]


def state_view(instrument: Instrument, directory: Directory, phase_until: int | None) -> StateView:
    """The instrument's state; `phase_until` in microseconds since 1970, None where nothing plans the phase's end."""
    vi = directory.vi_bounds(instrument)
    reason = instrument.phase_reason
    return StateView(
        symbol=instrument.symbol,
        phase=instrument.phase.label,
        phase_since=None if instrument.phase_since is None else timestamp(instrument.phase_since),
        phase_until=None if phase_until is None else timestamp(phase_until),
        phase_reason=None if reason is Reason.NONE else reason.code,
        indicative_price=instrument.indicative_price or None,
        indicative_qty=instrument.indicative_qty or None,
        vi_count=instrument.vi_count,
        vi_static_lower=vi.static.lower or None,
        vi_static_upper=vi.static.upper or None,
        vi_dynamic_lower=vi.dynamic.lower or None,
        vi_dynamic_upper=vi.dynamic.upper or None,
        base_price=instrument.base_price,
        upper_limit=instrument.upper_limit or None,
        lower_limit=instrument.lower_limit or None,
        fixed_price=directory.off_hours_close(instrument) or None,
        order_types=list(type_names(directory.types_allowed(instrument))),
        immediate_types=list(type_names(directory.immediate_types_allowed(instrument))),
    )


@lru_cache(maxsize=256)
def type_names(mask: int) -> tuple[str, ...]:
    """The names of the order types of a `TYPES_…` rule's value."""
    return tuple(order_type.label for order_type in OrderType if mask >> order_type & 1)
