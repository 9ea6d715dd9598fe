"""The writer for PostgreSQL: many rows by COPY into a staging table, few as arrays, and from there into the tables in one statement.

A staging table is the connection's own, has no index and is written to no log; a commit empties it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from onseju.projections import tables as t
from onseju.projections.rows import Batch, Rows
from onseju.projections.writer import PositionLostError, Statement, Writer

COPY_FROM = 100
"""So many rows and more go by COPY, which needs two round trips more than arrays do."""

ROWS_AT_ONCE = 2_000
"""Rows of a piece of COPY's text, some 300 KB."""

_TELL = sa.text("SELECT pg_notify('onseju_' || current_schema(), :seq)")
"""The channel of the schema that is written (`postgres.channel`)."""

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class CopyWriter(Writer):
    """Makes its staging tables where they are not: a connection is new, or what made them was rolled back."""

    def __init__(self, dialect: sa.Dialect, copy_from: int = COPY_FROM) -> None:
        super().__init__(dialect)
        self._copy_from = copy_from
        self._forms = {statement: _Form(name, statement, dialect) for name, statement in self._statements.items()}

    def hold_position(self, connection: sa.Connection, journal_id: str, after_seq: int) -> None:
        """Lock the position's row. A writer whose batch was overtaken learns it here, before it has written a row.

        Raises `PositionLostError`.
        """
        held = connection.scalar(
            sa.select(t.progress.c.seq).where(t.progress.c.journal_id == journal_id).with_for_update()
        )
        if held != after_seq:
            raise PositionLostError(f"the tables stand at {held}, not at command {after_seq} of journal {journal_id}")

    def move_position(self, connection: sa.Connection, batch: Batch, journal_id: str, after_seq: int) -> None:
        """Set the position, and tell it to those who listen once all of this is committed."""
        super().move_position(connection, batch, journal_id, after_seq)
        connection.execute(_TELL, {"seq": str(batch.last_seq)})

    def _write_rows(self, connection: sa.Connection, statement: Statement, rows: Rows) -> None:
        count = len(rows)
        if not count:
            return
        form = self._forms[statement]
        if count < self._copy_from:
            connection.exec_driver_sql(form.from_arrays, form.arrays(rows.values(0, count)))
            return
        driver: Any = connection.connection.driver_connection
        connection.exec_driver_sql(form.make_staging)
        with driver.cursor() as cursor, cursor.copy(form.copy) as copy:
            for start in range(0, count, ROWS_AT_ONCE):
                stop = min(count, start + ROWS_AT_ONCE)
                copy.write(form.text(rows.values(start, stop), stop - start))
        connection.exec_driver_sql(form.from_staging)


class _Form:
    """What is sent for one statement."""

    def __init__(self, name: str, statement: Statement, dialect: sa.Dialect) -> None:
        columns = [statement.table.c[column] for column in statement.names]
        types = [dialect.type_compiler_instance.process(column.type).partition(" ")[0] for column in columns]
        staging = sa.table(f"staging_{name}", *(sa.column(column.name, column.type) for column in columns))
        merge = str(statement.merge(staging).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        described = ", ".join(f"{column.name} {type_}" for column, type_ in zip(columns, types, strict=True))
        named = ", ".join(statement.names)
        arrays = ", ".join(f"%s::{type_}[]" for type_ in types)
        self._width = len(columns)
        self._texts = [place for place, column in enumerate(columns) if isinstance(column.type, sa.Text)]
        self._row = "\t".join("%s" if place in self._texts else "%d" for place in range(self._width)) + "\n"
        self.make_staging = f"CREATE TEMPORARY TABLE IF NOT EXISTS staging_{name} ({described}) ON COMMIT DELETE ROWS"
        self.copy = f"COPY staging_{name} ({named}) FROM STDIN"
        self.from_staging = merge
        self.from_arrays = f"WITH staging_{name} ({named}) AS (SELECT * FROM unnest({arrays})) {merge}"  # noqa: S608

    def arrays(self, values: Sequence[Any]) -> tuple[list[Any], ...]:
        """A list a column."""
        lists = [list(values[place :: self._width]) for place in range(self._width)]
        for place in self._texts:
            lists[place] = [None if text is None else _storable(text) for text in lists[place]]
        return tuple(lists)

    def text(self, values: Sequence[Any], count: int) -> str:
        """The rows in COPY's text format."""
        if self._texts:
            values = list(values)
            for place in self._texts:
                values[place :: self._width] = map(_escaped, values[place :: self._width])
        return self._row * count % tuple(values)


def _storable(text: str) -> str:
    """PostgreSQL's text holds any character but NUL."""
    return text.replace("\0", "\ufffd")


def _escaped(text: str | None) -> str:
    return "\\N" if text is None else _storable(text).translate(_ESCAPES)
