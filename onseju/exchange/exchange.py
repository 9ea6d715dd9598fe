"""The single writer: number the commands, make them durable, apply them, and only then let their events out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog

from onseju.bus.inproc import InprocBus, Pending
from onseju.bus.port import StoppedError
from onseju.contract.commands import CommandKind, Request, sequence
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.exchange.applier import Applier
from onseju.exchange.checkpoint import Restored
from onseju.exchange.recovery import Progress, recover
from onseju.journal.port import Journal, JournalError, JournalFullError
from onseju.matching.engine import SEMANTICS_VERSION, Engine
from onseju.metrics.recorder import Recorder

_logger = structlog.get_logger(__name__)

SLICE_NS = 2_000_000
"""After so many nanoseconds of applying, others on the event loop get their turn."""

AT_ONCE = 32
"""Commands that the engine gets in one call."""

ROOM_POLL_S = 0.25
"""How often a full disk is asked for room."""

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

T = TypeVar("T")


def now_us() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


class ListenerFailedError(Exception):
    """Something that listens to the events raised, and may have missed some. They are durable: a new start repairs it."""


class _Step:
    """What was taken at once, on its way: numbered, written and applied at the same time, then out."""

    __slots__ = ("applied", "batch", "began_s", "blocks", "records")

    def __init__(self, batch: list[Pending], records: list[JournalRecord], began_s: float) -> None:
        self.began_s = began_s
        """When it was taken, on `time.perf_counter`."""
        self.batch = batch
        self.records = records
        self.blocks: list[EventBlock] = []
        self.applied = asyncio.Event()
        """Set when the engine is done with it, or has failed."""

    @property
    def is_applied(self) -> bool:
        return len(self.blocks) == len(self.records)


class Exchange:
    """One venue's exchange. `recover`, then `run`; only then may anything be requested on the bus.

    Nothing derived from a command (answer, event, trade, row) leaves before the journal is durable through it.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        bus: InprocBus,
        *,
        venue: int,
        clock: Callable[[], int] = now_us,
        recorder: Recorder | None = None,
    ) -> None:
        self.journal = journal
        self.stopped: BaseException | None = None
        """Why the exchange takes no more commands; None while it does, and after an orderly end."""
        self.head_seq = 0
        """The last number whose events are durable and out."""
        self.epoch = 0
        """The leader's number, one more at each start. 0 before `recover`."""
        self._applier = Applier(engine)
        self._bus = bus
        self._venue = venue
        self._clock = clock
        recorder = recorder or Recorder()
        self._stages, self._trace = recorder.stages, recorder.trace
        self._next_seq = 1
        self._last_ts = 0
        self._steps: list[_Step] = []
        """What the writer has not taken up yet. The bus bounds it."""
        self._something: asyncio.Future[None] | None = None
        self._ending = False
        self._room: asyncio.Task[None] | None = None

    def recover(self, progress: Progress | None = None, restored: Restored | None = None) -> None:
        """Replay the journal, compare with the event log and complete it, publish every block. Blocks; call it once.

        With what was `restored` of a checkpoint it begins there, with that engine; all who listen must stand there, too.

        Raises `RecoveryError` (the engine failed, or the event log differs; names the seq) and other `JournalError`.
        """
        seq = epoch = 0
        if restored is not None:
            self._applier = Applier(restored.engine, restored.texts)
            seq, self._last_ts, epoch = restored.place[:3]
        last = recover(self.journal, self._applier, self._bus.publish, progress, seq)
        if last is not None:
            seq, self._last_ts, epoch = last.seq, last.ts, last.epoch
        self._next_seq = seq + 1
        self.epoch = epoch + 1
        self.head_seq = self._next_seq - 1

    @property
    def last_ts(self) -> int:
        """The last command's time, microseconds since 1970; 0 while there is none."""
        return self._last_ts

    async def execute(self, commands: Sequence[Request]) -> list[EventBlock]:
        """What `CommandBus.request` does."""
        return await self._bus.request(commands)

    async def run(self) -> None:
        """Work until canceled, or until the engine, the journal or a listener fails: then `stopped` says why.

        What was taken is finished before the task ends, unless the disk is full.
        """
        if self.epoch == 0:
            raise RuntimeError("recover() comes before run()")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal")
        taking = asyncio.create_task(self._take(), name="sequencer")
        writing = asyncio.create_task(self._write(), name="writer")
        try:
            await asyncio.wait({taking, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            try:
                await self._finish(taking, writing)
            finally:
                self._bus.stop(self.stopped)
                self._writer.shutdown()

    async def _finish(self, taking: asyncio.Task[None], writing: asyncio.Task[None]) -> None:
        """End both tasks: nothing more is taken, what was taken is written. The first failure is the one that counts."""
        taking.cancel()
        await asyncio.wait({taking})
        self._ending = True
        self._wake()
        await asyncio.wait({writing})
        if self._room is not None:
            self._room.cancel()
            await asyncio.wait({self._room})
        failures = [task.exception() for task in (writing, taking) if not task.cancelled()]
        error = next((failure for failure in failures if failure is not None), None)
        if error is not None and not isinstance(error, StoppedError):
            self.stopped = error
            _logger.critical("exchange_stopped", head_seq=self.head_seq, error=str(error), exc_info=error)

    async def _take(self) -> None:
        """Number what comes, hand it to the writer, and apply it meanwhile; the disk is not waited for."""
        while True:
            batch = await self._bus.take()
            began_s = time.perf_counter()
            self._stages["queue"].observe(began_s - batch[0].waiter.entered_s, len(batch))
            step = _Step(batch, [self._sequence(pending) for pending in batch], began_s)
            self._steps.append(step)
            self._wake()
            if len(step.records) <= AT_ONCE:  # the usual case: over before the disk has begun
                self._apply_now(step)
                continue
            applying = asyncio.create_task(self._apply(step))
            try:
                await asyncio.shield(applying)
            except asyncio.CancelledError:
                await asyncio.wait({applying})
                raise

    async def _write(self) -> None:
        """Group commit: one write and one flush for all that was taken while the last was running, then its events.

        The journal's disk works while the engine does; of each step the answers leave when both are done.
        """
        while True:
            while not self._steps:
                if self._ending:
                    return
                self._something = asyncio.get_running_loop().create_future()
                await self._something
            steps, self._steps = self._steps, []
            await self._durably(self.journal.append, [record for step in steps for record in step.records])
            flushed_s = time.perf_counter()
            done: list[_Step] = []
            for step in steps:
                self._stages["journal"].observe(flushed_s - step.began_s, len(step.records))
                if not step.applied.is_set():
                    await step.applied.wait()
                if not step.is_applied:
                    break
                done.append(step)
            if done:
                await self._out(done)
            if len(done) < len(steps):
                return  # the sequencer says why

    async def _out(self, steps: Sequence[_Step]) -> None:
        """Durable steps' events: to the event log, to those who listen, to those who wait."""
        stages, began_s = self._stages, time.perf_counter()
        blocks = [block for step in steps for block in step.blocks]
        await self._durably(self.journal.append_events, blocks)
        logged_s = time.perf_counter()
        stages["events"].observe(logged_s - began_s, len(blocks))
        try:
            self._bus.publish(blocks)
        except Exception as error:
            raise ListenerFailedError(
                f"A listener failed at seq {blocks[0].seq} to {blocks[-1].seq}: {error!r}."
            ) from error
        self.head_seq = blocks[-1].seq
        self._bus.answer([pending for step in steps for pending in step.batch], blocks)
        ended_s = time.perf_counter()
        stages["publish"].observe(ended_s - logged_s, len(blocks))
        for step in steps:
            stages["commit"].observe(ended_s - step.began_s, len(step.blocks))
        if self._trace:
            ids = dict.fromkeys(pending.waiter.request_id for step in steps for pending in step.batch)
            _logger.debug("committed", seq=blocks[0].seq, through=blocks[-1].seq, request_ids=list(ids))

    async def _durably(self, append: Callable[[list[T]], None], items: list[T]) -> None:
        """Append in the writer's thread. On a full disk it waits for room: nothing was written, so nothing is lost."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._writer, append, items)
            except JournalFullError:
                if self._ending:
                    raise
                self._bus.let_in(())
                self._watch_room()
                await asyncio.sleep(ROOM_POLL_S)
                continue
            if self.journal.is_full:
                self._bus.let_in(MAY_PASS)
                self._watch_room()
            return

    def _watch_room(self) -> None:
        if self._room is None:
            _logger.error("disk_full", head_seq=self.head_seq)
            self._room = asyncio.create_task(self._wait_for_room(), name="disk")

    async def _wait_for_room(self) -> None:
        """Until the disk has room again: then everything is let in."""
        loop = asyncio.get_running_loop()
        while not self._ending:
            await asyncio.sleep(ROOM_POLL_S)
            try:
                if not await loop.run_in_executor(self._writer, self.journal.make_room):
                    continue
            except (JournalError, RuntimeError):  # it has failed or ended: the writer says so
                break
            _logger.warning("disk_has_room", head_seq=self.head_seq)
            self._bus.let_in(None)
            break
        self._room = None

    def _wake(self) -> None:
        if self._something is not None and not self._something.done():
            self._something.set_result(None)

    def _sequence(self, pending: Pending) -> JournalRecord:
        seq, ts = self._next_seq, max(self._last_ts, self._clock())
        self._next_seq, self._last_ts = seq + 1, ts
        return JournalRecord(
            venue=self._venue,
            epoch=self.epoch,
            semantics=SEMANTICS_VERSION,
            command=sequence(pending.command, seq, ts),
            text=pending.request.text,
        )

    def _apply_now(self, step: _Step) -> None:
        try:
            step.blocks = self._applier.apply_all(step.records)
            self._stages["apply"].observe(time.perf_counter() - step.began_s, len(step.blocks))
        finally:
            step.applied.set()

    async def _apply(self, step: _Step) -> None:
        began = time.monotonic_ns()
        try:
            for first in range(0, len(step.records), AT_ONCE):
                step.blocks += self._applier.apply_all(step.records[first : first + AT_ONCE])
                if time.monotonic_ns() - began > SLICE_NS:
                    await asyncio.sleep(0)
                    began = time.monotonic_ns()
            self._stages["apply"].observe(time.perf_counter() - step.began_s, len(step.blocks))
        finally:
            step.applied.set()
