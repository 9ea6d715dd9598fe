"""The projector: follows the event log and writes its rows in batches, position and rows in one transaction.

`catch_up` does it in the caller's thread; `start` goes on in a thread of its own, in whose process that is best
(`projections/process.py`). Whatever fails, it tries again from where the tables stand: first soon, then ever more rarely.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
import structlog
from alembic.util import CommandError

from onseju.contract.event_runs import EventRun
from onseju.contract.events import EVENT_BYTES
from onseju.projections import tables as t
from onseju.projections.core_rows import new_batch
from onseju.projections.database import is_disk_full, writer_engine
from onseju.projections.lock import WriterLock
from onseju.projections.migrate import migrate
from onseju.projections.places import Database, place_of
from onseju.projections.rows import Batch
from onseju.projections.writer import Writer, new_writer

log = structlog.get_logger(__name__)

MAX_BLOCKS = 5_000
MAX_EVENTS = 50_000
"""A transaction holds at most so much (one block more of any size): this bounds its memory, and its time to some tenths of a
second. Of an order, balance or position that changes often in it, one row is written."""

GATHER_S = 0.05
"""After a write it lets events gather so long when nobody waits for them: fewer, larger transactions."""

LONG_GATHER_S = 0.25
BUSY_COMMANDS = 250
"""Where so many came while it gathered, it gathers longer: a row costs less in a large transaction. Where a transaction was
filled, it does not wait at all: longer than that they do not get."""

LOCK_PATIENCE_S = 10.0
"""A process that wrote these tables before is waited for so long. It ends within tenths of a second of its server."""

FIRST_RETRY_S = 0.2
LAST_RETRY_S = 30.0
"""After a failure the projector waits so long, and twice as long after each further one, up to this."""

ROOM_POLL_S = 0.5
"""How often a full disk is tried again; reads go on meanwhile."""

Progress = Callable[[int, int], None]


class ProjectionError(Exception):
    """The tables cannot be used; the text says why, and what to do."""


class EventLog(Protocol):
    """What the projector needs of a journal."""

    @property
    def journal_id(self) -> str:
        """J of the event ids."""
        ...

    @property
    def last_event_seq(self) -> int:
        """The number of the last event block that can be read."""
        ...

    def read_event_runs(self, after_seq: int = 0) -> Iterator[EventRun]:
        """The event blocks after `after_seq`, through `last_event_seq` as it is at the call, in runs."""
        ...


class Projector:
    """Keeps the tables of one venue. One thread writes: the one that catches up, then its own.

    `tell` is called, in that thread, when the position or `failed` has changed, and with True when it waits for `wake`.
    """

    def __init__(
        self,
        journal: EventLog,
        database: Database,
        *,
        max_blocks: int = MAX_BLOCKS,
        max_events: int = MAX_EVENTS,
        gather_s: float = GATHER_S,
        first_retry_s: float = FIRST_RETRY_S,
        lock_patience_s: float = LOCK_PATIENCE_S,
        tell: Callable[[bool], None] | None = None,
    ) -> None:
        self._journal = journal
        self._database = place_of(database)
        self._max_blocks = max_blocks
        self._max_events = max_events
        self._gather_s = gather_s
        self._first_retry_s = first_retry_s
        self._lock_patience_s = lock_patience_s
        self._tell = tell or (lambda _waits: None)
        self.failures = 0
        """How often it failed since the start."""
        self._lock: WriterLock | None = None
        self._engine: sa.Engine | None = None
        self._writer: Writer | None = None
        self._thread: threading.Thread | None = None
        self._position = 0
        self._trading_day = 0
        self._failed: Exception | None = None
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._hurry = threading.Event()

    @property
    def position(self) -> int:
        """The number of the last command whose events the tables hold."""
        return self._position

    @property
    def failed(self) -> Exception | None:
        """Why the tables do not follow now; None while they do."""
        return self._failed

    def wake(self, *, hurry: bool = False) -> None:
        """There is something new in the event log; with `hurry`, somebody waits for it."""
        if hurry:
            self._hurry.set()
        self._wake.set()

    def catch_up(self, progress: Progress | None = None) -> None:
        """Bring the tables to the event log's end, before `start`. `progress` is told (done, all) in commands.

        Raises `ProjectionError`, or what the journal or the database raise.
        """
        if self._thread is not None:
            raise RuntimeError("the projector runs already")
        self._open()
        while not self._stopping.is_set():
            end = self._journal.last_event_seq
            if progress is not None:
                progress(self._position, end)
            if self._position >= end:
                return
            for batch in self._batches():
                self._apply(batch)
                if progress is not None:
                    progress(self._position, max(end, self._position))
                if self._stopping.is_set():
                    return

    def start(self) -> None:
        """Follow the event log from now on, in a thread of its own. A failure is logged and kept in `failed` until a later
        try has succeeded."""
        if self._thread is not None:
            raise RuntimeError("the projector runs already")
        self._open()
        self._wake.set()
        self._thread = threading.Thread(target=self._follow, name="projector", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch at hand, end the thread, close the database. Idempotent."""
        self.ask_to_stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def ask_to_stop(self) -> None:
        """Have whoever works end after the batch at hand."""
        self._stopping.set()
        self._hurry.set()
        self._wake.set()

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _lock_file(self, database: Path) -> None:
        """Nobody else may write this file. Raises `ProjectionError`."""
        database.parent.mkdir(parents=True, exist_ok=True)
        if self._lock is None:
            try:
                self._lock = WriterLock(database, self._lock_patience_s)
            except BlockingIOError as error:
                raise ProjectionError(f"{database} is being written by another process.") from error

    def _open(self) -> None:
        """Connect, bring the tables to this release's form, and find the position."""
        if self._engine is not None:
            return
        if isinstance(self._database, Path):
            self._lock_file(self._database)
        engine = writer_engine(self._database)
        try:
            with engine.begin() as connection:
                migrate(connection)
                self._position, self._trading_day = self._find_position(connection)
        except (sa.exc.DatabaseError, CommandError) as error:
            engine.dispose()
            reason = error.orig if isinstance(error, sa.exc.DatabaseError) else error
            raise ProjectionError(
                f"{self._database} cannot be used: {reason}. Everything in it is rebuilt from the event log: "
                "move the file or the schema away and start again."
            ) from error
        self._engine = engine
        self._writer = new_writer(engine.dialect)

    def _find_position(self, connection: sa.Connection) -> tuple[int, int]:
        """The stored position and its trading day, after emptying tables that are not this journal's."""
        journal_id, end = self._journal.journal_id, self._journal.last_event_seq
        stored = connection.execute(sa.select(t.progress)).all()
        if len(stored) == 1 and stored[0].journal_id == journal_id and stored[0].seq <= end:
            return int(stored[0].seq), int(stored[0].trading_day)
        if stored:
            log.warning("the tables do not belong to this journal: rebuilding", stored=str(stored), journal=journal_id)
        for table in reversed(t.metadata.sorted_tables):
            connection.execute(sa.delete(table))
        connection.execute(sa.insert(t.progress).values(journal_id=journal_id, seq=0, trading_day=0))
        return 0, 0

    def _batches(self) -> Iterable[Batch]:
        """What was published after the position, cut into transactions."""
        batch = new_batch(self._trading_day)
        due = self._position + 1
        for run in self._journal.read_event_runs(self._position):
            if run.first_seq != due:
                raise ProjectionError(f"the event log goes on at command {run.first_seq}, after {due - 1}")
            due += len(run)
            start = 0
            while start < len(run):
                stop = self._room(batch, run, start)
                batch.add_run(run.part(start, stop))
                start = stop
                if batch.block_count >= self._max_blocks or batch.event_count >= self._max_events:
                    yield batch
                    batch = new_batch(batch.trading_day)
        if batch.block_count:
            yield batch

    def _room(self, batch: Batch, run: EventRun, start: int) -> int:
        """How far the run fills the batch, from its block `start` on: through the block that fills it, of any size."""
        from_byte = run.ends[start - 1] if start else 0
        full = from_byte + (self._max_events - batch.event_count) * EVENT_BYTES
        by_events = bisect_left(run.ends, full, start) + 1
        return min(len(run), start + self._max_blocks - batch.block_count, by_events)

    def _apply(self, batch: Batch) -> None:
        """Write one batch, then tell of it."""
        if self._engine is None or self._writer is None:
            raise RuntimeError("the projector is not open")
        with self._engine.begin() as connection:
            self._writer.write(connection, batch, self._journal.journal_id, self._position)
        self._position, self._trading_day = batch.last_seq, batch.trading_day
        self._tell(False)

    def _follow(self) -> None:
        retry_s = self._first_retry_s
        while not self._stopping.is_set():
            try:
                self._open()
                if self._failed is not None:
                    self._write_what_is_new()
                    log.info("the projector follows again", position=self._position, failures=self.failures)
                    self._failed, retry_s = None, self._first_retry_s
                while not self._stopping.is_set():
                    self._tell(True)
                    self._wake.wait()
                    self._wake.clear()
                    before = self._position
                    self._write_what_is_new()
                    self._gather(self._position - before)
            except Exception as error:
                if is_disk_full(error) and self._failed is None:
                    log.error("disk_full", tables=str(self._database), position=self._position)
                    self._stopping.wait(ROOM_POLL_S)
                    self._wake.set()
                    continue
                self._fail(error, retry_s)
                self._stopping.wait(retry_s)
                retry_s = min(2 * retry_s, LAST_RETRY_S)

    def _gather(self, count: int) -> None:
        """Let events gather after a write of so many commands, until somebody waits for one."""
        if count < self._max_blocks:
            self._hurry.wait(LONG_GATHER_S if self._gather_s and count >= BUSY_COMMANDS else self._gather_s)
        if not self._stopping.is_set():
            self._hurry.clear()

    def _write_what_is_new(self) -> None:
        for batch in self._batches():
            self._apply(batch)
            if self._stopping.is_set():
                return

    def _fail(self, error: Exception, retry_s: float) -> None:
        """Tell of it, and let go of the database: the next try begins with what is really in it."""
        self._failed = error
        self.failures += 1
        log.error(
            "the projector has failed: reads are refused until it follows again",
            position=self._position,
            retry_in_s=retry_s,
            exc_info=error,
        )
        self._tell(False)
        self._close()
