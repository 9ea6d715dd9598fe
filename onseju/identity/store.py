"""The database, on the one thread that may touch it. Every method is one transaction, durable when it returns.

SQLite 3.7.0 to 3.51.2 can corrupt a file in WAL mode when two connections write it. Here there is one connection, and the
rollback journal instead of WAL: identity writes rarely, and must survive a power cut.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.pool import StaticPool

from onseju.identity.names import name_key
from onseju.identity.records import ApiKey, DatabaseUnusableError, NameTakenError, TooManyKeysError, User
from onseju.identity.tables import api_keys, sessions, users
from onseju.identity.tokens import OWNER_BYTES

MIGRATIONS = Path(__file__).parent / "migrations"
MAX_SESSIONS_PER_USER = 20
MAX_KEYS_PER_USER = 50
LOCK_WAIT_S = 1.0
"""How long a transaction waits for another program that holds the file, such as a backup."""

_UNAVAILABLE = frozenset(
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

_PUBLIC = (
    users.c.user_id,
    users.c.name,
    users.c.kind,
    users.c.account_id,
    users.c.owner,
    users.c.account_ready,
    users.c.created_ts,
)


def _user(row: Any) -> User:
    return User(**{column.name: getattr(row, column.name) for column in _PUBLIC})


class Store:
    """One connection. Create it and call it on one thread only."""

    def __init__(self, database: Path) -> None:
        """Open the database and bring its tables to this release. Raises `DatabaseUnusableError`."""
        try:
            os.close(os.open(database, os.O_CREAT | os.O_RDWR, 0o600))  # password hashes are nobody else's to read
        except OSError as error:
            raise DatabaseUnusableError(f"{database} cannot be used: {error.strerror}.") from error
        self._engine = sa.create_engine(
            f"sqlite:///file:{quote(str(database.resolve()))}?mode=rw&uri=true",
            poolclass=StaticPool,
            connect_args={"timeout": LOCK_WAIT_S},
            hide_parameters=True,  # an error's text must not carry hashes into the log
        )
        _own_transactions(self._engine)
        try:
            with self._engine.begin() as connection:
                config = Config()
                config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except (sa.exc.DatabaseError, CommandError) as error:
            self._engine.dispose()
            reason = error.orig if isinstance(error, sa.exc.DatabaseError) else error
            raise DatabaseUnusableError(f"{database} cannot be used: {reason}.") from error

    def close(self) -> None:
        self._engine.dispose()

    # users

    def add_user(self, name: str, password_hash: str | None, kind: str, now: int) -> User:
        """A new user with the next account number. Raises `NameTakenError`."""
        values = {
            "name": name,
            "name_key": name_key(name),
            "password_hash": password_hash,
            "kind": kind,
            "account_id": sa.select(sa.func.coalesce(sa.func.max(users.c.account_id), 0) + 1).scalar_subquery(),
            "owner": secrets.token_bytes(OWNER_BYTES),
            "account_ready": False,
            "created_ts": now,
        }
        try:
            with self._engine.begin() as connection:
                return _user(connection.execute(users.insert().values(values).returning(*_PUBLIC)).one())
        except sa.exc.IntegrityError as error:
            raise NameTakenError from error

    def user(self, user_id: int) -> User | None:
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(*_PUBLIC).where(users.c.user_id == user_id)).one_or_none()
        return None if row is None else _user(row)

    def user_by_name(self, name: str) -> tuple[User, str | None] | None:
        """The user and its password's hash."""
        with self._engine.begin() as connection:
            statement = sa.select(*_PUBLIC, users.c.password_hash).where(users.c.name_key == name_key(name))
            row = connection.execute(statement).one_or_none()
        return None if row is None else (_user(row), row.password_hash)

    def list_users(self, before_user_id: int, limit: int) -> list[User]:
        """Users below an id, the newest first."""
        with self._engine.begin() as connection:
            statement = sa.select(*_PUBLIC).where(users.c.user_id < before_user_id).order_by(users.c.user_id.desc())
            return [_user(row) for row in connection.execute(statement.limit(limit))]

    def unready_users(self) -> list[User]:
        """Users who signed up themselves and whose account is not ready, the oldest first."""
        unready = ~users.c.account_ready & users.c.password_hash.is_not(None)
        with self._engine.begin() as connection:
            statement = sa.select(*_PUBLIC).where(unready).order_by(users.c.user_id)
            return [_user(row) for row in connection.execute(statement)]

    def mark_ready(self, user_id: int) -> None:
        with self._engine.begin() as connection:
            connection.execute(users.update().where(users.c.user_id == user_id).values(account_ready=True))

    def move_account(self, user_id: int, taken: int, skip: int) -> User:
        """Allot another number, `skip` beyond the highest, if the user still has `taken`. Gives the user as it is now."""
        highest = sa.select(sa.func.max(users.c.account_id)).scalar_subquery()
        with self._engine.begin() as connection:
            mine = (users.c.user_id == user_id) & (users.c.account_id == taken) & ~users.c.account_ready
            connection.execute(users.update().where(mine).values(account_id=highest + skip))
            return _user(connection.execute(sa.select(*_PUBLIC).where(users.c.user_id == user_id)).one())

    def set_password(self, user_id: int, password_hash: str, *, end_sessions: bool) -> None:
        with self._engine.begin() as connection:
            connection.execute(users.update().where(users.c.user_id == user_id).values(password_hash=password_hash))
            if end_sessions:
                connection.execute(sessions.delete().where(sessions.c.user_id == user_id))

    # sessions

    def add_session(self, token_hash: bytes, user_id: int, now: int, expires_ts: int) -> list[bytes]:
        """A new session. Ended ones are cleared away, and of the user's the oldest beyond `MAX_SESSIONS_PER_USER`: they
        are given."""
        newest = (
            sa.select(sessions.c.token_hash)
            .where(sessions.c.user_id == user_id)
            .order_by(sessions.c.created_ts.desc(), sessions.c.token_hash)
            .limit(MAX_SESSIONS_PER_USER - 1)
        )
        with self._engine.begin() as connection:
            too_old = (sessions.c.user_id == user_id) & sessions.c.token_hash.not_in(newest)
            cleared = sessions.delete().where((sessions.c.expires_ts <= now) | too_old)
            ended = list(connection.execute(cleared.returning(sessions.c.token_hash)).scalars())
            values = {"token_hash": token_hash, "user_id": user_id, "created_ts": now, "expires_ts": expires_ts}
            connection.execute(sessions.insert().values(values))
        return ended

    def session(self, token_hash: bytes) -> tuple[User, int] | None:
        """Whose session it is, and when it ends."""
        with self._engine.begin() as connection:
            statement = sa.select(*_PUBLIC, sessions.c.expires_ts).join_from(sessions, users)
            row = connection.execute(statement.where(sessions.c.token_hash == token_hash)).one_or_none()
        return None if row is None else (_user(row), row.expires_ts)

    def end_session(self, token_hash: bytes) -> None:
        with self._engine.begin() as connection:
            connection.execute(sessions.delete().where(sessions.c.token_hash == token_hash))

    # keys

    def add_key(
        self,
        key_id: str,
        secret_hash: bytes,
        user_id: int,
        name: str,
        scopes: str,
        now: int,
        *,
        replace: bool,
        signed: bool = False,
    ) -> list[str]:
        """A new key. `replace` revokes the user's others of this name: their ids are given. Raises `TooManyKeysError`."""
        mine = (api_keys.c.user_id == user_id) & api_keys.c.revoked_ts.is_(None)
        with self._engine.begin() as connection:
            revoked = []
            if replace:
                statement = api_keys.update().where(mine & (api_keys.c.name == name)).values(revoked_ts=now)
                revoked = list(connection.execute(statement.returning(api_keys.c.key_id)).scalars())
            count = connection.execute(sa.select(sa.func.count()).select_from(api_keys).where(mine)).scalar_one()
            if count >= MAX_KEYS_PER_USER:
                raise TooManyKeysError
            values = {
                "key_id": key_id,
                "secret_hash": secret_hash,
                "user_id": user_id,
                "name": name,
                "scopes": scopes,
                "created_ts": now,
                "signed": signed,
            }
            connection.execute(api_keys.insert().values(values))
        return revoked

    def key(self, key_id: str) -> tuple[User, bytes, tuple[str, ...], bool] | None:
        """Whose key it is, its secret's hash, its scopes, and whether it signs; None when it is unknown or revoked."""
        with self._engine.begin() as connection:
            columns = (*_PUBLIC, api_keys.c.secret_hash, api_keys.c.scopes, api_keys.c.signed)
            statement = sa.select(*columns).join_from(api_keys, users)
            statement = statement.where((api_keys.c.key_id == key_id) & api_keys.c.revoked_ts.is_(None))
            row = connection.execute(statement).one_or_none()
        return None if row is None else (_user(row), row.secret_hash, tuple(row.scopes.split()), row.signed)

    def keys(self, user_id: int) -> list[ApiKey]:
        """The user's keys, newest first."""
        mine = (api_keys.c.user_id == user_id) & api_keys.c.revoked_ts.is_(None)
        statement = sa.select(api_keys).where(mine).order_by(api_keys.c.created_ts.desc(), api_keys.c.key_id)
        with self._engine.begin() as connection:
            return [
                ApiKey(
                    key_id=row.key_id,
                    name=row.name,
                    scopes=tuple(row.scopes.split()),
                    created_ts=row.created_ts,
                    signed=row.signed,
                )
                for row in connection.execute(statement)
            ]

    def has_signed_keys(self) -> bool:
        """Whether any key in use signs."""
        in_use = api_keys.c.signed & api_keys.c.revoked_ts.is_(None)
        with self._engine.begin() as connection:
            return connection.execute(sa.select(api_keys.c.key_id).where(in_use).limit(1)).first() is not None

    def revoke_key(self, user_id: int, key_id: str, now: int) -> bool:
        """Whether the user had such a key."""
        with self._engine.begin() as connection:
            mine = (api_keys.c.user_id == user_id) & (api_keys.c.key_id == key_id) & api_keys.c.revoked_ts.is_(None)
            return connection.execute(api_keys.update().where(mine).values(revoked_ts=now)).rowcount == 1


def is_disk_full(error: sa.exc.DatabaseError) -> bool:
    """Whether the database had no room: then nothing of the transaction was written."""
    return _code(error) == sqlite3.SQLITE_FULL


def is_unavailable(error: sa.exc.DatabaseError) -> bool:
    """Whether the file cannot be used just now, through no fault of the program's."""
    return _code(error) in _UNAVAILABLE


def _code(error: sa.exc.DatabaseError) -> int:
    """SQLite's error code without its extension."""
    return int(getattr(error.orig, "sqlite_errorcode", 0)) & 0xFF


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
