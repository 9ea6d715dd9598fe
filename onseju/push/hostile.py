"""uvicorn's protocols, with bounds on what a hostile client may make them hold: heads, trailers, fragments, pongs.

uvicorn bounds none of these with httptools and websockets: whoever sends a header without end fills the memory with it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from http import HTTPStatus
from typing import Any, NamedTuple, Self, TypeVar

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from onseju.contract.reasons import Reason
from onseju.gateway.limits import address_key
from onseju.gateway.problems import Problem
from onseju.push.ordinary_frames import OrdinaryFrames
from onseju.settings import Settings

TOO_MANY_CONNECTIONS = "Too many connections from this address. 이 주소에서 연 연결이 너무 많습니다."
NOT_HTTP = "This is not a valid HTTP request. 올바른 HTTP 요청이 아닙니다."
NO_HANDSHAKE = "This is not a valid WebSocket handshake. 올바른 WebSocket 요청이 아닙니다."


class Bounds(NamedTuple):
    """How much one client may ask for, as the host set it: `Settings` says what each means."""

    connections_per_address: int
    head_bytes: int
    head_timeout_s: float
    pipelined_requests: int
    message_fragments: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The bounds of these settings."""
        return cls(
            settings.max_connections_per_address,
            settings.max_head_bytes,
            settings.head_timeout_s,
            settings.max_pipelined_requests,
            settings.max_message_fragments,
        )


DEFAULT = Bounds.of(Settings.model_construct())

P = TypeVar("P", bound=asyncio.Protocol)


def bounded(protocol: type[P], bounds: Bounds) -> type[P]:
    """The protocol with these bounds: uvicorn makes its protocols itself, from a class."""
    return type(protocol.__name__, (protocol,), {"bounds": bounds})


_connections: Counter[str] = Counter()
"""Open connections by address, of HTTP and WebSocket together."""


def _enter(address: str, most: int) -> bool:
    """Count a connection in; False where its address has too many, and then it is not counted."""
    if _connections[address] >= most:
        return False
    _connections[address] += 1
    return True


def _leave(address: str) -> None:
    _connections[address] -= 1
    if _connections[address] <= 0:
        del _connections[address]


def _address_of(transport: asyncio.BaseTransport) -> str:
    peer = transport.get_extra_info("peername")
    return address_key(peer[0]) if isinstance(peer, tuple) else ""


class _HeadTooLargeError(Exception):
    pass


class _TooManyPipelinedError(Exception):
    pass


class BoundedHttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 with bounded heads and trailers. What is no HTTP gets a problem document, too."""

    bounds = DEFAULT
    _open = False
    """Whether a request has begun and has not ended."""
    _in_head = False
    _progressed = False
    _spanning = False
    _idle_bytes = 0
    """What came since a request began, or since its last bytes of body: head, or trailers."""
    _head_timer: asyncio.TimerHandle | None = None
    _refusal: Problem | None = None
    _address = ""
    _counted = False
    _running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = _address_of(transport)
        self._counted = _enter(self._address, self.bounds.connections_per_address)
        if not self._counted:
            self._refusal = Problem(Reason.RATE_LIMITED, detail=TOO_MANY_CONNECTIONS)
            self.send_400_response("")
            return
        # A connection that never asks for anything is closed as one that asks for nothing more.
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._counted:
            _leave(self._address)
        self._unset_head_timer()
        self._unset_keepalive_if_required()
        if self._running is not None:
            # uvicorn tells only the last request that the client has left, which may still wait behind this one.
            self._running.disconnected = True
            self._running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        was_open = self._open
        most = self.bounds.head_bytes
        self._progressed = False
        self._spanning = self._in_head or len(data) > most
        super().data_received(data)
        if not self._open or self.transport.is_closing():
            return
        if self._in_head and self._head_timer is None:
            self._head_timer = self.loop.call_later(self.bounds.head_timeout_s, self._head_is_late)
        if self._progressed or not was_open:
            self._idle_bytes = 0
            return
        self._idle_bytes += len(data)
        if self._idle_bytes > most:
            self._refusal = _head_too_large(most)
            self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._open = self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._progressed = True
        self._unset_head_timer()
        most = self.bounds.head_bytes
        if self._spanning and len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers) > most:
            self._refusal = _head_too_large(most)
            raise _HeadTooLargeError  # the parser stops, and `send_400_response` is called
        self.begin_request()

        if len(self.pipeline) > self.bounds.pipelined_requests:
            raise _TooManyPipelinedError

    def begin_request(self) -> None:
        """The head is here and in order."""
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline:
            # uvicorn reads on after each answer. Whoever sends requests and reads no answers would fill the memory.
            self.flow.pause_reading()

    def on_body(self, body: bytes) -> None:
        self._progressed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._open = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what never became a request, and close."""
        self._open = False
        self._unset_head_timer()
        problem = self._refusal or Problem(Reason.MALFORMED, detail=NOT_HTTP)
        answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not answering and not self.pipeline:  # else nothing may go between
            self.transport.write(_answer(problem))
        self.transport.close()

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            within = f"{self.bounds.head_timeout_s:g} s"
            detail = f"The head of the request did not arrive within {within}. 요청이 너무 느립니다."
            self._refusal = Problem(Reason.MALFORMED, status=408, detail=detail)
            self.send_400_response("")

    def _unset_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSocket with bounded fragments and pongs, and an answer to handshakes that are none."""

    bounds = DEFAULT

    def connection_made(self, transport: Any) -> None:
        self._address = _address_of(transport)  # counted already, when it came as HTTP
        self._ordinary = OrdinaryFrames(self.config.ws_max_size)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        _leave(self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.handshake_complete and not self._ordinary.over:
            self._receive_ordinary(data)
            return
        if self.handshake_initiated:
            self._ordinary.over = True  # it may end within a frame, which only the whole parser knows
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None and not self.transport.is_closing():
            self.transport.write(_answer(Problem(Reason.MALFORMED, detail=NO_HANDSHAKE)))
            self.transport.close()

    def _receive_ordinary(self, data: bytes) -> None:
        """Whole, small messages go to the application at once; the rest goes the whole parser's way. That costs a message
        ten times as much."""
        for kind, content in self._ordinary.split(data):
            if kind is Opcode.CONT:
                super().data_received(content)
            else:
                self.frames = [content]
                self.curr_msg_data_type = "text" if kind is Opcode.TEXT else "bytes"
                self.send_receive_event_to_app()

    def handle_cont(self, event: Frame) -> None:
        if self.close_sent:
            return
        if len(self.frames) < self.bounds.message_fragments:
            super().handle_cont(event)
            return
        self.frames = []
        self.conn.fail(1009, "too many fragments")
        self.handle_parser_exception()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # the client does not read: its pongs are dropped, not kept


def _head_too_large(most: int) -> Problem:
    detail = f"The head of a request may have {most} bytes. 요청의 헤더가 너무 깁니다."
    return Problem(Reason.MALFORMED, status=431, detail=detail)


def _answer(problem: Problem) -> bytes:
    """A whole response. It is in both languages: nobody has read what the client prefers."""
    body = msgspec.json.encode(problem.body("en", ""))
    status: Any = HTTPStatus(problem.status)
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\nx-content-type-options: nosniff\r\n\r\n"
    ).encode("ascii") + body
