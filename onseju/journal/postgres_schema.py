"""The journal's tables in PostgreSQL, and what brings them to this release's form.

    journal.version    the number of the last migration that ran
    journal.journals   each venue's journal and its name
    journal.leader     each venue's leader: his number, `epoch`, fences every append
    journal.commands   the journal: many records a row
    journal.events     the event log: many blocks a row

A row of the two logs holds records that follow each other, of one leader, as the bytes of `contract.journal_records`: the
same that stand in a segment file. The columns beside them are for finding and for looking.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import psycopg
from psycopg.types.numeric import Int4

from onseju.journal.port import JournalError
from onseju.journal.segment import JOURNAL_ID_CHARS

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

LOCKS = 0x4F4E534A
"""The class of the leaders' advisory locks, "ONSJ"; the second key is the venue. One class on is the lock of who makes or
changes tables."""

_LOG = """
CREATE TABLE journal.{name} (
    venue bigint NOT NULL,
    first_seq bigint NOT NULL CHECK (first_seq > 0),
    last_seq bigint NOT NULL CHECK (last_seq >= first_seq),
    epoch bigint NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    chain_before bytea NOT NULL,
    chain bytea NOT NULL,
    records bytea NOT NULL,
    PRIMARY KEY (venue, first_seq)
);
-- the bytes are written once and read as a whole: compressing them costs the writer more than it saves
ALTER TABLE journal.{name} ALTER COLUMN records SET STORAGE EXTERNAL;
"""

MIGRATIONS = (
    """
    CREATE TABLE journal.journals (
        venue bigint PRIMARY KEY,
        journal_id text NOT NULL,
        made_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE TABLE journal.leader (
        venue bigint PRIMARY KEY REFERENCES journal.journals,
        epoch bigint NOT NULL,
        holder text NOT NULL,
        since timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    """
    + _LOG.format(name="commands")
    + _LOG.format(name="events"),
)
"""Each runs once, in its transaction. Released ones are never changed."""


class NoJournalError(JournalError):
    """The database has no tables of a journal."""


class JournalName(NamedTuple):
    """Which journal it is."""

    venue: int
    journal_id: str


def prepare(connection: psycopg.Connection, venue: int, *, migrate: bool) -> JournalName:
    """Make the tables and the venue's journal where there are none, in one transaction; with `migrate` bring older tables to
    this form. Several may do it at once. Raises `JournalError` for tables of a newer release; `psycopg.Error`.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (Int4(LOCKS + 1), Int4(0)))
        version = _version(connection)
        if version == 0:
            connection.execute("CREATE SCHEMA IF NOT EXISTS journal")
            connection.execute("CREATE TABLE journal.version (number integer NOT NULL)")
            connection.execute("INSERT INTO journal.version VALUES (0)")
        check_version(version)
        if version < len(MIGRATIONS) and (migrate or version == 0):
            for migration in MIGRATIONS[version:]:
                connection.execute(migration.encode())
            connection.execute("UPDATE journal.version SET number = %s", (len(MIGRATIONS),))
        connection.execute(
            "INSERT INTO journal.journals (venue, journal_id) VALUES (%s, %s) ON CONFLICT (venue) DO NOTHING",
            (venue, "".join(secrets.choice(_ALPHABET) for _ in range(JOURNAL_ID_CHARS))),
        )
        connection.execute("INSERT INTO journal.leader VALUES (%s, 0, '') ON CONFLICT (venue) DO NOTHING", (venue,))
        return _name(connection, venue)


def look_up(connection: psycopg.Connection, venue: int) -> JournalName:
    """The venue's journal. Changes nothing. Raises `JournalError` where there is none; `psycopg.Error`."""
    version = _version(connection)
    check_version(version)
    if version == 0:
        raise NoJournalError("There is no journal in this database.")
    return _name(connection, venue)


def _version(connection: psycopg.Connection) -> int:
    (there,) = connection.execute("SELECT to_regclass('journal.version') IS NOT NULL").fetchone() or (False,)
    if not there:
        return 0
    found = connection.execute("SELECT number FROM journal.version").fetchone()
    return int(found[0]) if found else 0


def check_version(version: int) -> None:
    """Raise `JournalError` for what a newer release has made."""
    if version > len(MIGRATIONS):
        raise JournalError(
            f"The journal's tables are of form {version}, made by a newer release; this one reads through "
            f"{len(MIGRATIONS)}. Start that release, or put back a backup from before it."
        )


def _name(connection: psycopg.Connection, venue: int) -> JournalName:
    found = connection.execute("SELECT journal_id FROM journal.journals WHERE venue = %s", (venue,)).fetchone()
    if found is None:
        raise JournalError(f"There is no journal of venue {venue} in this database.")
    return JournalName(venue, found[0])
