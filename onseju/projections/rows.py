"""From events to rows: one batch's changes, each order, balance, position, instrument and candle written once.

Row tuples follow the order of their columns in `tables.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any, cast

from onseju.contract.events import (
    AccountOpened,
    AdminNoted,
    BalanceChanged,
    DayRolled,
    Event,
    EventKind,
    InstrumentListed,
    OrderEvent,
    OrderFilled,
    PositionChanged,
    PriceLimitsSet,
    Trade,
    VenueOpened,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import OrderStatus
from onseju.projections.sums import ORDERS_ACCEPTED, ORDERS_DONE, ORDERS_REJECTED, BatchSums

Row = tuple[Any, ...]

MINUTE_S = 60
DAY_S = 86_400
KST_OFFSET_US = 9 * 3600 * 1_000_000
"""Korean time is nine hours ahead of UTC, all the year."""
_MINUTE_US = MINUTE_S * 1_000_000
_DAY_US = DAY_S * 1_000_000

BIGGEST = 2**63 - 1
"""A candle's sums stop here: a column holds no more."""

_OPEN = frozenset(status.value for status in OrderStatus if status.is_open)

# places in an order's row, for the fills that follow it in the same batch
_LEAVES, _FILLED, _CANCELED, _AMOUNT, _STATUS, _DONE, _UPDATED_SEQ, _UPDATED_TS = 11, 12, 13, 14, 15, 16, 20, 21


def minute_of(ts: int) -> int:
    """The start of the UTC minute that holds `ts`; both in microseconds."""
    return ts - ts % _MINUTE_US


@lru_cache(maxsize=8)
def start_of_day(trading_day: int) -> int:
    """The start of a trading day's date (YYYYMMDD) in Korea, in microseconds UTC. The exchange takes 31 days of any month:
    those that no calendar has count on into the next."""
    month = date(trading_day // 10_000, trading_day // 100 % 100, 1) - date(1970, 1, 1)
    return (month.days + trading_day % 100 - 1) * _DAY_US - KST_OFFSET_US


class Batch:
    """What a run of event blocks changes in the tables."""

    def __init__(self, trading_day: int) -> None:
        self.trading_day = trading_day
        """YYYYMMDD; before the first block that of the batch before, 0 before the venue is open."""
        self.first_seq = 0
        self.last_seq = 0
        self.block_count = 0
        self.event_count = 0
        self.orders: dict[int, list[Any]] = {}
        """Whole rows of orders that had an event with all their fields."""
        self.order_fills: dict[int, Row] = {}
        """What fills changed in orders that have no whole row here; the key is the tuple's last."""
        self.fills: list[Row] = []
        self.trades: list[Row] = []
        self.accounts: dict[int, Row] = {}
        self.balances: dict[int, Row] = {}
        self.positions: dict[tuple[int, int], Row] = {}
        self.instruments: dict[int, list[Any]] = {}
        self.limits: dict[int, Row] = {}
        """Base price and limits of instruments that have no whole row here; the key is the tuple's last."""
        self.candles: dict[tuple[int, int, int], list[int]] = {}
        self.deeds: list[Row] = []
        self.sums = BatchSums()

    def add(self, block: EventBlock) -> None:
        """Take in the next block."""
        if self.block_count == 0:
            self.first_seq = block.seq
        self.last_seq = block.seq
        self.block_count += 1
        self.event_count += block.event_count
        for event in block.events:
            fold = _FOLDS.get(event.kind)
            if fold is not None:
                fold(self, event, block)

    @property
    def row_count(self) -> int:
        """How many rows will be written."""
        return sum(
            len(rows)
            for rows in (
                self.orders,
                self.order_fills,
                self.fills,
                self.trades,
                self.accounts,
                self.balances,
                self.positions,
                self.instruments,
                self.limits,
                self.candles,
                self.deeds,
            )
        )

    def order(self, event: OrderEvent, block: EventBlock) -> None:
        """An order as it stands now. Creation is kept by the table where the row exists already."""
        if event.kind == EventKind.ORDER_ACCEPTED:
            self.sums.count(ORDERS_ACCEPTED)
        elif event.kind == EventKind.ORDER_REJECTED:
            self.sums.count(ORDERS_REJECTED)
        elif event.status not in _OPEN:
            self.sums.count(ORDERS_DONE)
        known = self.orders.get(event.order_id)
        created_seq, created_ts = (event.seq, event.ts) if known is None else (known[18], known[19])
        self.order_fills.pop(event.order_id, None)
        self.orders[event.order_id] = [
            event.order_id,
            event.parent_order_id,
            event.account,
            event.instrument,
            block.annotations.get(event.order_id),
            event.side,
            event.order_type,
            event.time_in_force,
            event.qty,
            event.limit_price,
            event.stop_price,
            event.leaves_qty,
            event.filled_qty,
            event.canceled_qty,
            event.filled_amount,
            event.status,
            0 if event.status in _OPEN else 1,
            event.reason,
            created_seq,
            created_ts,
            event.seq,
            event.ts,
        ]

    def fill(self, event: OrderFilled, block: EventBlock) -> None:
        """A fill's own row, and what it changes in its order."""
        self.fills.append(
            (
                event.seq,
                event.idx,
                event.ts,
                event.account,
                event.instrument,
                event.order_id,
                event.trade_id,
                event.side,
                event.price,
                event.qty,
                event.liquidity,
                event.leaves_qty,
                event.filled_qty,
                event.canceled_qty,
                event.filled_amount,
                event.commission,
                event.transaction_tax,
                event.rural_tax,
                event.status,
            )
        )
        done = 0 if event.status in _OPEN else 1
        if done:
            self.sums.count(ORDERS_DONE)
        row = self.orders.get(event.order_id)
        if row is None:
            self.order_fills[event.order_id] = (
                event.leaves_qty,
                event.filled_qty,
                event.canceled_qty,
                event.filled_amount,
                event.status,
                done,
                event.seq,
                event.ts,
                event.order_id,
            )
            return
        row[_LEAVES], row[_FILLED], row[_CANCELED] = event.leaves_qty, event.filled_qty, event.canceled_qty
        row[_AMOUNT], row[_STATUS], row[_DONE] = event.filled_amount, event.status, done
        row[_UPDATED_SEQ], row[_UPDATED_TS] = event.seq, event.ts

    def trade(self, event: Trade, block: EventBlock) -> None:
        """A public trade, and its share of the minute's and the day's candle."""
        self.trades.append(
            (
                event.trade_id,
                event.seq,
                event.idx,
                event.ts,
                event.instrument,
                event.price,
                event.qty,
                event.taker_side,
            )
        )
        self._candle(event, MINUTE_S, minute_of(event.ts))
        self._candle(event, DAY_S, start_of_day(self.trading_day))

    def _candle(self, event: Trade, interval_s: int, start_ts: int) -> None:
        price, qty, amount = event.price, event.qty, min(event.price * event.qty, BIGGEST)
        key = (event.instrument, interval_s, start_ts)
        candle = self.candles.get(key)
        if candle is None:
            self.candles[key] = [*key, price, price, price, price, qty, amount, 1]
            return
        candle[4] = max(candle[4], price)
        candle[5] = min(candle[5], price)
        candle[6] = price
        candle[7] = min(candle[7] + qty, BIGGEST)
        candle[8] = min(candle[8] + amount, BIGGEST)
        candle[9] += 1

    def begin_day(self, event: VenueOpened | DayRolled, block: EventBlock) -> None:
        """What is traded from now on is of this trading day, whatever the clock says."""
        self.trading_day = event.trading_day

    def account(self, event: AccountOpened, block: EventBlock) -> None:
        """An account exists."""
        self.accounts[event.account] = (event.account, event.account_kind, event.seq, event.ts)

    def balance(self, event: BalanceChanged, block: EventBlock) -> None:
        """An account's cash now."""
        self.sums.balance(event, block.command_kind)
        self.balances[event.account] = (
            event.account,
            event.cash,
            event.reserved_cash,
            event.unsettled_d1,
            event.unsettled_d2,
            event.seq,
            event.ts,
        )

    def position(self, event: PositionChanged, block: EventBlock) -> None:
        """An account's shares of an instrument now."""
        self.sums.position(event, block.command_kind)
        self.positions[event.account, event.instrument] = (
            event.account,
            event.instrument,
            event.qty,
            event.reserved_qty,
            event.cost_amount,
            event.realized_profit,
            event.seq,
            event.ts,
        )

    def instrument(self, event: InstrumentListed, block: EventBlock) -> None:
        """An instrument exists; its base price and limits follow in their own event."""
        self.instruments[event.instrument] = [
            event.instrument,
            event.symbol.rstrip(b"\0").decode("ascii"),
            block.annotations.get(event.instrument, ""),
            event.board,
            event.security,
            event.listed_shares,
            event.tick_table,
            0,
            0,
            0,
            event.seq,
            event.ts,
        ]

    def price_limits(self, event: PriceLimitsSet, block: EventBlock) -> None:
        """An instrument's base price and limits of the day."""
        row = self.instruments.get(event.instrument)
        if row is None:
            self.limits[event.instrument] = (
                event.base_price,
                event.upper_limit,
                event.lower_limit,
                event.seq,
                event.ts,
                event.instrument,
            )
        else:
            row[7:] = [event.base_price, event.upper_limit, event.lower_limit, event.seq, event.ts]

    def deed(self, event: AdminNoted, block: EventBlock) -> None:
        """What a host did."""
        text = block.annotations.get(0, "")
        deed = (event.actor, event.via, event.about_account, event.instrument, event.about_seq, text)
        self.deeds.append((event.seq, event.ts, *deed))


_Fold = Callable[[Batch, Event, EventBlock], None]


def _fold(method: Any) -> _Fold:
    return cast(_Fold, method)


_FOLDS: dict[int, _Fold] = {
    **dict.fromkeys(
        (
            EventKind.ORDER_ACCEPTED,
            EventKind.ORDER_REJECTED,
            EventKind.ORDER_CORRECTED,
            EventKind.ORDER_CANCELED,
            EventKind.ORDER_EXPIRED,
            EventKind.ORDER_TRIGGERED,
        ),
        _fold(Batch.order),
    ),
    EventKind.ORDER_FILLED: _fold(Batch.fill),
    EventKind.TRADE: _fold(Batch.trade),
    EventKind.VENUE_OPENED: _fold(Batch.begin_day),
    EventKind.DAY_ROLLED: _fold(Batch.begin_day),
    EventKind.ACCOUNT_OPENED: _fold(Batch.account),
    EventKind.BALANCE_CHANGED: _fold(Batch.balance),
    EventKind.POSITION_CHANGED: _fold(Batch.position),
    EventKind.INSTRUMENT_LISTED: _fold(Batch.instrument),
    EventKind.PRICE_LIMITS_SET: _fold(Batch.price_limits),
    EventKind.ADMIN_NOTED: _fold(Batch.deed),
}
"""The other kinds change nothing here: levels and phases live in the market's memory."""
