"""Reads that wait for the tables to reach a position: a bounded number, each in its own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator


class Waiters:
    """Made and left in event loops; answered from any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[asyncio.Future[bool], tuple[int, asyncio.AbstractEventLoop]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether so many wait that nobody else may."""
        return len(self._waiting) >= self._most

    @contextlib.contextmanager
    def one(self, seq: int) -> Iterator[asyncio.Future[bool]]:
        """A future of the running loop for command `seq`: True once the tables hold it, False where they cannot."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        with self._lock:
            self._waiting[future] = (seq, loop)
        try:
            yield future
        finally:
            with self._lock:
                self._waiting.pop(future, None)

    def answer(self, position: int, *, every: bool = False) -> None:
        """Tell those whose command is in the tables; with `every`, tell the others no."""
        if not self._waiting:
            return
        with self._lock:
            answers = [
                (future, seq <= position, loop)
                for future, (seq, loop) in self._waiting.items()
                if every or seq <= position
            ]
            for future, _, _ in answers:
                del self._waiting[future]
        for future, reached, loop in answers:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
                loop.call_soon_threadsafe(_resolve, future, reached)


def _resolve(future: asyncio.Future[bool], reached: bool) -> None:
    if not future.done():
        future.set_result(reached)
