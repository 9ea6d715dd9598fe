"""uvicorn's protocols, with what streams need beyond ASGI: to bound a connection's buffers, to cut it, to end at shutdown,
and to send many encoded messages at once.

ASGI can only send and wait. A client that never reads would hold its connection for ever: even closing waits until what
is buffered was taken. So the scope's extension `onseju.link` gives a stream a `Link` to its connection.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from onseju.gateway import express
from onseju.push.cycle import ExpressCycle, QuickCycle
from onseju.push.hostile import BoundedHttpProtocol, BoundedWebSocketProtocol
from onseju.push.pacing import Pacer

EXTENSION = "onseju.link"

GRACE_S = 5.0
"""How long a cut WebSocket's client has to read what is buffered and the close code behind it."""

Ender = Callable[[], None]


class Link(Protocol):
    """A stream's hold on its connection."""

    def bound(self, buffer_bytes: int, ender: Ender) -> None:
        """Let the system buffer at most about `buffer_bytes` unread, and call `ender` when the server shuts down."""
        ...

    def release(self) -> None:
        """The stream is over: nobody is called any more."""
        ...

    def cut(self, code: int, reason: str) -> None:
        """Drop the connection though its client does not read. A WebSocket's client is told code and reason."""
        ...


def link_of(scope: Scope) -> Link | None:
    """The connection's link; None under a server that does not give one."""
    link: Link | None = scope.get("extensions", {}).get(EXTENSION)
    return link


def _nobody() -> None:
    """Who is called once the stream is over."""


class _Link:
    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.ender: Ender | None = None

    def bound(self, buffer_bytes: int, ender: Ender) -> None:
        self.ender = ender
        # the system's own default grows to megabytes a connection
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)

    def release(self) -> None:
        if self.ender is not None:
            self.ender = _nobody  # not None: the server's stop leaves what was a stream to the end it is coming to

    def cut(self, code: int, reason: str) -> None:
        self._transport.abort()


_pacers: WeakKeyDictionary[asyncio.AbstractEventLoop, Pacer] = WeakKeyDictionary()


class HttpProtocol(BoundedHttpProtocol):
    """HTTP/1.1; use as uvicorn's `http`. Orders take the short way (`gateway.express`) where the application has one."""

    _held: bytes | None = None
    """What is here of the body of an order that may take the short way."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], **more: Any) -> None:
        super().__init__(config, server_state, app_state, **more)
        self._express: express.Express | None = getattr(config.app, "express", None)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _pacers.setdefault(self.loop, Pacer()).arrive(self)

    def hold(self) -> bool:
        """Read nothing for now (`pacing.Paced`)."""
        self.flow.pause_reading()
        return True

    def begin(self) -> None:
        """Read."""
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def begin_request(self) -> None:
        """The head is here. An order on the short way waits for its body, which most often came with it."""
        if (
            self.url == express.PATH
            and self._express is not None
            and (self.cycle is None or self.cycle.response_complete)
            and self.parser.get_method() == b"POST"
            and not self.flow.write_paused
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
        ):
            self._held = b""
        else:
            super().begin_request()

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
            return
        self._progressed = True
        self._held += body
        if len(self._held) > express.MAX_BODY_BYTES:
            self._go_the_long_way()

    def on_message_complete(self) -> None:
        if self._held is not None:
            keep_alive = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
            cycle = ExpressCycle(self._finish_express, keep_alive=keep_alive)
            if self._take(cycle, self._held):
                self._held = None
                self._open = False
                self.cycle = self._running = cycle  # type: ignore[assignment]  # all that is asked of one here
                return
            self._go_the_long_way()
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._held is not None and not self.transport.is_closing():
            self._go_the_long_way()  # which knows how long a body may take

    def _take(self, cycle: ExpressCycle, body: bytes) -> bool:
        way = self._express
        return way is not None and way.take(self.headers, self.scheme or "http", body, cycle.reply)

    def _go_the_long_way(self) -> None:
        body, self._held = self._held, None
        super().begin_request()
        if body:
            super().on_body(body)

    def _finish_express(self, cycle: ExpressCycle, status_line: bytes, rest: bytes) -> None:
        default = b"".join([b"%b: %b\r\n" % pair for pair in self.server_state.default_headers])
        self.transport.write(b"".join((status_line, default, rest)))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = QuickCycle  # uvicorn makes it, and lets nobody name another class
        super()._start_asgi_task(cycle, app)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._link = _Link(self.transport)
        self.scope["extensions"] = {EXTENSION: self._link}  # type: ignore[dict-item]

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]  # it holds this protocol, which nobody else needs any more

    def shutdown(self) -> None:
        super().shutdown()
        link: _Link | None = getattr(self, "_link", None)
        if link is not None and link.ender is not None:
            link.ender()


class WebSocketProtocol(BoundedWebSocketProtocol):
    """WebSocket; use as uvicorn's `ws`. When it is over nothing holds itself in memory: Python seldom looks for cycles here
    (`serve.COLLECT_AFTER`)."""

    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[EXTENSION] = _WebSocketLink(self)
        try:
            await super().run_asgi()
        finally:
            del extensions[EXTENSION]

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.conn.parser.close()

    def shutdown(self) -> None:
        """The server stops: a stream answers what it has taken and closes by itself; others are closed here and now."""
        extensions: dict[str, Any] = (getattr(self, "scope", None) or {}).get("extensions") or {}
        link: _Link | None = extensions.get(EXTENSION)
        if link is not None and link.ender is not None and self.handshake_complete:
            link.ender()
        else:
            super().shutdown()


async def send_messages(socket: WebSocket, bodies: Sequence[bytes], *, binary: bool = False) -> None:
    """Send messages, of text or binary, in one write where the server can. Waits while the client does not keep up.

    Raises `WebSocketDisconnect` when it has left.
    """
    link = link_of(socket.scope)
    if isinstance(link, _WebSocketLink) and link.plain:
        await link.send_messages(bodies, binary=binary)
        return
    for body in bodies:
        await socket.send({"type": "websocket.send", **({"bytes": body} if binary else {"text": body.decode()})})


async def receive_messages(socket: WebSocket) -> list[Any]:
    """Wait for a message; then all that are here already, ASGI's `websocket.receive` and `websocket.disconnect`."""
    messages = [await socket.receive()]
    link = link_of(socket.scope)
    if isinstance(link, _WebSocketLink):
        messages += link.take_messages()
    if messages[-1]["type"] == "websocket.disconnect":
        socket.client_state = WebSocketState.DISCONNECTED
    return messages


def server_frame(body: bytes, *, binary: bool = False) -> bytes:
    """A server's message on the wire (RFC 6455, 5.2): whole, unmasked."""
    length = len(body)
    first = b"\x82" if binary else b"\x81"
    if length < 126:
        return b"%b%c%b" % (first, length, body)
    if length < 1 << 16:
        return b"%b\x7e%b%b" % (first, length.to_bytes(2, "big"), body)
    return b"%b\x7f%b%b" % (first, length.to_bytes(8, "big"), body)


class _WebSocketLink(_Link):
    def __init__(self, protocol: WebSocketProtocol) -> None:
        super().__init__(protocol.transport)
        self._protocol = protocol

    @property
    def plain(self) -> bool:
        """Whether messages travel as they are (no compression was agreed)."""
        return not self._protocol.conn.extensions

    def take_messages(self) -> list[Any]:
        """All messages that wait to be received; then the connection is read on."""
        protocol = self._protocol
        messages = [protocol.queue.get_nowait() for _ in range(protocol.queue.qsize())]
        if protocol.read_paused:
            protocol.read_paused = False
            if not protocol.transport.is_closing():
                protocol.transport.resume_reading()
        return messages

    async def send_messages(self, bodies: Sequence[bytes], *, binary: bool) -> None:
        """ASGI's `websocket.send` in bulk, with the same flow control. It costs a tenth."""
        protocol = self._protocol
        await protocol.writable.wait()
        if protocol.disconnected or protocol.close_sent:
            raise WebSocketDisconnect(1006)
        protocol.transport.write(b"".join([server_frame(body, binary=binary) for body in bodies]))

    def cut(self, code: int, reason: str) -> None:
        protocol, transport = self._protocol, self._transport
        if transport.is_closing():
            transport.abort()
            return
        if not protocol.close_sent:
            # past the flow control, behind what is buffered: a client that wakes up within the grace reads it
            protocol.conn.send_close(code, reason)
            transport.write(b"".join(protocol.conn.data_to_send()))
            protocol.close_sent = True
            protocol.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        protocol.loop.call_later(GRACE_S, transport.abort)
