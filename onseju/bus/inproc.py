"""The bus inside one process: a bounded queue to the exchange, function calls away from it. One event loop uses it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from onseju.bus.port import BusyError, DiskFullError, EventListener, StoppedError
from onseju.contract.commands import COMMAND_BYTES, AnyRequest, EncodedCommand, EncodedRequest, encode_command
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import MAX_TEXT_BYTES, EventBlock
from onseju.metrics.trace import REQUEST_ID

MAX_BATCH = 1024
"""At most so many commands are taken at once: the longest that one fsync keeps others waiting."""

_NO_TEXTS: Mapping[int, str] = {}
_DISK_FULL = "the exchange's disk is full"


class _Waiter:
    """A caller of `request`, and the blocks that it has got so far."""

    __slots__ = ("blocks", "entered_s", "future", "request_id", "size", "taken")

    def __init__(self, future: asyncio.Future[list[EventBlock]], size: int) -> None:
        self.future = future
        self.size = size
        self.blocks: list[EventBlock] = []
        self.taken = False
        """Whether the exchange has taken some of it."""
        self.entered_s = time.perf_counter()
        self.request_id = REQUEST_ID.get()


class Pending:
    """One request on its way through the exchange. `command` is its bytes, seq and ts still zero."""

    __slots__ = ("command", "request", "waiter")

    def __init__(self, request: AnyRequest, command: bytes, waiter: _Waiter) -> None:
        self.request = request
        self.command = command
        self.waiter = waiter


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
        if self._unanswered + len(requests) > self.capacity:
            raise BusyError(f"{self._unanswered} commands wait, and {self.capacity} may")
        if self._only is not None and not all(request.command.kind in self._only for request in requests):
            raise DiskFullError(_DISK_FULL)
        waiter = _Waiter(asyncio.get_running_loop().create_future(), len(requests))
        for request in requests:
            check_text(request.text)
        self._queue.extend([Pending(request, encode_command(request.command), waiter) for request in requests])
        self._unanswered += len(requests)
        self._waiters.add(waiter)
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)
        return await waiter.future

    async def request_records(self, records: bytes, texts: Mapping[int, str] = _NO_TEXTS) -> EventRun:
        """The same for one or more commands of 112 canonical, checked bytes each, seq and ts zero; `texts` are those of some,
        by their place."""
        commands = [records[at : at + COMMAND_BYTES] for at in range(0, len(records), COMMAND_BYTES)]
        return EventRun.of(
            await self.request(
                [EncodedRequest(EncodedCommand(data), texts.get(at, "")) for at, data in enumerate(commands)]
            )
        )

    def subscribe(self, listener: EventListener) -> None:
        """Call `listener` with every batch of blocks from now on, after the listeners that came before it."""
        self._listeners.append(listener)

    @property
    def waiting(self) -> int:
        """Commands that were taken and are not answered yet."""
        return self._unanswered

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
        count = min(len(self._queue), self._max_batch)
        batch = [self._queue.popleft() for _ in range(count)]
        for pending in batch:
            pending.waiter.taken = True
        return batch

    def let_in(self, kinds: Collection[int] | None) -> None:
        """Take commands of these kinds only, and refuse what else waits with `DiskFullError`; None = take all again.

        A request of which a part was taken already is taken whole.
        """
        self._only = kinds
        if kinds is None:
            return
        refused = {
            pending.waiter
            for pending in self._queue
            if pending.request.command.kind not in kinds and not pending.waiter.taken
        }
        kept = [pending for pending in self._queue if pending.waiter not in refused]
        self._unanswered -= len(self._queue) - len(kept)
        self._queue = deque(kept)
        for waiter in refused:
            self._waiters.discard(waiter)
            if not waiter.future.done():
                waiter.future.set_exception(DiskFullError(_DISK_FULL))

    def publish(self, blocks: Sequence[EventBlock]) -> None:
        """Call every listener, in the order in which they subscribed."""
        for listener in self._listeners:
            listener(blocks)

    def answer(self, batch: Sequence[Pending], blocks: Sequence[EventBlock]) -> None:
        """Give the blocks to those who wait for them: one for each of `batch`, in its order."""
        for pending, block in zip(batch, blocks, strict=True):
            waiter = pending.waiter
            waiter.blocks.append(block)
            if len(waiter.blocks) == waiter.size:
                self._waiters.discard(waiter)
                if not waiter.future.done():  # its caller may have gone
                    waiter.future.set_result(waiter.blocks)
        self._unanswered -= len(batch)

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


def check_text(text: str) -> None:
    """Raise `ValueError` where `text` cannot travel beside a command: too long, or not fit for a block's lines."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"a text may have {MAX_TEXT_BYTES} bytes")
    if "\t" in text or "\n" in text:
        raise ValueError("a text may not have tabs or line breaks")
