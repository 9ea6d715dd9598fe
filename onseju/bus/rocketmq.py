"""RocketMQ 5 as the carrier between processes (`bus.transport`): many sends in flight; long polls, explicit acknowledgement."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Literal

import grpc  # type: ignore[import-untyped]
import structlog

from onseju.bus.rocketmq_link import Link, code_name, definitions, hangs, protocol, services, words
from onseju.bus.transport import Delivery, TransportError

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 4 << 20
"""RocketMQ's own bound on a message."""

IN_FLIGHT = 256
SEND_S = 6.0
"""How long a send may take: a second more than the broker waits for its disk."""

BATCH = 32
"""Messages a receive takes at most."""
INVISIBLE_S = 15
"""After so long a message that is not acknowledged comes again. The proxy takes 10 s and more."""
POLL_S = 10
"""How long a receive waits for a message. The proxy takes 5 to 20 s."""
POLLERS = 2
ACKERS = 2
ACK_BATCH = 64
CALL_S = 3.0
HEARTBEAT_S = 10.0
AGAIN_S = 0.2
"""Pause after a failure."""
STOP_S = 5.0

_GROUP_HEADER = "onseju-group"

MessageType = Literal["NORMAL", "FIFO"]


class RocketSender:
    """Sends to one proxy, at most `in_flight` messages at a time.

    Callbacks of the futures run in gRPC's thread: they must not block. A send that fails fails at once where the proxy is
    not there: who sends again waits a little first.
    """

    def __init__(self, endpoints: str, *, in_flight: int = IN_FLIGHT, type: MessageType = "NORMAL") -> None:
        self._link = Link(endpoints)
        self._room = threading.BoundedSemaphore(in_flight)
        self._in_flight = in_flight
        self._type = getattr(definitions, type)
        self._ordered = type == "FIFO"
        self._stopped = False

    def send(self, topic: str, body: bytes, headers: Mapping[str, str]) -> Future[None]:
        """See `bus.transport.Sender`. On a FIFO topic the header `onseju-group` names the queue's message group."""
        if not topic or not body or len(body) > MAX_BODY_BYTES:
            raise ValueError(f"a message has a topic and a body of 1 to {MAX_BODY_BYTES} bytes")
        if not all(name and value for name, value in headers.items()):
            raise ValueError("headers have a name and a value")
        message = definitions.Message(user_properties=headers, body=body)
        message.topic.name = topic
        properties = message.system_properties
        properties.message_id = uuid.uuid4().hex.upper()
        properties.message_type = self._type
        properties.body_encoding = definitions.IDENTITY
        properties.born_timestamp.GetCurrentTime()
        if self._ordered:
            properties.message_group = headers.get(_GROUP_HEADER, "0")
        request = services.SendMessageRequest(messages=[message])
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # nobody takes a message back
        self._room.acquire()
        if self._stopped:
            self._room.release()
            raise TransportError("the sender has been stopped")
        try:
            call = self._link.stub.SendMessage.future(request, timeout=SEND_S, metadata=self._link.metadata)
        except ValueError as error:  # the channel was closed in this moment
            self._room.release()
            future.set_exception(TransportError(words(error)))
            return future
        call.add_done_callback(lambda done: self._answered(done, future, topic))
        return future

    def stop(self) -> None:
        """See `bus.transport.Sender`."""
        if self._stopped:
            return
        until = time.monotonic() + STOP_S
        self._stopped = True
        got = 0
        while got < self._in_flight and self._room.acquire(timeout=max(0.0, until - time.monotonic())):
            got += 1
        self._link.close()
        for _ in range(got):
            self._room.release()

    def _answered(self, call: Any, future: Future[None], topic: str) -> None:
        self._room.release()
        error = _failure(call)
        if error is None:
            future.set_result(None)
            return
        if call.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._link.renew()
        future.set_exception(TransportError(f"{topic}: {error}"))


def _failure(call: Any) -> str | None:
    """Why a send that is over is not known to have succeeded; None = the broker has the message."""
    if call.code() is not grpc.StatusCode.OK:
        return f"{call.code().name}: {call.details()}"
    response = call.result()
    for status in (response.status, *(entry.status for entry in response.entries)):
        if status.code != protocol.Code.OK:
            # a full disk, a flush that took too long, a replica that is away: the broker may have it nevertheless
            return f"{code_name(status.code)}: {status.message}"
    return None


class RocketReceiver:
    """Takes one topic's messages for one consumer group, with long polls in `pollers` threads.

    A group that the broker sees for the first time begins at what is sent from then on: start a receiver before what it
    shall hear is sent. The group and the topic must be there (`scaled.rocketmq_server`); until they are, and whenever the
    proxy is gone, the receiver tries again.
    """

    def __init__(
        self,
        endpoints: str,
        topic: str,
        group: str,
        *,
        pollers: int = POLLERS,
        batch: int = BATCH,
        invisible_s: int = INVISIBLE_S,
        poll_s: int = POLL_S,
    ) -> None:
        self._link = Link(endpoints)
        self._topic = topic
        self._group = group
        self._batch = batch
        self._invisible_s = invisible_s
        self._poll_s = poll_s
        self._ready = threading.Event()
        self._lost = threading.Event()
        """Something failed: the keeper looks whether the proxy still knows us."""
        self._stopping = threading.Event()
        self._calls: set[Any] = set()
        self._calls_lock = threading.Lock()
        self._acks: queue.SimpleQueue[_Ack | None] = queue.SimpleQueue()
        self._deliver: Callable[[Delivery], None] | None = None
        self._pollers = [
            threading.Thread(target=self._poll, name=f"rocketmq-poll-{topic}-{at}", daemon=True)
            for at in range(pollers)
        ]
        self._ackers = [
            threading.Thread(target=self._acknowledge, name=f"rocketmq-ack-{topic}-{at}", daemon=True)
            for at in range(ACKERS)
        ]
        self._keeper = threading.Thread(target=self._keep, name=f"rocketmq-keep-{topic}", daemon=True)

    def start(self, deliver: Callable[[Delivery], None]) -> None:
        """See `bus.transport.Receiver`."""
        self._deliver = deliver
        for thread in (self._keeper, *self._pollers, *self._ackers):
            thread.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Whether the proxy knows this receiver, within so many seconds."""
        return self._ready.wait(timeout_s)

    def stop(self) -> None:
        """See `bus.transport.Receiver`. It takes 5 s at most, and what `deliver` still needs."""
        if self._stopping.is_set():
            return
        until = time.monotonic() + STOP_S
        self._stopping.set()
        self._ready.set()
        self._lost.set()
        with self._calls_lock:
            calls = list(self._calls)
        for call in calls:
            call.cancel()
        for _ in self._ackers:
            self._acks.put(None)
        for thread in (*self._pollers, *self._ackers, self._keeper):
            if thread.ident is not None and thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))
        self._link.close()

    # the proxy knows us

    def _keep(self) -> None:
        """Introduce ourselves to the proxy, say now and then that we live, and again whenever something fails."""
        telemetry: _Telemetry | None = None
        told = False
        while not self._stopping.is_set():
            try:
                if telemetry is None:
                    telemetry = _Telemetry(self._link, self._settings())
                self._beat()
                self._lost.clear()
                self._ready.set()
                told = False
                if self._stopping.is_set():  # the stop's sign may have been cleared just now
                    break
                self._lost.wait(HEARTBEAT_S)
                if not self._lost.is_set():
                    continue
                if self._stopping.is_set():
                    break
            except (grpc.RpcError, TransportError, ValueError) as error:
                if not told and not self._stopping.is_set():
                    log.warning("rocketmq_unreachable", topic=self._topic, group=self._group, error=words(error))
                    told = True
                if hangs(error):
                    self._link.renew()
            if not self._stopping.is_set():
                self._ready.clear()
                if self._stopping.is_set():
                    self._ready.set()  # a stop in between wants nobody to wait
            if telemetry is not None:
                telemetry.close()
                telemetry = None
            self._stopping.wait(AGAIN_S)
        if telemetry is not None:
            self._say_goodbye()
            telemetry.close()

    def _beat(self) -> None:
        request = services.HeartbeatRequest(client_type=definitions.SIMPLE_CONSUMER)
        request.group.name = self._group
        _check(self._link.stub.Heartbeat(request, timeout=CALL_S, metadata=self._link.metadata).status)

    def _say_goodbye(self) -> None:
        request = services.NotifyClientTerminationRequest()
        request.group.name = self._group
        try:
            self._link.stub.NotifyClientTermination(request, timeout=1.0, metadata=self._link.metadata)
        except (grpc.RpcError, ValueError) as error:  # it finds out by itself
            log.debug("rocketmq_goodbye_unheard", error=words(error))

    def _settings(self) -> Any:
        command = services.TelemetryCommand()
        settings = command.settings
        settings.client_type = definitions.SIMPLE_CONSUMER
        settings.request_timeout.seconds = int(CALL_S)
        settings.user_agent.language = definitions.PYTHON
        settings.user_agent.version = dict(self._link.metadata)["x-mq-client-version"]
        settings.subscription.group.name = self._group
        settings.subscription.long_polling_timeout.seconds = self._poll_s
        entry = settings.subscription.subscriptions.add()
        entry.topic.name = self._topic
        entry.expression.type = definitions.TAG
        entry.expression.expression = "*"
        return command

    # receiving

    def _poll(self) -> None:
        request = services.ReceiveMessageRequest(batch_size=self._batch, auto_renew=False)
        request.group.name = self._group
        request.message_queue.topic.name = self._topic
        request.filter_expression.type = definitions.TAG
        request.filter_expression.expression = "*"
        request.invisible_duration.seconds = self._invisible_s
        request.long_polling_timeout.seconds = self._poll_s
        while True:
            self._ready.wait()
            if self._stopping.is_set():
                return
            try:
                self._receive(request)
            except (grpc.RpcError, TransportError, ValueError) as error:
                if self._stopping.is_set():
                    return
                log.info("rocketmq_receive_failed", topic=self._topic, group=self._group, error=words(error))
                if hangs(error):
                    self._link.renew()
                self._ready.clear()
                self._lost.set()
                self._stopping.wait(AGAIN_S)
                if self._stopping.is_set():
                    return

    def _receive(self, request: Any) -> None:
        call = self._link.stub.ReceiveMessage(request, timeout=self._poll_s + CALL_S, metadata=self._link.metadata)
        with self._calls_lock:
            self._calls.add(call)
        if self._stopping.is_set():
            call.cancel()
        try:
            for response in call:
                if response.HasField("message"):
                    if self._stopping.is_set():
                        return
                    self._hand_over(response.message)
                elif response.HasField("status") and response.status.code != protocol.Code.MESSAGE_NOT_FOUND:
                    _check(response.status)
        finally:
            with self._calls_lock:
                self._calls.discard(call)

    def _hand_over(self, message: Any) -> None:
        properties = message.system_properties
        ack = _Ack(properties.message_id, properties.receipt_handle, time.monotonic() + self._invisible_s, self._acks)
        assert self._deliver is not None  # `start` has set it  # noqa: S101
        self._deliver(Delivery(message.body, dict(message.user_properties), ack))

    # acknowledging

    def _acknowledge(self) -> None:
        """Send acknowledgements, all that gather while the last are on their way."""
        waiting: deque[_Ack] = deque()
        ending = told = False
        while not ending or waiting:
            if not waiting:
                first = self._acks.get()
                ending = ending or first is None
                if first is not None:
                    waiting.append(first)
            while len(waiting) < ACK_BATCH and not ending:
                try:
                    more = self._acks.get_nowait()
                except queue.Empty:
                    break
                ending = more is None
                if more is not None:
                    waiting.append(more)
            if not waiting:
                continue
            try:
                self._send_acks(waiting)
                told = False
            except (grpc.RpcError, ValueError) as error:
                if not told:
                    log.info("rocketmq_ack_failed", topic=self._topic, group=self._group, error=words(error))
                    told = True
                if self._stopping.is_set():
                    return
                self._stopping.wait(AGAIN_S)
            now = time.monotonic()
            while waiting and waiting[0].until_s < now:  # it comes again anyway
                waiting.popleft()

    def _send_acks(self, waiting: deque[_Ack]) -> None:
        request = services.AckMessageRequest()
        request.group.name = self._group
        request.topic.name = self._topic
        for ack in waiting:
            request.entries.add(message_id=ack.message_id, receipt_handle=ack.handle)
        response = self._link.stub.AckMessage(request, timeout=CALL_S, metadata=self._link.metadata)
        if response.status.code != protocol.Code.OK:  # these come again
            log.info("rocketmq_ack_refused", topic=self._topic, group=self._group, code=code_name(response.status.code))
        waiting.clear()


class _Ack:
    """A delivery's acknowledgement."""

    __slots__ = ("_done", "_queue", "handle", "message_id", "until_s")

    def __init__(self, message_id: str, handle: str, until_s: float, acks: queue.SimpleQueue[_Ack | None]) -> None:
        self.message_id = message_id
        self.handle = handle
        self.until_s = until_s
        self._queue = acks
        self._done = False

    def __call__(self) -> None:
        if not self._done:
            self._done = True
            self._queue.put(self)


class _Telemetry:
    """The stream on which the proxy is told who we are; it knows us while the stream is open."""

    def __init__(self, link: Link, settings: Any) -> None:
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._requests.put(settings)
        self._call = link.stub.Telemetry(iter(self._requests.get, None), metadata=link.metadata)
        heard = threading.Timer(CALL_S, self._call.cancel)
        heard.daemon = True
        heard.start()
        try:
            for command in self._call:
                if command.HasField("settings"):
                    return
            raise TransportError("RocketMQ's proxy has not answered")
        except BaseException:
            self.close()
            raise
        finally:
            heard.cancel()

    def close(self) -> None:
        """End the stream. Idempotent."""
        self._call.cancel()
        self._requests.put(None)


def _check(status: Any) -> None:
    if status.code != protocol.Code.OK:
        raise TransportError(f"{code_name(status.code)}: {status.message}")
