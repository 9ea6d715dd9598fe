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
from onseju.gateway.principal import METRICS, SCOPES, Principal
from onseju.gateway.problems import Problem
from onseju.gateway.signing import SIGN_HEADER, Nonces, is_signed_by, nonce_times_us, signed_head
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
        self._admin_digest = None if secret is None else _digest(secret.get_secret_value())
        self._admin_id = None if secret is None else secret.get_secret_value().partition(".")[0]
        self._nonces = Nonces()
        scraper = gateway.settings.metrics_key
        self._scraper_digest = None if scraper is None else _digest(scraper.get_secret_value())
        self._scraper = Principal(user_id=0, account_id=0, scopes=frozenset({METRICS}), via="setting", name="metrics")
        self._admin = Principal(user_id=0, account_id=0, scopes=frozenset(SCOPES), via="bootstrap", name="bootstrap")

    async def caller(self, scope: Mapping[str, Any], headers: Headers, address: str) -> Caller:
        """Who sends this. A key that is sent and wrong raises UNAUTHENTICATED; a cookie that has ended is nobody's."""
        if SIGN_HEADER in headers:
            return Caller(await self._by_signature(scope, headers, address))
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
            if hmac.compare_digest(_digest(bearer), self._admin_digest):
                return self._admin
            raise self._failed(address)
        if self._scraper_digest is not None and hmac.compare_digest(_digest(bearer), self._scraper_digest):
            return self._scraper
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

    async def _by_signature(self, scope: Mapping[str, Any], headers: Headers, address: str) -> Principal:
        """The signed key's user. The shell has read the body. The nonce counts once the signature is known to be right:
        nobody else can use one up."""
        head = signed_head(headers)
        self._nonces.check_time(head)
        self.check_address(address)
        signer = await self._gateway.identity.signer(head.key_id)
        if signer is None or not is_signed_by(signer[1], head, scope, scope["state"].get("signed_body", b"")):
            raise self._failed(address, Reason.SIGNATURE_INVALID)
        self._nonces.use(head)
        shared = self._gateway.identity.shared
        if shared is not None and not await shared.use_nonce(head.key_id, head.nonce.decode(), *nonce_times_us(head)):
            raise Problem(Reason.NONCE_USED)
        return signer[0]

    def check_address(self, address: str) -> None:
        """Raise `Problem(RATE_LIMITED)` for an address that sent too many wrong credentials."""
        if not self._limits.may(FAILED, address):
            raise Problem(Reason.RATE_LIMITED)

    def _failed(self, address: str, reason: Reason = Reason.UNAUTHENTICATED) -> Problem:
        allowance = self._limits.spend(FAILED, address)
        return Problem(reason) if allowance.allowed else refusal(allowance)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


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
