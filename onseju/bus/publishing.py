"""What has happened, to the topic of executions: many commands' events a message, a few messages on their way at once, each
sent again with the same bytes until the carrier has it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

import structlog

from onseju.bus.messages import encode_events, headers_of
from onseju.bus.transport import Sender
from onseju.contract.event_runs import EventRun

_logger = structlog.get_logger(__name__)

ON_WAY = 8
"""Messages on their way at once. Readers restore the order."""

TOGETHER_BYTES = 256 * 1024
TOGETHER = 1024
"""What waits leaves as one message, up to about so many bytes of events and so many commands."""

RETRY_S = (0.05, 1.0)
"""After a failed send: the first pause, doubled each time up to the second."""


class EventLog(Protocol):
    """What the ends of the bus read of the event log. Both calls may block: they are made in a thread."""

    def refresh(self) -> object:
        """See what others have appended."""
        ...

    def read_event_runs(self, after_seq: int = 0) -> Iterator[EventRun]:
        """The event blocks after `after_seq` (`journal.port`)."""
        ...


class Publisher:
    """Sends runs in the order in which they are put. Used from one event loop; `on_known` is told of progress there."""

    def __init__(self, sender: Sender, topic: str, known_through: int, on_known: Callable[[int], None]) -> None:
        self.known_through = known_through
        """The carrier is known to have the events of all commands through this one."""
        self.sent = 0
        """Messages that the carrier took."""
        self.failed = 0
        """Sends whose outcome was unknown, and that were made again."""
        self._sender = sender
        self._topic = topic
        self._on_known = on_known
        self._queue: deque[EventRun] = deque()
        self._work = asyncio.Event()
        self.idle = asyncio.Event()
        """Set while nothing waits to be sent, and nothing is on its way."""
        self.idle.set()
        self._slots = asyncio.Semaphore(ON_WAY)
        self._sending: set[asyncio.Task[None]] = set()
        self._done: dict[int, int] = {}
        """Messages that are out, but not all before them: first and last number."""

    @property
    def behind(self) -> int:
        """Runs that wait to be sent, and messages on their way."""
        return len(self._queue) + len(self._sending)

    def put(self, run: EventRun) -> None:
        """Send the run, which goes on with the one before."""
        self._queue.append(run)
        self.idle.clear()
        self._work.set()

    async def republish(self, log: EventLog, after_seq: int, through_seq: int) -> None:
        """Send the events of these commands again, as the log has them. Raises `JournalError`."""
        runs = log.read_event_runs(after_seq)
        while after_seq < through_seq:
            run = await asyncio.to_thread(next, runs, None)
            if run is None:
                return
            run = run.part(0, min(len(run), through_seq - run.first_seq + 1))
            await self._leave(run)
            after_seq = run.last_seq

    def leave_out(self, through_seq: int) -> None:
        """Take it that the carrier need not have the events through this command."""
        self._move(through_seq)

    async def run(self) -> None:
        """Send what is put, until canceled; then nothing more is sent again."""
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                while self._queue:
                    await self._slots.acquire()
                    self._slots.release()  # only now, so that what comes meanwhile goes along
                    await self._leave(self._together())
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    def _together(self) -> EventRun:
        runs = [self._queue.popleft()]
        count, size = len(runs[0]), len(runs[0].payload)
        while self._queue and self._queue[0].shared == runs[0].shared:
            count, size = count + len(self._queue[0]), size + len(self._queue[0].payload)
            if count > TOGETHER or size > TOGETHER_BYTES:
                break
            runs.append(self._queue.popleft())
        return EventRun.joined(runs)

    async def _leave(self, run: EventRun) -> None:
        """Send the run in one message; in several where it is long."""
        for part in parts_of(run):
            await self._slots.acquire()
            task = asyncio.get_running_loop().create_task(
                self._send(part.first_seq, part.last_seq, encode_events(part))
            )
            self._sending.add(task)
            self.idle.clear()
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._slots.release()
        if not self.behind:
            self.idle.set()

    async def _send(self, first: int, last: int, body: bytes) -> None:
        headers = headers_of(body)
        pause_s = RETRY_S[0]
        while True:
            try:
                await asyncio.wrap_future(self._sender.send(self._topic, body, headers))
                break
            except Exception as error:  # whatever it was, the outcome is unknown
                self.failed += 1
                _logger.warning("executions_sent_again", first_seq=first, last_seq=last, error=repr(error))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RETRY_S[1])
        self.sent += 1
        self._done[first] = max(last, self._done.get(first, 0))
        self._move(self.known_through)

    def _move(self, through: int) -> None:
        """On to `through`, and over what is out behind it."""
        while (reached := self._done.pop(through + 1, None)) is not None:
            through = reached
        if through > self.known_through:
            self.known_through = through
            self._done = {first: last for first, last in self._done.items() if last > through}
            self._on_known(through)


def parts_of(run: EventRun) -> Iterator[EventRun]:
    """The run in pieces of about `TOGETHER_BYTES` of events; one command's stay together."""
    start = 0
    for at in range(len(run)):
        begin = run.ends[start - 1] if start else 0
        if at > start and run.ends[at] - begin > TOGETHER_BYTES:
            yield run.part(start, at)
            start = at
    yield run.part(start, len(run))
