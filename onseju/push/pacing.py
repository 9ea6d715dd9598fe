"""A reconnect storm at a walking pace: of the connections that arrive together, a few at a time are read.

To open a stream costs about half a millisecond. When a network comes back, thousands of clients ask for it in the same
moment, and the event loop would be busy for seconds before it looked at anybody else. So new connections beyond a few wait
unread, in the order in which they came, and those that are open already are served in between. What waits is a connection
whose request still lies in the system: some hundred bytes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

AT_ONCE = 8
"""New connections that are read in one turn of the event loop."""


class Paced(Protocol):
    """A connection that can wait."""

    def hold(self) -> bool:
        """Read nothing for now. False where that cannot be had: then it is not held up."""
        ...

    def begin(self) -> None:
        """Read."""
        ...


class Pacer:
    """The new connections of one event loop."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._this_turn = 0
        self._waiting: deque[Paced] = deque()
        self._turning = False

    def __len__(self) -> int:
        return len(self._waiting)

    def arrive(self, connection: Paced) -> None:
        """A new connection: it begins at once, or waits its turn."""
        if self._this_turn < self._at_once and not self._waiting:
            self._this_turn += 1
        elif connection.hold():
            self._waiting.append(connection)
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._this_turn = 0
        while self._waiting and self._this_turn < self._at_once:
            self._this_turn += 1
            self._waiting.popleft().begin()
        self._turning = bool(self._this_turn)
        if self._turning:
            asyncio.get_running_loop().call_soon(self._turn)
