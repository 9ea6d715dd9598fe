"""Where the tables of the read side are: a file of SQLite, or a schema of a PostgreSQL database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

SCHEMA = "projections"

_SCHEME = re.compile(r"postgres(?:ql)?(?:\+psycopg)?://")
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


class PostgresTables(NamedTuple):
    """The tables in one schema of a PostgreSQL database."""

    url: str
    """`postgresql://user:password@host:port/database`."""
    schema: str = SCHEMA

    def __str__(self) -> str:
        """For people: without the password."""
        address = _PASSWORD.sub(r"\1@", self.url).partition("?")[0]
        return f"{address}, schema {self.schema}"


class TablesInUseError(Exception):
    """Another projector writes these tables. Nothing was changed."""


Database = Path | str | PostgresTables
"""A file, a PostgreSQL URL (then the schema is `projections`), or a schema of one."""

Place = Path | PostgresTables


def place_of(database: Database) -> Place:
    """The place that is meant. Raises `ValueError` for a text that is no PostgreSQL URL."""
    if isinstance(database, Path | PostgresTables):
        return database
    if _SCHEME.match(database) is None:
        raise ValueError("the address of a PostgreSQL database begins with postgresql://")
    return PostgresTables(_SCHEME.sub("postgresql://", database, count=1))
