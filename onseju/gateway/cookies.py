"""The session's cookie: its name and marks, by where the page is served."""

from __future__ import annotations

from onseju.gateway.hosts import host_name
from onseju.settings import Settings

SECURE_COOKIE = "__Host-onseju"
PLAIN_COOKIE = "onseju"
"""On plain http away from this machine, where a browser drops `__Host-` and `Secure` cookies."""


def is_loopback(host: str) -> bool:
    """Whether a `Host` header names this very machine, where browsers take plain http for secure."""
    name = host_name(host)
    return name in ("localhost", "[::1]") or name.endswith(".localhost") or name.startswith("127.")


def cookie_name(scheme: str, host: str, settings: Settings) -> str | None:
    """The session cookie's name on this address; None where the host has not allowed sessions on plain http."""
    if scheme in ("https", "wss") or is_loopback(host):
        return SECURE_COOKIE
    return PLAIN_COOKIE if settings.allow_plain_http else None


def cookie_value(header: bytes, name: str) -> str | None:
    """The value of the cookie `name` in a `Cookie` header."""
    for part in header.split(b";"):
        key, _, value = part.strip().partition(b"=")
        if key == name.encode():
            return value.decode("latin-1")
    return None


def set_cookie(name: str, value: str, max_age_s: int) -> str:
    """A `Set-Cookie` header. An age of 0 takes the cookie away."""
    secure = "; Secure" if name == SECURE_COOKIE else ""
    return f"{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}"
