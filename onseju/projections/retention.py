"""What is old goes from the tables: orders, fills and trades before a trading day, some thousands a transaction.

The journal keeps everything, and `rebuild` brings all of it back. Balances, positions, candles, sums and deeds stay.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from onseju.projections import tables as t
from onseju.projections.database import writer_engine
from onseju.projections.places import Database, PostgresTables, place_of
from onseju.projections.rows import start_of_day

ROWS_AT_ONCE = 10_000
"""Rows of a transaction: short enough that neither a projector nor a query waits for it."""


class Trimmed(NamedTuple):
    """How many rows went."""

    orders: int
    fills: int
    trades: int


def trim_tables(database: Database, before_day: int) -> Trimmed:
    """`trim`, by a connection of its own. Raises `ValueError` for what is no day, and what the database raises."""
    place = place_of(database)
    if isinstance(place, PostgresTables):
        from onseju.projections import postgres  # the embedded server runs without its driver

        engine = postgres.maintenance_engine(place)
    else:
        engine = writer_engine(place)
    try:
        return trim(engine, before_day)
    finally:
        engine.dispose()


def trim(engine: sa.Engine, before_day: int, rows_at_once: int = ROWS_AT_ONCE) -> Trimmed:
    """Delete what happened before the trading day (YYYYMMDD) began, open orders excepted.

    Ids grow with time, so that the oldest rows are the first of their keys. In PostgreSQL the projector may be at work; a file
    of SQLite has one writer, which must be this one.
    """
    cutoff = start_of_day(before_day)
    o, f, c = t.orders.c, t.fills.c, t.trades.c
    return Trimmed(
        _trim(engine, [o.order_id], o.created_ts, cutoff, (o.updated_ts < cutoff) & (o.done == t.DONE), rows_at_once),
        _trim(engine, [f.seq, f.idx], f.ts, cutoff, f.ts < cutoff, rows_at_once),
        _trim(engine, [c.trade_id], c.ts, cutoff, c.ts < cutoff, rows_at_once),
    )


def _trim(
    engine: sa.Engine,
    keys: list[sa.Column[int]],
    ts: sa.Column[int],
    cutoff: int,
    may_go: sa.ColumnElement[bool],
    rows_at_once: int,
) -> int:
    """Go through the table by its key until a row is not older than `cutoff`."""
    key = sa.tuple_(*keys)
    after: list[int] = [-1] * len(keys)
    gone = 0
    while True:
        with engine.begin() as connection:
            part = sa.select(*keys, ts).where(key > sa.tuple_(*after)).order_by(*keys).limit(rows_at_once)
            rows = connection.execute(part).all()
            if not rows:
                return gone
            last = list(rows[-1][:-1])
            between = (key > sa.tuple_(*after)) & (key <= sa.tuple_(*last))
            gone += connection.execute(sa.delete(ts.table).where(between, may_go)).rowcount
        if len(rows) < rows_at_once or rows[-1][-1] >= cutoff:
            return gone
        after = last
