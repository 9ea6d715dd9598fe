"""What is listed and by which rules: instruments, tick tables, price limits, phases, the trading day."""

from __future__ import annotations

import msgspec

from onseju.contract.events import (
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
from onseju.contract.words import Board, Phase, Rule, Security

TickBands = list[tuple[int, int]]
"""(from price, inclusive; tick), ascending by price."""


class Instrument(msgspec.Struct, kw_only=True):
    """An instrument as it stands now. Prices in the venue's unit. Only the market changes it; everyone else reads.

    `upper_limit` and `lower_limit` are 0 without limits. The `day_…` prices are None before the day's first trade;
    `last_price` is the last trade's of any day, None before the first.
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
    base_price: int = 0
    upper_limit: int = 0
    lower_limit: int = 0
    last_price: int | None = None
    last_trade_ts: int | None = None
    day_open: int | None = None
    day_high: int | None = None
    day_low: int | None = None
    day_volume: int = 0
    day_turnover: int = 0
    """Sum of price × quantity of the day's trades."""


class Directory:
    """All instruments, and what holds for the venue as a whole."""

    def __init__(self) -> None:
        self.trading_day = 0
        self.price_scale = 0
        self.phase = Phase.CONTINUOUS
        self._by_id: dict[int, Instrument] = {}
        self._by_symbol: dict[str, Instrument] = {}
        self._tick_tables: dict[int, TickBands] = {}
        self._rules: dict[tuple[int, int], int] = {}

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

    def all(self) -> list[Instrument]:
        """Every instrument, in the order of listing."""
        return list(self._by_id.values())

    def rule(self, rule: Rule, instrument: int = 0) -> int:
        """The value of a rule: the instrument's own, else the venue's, else 0."""
        own = self._rules.get((instrument, rule))
        return self._rules.get((0, rule), 0) if own is None else own

    def apply(self, event: Event, texts: dict[int, str]) -> None:
        """Take in one event; `texts` are its block's annotations (a new instrument's name)."""
        if isinstance(event, Trade):
            self._trade(event)
        elif isinstance(event, InstrumentListed):
            self._list(event, texts)
        elif isinstance(event, PriceLimitsSet):
            instrument = self._by_id[event.instrument]
            instrument.base_price = event.base_price
            instrument.upper_limit = event.upper_limit
            instrument.lower_limit = event.lower_limit
        elif isinstance(event, PhaseChanged):
            self._change_phase(event)
        elif isinstance(event, TickBandSet):
            self._set_band(event)
        elif isinstance(event, RuleSet):
            self._rules[event.instrument, event.rule] = event.value
        elif isinstance(event, DayRolled):
            self._roll_day(event)
        elif isinstance(event, VenueOpened):
            self.price_scale = event.price_scale
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
        )
        self._by_id[instrument.id] = instrument
        self._by_symbol[symbol] = instrument

    def _trade(self, event: Trade) -> None:
        instrument = self._by_id[event.instrument]
        price = event.price
        instrument.last_price = price
        instrument.last_trade_ts = event.ts
        if instrument.day_open is None or instrument.day_high is None or instrument.day_low is None:
            instrument.day_open = instrument.day_high = instrument.day_low = price
        else:
            instrument.day_high = max(instrument.day_high, price)
            instrument.day_low = min(instrument.day_low, price)
        instrument.day_volume += event.qty
        instrument.day_turnover += price * event.qty

    def _change_phase(self, event: PhaseChanged) -> None:
        phase = Phase(event.phase)
        if event.instrument:
            self._by_id[event.instrument].phase = phase
            return
        self.phase = phase
        for instrument in self._by_id.values():
            instrument.phase = phase

    def _set_band(self, event: TickBandSet) -> None:
        bands = self._tick_tables.setdefault(event.table, [])
        bands[:] = sorted({**dict(bands), event.from_price: event.tick}.items())

    def _roll_day(self, event: DayRolled) -> None:
        self.trading_day = event.trading_day
        for instrument in self._by_id.values():
            instrument.day_open = instrument.day_high = instrument.day_low = None
            instrument.day_volume = instrument.day_turnover = 0
