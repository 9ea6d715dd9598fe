"""Connections to the read side's database: one writer, and readers that can only read.

In PostgreSQL (`postgres.py`) the writer's connection holds a lock. SQLite 3.7.0 to 3.51.2 can corrupt a file when two connections write or checkpoint it at once. So the writer is one
connection, for as long as the file is in use, and readers are opened `mode=ro`: they never checkpoint.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool, StaticPool

from onseju.projections.places import Database, place_of

BUSY_TIMEOUT_S = 5.0
READERS = 4
"""Read connections, and so queries at once."""


POSTGRES_FULL = "53100"
"""SQLSTATE disk_full."""

STATEMENTS = 256
"""Statements that a connection keeps prepared: more than the writer has."""


CHECKPOINT_PAGES = 16_000
"""Pages of 4 KiB in the write-ahead log before they are put into the database: 64 MB. A page that every batch changes is so
written there once for many batches, not for each few (SQLite's own 1,000)."""


def _connector(database: Path, mode: str) -> Callable[[], sqlite3.Connection]:
    uri = f"file:{quote(str(database.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,  # SQLAlchemy begins transactions: the driver begins none before reads
            check_same_thread=False,
            cached_statements=STATEMENTS,
        )

    return connect


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def writer_engine(database: Database) -> sa.Engine:
    """The one connection that writes. It may be used by several threads, one at a time.

    A file is made where there is none. Raises `ValueError` for a text that is no URL; connecting to PostgreSQL raises
    `TablesInUseError` while another one writes.
    """
    place = place_of(database)
    if isinstance(place, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
        return _sqlite_writer(place)
    from onseju.projections import postgres  # the embedded server runs without its driver

    return postgres.writer_engine(place)


def reader_engine(database: Database) -> sa.Engine:
    """Connections that read, each transaction on one unchanging state. The tables must exist."""
    place = place_of(database)
    if isinstance(place, Path):
        return _sqlite_reader(place)
    from onseju.projections import postgres

    return postgres.reader_engine(place, READERS)


def is_disk_full(error: Exception) -> bool:
    """Whether the database has no room: then nothing of the batch was written, and what is there can be read."""
    cause = error.orig if isinstance(error, sa.exc.OperationalError) else None
    sqlite_full = getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return sqlite_full or getattr(cause, "sqlstate", None) == POSTGRES_FULL


def _sqlite_writer(database: Path) -> sa.Engine:
    engine = sa.create_engine("sqlite://", creator=_connector(database, "rwc"), poolclass=StaticPool)
    sa.event.listen(engine, "begin", _begin)

    @sa.event.listens_for(engine, "connect")
    def tune(connection: Any, _record: Any) -> None:
        # NORMAL: a power cut may take the last transactions, whole; the journal has them. It never leaves half of one.
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=OFF",
            "cache_size=-32768",
            f"wal_autocheckpoint={CHECKPOINT_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine


def _sqlite_reader(database: Path) -> sa.Engine:
    engine = sa.create_engine(
        "sqlite://",
        creator=_connector(database, "ro"),
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=BUSY_TIMEOUT_S,
    )
    sa.event.listen(engine, "begin", _begin)
    return engine
