"""The tables' position in a process that does not write them: told by `NOTIFY`, and looked at now and then.

A read replica hears no `NOTIFY`: there the position is looked at, often while somebody waits for it. It must be the database
that the queries read.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Protocol

import psycopg
import structlog
from psycopg import sql

from onseju.projections import postgres
from onseju.projections.places import PostgresTables, place_of
from onseju.projections.waiters import Waiters

log = structlog.get_logger(__name__)

IDLE_S = 0.25
"""How often the position is looked at when nothing is told and nobody waits; also the longest that `stop` takes."""

HURRY_S = 0.01
"""How often a replica's is while somebody waits."""

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 2.0


class Position(Protocol):
    """What the gateway asks of whoever knows how far the tables are: a `Projector` or a `PositionReader`."""

    @property
    def position(self) -> int: ...
    @property
    def failed(self) -> Exception | None: ...
    @property
    def failures(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    async def wait_for(self, seq: int, timeout_s: float) -> bool: ...


class PositionReader:
    """Knows how far the tables are that another process writes. One thread with a connection of its own."""

    def __init__(self, database: str | PostgresTables, *, max_waiters: int = 1000) -> None:
        place = place_of(database)
        if not isinstance(place, PostgresTables):
            raise TypeError("a file of SQLite has its projector in the same process")
        self._tables = place
        self._waiters = Waiters(max_waiters)
        self._position = 0
        self._failed: Exception | None = ConnectionError("the position was not looked at yet")
        self._failures = 0
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._looked = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def position(self) -> int:
        """The number of the last command whose events the tables hold. After a crash of the database it may be smaller
        than before: what was lost is projected again."""
        return self._position

    @property
    def failed(self) -> Exception | None:
        """Why the position is not known now; None while it is."""
        return self._failed

    @property
    def failures(self) -> int:
        """How often it was lost since the start."""
        return self._failures

    @property
    def waiting(self) -> int:
        """How many wait for a position."""
        return len(self._waiters)

    def start(self, timeout_s: float = 5.0) -> bool:
        """Follow the position from now on; whether it is known within this time. It goes on trying in any case."""
        if self._thread is not None:
            raise RuntimeError("the position is followed already")
        self._thread = threading.Thread(target=self._follow, name="position", daemon=True)
        self._thread.start()
        return self._looked.wait(timeout_s)

    def stop(self) -> None:
        """End the thread and the connection. Idempotent. What waits is told no."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._waiters.answer(self._position, every=True)

    async def wait_for(self, seq: int, timeout_s: float) -> bool:
        """Wait until the tables hold command `seq`. False when they do not in time, cannot, or too many wait already."""
        if self._failed is not None or self._stopping.is_set():
            return False
        if self._position >= seq:
            return True
        if self._waiters.full:
            return False
        with self._waiters.one(seq) as future:
            if self._position >= seq or self._failed is not None or self._stopping.is_set():
                self._waiters.answer(self._position, every=self._position < seq)  # it happened just now
            self._wake.set()
            try:
                async with asyncio.timeout(timeout_s):
                    return await future
            except TimeoutError:
                return False

    def _follow(self) -> None:
        retry_s = FIRST_RETRY_S
        while not self._stopping.is_set():
            try:
                with postgres.connect(self._tables, "onseju position", {}, autocommit=True) as connection:
                    is_replica = connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
                    if not is_replica:
                        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(postgres.channel(self._tables))))
                    self._look(connection)
                    self._failed, retry_s = None, FIRST_RETRY_S
                    self._looked.set()
                    while not self._stopping.is_set():
                        if is_replica:
                            self._look_often(connection)
                        else:
                            self._hear(connection)
            except psycopg.Error as error:
                self._fail(error, retry_s)
                self._stopping.wait(retry_s)
                retry_s = min(2 * retry_s, LAST_RETRY_S)

    def _hear(self, connection: postgres.Connection) -> None:
        """Take what is told; where nothing is for a while, look: tables that were put in the place of others tell nothing."""
        told = False
        for notice in connection.notifies(timeout=IDLE_S, stop_after=1):
            told = True
            self._move(int(notice.payload))
        if not told:
            self._look(connection)

    def _look_often(self, connection: postgres.Connection) -> None:
        self._wake.wait(HURRY_S if len(self._waiters) else IDLE_S)
        if len(self._waiters) and self._wake.is_set():
            self._wake.clear()
        self._look(connection)

    def _look(self, connection: postgres.Connection) -> None:
        row = connection.execute("SELECT seq FROM progress").fetchone()
        self._move(0 if row is None else int(row[0]))

    def _move(self, position: int) -> None:
        self._position = position
        self._waiters.answer(position)

    def _fail(self, error: psycopg.Error, retry_s: float) -> None:
        if self._failed is None or not self._failures:
            log.error("the tables' position is lost: reads are refused", retry_in_s=retry_s, error=str(error))
        self._failed = error
        self._failures += 1
        self._waiters.answer(self._position, every=True)
