"""Time for the bots: a steady beat that never runs after lost time, and patience with a server that is away."""

from __future__ import annotations

import asyncio
import logging

from onseju.bots.http import UnavailableError

log = logging.getLogger("onseju.bots")

FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 5.0
LONGEST_ASKED_WAIT_S = 30.0
MOMENT_S = 2.0


class Beat:
    """Moments to act at. Who is late acts at once, but what was missed is not made up for."""

    def __init__(self) -> None:
        self._due = asyncio.get_running_loop().time()

    async def wait(self, seconds: float) -> None:
        """Wait until `seconds` after the last moment."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due + seconds, now)
        await asyncio.sleep(self._due - now)


class Patience:
    """Longer and longer waits while the server does not serve. What takes longer than a moment is told, once."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._wait_s = 0.0
        self._told = False

    def rewarded(self) -> None:
        """The server serves."""
        if self._told:
            log.info("%s: goes on", self._who)
        self._wait_s = 0.0
        self._told = False

    def next_wait_s(self, error: UnavailableError) -> float:
        """How long to wait after this error: twice as long as before, or as long as the server asks for."""
        self._wait_s = min(LONGEST_WAIT_S, max(FIRST_WAIT_S, 2 * self._wait_s))
        if self._wait_s >= MOMENT_S and not self._told:
            log.warning("%s: waits for the server (%s)", self._who, error)
            self._told = True
        return max(self._wait_s, min(error.retry_after_s, LONGEST_ASKED_WAIT_S))

    async def wait(self, error: UnavailableError) -> None:
        """Wait after this error."""
        await asyncio.sleep(self.next_wait_s(error))
