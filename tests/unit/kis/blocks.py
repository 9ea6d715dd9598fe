"""Event blocks made by hand, and the market that listens to them."""

from __future__ import annotations

from typing import Any

from onseju.contract.events import (
    DayRolled,
    Event,
    InstrumentListed,
    LevelChanged,
    PriceLimitsSet,
    Trade,
    VenueOpened,
    encode_event,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import Side
from onseju.kis.source import MarketSource
from onseju.market.market import Market
from tests.unit.kis.fakes import NINE_O_CLOCK, TRADING_DAY

Made = tuple[type[Event], dict[str, Any]]


def trade(price: int, qty: int, taker: Side | None = Side.BUY, instrument: int = 1) -> Made:
    taker_side = int(taker) if taker is not None else 0
    fields = {"trade_id": 1, "buy_order_id": 1, "sell_order_id": 2, "price": price, "qty": qty}
    return Trade, {**fields, "taker_side": taker_side, "instrument": instrument}


def level(side: Side, price: int, qty: int, instrument: int = 1) -> Made:
    return LevelChanged, {
        "side": side,
        "price": price,
        "qty": qty,
        "order_count": min(qty, 1),
        "instrument": instrument,
    }


def rolled(trading_day: int) -> Made:
    return DayRolled, {"trading_day": trading_day}


def priced(base_price: int, instrument: int = 1) -> Made:
    limits = {"upper_limit": base_price * 13 // 10, "lower_limit": base_price * 7 // 10}
    return PriceLimitsSet, {"base_price": base_price, "instrument": instrument, **limits}


def listed(symbol: str, instrument: int) -> Made:
    return InstrumentListed, {
        "instrument": instrument,
        "symbol": symbol.encode().ljust(16, b"\0"),
        "listed_shares": 1_000_000,
        "limit_ppm": 300_000,
        "vi_dynamic_ppm": 0,
        "vi_static_ppm": 0,
        "tick_table": 0,
        "board": 1,
        "security": 1,
        "leverage": 1,
    }


class Exchange:
    """A market fed with blocks, as the bus would feed it, and the source of prices on it."""

    def __init__(self, *symbols: str) -> None:
        self.market = Market("0" * 8)
        self.source = MarketSource(self.market)
        self.seq = 0
        self.happen((VenueOpened, {"price_scale": 0, "trading_day": TRADING_DAY}))
        for number, symbol in enumerate(symbols, 1):
            self.happen(listed(symbol, number), priced(70_000, number))

    def block(self, *made: Made, ts: int | None = None) -> EventBlock:
        """One command's events: the next block."""
        self.seq += 1
        moment = NINE_O_CLOCK + self.seq * 1_000_000 if ts is None else ts
        events = [cls(seq=self.seq, ts=moment, idx=idx, **fields) for idx, (cls, fields) in enumerate(made)]
        payload = b"".join(encode_event(event) for event in events)
        return EventBlock(venue=1, epoch=1, semantics=1, seq=self.seq, ts=moment, command_kind=1, payload=payload)

    def publish(self, *blocks: EventBlock) -> None:
        """A batch reaches the listeners, in the order in which they subscribe."""
        self.market.listen(blocks)
        self.source.listen(blocks)

    def happen(self, *made: Made, ts: int | None = None) -> None:
        """One command's events reach the listeners."""
        self.publish(self.block(*made, ts=ts))
