"""The single writer: number the commands, make them durable, apply them, and only then let their events out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence

import structlog

from onseju.bus.inproc import InprocBus, Pending
from onseju.bus.port import StoppedError
from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import Request
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock, JournalRecord, Origin
from onseju.exchange.applier import Applier
from onseju.exchange.checkpoint import Restored
from onseju.exchange.numbering import numbered
from onseju.exchange.recovery import Progress, compared, recover, without_collector
from onseju.exchange.writer import Step, Writer
from onseju.journal.port import Journal
from onseju.matching.engine import SEMANTICS_VERSION, Engine
from onseju.metrics.recorder import Recorder

_logger = structlog.get_logger(__name__)

SLICE_NS = 2_000_000
"""After so many nanoseconds of applying, others on the event loop get their turn."""

BEFORE_DISK = 128
"""So many commands are applied before the disk begins: it would hardly begin earlier. More are applied beside it."""

AT_ONCE = 1024
"""Commands that the engine gets in one call: half a millisecond of its work."""

ONE_BY_ONE = 16
"""Both for an engine that takes one command a call."""


def now_us() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


class ListenerFailedError(Exception):
    """Something that listens to the events raised, and may have missed some. They are durable: a new start repairs it."""


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
        self._replayed_epoch = 0
        self._listener_failed: asyncio.Future[None] | None = None

    def take_up(self, restored: Restored) -> None:
        """Begin with what was restored of a checkpoint. Before `follow` and `recover`; all who listen must stand there, too."""
        self._applier = Applier(restored.engine, restored.texts)
        seq, self._last_ts, self._replayed_epoch = restored.place[:3]
        self._next_seq = seq + 1

    def follow(self, commands: Iterator[CommandRun], logged: Iterator[EventRun]) -> None:
        """Apply what another leads and has made durable, after what was applied before: commands, and their event blocks, with
        which the engine's are compared. Everybody who listens gets the blocks. Nothing is written.

        Blocks; before `recover`, as often as there is something. Raises as `recover` does.
        """
        with without_collector():
            for run, blocks, _ in compared(commands, logged, self._applier):
                self._bus.publish(blocks)
                self._stands_at(run[-1])

    def recover(self, progress: Progress | None = None, restored: Restored | None = None, *, epoch: int = 0) -> None:
        """Replay the journal, compare with the event log and complete it, publish every block. Blocks; call it once.

        With what was `restored` of a checkpoint it begins there, with that engine; all who listen must stand there, too.
        What was followed stays. `epoch` is the leader's number where the journal has given one.

        Raises `RecoveryError` (the engine failed, or the event log differs; names the seq) and other `JournalError`.
        """
        if restored is not None:
            self.take_up(restored)
        last = recover(self.journal, self._applier, self._bus.publish, progress, self._next_seq - 1)
        if last is not None:
            self._stands_at(last)
        self.epoch = max(epoch, self._replayed_epoch + 1)
        self.head_seq = self._next_seq - 1

    def _stands_at(self, record: JournalRecord) -> None:
        self._next_seq, self._last_ts, self._replayed_epoch = record.seq + 1, record.ts, record.epoch

    @property
    def replayed_seq(self) -> int:
        """The last command that was numbered or replayed."""
        return self._next_seq - 1

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
        self._listener_failed = asyncio.get_running_loop().create_future()
        writer = Writer(self.journal, self._out, self._bus.let_in)
        writer.start()
        taking = asyncio.create_task(self._take(writer), name="sequencer")
        ends: set[asyncio.Future[None]] = {taking, writer.ended, self._listener_failed}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            try:
                taking.cancel()
                await asyncio.wait({taking})
            finally:
                try:
                    await writer.end()
                finally:
                    self._tell_end([self._listener_failed, writer.ended, taking])
                    self._bus.stop(self.stopped)

    def _tell_end(self, ends: Sequence[asyncio.Future[None]]) -> None:
        """The first failure is the one that counts."""
        failures = [end.exception() for end in ends if end.done() and not end.cancelled()]
        error = next((failure for failure in failures if failure is not None), None)
        if error is not None and not isinstance(error, StoppedError):
            self.stopped = error
            _logger.critical("exchange_stopped", head_seq=self.head_seq, error=str(error), exc_info=error)

    async def _take(self, writer: Writer) -> None:
        """Number what comes, hand it to the writer, and apply it meanwhile; the disk is not waited for."""
        while True:
            batch = await self._bus.take()
            began_s = time.perf_counter()
            commands = self._sequence(batch)
            self._stages["queue"].observe(began_s - batch[0].waiter.entered_s, len(commands))
            step = Step(batch, commands, began_s)
            if len(commands) <= (BEFORE_DISK if self._applier.takes_many else ONE_BY_ONE):
                try:
                    step.events = self._applier.apply(commands)
                    self._stages["apply"].observe(time.perf_counter() - began_s, len(commands))
                finally:
                    writer.put(step)
                continue
            writer.put(step)
            applying = asyncio.create_task(self._apply(step))
            try:
                await asyncio.shield(applying)
            except asyncio.CancelledError:
                await asyncio.wait({applying})
                raise
            finally:
                writer.put(step)

    async def _apply(self, step: Step) -> None:
        """Apply a long step piece by piece, others having their turn in between."""
        at_once = AT_ONCE if self._applier.takes_many else min(AT_ONCE, ONE_BY_ONE)
        began = time.monotonic_ns()
        parts: list[EventRun] = []
        count = len(step.commands)
        for first in range(0, count, at_once):
            parts.append(self._applier.apply(step.commands.part(first, min(first + at_once, count))))
            if time.monotonic_ns() - began > SLICE_NS:
                await asyncio.sleep(0)
                began = time.monotonic_ns()
        step.events = EventRun.joined(parts)
        self._stages["apply"].observe(time.perf_counter() - step.began_s, count)

    def _out(self, steps: Sequence[Step], run: EventRun) -> None:
        """Durable steps' events, which are in the event log: to those who listen, to those who wait."""
        if self._listener_failed is None or self._listener_failed.done():
            return
        stages, began_s = self._stages, time.perf_counter()
        try:
            self._bus.publish(run)
        except Exception as error:
            failure = ListenerFailedError(f"A listener failed at seq {run.first_seq} to {run.last_seq}: {error!r}.")
            failure.__cause__ = error
            self._listener_failed.set_exception(failure)
            return
        self.head_seq = run.last_seq
        self._bus.answer([pending for step in steps for pending in step.batch], run)
        ended_s = time.perf_counter()
        stages["events"].observe(steps[0].logged_s - steps[0].ready_s, len(run))
        stages["publish"].observe(ended_s - began_s, len(run))
        for step in steps:
            count = len(step.commands)
            stages["journal"].observe(step.flushed_s - step.began_s, count)
            stages["commit"].observe(ended_s - step.began_s, count)
        if self._trace:
            ids = dict.fromkeys(pending.waiter.request_id for step in steps for pending in step.batch)
            _logger.debug("committed", seq=run.first_seq, through=run.last_seq, request_ids=list(ids))

    def _sequence(self, batch: Sequence[Pending]) -> CommandRun:
        """What was taken at once gets the next numbers, and one time."""
        data = batch[0].commands if len(batch) == 1 else b"".join([pending.commands for pending in batch])
        texts: dict[int, str] = {}
        origins: list[Origin] = []
        place = 0
        for pending in batch:
            if pending.texts:
                for at, text in pending.texts.items():
                    texts[place + at] = text
            if pending.origins:
                origins += [Origin()] * (place - len(origins))  # of the exchange's own before
                origins += pending.origins
            place += pending.count
        if origins:
            origins += [Origin()] * (place - len(origins))
        first_seq, ts = self._next_seq, max(self._last_ts, self._clock())
        self._next_seq, self._last_ts = first_seq + place, ts
        return CommandRun(
            venue=self._venue,
            epoch=self.epoch,
            semantics=SEMANTICS_VERSION,
            first_seq=first_seq,
            data=numbered(data, first_seq, ts),
            texts=texts,
            origins=origins,
        )
