"""Approval keys (실시간 웹소켓 접속키): who asked for one is remembered as a keyed hash only, never as the pair itself."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from onseju.kis.bounds import Bucket, Guest

LIFETIME_S = 24 * 3600
KEYS_MAX = 50_000
"""Approval keys remembered at a time; beyond it the oldest stops to register anything new."""


class Owner(msgspec.Struct, eq=False):
    """One app key, or one page: it has one current approval key and at most one session."""

    requests: Bucket
    approval_key: str = ""
    expires: float = 0.0


class Approvals:
    """Issues keys and knows whose a key is. A new key of the same owner supersedes the one before."""

    def __init__(self, clock: Callable[[], float], *, per_s: float, burst: float, per_guest: int) -> None:
        self._clock = clock
        self._per_s, self._burst, self._per_guest = per_s, burst, per_guest
        self._hash_key = secrets.token_bytes(32)
        self._owners: OrderedDict[bytes, Owner] = OrderedDict()
        self._by_key: dict[str, Owner] = {}

    def issue(self, appkey: str, secretkey: str, guest: Guest) -> str | None:
        """A new approval key for a pair; None when it asks too often."""
        name = self._name(appkey, secretkey)
        owner = self._owners.get(name) or self._add(name, guest)
        self._owners.move_to_end(name)
        if not owner.requests.take(self._clock()):
            return None
        return self._renew(owner)

    def issue_anonymous(self, guest: Guest) -> str:
        """An approval key of its own, with a session of its own: for a page, which has no pair."""
        return self._renew(self._add(secrets.token_bytes(16), guest))

    def owner_of(self, approval_key: str) -> Owner | None:
        """Whose key it is; None where it is unknown, superseded or older than 24 hours."""
        owner = self._by_key.get(approval_key)
        return owner if owner is not None and self._clock() < owner.expires else None

    def _name(self, appkey: str, secretkey: str) -> bytes:
        pair = f"{len(appkey)}:{appkey}{secretkey}".encode(errors="surrogatepass")
        return hashlib.blake2b(pair, key=self._hash_key, digest_size=16).digest()

    def _add(self, name: bytes, guest: Guest) -> Owner:
        while len(guest.owners) >= self._per_guest:
            self._drop(guest.owners.popleft())
        while len(self._owners) >= KEYS_MAX:
            self._drop(next(iter(self._owners)))
        guest.owners.append(name)
        owner = self._owners[name] = Owner(requests=Bucket(self._per_s, self._burst, self._clock()))
        return owner

    def _drop(self, name: bytes) -> None:
        owner = self._owners.pop(name, None)
        if owner is not None:
            self._by_key.pop(owner.approval_key, None)

    def _renew(self, owner: Owner) -> str:
        self._by_key.pop(owner.approval_key, None)
        owner.approval_key = str(uuid.uuid4())
        owner.expires = self._clock() + LIFETIME_S
        self._by_key[owner.approval_key] = owner
        return owner.approval_key
