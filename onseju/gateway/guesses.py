"""Tries at a name's password, counted over all addresses, and over all gateways where there are many."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from onseju.contract.ids import hash128
from onseju.contract.reasons import Reason
from onseju.gateway.context import Gateway
from onseju.gateway.limits import WRONG_PASSWORDS, Limits
from onseju.gateway.problems import Problem
from onseju.identity.names import name_key
from onseju.identity.records import DatabaseFullError, DatabaseUnavailableError, WrongPasswordError

log = structlog.get_logger("onseju.gateway")

RETRY_S = 60


@asynccontextmanager
async def guess(gateway: Gateway, limits: Limits, name: str) -> AsyncIterator[None]:
    """Take a try at the name's password, and give it back unless the block ends in `WrongPasswordError`. Taken first, so
    that many at once are no more tries than one after the other. Raises `Problem(RATE_LIMITED)` where none is left."""
    who = hash128(name_key(name).encode())
    quota = limits.quotas[WRONG_PASSWORDS]
    shared = gateway.identity.shared
    if shared is None:
        taken = limits.spend(WRONG_PASSWORDS, who.hex()).allowed
    else:
        taken = await shared.take_guess(who, quota.rate_per_s, quota.burst)
    if not taken:
        raise Problem(Reason.RATE_LIMITED, retry_after_s=RETRY_S)
    try:
        yield
    except WrongPasswordError:
        raise
    except BaseException:
        await _give_back(gateway, limits, who)
        raise
    await _give_back(gateway, limits, who)


async def _give_back(gateway: Gateway, limits: Limits, who: bytes) -> None:
    shared = gateway.identity.shared
    if shared is None:
        limits.give_back(WRONG_PASSWORDS, who.hex())
        return
    try:
        await shared.give_guess_back(who, limits.quotas[WRONG_PASSWORDS].rate_per_s)
    except (DatabaseUnavailableError, DatabaseFullError):
        log.warning("guess_not_given_back")  # it comes back with time, and the log-in goes on
