"""What a user may be called, and what a password may be."""

from __future__ import annotations

import re
import unicodedata

from onseju.identity.records import InvalidNameError, InvalidPasswordError

NAME = re.compile(r"[A-Za-z0-9가-힣._-]{2,32}")
KEY_NAME_LETTERS = 64
MIN_PASSWORD_LETTERS = 8
MAX_PASSWORD_BYTES = 256


def checked_name(name: str) -> str:
    """The name in its composed form (NFC: some systems send 가 as two letters). Raises `InvalidNameError`."""
    composed = unicodedata.normalize("NFC", name)
    if NAME.fullmatch(composed) is None:
        raise InvalidNameError
    return composed


def name_key(name: str) -> str:
    """Equal for names that differ only in case."""
    return unicodedata.normalize("NFC", name).casefold()


def checked_password(password: str) -> str:
    """The password in its composed form (RFC 8265), so that every keyboard gives the same. Raises `InvalidPasswordError`."""
    composed = composed_password(password)
    if len(composed) < MIN_PASSWORD_LETTERS or len(composed.encode()) > MAX_PASSWORD_BYTES:
        raise InvalidPasswordError
    return composed


def composed_password(password: str) -> str:
    """The form in which a password is hashed. One that is far too long comes back cut: it can match no stored one."""
    return unicodedata.normalize("NFC", password[: MAX_PASSWORD_BYTES + 1])
