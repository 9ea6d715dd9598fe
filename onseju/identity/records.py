"""What identity tells about users and keys, and its refusals. None of it carries a secret."""

from __future__ import annotations

import msgspec


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user and the account number allotted to it. `owner` proves to the exchange that the number is this user's."""

    user_id: int
    name: str
    kind: str
    """`user`, `bot` or `admin`."""
    account_id: int
    owner: bytes
    account_ready: bool
    """Whether the exchange has opened the account and it holds what it begins with."""
    created_ts: int
    password_changes: int = 0
    """How often the password was changed: who proved an earlier one gets no session."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key without its secret."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_ts: int
    signed: bool = False
    """Whether it signs requests, instead of showing its secret."""


class IdentityError(Exception):
    """A refusal by identity."""


class DatabaseUnusableError(Exception):
    """The database cannot be opened; the text names the file and says why."""


class DatabaseFullError(Exception):
    """The database's disk is full: nothing of what was asked was written."""


class DatabaseUnavailableError(Exception):
    """The database cannot be used just now: locked by another program, not writable, its disk failing, or damaged; or the
    server that holds it does not answer in time. Of SQLite nothing of what was asked was written. Of a server that was lost
    while it committed nobody knows: whoever asks again finds out."""


class InvalidNameError(IdentityError):
    """The name is not 2 to 32 letters, digits, Korean syllables, or `.`, `_`, `-`."""


class InvalidPasswordError(IdentityError):
    """The password is shorter than 8 characters or longer than 256 bytes."""


class NameTakenError(IdentityError):
    """Another user has the name; upper and lower case count as the same."""


class WrongPasswordError(IdentityError):
    """There is no such user, or the password is not this one."""


class TooManyKeysError(IdentityError):
    """The user has as many keys as one may have."""


class BusyError(IdentityError):
    """Too many passwords are waiting to be checked."""
