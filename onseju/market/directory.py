"""What is listed and by which rules: instruments, tick tables, price limits, phases, auctions, the trading day."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from operator import or_

import msgspec

from onseju.contract.events import (
    AuctionExtended,
    AuctionIndicated,
    AuctionUncrossed,
    DayRolled,
    Event,
    InstrumentListed,
    PhaseChanged,
    PriceLimitsSet,
    RuleSet,
    TickBandSet,
    Trade,
    VenueOpened,
)
from onseju.contract.money import WON, Denomination
from onseju.contract.reasons import Reason
from onseju.contract.words import Board, OrderType, Phase, Rule, Security, type_mask
from onseju.market.digest import Trades
from onseju.rules.defaults import DEFAULTS
from onseju.rules.interruptions import OFF, Bounds, InterruptionRates, bounds, rates_in
from onseju.rules.sizes import max_qty_by_value
from onseju.rules.ticks import EVERY_WHOLE_PRICE, NO_LIMITS, Bands, PriceLimits, ceil_to_grid

INTERRUPTED = frozenset({Reason.VI_DYNAMIC, Reason.VI_STATIC})
_AT_MARKET = type_mask(OrderType.MARKET, OrderType.STOP)
OWN_PHASES = frozenset({Phase.HALTED, Phase.VI_AUCTION, Phase.RESUMPTION_AUCTION})
"""Phases that an instrument is in for reasons of its own, as a rule."""

TickBands = list[tuple[int, int]]
"""(from price, inclusive; tick), ascending by price."""


class Instrument(msgspec.Struct, kw_only=True):
    """An instrument as it stands now. Prices in the venue's unit. Only the market changes it; everyone else reads.

    `upper_limit` and `lower_limit` are 0 without limits. The `day_…` prices are None before the day's first trade;
    `last_price` is the last trade's of any day, None before the first. Trades at a close (시간외종가) count in volume and
    turnover alone.
    """

    id: int
    symbol: str
    name: str
    board: Board
    security: Security
    listed_shares: int
    leverage: int
    limit_ppm: int
    tick_table: int
    tick_bands: TickBands
    """The bands of `tick_table`, shared and kept current; empty = every price is on the grid."""
    phase: Phase
    phase_since: int | None = None
    """When the phase began, microseconds since 1970; None before any was told."""
    phase_reason: Reason = Reason.NONE
    """Why it is in its phase though no phase command asked, or why its auction was extended."""
    base_price: int = 0
    upper_limit: int = 0
    lower_limit: int = 0
    previous_price: int = 0
    """직전가 (KRX rules 1.4): the last trade's of today, before it the base price; 0 without one."""
    auction_price: int = 0
    """The last price that a call auction fixed today, before it the base price: the static interruption's reference."""
    indicative_price: int = 0
    """What the auction would give now; 0 outside auctions and without a match."""
    indicative_qty: int = 0
    is_extended: bool = False
    """Whether this auction goes on because its own price would have interrupted: once at most."""
    vi_count: int = 0
    """Today's volatility interruptions, extended auctions included."""
    vi_dynamic_ppm: int = 0
    vi_static_ppm: int = 0
    """The interruption rates that it was listed with; rules may say otherwise (`Directory.vi_rates`)."""
    last_price: int | None = None
    last_trade_ts: int | None = None
    day_open: int | None = None
    day_high: int | None = None
    day_low: int | None = None
    day_close: int | None = None
    """The last trade's of today's regular session (종가, once that is over)."""
    day_volume: int = 0
    day_turnover: int = 0
    """Sum of price × quantity of the day's trades."""

    @property
    def bands(self) -> Bands:
        """Its tick table."""
        return tuple(self.tick_bands) or EVERY_WHOLE_PRICE

    @property
    def limits(self) -> PriceLimits:
        """The day's limits."""
        return PriceLimits(self.upper_limit, self.lower_limit) if self.upper_limit else NO_LIMITS


class ViBounds(msgspec.Struct, frozen=True):
    """The nearest prices at which a trade would interrupt now; 0 where none would."""

    dynamic: Bounds
    static: Bounds


class Directory:
    """All instruments, and what holds for the venue as a whole."""

    def __init__(self) -> None:
        self.trading_day = 0
        self.denomination = WON
        self._phase: Phase | None = Phase.CONTINUOUS
        """The venue's phase; None = to be found anew."""
        self._by_id: dict[int, Instrument] = {}
        self._by_symbol: dict[str, Instrument] = {}
        self._tick_tables: dict[int, TickBands] = {}
        self._rules: dict[tuple[int, int], int] = {}

    @property
    def phase(self) -> Phase:
        """The venue's phase: that of most instruments, those aside that are in one for reasons of their own."""
        if self._phase is None:
            counted = Counter(instrument.phase for instrument in self._by_id.values())
            usual = Counter({phase: count for phase, count in counted.items() if phase not in OWN_PHASES})
            self._phase = (usual or counted).most_common(1)[0][0]
        return self._phase

    def by_symbol(self, symbol: str) -> Instrument | None:
        """The instrument with this symbol, or None."""
        return self._by_symbol.get(symbol)

    def by_id(self, instrument: int) -> Instrument | None:
        """The instrument with this number, or None."""
        return self._by_id.get(instrument)

    def symbol_of(self, instrument: int) -> str:
        """The symbol for an instrument's number; empty for 0 and for a number that was never given (a refused order's).

        An instrument's symbol never changes, so an event's view is the same whenever it is made.
        """
        found = self._by_id.get(instrument)
        return found.symbol if found else ""

    def __len__(self) -> int:
        """How many instruments are listed; their numbers are 1 to this."""
        return len(self._by_id)

    def all(self) -> list[Instrument]:
        """Every instrument, in the order of listing."""
        return list(self._by_id.values())

    def rule(self, rule: Rule, instrument: int = 0) -> int:
        """The value of a rule: the instrument's own, else the venue's, else the state machine's default."""
        own = self._rules.get((instrument, rule))
        return self._rules.get((0, rule), DEFAULTS.get(rule, 0)) if own is None else own

    def vi_rates(self, instrument: Instrument) -> InterruptionRates:
        """The interruption rates, whatever the phase: by rule where one is set, else those of the listing; none on its
        first day."""
        if self._is_new(instrument):
            return OFF
        return InterruptionRates(
            self._vi_rate(Rule.VI_DYNAMIC_PPM, instrument.id, instrument.vi_dynamic_ppm),
            self._vi_rate(Rule.VI_STATIC_PPM, instrument.id, instrument.vi_static_ppm),
        )

    def vi_bounds(self, instrument: Instrument) -> ViBounds:
        """From which prices on a trade would interrupt now (KRX BR 26-2). An auction that was extended once ends."""
        dynamic_ppm, static_ppm = rates_in(instrument.phase, self.vi_rates(instrument))
        if instrument.is_extended:
            dynamic_ppm = static_ppm = 0
        previous = instrument.previous_price
        return ViBounds(
            _within(instrument.limits, bounds(instrument.bands, previous, dynamic_ppm, previous)),
            _within(instrument.limits, bounds(instrument.bands, instrument.auction_price, static_ppm, previous)),
        )

    def types_allowed(self, instrument: Instrument) -> int:
        """Which order types the present phase takes, as a mask of `type_mask`; 0 = cancels only (KRX rules 3.7).

        None without a limit before the first price of a new listing (KRX rules 1.3), none at all at a close that no trade
        fixed.
        """
        rule = Rule.types_in(instrument.phase)
        lacks_close = instrument.phase.is_at_close and not self.off_hours_close(instrument)
        allowed = 0 if rule is None or lacks_close else self.rule(rule, instrument.id)
        is_unpriced = self._is_new(instrument) and instrument.day_open is None
        return allowed & ~_AT_MARKET if is_unpriced else allowed

    def off_hours_close(self, instrument: Instrument) -> int:
        """The one price of a phase at a close (KRX ER 51); 0 where no trade fixed one, and in all other phases."""
        if instrument.phase is Phase.PREVIOUS_CLOSE:
            return 0 if self._is_new(instrument) else instrument.base_price
        if not instrument.phase.is_at_close or instrument.day_close is None:
            return 0
        return ceil_to_grid(instrument.bands, instrument.day_close)

    def lot_size(self, instrument: Instrument) -> int:
        """What quantities of it are multiples of (KRX rules 2.4): its own lot, else that of ELWs, else the venue's."""
        own = self._rules.get((instrument.id, Rule.LOT_SIZE), 0)
        of_elws = self.rule(Rule.ELW_LOT_SIZE) if instrument.security is Security.ELW else 0
        return own or of_elws or self.rule(Rule.LOT_SIZE)

    def _is_new(self, instrument: Instrument) -> bool:
        """Whether this is the first day of its listing."""
        return bool(self._rules.get((instrument.id, Rule.NEW_LISTING)))

    def types_ever_allowed(self, instrument: Instrument) -> int:
        """Which order types any phase takes."""
        rules = [rule for phase in Phase if (rule := Rule.types_in(phase)) is not None]
        return reduce(or_, (self.rule(rule, instrument.id) for rule in rules), 0)

    def max_qty_by_value(self, instrument: Instrument) -> int:
        """The most shares of one order by the company's value (KRX ER 14); 0 where that rule is off or nothing is known."""
        if not self.rule(Rule.MAX_QTY_BY_VALUE, instrument.id):
            return 0
        return max_qty_by_value(instrument.base_price, instrument.listed_shares)

    def immediate_types_allowed(self, instrument: Instrument) -> int:
        """Which of them may be IOC or FOK now."""
        if instrument.phase is not Phase.CONTINUOUS:
            return 0
        return self.rule(Rule.IMMEDIATE_TYPES, instrument.id) & self.types_allowed(instrument)

    def _vi_rate(self, rule: Rule, instrument: int, listed: int) -> int:
        return self._rules.get((instrument, rule), self._rules.get((0, rule), listed))

    def apply(self, event: Event, texts: dict[int, str]) -> None:
        """Take in one event; `texts` are its block's annotations (a new instrument's name, the currency)."""
        if isinstance(event, Trade):
            self._trade(event)
        elif isinstance(event, InstrumentListed):
            self._list(event, texts)
        elif isinstance(event, AuctionIndicated):
            self.indicated(event.instrument, event.price, event.qty)
        elif isinstance(event, AuctionUncrossed | AuctionExtended):
            self._end_auction(event)
        elif isinstance(event, PriceLimitsSet):
            self._set_base(event)
        elif isinstance(event, PhaseChanged):
            self._change_phase(event)
        elif isinstance(event, TickBandSet):
            self._set_band(event)
        elif isinstance(event, RuleSet):
            self._set_rule(event)
        elif isinstance(event, DayRolled):
            self._roll_day(event)
        elif isinstance(event, VenueOpened):
            self.denomination = Denomination.of(event.price_scale, texts.get(0, ""))
            self.trading_day = event.trading_day

    def _list(self, event: InstrumentListed, texts: dict[int, str]) -> None:
        symbol = event.symbol.rstrip(b"\0").decode("ascii")
        instrument = Instrument(
            id=event.instrument,
            symbol=symbol,
            name=texts.get(event.instrument, symbol),
            board=Board(event.board),
            security=Security(event.security),
            listed_shares=event.listed_shares,
            leverage=event.leverage,
            limit_ppm=event.limit_ppm,
            tick_table=event.tick_table,
            tick_bands=self._tick_tables.setdefault(event.tick_table, []),
            phase=self.phase,
            vi_dynamic_ppm=event.vi_dynamic_ppm,
            vi_static_ppm=event.vi_static_ppm,
        )
        self._by_id[instrument.id] = instrument
        self._by_symbol[symbol] = instrument

    def _trade(self, event: Trade) -> None:
        instrument = self._by_id[event.instrument]
        price = event.price
        instrument.day_volume += event.qty
        instrument.day_turnover += price * event.qty
        instrument.last_trade_ts = event.ts
        if instrument.phase.is_at_close:
            return
        instrument.last_price = instrument.previous_price = price
        if instrument.phase.off_hours is None:
            instrument.day_close = price
        if instrument.day_open is None or instrument.day_high is None or instrument.day_low is None:
            instrument.day_open = instrument.day_high = instrument.day_low = price
        else:
            instrument.day_high = max(instrument.day_high, price)
            instrument.day_low = min(instrument.day_low, price)

    def traded(self, trades: Trades) -> None:
        """Take in many trades of an instrument at once, made in one phase."""
        number, (first, high, low, last), (qty, turnover), *_ = trades
        instrument = self._by_id[number]
        instrument.day_volume += qty
        instrument.day_turnover += turnover
        instrument.last_trade_ts = last[1]
        if instrument.phase.is_at_close:
            return
        instrument.last_price = instrument.previous_price = last[0]
        if instrument.phase.off_hours is None:
            instrument.day_close = last[0]
        if instrument.day_open is None or instrument.day_high is None or instrument.day_low is None:
            instrument.day_open, instrument.day_high, instrument.day_low = first[0], high[0], low[0]
        else:
            instrument.day_high = max(instrument.day_high, high[0])
            instrument.day_low = min(instrument.day_low, low[0])

    def indicated(self, instrument: int, price: int, qty: int) -> None:
        """Take in what an instrument's auction would give now; price 0 = no match."""
        found = self._by_id[instrument]
        found.indicative_price, found.indicative_qty = price, qty

    def _set_base(self, event: PriceLimitsSet) -> None:
        """A base price and its limits; the same one again where the limits alone change."""
        instrument = self._by_id[event.instrument]
        if event.base_price != instrument.base_price:
            instrument.base_price = instrument.previous_price = instrument.auction_price = event.base_price
        instrument.upper_limit = event.upper_limit
        instrument.lower_limit = event.lower_limit

    def _end_auction(self, event: AuctionUncrossed | AuctionExtended) -> None:
        instrument = self._by_id[event.instrument]
        instrument.is_extended = isinstance(event, AuctionExtended)
        if isinstance(event, AuctionExtended):
            instrument.vi_count += 1
            instrument.phase_reason = Reason(event.reason)
        elif event.price:
            instrument.auction_price = event.price

    def _set_rule(self, event: RuleSet) -> None:
        """A rule's value. The previous price is not kept as a rule: the next trade takes its place."""
        if event.rule == Rule.PREVIOUS_PRICE:
            self._by_id[event.instrument].previous_price = event.value
        else:
            self._rules[event.instrument, event.rule] = event.value

    def _change_phase(self, event: PhaseChanged) -> None:
        for instrument in [self._by_id[event.instrument]] if event.instrument else self._by_id.values():
            instrument.phase = Phase(event.phase)
            instrument.phase_since = event.ts
            instrument.phase_reason = Reason(event.reason)
            instrument.is_extended = False
            instrument.vi_count += instrument.phase_reason in INTERRUPTED
            if not instrument.phase.is_auction:
                instrument.indicative_price = instrument.indicative_qty = 0
        self._phase = None if event.instrument else Phase(event.phase)

    def _set_band(self, event: TickBandSet) -> None:
        bands = self._tick_tables.setdefault(event.table, [])
        bands[:] = sorted({**dict(bands), event.from_price: event.tick}.items())

    def _roll_day(self, event: DayRolled) -> None:
        self.trading_day = event.trading_day
        for instrument in self._by_id.values():
            self._rules.pop((instrument.id, Rule.NEW_LISTING), None)
            instrument.day_open = instrument.day_high = instrument.day_low = instrument.day_close = None
            instrument.day_volume = instrument.day_turnover = 0
            instrument.previous_price = instrument.auction_price = instrument.base_price
            instrument.vi_count = 0
            instrument.is_extended = False


def _within(limits: PriceLimits, found: Bounds) -> Bounds:
    """Bounds that a trade can reach within the day's limits."""
    lower = found.lower if found.lower >= limits.lower else 0
    return Bounds(lower, found.upper if not limits.upper or found.upper <= limits.upper else 0)
