"""The tables of the read side. Absolute values of the events, one row per order, balance, position; SQL that both databases take.

Times are microseconds since 1970-01-01 UTC, money the venue's smallest unit, quantities whole shares. Words (side, type,
status, reason, …) are the contract's numbers. A change here needs a migration (`migrations/`).
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite makes only a column called INTEGER the row's own key."""
Word = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Compared and ordered by its bytes, as SQLite does, whatever language the PostgreSQL cluster speaks."""
Big = sa.BigInteger
Small = sa.SmallInteger

OPEN: Final[sa.ColumnElement[int]] = sa.literal_column("0", sa.Integer)
DONE: Final[sa.ColumnElement[int]] = sa.literal_column("1", sa.Integer)
"""`orders.done` as literals: an index over a part of the table serves only a query that names that part literally."""

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("order_id", Id, primary_key=True, autoincrement=False),
    sa.Column("parent_order_id", Big, nullable=False),
    sa.Column("account", Big, nullable=False),
    sa.Column("instrument", Big, nullable=False),
    sa.Column("client_order_id", Word),
    sa.Column("side", Small, nullable=False),
    sa.Column("order_type", Small, nullable=False),
    sa.Column("time_in_force", Small, nullable=False),
    sa.Column("qty", Big, nullable=False),
    sa.Column("limit_price", Big, nullable=False),
    sa.Column("stop_price", Big, nullable=False),
    sa.Column("leaves_qty", Big, nullable=False),
    sa.Column("filled_qty", Big, nullable=False),
    sa.Column("canceled_qty", Big, nullable=False),
    sa.Column("filled_amount", Big, nullable=False),
    sa.Column("status", Small, nullable=False),
    sa.Column("done", Small, nullable=False),
    sa.Column("reason", sa.Integer, nullable=False),
    sa.Column("created_seq", Big, nullable=False),
    sa.Column("created_ts", Big, nullable=False),
    sa.Column("updated_seq", Big, nullable=False),
    sa.Column("updated_ts", Big, nullable=False),
)

_is_open = orders.c.done == OPEN
_is_done = orders.c.done == DONE
_is_named = orders.c.client_order_id.isnot(None)

sa.Index("ix_orders_account", orders.c.account, orders.c.order_id)
sa.Index("ix_orders_account_instrument", orders.c.account, orders.c.instrument, orders.c.order_id)
sa.Index(
    "ix_orders_open", orders.c.account, orders.c.order_id, sqlite_where=_is_open, postgresql_where=_is_open
)  # small: an entry goes when the order is done
sa.Index(
    "ix_orders_done_status",
    orders.c.account,
    orders.c.status,
    orders.c.order_id,
    sqlite_where=_is_done,
    postgresql_where=_is_done,
)  # written once an order, when its status can change no more
sa.Index(
    "ix_orders_client_order_id",
    orders.c.account,
    orders.c.client_order_id,
    orders.c.order_id,
    sqlite_where=_is_named,
    postgresql_where=_is_named,
)  # not unique: a client may use an id again after two trading days

fills = sa.Table(
    "fills",
    metadata,
    sa.Column("seq", Big, primary_key=True, autoincrement=False),
    sa.Column("idx", Big, primary_key=True, autoincrement=False),
    sa.Column("ts", Big, nullable=False),
    sa.Column("account", Big, nullable=False),
    sa.Column("instrument", Big, nullable=False),
    sa.Column("order_id", Big, nullable=False),
    sa.Column("trade_id", Big, nullable=False),
    sa.Column("side", Small, nullable=False),
    sa.Column("price", Big, nullable=False),
    sa.Column("qty", Big, nullable=False),
    sa.Column("liquidity", Small, nullable=False),
    sa.Column("leaves_qty", Big, nullable=False),
    sa.Column("filled_qty", Big, nullable=False),
    sa.Column("canceled_qty", Big, nullable=False),
    sa.Column("filled_amount", Big, nullable=False),
    sa.Column("commission", Big, nullable=False),
    sa.Column("transaction_tax", Big, nullable=False),
    sa.Column("rural_tax", Big, nullable=False),
    sa.Column("status", Small, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("ix_fills_account", fills.c.account, fills.c.seq, fills.c.idx)
sa.Index("ix_fills_account_instrument", fills.c.account, fills.c.instrument, fills.c.seq, fills.c.idx)
sa.Index("ix_fills_order", fills.c.order_id, fills.c.seq, fills.c.idx)

trades = sa.Table(
    "trades",
    metadata,
    sa.Column("trade_id", Id, primary_key=True, autoincrement=False),
    sa.Column("seq", Big, nullable=False),
    sa.Column("idx", Big, nullable=False),
    sa.Column("ts", Big, nullable=False),
    sa.Column("instrument", Big, nullable=False),
    sa.Column("price", Big, nullable=False),
    sa.Column("qty", Big, nullable=False),
    sa.Column("taker_side", Small, nullable=False),
)
sa.Index("ix_trades_instrument", trades.c.instrument, trades.c.trade_id)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("account", Id, primary_key=True, autoincrement=False),
    sa.Column("account_kind", Small, nullable=False),
    sa.Column("seq", Big, nullable=False),
    sa.Column("ts", Big, nullable=False),
)

balances = sa.Table(
    "balances",
    metadata,
    sa.Column("account", Id, primary_key=True, autoincrement=False),
    sa.Column("cash", Big, nullable=False),
    sa.Column("reserved_cash", Big, nullable=False),
    sa.Column("unsettled_d1", Big, nullable=False),
    sa.Column("unsettled_d2", Big, nullable=False),
    sa.Column("seq", Big, nullable=False),
    sa.Column("ts", Big, nullable=False),
)

positions = sa.Table(
    "positions",
    metadata,
    sa.Column("account", Big, primary_key=True, autoincrement=False),
    sa.Column("instrument", Big, primary_key=True, autoincrement=False),
    sa.Column("qty", Big, nullable=False),
    sa.Column("reserved_qty", Big, nullable=False),
    sa.Column("cost_amount", Big, nullable=False),
    sa.Column("realized_profit", Big, nullable=False),
    sa.Column("seq", Big, nullable=False),
    sa.Column("ts", Big, nullable=False),
    sqlite_with_rowid=False,
)

instruments = sa.Table(
    "instruments",
    metadata,
    sa.Column("instrument", Id, primary_key=True, autoincrement=False),
    sa.Column("symbol", Word, nullable=False),
    sa.Column("name", Word, nullable=False),
    sa.Column("board", Small, nullable=False),
    sa.Column("security", Small, nullable=False),
    sa.Column("listed_shares", Big, nullable=False),
    sa.Column("tick_table", sa.Integer, nullable=False),
    sa.Column("base_price", Big, nullable=False),
    sa.Column("upper_limit", Big, nullable=False),
    sa.Column("lower_limit", Big, nullable=False),
    sa.Column("seq", Big, nullable=False),
    sa.Column("ts", Big, nullable=False),
)

candles = sa.Table(
    "candles",
    metadata,
    sa.Column("instrument", Big, primary_key=True, autoincrement=False),
    sa.Column("interval_s", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("start_ts", Big, primary_key=True, autoincrement=False),
    sa.Column("open", Big, nullable=False),
    sa.Column("high", Big, nullable=False),
    sa.Column("low", Big, nullable=False),
    sa.Column("close", Big, nullable=False),
    sa.Column("volume", Big, nullable=False),
    sa.Column("turnover", Big, nullable=False),
    sa.Column("trade_count", Big, nullable=False),
    sqlite_with_rowid=False,
)
"""Minutes (`interval_s` 60), and trading days (86,400) that begin at 00:00 KST of their date. The only table that adds up:
right because the position is written with it."""

sums = sa.Table(
    "sums",
    metadata,
    sa.Column("name", Word, primary_key=True),
    sa.Column("instrument", Big, primary_key=True, autoincrement=False),
    sa.Column("value", Word, nullable=False),
)
"""What is added up over all accounts (`sums.py`). Text: a venue's cash may be more than 64 bits."""

deeds = sa.Table(
    "deeds",
    metadata,
    sa.Column("seq", Id, primary_key=True, autoincrement=False),
    sa.Column("ts", Big, nullable=False),
    sa.Column("actor", Big, nullable=False),
    sa.Column("via", Small, nullable=False),
    sa.Column("account", Big, nullable=False),
    sa.Column("instrument", Big, nullable=False),
    sa.Column("about_seq", Big, nullable=False),
    sa.Column("text", Word, nullable=False),
)
"""What hosts did, a row each: who (`actor`, an account; 0 = none), by what (`via`), about whom, and which command did it."""

progress = sa.Table(
    "progress",
    metadata,
    sa.Column("journal_id", Word, primary_key=True),
    sa.Column("seq", Big, nullable=False),
    sa.Column("trading_day", sa.Integer, nullable=False),
)
"""One row: whose events these tables hold, through which command, and the trading day (YYYYMMDD) after it."""
