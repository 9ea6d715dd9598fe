"""From events to rows: one batch's changes, each order, balance, position, instrument and candle written once.

Row tuples follow the order of their columns in `tables.py`.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Protocol

from onseju.contract.commands import CommandKind
from onseju.contract.event_runs import EventRun
from onseju.contract.events import (
    EVENT_BYTES,
    EVENT_VERSION,
    KIND_OFFSET,
    AccountOpened,
    AdminNoted,
    DayRolled,
    EventKind,
    InstrumentListed,
    PriceLimitsSet,
    VenueOpened,
    decode_event,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import OrderStatus
from onseju.projections.sums import CASH_DOORS, BatchSums

Row = tuple[Any, ...]


class Rows(Protocol):
    """What one statement writes, row after row."""

    def __len__(self) -> int: ...

    def values(self, start: int, stop: int) -> tuple[Any, ...]:
        """All values of the rows from `start` to `stop`, one row after the other."""
        ...


class PlainRows:
    """Rows that are tuples or lists."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        self._rows = list(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def values(self, start: int, stop: int) -> tuple[Any, ...]:
        """See `Rows`."""
        return tuple(chain.from_iterable(self._rows[start:stop]))


MINUTE_S = 60
DAY_S = 86_400
KST_OFFSET_US = 9 * 3600 * 1_000_000
"""Korean time is nine hours ahead of UTC, all the year."""
_MINUTE_US = MINUTE_S * 1_000_000
_DAY_US = DAY_S * 1_000_000

BIGGEST = 2**63 - 1
"""A candle's sums stop here: a column holds no more."""

_DONE_BY_STATUS = [0 if status in {word.value for word in OrderStatus if word.is_open} else 1 for status in range(256)]

# places in an order's row, for the events that follow it in the same batch
_LEAVES, _REASON, _CREATED_SEQ, _CREATED_TS, _UPDATED_SEQ, _UPDATED_TS = 11, 17, 18, 19, 20, 21

# An order's events, read without making objects of them: see `contract.events` for the layouts.
_ORDER = struct.Struct("<Qq4xIIBxH9q16x4B")
_FILL = struct.Struct("<QqIII4x11q3B")
_TRADE = struct.Struct("<QqI4xI4xqqq16xB")
BALANCE = struct.Struct("<Qq4xI8x4q")
POSITION = struct.Struct("<Qq4xII4x4q")
_ACCEPTED, _REJECTED = int(EventKind.ORDER_ACCEPTED), int(EventKind.ORDER_REJECTED)
_KNOWN = bytes(sorted(EventKind))
_VERSION, _VERSION_OFFSET = bytes([EVENT_VERSION]), KIND_OFFSET + 1


def minute_of(ts: int) -> int:
    """The start of the UTC minute that holds `ts`; both in microseconds."""
    return ts - ts % _MINUTE_US


@lru_cache(maxsize=8)
def start_of_day(trading_day: int) -> int:
    """The start of a trading day's date (YYYYMMDD) in Korea, in microseconds UTC. The exchange takes 31 days of any month:
    those that no calendar has count on into the next."""
    month = date(trading_day // 10_000, trading_day // 100 % 100, 1) - date(1970, 1, 1)
    return (month.days + trading_day % 100 - 1) * _DAY_US - KST_OFFSET_US


def are_known(payload: bytes, kinds: bytes) -> bool:
    """Whether this release knows all these events; `kinds` has a byte of each."""
    return not kinds.translate(None, _KNOWN) and not payload[_VERSION_OFFSET::EVENT_BYTES].strip(_VERSION)


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
        self.orders_accepted = self.orders_done = self.orders_rejected = 0
        self.sums = BatchSums()

    def add_run(self, run: EventRun) -> None:
        """Take in the next blocks, one or more. Raises as `add` does."""
        for block in run:
            self.add(block)

    def add(self, block: EventBlock) -> None:
        """Take in the next block. Raises `UnknownRecordError` for an event that this release does not know."""
        if self.block_count == 0:
            self.first_seq = block.seq
        self.last_seq = block.seq
        self.block_count += 1
        payload = block.payload
        self.event_count += len(payload) // EVENT_BYTES
        kinds = payload[KIND_OFFSET::EVENT_BYTES]
        if not are_known(payload, kinds):
            deque(block.events, maxlen=0)  # it says which
        for offset, kind in zip(range(0, len(payload), EVENT_BYTES), kinds, strict=True):
            fold = FOLDS[kind]
            if fold is not None:
                fold(self, payload, offset, block)

    def rows(self) -> dict[str, Rows]:
        """What is to be written, by name. Nothing may be added any more.

        Most tables have an index by account or instrument: rows in its order go to neighbouring places of it, which the
        database finds sooner than places here and there.
        """
        return {
            "orders": PlainRows(sorted(self.orders.values(), key=itemgetter(2, 3, 0))),
            "order_fills": PlainRows(sorted(self.order_fills.values(), key=itemgetter(8))),
            "fills": PlainRows(sorted(self.fills, key=itemgetter(3, 0, 1))),
            "trades": PlainRows(sorted(self.trades, key=itemgetter(4, 0))),
            "balances": PlainRows(sorted(self.balances.values(), key=itemgetter(0))),
            "positions": PlainRows(sorted(self.positions.values(), key=itemgetter(0, 1))),
            "candles": PlainRows(sorted(self.candles.values(), key=itemgetter(0, 1, 2))),
            "accounts": PlainRows(self.accounts.values()),
            "instruments": PlainRows(self.instruments.values()),
            "limits": PlainRows(self.limits.values()),
            "deeds": PlainRows(self.deeds),
        }

    @property
    def row_count(self) -> int:
        """How many rows will be written."""
        return sum(len(rows) for rows in self.rows().values())

    def order(self, payload: bytes, offset: int, block: EventBlock) -> None:
        """An order as it stands now. Creation is kept by the table where the row exists already."""
        (
            seq, ts, account, instrument, kind, reason, order_id, parent_order_id, qty, limit_price, stop_price,
            leaves, filled, canceled, amount, side, order_type, time_in_force, status,
        ) = _ORDER.unpack_from(payload, offset)  # fmt: skip
        done = _DONE_BY_STATUS[status]
        if kind == _ACCEPTED:
            self.orders_accepted += 1
        elif kind == _REJECTED:
            self.orders_rejected += 1
        elif done:
            self.orders_done += 1
        known = self.orders.get(order_id)
        if self.order_fills:
            self.order_fills.pop(order_id, None)
        self.orders[order_id] = [
            order_id,
            parent_order_id,
            account,
            instrument,
            block.annotations.get(order_id) if block.text else None,
            side,
            order_type,
            time_in_force,
            qty,
            limit_price,
            stop_price,
            leaves,
            filled,
            canceled,
            amount,
            status,
            done,
            reason,
            seq if known is None else known[_CREATED_SEQ],
            ts if known is None else known[_CREATED_TS],
            seq,
            ts,
        ]

    def fill(self, payload: bytes, offset: int, block: EventBlock) -> None:
        """A fill's own row, and what it changes in its order."""
        (
            seq, ts, idx, account, instrument, order_id, trade_id, price, qty, leaves, filled, canceled, amount,
            commission, transaction_tax, rural_tax, side, liquidity, status,
        ) = _FILL.unpack_from(payload, offset)  # fmt: skip
        self.fills.append(
            (
                seq, idx, ts, account, instrument, order_id, trade_id, side, price, qty, liquidity,
                leaves, filled, canceled, amount, commission, transaction_tax, rural_tax, status,
            )
        )  # fmt: skip
        done = _DONE_BY_STATUS[status]
        if done:
            self.orders_done += 1
        row = self.orders.get(order_id)
        if row is None:
            self.order_fills[order_id] = (leaves, filled, canceled, amount, status, done, seq, ts, order_id)
            return
        row[_LEAVES:_REASON] = (leaves, filled, canceled, amount, status, done)
        row[_UPDATED_SEQ], row[_UPDATED_TS] = seq, ts

    def trade(self, payload: bytes, offset: int, block: EventBlock) -> None:
        """A public trade, and its share of the minute's and the day's candle."""
        seq, ts, idx, instrument, trade_id, price, qty, taker_side = _TRADE.unpack_from(payload, offset)
        self.trades.append((trade_id, seq, idx, ts, instrument, price, qty, taker_side))
        self._candle((instrument, MINUTE_S, ts - ts % _MINUTE_US), price, qty)
        self._candle((instrument, DAY_S, start_of_day(self.trading_day)), price, qty)

    def _candle(self, key: tuple[int, int, int], price: int, qty: int) -> None:
        amount = price * qty
        candle = self.candles.get(key)
        if candle is None:
            self.candles[key] = [*key, price, price, price, price, qty, min(amount, BIGGEST), 1]
            return
        if price > candle[4]:
            candle[4] = price
        if price < candle[5]:
            candle[5] = price
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

    def balance(self, payload: bytes, offset: int, block: EventBlock) -> None:
        """An account's cash now."""
        seq, ts, account, cash, reserved, d1, d2 = BALANCE.unpack_from(payload, offset)
        if block.command_kind in CASH_DOORS:
            before = self.balances.get(account)
            self.sums.cash_moved(account, None if before is None else before[1], cash)
        self.balances[account] = (account, cash, reserved, d1, d2, seq, ts)

    def position(self, payload: bytes, offset: int, block: EventBlock) -> None:
        """An account's shares of an instrument now."""
        seq, ts, account, instrument, qty, reserved, cost, profit = POSITION.unpack_from(payload, offset)
        key = (account, instrument)
        if block.command_kind == CommandKind.DEPOSIT_SHARES:
            before = self.positions.get(key)
            self.sums.shares_moved(key, None if before is None else before[2], qty)
        self.positions[key] = (account, instrument, qty, reserved, cost, profit, seq, ts)

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


_Fold = Callable[[Batch, bytes, int, EventBlock], None]


def _of_object(method: Any) -> _Fold:
    """For events that are rare: the method gets the event as an object."""

    def fold(batch: Batch, payload: bytes, offset: int, block: EventBlock) -> None:
        method(batch, decode_event(payload, offset), block)

    return fold


_BY_KIND: dict[int, _Fold] = {
    **dict.fromkeys(
        (
            EventKind.ORDER_ACCEPTED,
            EventKind.ORDER_REJECTED,
            EventKind.ORDER_CORRECTED,
            EventKind.ORDER_CANCELED,
            EventKind.ORDER_EXPIRED,
            EventKind.ORDER_TRIGGERED,
        ),
        Batch.order,
    ),
    EventKind.ORDER_FILLED: Batch.fill,
    EventKind.TRADE: Batch.trade,
    EventKind.VENUE_OPENED: _of_object(Batch.begin_day),
    EventKind.DAY_ROLLED: _of_object(Batch.begin_day),
    EventKind.ACCOUNT_OPENED: _of_object(Batch.account),
    EventKind.BALANCE_CHANGED: Batch.balance,
    EventKind.POSITION_CHANGED: Batch.position,
    EventKind.INSTRUMENT_LISTED: _of_object(Batch.instrument),
    EventKind.PRICE_LIMITS_SET: _of_object(Batch.price_limits),
    EventKind.ADMIN_NOTED: _of_object(Batch.deed),
}
"""The other kinds change nothing here: levels and phases live in the market's memory."""

FOLDS = [_BY_KIND.get(kind) for kind in range(256)]
