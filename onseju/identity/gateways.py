"""What a gateway that shares its users with others has beside the tables: the changes' listener, and the common counts."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from onseju.identity.changes import ChangeListener
from onseju.identity.master import SigningMaster
from onseju.identity.postgres import CONNECTIONS, PostgresDatabase
from onseju.identity.records import DatabaseUnusableError
from onseju.identity.store import Store
from onseju.identity.together import Together

ANSWER_S = 6.0
"""How long a request waits for the database: longer than the server's own bounds, which tell why."""
PROOFS = 4
"""How often, in the time that an unproved entry is trusted, it is proved that no change was missed."""
FINGERPRINT = "signing_key"

Run = Callable[..., Awaitable[Any]]


class Gateways:
    """The shared database of one gateway."""

    def __init__(self, url: str, run: Run, *, cache_s: float) -> None:
        """`run` takes a function and its arguments to the threads. Raises `DatabaseUnusableError`."""
        self._database = PostgresDatabase(url)
        self._run = run
        self.store = Store(self._database)
        self._together = Together(self._database)
        self.threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="identity")
        self.listener = ChangeListener(self._database.connect, cache_s / PROOFS)

    def master(self, source: Path | str) -> SigningMaster:
        """The signing master, if it is the one that all gateways have. The first one decides. Raises
        `DatabaseUnusableError`."""
        known = self.store.fact(FINGERPRINT)
        if known is not None and isinstance(source, Path) and not source.exists():
            raise DatabaseUnusableError(
                f"{source} is missing, but gateways have used this database: copy theirs, which all of them share."
            )
        master = SigningMaster(source)
        if known is None:
            with contextlib.suppress(sa.exc.IntegrityError):  # another gateway was first
                self.store.add_fact(FINGERPRINT, master.fingerprint())
            known = self.store.fact(FINGERPRINT)
        if known != master.fingerprint():
            raise DatabaseUnusableError(
                f"{source if isinstance(source, Path) else 'The setting signing_key'} is not the signing key of the other "
                "gateways: signed keys made there would open nothing here. Copy theirs. Where theirs is lost, delete the "
                f"row {FINGERPRINT!r} of the table identity.facts; signed keys made with it open nothing any more."
            )
        return master

    async def use_nonce(self, key_id: str, nonce: str, until_us: int, now_us: int) -> bool:
        """Use a signed request's nonce up at all gateways; False where it was used at any. `until_us`: when the request is
        refused for its time alone. Raises `DatabaseUnavailableError`."""
        used: bool = await self._run(self._together.use_nonce, key_id, nonce, until_us, now_us)
        return used

    async def take_guess(self, who: bytes, rate_per_s: float, burst: int) -> bool:
        """Take one of the tries that all gateways together have at a name's password. Raises `DatabaseUnavailableError`."""
        taken: bool = await self._run(self._together.take_guess, who, rate_per_s, burst)
        return taken

    async def give_guess_back(self, who: bytes, rate_per_s: float) -> None:
        """The try was no wrong password. Raises `DatabaseUnavailableError`."""
        await self._run(self._together.give_guess_back, who, rate_per_s)

    def close(self) -> None:
        """Listen no more, finish what is under way, or cut it where the server does not answer."""
        self.listener.stop()
        self.threads.shutdown(wait=False, cancel_futures=True)
        self._database.interrupt_after(ANSWER_S, self.threads.shutdown)
        self.store.close()
