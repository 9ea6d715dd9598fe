"""The journal in PostgreSQL: each append one transaction, fenced by the leader's number. See docs/decisions/0021."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Self

import psycopg
import structlog

from onseju.contract.command_runs import CommandRun
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.journal import postgres_schema
from onseju.journal.leadership import Candidate, Leadership, NotLeaderError, journal_session
from onseju.journal.port import JournalError, JournalFullError
from onseju.journal.postgres_connections import DatabaseFailedError, Readers, connect, told
from onseju.journal.postgres_log import TableLog
from onseju.journal.postgres_schema import JournalName
from onseju.journal.runs import COMMANDS, EVENTS

__all__ = ["Candidate", "DatabaseFailedError", "NotLeaderError", "PostgresJournal"]

_logger = structlog.get_logger(__name__)

DELETED_AT_ONCE = 50_000
"""Records whose rows one statement of `retire` deletes: a statement must end within seconds."""

_FENCE = "SELECT epoch FROM journal.leader WHERE venue = %s AND epoch = %s FOR SHARE"
_PRESENT = "SELECT epoch FROM journal.leader WHERE venue = %s"


class PostgresJournal:
    """One venue's journal in a database (`journal.port.Journal`). Made by `lead` or `open_for_reading`.

    What a leader and a reader know of its end is `last_seq` and `last_event_seq`: a leader's are true, a reader's are what
    the last `refresh` saw. Everything else asks the database, and so blocks.
    """

    def __init__(self, url: str, name: JournalName, readers: Readers, leadership: Leadership | None) -> None:
        self.leadership = leadership
        self._url = url
        self._name = name
        self._readers = readers
        self._writing = threading.Lock()
        self._unusable: str | None = None if leadership else "it was opened for reading"
        self._connection: psycopg.Connection | None = None
        self._commands = TableLog("commands", name.venue, COMMANDS, readers)
        self._events = TableLog("events", name.venue, EVENTS, readers)
        self.is_full = False
        """Whether the database's disk was full when something was last written."""

    @classmethod
    def prepare(cls, url: str, *, venue: int = 1) -> None:
        """Have the tables and the venue's journal there, so that it can be read before anybody has led it.

        Raises `JournalError`.
        """
        _prepared(url, venue, migrate=False)

    @classmethod
    def lead(cls, url: str, *, venue: int = 1, candidate: Candidate | None = None) -> Self:
        """Take the leadership, and open the journal for writing: make one where there is none.

        Without a `candidate` that is elected already, it stands for election itself. Raises `JournalError` where another
        process leads, where the tables were made by a newer release, and where the database fails.
        """
        candidate = candidate or Candidate(url, venue)
        leadership: Leadership | None = None
        readers = Readers(url)
        try:
            if not candidate.try_now():
                raise JournalError(f"The journal of venue {venue} is in use: another process leads it.")
            name = _prepared(url, venue, migrate=True)
            leadership = candidate.lead()
            journal = cls(url, name, readers, leadership)
            journal._begin()
        except BaseException:
            candidate.close()
            readers.close()
            if leadership is not None:
                leadership.close()
            raise
        return journal

    @classmethod
    def open_for_reading(cls, url: str, *, venue: int = 1) -> Self:
        """The journal as it is now, without changing anything, also while another writes it.

        Raises `JournalError` where there is none, and where the database fails.
        """
        readers = Readers(url)
        try:
            name = readers.read(lambda connection: postgres_schema.look_up(connection, venue))
            journal = cls(url, name, readers, None)
            journal.refresh()
        except BaseException:
            readers.close()
            raise
        return journal

    @property
    def journal_id(self) -> str:
        """J of the event ids."""
        return self._name.journal_id

    @property
    def venue(self) -> int:
        """The venue whose journal this is."""
        return self._name.venue

    @property
    def epoch(self) -> int:
        """The leader's number, which its records must carry; 0 of who reads."""
        return self.leadership.epoch if self.leadership else 0

    @property
    def ended(self) -> Future[None]:
        """Done when the leadership is over: with the error, if it was lost. Raises `JournalError` for who reads."""
        if self.leadership is None:
            raise JournalError("This journal was opened for reading: there is no leadership to end.")
        return self.leadership.ended

    @property
    def last_seq(self) -> int:
        """The last durable command's number that was seen; 0 when there is none."""
        return self._commands.last_seq

    @property
    def last_event_seq(self) -> int:
        """The number of the last event block that was seen; 0 when there is none."""
        return self._events.last_seq

    @property
    def first_seq(self) -> int:
        """The oldest command that is here: 1, unless older ones were deleted. Asks the database."""
        return self._commands.first_seq

    @property
    def first_event_seq(self) -> int:
        """The oldest event block that is here. Asks the database."""
        return self._events.first_seq

    def refresh(self) -> None:
        """See how far the logs are now. Nothing to do for a leader. Blocks; raises `JournalError`."""
        if self.leadership is not None:
            return
        # events first: a block's command is there before it
        self._events.last_seq, self._events.chain = self._readers.read(self._events.look)
        self._commands.last_seq, self._commands.chain = self._readers.read(self._commands.look)

    def make_room(self) -> bool:
        """The next append tells."""
        with self._writing:
            self._check_usable()
            self.is_full = False
        return True

    def append(self, records: Sequence[JournalRecord]) -> None:
        """Append commands, in one transaction, and return once it is committed and flushed.

        `JournalFullError`: there is no room for them, and nothing was written. `NotLeaderError`: another has taken over,
        and nothing was written. Any other failure ends all writing: a COMMIT without an answer may have happened. Who
        leads next reads what is there.
        """
        self._append(self._commands, records)

    def append_events(self, blocks: Sequence[EventBlock]) -> None:
        """Append event blocks, visible to readers on return. Nobody waits until they are on the disk: replay makes them again."""
        if not blocks:
            return
        last = blocks.last_seq if isinstance(blocks, EventRun) else blocks[-1].seq
        if last > self.last_seq:
            raise JournalError(f"Events of {last} come before their command is durable ({self.last_seq}).")
        self._append(self._events, blocks)

    def _append(self, log: TableLog[Any, Any], records: Sequence[Any]) -> None:
        with self._writing:
            self._check_usable()
            if not records:
                return
            written = log.framed(records)
            connection, leadership = self._connection, self.leadership
            if connection is None or leadership is None:
                raise JournalError("Nothing can be written to the journal: it is not led.")
            try:
                # One way there and back for all of it; the last word, COMMIT, is another. Each statement has its own sync:
                # the server ends a transaction that goes on no more only where it has said that it waits for more.
                with connection.pipeline() as pipeline:
                    fence = connection.execute(_FENCE, (self.venue, leadership.epoch))
                    pipeline.sync()
                    if log is self._events:
                        connection.execute("SET LOCAL synchronous_commit = off")
                    for _ in log.inserted(connection, written.rows, leadership.epoch):
                        pipeline.sync()
                if fence.fetchone() is None:
                    raise self._superseded(connection, leadership)
            except psycopg.errors.DiskFull as error:
                raise self._full(connection, log, error) from error
            except psycopg.errors.UniqueViolation as error:
                raise self._fail(leadership, leadership.superseded(None)) from error
            except psycopg.Error as error:
                why = f"Writing {log.table} failed: {told(error)}. Nothing of it was committed."
                raise self._fail(leadership, DatabaseFailedError(why)) from error
            try:
                connection.commit()
            except psycopg.Error as error:
                why = f"Whether {log.table} holds {written.rows[0][0]} to {written.last_seq} is unknown: {told(error)}."
                raise self._fail(leadership, DatabaseFailedError(why)) from error
            log.written(written)

    def _superseded(self, connection: psycopg.Connection, leadership: Leadership) -> JournalError:
        found = connection.execute(_PRESENT, (self.venue,)).fetchone()
        return self._fail(leadership, leadership.superseded(found[0] if found else None))

    def _full(self, connection: psycopg.Connection, log: TableLog[Any, Any], error: psycopg.Error) -> JournalFullError:
        connection.rollback()
        if not self.is_full:
            _logger.error("disk_full", table=log.table, error=told(error))
        self.is_full = True
        return JournalFullError(f"There is no room for {log.table} ({told(error)}).")

    def _fail(self, leadership: Leadership, error: JournalError) -> JournalError:
        """End all writing: the transaction's end is the server's, the next leader's to see."""
        self._unusable = str(error).rstrip(".")
        leadership.lose(error)
        self._end()
        return error

    def chains_at(self, seq: int) -> tuple[bytes, bytes]:
        """The chains of a command and of its event block. Raises `JournalError` where one of them is not here."""
        return self._commands.chain_at(seq), self._events.chain_at(seq)

    def read(self, after_seq: int = 0) -> Iterator[JournalRecord]:
        """The commands after `after_seq`, through `last_seq` as it is now."""
        runs = self.read_runs(after_seq)
        return (record for run in runs for record in run)

    def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
        """The event blocks after `after_seq`, through `last_event_seq` as it is now. Nothing new costs nothing."""
        runs = self.read_event_runs(after_seq)
        return (block for run in runs for block in run)

    def read_runs(self, after_seq: int = 0) -> Iterator[CommandRun]:
        """The same commands in runs of one leader's each, at most `log.LONGEST_RUN` of them."""
        return self._commands.read_runs(after_seq)

    def read_event_runs(self, after_seq: int = 0) -> Iterator[EventRun]:
        """The same event blocks in runs of one leader's each, at most `log.LONGEST_RUN` of them."""
        return self._events.read_runs(after_seq)

    def retire(self, through_seq: int) -> int:
        """Delete the rows all of whose records are at or before `through_seq`; the last row of each log stays. Gives how
        many are gone. The caller knows what is needed: by snapshots, tables and repeats. Blocks; raises `JournalError`.
        """
        through_seq = min(through_seq, self.last_event_seq - 1)
        with self._writing:
            self._check_usable()
        gone = 0
        for log in (self._events, self._commands):
            first = log.first_seq
            while first <= through_seq:
                first = min(first + DELETED_AT_ONCE, through_seq + 1)
                part = first - 1
                gone += self._readers.read(lambda connection, log=log, part=part: log.delete_through(connection, part))  # type: ignore[misc]
        return gone

    def verify(self) -> None:
        """Read everything, and check every checksum, number and link of both hash chains. Raises `JournalError`."""
        for _ in self.read_runs(self.first_seq - 1):
            pass
        for _ in self.read_event_runs(self.first_event_seq - 1):
            pass

    def close(self) -> None:
        """Let another lead. Idempotent."""
        with self._writing:
            self._unusable = self._unusable or "it is closed"
            self._end()
        if self.leadership is not None:
            self.leadership.close()
        self._readers.close()

    def _begin(self) -> None:
        """Read the journal's end, which nobody else can move any more."""
        self._connection = connect(self._url, journal_session(self.venue))
        try:
            for log in (self._commands, self._events):
                log.last_seq, log.chain = log.look(self._connection)
            found = self._connection.execute("SHOW fsync").fetchone()
            self._connection.commit()
        except psycopg.Error as error:
            self._end()
            raise DatabaseFailedError(f"The journal cannot be read: {told(error)}.") from error
        if found is None or found[0] != "on":
            _logger.warning("database_does_not_flush", fsync=found and found[0])

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _check_usable(self) -> None:
        if self._unusable is not None:
            raise JournalError(f"Nothing can be written to the journal: {self._unusable}.")


def _prepared(url: str, venue: int, *, migrate: bool) -> JournalName:
    connection = connect(url, "onseju tables", autocommit=True)
    try:
        return postgres_schema.prepare(connection, venue, migrate=migrate)
    except psycopg.Error as error:
        raise DatabaseFailedError(f"The journal's tables cannot be made: {told(error)}.") from error
    finally:
        connection.close()
