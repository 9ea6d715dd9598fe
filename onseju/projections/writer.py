"""Writes a batch of rows and the position it brings the tables to: all of it in one transaction, many rows a statement.

The driver's `executemany` lets go of the interpreter once per row, and beside a thread that computes may wait up to 5 ms to
get it back: how often is chance, and in bad runs 2,400 rows a second were left of 700,000. A statement of many rows lets go
once for all of them (docs/decisions/0005).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from onseju.projections import tables as t
from onseju.projections.rows import BIGGEST, Batch, Rows
from onseju.projections.sums import ORDERS_ACCEPTED, ORDERS_DONE, ORDERS_REJECTED

ROWS_A_STATEMENT = (512, 128, 32, 16, 8, 4, 2, 1)
"""The statements' sizes: any number of rows is written by the fewest of them, and few statements stay prepared. The widest
row has 22 values, and SQLite takes 32,766 in a statement."""

EXPANDED_ROWS = 8
"""Statements of more rows are not compiled: the text of one row is repeated."""


class PositionLostError(Exception):
    """The stored position is not the one this batch follows: somebody else writes these tables. Nothing was written."""


class Writer:
    """The statements, compiled once for a database."""

    def __init__(self, dialect: sa.Dialect, rows_a_statement: Sequence[int] = ROWS_A_STATEMENT) -> None:
        self._dialect = dialect
        self._sizes = tuple(sorted({*rows_a_statement, 1}, reverse=True))
        self._compiled: dict[tuple[Any, int], str] = {}
        self._statements: dict[str, Statement] = {
            "instruments": _Upsert(t.instruments),
            "limits": _Update(t.instruments, "instrument", _LIMIT_CHANGES),
            "accounts": _Upsert(t.accounts),
            "orders": _Upsert(t.orders, _ORDER_CHANGES),
            "order_fills": _Update(t.orders, "order_id", _FILL_CHANGES),
            "fills": _Upsert(t.fills),
            "trades": _Upsert(t.trades),
            "positions": _Upsert(t.positions),
            "balances": _Upsert(t.balances),
            "candles": _AddCandles(t.candles),
            "deeds": _Upsert(t.deeds),
        }
        """By the rows' names, in the order in which they are written."""

    def write(self, connection: sa.Connection, batch: Batch, journal_id: str, after_seq: int) -> None:
        """Write the batch, whose first block follows `after_seq`, inside the connection's transaction.

        Raises `PositionLostError` when the tables stand elsewhere.
        """
        self.hold_position(connection, journal_id, after_seq)
        rows = batch.rows()
        orders = {
            ORDERS_ACCEPTED: batch.orders_accepted,
            ORDERS_DONE: batch.orders_done,
            ORDERS_REJECTED: batch.orders_rejected,
        }
        batch.sums.write(connection, orders)
        for name, statement in self._statements.items():
            self._write_rows(connection, statement, rows[name])
        self.move_position(connection, batch, journal_id, after_seq)

    def hold_position(self, connection: sa.Connection, journal_id: str, after_seq: int) -> None:
        """Keep the position from moving until the transaction ends. Whoever has SQLite's one writing connection has it."""

    def move_position(self, connection: sa.Connection, batch: Batch, journal_id: str, after_seq: int) -> None:
        """The last of the transaction. Raises `PositionLostError`."""
        moved = connection.execute(
            sa.update(t.progress)
            .where(t.progress.c.journal_id == journal_id, t.progress.c.seq == after_seq)
            .values(seq=batch.last_seq, trading_day=batch.trading_day)
        )
        if moved.rowcount != 1:
            raise PositionLostError(f"the tables do not stand at command {after_seq} of journal {journal_id}")

    def _write_rows(self, connection: sa.Connection, statement: Statement, rows: Rows) -> None:
        """Write rows, in the order given, by the largest statements that they fill."""
        start, count = 0, len(rows)
        for size in self._sizes:
            while count - start >= size:
                connection.exec_driver_sql(self._text(statement, size), rows.values(start, start + size))
                start += size

    def _text(self, statement: Statement, size: int) -> str:
        key = (statement, size)
        text = self._compiled.get(key)
        if text is None:
            text = self._compiled[key] = statement.text(self._dialect, size)
        return text


def new_writer(dialect: sa.Dialect) -> Writer:
    """The writer for a database."""
    if dialect.name == "postgresql":
        from onseju.projections.copy_writer import CopyWriter  # it is one of these itself

        return CopyWriter(dialect)
    return Writer(dialect)


class Statement(ABC):
    """A statement that takes any number of rows, each a tuple in the order of `names`."""

    def __init__(self, table: sa.Table, names: Sequence[str]) -> None:
        self.table = table
        self.names = tuple(names)

    def text(self, dialect: sa.Dialect, size: int) -> str:
        """The statement for `size` rows; its parameters are the rows' values one after the other."""
        row = f"({', '.join('?' * len(self.names))})"
        if size > EXPANDED_ROWS and (text := self._compiled(dialect, 1)).count(row) == 1:
            return text.replace(row, ", ".join([row] * size))
        return self._compiled(dialect, size)

    def _compiled(self, dialect: sa.Dialect, size: int) -> str:
        width = len(self.names)
        numbered = [tuple(range(row * width, (row + 1) * width)) for row in range(size)]
        compiled = self.build(dialect, numbered).compile(dialect=dialect)
        values = compiled.params
        if [values[name] for name in compiled.positiontup] != list(range(size * width)):
            raise AssertionError(f"parameters are not in the order of their columns: {compiled}")
        return str(compiled)

    @abstractmethod
    def build(self, dialect: sa.Dialect, rows: Sequence[tuple[int, ...]]) -> Any:
        """The statement for these rows, to be compiled."""

    @abstractmethod
    def merge(self, new: sa.TableClause) -> Any:
        """For PostgreSQL: the same with all rows of a table that has `names` as its columns."""


class _Upsert(Statement):
    """Insert, or set `changes` (default: all but the key) of the row that is there."""

    def __init__(self, table: sa.Table, changes: Sequence[str] | None = None) -> None:
        super().__init__(table, [column.name for column in table.columns])
        self.keys = [column.name for column in table.primary_key]
        self.changes = changes or [name for name in self.names if name not in self.keys]

    def build(self, dialect: sa.Dialect, rows: Sequence[tuple[int, ...]]) -> Any:
        statement = sqlite.insert(self.table).values([dict(zip(self.names, row, strict=True)) for row in rows])
        return statement.on_conflict_do_update(index_elements=self.keys, set_=self.assignments(statement.excluded))

    def merge(self, new: sa.TableClause) -> Any:
        """See `Statement`."""
        statement = postgresql.insert(self.table).from_select(self.names, sa.select(new))
        return statement.on_conflict_do_update(index_elements=self.keys, set_=self.assignments(statement.excluded))

    def assignments(self, new: Any) -> dict[str, Any]:
        return {name: new[name] for name in self.changes}


_BIGGEST = sa.literal_column(str(BIGGEST), sa.BigInteger)


class _AddCandles(_Upsert):
    """Candles add up: the batch's part is joined to what is there. Sums stop at the largest integer."""

    def assignments(self, new: Any) -> dict[str, Any]:
        old = self.table.c
        sums = {
            name: sa.case((old[name] > _BIGGEST - new[name], _BIGGEST), else_=old[name] + new[name])
            for name in ("volume", "turnover", "trade_count")
        }
        return {
            "high": sa.case((new.high > old.high, new.high), else_=old.high),
            "low": sa.case((new.low < old.low, new.low), else_=old.low),
            "close": new.close,
            **sums,
        }


class _Update(Statement):
    """Set `changes` of rows that exist; the key is each tuple's last value."""

    def __init__(self, table: sa.Table, key: str, changes: Sequence[str]) -> None:
        super().__init__(table, [*changes, key])
        self.key = key
        self.changes = changes

    def build(self, dialect: sa.Dialect, rows: Sequence[tuple[int, ...]]) -> Any:
        columns = [sa.column(name, self.table.c[name].type) for name in self.names]
        new = sa.values(*columns, name="new").data(rows).cte("new")
        return (
            sa.update(self.table)
            .where(self.table.c[self.key] == new.c[self.key])
            .values({name: new.c[name] for name in self.changes})
        )

    def merge(self, new: sa.TableClause) -> Any:
        """See `Statement`."""
        return (
            sa.update(self.table)
            .where(self.table.c[self.key] == new.c[self.key])
            .values({name: new.c[name] for name in self.changes})
        )


_ORDER_CHANGES = (
    "order_type",
    "time_in_force",
    "qty",
    "limit_price",
    "stop_price",
    "leaves_qty",
    "filled_qty",
    "canceled_qty",
    "filled_amount",
    "status",
    "done",
    "reason",
    "updated_seq",
    "updated_ts",
)
"""What an order's later events may change: not who made it, and when."""

_FILL_CHANGES = (
    "leaves_qty",
    "filled_qty",
    "canceled_qty",
    "filled_amount",
    "status",
    "done",
    "updated_seq",
    "updated_ts",
)
_LIMIT_CHANGES = ("base_price", "upper_limit", "lower_limit", "seq", "ts")
