"""What identity asks of its database. Every method is one transaction, durable when it returns.

They are the same for a file, where one process is alone, and for PostgreSQL, where many gateways ask at once: so each that
reads in order to write locks first what it reads.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from alembic.util import CommandError

from onseju.identity.database import Database, SqliteDatabase
from onseju.identity.names import name_key
from onseju.identity.records import ApiKey, DatabaseUnusableError, NameTakenError, TooManyKeysError, User
from onseju.identity.tables import api_keys, facts, sessions, users
from onseju.identity.tokens import OWNER_BYTES

P = ParamSpec("P")
T = TypeVar("T")

MAX_SESSIONS_PER_USER = 20
MAX_KEYS_PER_USER = 50
CLEARED_AT_ONCE = 1_000
"""Ended sessions that a log-in clears away."""

_PUBLIC = (
    users.c.user_id,
    users.c.name,
    users.c.kind,
    users.c.account_id,
    users.c.owner,
    users.c.account_ready,
    users.c.created_ts,
    users.c.password_changes,
)


def _user(row: Any) -> User:
    return User(**{column.name: getattr(row, column.name) for column in _PUBLIC})


def transaction(
    work: Callable[Concatenate[Store, sa.Connection, P], T],
) -> Callable[Concatenate[Store, P], T]:
    """Run the method in a transaction, perhaps more than once: what it gives must follow from the last run alone."""

    @functools.wraps(work)
    def run(store: Store, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return store.database.transact(lambda connection: work(store, connection, *args, **kwargs))

    return run


class Store:
    """The tables. Of a file: create it and call it on one thread only."""

    def __init__(self, database: Path | Database) -> None:
        """Open the database and bring its tables to this release. Raises `DatabaseUnusableError`."""
        self.database = SqliteDatabase(database) if isinstance(database, Path) else database
        self._engine = self.database.engine
        try:
            self.database.migrate()
        except (sa.exc.DBAPIError, CommandError) as error:
            self.database.close()
            reason = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            raise DatabaseUnusableError(f"{self.database.where} cannot be used: {reason}.") from error

    def close(self) -> None:
        self.database.close()

    # users

    @transaction
    def add_user(self, connection: sa.Connection, name: str, password_hash: str | None, kind: str, now: int) -> User:
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
        self.database.lock_numbers(connection)
        try:
            return _user(connection.execute(users.insert().values(values).returning(*_PUBLIC)).one())
        except sa.exc.IntegrityError as error:
            if "name_key" not in str(error.orig):  # both databases name what was violated
                raise
            raise NameTakenError from error

    @transaction
    def user(self, connection: sa.Connection, user_id: int) -> User | None:
        row = connection.execute(sa.select(*_PUBLIC).where(users.c.user_id == _big(user_id))).one_or_none()
        return None if row is None else _user(row)

    @transaction
    def user_by_name(self, connection: sa.Connection, name: str) -> tuple[User, str | None] | None:
        """The user and its password's hash."""
        if not _is_text(name):
            return None
        statement = sa.select(*_PUBLIC, users.c.password_hash).where(users.c.name_key == name_key(name))
        row = connection.execute(statement).one_or_none()
        return None if row is None else (_user(row), row.password_hash)

    @transaction
    def list_users(self, connection: sa.Connection, before_user_id: int, limit: int) -> list[User]:
        """Users below an id, the newest first."""
        statement = sa.select(*_PUBLIC).where(users.c.user_id < _big(before_user_id)).order_by(users.c.user_id.desc())
        return [_user(row) for row in connection.execute(statement.limit(limit))]

    @transaction
    def unready_users(self, connection: sa.Connection) -> list[User]:
        """Users who signed up themselves and whose account is not ready, the oldest first."""
        unready = ~users.c.account_ready & users.c.password_hash.is_not(None)
        statement = sa.select(*_PUBLIC).where(unready).order_by(users.c.user_id)
        return [_user(row) for row in connection.execute(statement)]

    @transaction
    def mark_ready(self, connection: sa.Connection, user_id: int) -> None:
        connection.execute(users.update().where(users.c.user_id == user_id).values(account_ready=True))

    @transaction
    def move_account(self, connection: sa.Connection, user_id: int, taken: int, skip: int) -> User:
        """Allot another number, `skip` beyond the highest, if the user still has `taken`. Gives the user as it is now."""
        self.database.lock_numbers(connection)
        highest = sa.select(sa.func.max(users.c.account_id)).scalar_subquery()
        mine = (users.c.user_id == user_id) & (users.c.account_id == taken) & ~users.c.account_ready
        if connection.execute(users.update().where(mine).values(account_id=highest + skip)).rowcount:
            self.database.tell(connection, f"user:{user_id}")
        return _user(connection.execute(sa.select(*_PUBLIC).where(users.c.user_id == user_id)).one())

    @transaction
    def set_password(self, connection: sa.Connection, user_id: int, password_hash: str) -> None:
        """Another password; the user's sessions end."""
        changed = {"password_hash": password_hash, "password_changes": users.c.password_changes + 1}
        connection.execute(users.update().where(users.c.user_id == user_id).values(changed))
        connection.execute(sessions.delete().where(sessions.c.user_id == user_id))
        self.database.tell(connection, f"sessions:{user_id}")

    @transaction
    def renew_hash(self, connection: sa.Connection, user_id: int, password_hash: str, earlier: str) -> None:
        """Another hash of the same password, unless the password was changed meanwhile."""
        same = (users.c.user_id == user_id) & (users.c.password_hash == earlier)
        connection.execute(users.update().where(same).values(password_hash=password_hash))

    # sessions

    @transaction
    def add_session(
        self, connection: sa.Connection, token_hash: bytes, user: User, now: int, expires_ts: int
    ) -> list[bytes] | None:
        """A new session, or None where the user's password was changed since `user` was read. Ended ones are cleared away,
        and of the user's the oldest beyond `MAX_SESSIONS_PER_USER`: these are given."""
        if self._locked(connection, user.user_id).password_changes != user.password_changes:
            return None
        newest = (
            sa.select(sessions.c.token_hash)
            .where(sessions.c.user_id == user.user_id)
            .order_by(sessions.c.created_ts.desc(), sessions.c.token_hash)
            .limit(MAX_SESSIONS_PER_USER - 1)
        )
        too_old = (sessions.c.user_id == user.user_id) & sessions.c.token_hash.not_in(newest)
        cleared = connection.execute(sessions.delete().where(too_old).returning(sessions.c.token_hash))
        ended = list(cleared.scalars())
        # those that another gateway is just clearing away are left to it: else each might wait for the other
        over = sa.select(sessions.c.token_hash).where(sessions.c.expires_ts <= now).limit(CLEARED_AT_ONCE)
        connection.execute(sessions.delete().where(sessions.c.token_hash.in_(over.with_for_update(skip_locked=True))))
        values = {"token_hash": token_hash, "user_id": user.user_id, "created_ts": now, "expires_ts": expires_ts}
        connection.execute(sessions.insert().values(values))
        self.database.tell(connection, *(f"session:{token.hex()}" for token in ended))
        return ended

    @transaction
    def session(self, connection: sa.Connection, token_hash: bytes) -> tuple[User, int] | None:
        """Whose session it is, and when it ends."""
        statement = sa.select(*_PUBLIC, sessions.c.expires_ts).join_from(sessions, users)
        row = connection.execute(statement.where(sessions.c.token_hash == token_hash)).one_or_none()
        return None if row is None else (_user(row), row.expires_ts)

    @transaction
    def end_session(self, connection: sa.Connection, token_hash: bytes) -> None:
        connection.execute(sessions.delete().where(sessions.c.token_hash == token_hash))
        self.database.tell(connection, f"session:{token_hash.hex()}")

    # keys

    @transaction
    def add_key(
        self,
        connection: sa.Connection,
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
        self._locked(connection, user_id)
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
        self.database.tell(connection, *(f"key:{other}" for other in revoked))
        return revoked

    @transaction
    def key(self, connection: sa.Connection, key_id: str) -> tuple[User, bytes, tuple[str, ...], bool] | None:
        """Whose key it is, its secret's hash, its scopes, and whether it signs; None when it is unknown or revoked."""
        if not _is_text(key_id):
            return None
        columns = (*_PUBLIC, api_keys.c.secret_hash, api_keys.c.scopes, api_keys.c.signed)
        statement = sa.select(*columns).join_from(api_keys, users)
        statement = statement.where((api_keys.c.key_id == key_id) & api_keys.c.revoked_ts.is_(None))
        row = connection.execute(statement).one_or_none()
        return None if row is None else (_user(row), row.secret_hash, tuple(row.scopes.split()), row.signed)

    @transaction
    def keys(self, connection: sa.Connection, user_id: int) -> list[ApiKey]:
        """The user's keys, newest first."""
        mine = (api_keys.c.user_id == user_id) & api_keys.c.revoked_ts.is_(None)
        statement = sa.select(api_keys).where(mine).order_by(api_keys.c.created_ts.desc(), api_keys.c.key_id)
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

    @transaction
    def has_signed_keys(self, connection: sa.Connection) -> bool:
        """Whether any key in use signs."""
        in_use = api_keys.c.signed & api_keys.c.revoked_ts.is_(None)
        return connection.execute(sa.select(api_keys.c.key_id).where(in_use).limit(1)).first() is not None

    @transaction
    def revoke_key(self, connection: sa.Connection, user_id: int, key_id: str, now: int) -> bool:
        """Whether the user had such a key."""
        if not _is_text(key_id):
            return False
        mine = (api_keys.c.user_id == user_id) & (api_keys.c.key_id == key_id) & api_keys.c.revoked_ts.is_(None)
        revoked = connection.execute(api_keys.update().where(mine).values(revoked_ts=now)).rowcount == 1
        if revoked:
            self.database.tell(connection, f"key:{key_id}")
        return revoked

    # what all gateways agree on

    @transaction
    def fact(self, connection: sa.Connection, name: str) -> bytes | None:
        """The fact of this name, where there is one."""
        return connection.execute(sa.select(facts.c.content).where(facts.c.name == name)).scalar_one_or_none()

    @transaction
    def add_fact(self, connection: sa.Connection, name: str, content: bytes) -> None:
        """Note the fact. Raises `sqlalchemy.exc.IntegrityError` where another gateway was first."""
        connection.execute(facts.insert().values(name=name, content=content))

    def _locked(self, connection: sa.Connection, user_id: int) -> sa.Row[Any]:
        """The user's row, which nobody else changes until this transaction has ended; nor do its sessions and keys grow."""
        return connection.execute(
            sa.select(users.c.password_changes).where(users.c.user_id == user_id).with_for_update(key_share=True)
        ).one()


def _is_text(text: str) -> bool:
    """PostgreSQL's text holds every character but this one, so nothing is stored under a text that has it."""
    return "\0" not in text


def _big(number: int) -> sa.ColumnElement[int]:
    """A number that may be beyond the column's own range."""
    return sa.literal(number, sa.BigInteger)
