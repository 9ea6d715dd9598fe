"""The bus inside one process: a bounded queue to the exchange, function calls away from it. One event loop uses it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from onseju.bus.port import BusyError, DiskFullError, EventListener, StoppedError
from onseju.contract.commands import COMMAND_BYTES, KIND_OFFSET, AnyRequest, encode_command
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import MAX_TEXT_BYTES, EventBlock, Origin
from onseju.metrics.trace import REQUEST_ID

MAX_BATCH = 1024
"""At most so many commands are taken at once: the longest that one fsync keeps others waiting."""

_NO_TEXTS: Mapping[int, str] = {}
_CUT = f"commands are {COMMAND_BYTES} bytes each, and one at least"
_DISK_FULL = "the exchange's disk is full"

_Part = tuple[EventRun, int, int]
"""Places of a published run: from, to."""


class _Waiter:
    """A caller of `request`, and what it has got so far."""

    __slots__ = ("entered_s", "future", "missing", "parts", "request_id", "taken")

    def __init__(self, future: asyncio.Future[list[_Part]], size: int) -> None:
        self.future = future
        self.missing = size
        """Commands that are not answered yet."""
        self.parts: list[_Part] = []
        self.taken = False
        """Whether the exchange has taken some of it."""
        self.entered_s = time.perf_counter()
        self.request_id = REQUEST_ID.get()


class Pending:
    """Commands of one request on their way through the exchange: their bytes, seq and ts still zero, and texts by place."""

    __slots__ = ("commands", "count", "origins", "texts", "waiter")

    def __init__(
        self, commands: bytes, texts: Mapping[int, str], waiter: _Waiter, origins: Sequence[Origin] = ()
    ) -> None:
        self.commands = commands
        self.count = len(commands) // COMMAND_BYTES
        self.texts = texts
        self.waiter = waiter
        self.origins = origins
        """One a command; empty = all are the exchange's own."""

    def split(self, count: int) -> tuple[Pending, Pending]:
        """The first `count` commands, and the rest."""
        first = Pending(self.commands[: count * COMMAND_BYTES], self.texts, self.waiter, self.origins[:count])
        rest = Pending(self.commands[count * COMMAND_BYTES :], self.texts, self.waiter, self.origins[count:])
        if self.texts:
            first.texts = {at: text for at, text in self.texts.items() if at < count}
            rest.texts = {at - count: text for at, text in self.texts.items() if at >= count}
        return first, rest


class InprocBus:
    """Commands in, events out (`bus.port`): `request` and `subscribe` for everybody, the rest for the exchange.

    `capacity` bounds the commands that were taken and are not answered yet.
    """

    def __init__(self, capacity: int, *, max_batch: int = MAX_BATCH) -> None:
        self.capacity = capacity
        self._max_batch = max_batch
        self._queue: deque[Pending] = deque()
        self._unanswered = 0
        self._waiters: set[_Waiter] = set()
        self._wakeup: asyncio.Future[None] | None = None
        self._listeners: list[EventListener] = []
        self._stopped: str | None = None
        self._only: Collection[int] | None = None

    # for everybody

    async def request(self, requests: Sequence[AnyRequest]) -> list[EventBlock]:
        """Hand over requests, in order, and wait until each is durable and applied: one block each, in order.

        All or none of them are taken. A caller that is canceled while it waits takes nothing back. Raises `BusyError`
        (`DiskFullError` for what a full disk cannot take) or `StoppedError`; `ValueError` or `struct.error` for a
        command or a text that has no canonical bytes, and then none are taken.
        """
        if self._stopped is not None:
            raise StoppedError(self._stopped)
        if not requests:
            return []
        self._check_room(len(requests))
        texts = {at: request.text for at, request in enumerate(requests) if request.text}
        for text in texts.values():
            check_text(text)
        commands = b"".join([encode_command(request.command) for request in requests])
        if len(commands) != len(requests) * COMMAND_BYTES:
            raise ValueError(_CUT)
        parts = await self._enter(commands, texts)
        if len(requests) == 1:
            run, place, _ = parts[0]
            return [run[place]]
        return [block for run, start, stop in parts for block in run[start:stop]]

    async def request_records(
        self, records: bytes, texts: Mapping[int, str] = _NO_TEXTS, origins: Sequence[Origin] = (), /
    ) -> EventRun:
        """The same for one or more commands of 112 canonical, checked bytes each, seq and ts zero; `texts` are those of some,
        by their place; `origins` say where each came from, if not from the exchange's own process."""
        parts = await self.enter(records, texts, origins)
        return EventRun.joined([run.part(start, stop) for run, start, stop in parts])

    def enter(
        self, records: bytes, texts: Mapping[int, str] = _NO_TEXTS, origins: Sequence[Origin] = ()
    ) -> asyncio.Future[list[_Part]]:
        """Hand over what `request_records` takes, now: commands take their places in the order of these calls. The future
        tells when all are durable and applied, and where their blocks are. Raises as `request` does."""
        if self._stopped is not None:
            raise StoppedError(self._stopped)
        if not records or len(records) % COMMAND_BYTES:
            raise ValueError(_CUT)
        count = len(records) // COMMAND_BYTES
        if origins and len(origins) != count:
            raise ValueError(f"{len(origins)} origins are given for {count} commands")
        self._check_room(count)
        for text in texts.values():
            check_text(text)
        return self._enter(records, {at: text for at, text in texts.items() if text} if texts else texts, origins)

    def _check_room(self, count: int) -> None:
        if self._unanswered + count > self.capacity:
            raise BusyError(f"{self._unanswered} commands wait, and {self.capacity} may")

    def _enter(
        self, commands: bytes, texts: Mapping[int, str], origins: Sequence[Origin] = ()
    ) -> asyncio.Future[list[_Part]]:
        if self._only is not None and not _are_all(commands, self._only):
            raise DiskFullError(_DISK_FULL)
        count = len(commands) // COMMAND_BYTES
        waiter = _Waiter(asyncio.get_running_loop().create_future(), count)
        self._queue.append(Pending(commands, texts, waiter, origins))
        self._unanswered += count
        self._waiters.add(waiter)
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)
        return waiter.future

    def subscribe(self, listener: EventListener) -> None:
        """Call `listener` with every batch of blocks from now on, after the listeners that came before it."""
        self._listeners.append(listener)

    @property
    def waiting(self) -> int:
        """Commands that were taken and are not answered yet."""
        return self._unanswered

    @property
    def lets_in(self) -> Collection[int] | None:
        """The kinds of commands that are taken; None = all."""
        return self._only

    # for the exchange

    async def take(self) -> list[Pending]:
        """Wait until something waits; give all of it, in order, up to the largest batch. Raises `StoppedError`."""
        while not self._queue:
            if self._stopped is not None:
                raise StoppedError(self._stopped)
            self._wakeup = asyncio.get_running_loop().create_future()
            try:
                await self._wakeup
            finally:
                self._wakeup = None
        batch: list[Pending] = []
        room = self._max_batch
        while self._queue and room:
            pending = self._queue[0]
            if pending.count > room:
                if batch:
                    break  # it stays in one piece, as the first of the next batch, if it can
                pending, self._queue[0] = pending.split(room)
            else:
                self._queue.popleft()
            pending.waiter.taken = True
            batch.append(pending)
            room -= pending.count
        return batch

    def let_in(self, kinds: Collection[int] | None) -> None:
        """Take commands of these kinds only, and refuse what else waits with `DiskFullError`; None = take all again.

        A request of which a part was taken already is taken whole.
        """
        self._only = kinds
        if kinds is None:
            return
        refused: set[_Waiter] = set()
        kept: deque[Pending] = deque()
        for pending in self._queue:
            if pending.waiter.taken or _are_all(pending.commands, kinds):
                kept.append(pending)
            else:
                refused.add(pending.waiter)
                self._unanswered -= pending.count
        self._queue = kept
        for waiter in refused:
            self._waiters.discard(waiter)
            if not waiter.future.done():
                waiter.future.set_exception(DiskFullError(_DISK_FULL))

    def publish(self, run: EventRun) -> None:
        """Call every listener, in the order in which they subscribed."""
        for listener in self._listeners:
            listener(run)

    def answer(self, batch: Sequence[Pending], run: EventRun) -> None:
        """Give the blocks to those who wait for them: the run has one for each command of `batch`, in its order."""
        place = 0
        for pending in batch:
            waiter, count = pending.waiter, pending.count
            waiter.parts.append((run, place, place + count))
            place += count
            waiter.missing -= count
            if not waiter.missing:
                self._waiters.discard(waiter)
                if not waiter.future.done():  # its caller may have gone
                    waiter.future.set_result(waiter.parts)
        self._unanswered -= place

    def stop(self, error: BaseException | None = None) -> None:
        """Take nothing more, and tell all who wait why. The first stop counts."""
        if self._stopped is not None:
            return
        self._stopped = str(error) if error is not None else "the exchange was shut down"
        self._queue.clear()
        self._unanswered = 0
        for waiter in self._waiters:
            if not waiter.future.done():
                waiter.future.set_exception(StoppedError(self._stopped))
        self._waiters.clear()
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)


def _are_all(commands: bytes, kinds: Collection[int]) -> bool:
    return all(kind in kinds for kind in set(commands[KIND_OFFSET::COMMAND_BYTES]))


def check_text(text: str) -> None:
    """Raise `ValueError` where `text` cannot travel beside a command: too long, or not fit for a block's lines."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"a text may have {MAX_TEXT_BYTES} bytes")
    if "\t" in text or "\n" in text:
        raise ValueError("a text may not have tabs or line breaks")
