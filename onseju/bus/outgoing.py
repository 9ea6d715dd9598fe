"""A gateway's commands on their way: packed into messages, and each message sent again, the same bytes, until its commands are
known to be taken."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future

import structlog

from onseju.bus.messages import CommandMessage, encode_commands, headers_of
from onseju.bus.transport import Sender
from onseju.contract.commands import COMMAND_BYTES

_logger = structlog.get_logger(__name__)

MESSAGE_COMMANDS = 1024
"""A message takes no more requests from so many commands on. One request's stay together, and the exchange takes so many at
once: they get one time and numbers that follow each other."""

ON_WAY = 4
"""Messages that the carrier is asked to take at once."""

RETRY_S = (0.05, 1.0)
"""After a send that failed: the first pause, doubled up to the second."""

AGAIN_S = (0.4, 1.0)
"""After one that the carrier took: so long it is waited for its events, doubled up to the second. Both are shorter than the
exchange waits for what is missing: a message that the last leader had received, and that the carrier hides for a while, comes
to the new one in time."""

AT_ONCE = 32
"""Messages that one look sends again."""


class _Message:
    __slots__ = ("again_s", "body", "due_s", "headers", "is_on_way", "last_seq", "retry_s")

    def __init__(self, last_seq: int, body: bytes) -> None:
        self.last_seq = last_seq
        self.body = body
        self.headers = headers_of(body)
        self.is_on_way = True
        self.due_s = 0.0
        """When it is to be sent again."""
        self.again_s, self.retry_s = AGAIN_S[0], RETRY_S[0]


class Outgoing:
    """One gateway's, in one epoch. Used from its event loop; `look` is to be called every few hundredths of a second."""

    def __init__(
        self, sender: Sender, topic: str, *, venue: int, gateway: int, epoch: int, window_s: float, first_seq: int = 1
    ) -> None:
        self.sent = 0
        """Messages, each counted once."""
        self.sent_again = 0
        self._loop = asyncio.get_running_loop()
        self._sender = sender
        self._topic = topic
        self._venue, self._gateway, self._epoch = venue, gateway, epoch
        self._window_s = window_s
        self._first_seq = first_seq
        """Of what is gathered."""
        self._gathered: list[bytes] = []
        self._texts: dict[int, str] = {}
        self._count = 0
        self._leaving: asyncio.Handle | None = None
        self._on_way = 0
        self._messages: OrderedDict[int, _Message] = OrderedDict()
        self._is_stopped = False

    @property
    def messages(self) -> int:
        """Messages that are not known to be taken."""
        return len(self._messages)

    def put(self, commands: bytes, texts: Mapping[int, str]) -> None:
        """Send the commands, which get the next numbers: at once where nothing is on its way, else with what comes in the
        window."""
        count = len(commands) // COMMAND_BYTES
        if self._count and self._count + count > MESSAGE_COMMANDS:
            self._leave()
        for place, text in texts.items():
            self._texts[self._count + place] = text
        self._gathered.append(commands)
        self._count += count
        if self._count >= MESSAGE_COMMANDS:
            self._leave()
        elif self._leaving is None:
            self._wait()

    def _wait(self) -> None:
        if not self._on_way:  # with what else comes in this turn of the loop
            self._leaving = self._loop.call_soon(self._leave)
        else:
            self._leaving = self._loop.call_later(self._window_s, self._leave_if_free)

    def _leave_if_free(self) -> None:
        self._leaving = None
        if self._on_way < ON_WAY:
            self._leave()  # else the next answer of the carrier lets it go

    def _leave(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if not self._count or self._is_stopped:
            return
        commands, texts, first = b"".join(self._gathered), self._texts, self._first_seq
        self._first_seq += self._count
        self._gathered, self._texts, self._count = [], {}, 0
        body = encode_commands(CommandMessage(self._venue, self._gateway, self._epoch, first, commands, texts))
        message = self._messages[first] = _Message(self._first_seq - 1, body)
        self.sent += 1
        self._send(message)

    def _send(self, message: _Message) -> None:
        message.is_on_way = True
        self._on_way += 1
        try:
            future = self._sender.send(self._topic, message.body, message.headers)
        except Exception as error:  # as good as a future that fails
            future = Future()
            future.set_exception(error)
        future.add_done_callback(lambda done: self._tell(message, done))

    def _tell(self, message: _Message, done: Future[None]) -> None:
        """In a thread of the sender."""
        error = None if done.cancelled() else done.exception()
        failed = done.cancelled() or error is not None
        if not self._is_stopped:
            self._loop.call_soon_threadsafe(self._taken, message, failed, error)

    def _taken(self, message: _Message, failed: bool, error: BaseException | None) -> None:
        self._on_way -= 1
        message.is_on_way = False
        if failed:
            _logger.warning("commands_sent_again", last_seq=message.last_seq, error=repr(error))
            message.due_s = self._loop.time() + message.retry_s
            message.retry_s = min(2 * message.retry_s, RETRY_S[1])
        else:
            message.due_s = self._loop.time() + message.again_s
            message.again_s = min(2 * message.again_s, AGAIN_S[1])
        if self._count and (not self._on_way or self._leaving is None):
            self._leave()

    def settle(self, through_seq: int) -> None:
        """The commands through this number are known to be taken, or never to be."""
        while self._messages:
            message = next(iter(self._messages.values()))
            if message.last_seq > through_seq:
                return
            self._messages.popitem(last=False)

    def hurry(self) -> None:
        """Send all again soon: another exchange leads, which may not have got them."""
        for message in self._messages.values():
            message.due_s = 0.0

    def look(self, now_s: float) -> None:
        """Send again what is due."""
        room = AT_ONCE
        for message in self._messages.values():
            if not room or self._on_way >= ON_WAY + AT_ONCE:
                return
            if not message.is_on_way and message.due_s <= now_s:
                self.sent_again += 1
                room -= 1
                self._send(message)

    def stop(self) -> None:
        """Send nothing more."""
        self._is_stopped = True
        self._messages.clear()
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
