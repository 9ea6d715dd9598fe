"""The exchange's end of the bus between processes: what gateways send goes to the `InprocBus` in each one's order, each command
once; what the exchange publishes goes to the topic of executions.

A message is acknowledged once its commands are durable and the carrier has their events; until then it comes again. Commands
that stay missing for `gap_s` while later ones are here are given up by a journaled `CloseGatewayGap`: what arrives of them
afterwards is dropped, and their gateway learns it from the event. So is what a full disk cannot take. Where each gateway
stands is rebuilt from the events (`cursors`), so a new leader goes on where the last one was.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import structlog

from onseju.bus.cursors import Cursor, GatewayCursors, last_of
from onseju.bus.inproc import InprocBus
from onseju.bus.messages import CommandMessage, MessageRefusedError, decode
from onseju.bus.ordering import Ordering, Verdict
from onseju.bus.pieces import GapPiece, Piece
from onseju.bus.port import BusyError, DiskFullError, StoppedError
from onseju.bus.publishing import EventLog, Publisher
from onseju.bus.transport import Delivery, Receiver, Sender
from onseju.contract.commands import CommandKind
from onseju.contract.event_runs import runs_of
from onseju.contract.journal_records import EventBlock

_logger = structlog.get_logger(__name__)

EXECUTIONS_TOPIC = "onseju-executions"
ORDERS_TOPIC = "onseju-orders"

ROOM_POLL_S = 0.01
"""How often a full exchange is asked for room."""

WAIT_FOR_ROOM_S = 1.0
"""So long a receiver's thread waits for room; then its message is left unacknowledged, and comes again."""

DRAIN_S = 2.0
"""So long a stop waits for the carrier to take the last events."""

MAX_ACKS = 4096
"""Acknowledgements that wait, for each gateway. A message beyond comes again, and is acknowledged then."""


class ExchangeEndSettings(NamedTuple):
    """What may be chosen."""

    executions_topic: str = EXECUTIONS_TOPIC
    gap_s: float = 2.0
    """So long commands that are missing are waited for."""
    on_way: int = 8192
    """Commands in the exchange, or whose events the carrier is not known to have: no more are taken from gateways."""
    max_bytes: int = 32 * 1024 * 1024
    """Of messages that are in order and wait for the exchange."""
    ahead_items: int = 1024
    ahead_bytes: int = 8 * 1024 * 1024
    """Of messages ahead of their turn, for each gateway."""
    republish: int = 4096
    """Commands whose events a new leader sends again, at most; readers have what is older from the event log."""


class _Gateway:
    """What is known of one gateway."""

    __slots__ = ("acks", "done", "epoch", "number", "ordering", "timer")

    def __init__(self, number: int, epoch: int, ordering: Ordering[CommandMessage], done: Cursor) -> None:
        self.number = number
        self.epoch = epoch
        self.ordering = ordering
        self.done = done
        """Up to here its commands are durable, and their events out."""
        self.acks: list[tuple[int, int, Callable[[], None]]] = []
        """Epoch and last number of a message, and how to acknowledge it."""
        self.timer: asyncio.TimerHandle | None = None

    def acknowledge(self) -> None:
        """All messages that are done with."""
        waiting: list[tuple[int, int, Callable[[], None]]] = []
        for entry in self.acks:
            if entry[:2] < self.done:
                entry[2]()
            else:
                waiting.append(entry)
        self.acks = waiting


class _Mark(NamedTuple):
    """What is done with once the carrier has the events of all commands through `seq`."""

    seq: int
    cursors: dict[int, Cursor]
    commands: int


class ExchangeEnd:
    """One venue's. Made before the exchange recovers, with cursors that listen to all its events; `start` comes after that,
    on the event loop of `bus`, before anything else is requested there."""

    def __init__(
        self,
        bus: InprocBus,
        sender: Sender,
        receiver: Receiver,
        cursors: GatewayCursors,
        *,
        venue: int,
        settings: ExchangeEndSettings | None = None,
    ) -> None:
        self.settings = settings or ExchangeEndSettings()
        self.refused = 0
        """Messages that could not be read."""
        self.repeated = 0
        """Messages that had come before, or of a gateway's older epoch."""
        self.turned_away = 0
        """Messages that there was no room for: they come again."""
        self.gaps_closed = 0
        self.publisher: Publisher | None = None
        """From `start` on."""
        self.running: asyncio.Task[None] | None = None
        """Ends only by `stop`, or by a fault of ours: then the exchange's process should end, too."""
        self._bus = bus
        self._sender = sender
        self._receiver = receiver
        self._cursors = cursors
        self._venue = venue
        self._gateways: dict[int, _Gateway] = {}
        self._ready: deque[Piece | GapPiece] = deque()
        self._marks: deque[_Mark] = deque()
        self._outstanding = 0
        """Commands that were handed to the exchange and are not done with."""
        self._feeding: asyncio.TimerHandle | None = None
        self._turned_away_s = float("-inf")
        # what the receiver's threads touch, too
        self._room = threading.Condition()
        self._bytes = 0
        """Of messages that were delivered and are not yet handed to the exchange, nor held ahead of their turn."""
        self._is_closing = False

    def start(self, log: EventLog, head_seq: int, known_through: int | None = None) -> None:
        """Begin: the exchange has recovered through `head_seq`. Events after `known_through` are sent again from the log,
        where that is known; else the last ones."""
        self._loop = asyncio.get_running_loop()
        oldest = max(head_seq - self.settings.republish, 0)
        after = oldest if known_through is None else min(max(known_through, oldest), head_seq)
        self.publisher = Publisher(self._sender, self.settings.executions_topic, after, self._known)
        self._marks.append(_Mark(head_seq, self._cursors.all(), 0))
        self._bus.subscribe(self._publish)
        self.running = self._loop.create_task(self._run(self.publisher, log, after, head_seq), name="publisher")
        self._receiver.start(self._deliver)

    async def stop(self) -> None:
        """Take nothing more, wait a bounded time for the carrier to take what was published, and end."""
        with self._room:
            self._is_closing = True
            self._room.notify_all()
        if self.running is None:
            return
        if self.publisher is not None and not self.running.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.publisher.idle.wait(), DRAIN_S)
        await asyncio.to_thread(self._receiver.stop)
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        for timer in [self._feeding, *(gateway.timer for gateway in self._gateways.values())]:
            if timer is not None:
                timer.cancel()

    @property
    def known_through(self) -> int:
        """The topic of executions is known to hold the events of all commands through this one."""
        return 0 if self.publisher is None else self.publisher.known_through

    @property
    def waiting(self) -> int:
        """Commands that are in order and wait for room in the exchange."""
        return sum(piece.count for piece in self._ready)

    # what leaves

    async def _run(self, publisher: Publisher, log: EventLog, after: int, head_seq: int) -> None:
        if after < head_seq:
            try:
                await publisher.republish(log, after, head_seq)
            except Exception:  # readers read what is missing from the log
                _logger.warning("executions_not_sent_again", after_seq=after, through_seq=head_seq, exc_info=True)
                publisher.leave_out(head_seq)
        self._known(publisher.known_through)
        await publisher.run()

    def _publish(self, blocks: Sequence[EventBlock]) -> None:
        if self.publisher is None:
            return
        for run in runs_of(blocks):
            cursors = last_of(run)
            commands = sum(1 for origin in run.origins if origin[0]) + run.kinds.count(CommandKind.CLOSE_GATEWAY_GAP)
            self._marks.append(_Mark(run.last_seq, cursors, commands))
            self.publisher.put(run)

    def _known(self, through: int) -> None:
        moved: set[_Gateway] = set()
        while self._marks and self._marks[0].seq <= through:
            mark = self._marks.popleft()
            self._outstanding -= mark.commands
            for number, cursor in mark.cursors.items():
                gateway = self._gateways.get(number)
                if gateway is None:
                    gateway = self._gateways[number] = self._new(number, cursor.epoch)
                gateway.done = max(gateway.done, cursor)
                moved.add(gateway)
        for gateway in moved:
            gateway.acknowledge()
        self._feed()

    # what comes

    def _deliver(self, delivery: Delivery) -> None:
        """In a thread of the receiver."""
        try:
            message = decode(delivery.body)
            if not isinstance(message, CommandMessage):
                raise MessageRefusedError("message_kind", "a gateway does not send events")
        except MessageRefusedError as error:  # it would come for ever
            self.refused += 1
            _logger.error("message_refused", code=error.code, why=str(error), headers=dict(delivery.headers))
            delivery.ack()
            return
        if message.venue != self._venue:
            delivery.ack()
            return
        size = len(delivery.body)
        with self._room:
            if not self._room.wait_for(partial(self._has_room, size), WAIT_FOR_ROOM_S):
                self.turned_away += 1
                self._turned_away_s = self._loop.time()
                return
            if self._is_closing:
                return
            self._bytes += size
        self._loop.call_soon_threadsafe(self._arrived, message, delivery.ack, size)

    def _has_room(self, size: int) -> bool:
        return self._is_closing or not self._bytes or self._bytes + size <= self.settings.max_bytes

    def _release(self, size: int) -> None:
        with self._room:
            self._bytes -= size
            self._room.notify_all()

    def _new(self, number: int, epoch: int) -> _Gateway:
        cursor = self._cursors.of(number) or Cursor(0, 1)
        epoch = max(epoch, cursor.epoch)
        next_seq = cursor.next_seq if cursor.epoch == epoch else 1
        return _Gateway(number, epoch, self._ordering(next_seq), Cursor(0, 0))

    def _ordering(self, next_seq: int) -> Ordering[CommandMessage]:
        return Ordering(next_seq, max_items=self.settings.ahead_items, max_bytes=self.settings.ahead_bytes)

    def _arrived(self, message: CommandMessage, ack: Callable[[], None], size: int) -> None:
        gateway = self._gateways.get(message.gateway)
        if gateway is None:
            gateway = self._gateways[message.gateway] = self._new(message.gateway, message.epoch)
        if message.epoch > gateway.epoch:  # another process is this gateway now: what is held of the last one has ended
            _logger.info("gateway_epoch", gateway=gateway.number, epoch=message.epoch, before=gateway.epoch)
            gateway.epoch, gateway.ordering = message.epoch, self._ordering(1)
        if message.epoch < gateway.epoch:
            verdict = Verdict.KNOWN
        else:
            verdict = gateway.ordering.offer(message.first_seq, message.last_seq, message, size)
        self._release(size)
        if verdict is Verdict.NO_ROOM:
            self.turned_away += 1
            return
        if len(gateway.acks) < MAX_ACKS:
            gateway.acks.append((message.epoch, message.last_seq, ack))
        if verdict is Verdict.KNOWN:
            self.repeated += 1
            gateway.acknowledge()
        else:
            self._advance(gateway)

    def _advance(self, gateway: _Gateway) -> None:
        """Hand on what is in order now."""
        ordering = gateway.ordering
        for held in ordering.take(self._loop.time()):
            with self._room:
                self._bytes += held.size
            self._ready.append(Piece.of(held.item, ordering.next_seq, held.size))
        gap = ordering.gap
        if gap is not None and gateway.timer is None:
            wait_s = gap.since_s + self.settings.gap_s - self._loop.time()
            gateway.timer = self._loop.call_later(max(wait_s, 0.001), self._gap_due, gateway)
        self._feed()

    def _gap_due(self, gateway: _Gateway) -> None:
        """Give up on what is missing for too long, unless it may have been turned away for want of room."""
        gateway.timer = None
        gap = gateway.ordering.gap
        since_s = self._loop.time() - self.settings.gap_s
        if gap is not None and gap.since_s <= since_s and self._turned_away_s <= since_s:
            _logger.warning("gateway_gap", gateway=gateway.number, epoch=gateway.epoch, first=gap.first, last=gap.last)
            self.gaps_closed += 1
            self._ready.append(GapPiece(gateway.number, gateway.epoch, gap.last))
            gateway.ordering.skip_to(gap.last + 1)
            self._advance(gateway)
        elif gap is not None:
            since_s = max(gap.since_s, self._turned_away_s)
            wait_s = since_s + self.settings.gap_s - self._loop.time()
            gateway.timer = self._loop.call_later(max(wait_s, 0.001), self._gap_due, gateway)

    # into the exchange

    def _feed(self) -> None:
        """Hand the exchange what is in order, as far as it has room."""
        most = min(self._bus.capacity, self.settings.on_way)
        while self._ready:
            room = min(self._bus.capacity - self._bus.waiting, self.settings.on_way - self._outstanding)
            piece = self._ready[0]
            lets_in = self._bus.lets_in
            if lets_in is not None:
                kept, piece = piece.first_for(lets_in)
                if not kept and isinstance(piece, Piece):  # its gateway shall know that these are not taken
                    piece = GapPiece(piece.gateway, piece.epoch, piece.last_seq, piece.count)
                elif not kept:
                    self._feed_later()
                    return
            if piece.count > room:
                if isinstance(piece, GapPiece) or piece.count <= most or room <= 0:
                    self._feed_later()
                    return
                piece = piece.first(room)
            if not self._enter(piece):
                return
            front = self._ready.popleft()
            rest = front.after(piece.stands_for)
            if rest is not None:
                self._ready.appendleft(rest)
            else:
                self._release(front.size)

    def _enter(self, piece: Piece | GapPiece) -> bool:
        try:
            future = self._bus.enter(piece.commands, piece.texts, piece.origins)
        except BusyError:
            self._feed_later()
            return False
        except StoppedError:  # nothing is acknowledged any more: all comes again, to the next leader
            return False
        self._outstanding += piece.count
        future.add_done_callback(partial(self._answered, piece))
        return True

    def _answered(self, piece: Piece | GapPiece, future: asyncio.Future[object]) -> None:
        if not future.cancelled() and isinstance(future.exception(), DiskFullError):
            self._outstanding -= piece.count
            self._ready.appendleft(GapPiece(piece.gateway, piece.epoch, piece.last_seq))
            self._feed()

    def _feed_later(self) -> None:
        if self._feeding is None:
            self._feeding = self._loop.call_later(ROOM_POLL_S, self._feed_again)

    def _feed_again(self) -> None:
        self._feeding = None
        self._feed()
