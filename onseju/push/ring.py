"""4 Account events for streams: one ring for everybody, chained by account, read by cursors.

Nobody has a queue: a connection is a place in its account's chain. What the ring no longer holds is read from the event
log, with the same bytes. All methods belong to the event loop's thread; the log is read in threads of the ring's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from onseju.contract.envelope import Envelope, encode_envelope
from onseju.contract.event_runs import runs_of
from onseju.contract.events import EVENT_BYTES
from onseju.contract.ids import BEFORE_ALL, Position, parse_event_id
from onseju.contract.journal_records import EventBlock
from onseju.contract.views import SymbolOf, timestamp
from onseju.journal.port import EventLog, JournalGoneError
from onseju.push.chains import Chain, Chains, Core, CoreChains, PlainChains
from onseju.push.frames import CHANNEL, Codec, Frame, quick_frames, sse_bytes
from onseju.push.log import Cursor, LogPage, read_log

Waker = Callable[[], None]
"""Called when an account has new events. Must be cheap and must not raise: an `asyncio.Event`'s `set`."""

LOG_THREADS = 2
LOG_PAGE_FRAMES = 256
LOG_PAGES = 64
"""Pages of the log that are kept for others who ask for the same: at most about ten megabytes."""

LAST_IDX = (1 << 32) - 1
"""Behind every event of a command."""

PageKey = tuple[int, Cursor, Position, int]
"""Account, cursor, the last position wanted, and the most frames."""


class PositionAheadError(ValueError):
    """A cursor beyond the last event there is."""


class OtherJournalError(ValueError):
    """A cursor of another journal: the client must read everything anew."""


class TooOldError(ValueError):
    """What comes after a cursor is neither in the ring nor in the event log any more: a `reset` is due."""


class AccountRing:
    """The last `capacity_events` account events of the venue.

    `oldest` tells the number of the oldest command whose events the log still has. `core` makes the compiled core's chains of
    so many events, and has the core write the frames; without it both are plain.
    """

    def __init__(
        self,
        journal: EventLog,
        symbol_of: SymbolOf,
        capacity_events: int,
        oldest: Callable[[], int] = lambda: 1,
        core: Callable[[int], Core] | None = None,
    ) -> None:
        self._journal = journal
        self.oldest = oldest
        self._chains: Chains
        if core is None:
            self._codec = Codec(journal.journal_id, symbol_of)
            self._chains = PlainChains(self._codec, capacity_events)
        else:
            self._codec = Codec(journal.journal_id, symbol_of, quick_frames(journal.journal_id))
            self._chains = CoreChains(self._codec, core(capacity_events))
        self._wakers: dict[int, set[Waker]] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._pages: dict[PageKey, asyncio.Future[LogPage]] = {}
        self.head = BEFORE_ALL
        """The last event published, of whomever."""
        self.head_ts = 0

    @property
    def journal_id(self) -> str:
        return self._codec.journal_id

    def __len__(self) -> int:
        return len(self._chains)

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Take in published blocks (an `EventListener`): from the journal's first, none missing."""
        for run in runs_of(blocks):
            if run.first_seq != self.head.seq + 1:
                raise ValueError(f"event block {run.first_seq} came after {self.head.seq}")
            touched = self._chains.add(run)
            last = len(run.ends) - 1
            events = (run.ends[last] - (run.ends[last - 1] if last else 0)) // EVENT_BYTES
            self.head = Position(run.last_seq, events - 1)
            self.head_ts = run.timestamps[last]
            if self._wakers:
                for account in self._wakers.keys() & touched:
                    for wake in self._wakers[account]:
                        wake()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps (`exchange.checkpoint.View`): where each account's chain stands. Its events are in the log."""
        return {**self._chains.state(), "head": self.head, "head_ts": self.head_ts}

    def take_up(self, state: dict[str, Any]) -> None:
        """Stand where `state` was taken, as if the ring had let go of everything."""
        self._chains.take_up(state)
        self.head, self.head_ts = state["head"], state["head_ts"]

    def parse(self, event_id: str) -> Position:
        """A client's cursor. Raises `OtherJournalError`, `PositionAheadError`, and `ValueError` for what is no event id."""
        journal_id, position = parse_event_id(event_id)
        if journal_id != self.journal_id:
            raise OtherJournalError(event_id)
        if position > self.head:
            raise PositionAheadError(event_id)
        return position

    def is_too_old(self, account: int, after: Position) -> bool:
        """Whether some of the account's events after a position may be nowhere any more."""
        chain = self._chains.chain(account)
        return chain is not None and after < chain.evicted and after.seq + 1 < self.oldest()

    def first_place(self) -> Position:
        """The place before the oldest event that there still is."""
        oldest = self.oldest()
        return BEFORE_ALL if oldest <= 1 else Position(oldest - 1, LAST_IDX)

    def head_id(self) -> str:
        """The event id of the head: a cursor for what comes from now on."""
        return self.head.event_id(self.journal_id)

    def reader(self, account: int, after: Position | None = None) -> AccountReader:
        """A place in the account's chain: after a position, or (None) after everything there is now."""
        return AccountReader(self, account, after)

    def wake(self, account: int, waker: Waker) -> None:
        """Call `waker` whenever the account has new events, until `forget`."""
        self._wakers.setdefault(account, set()).add(waker)
        self._chains.watch(account, True)

    def forget(self, account: int, waker: Waker) -> None:
        """The opposite of `wake`."""
        found = self._wakers.get(account)
        if found is not None:
            found.discard(waker)
            if not found:
                del self._wakers[account]
                self._chains.watch(account, False)

    def reset_frame(self, account: int) -> tuple[bytes, bytes]:
        """`reset` as (SSE, JSON): everything must be read anew, and events come from here on."""
        event_id = self.head_id()
        data = {"account_id": account, "reason": "reset", "seq": self.head.seq}
        body = encode_envelope(
            Envelope(ch=CHANNEL, id=event_id, prev=None, type="reset", ts=timestamp(self.head_ts), data=data)
        )
        return sse_bytes(event_id, "reset", body), body

    def close(self) -> None:
        """End the threads."""
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None
        self._pages.clear()

    def chain(self, account: int) -> Chain | None:
        """What the ring holds of an account; None before its first event."""
        return self._chains.chain(account)

    async def read_page(self, account: int, cursor: Cursor, through: Position, limit: int) -> LogPage:
        """A page from the event log, at most to `through`: the last event that the ring let go."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(LOG_THREADS, thread_name_prefix="stream-log")
        # After an outage all streams of an account ask for the same page: it is read once, while it is being read and a
        # little longer. The log behind `evicted` never changes, so a page is right for ever.
        key = (account, cursor, through, limit)
        page = self._pages.get(key)
        if page is None:
            windows = self._chains.windows(account, cursor.after.seq)
            page = asyncio.get_running_loop().run_in_executor(
                self._threads,
                read_log,
                self._journal,
                self._codec,
                windows,
                account,
                cursor,
                through,
                limit,
                self.oldest(),
            )
            self._pages[key] = page
            while len(self._pages) > LOG_PAGES:
                del self._pages[next(iter(self._pages))]
        try:
            return await asyncio.shield(page)  # one client that leaves does not take it from the others
        except Exception:
            self._pages.pop(key, None)
            raise


class AccountReader:
    """One connection's place in its account's chain: gives every event after it, in order, none missing, none twice."""

    def __init__(self, ring: AccountRing, account: int, after: Position | None) -> None:
        self._ring = ring
        self._account = account
        self._chain = ring.chain(account)
        self._cursor = Cursor(ring.head if after is None else after, None, known=False)
        self._number: int | None = None
        """The account's number of the next event; None while it must be found in the log."""
        if self._chain is None:
            self._number = 0
        elif after is None:
            self._number = self._chain.end
        else:
            self._enter_ring(self._chain)

    @property
    def behind(self) -> bool:
        """Whether the next event is not in the ring any more: `take_from_log` has it."""
        if self._chain is None:
            self._chain = self._ring.chain(self._account)
        return self._chain is not None and (self._number is None or self._number < self._chain.start)

    def take(self, limit: int) -> list[Frame]:
        """The next frames out of the ring; empty = nothing new. Not to be called while `behind`."""
        if self.behind:
            raise LookupError("the ring does not hold the next event")
        chain = self._chain
        if chain is None or self._number is None:
            return []
        if self._number == chain.end:
            return []
        frames = chain.held(self._number, limit)
        self._number += len(frames)
        self._cursor = Cursor(frames[-1].position, frames[-1].position)
        return frames

    async def take_from_log(self, limit: int = LOG_PAGE_FRAMES) -> list[Frame]:
        """The next frames out of the event log, while `behind`. May be empty where the place alone moved on.

        Raises `TooOldError` where the log has let them go meanwhile.
        """
        chain = self._chain
        if chain is None:
            return []
        if self._ring.is_too_old(self._account, self._cursor.after):
            raise TooOldError(self._account)
        self._number = None
        try:
            page = await self._ring.read_page(self._account, self._cursor, chain.evicted, limit)
        except JournalGoneError:  # archived since the line above
            raise TooOldError(self._account) from None
        self._cursor = page.cursor
        self._enter_ring(chain)
        return page.frames

    async def next(self, limit: int) -> list[Frame]:
        """The next frames from wherever they are; empty = there are none now. Raises `TooOldError`."""
        while self.behind:
            frames = await self.take_from_log(limit)
            if frames:
                return frames
        return self.take(limit)

    def _enter_ring(self, chain: Chain) -> None:
        if self._cursor.after >= chain.evicted:
            self._number = chain.number_after(self._cursor.after)
