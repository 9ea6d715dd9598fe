"""The read side: blocking queries on read-only connections, each on one unchanging state and with its position.

A page is read from the one index that has its rows in its order: an account with millions of done orders must not be searched
for its few open ones (`paging.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa

from onseju.contract.reasons import Reason
from onseju.contract.views import (
    BalanceView,
    FillView,
    OrderView,
    PositionView,
    average,
    end_reason,
    timestamp,
)
from onseju.contract.words import Liquidity, OrderStatus, OrderType, Side, TimeInForce, Via
from onseju.projections import tables as t
from onseju.projections.cursors import decode_cursor, encode_cursor
from onseju.projections.database import READERS, reader_engine
from onseju.projections.pages import (
    Candle,
    CandlePage,
    Deed,
    DeedPage,
    FillPage,
    Holdings,
    OrderPage,
    PublicTrade,
    TradePage,
)
from onseju.projections.paging import Paging, paging_of
from onseju.projections.places import Database
from onseju.projections.rows import DAY_S, KST_OFFSET_US, MINUTE_S
from onseju.projections.sums import Sums, read_sums

T = TypeVar("T")

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
"""Rows of a page."""

MAX_PENDING = 1_000
"""Queries that may wait for a thread; more are refused."""

INTERVALS = {"1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "60m": 3600, "1d": DAY_S}
"""Candle intervals in seconds; `1d` is a trading day."""

STATUSES = ("all", "open", "done", *(status.label for status in OrderStatus))
"""What `orders` may be asked for."""


class UnknownSymbolError(LookupError):
    """No instrument has this symbol."""


class QueriesBusyError(Exception):
    """As many queries wait as may wait. Nothing was read."""


class QueriesFailedError(Exception):
    """The database did not answer; the cause is chained."""


class Queries:
    """The queries of one venue's tables. The projector must have opened the database before; close this one first."""

    def __init__(self, database: Database) -> None:
        self._engine = reader_engine(database)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="query")
        self._pending = 0
        self._symbols: dict[int, str] = {}

    async def ask(self, query: Callable[..., T], *args: Any) -> T:
        """Run one of the queries in a thread.

        Raises what it raises, `QueriesBusyError` when too many wait, `QueriesFailedError` for an error of the database.
        """
        if self._pending >= MAX_PENDING:
            raise QueriesBusyError
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, _asked, query, *args)
        except sa.exc.SQLAlchemyError as error:
            raise QueriesFailedError(str(error)) from error
        finally:
            self._pending -= 1

    def close(self) -> None:
        """End the threads and the connections. Idempotent."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._engine.dispose()

    def orders(
        self,
        account: int,
        status: str = "all",
        symbol: str | None = None,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> OrderPage:
        """An account's orders. Raises `BadCursorError`, `UnknownSymbolError`, `KeyError` for an unknown status."""
        with self._reading() as (connection, seq):
            instrument = None if symbol is None else self._instrument(connection, symbol)
            before = None if cursor is None else decode_cursor("o", 1, cursor)
            query = _orders_page(paging_of(connection), account, status, instrument, before)
            rows = connection.execute(query.limit(limit + 1)).all()
            views = [self._order(connection, row) for row in rows[:limit]]
        more = len(rows) > limit
        return OrderPage(orders=views, next_cursor=encode_cursor("o", views[-1].order_id) if more else None, seq=seq)

    def order(self, account: int, order_id: int) -> tuple[OrderView | None, int]:
        """The account's order with this id (None also for somebody else's), and the position."""
        o = t.orders.c
        return self._one_order(sa.select(t.orders).where(o.order_id == order_id, o.account + 0 == account))

    def order_by_client_id(self, account: int, client_order_id: str) -> tuple[OrderView | None, int]:
        """The account's newest order with this client id, and the position."""
        o = t.orders.c
        query = sa.select(t.orders).where(o.client_order_id.isnot(None))  # the index has only these
        named = {o.account: account, o.client_order_id: client_order_id}
        return self._one_order(paging_of(self._engine).page(query, named, (o.order_id,), None).limit(1))

    def order_owner(self, order_id: int) -> int | None:
        """Whose order this is; None for an id that the tables do not have."""
        with self._reading() as (connection, _):
            owner = connection.scalar(sa.select(t.orders.c.account).where(t.orders.c.order_id == order_id))
        return None if owner is None else int(owner)

    def open_order_count(self, account: int) -> int:
        """How many orders of the account are open."""
        o = t.orders.c
        with self._reading() as (connection, _):
            query = sa.select(sa.func.count()).select_from(t.orders).where(o.account == account, o.done == t.OPEN)
            return int(connection.scalar(query) or 0)

    def fills(
        self,
        account: int,
        symbol: str | None = None,
        order_id: int | None = None,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> FillPage:
        """An account's fills. Raises `BadCursorError`, `UnknownSymbolError`."""
        f = t.fills.c
        with self._reading() as (connection, seq):
            query = sa.select(t.fills, t.orders.c.client_order_id).outerjoin(
                t.orders, t.orders.c.order_id == f.order_id
            )
            instrument = None if symbol is None else self._instrument(connection, symbol)
            before = None if cursor is None else decode_cursor("f", 2, cursor)
            paging = paging_of(connection)
            if order_id is not None:
                named = {f.order_id: order_id}
                query = query.where(paging.aside(f.account) == account)
                if instrument is not None:
                    query = query.where(paging.aside(f.instrument) == instrument)
            else:
                named = {f.account: account} if instrument is None else {f.account: account, f.instrument: instrument}
            query = paging.page(query, named, (f.seq, f.idx), before)
            rows = connection.execute(query.limit(limit + 1)).all()
            views = [self._fill(connection, row) for row in rows[:limit]]
        more = len(rows) > limit
        last = rows[limit - 1] if more else None
        return FillPage(
            fills=views, next_cursor=encode_cursor("f", last.seq, last.idx) if last is not None else None, seq=seq
        )

    def holdings(self, account: int) -> Holdings | None:
        """An account's cash and positions by symbol; None for an account that the tables do not have."""
        with self._reading() as (connection, seq):
            opened = connection.execute(sa.select(t.accounts).where(t.accounts.c.account == account)).first()
            if opened is None:
                return None
            balance = connection.execute(sa.select(t.balances).where(t.balances.c.account == account)).first()
            rows = connection.execute(sa.select(t.positions).where(t.positions.c.account == account)).all()
            positions = [self._position(connection, row) for row in rows]
        cash = reserved = unsettled_d1 = unsettled_d2 = 0
        if balance is not None:
            cash, reserved = balance.cash, balance.reserved_cash
            unsettled_d1, unsettled_d2 = balance.unsettled_d1, balance.unsettled_d2
        newest = opened if balance is None else balance
        view = BalanceView(
            account_id=account,
            cash=cash,
            reserved=reserved,
            available=cash - reserved,
            settled_cash=cash - unsettled_d1 - unsettled_d2,
            cash_d1=cash - unsettled_d2,
            cash_d2=cash,
            seq=newest.seq,
            ts=timestamp(newest.ts),
        )
        return Holdings(balance=view, positions=sorted(positions, key=lambda view: view.symbol), seq=seq)

    def trades(self, symbol: str, cursor: str | None = None, limit: int = DEFAULT_LIMIT) -> TradePage:
        """An instrument's trades. Raises `BadCursorError`, `UnknownSymbolError`."""
        c = t.trades.c
        with self._reading() as (connection, seq):
            named = {c.instrument: self._instrument(connection, symbol)}
            before = None if cursor is None else decode_cursor("t", 1, cursor)
            query = paging_of(connection).page(sa.select(t.trades), named, (c.trade_id,), before)
            rows = connection.execute(query.limit(limit + 1)).all()
        views = [_trade(row, symbol) for row in rows[:limit]]
        more = len(rows) > limit
        return TradePage(trades=views, next_cursor=encode_cursor("t", views[-1].trade_id) if more else None, seq=seq)

    def candles(
        self,
        symbol: str,
        interval: str = "1m",
        from_ts: int | None = None,
        to_ts: int | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> CandlePage:
        """The newest candles that begin at or after `from_ts` and before `to_ts` (microseconds UTC).

        Raises `UnknownSymbolError`, `KeyError` for an unknown interval.
        """
        seconds = INTERVALS[interval]
        with self._reading() as (connection, seq):
            instrument = self._instrument(connection, symbol)
            rows = connection.execute(_candles_query(instrument, seconds, from_ts, to_ts, limit)).all()
        return CandlePage(symbol=symbol, interval=interval, candles=[_candle(row) for row in rows], seq=seq)

    def sums(self) -> Sums:
        """What is added up over all accounts."""
        with self._reading() as (connection, seq):
            return read_sums(connection, seq)

    def deeds(self, cursor: str | None = None, limit: int = DEFAULT_LIMIT) -> DeedPage:
        """What hosts did. Raises `BadCursorError`."""
        c = t.deeds.c
        with self._reading() as (connection, seq):
            query = sa.select(t.deeds)
            if cursor is not None:
                query = query.where(c.seq < decode_cursor("d", 1, cursor)[0])
            rows = connection.execute(query.order_by(c.seq.desc()).limit(limit + 1)).all()
            deeds = [self._deed(connection, row) for row in rows[:limit]]
        more = len(rows) > limit
        return DeedPage(deeds=deeds, next_cursor=encode_cursor("d", deeds[-1].seq) if more else None, seq=seq)

    @contextmanager
    def _reading(self) -> Iterator[tuple[sa.Connection, int]]:
        """A connection in a transaction, so on one state, and that state's position."""
        with self._engine.begin() as connection:
            yield connection, int(connection.scalar(sa.select(t.progress.c.seq)) or 0)

    def _one_order(self, query: sa.Select[Any]) -> tuple[OrderView | None, int]:
        with self._reading() as (connection, seq):
            row = connection.execute(query).first()
            return None if row is None else self._order(connection, row), seq

    def _symbol(self, connection: sa.Connection, instrument: int) -> str:
        """The instrument's symbol; empty for a number that was never given (a refused order's)."""
        if instrument not in self._symbols:
            self._learn_symbols(connection)
        return self._symbols.get(instrument, "")

    def _instrument(self, connection: sa.Connection, symbol: str) -> int:
        for again in (False, True):
            if again:
                self._learn_symbols(connection)
            for instrument, known in list(self._symbols.items()):
                if known == symbol:
                    return instrument
        raise UnknownSymbolError(symbol)

    def _learn_symbols(self, connection: sa.Connection) -> None:
        rows = connection.execute(sa.select(t.instruments.c.instrument, t.instruments.c.symbol)).all()
        self._symbols = {row.instrument: row.symbol for row in rows}

    def _order(self, connection: sa.Connection, row: sa.Row[Any]) -> OrderView:
        return OrderView(
            order_id=row.order_id,
            client_order_id=row.client_order_id,
            parent_order_id=row.parent_order_id or None,
            account_id=row.account,
            symbol=self._symbol(connection, row.instrument),
            side=Side(row.side).label,
            type=OrderType(row.order_type).label,
            time_in_force=TimeInForce(row.time_in_force).label,
            qty=row.qty,
            limit_price=row.limit_price or None,
            stop_price=row.stop_price or None,
            leaves_qty=row.leaves_qty,
            filled_qty=row.filled_qty,
            canceled_qty=row.canceled_qty,
            filled_amount=row.filled_amount,
            avg_fill_price=average(row.filled_amount, row.filled_qty),
            status=OrderStatus(row.status).label,
            reject_reason=Reason(row.reason).code if row.status == OrderStatus.REJECTED else None,
            end_reason=end_reason(row.status, row.reason),
            seq=row.updated_seq,
            ts=timestamp(row.updated_ts),
        )

    def _fill(self, connection: sa.Connection, row: sa.Row[Any]) -> FillView:
        return FillView(
            trade_id=row.trade_id,
            order_id=row.order_id,
            client_order_id=row.client_order_id,
            account_id=row.account,
            symbol=self._symbol(connection, row.instrument),
            side=Side(row.side).label,
            price=row.price,
            qty=row.qty,
            amount=row.price * row.qty,
            liquidity=Liquidity(row.liquidity).label,
            leaves_qty=row.leaves_qty,
            filled_qty=row.filled_qty,
            canceled_qty=row.canceled_qty,
            filled_amount=row.filled_amount,
            avg_fill_price=average(row.filled_amount, row.filled_qty),
            commission=row.commission,
            tax=row.transaction_tax + row.rural_tax,
            status=OrderStatus(row.status).label,
            seq=row.seq,
            ts=timestamp(row.ts),
        )

    def _deed(self, connection: sa.Connection, row: sa.Row[Any]) -> Deed:
        action, _, details = row.text.partition(" ")
        return Deed(
            seq=row.seq,
            ts=timestamp(row.ts),
            actor=row.actor or None,
            via=Via(row.via).label,
            action=action,
            account_id=row.account or None,
            symbol=self._symbol(connection, row.instrument) if row.instrument else None,
            about_seq=row.about_seq or None,
            details=details,
        )

    def _position(self, connection: sa.Connection, row: sa.Row[Any]) -> PositionView:
        return PositionView(
            account_id=row.account,
            symbol=self._symbol(connection, row.instrument),
            qty=row.qty,
            reserved_qty=row.reserved_qty,
            available_qty=row.qty - row.reserved_qty,
            cost_amount=row.cost_amount,
            avg_cost=average(row.cost_amount, row.qty),
            realized_profit=row.realized_profit,
            seq=row.seq,
            ts=timestamp(row.ts),
        )


def _orders_page(
    paging: Paging, account: int, status: str, instrument: int | None, before: tuple[int, ...] | None
) -> sa.Select[Any]:
    """An account's orders of a status and an instrument, by the index that gives them in the page's order."""
    o = t.orders.c
    query, named = sa.select(t.orders), {o.account: account}
    wanted = None if status in ("all", "open", "done") else OrderStatus.parse(status)
    if status == "open" or (wanted is not None and wanted.is_open):
        query = query.where(o.done == t.OPEN)
        if wanted is not None:
            query = query.where(paging.aside(o.status) == wanted.value)
        if instrument is not None:
            query = query.where(paging.aside(o.instrument) == instrument)
    elif wanted is not None and (instrument is None or paging.few_of_a_status):
        query, named[o.status] = query.where(o.done == t.DONE), wanted.value
        if instrument is not None:
            query = query.where(paging.aside(o.instrument) == instrument)
    else:
        if instrument is not None:
            named[o.instrument] = instrument
        if status != "all":
            query = query.where(paging.aside(o.done) == t.DONE)
        if wanted is not None:
            query = query.where(paging.aside(o.status) == wanted.value)
    return paging.page(query, named, (o.order_id,), before)


def _candles_query(instrument: int, seconds: int, from_ts: int | None, to_ts: int | None, limit: int) -> sa.Select[Any]:
    """The newest candles. Those between a minute and a day are made of minutes: at most `limit` times so many as one holds."""
    c = t.candles.c
    stored = DAY_S if seconds == DAY_S else MINUTE_S
    width = seconds * 1_000_000
    offset = KST_OFFSET_US if seconds == DAY_S else 0
    query = sa.select(t.candles).where(c.instrument == instrument, c.interval_s == stored)
    if from_ts is not None:  # the first candle that begins at or after it
        query = query.where(c.start_ts >= from_ts + -(from_ts + offset) % width)
    if to_ts is not None:
        query = query.where(c.start_ts < to_ts + -(to_ts + offset) % width)
    query = query.order_by(c.start_ts.desc())
    if seconds == stored:
        return query.limit(limit)
    part = query.limit(limit * (seconds // stored)).subquery("part")
    start = (part.c.start_ts - part.c.start_ts % width).label("start_ts")
    grouped = (
        sa.select(
            start,
            sa.func.min(part.c.start_ts).label("first"),
            sa.func.max(part.c.start_ts).label("last"),
            sa.func.max(part.c.high).label("high"),
            sa.func.min(part.c.low).label("low"),
            *_halves(part.c.volume),
            *_halves(part.c.turnover),
            sa.func.sum(part.c.trade_count).label("trade_count"),
        )
        .group_by(sa.text("1"))
        .order_by(sa.text("1 DESC"))
        .limit(limit)
        .subquery("grouped")
    )
    first, last = t.candles.alias("first_minute"), t.candles.alias("last_minute")

    def at(minute: Any, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        return sa.and_(minute.c.instrument == instrument, minute.c.interval_s == MINUTE_S, minute.c.start_ts == moment)

    return (
        sa.select(grouped, first.c.open, last.c.close)
        .join(first, at(first, grouped.c.first))
        .join(last, at(last, grouped.c.last))
        .order_by(grouped.c.start_ts.desc())
    )


_HALF = 2**32


def _halves(column: sa.ColumnElement[int]) -> tuple[sa.Label[int], sa.Label[int]]:
    """The sum of a column in two numbers: their whole may be more than the database's integers hold."""
    high = sa.func.sum(column.op("/")(sa.literal_column(str(_HALF))))
    return high.label(f"{column.name}_high"), sa.func.sum(column % sa.literal_column(str(_HALF))).label(column.name)


def _candle(row: sa.Row[Any]) -> Candle:
    numbers = row._mapping
    return Candle(
        ts=timestamp(row.start_ts),
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=int(row.volume) + int(numbers.get("volume_high", 0)) * _HALF,
        turnover=int(row.turnover) + int(numbers.get("turnover_high", 0)) * _HALF,
        trade_count=int(row.trade_count),
    )


def _trade(row: sa.Row[Any], symbol: str) -> PublicTrade:
    return PublicTrade(
        symbol=symbol,
        trade_id=row.trade_id,
        price=row.price,
        qty=row.qty,
        taker_side=Side(row.taker_side).label if row.taker_side else None,
        ts=timestamp(row.ts),
    )


def _asked(query: Callable[..., T], *args: Any) -> T:
    """What the query gives. A connection that the pool kept may have died meanwhile: then once more on a new one, for the
    pool has let go of all that are as old."""
    try:
        return query(*args)
    except sa.exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return query(*args)
