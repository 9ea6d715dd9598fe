"""The sums over all accounts, read once for all who look."""

from __future__ import annotations

import asyncio
import time

from onseju.projections.queries import Queries, QueriesBusyError, QueriesFailedError
from onseju.projections.sums import Sums

SUMS_S = 2.0
"""The sums read every balance, position and open order, so they are read at most so often, however many pages look."""

SUMS_SHARE = 20
"""And so that reading them takes at most a twentieth of the time."""


class SumsReader:
    """The newest sums: read once for everybody who asks within a while."""

    def __init__(self) -> None:
        self._sums: Sums | None = None
        self._fresh_until = 0.0
        self._reading: asyncio.Lock | None = None

    async def read(self, queries: Queries) -> Sums | None:
        """None while the tables cannot be read."""
        if self._reading is None:
            self._reading = asyncio.Lock()
        async with self._reading:
            began = time.monotonic()
            if began < self._fresh_until:
                return self._sums
            try:
                self._sums = await queries.ask(queries.sums)
            except (QueriesBusyError, QueriesFailedError):
                self._sums = None
            ended = time.monotonic()
            self._fresh_until = ended + max(SUMS_S, SUMS_SHARE * (ended - began))
            return self._sums
