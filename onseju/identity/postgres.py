"""Identity in PostgreSQL, schema `identity`: a few connections, transactions that many gateways make at once.

Every wait is bounded, on both sides: a gateway that is paused in the middle of a transaction must not hold a lock for long,
and a server that is paused must not hold a request for long.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import weakref
from collections.abc import Callable
from typing import TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.pool import QueuePool

from onseju.identity.database import upgrade
from onseju.identity.failures import may_repeat
from onseju.identity.records import DatabaseUnavailableError, DatabaseUnusableError

T = TypeVar("T")

SCHEMA = "identity"
CHANNEL = "onseju_identity"
"""Where changes are told."""

CONNECTIONS = 4
"""Connections of one gateway, and so transactions at once; one more listens."""
TRIES = 4
"""How often a transaction is run that another's sake, or an old connection, has undone."""
REST_S = 0.5
"""After a connection could not be made, requests are refused at once for so long, instead of each waiting for its own."""
MIGRATION_WAIT_S = 60
"""How long a start waits for another gateway that brings the tables to this release."""

_CONNECT = {
    "application_name": "onseju identity",
    "client_encoding": "UTF8",
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
"""Seconds, but milliseconds for `tcp_user_timeout`: a server whose machine is gone is noticed within them."""

_SESSION = """
    SELECT set_config('search_path', 'identity', false),
        set_config('default_transaction_isolation', 'read committed', false),
        set_config('statement_timeout', '4s', false),
        set_config('lock_timeout', '3s', false),
        set_config('idle_in_transaction_session_timeout', '2s', false)
"""
"""Read committed: each statement sees what was committed before it, which the locks below rely on."""
_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"

_MIGRATING = 0x6F6E_6964_0001
_NUMBERS = 0x6F6E_6964_0002
"""Numbers of advisory locks, for a transaction's time."""


class PostgresDatabase:
    """A database of a PostgreSQL server. Any thread may call it."""

    def __init__(self, url: str) -> None:
        """Nothing is connected yet. Raises `DatabaseUnusableError` for a URL that is none."""
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        try:
            parts = conninfo_to_dict(self._url)
        except psycopg.ProgrammingError:
            raise DatabaseUnusableError(
                "The database's URL is not PostgreSQL's: postgresql://USER@HOST/NAME."
            ) from None
        self.where = f"PostgreSQL at {parts.get('host')}:{parts.get('port', 5432)}, database {parts.get('dbname')},"
        self.engine = sa.create_engine(
            "postgresql+psycopg://",
            creator=self._session,
            poolclass=QueuePool,
            pool_size=CONNECTIONS,
            max_overflow=0,
            hide_parameters=True,  # an error's text must not carry hashes into the log
        )
        self._rest_until_s = 0.0
        self._open: weakref.WeakSet[psycopg.Connection] = weakref.WeakSet()
        self._guard = threading.Lock()

    def connect(self) -> psycopg.Connection:
        """A new connection, for whoever listens. Raises `psycopg.Error`."""
        return psycopg.connect(self._url, autocommit=True, **_CONNECT)  # type: ignore[arg-type]

    def migrate(self) -> None:
        """Bring the tables to this release, while no other gateway does."""
        with self.engine.begin() as connection:
            wait = f"{MIGRATION_WAIT_S}s"
            for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
                connection.exec_driver_sql("SELECT set_config(%s, %s, true)", (setting, wait))
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_MIGRATING,))
            # not IF NOT EXISTS, which asks for the right to make one where there is one already
            if connection.exec_driver_sql("SELECT to_regnamespace(%s)", (SCHEMA,)).scalar_one() is None:
                connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
            upgrade(connection)

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Run the work in a transaction, durable on return; again where it was undone through no fault of its own.

        Raises `DatabaseUnavailableError` for a while after a connection could not be made. An error while it commits is
        raised as it is: whether it is done is unknown, so it is not tried again.
        """
        tries = 0
        while True:
            tries += 1
            with self._connection() as connection:
                try:
                    done = work(connection)
                except sa.exc.DBAPIError as error:
                    if tries == TRIES or not may_repeat(error):
                        raise
                else:
                    connection.commit()
                    return done
            time.sleep(random.uniform(0, 0.01 * tries))  # noqa: S311  # so that two do not meet again

    def lock_numbers(self, connection: sa.Connection) -> None:
        """Nobody else allots account numbers until this transaction has ended."""
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_NUMBERS,))

    def tell(self, connection: sa.Connection, *changes: str) -> None:
        """Let all gateways hear of the changes, once the transaction is committed."""
        for change in changes:
            connection.exec_driver_sql("SELECT pg_notify(%s, %s)", (CHANNEL, change))

    def interrupt_after(self, patience_s: float, wait: Callable[[], None]) -> None:
        """Wait, and after `patience_s` cut the connections, so that whoever waits for an answer gets an error."""
        timer = threading.Timer(patience_s, self._cut_all)
        timer.start()
        try:
            wait()
        finally:
            timer.cancel()
            timer.join()

    def close(self) -> None:
        """End the connections."""
        self.engine.dispose()

    def _cut_all(self) -> None:
        with self._guard:
            connections = list(self._open)
        for connection in connections:
            cut(connection)

    def _connection(self) -> sa.Connection:
        if time.monotonic() < self._rest_until_s:
            raise DatabaseUnavailableError
        try:
            return self.engine.connect()
        except sa.exc.DBAPIError:
            self._rest_until_s = time.monotonic() + REST_S
            raise

    def _session(self) -> psycopg.Connection:
        connection = self.connect()
        with self._guard:
            self._open.add(connection)
        try:
            for statement in (_SESSION, _DURABLE):
                connection.execute(statement)
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        return connection


def cut(connection: psycopg.Connection) -> None:
    """End a connection from another thread: who waits on it gets an error at once."""
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg.OperationalError):  # it has ended already
        return
