"""The exchange's events as they reach a process: put in order again, each once; what stays missing is read from the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from onseju.bus.messages import EventsInLog
from onseju.bus.ordering import Ordering, Verdict
from onseju.bus.publishing import EventLog
from onseju.contract.event_runs import EventRun

_logger = structlog.get_logger(__name__)

AHEAD_ITEMS = 1024
AHEAD_BYTES = 16 * 1024 * 1024
"""Of runs that are held before their turn; the event log has what there is no room for."""

READ_BLOCKS = 4096
READ_BYTES = 4 * 1024 * 1024
"""One reading of the event log gives up to about so many commands, and bytes of their events."""


class HistoryChangedError(Exception):
    """Events came of a newer leader for commands that had others before: what was heard is not what happened."""


class Incoming:
    """The stream of events after one that was heard. Used from one event loop; `look` is to be called every few hundredths of a
    second. `hear` gets every run, in order, none missing, none twice."""

    def __init__(
        self,
        log: EventLog,
        after_seq: int,
        epoch: int,
        hear: Callable[[EventRun], None],
        fail: Callable[[BaseException], None],
        *,
        gap_s: float,
        quiet_s: float,
    ) -> None:
        self.head_seq = after_seq
        """The last command whose events were heard."""
        self.epoch = epoch
        """The leader's whose events were heard last; 0 = not known yet."""
        self.repeated = self.stale = self.read = 0
        """Runs that were known, were of a leader that had ended, or were read from the log."""
        self._log = log
        self._hear = hear
        self._fail = fail
        self._gap_s = gap_s
        self._quiet_s = quiet_s
        self._loop = asyncio.get_running_loop()
        self._ordering: Ordering[EventRun] = Ordering(after_seq + 1, max_items=AHEAD_ITEMS, max_bytes=AHEAD_BYTES)
        self._newest = (epoch, after_seq + 1)
        """The newest leader, and the first of its commands that is known."""
        self._log_has = 0
        """The event log is known to have the events through this one."""
        self._reading: asyncio.Task[None] | None = None
        self._heard_s = float("-inf")
        """When something was heard last, or the log was asked."""
        self._not_before_s = float("-inf")
        """When the log may be asked again, which did not have what was missing."""

    def arrived(self, run: EventRun | EventsInLog, size: int) -> None:
        """Take in what a message carried."""
        if isinstance(run, EventsInLog):
            self._log_has = max(self._log_has, run.last_seq)
            self.look(self._loop.time())
            return
        if self._is_stale(run):
            self.stale += 1
            _logger.warning("stale_epoch", epoch=run.epoch, newest=self._newest[0], first_seq=run.first_seq)
            return
        if self.epoch and run.epoch > self.epoch and run.first_seq <= self.head_seq:
            why = f"epoch {run.epoch} has command {run.first_seq}, which was heard as epoch {self.epoch}'s or older"
            self._fail(HistoryChangedError(why))
            return
        verdict = self._ordering.offer(run.first_seq, run.last_seq, run, size)
        if verdict is Verdict.KNOWN:
            self.repeated += 1
            return
        if verdict is Verdict.NO_ROOM:
            self._log_has = max(self._log_has, run.last_seq)  # events are sent once the log has them
        self._advance()

    def _is_stale(self, run: EventRun) -> bool:
        """Whether a newer leader is known to have a number that this run has. A newer leader's run ends what is held so."""
        newest, first = self._newest
        if run.epoch < newest:
            return run.last_seq >= first
        if run.epoch > newest or run.first_seq < first:
            self._newest = (run.epoch, run.first_seq)
            for held in self._ordering.held():
                if held.item.epoch < run.epoch and held.last >= run.first_seq:
                    self.stale += 1
                    self._ordering.drop(held.first)
        return False

    def _advance(self) -> None:
        ordering = self._ordering
        for held in ordering.take(self._loop.time()):
            run = held.item.part(ordering.next_seq - held.first, len(held.item))
            if run.epoch < self.epoch:
                self._fail(HistoryChangedError(f"command {run.first_seq} is of epoch {run.epoch}, after {self.epoch}"))
                return
            self._hear(run)
            self.head_seq, self.epoch = run.last_seq, run.epoch
            self._heard_s = self._loop.time()

    def look(self, now_s: float) -> None:
        """Have what stays missing read: after a while, at once where the log is known to have it. Where nothing is heard for
        long, ask the log whether there is anything."""
        gap = self._ordering.gap
        if self._reading is not None or now_s < self._not_before_s:
            return
        if (
            self._log_has > self.head_seq
            or (gap is not None and (now_s - gap.since_s >= self._gap_s or self._newest[0] > self.epoch > 0))
            or now_s - self._heard_s >= self._quiet_s
        ):
            self._reading = self._loop.create_task(self._read(), name="event-log")

    async def _read(self) -> None:
        """Read the log until it has nothing new."""
        before = self.head_seq
        try:
            while runs := await asyncio.to_thread(self._read_some, self.head_seq):
                self.read += len(runs)
                head_seq = self.head_seq
                for run in runs:
                    self.arrived(run, len(run.payload))
                if self.head_seq == head_seq:
                    break
        except Exception as error:  # the database may be away for a while: a later look asks again
            _logger.warning("event_log_not_read", after_seq=self.head_seq, error=repr(error))
        finally:
            self._heard_s = self._loop.time()
            if self.head_seq == before:
                self._not_before_s = self._heard_s + self._gap_s
            self._reading = None

    def _read_some(self, after_seq: int) -> list[EventRun]:
        self._log.refresh()
        found: list[EventRun] = []
        blocks = size = 0
        for run in self._log.read_event_runs(after_seq):
            found.append(run)
            blocks, size = blocks + len(run), size + len(run.payload)
            if blocks >= READ_BLOCKS or size >= READ_BYTES:
                break
        return found

    async def stop(self) -> None:
        """Hear nothing more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
