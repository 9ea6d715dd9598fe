"""uvicorn's way to answer, in fewer steps: a response's head is checked as a whole and leaves together with its body.

uvicorn looks at each header with two patterns and writes head and body apart, which is a seventh of what an order over HTTP
costs. What is checked stays the same: no header may hold what could end it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HEADER_RE, STATUS_LINE, RequestResponseCycle

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MAX_NAMES = 1_000


class _Names(dict[bytes, bytes]):
    """Header names that were looked at, as they are written. They come from the program, so there are few."""

    def __missing__(self, name: bytes) -> bytes:
        if HEADER_RE.search(name) or len(self) >= _MAX_NAMES:
            raise RuntimeError("Invalid HTTP header name.")
        lower = self[name] = name.lower() + b": "
        return lower


_names = _Names()


class QuickCycle(RequestResponseCycle):
    """One request and its response."""

    _head = b""
    """The head of a response whose length is known, until its body comes."""

    async def send(self, message: Any) -> None:
        """ASGI's `send`."""
        if self.response_started or message["type"] != "http.response.start" or self.access_log:
            if self._head and message["type"] == "http.response.body":
                message = self._with_head(message)
            await super().send(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        self.response_started = True  # whatever fails from here on ends the connection
        self.waiting_for_100_continue = False
        self._start(message["status"], [*self.default_headers, *message.get("headers", ())])

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        has_connection_close = False
        parts = [STATUS_LINE[status]]
        for name, value in headers:
            written = _names[name]
            parts += (written, value, b"\r\n")
            if written == b"content-length: " and self.chunked_encoding is None:
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif written == b"transfer-encoding: " and value.lower() == b"chunked":
                self.expected_content_length = 0
                self.chunked_encoding = True
            elif written == b"connection: " and b"close" in value.lower():
                self.keep_alive = False
                has_connection_close = True
        if not self.keep_alive and not has_connection_close:
            parts.append(b"connection: close\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in (204, 304):
            self.chunked_encoding = True
            parts.append(b"transfer-encoding: chunked\r\n")
        head = b"".join(parts)
        lines = head.count(b"\r\n")
        told = len(headers) + 1 + (len(parts) - 1 - 3 * len(headers))
        if not lines == head.count(b"\n") == head.count(b"\r") == told or _CONTROL.search(head):
            raise RuntimeError("Invalid HTTP header value.")
        if self.chunked_encoding is False and self.scope["method"] != "HEAD":
            self._head = head + b"\r\n"
        else:
            self.transport.write(head + b"\r\n")

    def _with_head(self, message: Any) -> Any:
        """The body with the head before it, which counts as part of it from here on."""
        head, self._head = self._head, b""
        self.expected_content_length += len(head)
        return {**message, "body": head + message.get("body", b"")}


class _NobodyWaits:
    """uvicorn's event for those who read a body: here nobody does."""

    def set(self) -> None:
        """Nothing."""


class ExpressCycle:
    """One request on the short way (`gateway.express`), as the protocol knows requests: so it keeps its turn among those of
    its connection, hears of the client's leaving, and ends with the server."""

    __slots__ = ("_finish", "disconnected", "keep_alive", "response_complete", "response_started")

    message_event: ClassVar = _NobodyWaits()

    def __init__(self, finish: Callable[[ExpressCycle, bytes, bytes], None], *, keep_alive: bool) -> None:
        """`finish` writes a response (its status line, and what comes behind the server's own headers) and goes on to the connection's next request."""
        self._finish = finish
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_started = False
        self.response_complete = False

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        """The whole response: `head` are its own header lines."""
        finish = self._finish
        del self._finish  # the protocol's own: else the two would hold each other
        self.response_started = self.response_complete = True
        if not self.disconnected:
            end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
            finish(self, STATUS_LINE[status], b"".join((head, end, body)))
