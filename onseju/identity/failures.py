"""What an error of the database means: no room, not to be used just now, or a mistake of this program."""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa

_SQLITE_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""What is the file's, its disk's or another program's fault. Other errors are this program's."""

_POSTGRES_FULL = "53100"
_POSTGRES_REPEAT = frozenset({"40001", "40P01"})
"""Serialization failure, deadlock: the transaction is undone, and may be tried again."""
_POSTGRES_UNAVAILABLE = ("08", "28", "40", "53", "57", "58", "XX", "3D000", "25006", "25P03", "42501", "55P03")
"""Classes and codes of PostgreSQL's Appendix A that are the server's, the network's or the host's fault: connections, log-in,
rollbacks, resources, shutting down or a time-out, disks, damage, no such database, a standby that only reads, a transaction
that stood idle, no permission, a lock that was not to be had."""


def is_disk_full(error: sa.exc.DBAPIError) -> bool:
    """Whether the database had no room: then nothing of the transaction was written."""
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error) == sqlite3.SQLITE_FULL
    return _state(error) == _POSTGRES_FULL


def is_unavailable(error: sa.exc.DBAPIError) -> bool:
    """Whether the database cannot be used just now, through no fault of the program's."""
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error) in _SQLITE_UNAVAILABLE
    return is_lost(error) or _state(error).startswith(_POSTGRES_UNAVAILABLE)


def is_lost(error: sa.exc.DBAPIError) -> bool:
    """Whether the connection to the server is gone, or could not be made: nobody could say why any more."""
    return error.connection_invalidated or (not _state(error) and isinstance(error, sa.exc.OperationalError))


def may_repeat(error: sa.exc.DBAPIError) -> bool:
    """Whether the same transaction may succeed at once: it was undone for another's sake, or its connection was an old one.

    Not to be asked of an error in a commit, whose outcome is unknown.
    """
    return _state(error) in _POSTGRES_REPEAT or is_lost(error)


def _sqlite_code(error: sa.exc.DBAPIError) -> int:
    """SQLite's error code without its extension."""
    return int(getattr(error.orig, "sqlite_errorcode", 0)) & 0xFF


def _state(error: sa.exc.DBAPIError) -> str:
    """PostgreSQL's five letters; empty where the server has said nothing."""
    return getattr(error.orig, "sqlstate", None) or ""
