"""How an order and its market stand at this moment: what the answer and the options are chosen by."""

from __future__ import annotations

import msgspec

from onseju.contract.reasons import Reason
from onseju.contract.words import AuctionPricing, OrderType, Phase, Rule, Side
from onseju.market.directory import Directory, Instrument
from onseju.market.market import Market
from onseju.story.places import Place


class Quote(msgspec.Struct, frozen=True):
    """A side's best level; price 0 = there is none."""

    price: int = 0
    qty: int = 0


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The instrument as the public sees it, and the order's place in the queue."""

    phase: Phase
    phase_reason: Reason = Reason.NONE
    phase_until: int | None = None
    """When the phase is planned to end, microseconds since 1970; None where nothing plans it."""
    indicative_price: int = 0
    last_price: int = 0
    """The last trade's of today, before it the base price; 0 without either."""
    bid: Quote = Quote()
    ask: Quote = Quote()
    place: Place | None = None
    is_correctable: bool = True
    """Whether the phase takes limit orders, and so corrections to another price."""

    def own(self, side: Side) -> Quote:
        """The best level of a side."""
        return self.bid if side is Side.BUY else self.ask

    def opposite(self, side: Side) -> Quote:
        """The best level of the other side."""
        return self.ask if side is Side.BUY else self.bid


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An order in the contract's words. Prices 0 = none."""

    side: Side
    order_type: str
    status: str
    qty: int
    limit_price: int
    stop_price: int
    leaves_qty: int
    filled_qty: int
    canceled_qty: int
    average_price: str

    @property
    def is_open(self) -> bool:
        return self.status in ("new", "partially_filled")

    @property
    def is_asleep(self) -> bool:
        return self.order_type in ("stop_limit", "stop")

    @property
    def is_midpoint(self) -> bool:
        return self.order_type == "midpoint"

    @property
    def is_market(self) -> bool:
        return self.order_type == "market"

    def is_better(self, price: int, than: int) -> bool:
        """Whether one price goes farther to trade than another, on this order's side."""
        return price > than if self.side is Side.BUY else price < than


class Line(msgspec.Struct, frozen=True):
    """A sentence by its code and parameters."""

    code: str
    params: dict[str, int | str] = {}


class Limits(msgspec.Struct, frozen=True):
    """The day's price limits, 0 without; `divides`: whether auctions at them divide in turns (동시호가)."""

    upper: int = 0
    lower: int = 0
    divides: bool = False


def moment_of(
    market: Market, instrument: Instrument | None, place: Place | None, phase_until: int | None = None
) -> Moment:
    """How an instrument stands now; None for that of a refused order which named none."""
    if instrument is None:
        return Moment(phase=Phase.CLOSED)
    book = market.book(instrument.symbol, 1)
    bids, asks = ([], []) if book is None else (book.bids, book.asks)
    return Moment(
        phase=instrument.phase,
        phase_reason=instrument.phase_reason,
        phase_until=phase_until,
        indicative_price=instrument.indicative_price,
        last_price=instrument.previous_price,
        bid=Quote(bids[0][0], bids[0][1]) if bids else Quote(),
        ask=Quote(asks[0][0], asks[0][1]) if asks else Quote(),
        place=place,
        is_correctable=bool(market.directory.types_allowed(instrument) >> OrderType.LIMIT & 1),
    )


def limits_of(directory: Directory, instrument: Instrument | None) -> Limits:
    """The limits of the day, and the rule about auctions that end at them."""
    if instrument is None:
        return Limits()
    pricing = directory.rule(Rule.AUCTION_PRICING, instrument.id)
    return Limits(instrument.upper_limit, instrument.lower_limit, divides=pricing == AuctionPricing.KRX)
