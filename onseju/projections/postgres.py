"""The read side in PostgreSQL: where its tables are, one connection that writes them, and connections that only read.

Only the scaled set imports this: it needs psycopg.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.pool import QueuePool, StaticPool

from onseju.projections.places import PostgresTables, TablesInUseError

CONNECT_S = 5
PATIENCE_MS = 10_000
"""A writer that stops in the middle of a transaction is cut off after so long, and so is a peer that answers nothing: its locks
would keep the next one out."""

QUERY_MS = 15_000
"""The longest query."""

READER_WAIT_S = 5.0
"""How long a query waits for one of the reading connections."""

_KEEPALIVE: Mapping[str, Any] = {
    "connect_timeout": CONNECT_S,
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": PATIENCE_MS,
}

_WRITER: Mapping[str, str | int] = {
    # The event log has what a crash takes here, and position and rows go together.
    "synchronous_commit": "off",
    "idle_in_transaction_session_timeout": PATIENCE_MS,
    # Rows are found by their key, however large the planner, without statistics of the staging tables, thinks that these are.
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
_READER: Mapping[str, str | int] = {
    "default_transaction_isolation": "repeatable\\ read",
    "default_transaction_read_only": "on",
    "statement_timeout": QUERY_MS,
    "idle_in_transaction_session_timeout": PATIENCE_MS,
    "jit": "off",
    # Each page has an index in its order. Any plan that sorts or gathers instead rests on a guess of how few rows there are.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
    "max_parallel_workers_per_gather": 0,
}

Connection = psycopg.Connection[Any]


def connect(tables: PostgresTables, name: str, settings: Mapping[str, str | int], **more: Any) -> Connection:
    """A connection that finds the tables by their plain names. Raises `psycopg.OperationalError`."""
    given = {"search_path": tables.schema, "TimeZone": "UTC", **settings}
    options = " ".join(f"-c {setting}={value}" for setting, value in given.items())
    return psycopg.connect(tables.url, options=options, application_name=name, **_KEEPALIVE, **more)


def lock_key(tables: PostgresTables) -> int:
    """The advisory lock of whoever writes the tables: 64 bits, within the database."""
    text = f"onseju projections {tables.schema}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little", signed=True)


def channel(tables: PostgresTables) -> str:
    """On which `NOTIFY` tells each new position."""
    return f"onseju_{tables.schema}"


@contextmanager
def writing_alone(tables: PostgresTables) -> Iterator[None]:
    """Nobody else writes the tables meanwhile. Raises `TablesInUseError` where somebody does."""
    engine = writer_engine(tables)
    try:
        with engine.connect():
            yield
    finally:
        engine.dispose()


def drop(tables: PostgresTables) -> None:
    """Remove the schema with all that is in it. Nobody may use it."""
    with connect(tables, "onseju rebuild", {}) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(tables.schema)))


def put_in_place(draft: PostgresTables, tables: PostgresTables) -> None:
    """Let the draft's schema take the place of the other, in one transaction.

    Queries that run are waited for: each has read the position first, and ends on the tables on which it began.
    """
    old = tables._replace(schema=tables.schema + "_old")
    new_name, name, old_name = (sql.Identifier(place.schema) for place in (draft, tables, old))
    drop(old)
    with connect(tables, "onseju rebuild", {}) as connection:
        if connection.execute("SELECT to_regclass('progress') IS NOT NULL").fetchone() == (True,):
            connection.execute("LOCK TABLE progress IN ACCESS EXCLUSIVE MODE")
        connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(name, old_name))
        connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(new_name, name))
    drop(old)


def writer_engine(tables: PostgresTables) -> sa.Engine:
    """The one connection that writes, the schema made where there is none. As long as it is open, no other writer's opens:
    connecting raises `TablesInUseError`."""

    def connect_alone() -> Connection:
        connection = connect(tables, "onseju projector", _WRITER, autocommit=True)
        try:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (lock_key(tables),)).fetchone()
            if row != (True,):
                raise TablesInUseError(f"another projector writes the tables of {tables}")
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(tables.schema)))
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        return connection

    return _engine(connect_alone, poolclass=StaticPool)


def maintenance_engine(tables: PostgresTables) -> sa.Engine:
    """A connection that changes what no projector changes any more, beside it."""
    return _engine(lambda: connect(tables, "onseju maintenance", {"jit": "off"}), poolclass=StaticPool)


def reader_engine(tables: PostgresTables, readers: int) -> sa.Engine:
    """Connections that read, each transaction on one unchanging state; a read replica's are as good."""

    def connect_reader() -> Connection:
        # Planned each time, with its values: a plan for any values may sort an account's million orders for a page of ten.
        return connect(tables, "onseju queries", _READER, prepare_threshold=None)

    return _engine(connect_reader, poolclass=QueuePool, pool_size=readers, max_overflow=0, pool_timeout=READER_WAIT_S)


def _engine(creator: Callable[[], Connection], **pool: Any) -> sa.Engine:
    return sa.create_engine("postgresql+psycopg://", creator=creator, use_native_hstore=False, **pool)
