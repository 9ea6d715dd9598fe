"""Identity: users, sessions and API keys, in a database of its own that is committed before it answers."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import sqlalchemy as sa
import structlog
from argon2 import PasswordHasher

from onseju.identity.cache import Cache, SharedCache
from onseju.identity.failures import is_disk_full, is_unavailable
from onseju.identity.master import FILE_NAME, SigningMaster
from onseju.identity.names import KEY_NAME_LETTERS, checked_name, checked_password, composed_password
from onseju.identity.passwords import HASHER, Passwords
from onseju.identity.principal import ADMIN, READ, SCOPES, TRADE, Principal
from onseju.identity.records import (
    ApiKey,
    DatabaseFullError,
    DatabaseUnavailableError,
    InvalidNameError,
    NameTakenError,
    User,
    WrongPasswordError,
)
from onseju.identity.store import Store
from onseju.identity.tokens import csrf_token, digest, new_key_id, new_token

if TYPE_CHECKING:
    from onseju.identity.changes import ChangeListener
    from onseju.identity.gateways import Gateways

T = TypeVar("T")

log = structlog.get_logger(__name__)

MAX_WAITING = 1_000
"""Transactions that may wait for their turn; more at once are refused: while another program holds the file, each takes
`LOCK_WAIT_S`."""
CACHED_KEYS = 20_000
CACHED_SESSIONS = 20_000
CACHED_STRANGERS = 10_000
"""Session secrets that are nobody's. None of them can become somebody's later: all are random."""
CACHE_S = 2.0
"""How long a gateway trusts what it read of a database that others change, while it cannot hear of their changes."""
KINDS = ("user", "bot", "admin")


def now_us() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


def scopes_of(kind: str) -> frozenset[str]:
    """What users of a kind may do; their keys may do this at most."""
    return frozenset(SCOPES) if kind == ADMIN else frozenset((READ, TRADE))


class LogIn(NamedTuple):
    """A new session. `token` is the cookie's secret; both tokens are given only here."""

    user: User
    token: str
    csrf_token: str
    expires_ts: int
    scopes: list[str]


class _Key(NamedTuple):
    secret_hash: bytes
    principal: Principal
    signed: bool


class _Session(NamedTuple):
    expires_ts: int
    principal: Principal


class IdentityService:
    """One process's way to identity's database: the only one to a file, one of many to a PostgreSQL. Its methods belong to
    one event loop."""

    def __init__(
        self,
        database: Path | str,
        *,
        session_hours: int,
        clock: Callable[[], int],
        hasher: PasswordHasher,
        signing: Path | str | None,
        cache_s: float,
    ) -> None:
        self._clock = clock
        self._session_us = session_hours * 3600 * 1_000_000
        self.shared: Gateways | None = None
        """What counts once for all gateways; None where this process is alone."""
        self._answer_s: float | None = None
        if isinstance(database, Path):
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="identity")
            try:
                self._store = self._thread.submit(Store, database).result()
                self._master = self._own_master(signing or database.with_name(FILE_NAME))
            except BaseException:
                self._thread.shutdown()
                raise
            self._keys: Cache[str, _Key] = Cache(CACHED_KEYS)
            self._sessions: Cache[bytes, _Session] = Cache(CACHED_SESSIONS)
        else:
            from onseju.identity import gateways  # needs the driver, which a process alone does not have

            if signing is None:
                raise ValueError("gateways that share a database need the signing key's file, or its text")
            self.shared = gateways.Gateways(database, self._run, cache_s=cache_s)
            self._store, self._thread = self.shared.store, self.shared.threads
            try:
                self._master = self.shared.master(signing)
            except BaseException:
                self.shared.close()
                raise
            self._answer_s = gateways.ANSWER_S
            heard = partial(self._heard, self.shared.listener)
            self._keys = SharedCache(CACHED_KEYS, heard, cache_s)
            self._sessions = SharedCache(CACHED_SESSIONS, heard, cache_s)
            self.shared.listener.start()
        self._passwords = Passwords(hasher)
        self._strangers: Cache[bytes, bool] = Cache(CACHED_STRANGERS)
        self._waiting = 0
        self._available = True
        """What the last transaction found: told to the log when it changes, not at each request."""
        self._closed = False

    @classmethod
    def open(
        cls,
        database: Path | str,
        *,
        session_hours: int = 24 * 7,
        clock: Callable[[], int] = now_us,
        hasher: PasswordHasher = HASHER,
        signing: Path | str | None = None,
        cache_s: float = CACHE_S,
    ) -> IdentityService:
        """Open the database, a file or a `postgresql://` URL, and bring its tables to this release. Blocking. `clock` gives
        microseconds since 1970.

        `signing`: the master of the signing secrets, as a file or as hex digits; by default `signing.key` beside a file. It
        must be the same for all gateways. `cache_s`: how long a gateway that cannot hear of changes trusts what it read.

        Raises `DatabaseUnusableError`.
        """
        return cls(database, session_hours=session_hours, clock=clock, hasher=hasher, signing=signing, cache_s=cache_s)

    def _own_master(self, source: Path | str) -> SigningMaster:
        is_missing = isinstance(source, Path) and not source.exists()
        if is_missing and self._thread.submit(self._store.has_signed_keys).result():
            log.warning("signing_key_missing", file=str(source), why="signed keys that were made with it open nothing")
        return SigningMaster(source)

    async def close(self) -> None:
        """Finish what is under way and close the database. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self.shared is not None:
            await asyncio.to_thread(self.shared.close)
            await asyncio.to_thread(self._passwords.close)
            return
        await asyncio.get_running_loop().run_in_executor(self._thread, self._store.close)
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.to_thread(self._passwords.close)

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        if self._waiting >= MAX_WAITING:
            raise DatabaseUnavailableError
        self._waiting += 1
        try:
            asked = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
            done = await (asked if self._answer_s is None else asyncio.wait_for(asked, self._answer_s))
        except TimeoutError:
            if self._available:
                log.error("identity_unavailable", why=f"no answer within {self._answer_s} s")
            self._available = False
            raise DatabaseUnavailableError from None
        except sa.exc.DBAPIError as error:
            if is_disk_full(error):
                raise DatabaseFullError from error
            if not is_unavailable(error):
                raise
            if self._available:
                log.error("identity_unavailable", why=str(error.orig))
            self._available = False
            raise DatabaseUnavailableError from error
        finally:
            self._waiting -= 1
        if not self._available:
            log.info("identity_available")
        self._available = True
        return done

    # users

    async def sign_up(self, name: str, password: str) -> User:
        """A new user with an account number, its account not yet opened.

        Raises `InvalidNameError`, `InvalidPasswordError`, `NameTakenError` or `BusyError`.
        """
        return await self.create_user(name, "user", checked_password(password))

    async def create_user(self, name: str, kind: str = "user", password: str | None = None) -> User:
        """A new user of a kind; without a password it cannot log in. Raises as `sign_up`."""
        if kind not in KINDS:
            raise ValueError(f"kind {kind!r} is none of {KINDS}")
        name = checked_name(name)
        secret = None if password is None else checked_password(password)
        if await self.user_by_name(name) is not None:
            raise NameTakenError  # before the slow hash; the table's unique index decides
        hashed = None if secret is None else await self._passwords.hash(secret)
        return await self._run(self._store.add_user, name, hashed, kind, self._clock())

    async def ensure_user(self, name: str, kind: str = "user", password: str | None = None) -> User:
        """The user of this name, made if it does not exist. An existing one's kind and password stay."""
        user = await self.user_by_name(name)
        if user is not None:
            return user
        try:
            return await self.create_user(name, kind, password)
        except NameTakenError:
            user = await self.user_by_name(name)
            if user is None:
                raise
            return user

    async def user(self, user_id: int) -> User | None:
        """The user of this number."""
        return await self._run(self._store.user, user_id)

    async def user_by_name(self, name: str) -> User | None:
        """The user of this name, whatever its case."""
        found = await self._run(self._store.user_by_name, name)
        return None if found is None else found[0]

    async def list_users(self, before_user_id: int = 2**31, limit: int = 100) -> list[User]:
        """Users below a number, the newest first."""
        return await self._run(self._store.list_users, before_user_id, limit)

    async def unready_users(self) -> list[User]:
        """Users who signed up themselves and whose account is not ready, the oldest first."""
        return await self._run(self._store.unready_users)

    async def mark_account_ready(self, user_id: int) -> None:
        """The exchange has opened the user's account, and it holds what it begins with."""
        await self._run(self._store.mark_ready, user_id)

    async def move_account(self, user_id: int, taken: int, skip: int = 1) -> User:
        """The exchange says that the number `taken` is somebody else's: allot another one, `skip` beyond the highest."""
        user = await self._run(self._store.move_account, user_id, taken, skip)
        self._forget(user_id)
        return user

    async def set_password(self, user_id: int, password: str) -> None:
        """Give the user another password and end its sessions. Raises `InvalidPasswordError` or `BusyError`."""
        hashed = await self._passwords.hash(checked_password(password))
        await self._run(self._store.set_password, user_id, hashed)
        self._forget_sessions(user_id)

    # sessions

    async def check_password(self, name: str, password: str) -> User:
        """The user of this name and password. Takes as long for a name that does not exist.

        Raises `WrongPasswordError` or `BusyError`.
        """
        found = await self._run(self._store.user_by_name, name[:64])
        user, stored = found if found is not None else (None, None)
        secret = composed_password(password)
        if not await self._passwords.check(stored, secret) or user is None or stored is None:
            raise WrongPasswordError
        if self._passwords.is_outdated(stored):
            renewed = await self._passwords.hash(secret)
            await self._run(self._store.renew_hash, user.user_id, renewed, stored)
        return user

    async def log_in(self, name: str, password: str) -> LogIn:
        """A new session. Raises as `check_password`."""
        return await self.start_session(await self.check_password(name, password))

    async def start_session(self, user: User) -> LogIn:
        """A session for a user who has proved who it is. Raises `WrongPasswordError` where the password was changed since."""
        token = new_token()
        mark = self._sessions.mark()
        now = self._clock()
        expires_ts = now + self._session_us
        ended = await self._run(self._store.add_session, digest(token), user, now, expires_ts)
        if ended is None:
            raise WrongPasswordError
        for other in ended:
            self._sessions.drop(other)
        allowed = scopes_of(user.kind)
        self._sessions.put(digest(token), _Session(expires_ts, _principal(user, allowed, "session")), mark)
        return LogIn(user, token, csrf_token(token), expires_ts, [scope for scope in SCOPES if scope in allowed])

    def remembers_session(self, token: str) -> bool:
        """Whether `session` can answer from memory."""
        hashed = digest(token)
        return self._sessions.get(hashed) is not None or self._strangers.get(hashed) is not None

    async def session(self, token: str) -> Principal | None:
        """Whose session a cookie's secret is; None when there is none or it has ended."""
        hashed = digest(token)
        session = self._sessions.get(hashed)
        if session is None:
            if self._strangers.get(hashed):
                return None
            mark = self._sessions.mark()
            found = await self._run(self._store.session, hashed)
            if found is None:
                self._strangers.put(hashed, True)
                return None
            user, expires_ts = found
            session = _Session(expires_ts, _principal(user, scopes_of(user.kind), "session"))
            self._sessions.put(hashed, session, mark)
        if session.expires_ts <= self._clock():
            self._sessions.drop(hashed)
            return None
        return session.principal

    async def log_out(self, token: str) -> None:
        """End a session. Idempotent."""
        hashed = digest(token)
        await self._run(self._store.end_session, hashed)
        self._sessions.drop(hashed)

    # keys

    async def create_key(
        self, user_id: int, name: str, scopes: Collection[str], *, replace: bool = False, signed: bool = False
    ) -> str:
        """A new API key as `KEY.SECRET`, which is given only here. `replace` revokes the user's others of this name. A
        `signed` key signs requests; as a bearer key it opens nothing.

        Raises `InvalidNameError` for an empty or long name, `ValueError` for a scope that the user does not have,
        `KeyError` for an unknown user, `TooManyKeysError`.
        """
        if not name.strip() or len(name) > KEY_NAME_LETTERS or not name.isprintable():
            raise InvalidNameError
        user = await self.user(user_id)
        if user is None:
            raise KeyError(user_id)
        if not scopes or not set(scopes) <= scopes_of(user.kind):
            raise ValueError("a key's scopes are some of its user's")
        key_id = new_key_id()
        secret = self._master.secret_of(key_id) if signed else new_token()
        ordered = " ".join(scope for scope in SCOPES if scope in scopes)
        revoked = await self._run(
            lambda: self._store.add_key(
                key_id, digest(secret), user_id, name, ordered, self._clock(), replace=replace, signed=signed
            )
        )
        for other in revoked:
            self._keys.drop(other)
        return f"{key_id}.{secret}"

    async def list_keys(self, user_id: int) -> list[ApiKey]:
        """The user's keys, newest first."""
        return await self._run(self._store.keys, user_id)

    async def delete_key(self, user_id: int, key_id: str) -> bool:
        """Revoke a key, at once. False where the user has no such key."""
        deleted = await self._run(self._store.revoke_key, user_id, key_id, self._clock())
        if deleted:
            self._keys.drop(key_id)
        return deleted

    def cached_key(self, bearer: str) -> Principal | None:
        """As `key`, from memory only: None also says that the database has to be asked."""
        key_id, _, secret = bearer.partition(".")
        key = self._keys.get(key_id)
        return None if key is None else _opened(key, secret)

    async def key(self, bearer: str) -> Principal | None:
        """Whose key `KEY.SECRET` is; None when it is unknown, revoked, or its secret is another."""
        key_id, _, secret = bearer.partition(".")
        key = await self._key(key_id)
        return None if key is None else _opened(key, secret)

    async def signer(self, key_id: str) -> tuple[Principal, str] | None:
        """Whose signed key this is, and its secret; None when it is unknown, revoked, or a bearer key."""
        key = await self._key(key_id)
        return None if key is None or not key.signed else (key.principal, self._master.secret_of(key_id))

    async def _key(self, key_id: str) -> _Key | None:
        key = self._keys.get(key_id)
        if key is None:
            mark = self._keys.mark()
            found = await self._run(self._store.key, key_id)
            if found is None:
                return None
            user, secret_hash, scopes, signed = found
            via = "signed" if signed else "key"
            key = _Key(secret_hash, _principal(user, frozenset(scopes) & scopes_of(user.kind), via), signed)
            self._keys.put(key_id, key, mark)
        return key

    # what others change

    def _forget(self, user_id: int) -> None:
        self._keys.drop_where(lambda key: key.principal.user_id == user_id)
        self._forget_sessions(user_id)

    def _forget_sessions(self, user_id: int) -> None:
        self._sessions.drop_where(lambda session: session.principal.user_id == user_id)

    def _heard(self, listener: ChangeListener) -> float:
        """Forget what other gateways have changed. Gives the moment up to which nothing is missing."""
        heard_s, changes = listener.take()
        for change in changes:
            kind, _, which = change.partition(":")
            if kind == "key":
                self._keys.drop(which)
            elif kind == "session":
                self._sessions.drop(bytes.fromhex(which))
            elif kind == "sessions":
                self._forget_sessions(int(which))
            elif kind == "user":
                self._forget(int(which))
            else:  # all that may have been missed, or what only a later release knows
                self._keys.drop_where(lambda _: True)
                self._sessions.drop_where(lambda _: True)
        return heard_s


def _opened(key: _Key, secret: str) -> Principal | None:
    matches = hmac.compare_digest(key.secret_hash, digest(secret))
    return key.principal if matches and not key.signed else None


def _principal(user: User, scopes: frozenset[str], via: str) -> Principal:
    return Principal(user_id=user.user_id, account_id=user.account_id, scopes=scopes, via=via, name=user.name)
