"""The single writer: number the commands, make them durable, apply them, and only then let their events out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from onseju.bus.inproc import InprocBus, Pending
from onseju.bus.port import StoppedError
from onseju.contract.commands import Request, sequence
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.exchange.applier import Applier
from onseju.exchange.recovery import Progress, recover
from onseju.journal.port import Journal
from onseju.matching.engine import SEMANTICS_VERSION, Engine
from onseju.metrics.recorder import Recorder

_logger = structlog.get_logger(__name__)

SLICE_NS = 2_000_000
"""After so many nanoseconds of applying, others on the event loop get their turn."""


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

    def recover(self, progress: Progress | None = None) -> None:
        """Replay the journal, compare with the event log and complete it, publish every block. Blocks; call it once.

        Raises `RecoveryError` (the engine failed, or the event log differs; names the seq) and other `JournalError`.
        """
        last = recover(self.journal, self._applier, self._bus.publish, progress)
        if last is not None:
            self._next_seq = last.seq + 1
            self._last_ts = last.ts
        self.epoch = 1 if last is None else last.epoch + 1
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

        A batch that was taken is finished before the task ends.
        """
        if self.epoch == 0:
            raise RuntimeError("recover() comes before run()")
        writer = ThreadPoolExecutor(1, thread_name_prefix="journal")
        try:
            while True:
                batch = await self._bus.take()
                step = asyncio.ensure_future(self._step(batch, writer))
                try:
                    await asyncio.shield(step)
                except asyncio.CancelledError:
                    await step
                    raise
        except StoppedError:
            return
        except Exception as error:
            self.stopped = error
            _logger.critical("exchange_stopped", head_seq=self.head_seq, error=str(error), exc_info=error)
        finally:
            self._bus.stop(self.stopped)
            writer.shutdown()

    async def _step(self, batch: Sequence[Pending], writer: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        began, count, stages = time.perf_counter(), len(batch), self._stages
        stages["queue"].observe(began - batch[0].waiter.entered_s, count)
        records = [self._sequence(pending) for pending in batch]
        durable = loop.run_in_executor(writer, self._append, records)
        try:
            blocks = await self._apply(records)
            stages["apply"].observe(time.perf_counter() - began, count)
        finally:
            # whatever the engine says, the disk's answer is waited for
            await asyncio.wait([durable])
        durable.result()
        flushed = time.perf_counter()
        await loop.run_in_executor(writer, self.journal.append_events, blocks)
        logged = time.perf_counter()
        stages["events"].observe(logged - flushed, count)
        try:
            self._bus.publish(blocks)
        except Exception as error:
            raise ListenerFailedError(
                f"A listener failed at seq {blocks[0].seq} to {blocks[-1].seq}: {error!r}."
            ) from error
        self.head_seq = blocks[-1].seq
        self._bus.answer(batch, blocks)
        ended = time.perf_counter()
        stages["publish"].observe(ended - logged, count)
        stages["commit"].observe(ended - began, count)
        if self._trace:
            ids = dict.fromkeys(pending.waiter.request_id for pending in batch)
            _logger.debug("committed", seq=blocks[0].seq, through=blocks[-1].seq, request_ids=list(ids))

    def _append(self, records: Sequence[JournalRecord]) -> None:
        """In the writer's thread."""
        began = time.perf_counter()
        self.journal.append(records)
        self._stages["journal"].observe(time.perf_counter() - began, len(records))

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

    async def _apply(self, records: Sequence[JournalRecord]) -> list[EventBlock]:
        blocks = []
        began = time.monotonic_ns()
        for record in records:
            blocks.append(self._applier.apply(record))
            if time.monotonic_ns() - began > SLICE_NS:
                await asyncio.sleep(0)
                began = time.monotonic_ns()
        return blocks
