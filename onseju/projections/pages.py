"""What queries answer: pages of the contract's views, each with the command number that it is as of."""

from __future__ import annotations

import msgspec

from onseju.contract.views import BalanceView, FillView, OrderView, PositionView


class OrderPage(msgspec.Struct, frozen=True, kw_only=True):
    """Orders, newest first."""

    orders: list[OrderView]
    next_cursor: str | None
    seq: int


class FillPage(msgspec.Struct, frozen=True, kw_only=True):
    """Fills, newest first."""

    fills: list[FillView]
    next_cursor: str | None
    seq: int


class PublicTrade(msgspec.Struct, frozen=True, kw_only=True):
    """A trade as the public sees it, the same as on the stream. `taker_side` is null in an auction."""

    symbol: str
    trade_id: int
    price: int
    qty: int
    taker_side: str | None
    ts: str


class TradePage(msgspec.Struct, frozen=True, kw_only=True):
    """Trades, newest first."""

    trades: list[PublicTrade]
    next_cursor: str | None
    seq: int


class Candle(msgspec.Struct, frozen=True, kw_only=True):
    """The trades of one interval that begins at `ts`. `turnover` is the sum of price × quantity."""

    ts: str
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int
    trade_count: int


class CandlePage(msgspec.Struct, frozen=True, kw_only=True):
    """Candles, newest first. An interval without trades has none."""

    symbol: str
    interval: str
    candles: list[Candle]
    seq: int


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """An account's cash and all its positions, those that were sold out too, at one moment."""

    balance: BalanceView
    positions: list[PositionView]
    seq: int


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What a host did. `actor` is the account number of who did it, null for the bootstrap admin key; `account_id`,
    `symbol` and `about_seq` (the command that did it) are null where it was about none."""

    seq: int
    ts: str
    actor: int | None
    via: str
    action: str
    account_id: int | None
    symbol: str | None
    about_seq: int | None
    details: str


class DeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """What hosts did, newest first."""

    deeds: list[Deed]
    next_cursor: str | None
    seq: int
