"""A gateway's end of the bus between processes: commands out, packed into messages; the exchange's events in, in their order.

To those who ask and those who listen it is what `InprocBus` is. What was taken is sent until the exchange is known to have it,
or to have given it up: also after its caller was told that there is no answer yet.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import structlog

from onseju.bus.cursors import closed_gaps
from onseju.bus.exchange_end import ORDERS_TOPIC
from onseju.bus.incoming import Incoming
from onseju.bus.inproc import check_text
from onseju.bus.messages import (
    LEAST_BYTES,
    MAX_MESSAGE_BYTES,
    TEXT_HEAD_BYTES,
    CommandMessage,
    EventsInLog,
    MessageRefusedError,
    decode,
)
from onseju.bus.outgoing import Outgoing
from onseju.bus.port import BusyError, EventListener, StoppedError, UnansweredError
from onseju.bus.publishing import EventLog
from onseju.bus.transport import Delivery, Receiver, Sender
from onseju.contract.commands import COMMAND_BYTES, AnyRequest, encode_command
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock

_logger = structlog.get_logger(__name__)

LOOK_S = 0.05
"""How often deadlines, what is to be sent again and what is missing are looked for."""

MAX_INBOX_BYTES = 32 * 1024 * 1024
"""Of messages that wait for the event loop. Beyond, the receiver's threads wait."""

MAX_REQUEST_BYTES = MAX_MESSAGE_BYTES // 2
"""One request's commands and texts; a message has room for one that was begun, and this."""

_NO_TEXTS: Mapping[int, str] = {}
_CUT = f"commands are {COMMAND_BYTES} bytes each, and one at least"

_Part = tuple[EventRun, int, int]
"""Places of a run: from, to."""


class GatewayEndSettings(NamedTuple):
    """What may be chosen."""

    orders_topic: str = ORDERS_TOPIC
    window_s: float = 0.003
    """While a message is on its way, so long is gathered for the next one."""
    deadline_s: float = 5.0
    """A caller waits no longer for its answer."""
    gap_s: float = 0.3
    """So long missing events are waited for before they are read from the event log."""
    quiet_s: float = 2.0
    """After so long without any event the log is asked whether there are some."""


class _Waiter:
    """A caller of `request`, and what it has got so far."""

    __slots__ = ("closed", "due_s", "future", "last_seq", "next_seq", "parts")

    def __init__(self, future: asyncio.Future[list[_Part]], first_seq: int, count: int, due_s: float) -> None:
        self.future = future
        self.next_seq = first_seq
        """The first of its commands that is not answered yet."""
        self.last_seq = first_seq + count - 1
        self.parts: list[_Part] = []
        self.closed = False
        """Whether some of its commands were given up."""
        self.due_s = due_s

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class GatewayEnd:
    """The bus (`bus.port`) in the process of one gateway, in one epoch of it: a number that was never used before for this
    gateway, larger than all before. `capacity` bounds the commands that the exchange is not known to have taken or given up.
    Used from one event loop.
    """

    def __init__(
        self,
        sender: Sender,
        receiver: Receiver,
        log: EventLog,
        *,
        venue: int,
        gateway: int,
        epoch: int,
        capacity: int,
        settings: GatewayEndSettings | None = None,
    ) -> None:
        if gateway < 1 or epoch < 1:
            raise ValueError("gateways and their epochs count from 1")
        self.capacity = capacity
        self.gateway, self.epoch = gateway, epoch
        self.settings = settings or GatewayEndSettings()
        self.refused = 0
        """Messages that could not be read."""
        self.unanswered = 0
        """Callers who were told that there is no answer yet."""
        self.outgoing: Outgoing | None = None
        self.incoming: Incoming | None = None
        """From `start` on."""
        self._sender = sender
        self._receiver = receiver
        self._log = log
        self._venue = venue
        self._next_seq = 1
        self._settled = 0
        """The exchange has taken or given up all commands through this one."""
        self._waiters: deque[_Waiter] = deque()
        self._deadlines: deque[_Waiter] = deque()
        self._listeners: list[EventListener] = []
        self._ids = itertools.count(1)
        self._stopped: str | None = None
        self._looking: asyncio.TimerHandle | None = None
        # what the receiver's threads touch, too
        self._room = threading.Condition()
        self._bytes = 0
        self._is_closing = False

    def start(self, after_seq: int = 0, exchange_epoch: int = 0) -> None:
        """Begin, on the event loop. Who listens has all events through `after_seq`, the last of them of the leader
        `exchange_epoch` (0 where that is not known), and hears those after it."""
        self._loop = asyncio.get_running_loop()
        self.outgoing = Outgoing(
            self._sender,
            self.settings.orders_topic,
            venue=self._venue,
            gateway=self.gateway,
            epoch=self.epoch,
            window_s=self.settings.window_s,
        )
        self.incoming = Incoming(
            self._log,
            after_seq,
            exchange_epoch,
            self._hear,
            self._fail,
            gap_s=self.settings.gap_s,
            quiet_s=self.settings.quiet_s,
        )
        self._receiver.start(self._deliver)
        self._look()

    async def stop(self, error: BaseException | None = None) -> None:
        """Take nothing more, tell all who wait why, and end. Commands on their way may or may not take effect."""
        self._end("the gateway was shut down" if error is None else str(error))
        if self.incoming is not None:
            await asyncio.to_thread(self._receiver.stop)
            await self.incoming.stop()

    def _end(self, why: str) -> None:
        if self._stopped is not None:
            return
        self._stopped = why
        with self._room:
            self._is_closing = True
            self._room.notify_all()
        if self._looking is not None:
            self._looking.cancel()
        if self.outgoing is not None:
            self.outgoing.stop()
        for waiter in self._waiters:
            waiter.fail(StoppedError(why))
        self._waiters.clear()
        self._deadlines.clear()
        self._settled = self._next_seq - 1

    def _fail(self, error: BaseException) -> None:
        _logger.critical("gateway_stopped", head_seq=self.head_seq, error=str(error), exc_info=error)
        self._end(str(error))

    @property
    def stopped(self) -> str | None:
        """Why nothing is taken any more; None while it is."""
        return self._stopped

    @property
    def head_seq(self) -> int:
        """The last command whose events all who listen have heard."""
        return 0 if self.incoming is None else self.incoming.head_seq

    def client_id(self) -> str:
        """A client order id that was never given before, for a request without one: what becomes of it after a missed
        deadline can then be asked."""
        return f"gw-{self.gateway}-{self.epoch}-{next(self._ids)}"

    # commands out

    async def request(self, requests: Sequence[AnyRequest]) -> list[EventBlock]:
        """Hand over requests, in order, and wait until each is durable and applied: one block each, in order.

        All or none of them are taken. A caller that is canceled while it waits takes nothing back. Raises `BusyError`,
        `StoppedError`, or `UnansweredError` past the deadline; `ValueError` or `struct.error` for a command or a text that
        has no canonical bytes, and for more than a message carries: then none are taken.
        """
        if self._stopped is not None:
            raise StoppedError(self._stopped)
        if not requests:
            return []
        texts = {at: request.text for at, request in enumerate(requests) if request.text}
        commands = b"".join([encode_command(request.command) for request in requests])
        if len(commands) != len(requests) * COMMAND_BYTES:
            raise ValueError(_CUT)
        parts = await self._enter(commands, texts)
        return [block for run, start, stop in parts for block in run[start:stop]]

    async def request_records(self, records: bytes, texts: Mapping[int, str] = _NO_TEXTS, /) -> EventRun:
        """The same for one or more commands of 112 canonical, checked bytes each, seq and ts zero; `texts` are those of some,
        by their place. Where a change of the leader came between them, so that their events are no one run: `UnansweredError`.
        """
        if self._stopped is not None:
            raise StoppedError(self._stopped)
        if not records or len(records) % COMMAND_BYTES:
            raise ValueError(_CUT)
        parts = await self._enter(records, {at: text for at, text in texts.items() if text})
        try:
            return EventRun.joined([run.part(start, stop) for run, start, stop in parts])
        except ValueError as error:
            self.unanswered += 1
            raise UnansweredError(f"the commands took effect, but not together: {error}") from error

    def _enter(self, commands: bytes, texts: Mapping[int, str]) -> asyncio.Future[list[_Part]]:
        if self.outgoing is None:
            raise RuntimeError("start() comes before a request")
        size = len(commands)
        for text in texts.values():
            check_text(text)
            size += len(text.encode()) + TEXT_HEAD_BYTES
        if size > MAX_REQUEST_BYTES - LEAST_BYTES:
            raise ValueError(f"a request may have {MAX_REQUEST_BYTES} bytes, not {size}")
        count = len(commands) // COMMAND_BYTES
        if self.waiting + count > self.capacity:
            raise BusyError(f"{self.waiting} commands wait, and {self.capacity} may")
        due_s = self._loop.time() + self.settings.deadline_s
        waiter = _Waiter(self._loop.create_future(), self._next_seq, count, due_s)
        self._next_seq += count
        self._waiters.append(waiter)
        self._deadlines.append(waiter)
        self.outgoing.put(commands, texts)
        return waiter.future

    @property
    def waiting(self) -> int:
        """Commands that the exchange is not known to have taken or given up."""
        return self._next_seq - 1 - self._settled

    # events in

    def subscribe(self, listener: EventListener) -> None:
        """Call `listener` with every batch of blocks from now on, after the listeners that came before it."""
        self._listeners.append(listener)

    def _deliver(self, delivery: Delivery) -> None:
        """In a thread of the receiver."""
        delivery.ack()  # whatever gets lost from here on, the event log has
        try:
            message = decode(delivery.body)
            if isinstance(message, CommandMessage):
                raise MessageRefusedError("message_kind", "the exchange does not send commands")
        except MessageRefusedError as error:
            self.refused += 1
            _logger.error("message_refused", code=error.code, why=str(error), headers=dict(delivery.headers))
            return
        if message.venue != self._venue:
            return
        size = len(delivery.body)
        with self._room:
            self._room.wait_for(partial(self._has_room, size))
            if self._is_closing:
                return
            self._bytes += size
        self._loop.call_soon_threadsafe(self._arrived, message, size)

    def _has_room(self, size: int) -> bool:
        return self._is_closing or not self._bytes or self._bytes + size <= MAX_INBOX_BYTES

    def _arrived(self, message: EventRun | EventsInLog, size: int) -> None:
        with self._room:
            self._bytes -= size
            self._room.notify_all()
        if self.incoming is not None and self._stopped is None:
            self.incoming.arrived(message, size)

    def _hear(self, run: EventRun) -> None:
        """The next run: to those who listen, to those who wait."""
        if self._stopped is not None:
            return
        if self.incoming is not None and self.outgoing is not None and run.epoch > self.incoming.epoch > 0:
            self.outgoing.hurry()
        try:
            for listener in self._listeners:
                listener(run)
        except Exception as error:  # it may have missed some: only a new start mends that
            self._fail(error)
            return
        gaps = closed_gaps(run)
        for at, (gateway, epoch, through) in sorted(
            [
                *((at, (gap.gateway, gap.gateway_epoch, gap.through_seq)) for at, gap in gaps.items()),
                *((at, origin) for at, origin in enumerate(run.origins) if origin[0] == self.gateway),
            ]
        ):
            if gateway != self.gateway or epoch < self.epoch:
                continue
            if epoch > self.epoch:
                self._fail(StoppedError(f"another process is gateway {gateway} now, in epoch {epoch}"))
                return
            if at in gaps:
                self._give_up(through)
            else:
                self._answer(run, at, through)
        if self.outgoing is not None:
            self.outgoing.settle(self._settled)

    def _answer(self, run: EventRun, at: int, seq: int) -> None:
        """Command `seq` of ours has its events at this place."""
        self._give_up(seq - 1)  # what was left out before it never comes
        self._settled = max(self._settled, seq)
        if not self._waiters or self._waiters[0].next_seq != seq:
            return
        waiter = self._waiters[0]
        if waiter.parts and waiter.parts[-1][0] is run and waiter.parts[-1][2] == at:
            waiter.parts[-1] = (run, waiter.parts[-1][1], at + 1)
        else:
            waiter.parts.append((run, at, at + 1))
        waiter.next_seq += 1
        if seq == waiter.last_seq:
            self._waiters.popleft()
            if waiter.closed:
                waiter.fail(UnansweredError("some of the commands took effect, others were given up"))
            elif not waiter.future.done():
                waiter.future.set_result(waiter.parts)

    def _give_up(self, through: int) -> None:
        """The exchange never takes what is not answered through this command."""
        if through <= self._settled:
            return
        self._settled = through
        while self._waiters and self._waiters[0].next_seq <= through:
            waiter = self._waiters[0]
            if waiter.last_seq > through:
                waiter.next_seq, waiter.closed = through + 1, True
                return
            self._waiters.popleft()
            if waiter.parts:
                waiter.fail(UnansweredError("some of the commands took effect, others were given up"))
            else:
                waiter.fail(BusyError("the exchange gave the commands up before it took them"))

    # now and then

    def _look(self) -> None:
        now_s = self._loop.time()
        while self._deadlines and (self._deadlines[0].due_s <= now_s or self._deadlines[0].future.done()):
            waiter = self._deadlines.popleft()
            if not waiter.future.done():
                self.unanswered += 1
                waiter.fail(UnansweredError("the exchange has not answered in time"))
        if self.outgoing is not None and self.incoming is not None:
            self.outgoing.look(now_s)
            self.incoming.look(now_s)
        self._looking = self._loop.call_later(LOOK_S, self._look)
