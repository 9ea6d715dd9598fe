"""One log in a table: rows of many records each, the bytes those of a segment file."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Generic, NamedTuple

import psycopg
from psycopg import sql

from onseju.contract.journal_records import FIRST_CHAIN, FRAME, FRAME_BYTES
from onseju.journal.log import LONGEST_RUN
from onseju.journal.port import JournalError, JournalGoneError
from onseju.journal.postgres_connections import Readers
from onseju.journal.runs import Coding, R, Run

ROW_BYTES = 1 << 20
"""A row begins a new one beyond this, so that who wants one record need not read much."""

FIRST_LOOK = 64
"""Records that a reader asks for at first; then `LONGEST_RUN`."""

Row = tuple[int, int, int, bytes, bytes, bytes]
"""first_seq, last_seq, epoch, chain_before, chain, records."""


class Written(NamedTuple):
    """What an append has made: rows, and where the log stands when they are durable."""

    rows: list[Row]
    last_seq: int
    chain: bytes


class TableLog(Generic[R, Run]):
    """A venue's log in `journal.<table>`. `last_seq` is the last record that was seen to be there."""

    def __init__(self, table: str, venue: int, coding: Coding[R, Run], readers: Readers) -> None:
        self.table = f"journal.{table}"
        self.last_seq = 0
        self.chain = FIRST_CHAIN
        self._venue = venue
        self._coding = coding
        self._readers = readers
        name = sql.Identifier("journal", table)
        # what is inserted without the leader's number is nothing: a stale writer's row must not even be in anybody's way
        self._insert = sql.SQL(
            "INSERT INTO {} (venue, first_seq, last_seq, epoch, chain_before, chain, records) "
            "SELECT %s::bigint, %s::bigint, %s::bigint, %s::bigint, %s::bytea, %s::bytea, %s::bytea "
            "WHERE EXISTS (SELECT FROM journal.leader WHERE venue = %s AND epoch = %s)"
        ).format(name)
        self._end = sql.SQL("SELECT last_seq, chain FROM {} WHERE venue = %s ORDER BY first_seq DESC LIMIT 1").format(
            name
        )
        self._begin = sql.SQL(
            "SELECT first_seq, chain_before FROM {} WHERE venue = %s ORDER BY first_seq LIMIT 1"
        ).format(name)
        # one step down the primary key to the row that holds the first wanted record, and on from there
        self._rows = sql.SQL(
            "SELECT first_seq, last_seq, epoch, chain_before, chain, records FROM {0} WHERE venue = %(venue)s "
            "AND first_seq >= (SELECT max(first_seq) FROM {0} WHERE venue = %(venue)s AND first_seq <= %(first)s) "
            "AND first_seq < %(first)s::bigint + %(count)s::bigint AND first_seq <= %(last)s ORDER BY first_seq"
        ).format(name)
        self._delete = sql.SQL("DELETE FROM {} WHERE venue = %s AND last_seq <= %s AND first_seq <= %s").format(name)

    # writing

    def framed(self, records: Sequence[R]) -> Written:
        """The rows of records that follow what is there. Raises `JournalError` where they do not."""
        try:
            runs = self._coding.runs_of(records)
        except ValueError as error:
            raise JournalError(f"Nothing is appended to {self.table}: {error}.") from error
        rows: list[Row] = []
        seq, chain = self.last_seq, self.chain
        for run in runs:
            if run.first_seq != seq + 1:
                raise JournalError(f"Record {run.first_seq} does not follow {seq} in {self.table}.")
            framed = self._coding.frame(run, chain)
            chain = self._cut(rows, run, framed.data, framed.ends, chain)
            seq = run.last_seq
        return Written(rows, seq, chain)

    @staticmethod
    def _cut(rows: list[Row], run: Run, data: bytes, ends: Sequence[int], chain: bytes) -> bytes:
        """Append the run's rows, none of them long."""
        start = begin = 0
        while start < len(ends):
            stop = min(start + LONGEST_RUN, len(ends))
            while stop - start > 1 and ends[stop - 1] - begin > ROW_BYTES:
                stop = (start + stop) // 2
            last_at = ends[stop - 2] if stop > 1 else 0
            after = data[last_at + FRAME_BYTES - len(chain) : last_at + FRAME_BYTES]
            first = run.first_seq + start
            rows.append((first, run.first_seq + stop - 1, run.epoch, chain, after, data[begin : ends[stop - 1]]))
            start, begin, chain = stop, ends[stop - 1], after
        return chain

    def inserted(self, connection: psycopg.Connection, rows: Sequence[Row], epoch: int) -> Iterator[Row]:
        """Insert the rows in the connection's transaction, one after the other, if the leader's number is `epoch`. Raises
        `psycopg.Error`."""
        for row in rows:
            connection.execute(self._insert, (self._venue, *row, self._venue, epoch))
            yield row

    def written(self, done: Written) -> None:
        """The rows are durable: readers may have them."""
        self.chain = done.chain
        self.last_seq = done.last_seq  # last: a reader in another thread goes by it

    # reading

    def look(self, connection: psycopg.Connection) -> tuple[int, bytes]:
        """The last record's number and chain. Raises `psycopg.Error`."""
        found = connection.execute(self._end, (self._venue,)).fetchone()
        return (found[0], found[1]) if found else (0, FIRST_CHAIN)

    @property
    def first_seq(self) -> int:
        """The number of the oldest record that is here; 1 in an empty log."""
        return self._oldest()[0]

    def _oldest(self) -> tuple[int, bytes]:
        found = self._readers.read(lambda connection: connection.execute(self._begin, (self._venue,)).fetchone())
        return (found[0], found[1]) if found else (1, FIRST_CHAIN)

    def delete_through(self, connection: psycopg.Connection, seq: int) -> int:
        """Delete the rows all of whose records are at most `seq`. Gives how many. Raises `psycopg.Error`."""
        return connection.execute(self._delete, (self._venue, seq, seq)).rowcount

    def chain_at(self, seq: int) -> bytes:
        """The chain of a record that is here, or of the one before the first. Raises `JournalError`."""
        first, before = self._oldest()
        if seq == first - 1:
            return before
        if not first <= seq <= self.last_seq:
            raise JournalError(f"Record {seq} is not in {self.table}.")
        for row in self._fetch(seq, seq, 1):
            at = 0
            for _ in range(seq - row[0]):
                at += FRAME.unpack_from(row[5], at)[0]
            return bytes(FRAME.unpack_from(row[5], at)[2])
        raise JournalError(f"Record {seq} is missing in {self.table}.")

    def read_runs(self, after_seq: int) -> Iterator[Run]:
        """The records after `after_seq`, through `last_seq` as it is now: runs of one leader's each, at most `LONGEST_RUN`.

        Raises `JournalError`, then or while iterating, naming the row where the log is damaged.
        """
        through = self.last_seq
        if after_seq >= through:
            return iter(())
        return self._read_runs(max(after_seq, 0) + 1, through)

    def _read_runs(self, wanted: int, through: int) -> Iterator[Run]:
        count = FIRST_LOOK
        chain: bytes | None = None
        while wanted <= through:
            rows = self._fetch(wanted, through, count)
            if not rows or rows[0][0] > wanted or rows[0][1] < wanted:
                first = self.first_seq
                if wanted < first:
                    raise JournalGoneError(f"The records before {first} of {self.table} were deleted.")
                raise JournalError(f"Record {wanted} is missing in {self.table}.")
            self._check_places(rows)
            for group in _groups(rows):
                for run in self._decoded(group, chain):
                    part = run.part(max(wanted - run.first_seq, 0), min(len(run), through - run.first_seq + 1))
                    if len(part):
                        yield part  # type: ignore[misc]  # the part of a run is of its kind
                chain = group[-1][4]
                wanted = group[-1][1] + 1
            count = LONGEST_RUN

    def row_query(self, connection: psycopg.Connection) -> str:
        """The statement that reads rows, for looking at its plan."""
        return self._rows.as_string(connection)

    def _fetch(self, first: int, last: int, count: int) -> list[Row]:
        """The rows that hold records from `first` on, some `count` of them, none after `last`."""
        values = {"venue": self._venue, "first": first, "last": last, "count": count}
        return self._readers.read(lambda connection: connection.execute(self._rows, values, binary=True).fetchall())

    def _check_places(self, rows: Sequence[Row]) -> None:
        """Raise `JournalError` where a row does not go on with the one before it."""
        for (_, last, _, _, chain, _), (first, _, _, before, _, _) in pairwise(rows):
            if first != last + 1:
                raise JournalError(f"Record {last + 1} is missing in {self.table}, or there twice.")
            if before != chain:
                raise self._damaged(first, "the hash chain is broken: it does not follow the row before it")

    def _decoded(self, rows: Sequence[Row], chain: bytes | None) -> Iterator[Run]:
        """The records of rows of one leader that follow each other, checked to the last byte."""
        first, last = rows[0][0], rows[-1][1]
        before = rows[0][3]
        if chain is not None and chain != before:
            raise self._damaged(first, "the hash chain is broken: it does not follow the row before it")
        piece = rows[0][5] if len(rows) == 1 else b"".join([row[5] for row in rows])
        at, seq, chain = 0, first, before
        alone: list[R] = []
        while seq <= last:
            found = self._coding.scan(piece, at, seq, last - seq + 1, chain) if not alone else None
            if found is not None:
                yield found.run
                at, seq, chain = found.ends[-1], seq + len(found.ends), found.chain
                continue
            try:
                length = FRAME.unpack_from(piece, at)[0]
                record, chain = self._coding.decode(memoryview(piece)[at : at + length], chain)
            except (ValueError, struct.error) as error:  # too short, a wrong checksum, text that is not UTF-8
                raise self._damaged(seq, error) from error
            if record.seq != seq:
                raise self._damaged(seq, f"record {record.seq} stands where {seq} belongs")
            alone.append(record)
            at, seq = at + length, seq + 1
        if alone:
            yield from self._coding.runs_of(alone)
        if at != len(piece) or chain != rows[-1][4]:
            raise self._damaged(last, "the row's chain or length is another than its records'")

    def _damaged(self, seq: int, why: object) -> JournalError:
        return JournalError(f"{self.table} is damaged at record {seq}: {why}.")


def _groups(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Rows of one leader that follow each other, at most `LONGEST_RUN` records each."""
    start = 0
    for at in range(1, len(rows) + 1):
        if at == len(rows) or rows[at][2] != rows[start][2] or rows[at][1] - rows[start][0] >= LONGEST_RUN:
            yield rows[start:at]
            start = at
