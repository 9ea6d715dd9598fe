"""What other gateways change is heard here: a key revoked, a session ended, an account moved.

PostgreSQL tells listeners in the order of commits. So a notice to oneself proves, when it comes back, that every change that
was committed before it has been heard, too. While none comes back, nothing is proved, and what is remembered grows old.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable

import psycopg
import structlog

from onseju.identity.postgres import CHANNEL, cut

log = structlog.get_logger(__name__)

EVERYTHING = "everything"
"""The change that stands for all that may have been missed."""
MAX_PENDING = 10_000
"""Changes that may wait for somebody to ask; more become `EVERYTHING`."""
RETRY_S = 0.5
FIRST_WAIT_S = 3.0
"""How long a start waits until it hears of changes."""


class ChangeListener:
    """One connection and its thread, from `start` until `stop`; by itself it connects again."""

    def __init__(self, connect: Callable[[], psycopg.Connection], every_s: float) -> None:
        """`every_s`: how often it is proved that nothing was missed."""
        self._connect = connect
        self._every_s = every_s
        self._own_channel = f"{CHANNEL}_{secrets.token_hex(8)}"
        self._lock = threading.Lock()
        self._pending: list[str] = []
        self._heard_s = float("-inf")
        self._connection: psycopg.Connection | None = None
        self._stopping = threading.Event()
        self._listens = threading.Event()
        self._told = False
        self._thread = threading.Thread(target=self._run, name="identity changes", daemon=True)

    def start(self) -> None:
        """Begin to listen. Where the server does not answer, that goes on by itself."""
        self._thread.start()
        self._listens.wait(FIRST_WAIT_S)

    def stop(self) -> None:
        """Listen no more. Idempotent."""
        self._stopping.set()
        with self._lock:
            connection = self._connection
        if connection is not None:
            cut(connection)
        if self._thread.ident is not None:
            self._thread.join()

    def take(self) -> tuple[float, list[str]]:
        """The changes that came since the last call, and up to which moment (`time.monotonic`) none is missing."""
        with self._lock:
            changes = self._pending
            if changes:
                self._pending = []
            return self._heard_s, changes

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                if not self._stopping.is_set() and not self._told:
                    log.warning("identity_changes_unheard", why=str(error))
                    self._told = True
            self._stopping.wait(RETRY_S)

    def _listen(self) -> None:
        with contextlib.closing(self._connect()) as connection:
            with self._lock:
                self._connection = connection
            try:
                if self._stopping.is_set():  # who stops has not seen this connection, and cannot cut it
                    return
                for channel in (CHANNEL, self._own_channel):
                    connection.execute(f"LISTEN {channel}".encode())
                self._hear(EVERYTHING)  # what came before, nobody heard
                self._listens.set()
                while not self._stopping.is_set():
                    self._prove(connection)
            finally:
                with self._lock:
                    self._connection = None

    def _prove(self, connection: psycopg.Connection) -> None:
        """Send oneself a notice, and hear what comes for a while, that notice included."""
        sent_s = time.monotonic()
        connection.execute("SELECT pg_notify(%s, %s)", (self._own_channel, repr(sent_s)))
        for notice in connection.notifies(timeout=self._every_s):
            if notice.channel == CHANNEL:
                self._hear(notice.payload)
            else:
                with self._lock:
                    self._heard_s = max(self._heard_s, float(notice.payload))
                if self._told:
                    log.info("identity_changes_heard")
                    self._told = False

    def _hear(self, change: str) -> None:
        with self._lock:
            if change == EVERYTHING or len(self._pending) >= MAX_PENDING:
                self._pending = [EVERYTHING]
            else:
                self._pending.append(change)
