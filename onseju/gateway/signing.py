"""Signed requests: a bot proves that it knows its key's secret without sending it, and no request works twice.

`X-Onseju-Sign` is the hex HMAC-SHA256 of `timestamp\\nnonce\\nMETHOD\\npath?query\\nhex sha256(body)` under the key's secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from onseju.contract.reasons import Reason
from onseju.gateway.problems import Problem

SIGN_HEADER = b"x-onseju-sign"
WINDOW_MS = 5_000
"""How far a request's time may be from the server's, either way."""

MAX_NONCES = 1_000_000
"""Nonces remembered at a time (about 100 MB); with more of them in ten seconds signed requests are refused with 503."""

_KEY = re.compile(rb"[A-Za-z0-9]{1,64}\Z")
_TIMESTAMP = re.compile(rb"[0-9]{13}\Z")
_NONCE = re.compile(rb"[A-Za-z0-9_-]{8,64}\Z")
_SIGN = re.compile(rb"[0-9a-f]{64}\Z")


class SignedHead(NamedTuple):
    """The four headers of a signed request, in good form."""

    key_id: str
    timestamp: bytes
    nonce: bytes
    sign: bytes


def signed_head(headers: Mapping[bytes, bytes]) -> SignedHead:
    """The signature's headers. Raises `Problem(UNAUTHENTICATED)` where one is missing or malformed."""
    key_id = headers.get(b"x-onseju-key", b"")
    timestamp = headers.get(b"x-onseju-timestamp", b"")
    nonce = headers.get(b"x-onseju-nonce", b"")
    sign = headers.get(SIGN_HEADER, b"")
    if not (_KEY.match(key_id) and _TIMESTAMP.match(timestamp) and _NONCE.match(nonce) and _SIGN.match(sign)):
        raise Problem(Reason.SIGNATURE_INVALID)
    return SignedHead(key_id.decode(), timestamp, nonce, sign)


def signature(secret: str, timestamp: bytes, nonce: bytes, method: str, target: bytes, body: bytes) -> str:
    """What a client sends as `X-Onseju-Sign`. `target` is path and query as they stand in the request line."""
    text = b"\n".join((timestamp, nonce, method.encode(), target, hashlib.sha256(body).hexdigest().encode()))
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def is_signed_by(secret: str, head: SignedHead, scope: Mapping[str, Any], body: bytes) -> bool:
    """Whether the signature is right for this request. A WebSocket's handshake is a GET with an empty body."""
    query = scope["query_string"]
    target = scope["raw_path"] + (b"?" + query if query else b"")
    expected = signature(secret, head.timestamp, head.nonce, scope.get("method", "GET"), target, body)
    return hmac.compare_digest(expected.encode(), head.sign)


def nonce_times_us(head: SignedHead) -> tuple[int, int]:
    """When the request is refused for its time alone, and now, in microseconds since 1970."""
    return (int(head.timestamp) + WINDOW_MS) * 1000, time.time_ns() // 1000


class Nonces:
    """The window in time, and the nonces that came within it to this process. In memory: a restart forgets them, so signed
    orders need a `client_order_id`, which the exchange remembers."""

    def __init__(self, *, max_nonces: int = MAX_NONCES, clock: Callable[[], float] = time.time) -> None:
        self._seen: set[tuple[str, bytes]] = set()
        self._by_time: deque[tuple[float, tuple[str, bytes]]] = deque()
        self._max = max_nonces
        self._clock = clock

    def __len__(self) -> int:
        return len(self._seen)

    def check_time(self, head: SignedHead) -> None:
        """Raise `Problem(TIMESTAMP_OUTSIDE_WINDOW)` for a request from another time."""
        if abs(int(head.timestamp) - self._clock() * 1000) > WINDOW_MS:
            raise Problem(Reason.TIMESTAMP_OUTSIDE_WINDOW)

    def use(self, head: SignedHead) -> None:
        """Use the nonce up. To be called once the signature is known to be right. Raises `Problem` where it was used."""
        now = self._clock()
        while self._by_time and self._by_time[0][0] < now:
            self._seen.discard(self._by_time.popleft()[1])
        nonce = (head.key_id, head.nonce)
        if nonce in self._seen:
            raise Problem(Reason.NONCE_USED)
        if len(self._seen) >= self._max:
            raise Problem(Reason.OVERLOADED)
        self._seen.add(nonce)
        # its request is refused for its time alone once both ends of the window have passed
        self._by_time.append((now + 2 * WINDOW_MS / 1000, nonce))
