"""Who sends a request: an API key, the bootstrap admin key, or a session's cookie. And whether it may do what it asks."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, NamedTuple

from onseju.contract.reasons import Reason
from onseju.gateway.context import Gateway
from onseju.gateway.cookies import cookie_name, cookie_value
from onseju.gateway.hosts import same_origin
from onseju.gateway.limits import FAILED, Limits, refusal
from onseju.gateway.operations import PUBLIC, Operation
from onseju.gateway.principal import SCOPES, Principal
from onseju.gateway.problems import Problem
from onseju.identity.tokens import csrf_token

CSRF_HEADER = b"x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "WS"})
MAX_CREDENTIAL_BYTES = 512

Headers = Mapping[bytes, bytes]


class Caller(NamedTuple):
    """What authentication found: nobody, or a principal; and the session's token where a cookie was the proof."""

    principal: Principal | None
    session_token: str | None = None


NOBODY = Caller(None)


class Authenticator:
    """Finds the principal of a request."""

    def __init__(self, gateway: Gateway, limits: Limits) -> None:
        self._gateway = gateway
        self._limits = limits
        secret = gateway.settings.admin_key
        self._admin_digest = None if secret is None else hashlib.sha256(secret.get_secret_value().encode()).digest()
        self._admin_id = None if secret is None else secret.get_secret_value().partition(".")[0]
        self._admin = Principal(user_id=0, account_id=0, scopes=frozenset(SCOPES), via="bootstrap", name="bootstrap")

    async def caller(self, scope: Mapping[str, Any], headers: Headers, address: str) -> Caller:
        """Who sends this. A key that is sent and wrong raises UNAUTHENTICATED; a cookie that has ended is nobody's."""
        authorization = headers.get(b"authorization")
        if authorization is not None:
            return Caller(await self._by_key(authorization, address))
        cookies = headers.get(b"cookie")
        if cookies is None:
            return NOBODY
        host = headers[b"host"].decode("latin-1")
        name = cookie_name(scope["scheme"], host, self._gateway.settings)
        token = cookie_value(cookies, name) if name else None
        if not token or len(token) > MAX_CREDENTIAL_BYTES:
            return NOBODY
        if scope["type"] == "websocket":
            origin = headers.get(b"origin", b"").decode("latin-1")
            if not same_origin(origin, scope["scheme"], host):
                return NOBODY
        identity = self._gateway.identity
        remembered = identity.remembers_session(token)
        if not remembered and not self._limits.may(FAILED, address):
            raise Problem(Reason.RATE_LIMITED)
        principal = await identity.session(token)
        if principal is None and not remembered:
            self._limits.spend(FAILED, address)
        return Caller(principal, token)

    async def _by_key(self, authorization: bytes, address: str) -> Principal:
        scheme, _, credential = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or len(credential) > MAX_CREDENTIAL_BYTES:
            raise Problem(Reason.UNAUTHENTICATED)
        bearer = credential.strip().decode("latin-1")
        if self._admin_digest is not None and bearer.partition(".")[0] == self._admin_id:
            if hmac.compare_digest(hashlib.sha256(bearer.encode()).digest(), self._admin_digest):
                return self._admin
            raise self._failed(address)
        identity = self._gateway.identity
        principal = identity.cached_key(bearer)
        if principal is not None:
            return principal
        if not self._limits.may(FAILED, address):
            raise Problem(Reason.RATE_LIMITED)
        principal = await identity.key(bearer)
        if principal is None:
            raise self._failed(address)
        return principal

    def _failed(self, address: str) -> Problem:
        allowance = self._limits.spend(FAILED, address)
        return Problem(Reason.UNAUTHENTICATED) if allowance.allowed else refusal(allowance)


def authorise(operation: Operation, caller: Caller, method: str, headers: Headers) -> None:
    """Refuse what the caller may not do: UNAUTHENTICATED, SESSION_ENDED, FORBIDDEN or CSRF_FAILED."""
    principal, token = caller
    if operation.scope is not PUBLIC:
        if principal is None:
            raise Problem(Reason.SESSION_ENDED if token else Reason.UNAUTHENTICATED)
        if not principal.may(operation.scope):
            raise Problem(Reason.FORBIDDEN)
    if token is not None and principal is not None and operation.csrf and method not in SAFE_METHODS:
        sent = headers.get(CSRF_HEADER, b"")
        if not hmac.compare_digest(sent, csrf_token(token).encode()):
            raise Problem(Reason.CSRF_FAILED)
