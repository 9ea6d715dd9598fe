"""Signing secrets, derived from one master secret and each key's id: the database holds none of them, not even encrypted.

To check a signature the server must know the secret itself, so a hash is not enough. Who reads the database alone (a copy, a
backup of one file) learns no secret; who also has the master's file can sign for every signed key.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from onseju.identity.records import DatabaseUnusableError

FILE_NAME = "signing.key"
MASTER_BYTES = 32


class SigningMaster:
    """The master secret: a file of its own beside the database (mode 0600), made at the first start, or a setting."""

    def __init__(self, source: Path | str) -> None:
        """Load the file, or make it; or take the setting's text, `MASTER_BYTES` as hex digits. Raises
        `DatabaseUnusableError`."""
        if isinstance(source, str):
            self._master = _from_text(source)
            return
        try:
            if not source.exists():
                _make(source)
            self._master = source.read_bytes()
        except OSError as error:
            raise DatabaseUnusableError(f"{source} cannot be used: {error.strerror}.") from error
        if len(self._master) != MASTER_BYTES:
            raise DatabaseUnusableError(f"{source} does not hold {MASTER_BYTES} bytes.")

    def secret_of(self, key_id: str) -> str:
        """The secret of a signed key: 256 bits that nobody can compute without the master."""
        mac = hmac.digest(self._master, b"onseju signing key\0" + key_id.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

    def fingerprint(self) -> bytes:
        """The same for the same master; nobody can compute the master from it."""
        return hmac.digest(self._master, b"onseju signing key's fingerprint", hashlib.sha256)


def _from_text(text: str) -> bytes:
    try:
        master = bytes.fromhex(text)
    except ValueError:
        master = b""
    if len(master) != MASTER_BYTES:
        raise DatabaseUnusableError(f"The setting signing_key is not {2 * MASTER_BYTES} hex digits.")
    return master


def _make(path: Path) -> None:
    """Whole or not at all, and there for good: without it every signed key is lost. Where another process of this machine
    makes it at the same time, the first one's stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(MASTER_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
