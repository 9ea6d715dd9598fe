"""Events (past tense): what happened, in canonical bytes of 128 each. Every value is absolute: nothing is a difference.

Layout, little-endian, version 1:

    0  u64 seq          the command's number: with idx the event's position
    8  i64 ts           the command's time, microseconds since 1970-01-01 UTC
    16 u32 idx          place among the command's events, from 0
    20 u32 account      whose event it is; 0 = nobody's (public or the venue's)
    24 u32 instrument   0 = none
    28 u8 kind · u8 version · u16 reason   a `reasons.Reason`; 0 = none
    32 96 bytes         by kind, see the classes

A command always gives at least one event. Order of a command's events: what happened to the orders and trades, in the
order it happened; then, once each and in ascending order of their ids, what the auctions would give now, and the levels,
positions and balances that changed. A level counts the limit orders at its price, and under rules where market orders
float (KRX) those that rest at this deemed price; midpoint and sleeping stop orders show in no level.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import ClassVar

import msgspec

from onseju.contract.records import Layout, UnknownRecordError

EVENT_BYTES = 128
EVENT_VERSION = 1


class EventKind(IntEnum):
    # one account's order
    ORDER_ACCEPTED = 1
    ORDER_REJECTED = 2
    ORDER_CORRECTED = 3
    ORDER_CANCELED = 4
    ORDER_EXPIRED = 5
    ORDER_TRIGGERED = 6
    ORDER_FILLED = 7
    # the answer to a request that changed nothing
    REQUEST_REJECTED = 12
    REQUEST_REPEATED = 13
    ALL_CANCELED = 14
    # one account's money and shares
    ACCOUNT_OPENED = 16
    BALANCE_CHANGED = 17
    POSITION_CHANGED = 18
    # public
    TRADE = 32
    LEVEL_CHANGED = 33
    INSTRUMENT_LISTED = 34
    PRICE_LIMITS_SET = 35
    PHASE_CHANGED = 36
    AUCTION_INDICATED = 37
    AUCTION_UNCROSSED = 38
    DAY_ROLLED = 39
    AUCTION_EXTENDED = 40
    # the venue and the machinery
    VENUE_OPENED = 64
    RULE_SET = 65
    TICK_BAND_SET = 66
    EPOCH_STARTED = 67
    GATEWAY_GAP_CLOSED = 68
    ADMIN_NOTED = 69


_HEAD = "QqIIIBBH"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The part that all events share (32 bytes)."""

    KIND: ClassVar[EventKind]

    seq: int
    ts: int
    idx: int
    account: int = 0
    instrument: int = 0
    kind: int = 0
    version: int = EVENT_VERSION
    reason: int = 0


class OrderEvent(Event, frozen=True, kw_only=True):
    """An order as it stands after the event. Always: leaves_qty + filled_qty + canceled_qty = qty (0 leaves once done).

    `filled_amount` is the sum of price × quantity. `client_id` is the hash of the *new order's* client id.
    """

    order_id: int
    parent_order_id: int = 0
    qty: int
    limit_price: int = 0
    stop_price: int = 0
    leaves_qty: int = 0
    filled_qty: int = 0
    canceled_qty: int = 0
    filled_amount: int = 0
    client_id: bytes = bytes(16)
    side: int
    order_type: int
    time_in_force: int
    status: int


class OrderAccepted(OrderEvent, frozen=True, kw_only=True):
    """A new order entered, before any fill of it."""

    KIND = EventKind.ORDER_ACCEPTED
    kind: int = EventKind.ORDER_ACCEPTED


class OrderRejected(OrderEvent, frozen=True, kw_only=True):
    """A new order was refused; `canceled_qty` is its whole quantity where that is positive."""

    KIND = EventKind.ORDER_REJECTED
    kind: int = EventKind.ORDER_REJECTED


class OrderCorrected(OrderEvent, frozen=True, kw_only=True):
    """An open order was changed (정정)."""

    KIND = EventKind.ORDER_CORRECTED
    kind: int = EventKind.ORDER_CORRECTED


class OrderCanceled(OrderEvent, frozen=True, kw_only=True):
    """Open quantity was taken out: all (status canceled) or part. `reason` is 0 when its owner asked, else why."""

    KIND = EventKind.ORDER_CANCELED
    kind: int = EventKind.ORDER_CANCELED


class OrderExpired(OrderEvent, frozen=True, kw_only=True):
    """The trading day ended with quantity open."""

    KIND = EventKind.ORDER_EXPIRED
    kind: int = EventKind.ORDER_EXPIRED


class OrderTriggered(OrderEvent, frozen=True, kw_only=True):
    """A stop order woke, or a conditional limit order became one of the closing auction: it is of its new type now."""

    KIND = EventKind.ORDER_TRIGGERED
    kind: int = EventKind.ORDER_TRIGGERED


class OrderFilled(Event, frozen=True, kw_only=True):
    """A fill: one account's side of a trade. `commission` and the taxes are the order's sums so far."""

    KIND = EventKind.ORDER_FILLED
    kind: int = EventKind.ORDER_FILLED
    order_id: int
    trade_id: int
    price: int
    qty: int
    leaves_qty: int
    filled_qty: int
    canceled_qty: int
    filled_amount: int
    commission: int = 0
    transaction_tax: int = 0
    rural_tax: int = 0
    side: int
    liquidity: int
    status: int


class RequestRejected(Event, frozen=True, kw_only=True):
    """A request other than a new order was refused; nothing changed. `order_id` is the one it named, or 0."""

    KIND = EventKind.REQUEST_REJECTED
    kind: int = EventKind.REQUEST_REJECTED
    order_id: int = 0
    client_id: bytes = bytes(16)
    command_kind: int = 0


class RequestRepeated(Event, frozen=True, kw_only=True):
    """A client id came again: `reason` 0 for the same body (the answer is that of `original_seq`), else why it is refused."""

    KIND = EventKind.REQUEST_REPEATED
    kind: int = EventKind.REQUEST_REPEATED
    original_seq: int
    client_id: bytes = bytes(16)
    command_kind: int = 0


class AllCanceled(Event, frozen=True, kw_only=True):
    """A cancel-all took effect; the `order_canceled` events stand before it."""

    KIND = EventKind.ALL_CANCELED
    kind: int = EventKind.ALL_CANCELED
    order_count: int
    side: int = 0


class AccountOpened(Event, frozen=True, kw_only=True):
    """`account` exists now."""

    KIND = EventKind.ACCOUNT_OPENED
    kind: int = EventKind.ACCOUNT_OPENED
    owner: bytes = bytes(16)
    account_kind: int = 1


class BalanceChanged(Event, frozen=True, kw_only=True):
    """The account's cash (reserved part included). `unsettled_…` is the part that arrives on D+1 and D+2, negative where
    cash leaves: settled (D) is cash − d1 − d2, on D+1 it is cash − d2, on D+2 all of it."""

    KIND = EventKind.BALANCE_CHANGED
    kind: int = EventKind.BALANCE_CHANGED
    cash: int
    reserved_cash: int
    unsettled_d1: int = 0
    unsettled_d2: int = 0


class PositionChanged(Event, frozen=True, kw_only=True):
    """The account's shares of `instrument` (reserved part included), what they cost, and the profit realised so far."""

    KIND = EventKind.POSITION_CHANGED
    kind: int = EventKind.POSITION_CHANGED
    qty: int
    reserved_qty: int
    cost_amount: int
    realized_profit: int


class Trade(Event, frozen=True, kw_only=True):
    """A match. `taker_side` is the incoming order's side, 0 in an auction."""

    KIND = EventKind.TRADE
    kind: int = EventKind.TRADE
    trade_id: int
    price: int
    qty: int
    buy_order_id: int
    sell_order_id: int
    taker_side: int = 0


class LevelChanged(Event, frozen=True, kw_only=True):
    """A price level of the book: its open quantity and number of orders now, 0 and 0 when it is gone."""

    KIND = EventKind.LEVEL_CHANGED
    kind: int = EventKind.LEVEL_CHANGED
    price: int
    qty: int
    order_count: int
    side: int


class InstrumentListed(Event, frozen=True, kw_only=True):
    """`instrument` exists now. Its name is the block's text. The fields are those of `ListInstrument`."""

    KIND = EventKind.INSTRUMENT_LISTED
    kind: int = EventKind.INSTRUMENT_LISTED
    symbol: bytes
    listed_shares: int
    limit_ppm: int
    vi_dynamic_ppm: int
    vi_static_ppm: int
    tick_table: int
    board: int
    security: int
    leverage: int


class PriceLimitsSet(Event, frozen=True, kw_only=True):
    """The base price of the day and what follows from it; both limits 0 = none."""

    KIND = EventKind.PRICE_LIMITS_SET
    kind: int = EventKind.PRICE_LIMITS_SET
    base_price: int
    upper_limit: int
    lower_limit: int


class PhaseChanged(Event, frozen=True, kw_only=True):
    """`instrument` (0 = all) is in `phase` now. `reason` says why where no phase command asked: an interruption (its
    `occurrence` counts the instrument's of the day) or a circuit breaker."""

    KIND = EventKind.PHASE_CHANGED
    kind: int = EventKind.PHASE_CHANGED
    trading_day: int
    phase: int
    occurrence: int = 0


class AuctionIndicated(Event, frozen=True, kw_only=True):
    """What the auction would give now; price 0 = no match."""

    KIND = EventKind.AUCTION_INDICATED
    kind: int = EventKind.AUCTION_INDICATED
    price: int
    qty: int


class AuctionUncrossed(Event, frozen=True, kw_only=True):
    """What the auction gave; price 0 = no match."""

    KIND = EventKind.AUCTION_UNCROSSED
    kind: int = EventKind.AUCTION_UNCROSSED
    price: int
    qty: int


class AuctionExtended(Event, frozen=True, kw_only=True):
    """An auction's own price would have set off a volatility interruption (`reason`): it goes on collecting."""

    KIND = EventKind.AUCTION_EXTENDED
    kind: int = EventKind.AUCTION_EXTENDED
    price: int
    qty: int


class DayRolled(Event, frozen=True, kw_only=True):
    """`trading_day` (YYYYMMDD) has begun."""

    KIND = EventKind.DAY_ROLLED
    kind: int = EventKind.DAY_ROLLED
    trading_day: int


class VenueOpened(Event, frozen=True, kw_only=True):
    """The venue exists."""

    KIND = EventKind.VENUE_OPENED
    kind: int = EventKind.VENUE_OPENED
    price_scale: int
    trading_day: int


class RuleSet(Event, frozen=True, kw_only=True):
    """A rule has this value now."""

    KIND = EventKind.RULE_SET
    kind: int = EventKind.RULE_SET
    rule: int
    value: int


class TickBandSet(Event, frozen=True, kw_only=True):
    """A tick table has this band now."""

    KIND = EventKind.TICK_BAND_SET
    kind: int = EventKind.TICK_BAND_SET
    table: int
    from_price: int
    tick: int


class EpochStarted(Event, frozen=True, kw_only=True):
    """A leader began."""

    KIND = EventKind.EPOCH_STARTED
    kind: int = EventKind.EPOCH_STARTED
    epoch: int


class GatewayGapClosed(Event, frozen=True, kw_only=True):
    """A gateway's commands through `through_seq` are not waited for any more."""

    KIND = EventKind.GATEWAY_GAP_CLOSED
    kind: int = EventKind.GATEWAY_GAP_CLOSED
    gateway: int
    gateway_epoch: int
    through_seq: int


class AdminNoted(Event, frozen=True, kw_only=True):
    """A host did something: the fields of `NoteAdmin`; what it was is the block's text. It is no account's event: the
    account that it was about is `about_account`."""

    KIND = EventKind.ADMIN_NOTED
    kind: int = EventKind.ADMIN_NOTED
    actor: int
    about_account: int
    about_seq: int
    via: int


_ORDER = "qqqqqqqqq16sBBBB4x"

_BODIES: dict[type[Event], str] = {
    OrderAccepted: _ORDER,
    OrderRejected: _ORDER,
    OrderCorrected: _ORDER,
    OrderCanceled: _ORDER,
    OrderExpired: _ORDER,
    OrderTriggered: _ORDER,
    OrderFilled: "qqqqqqqqqqqBBB5x",
    RequestRejected: "q16sB71x",
    RequestRepeated: "Q16sB71x",
    AllCanceled: "IB91x",
    AccountOpened: "16sB79x",
    BalanceChanged: "qqqq64x",
    PositionChanged: "qqqq64x",
    Trade: "qqqqqB55x",
    LevelChanged: "qqIB75x",
    InstrumentListed: "16sqIIIBBBb56x",
    PriceLimitsSet: "qqq72x",
    PhaseChanged: "IBxH88x",
    AuctionIndicated: "qq80x",
    AuctionUncrossed: "qq80x",
    AuctionExtended: "qq80x",
    DayRolled: "I92x",
    VenueOpened: "B3xI88x",
    RuleSet: "I4xq80x",
    TickBandSet: "I4xqq72x",
    EpochStarted: "Q88x",
    GatewayGapClosed: "IIQ80x",
    AdminNoted: "IIQB79x",
}

LAYOUTS: dict[int, Layout] = {cls.KIND: Layout(cls, _HEAD + body, EVENT_BYTES) for cls, body in _BODIES.items()}

KIND_OFFSET = 28
"""Where an event's kind stands in its bytes."""

ACCOUNT_OFFSET = 20
INSTRUMENT_OFFSET = 24
"""Where an event's account (u32) stands in its bytes."""


def encode_event(event: Event) -> bytes:
    """The event's 128 canonical bytes."""
    return LAYOUTS[event.kind].pack(event)


def decode_event(buffer: bytes | memoryview, offset: int = 0) -> Event:
    """The event at `offset`. Raises `UnknownRecordError` for a kind or version that this release does not know."""
    kind, version = buffer[offset + KIND_OFFSET], buffer[offset + KIND_OFFSET + 1]
    layout = LAYOUTS.get(kind)
    if layout is None or version != EVENT_VERSION:
        raise UnknownRecordError(f"event kind {kind}, version {version}")
    event: Event = layout.unpack(buffer, offset)
    return event


def decode_events(buffer: bytes | memoryview) -> Iterator[Event]:
    """All events of a buffer, in order."""
    for offset in range(0, len(buffer), EVENT_BYTES):
        yield decode_event(buffer, offset)
