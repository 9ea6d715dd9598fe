"""The port to identity's database, and SQLite behind it: one connection, for one process.

SQLite 3.7.0 to 3.51.2 can corrupt a file in WAL mode when two connections write it. Here there is one connection, and the
rollback journal instead of WAL: identity writes rarely, and must survive a power cut.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.pool import StaticPool

from onseju.identity.records import DatabaseUnusableError

T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_WAIT_S = 1.0
"""How long a transaction waits for another program that holds the file, such as a backup."""


class Database(Protocol):
    """Where the tables are."""

    engine: sa.Engine
    where: str
    """The place as messages name it, without a password."""

    def migrate(self) -> None:
        """Bring the tables to this release."""

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Run the work in a transaction, durable on return. It may be run again where an earlier try was undone."""

    def lock_numbers(self, connection: sa.Connection) -> None:
        """Nobody else allots account numbers until this transaction has ended."""

    def tell(self, connection: sa.Connection, *changes: str) -> None:
        """Let the other gateways hear of the changes, once the transaction is committed."""

    def close(self) -> None:
        """End the connections."""


class SqliteDatabase:
    """A file. Create it and call it on one thread only."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises `DatabaseUnusableError`."""
        self.where = str(path)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # password hashes are nobody else's to read
        except OSError as error:
            raise DatabaseUnusableError(f"{path} cannot be used: {error.strerror}.") from error
        self.engine = sa.create_engine(
            f"sqlite:///file:{quote(str(path.resolve()))}?mode=rw&uri=true",
            poolclass=StaticPool,
            connect_args={"timeout": LOCK_WAIT_S},
            hide_parameters=True,  # an error's text must not carry hashes into the log
        )
        _own_transactions(self.engine)

    def migrate(self) -> None:
        """Bring the tables to this release."""
        with self.engine.begin() as connection:
            upgrade(connection)

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Run the work in a transaction, durable on return."""
        with self.engine.begin() as connection:
            return work(connection)

    def lock_numbers(self, connection: sa.Connection) -> None:
        """Every transaction holds the file's lock from its first statement on."""

    def tell(self, connection: sa.Connection, *changes: str) -> None:
        """There is nobody else."""

    def close(self) -> None:
        """End the connection."""
        self.engine.dispose()


def upgrade(connection: sa.Connection) -> None:
    """Run what is missing of the migrations, inside the connection's transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _own_transactions(engine: sa.Engine) -> None:
    """Let SQLAlchemy begin transactions: the driver begins none before changes of the schema."""

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=DELETE", "synchronous=EXTRA", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
