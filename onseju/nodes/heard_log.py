"""The event log as a gateway sees it: it ends with what its listeners have heard, and is read from the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.journal.port import JournalError
from onseju.journal.postgres import PostgresJournal


class HeardLog:
    """The event log (`journal.port.EventLog`). `listen` belongs on the bus after all other listeners."""

    def __init__(self, reader: PostgresJournal, wait_s: float, oldest: int) -> None:
        """`wait_s` bounds `reach`; `oldest` is the first command whose events the log has."""
        self.oldest = oldest
        self._reader = reader
        self._wait_s = wait_s
        self._head_seq = 0
        self._waiters: dict[asyncio.Future[None], int] = {}

    @property
    def journal_id(self) -> str:
        return self._reader.journal_id

    @property
    def last_event_seq(self) -> int:
        """The last command whose events everything here has heard."""
        return self._head_seq

    def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
        """The blocks after `after_seq`. Blocks; raises `JournalError`."""
        if self._reader.last_event_seq < self._head_seq:
            self._reader.refresh()
        return self._reader.read_events(after_seq)

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """All who listen have heard these blocks."""
        self.heard(blocks[-1].seq)

    def heard(self, seq: int) -> None:
        """They have heard all through this command."""
        self._head_seq = seq
        for future in [future for future, wanted in self._waiters.items() if wanted <= seq]:
            del self._waiters[future]
            if not future.done():
                future.set_result(None)

    async def reach(self, seq: int) -> Reason | None:
        """Wait until command `seq` was heard, which another gateway may have answered already. None where it was; else why
        not: there is no such command yet, or it is late."""
        if seq <= self._head_seq:
            return None
        try:
            there = await asyncio.to_thread(self._look, self._reader.refresh)
        except JournalError:
            return Reason.PROJECTION_BEHIND
        if seq > max(there, self._head_seq):
            return Reason.SEQ_AHEAD
        if seq <= self._head_seq:
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[future] = seq
        try:
            await asyncio.wait_for(future, self._wait_s)
        except TimeoutError:
            return Reason.PROJECTION_BEHIND
        finally:
            self._waiters.pop(future, None)
        return None

    def _look(self, refresh: Callable[[], None]) -> int:
        refresh()
        return self._reader.last_event_seq
