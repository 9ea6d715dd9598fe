"""Rate limits: a token bucket per caller and group of operations, in bounded memory.

A bucket is one number: the moment at which it will be full again. Tokens spent move it away by their cost in time; time
alone brings it back. A bucket whose moment has passed is the same as no bucket at all.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from starlette.requests import HTTPConnection

from onseju.contract.reasons import Reason
from onseju.gateway.problems import Problem
from onseju.settings import Settings

BURST_S = 5
"""A burst of so many seconds' worth may come at once."""

MAX_BUCKETS = 100_000
FAILED = "failed"
"""Credentials that turned out wrong, per address: beyond the rate they are not even looked up."""

WRONG_PASSWORDS = "wrong_passwords"
"""Wrong passwords for one name, from wherever: guessing does not get faster with more addresses."""


class Quota(NamedTuple):
    """What a bucket holds and how fast it fills."""

    rate_per_s: float
    burst: int

    @property
    def window_s(self) -> int:
        """The time in which an empty bucket fills."""
        return max(1, round(self.burst / self.rate_per_s))


class Allowance(NamedTuple):
    """The state of a caller's bucket after a request."""

    group: str
    allowed: bool
    quota: Quota
    remaining: int
    full_in_s: float
    retry_in_s: float


def quotas(settings: Settings) -> dict[str, Quota]:
    """The groups' quotas as the host set them."""

    def per_second(rate: int) -> Quota:
        return Quota(rate, rate * BURST_S)

    return {
        "order": per_second(settings.order_rate_per_s),
        "cancel": per_second(settings.cancel_rate_per_s),
        "query": per_second(settings.query_rate_per_s),
        "public": per_second(settings.query_rate_per_s),
        "stream": per_second(settings.stream_rate_per_s),
        "login": Quota(settings.login_rate_per_min / 60, settings.login_rate_per_min),
        FAILED: per_second(settings.wrong_credentials_per_s),
        WRONG_PASSWORDS: Quota(settings.wrong_passwords_per_hour / 3600, settings.wrong_passwords_per_hour),
    }


class Limits:
    """The buckets of all callers. One thread only."""

    def __init__(
        self,
        quotas: Mapping[str, Quota],
        *,
        max_buckets: int = MAX_BUCKETS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.quotas = dict(quotas)
        self._full_at: dict[tuple[str, str | int], float] = {}
        self._max = max_buckets
        self._clock = clock

    def __len__(self) -> int:
        return len(self._full_at)

    def spend(self, group: str, who: str | int, units: int = 1) -> Allowance:
        """Take `units` tokens of `who`'s bucket. Where they are missing nothing is taken and `allowed` is False.

        A request that is larger than the whole bucket passes when the bucket is full, and is paid off afterwards.
        """
        quota = self.quotas[group]
        now = self._clock()
        key = (group, who)
        full_at = max(self._full_at.pop(key, now), now)
        fill_s = quota.burst / quota.rate_per_s
        after = full_at + units / quota.rate_per_s
        needed = now + max(fill_s, units / quota.rate_per_s)
        allowed = after <= needed + 1e-9
        if allowed:
            full_at = after
        if full_at > now:
            if len(self._full_at) >= self._max:
                del self._full_at[next(iter(self._full_at))]  # the longest unused: the likeliest to be full again
            self._full_at[key] = full_at
        wait = full_at - now
        remaining = max(0, math.floor((fill_s - wait) * quota.rate_per_s + 1e-6))
        return Allowance(group, allowed, quota, remaining, wait, 0.0 if allowed else after - needed)

    def give_back(self, group: str, who: str | int) -> None:
        """Put one of `who`'s tokens back."""
        full_at = self._full_at.get((group, who))
        if full_at is not None:
            self._full_at[group, who] = full_at - 1 / self.quotas[group].rate_per_s

    def may(self, group: str, who: str | int) -> bool:
        """Whether `who` has a token left, without taking it."""
        quota = self.quotas[group]
        waiting = self._full_at.get((group, who), 0.0) - self._clock()
        return waiting <= (quota.burst - 1) / quota.rate_per_s


def refusal(allowance: Allowance) -> Problem:
    """The answer to a request that its bucket does not allow."""
    return Problem(Reason.RATE_LIMITED, retry_after_s=max(1, math.ceil(allowance.retry_in_s)))


def charge(connection: HTTPConnection, units: int, group: str | None = None) -> None:
    """Take `units` more tokens for this request, of its own group or another: a batch counts each order.

    Raises `Problem(RATE_LIMITED)`.
    """
    state = connection.scope["state"]
    if units <= 0 or state.get("limited_as") is None:
        return
    limits: Limits = connection.app.state.limits
    allowance = limits.spend(group or state["allowance"].group, state["limited_as"], units)
    state["allowance"] = allowance
    if not allowance.allowed:
        raise refusal(allowance)


@lru_cache(maxsize=4096)
def address_key(host: str) -> str:
    """Who an address is: an IPv6 network of 64 bits is one caller, since one host may use all of it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return host


def limit_headers(allowance: Allowance) -> list[tuple[bytes, bytes]]:
    """`RateLimit`, `RateLimit-Policy` (IETF) and the older `X-RateLimit-…` (`-Reset`: Unix seconds when full again)."""
    group = allowance.group
    burst = allowance.quota.burst
    full_in = math.ceil(allowance.full_in_s)
    return [
        (b"ratelimit-policy", f'"{group}";q={burst};w={allowance.quota.window_s}'.encode()),
        (b"ratelimit", f'"{group}";r={allowance.remaining};t={full_in}'.encode()),
        (b"x-ratelimit-limit", b"%d" % burst),
        (b"x-ratelimit-remaining", b"%d" % allowance.remaining),
        (b"x-ratelimit-reset", b"%d" % (int(time.time()) + full_in)),
    ]
