"""Connections to the journal's database: none of them waits for ever, at either end.

A leader that hangs, or whose machine has gone, must not keep another from taking over. So the server ends a statement, an
open transaction and a silent peer after seconds, and so does the client with a silent server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from onseju.journal.port import JournalError

ANSWER_S = 5
"""Seconds within which a statement ends, an open transaction goes on, and a peer gives a sign of life."""

GRACE_S = 2
"""So much longer the client waits for the server's own word that something took too long."""

T = TypeVar("T")

KEEPALIVE_S, PROBE_S, PROBES = 2, 1, 3
"""TCP asks a silent peer after so many seconds, then every so many, and gives it up after so many questions."""


class DatabaseFailedError(JournalError):
    """The database cannot be reached, or refused; what was being written may be lost."""


class BoundedConnection(psycopg.Connection):
    """A connection that gives a server up which does not answer: one that hangs, or a network that swallows everything."""

    def wait(self, gen: PQGen[T], *args: Any, **named: Any) -> T:
        """What psycopg's does; but past the time-out the connection is closed, and `OperationalError` raised."""
        return super().wait(self._bounded(gen), *args, **named)

    def _bounded(self, gen: PQGen[T]) -> Generator[Any, Any, T]:
        patience_s = ANSWER_S + GRACE_S
        until = time.monotonic() + patience_s
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted  # nothing is ready when some time has passed: it is asked ten times a second
                if time.monotonic() > until:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the database did not answer within {patience_s} seconds")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def connect(url: str, name: str, *, autocommit: bool = False, **settings: str | int) -> BoundedConnection:
    """A connection of this name, on which `synchronous_commit` is on and everything has its time-out; `settings` are more of the session's,
    or others. Raises `DatabaseFailedError`."""
    session: dict[str, str | int] = {
        "synchronous_commit": "on",
        "statement_timeout": ANSWER_S * 1000,
        "idle_in_transaction_session_timeout": ANSWER_S * 1000,
        "tcp_user_timeout": ANSWER_S * 1000,
        "tcp_keepalives_idle": KEEPALIVE_S,
        "tcp_keepalives_interval": PROBE_S,
        "tcp_keepalives_count": PROBES,
        "client_connection_check_interval": 1000,
        **settings,
    }
    try:
        return BoundedConnection.connect(
            url.replace("postgresql+psycopg://", "postgresql://", 1),
            autocommit=autocommit,
            options=" ".join(f"-c {name}={value}" for name, value in session.items()),
            application_name=name,
            connect_timeout=ANSWER_S,
            tcp_user_timeout=ANSWER_S * 1000,
            keepalives_idle=KEEPALIVE_S,
            keepalives_interval=PROBE_S,
            keepalives_count=PROBES,
        )
    except psycopg.Error as error:
        raise DatabaseFailedError(f"The journal's database cannot be reached: {told(error)}.") from error


def told(error: psycopg.Error) -> str:
    """What went wrong, in one line, without an address or a password."""
    primary = error.diag.message_primary
    return primary or " ".join(str(error).split()).rstrip(".") or type(error).__name__


class Readers:
    """Connections that any thread may read with. As many as read at once, kept for the next."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: list[psycopg.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    def read(self, query: Callable[[psycopg.Connection], T]) -> T:
        """What the query gives. A connection that was kept may have died meanwhile: then once more on a new one.

        Raises `DatabaseFailedError`.
        """
        with self._lock:
            if self._closed:
                raise JournalError("The journal is closed.")
            kept = self._free.pop() if self._free else None
        if kept is not None:
            try:
                return self._with(kept, query)
            except psycopg.OperationalError:
                if not kept.closed:
                    raise
        try:
            return self._with(connect(self._url, "onseju reader", autocommit=True), query)
        except psycopg.Error as error:
            raise DatabaseFailedError(f"The journal cannot be read: {told(error)}.") from error

    def _with(self, connection: psycopg.Connection, query: Callable[[psycopg.Connection], T]) -> T:
        try:
            found = query(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if not self._closed:
                self._free.append(connection)
                return found
        connection.close()
        return found

    def close(self) -> None:
        """End the connections. Idempotent."""
        with self._lock:
            self._closed, free, self._free = True, self._free, []
        for connection in free:
            connection.close()
