"""What one address may hold and do, so that no guest of the price simulator can take the whole of it."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Callable

import msgspec

ADDRESSES_MAX = 50_000
"""Addresses remembered at a time. The one longest unheard of, without a connection, is forgotten first."""


class Bucket:
    """A token bucket: `rate` a second, `burst` at once."""

    __slots__ = ("_burst", "_rate", "_tokens", "_updated")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._updated = burst, now

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def owe(self, now: float) -> float:
        """Take a token, on credit if need be: how many seconds to wait for it."""
        self._refill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._updated) * self._rate)
        self._updated = now


class Guest(msgspec.Struct, eq=False):
    """What one address holds."""

    messages: Bucket
    approvals: Bucket
    connections: int = 0
    registrations: int = 0
    owners: deque[bytes] = msgspec.field(default_factory=deque)
    """Who asked for approval keys from here, oldest first."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds per address, and of all together."""

    connections: int = 256
    connections_in_all: int = 5_000
    registrations: int = 4_000
    messages_per_s: float = 200
    messages_burst: float = 2_000
    approvals_per_s: float = 20
    approvals_burst: float = 500
    approvals: int = 2_000
    """Pairs and pages whose approval keys are kept; beyond it the address's own oldest stops to register anything new."""
    message_bytes: int = 4_096
    body_bytes: int = 4_096
    body_s: float = 10
    """Seconds in which a body must have arrived."""


class Guests:
    """All addresses."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._guests: OrderedDict[str, Guest] = OrderedDict()
        self.connections = 0

    def of(self, address: str) -> Guest:
        """The guest at an address."""
        name = neighbourhood(address)
        guest = self._guests.get(name)
        if guest is None:
            now, limits = self._clock(), self._limits
            guest = Guest(
                messages=Bucket(limits.messages_per_s, limits.messages_burst, now),
                approvals=Bucket(limits.approvals_per_s, limits.approvals_burst, now),
            )
            self._guests[name] = guest
            self._forget()
        self._guests.move_to_end(name)
        return guest

    def enter(self, guest: Guest) -> bool:
        """Count a connection in; False where there are too many."""
        if guest.connections >= self._limits.connections or self.connections >= self._limits.connections_in_all:
            return False
        guest.connections += 1
        self.connections += 1
        return True

    def leave(self, guest: Guest) -> None:
        """Count a connection out."""
        guest.connections -= 1
        self.connections -= 1

    def _forget(self) -> None:
        if len(self._guests) > ADDRESSES_MAX:
            idle = next((name for name, guest in self._guests.items() if not guest.connections), None)
            if idle is not None:
                del self._guests[idle]


def neighbourhood(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that an IPv6 guest has all of."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
