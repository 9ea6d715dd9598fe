"""Passwords by argon2id, in threads of their own: hashing is slow on purpose and must not stop the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from onseju.identity.records import BusyError

T = TypeVar("T")

WORKERS = 2
MAX_WAITING = 64
"""More at once are refused: they would wait for seconds, and each holds memory."""

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's first choice for argon2id: 19 MiB, two passes."""


class Passwords:
    """Hashes and checks passwords, a bounded number at a time."""

    def __init__(self, hasher: PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobody = hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """A new hash. Raises `BusyError`."""
        return await self._run(lambda: self._hasher.hash(password))

    async def check(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored hash's. For None it takes as long, and is False. Raises `BusyError`."""
        matches = await self._run(lambda: self._verify(stored or self._nobody, password))
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Wait for the threads and end them."""
        self._threads.shutdown()

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
