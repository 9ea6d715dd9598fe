"""Pages newest first, asked for so that each database reads them from the index that has them in this order, and stops.

Either planner can be led astray. SQLite takes any index on a column that is named: `column + 0` hides one. PostgreSQL guesses how
far apart an account's rows lie in the order of the primary key, and where it thinks them near, reads the table by that: after
a busy account has gone quiet, through all that came since. So it is asked for the order of the account *and* the key, with
the account between two bounds, because an account that is one value would be left out of the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

Column = sa.Column[Any]


class Paging:
    """SQLite's way."""

    few_of_a_status = True
    """Whether a status narrows the orders of an account down better than an instrument."""

    def aside(self, column: Column) -> sa.ColumnElement[Any]:
        """The column in a condition that shall not choose the index."""
        return column + 0

    def page(
        self, query: sa.Select[Any], named: Mapping[Column, Any], keys: Sequence[Column], before: Sequence[int] | None
    ) -> sa.Select[Any]:
        """The rows whose columns have the values `named`, by descending `keys`; with `before`, what comes after that row.

        There must be an index on the named columns, in this order, and the keys.
        """
        for column, value in named.items():
            query = query.where(column == value)
        if before is not None:
            query = query.where(_row(keys) < sa.tuple_(*before) if len(keys) > 1 else keys[0] < before[0])
        return query.order_by(*(key.desc() for key in keys))


class BoundedPaging(Paging):
    """PostgreSQL's way."""

    few_of_a_status = False

    def aside(self, column: Column) -> sa.ColumnElement[Any]:
        """See `Paging`: here the order alone chooses the index, and statistics of a column are better than none."""
        return column

    def page(
        self, query: sa.Select[Any], named: Mapping[Column, Any], keys: Sequence[Column], before: Sequence[int] | None
    ) -> sa.Select[Any]:
        """See `Paging`."""
        columns, values = list(named), list(named.values())
        query = query.where(_row(columns) >= _values(columns, values))
        if before is None:
            query = query.where(_row(columns) <= _values(columns, values))
        else:
            whole = [*columns, *keys]
            query = query.where(_row(whole) < _values(whole, [*values, *before]))
        return query.order_by(*(column.desc() for column in (*columns, *keys)))


def _row(columns: Sequence[Column]) -> Any:
    return columns[0] if len(columns) == 1 else sa.tuple_(*columns)


def _values(columns: Sequence[Column], values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else sa.tuple_(*values, types=[column.type for column in columns])


_SQLITE, _POSTGRES = Paging(), BoundedPaging()


def paging_of(database: sa.Connection | sa.Engine) -> Paging:
    """The way of a database."""
    return _POSTGRES if database.dialect.name == "postgresql" else _SQLITE
