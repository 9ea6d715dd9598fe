"""Random credentials, and the hashes under which the database knows them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

TOKEN_BYTES = 32
KEY_ID_BYTES = 9
OWNER_BYTES = 16


def new_token() -> str:
    """A session's secret: 256 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def new_key_id() -> str:
    """An API key's public half."""
    return "ok" + secrets.token_hex(KEY_ID_BYTES)


def digest(secret: str) -> bytes:
    """What is stored of a random secret. A plain hash is enough: 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode()).digest()


def csrf_token(session_token: str) -> str:
    """The session's CSRF token. It follows from the cookie's secret, which another site's page cannot read."""
    mac = hmac.digest(session_token.encode(), b"onseju csrf", hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
