"""`/v1/ws`: the book, trades, market, account and queue channels, and order entry, on one connection.

Two tasks: one reads the client's messages, one writes. Nothing is queued for a client but the answers to its own messages,
and of those so few are let in flight; every channel is a place in a shared ring.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from onseju.contract.reasons import Reason
from onseju.contract.views import timestamp
from onseju.gateway.context import gateway_of, maybe_principal_of
from onseju.gateway.operations import PUBLIC, Operations
from onseju.gateway.principal import Principal
from onseju.gateway.problems import FieldError, Problem, language_of
from onseju.market.feeds import DEPTHS, FeedReader
from onseju.push import record_messages
from onseju.push.cursors import account_of, position_of
from onseju.push.messages import (
    MAX_MESSAGE_BYTES,
    Answer,
    Channel,
    Message,
    MessageId,
    decode_message,
    encode_answer,
)
from onseju.push.protocols import receive_messages, send_messages
from onseju.push.queue_feed import QueueFeed
from onseju.push.ring import AccountReader, TooOldError
from onseju.push.socket_orders import ORDER_GROUPS, SocketOrders
from onseju.push.streams import SEND_FRAMES, Stream, owner_of, still_valid, streams_of

operations = Operations("streams")

MAX_MALFORMED = 10
"""After so many messages that are none, the connection is closed."""

CLOSE_AUTHENTICATION = 4001
CLOSE_SESSION_ENDED = 4009
CLOSE_GOING_AWAY = 1001
CLOSE_POLICY = 1008
CLOSE_TOO_BIG = 1009
CLOSE_ERROR = 1011


@operations.add(  # type: ignore[type-var]  # the shell hands a WebSocket to an operation of this method
    "WS",
    "/v1/ws",
    summary="Book, trades, account events and order entry (WebSocket)",
    scope=PUBLIC,
    limit="stream",
    responses={101: None},
)
async def websocket(socket: WebSocket) -> None:
    """See "Streams" in the guide for the messages."""
    with streams_of(socket).open(socket, owner_of(socket)) as stream:
        await Connection(socket, stream).run()


class _Feed(NamedTuple):
    """A channel of frames that this client follows, and how to stop."""

    reader: FeedReader | QueueFeed
    leave: Callable[[], None]


class Connection:
    """One client."""

    def __init__(self, socket: WebSocket, stream: Stream) -> None:
        self._socket = socket
        self._stream = stream
        self._gateway = gateway_of(socket)
        self._principal: Principal | None = maybe_principal_of(socket)
        self._language = language_of(socket)
        self._close: tuple[int, str] | None = None
        self._malformed = 0
        self._free = asyncio.Semaphore(self._gateway.settings.stream_in_flight_messages)
        self._answers: list[bytes] = []
        self._record_answers: list[bytes] = []
        self._records_waiting = 0
        """Commands in records whose answers are not sent yet, and of these those that are made."""
        self._records_answered = 0
        self._records_sent = asyncio.Event()
        self._orders = SocketOrders(
            socket,
            answer=self._answer,
            refuse=self._refuse,
            answer_records=self._answer_records,
            fail=lambda: self._end(CLOSE_ERROR, Reason.INTERNAL.code),
            count=self._count_malformed,
        )
        self._feeds: dict[tuple[str, str], _Feed] = {}
        self._pending: dict[tuple[str, str], None] = {}
        """The feeds with something new, in the order in which they had it."""
        self._account: int | None = None
        self._reader: AccountReader | None = None
        self._reset: bytes | None = None

    async def run(self) -> None:
        """Serve until either side ends it."""
        stream = self._stream
        stream.lost = lambda: self._reader is not None and self._reader.behind
        await self._socket.accept()
        reading = asyncio.create_task(self._read())
        reading.add_done_callback(lambda _: stream.end())
        try:
            with stream.cutting(), contextlib.suppress(WebSocketDisconnect):
                await self._write()
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            self._unsubscribe_all()
            del self._orders  # it holds this connection: nothing of either stays in memory

    # Writing

    async def _write(self) -> None:
        stream = self._stream
        wake = stream.wake
        while not stream.ended and self._close is None:
            wake.clear()
            if stream.heartbeat_due:
                stream.heartbeat_due = False
                await self._check_caller()
            if not await self._write_what_there_is() and not wake.is_set():
                await wake.wait()
        if self._socket.client_state is WebSocketState.DISCONNECTED:
            return
        code, reason = self._close = self._close or (CLOSE_GOING_AWAY, "")  # from now on nothing more is taken
        if self._orders.entering:
            await asyncio.wait(self._orders.entering)  # what was taken is answered, also while the server stops
        await self._send_answers()  # the last one may say why the connection is closed
        await stream.send(self._socket.close(code, reason))

    async def _write_what_there_is(self) -> bool:
        """Send a little of everything that waits. False when there was nothing."""
        busy = await self._send_answers()
        reader = self._reader
        if self._reset is not None:
            reset, self._reset = self._reset, None
            await self._send([reset])
        if reader is not None:
            try:
                frames = await reader.next(SEND_FRAMES)
            except TooOldError:  # it fell so far behind that the log has let go of what it would get next
                frames = []
                self._begin_anew()
            if frames and reader is self._reader:
                await self._send([frame.json for frame in frames])
            busy = busy or bool(frames)
        for key in tuple(self._pending):
            found = self._feeds.get(key)
            del self._pending[key]
            if found is None:
                continue
            bodies = found.reader.take(SEND_FRAMES)
            if bodies:
                self._pending[key] = None  # until it gives nothing, there may be more
                await self._send(bodies)
        return busy or bool(self._pending)

    async def _send_answers(self) -> bool:
        answers, self._answers = self._answers, []
        records, self._record_answers = self._record_answers, []
        if answers:
            await self._send(answers)
        if records:
            answered, self._records_answered = self._records_answered, 0
            await self._stream.send(send_messages(self._socket, records, binary=True))
            self._records_waiting -= answered
            self._records_sent.set()
        for _ in range(len(answers) + len(records)):
            self._free.release()
        return bool(answers or records)

    async def _send(self, bodies: list[bytes]) -> None:
        await self._stream.send(send_messages(self._socket, bodies))

    async def _check_caller(self) -> None:
        if not await still_valid(self._socket):
            session = self._principal is not None and self._principal.via == "session"
            reason = Reason.SESSION_ENDED if session else Reason.UNAUTHENTICATED
            self._close = (CLOSE_SESSION_ENDED if session else CLOSE_AUTHENTICATION, reason.code)

    # Reading

    async def _read(self) -> None:
        # When this returns, the stream ends.
        while self._close is None:
            messages = await receive_messages(self._socket)
            await self._check_caller()  # from memory: a key that was revoked a moment ago enters no order any more
            for message in messages:
                if self._close is not None or not await self._read_one(message):
                    self._orders.enter()
                    return
            self._orders.enter()

    async def _read_one(self, message: Any) -> bool:
        """Take in one message. False when there will be no more."""
        if message["type"] == "websocket.disconnect":
            return False
        content = message.get("text")
        if content is None:
            content = message.get("bytes") or b""
        if len(content) > MAX_MESSAGE_BYTES:
            self._end(CLOSE_TOO_BIG, Reason.BODY_TOO_LARGE.code)
            return False
        if self._free.locked():
            self._orders.enter()  # whose answers make room
            await self._free.acquire()
            await self._check_caller()
        else:
            await self._free.acquire()
        if isinstance(content, bytes):
            self._orders.enter()
            await self._room_for(record_messages.count(content))
            if self._close is None:
                self._orders.take_records(content)
        elif self._close is None and not self._orders.collect(content):
            self._orders.enter()
            self._take(content)
        return True

    def _take(self, content: str) -> None:
        """Take in one message; it gets exactly one answer."""
        own: MessageId = None
        try:
            message = decode_message(content)
            own = message.id
            if message.op in ORDER_GROUPS:
                self._orders.take(message)
                return
            self._orders.spend("stream")
            told = Answer(id=own, status=200, seq=self._gateway.ring.head.seq, body=self._control(message))
            self._answer(encode_answer(told))
        except Problem as problem:
            self._refuse(own, problem)
            self._count_malformed(problem)

    def _control(self, message: Message) -> dict[str, object]:
        ring = self._gateway.ring
        if message.op == "ping":
            return {"ts": timestamp(ring.head_ts)}
        if message.op == "subscribe":
            self._subscribe(message.channels)
            return {"position": ring.head_id(), "channels": self._subscribed()}
        if message.op == "unsubscribe":
            self._unsubscribe(message.channels)
            return {"channels": self._subscribed()}
        raise Problem(Reason.MALFORMED, errors=[FieldError("op", "unknown", "There is no such operation.")])

    def _answer(self, answer: bytes) -> None:
        self._answers.append(answer)
        self._stream.wake.set()

    def _refuse(self, own: MessageId, problem: Problem, *, seq: int | None = None, replayed: bool = False) -> None:
        body = problem.body(self._language, getattr(self._socket.state, "request_id", ""))
        told = Answer(id=own, status=problem.status, seq=seq or problem.seq, problem=body, replayed=replayed)
        self._answer(encode_answer(told))

    def _end(self, code: int, reason: str) -> None:
        self._close = (code, reason)
        self._stream.wake.set()

    def _count_malformed(self, problem: Problem) -> None:
        if problem.reason is Reason.MALFORMED:
            self._malformed += 1
            if self._malformed >= MAX_MALFORMED:
                self._end(CLOSE_POLICY, Reason.MALFORMED.code)

    # Channels

    def _subscribe(self, channels: list[Channel]) -> None:
        """All of them, or none where one is refused. A feed that was subscribed to before begins anew."""
        directory = self._gateway.market.directory
        for place, channel in enumerate(channels):
            where = f"channels[{place}]"
            if channel.name in ("account", "queue"):
                self._check_account(channel, where)
                continue
            if channel.name == "market":
                _check_no_symbols(channel, where)
                continue
            if channel.name not in ("book", "trades"):
                raise Problem(Reason.MALFORMED, errors=[FieldError(f"{where}.name", "unknown", "No such channel.")])
            if channel.depth not in DEPTHS:
                text = ", ".join(map(str, DEPTHS))
                raise Problem(Reason.MALFORMED, errors=[FieldError(f"{where}.depth", "invalid", f"One of {text}.")])
            for index, symbol in enumerate(channel.symbols):
                if directory.by_symbol(symbol) is None:
                    error = FieldError(f"{where}.symbols[{index}]", "unknown_symbol", symbol[:32])
                    raise Problem(Reason.UNKNOWN_SYMBOL, errors=[error])
        for channel in channels:
            if channel.name == "account":
                self._subscribe_account(channel)
            elif channel.name == "queue":
                self._subscribe_queue()
            elif channel.name == "market":
                self._subscribe_market()
            for symbol in channel.symbols:
                self._subscribe_feed(channel, symbol)

    def _subscribe_feed(self, channel: Channel, symbol: str) -> None:
        key = (channel.name, symbol)
        self._leave_feed(key)
        market = self._gateway.market
        waker = partial(self._feed_ready, key)
        reader = (
            market.read_book(symbol, channel.depth, waker)
            if channel.name == "book"
            else market.read_trades(symbol, waker)
        )
        if reader is not None:
            self._feeds[key] = _Feed(reader, partial(market.leave, reader, waker))
            self._feed_ready(key)

    def _subscribe_queue(self) -> None:
        key = ("queue", "")
        self._leave_feed(key)
        gateway = self._gateway
        feed = QueueFeed(
            gateway.queues, account_of(self._principal), gateway.ring.journal_id, partial(self._feed_ready, key)
        )
        self._feeds[key] = _Feed(feed, feed.close)
        self._feed_ready(key)

    def _subscribe_market(self) -> None:
        key = ("market", "")
        self._leave_feed(key)
        market = self._gateway.market
        waker = partial(self._feed_ready, key)
        reader = market.read_states(waker)
        self._feeds[key] = _Feed(reader, partial(market.leave, reader, waker))
        self._feed_ready(key)

    def _feed_ready(self, key: tuple[str, str]) -> None:
        self._pending[key] = None
        self._stream.wake.set()

    def _check_account(self, channel: Channel, where: str) -> None:
        account_of(self._principal)
        _check_no_symbols(channel, where)
        if channel.after is not None:
            position_of(self._gateway.ring, account_of(self._principal), channel.after, f"{where}.after")

    def _subscribe_account(self, channel: Channel) -> None:
        ring = self._gateway.ring
        account = self._account = account_of(self._principal)
        position = None if channel.after is None else position_of(ring, account, channel.after, "after")
        self._reset = ring.reset_frame(account)[1] if channel.after is not None and position is None else None
        self._reader = ring.reader(account, position)
        ring.wake(account, self._stream.wake.set)

    def _begin_anew(self) -> None:
        """Tell the client that it must read everything anew; its events come from here on."""
        if self._account is not None:
            ring = self._gateway.ring
            self._reset, self._reader = ring.reset_frame(self._account)[1], ring.reader(self._account)
            self._stream.wake.set()

    def _unsubscribe(self, channels: list[Channel]) -> None:
        for channel in channels:
            if channel.name == "account":
                self._leave_account()
            elif channel.name in ("queue", "market"):
                self._leave_feed((channel.name, ""))
            for symbol in channel.symbols:
                self._leave_feed((channel.name, symbol))

    def _unsubscribe_all(self) -> None:
        self._leave_account()
        for key in tuple(self._feeds):
            self._leave_feed(key)

    def _leave_account(self) -> None:
        if self._account is not None:
            self._gateway.ring.forget(self._account, self._stream.wake.set)
        self._account = self._reader = self._reset = None

    def _leave_feed(self, key: tuple[str, str]) -> None:
        found = self._feeds.pop(key, None)
        if found is not None:
            found.leave()
        self._pending.pop(key, None)

    def _subscribed(self) -> list[dict[str, str]]:
        feeds = [{"name": name, "symbol": symbol} if symbol else {"name": name} for name, symbol in self._feeds]
        return feeds if self._reader is None else [*feeds, {"name": "account"}]

    # Orders

    async def _room_for(self, records: int) -> None:
        """Wait while too many commands' answers are not sent: a client that does not read them sends no more."""
        most = self._gateway.settings.stream_in_flight_records
        while self._records_waiting and self._records_waiting + records > most:
            self._records_sent.clear()
            await self._records_sent.wait()
        self._records_waiting += records

    def _answer_records(self, answer: bytes, count: int) -> None:
        self._record_answers.append(answer)
        self._records_answered += count
        self._stream.wake.set()


def _check_no_symbols(channel: Channel, where: str) -> None:
    if channel.symbols:
        raise Problem(Reason.MALFORMED, errors=[FieldError(f"{where}.symbols", "not_allowed", "All or none.")])
