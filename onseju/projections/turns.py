"""Several projector processes, one of which writes: the others wait for their turn.

The advisory lock only says whose turn it is. What keeps a projector that was overtaken from writing is the position, which
each of its transactions holds and compares.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import structlog

from onseju.projections import postgres
from onseju.projections.places import PostgresTables, place_of

log = structlog.get_logger(__name__)

POLL_S = 0.25
HUNG_S = 15.0
"""A projector that has not said a word to the database for so long, though there is something to write, is cut off."""

_IDLE_HOLDER = """
SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database = (
    SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32 | l.objid::bigint) = %(key)s
  AND a.state LIKE 'idle%%' AND a.state_change < now() - make_interval(secs => %(hung_s)s)
"""


def wait_for_turn(
    database: str | PostgresTables,
    stopping: threading.Event,
    *,
    head: Callable[[], int] | None = None,
    poll_s: float = POLL_S,
    hung_s: float = HUNG_S,
) -> bool:
    """Wait until nobody writes the tables; False when `stopping` is set first.

    `head` gives the event log's last command: with it a hung projector is cut off. Another one may be quicker afterwards: then
    `Projector.catch_up` raises `TablesInUseError`, and it is time to wait again. A database that does not answer is waited
    for.
    """
    place = place_of(database)
    if not isinstance(place, PostgresTables):
        raise TypeError("a file of SQLite has one projector")
    key = postgres.lock_key(place)
    while not stopping.is_set():
        try:
            with postgres.connect(place, "onseju projector, standing by", {}, autocommit=True) as connection:
                while not stopping.is_set():
                    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
                    if row == (True,):
                        return True
                    if head is not None:
                        _end_hung(connection, key, head(), hung_s)
                    stopping.wait(poll_s)
        except psycopg.OperationalError as error:
            log.warning("the database does not answer", error=str(error))
            stopping.wait(poll_s * 4)
    return False


def _end_hung(connection: postgres.Connection, key: int, head: int, hung_s: float) -> None:
    found = connection.execute(_IDLE_HOLDER, {"key": key, "hung_s": hung_s}).fetchone()
    if found is None:
        return
    stands = connection.execute("SELECT seq FROM progress").fetchone()
    if stands is None or stands[0] >= head:
        return
    log.warning("a projector that does not move is cut off", position=stands[0], log_end=head)
    connection.execute("SELECT pg_terminate_backend(%s)", found)
