"""Who leads a venue whose journal is in PostgreSQL: elected by an advisory lock, fenced by the number in `journal.leader`.

The lock only elects: whoever holds it may still be followed by another, when its connection broke or its process hung. The
number decides: a takeover raises it and commits that before it reads the journal's end, and every append holds a share of
the row with the writer's own number in it.
"""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import Future

import psycopg
import structlog
from psycopg.types.numeric import Int4

from onseju.journal import postgres_connections
from onseju.journal.port import JournalError
from onseju.journal.postgres_connections import DatabaseFailedError, connect, told
from onseju.journal.postgres_schema import LOCKS

_logger = structlog.get_logger(__name__)

BEAT_S = 1.0
"""How often a leader shows that it lives, and looks whether it still leads."""

CANDIDATE_S = 30
"""Within so long who is elected must lead."""

_END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = %s AND datname = current_database() AND usename = current_user
"""
"""A commit that is under way in them is finished or undone as a whole; nobody has heard of it, and nobody will."""


class NotLeaderError(JournalError):
    """Another has taken over: nothing more may be written, and nothing that was not yet answered be acknowledged."""


class Candidate:
    """Would lead a venue. Hangs nobody up: a candidate that gives no sign for `CANDIDATE_S`, or a leader that gives none for
    `ANSWER_S`, loses its connection, and the lock."""

    def __init__(self, url: str, venue: int) -> None:
        self.venue = venue
        self._url = url
        self._connection: psycopg.Connection | None = None
        self._elected = False

    def try_now(self) -> bool:
        """Whether this one is elected, now or before. Ask again within `CANDIDATE_S`. Raises `DatabaseFailedError`."""
        if self._elected:
            return True
        connection = self._opened()
        try:
            query = "SELECT pg_try_advisory_lock(%s, %s)"
            found = connection.execute(query, (Int4(LOCKS), Int4(_signed(self.venue)))).fetchone()
        except psycopg.Error as error:
            self.close()
            raise DatabaseFailedError(f"The election failed: {told(error)}.") from error
        self._elected = bool(found and found[0])
        return self._elected

    def lead(self) -> Leadership:
        """Raise the leader's number, durably: from now on nobody else can append. Only who is elected may.

        Raises `DatabaseFailedError`.
        """
        if not self._elected:
            raise JournalError(f"Venue {self.venue} is led by another process.")
        connection = self._opened()
        holder = f"{socket.gethostname()} pid {os.getpid()}"
        try:
            # a session that says nothing for so long is a process that hangs: its lock is let go
            connection.execute(f"SET idle_session_timeout = {postgres_connections.ANSWER_S * 1000:d}".encode())
            try:
                found = self._raise_epoch(connection, holder)
            except psycopg.errors.LockNotAvailable:
                _logger.warning("ending_hung_append", venue=self.venue)
                connection.execute(_END_SESSIONS, (journal_session(self.venue),))
                found = self._raise_epoch(connection, holder)
        except psycopg.Error as error:
            self.close()
            raise DatabaseFailedError(f"Venue {self.venue} cannot be taken over: {told(error)}.") from error
        if found is None:
            self.close()
            raise JournalError(f"There is no journal of venue {self.venue} in this database.")
        self._connection = None  # the leadership's now
        self._elected = False
        return Leadership(connection, self.venue, found[0])

    def _raise_epoch(self, connection: psycopg.Connection, holder: str) -> tuple[int] | None:
        """One more than the number was. Waits for an append that is under way, but not for one that hangs."""
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = {postgres_connections.ANSWER_S * 500:d}".encode())
            return connection.execute(
                "UPDATE journal.leader SET epoch = epoch + 1, holder = %s, since = clock_timestamp() "
                "WHERE venue = %s RETURNING epoch",
                (holder, self.venue),
            ).fetchone()

    def _opened(self) -> psycopg.Connection:
        if self._connection is None:
            settings = {"idle_session_timeout": CANDIDATE_S * 1000}
            self._connection = connect(self._url, f"onseju leader of {self.venue}", autocommit=True, **settings)
        return self._connection

    def close(self) -> None:
        """Give the lock back. Idempotent."""
        connection, self._connection = self._connection, None
        self._elected = False
        if connection is not None:
            connection.close()


class Leadership:
    """From a takeover to its end. `ended` fails when it was lost: with `NotLeaderError`, or what became of the database."""

    def __init__(self, connection: psycopg.Connection, venue: int, epoch: int) -> None:
        self.venue = venue
        self.epoch = epoch
        self.ended: Future[None] = Future()
        self._connection = connection
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._beat, name="leadership", daemon=True)
        self._thread.start()

    def superseded(self, present: int | None) -> NotLeaderError:
        """The error that says so. `present` is the number that was found instead."""
        other = "" if present is None else f" (its epoch is {present})"
        return NotLeaderError(
            f"Another process has taken venue {self.venue} over{other}: this one, of epoch {self.epoch}, writes nothing more."
        )

    def lose(self, error: JournalError) -> None:
        """It is over. The first word counts."""
        with self._lock:
            if not self.ended.done():
                _logger.critical("leadership_lost", venue=self.venue, epoch=self.epoch, error=str(error))
                self.ended.set_exception(error)

    def _beat(self) -> None:
        query = "SELECT epoch FROM journal.leader WHERE venue = %s"
        while not self._closing.wait(BEAT_S):
            try:
                found = self._connection.execute(query, (self.venue,)).fetchone()
            except psycopg.Error as error:
                if not self._closing.is_set():
                    self.lose(DatabaseFailedError(f"The leader's connection failed: {told(error)}."))
                break
            if found is None or found[0] != self.epoch:
                self.lose(self.superseded(found[0] if found else None))
                break
        self._connection.close()

    def close(self) -> None:
        """Let another lead. Idempotent."""
        self._closing.set()
        self._thread.join()
        with self._lock:
            if not self.ended.done():
                self.ended.set_result(None)


def journal_session(venue: int) -> str:
    """What the session with which a venue's leader appends is called in the server."""
    return f"onseju journal of {venue}"


def _signed(venue: int) -> int:
    """A venue's 32 bits as PostgreSQL's integer."""
    return venue if venue < 1 << 31 else venue - (1 << 32)
