"""The thread that the disk is waited for in: group commit of the journal, then the event log, then the word back."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

import structlog

from onseju.bus.inproc import Pending
from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import CommandKind
from onseju.contract.event_runs import EventRun
from onseju.journal.port import Journal, JournalFullError

_R = TypeVar("_R", CommandRun, EventRun)

_logger = structlog.get_logger(__name__)

ROOM_POLL_S = 0.25
"""How often a full disk is asked for room."""

TOGETHER = 512
"""Commands whose events leave as one run. A long step's leave alone, and need not be put together and taken apart again."""

MAY_PASS = frozenset(
    {
        CommandKind.CANCEL_ORDER,
        CommandKind.CANCEL_ALL,
        CommandKind.CHANGE_PHASE,
        CommandKind.HALT,
        CommandKind.RESUME,
        CommandKind.ROLL_DAY,
        CommandKind.UNCROSS,
        CommandKind.START_EPOCH,
        CommandKind.CLOSE_GATEWAY_GAP,
        CommandKind.NOTE_ADMIN,
    }
)
"""What the journal's reserve is for: the commands that are taken on a full disk."""


class Step:
    """What was taken at once, on its way: numbered, written and applied at the same time, then out."""

    __slots__ = ("batch", "began_s", "commands", "events", "flushed_s", "logged_s", "ready_s", "written")

    def __init__(self, batch: Sequence[Pending], commands: CommandRun, began_s: float) -> None:
        self.batch = batch
        self.commands = commands
        self.events: EventRun | None = None
        """What the engine gave; None before."""
        self.written = False
        """Whether the writer has taken it up."""
        self.began_s = began_s
        """When it was taken, on `time.perf_counter`; the same clock says when it was flushed, when its events' turn came,
        and when they were in the event log."""
        self.flushed_s = self.ready_s = self.logged_s = began_s


class Writer:
    """Writes the journal in a thread of its own, from `start` until `end`.

    The event loop gives it steps in the order of their numbers (`put`), and each again when its events are there, if they
    were not. One flush serves all steps that came while the last was running. The loop gets back, by `out`, steps that are
    durable, applied and in the event log. On a full disk it waits for room (nothing was written, so nothing is lost), and
    tells by `let_in` what may be taken: None is everything. `ended` is done when the thread is: with the error, if one
    ended it.
    """

    def __init__(
        self,
        journal: Journal,
        out: Callable[[list[Step], EventRun], None],
        let_in: Callable[[Collection[int] | None], None],
    ) -> None:
        self._journal = journal
        self._out = out
        self._let_in = let_in
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._queue: SimpleQueue[Step | None] = SimpleQueue()
        self._waiting: deque[Step] = deque()
        """Durable steps whose events are not out."""
        self._ending = threading.Event()
        self._only: Collection[int] | None = None
        """What may be taken, as it was told last."""
        self._look_at_s = 0.0
        """When a full disk is asked for room again."""
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    # for the event loop

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def put(self, step: Step) -> None:
        """Write the step; or, when it was put before, let its events out."""
        self._queue.put(step)

    async def end(self) -> None:
        """Finish all that was put, unless the disk is full, and return when that is done. Steps that have no events by then
        stay in the journal alone. Raises nothing: `ended` has the error."""
        self._ending.set()
        self._queue.put(None)
        await asyncio.wait({self.ended})
        self._thread.join()

    # in the thread

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._work()
        except BaseException as caught:  # the event loop raises it
            error = caught
        self._tell(self._end, error)

    def _end(self, error: BaseException | None) -> None:
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)

    def _work(self) -> None:
        is_last = False
        while not is_last:
            items = self._next()
            is_last = None in items
            steps: list[Step] = []
            for step in items:
                if step is not None and not step.written:
                    step.written = True
                    steps.append(step)
            self._events()  # of what is durable already: it need not wait for the next flush
            if not steps:
                continue
            self._durably(self._journal.append, CommandRun.joined([step.commands for step in steps]))
            flushed_s = time.perf_counter()
            for step in steps:
                step.flushed_s = flushed_s
            self._waiting += steps
            self._events()

    def _next(self) -> list[Step | None]:
        """All that was put; nothing while a full disk is to be asked for room."""
        items: list[Step | None] = []
        with contextlib.suppress(Empty):
            items.append(self._queue.get(timeout=None if self._only is None else ROOM_POLL_S))
            while items[-1] is not None:
                items.append(self._queue.get_nowait())
        if self._only is not None:
            self._look_for_room()
        return items

    def _events(self) -> None:
        """The events of durable steps, as far as they are there: to the event log, and out."""
        steps: list[Step] = []
        runs: list[EventRun] = []
        room = TOGETHER
        while self._waiting and (events := self._waiting[0].events) is not None:
            if steps and len(events) > room:
                self._log(steps, runs)
                steps, runs, room = [], [], TOGETHER
            steps.append(self._waiting.popleft())
            runs.append(events)
            room -= len(events)
        if steps:
            self._log(steps, runs)

    def _log(self, steps: list[Step], runs: list[EventRun]) -> None:
        ready_s = time.perf_counter()
        run = EventRun.joined(runs)
        self._durably(self._journal.append_events, run)
        logged_s = time.perf_counter()
        for step in steps:
            step.ready_s, step.logged_s = ready_s, logged_s
        self._tell(self._out, steps, run)

    def _durably(self, append: Callable[[_R], None], run: _R) -> None:
        while True:
            try:
                append(run)
            except JournalFullError:
                if self._ending.is_set():
                    raise
                self._restrict(())
                self._ending.wait(ROOM_POLL_S)
                self._look_for_room()
                continue
            if self._journal.is_full:
                self._restrict(MAY_PASS)
            return

    def _restrict(self, kinds: Collection[int]) -> None:
        if self._only is None:
            _logger.error("disk_full", head_seq=self._journal.last_event_seq)
            self._look_at_s = time.monotonic() + ROOM_POLL_S
        if self._only != kinds:
            self._only = kinds
            self._tell(self._let_in, kinds)

    def _look_for_room(self) -> None:
        """Now and then: whether the disk has room again. Then everything is let in."""
        if time.monotonic() < self._look_at_s:
            return
        self._look_at_s = time.monotonic() + ROOM_POLL_S
        if self._journal.make_room():
            _logger.warning("disk_has_room", head_seq=self._journal.last_event_seq)
            self._only = None
            self._tell(self._let_in, None)

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        self._loop.call_soon_threadsafe(call, *arguments)
