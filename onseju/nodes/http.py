"""A process's port and its end: listening, uvicorn as we use it, signals. For every process that answers over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import resource
import signal
import socket
import sys
from collections.abc import Generator
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette

from onseju.kis.protocol import KisWebSocketProtocol
from onseju.nodes.starting import CannotStartError
from onseju.push.hostile import Bounds, bounded
from onseju.push.messages import MAX_MESSAGE_BYTES
from onseju.push.protocols import HttpProtocol, WebSocketProtocol
from onseju.settings import Settings

SWITCH_S = 0.001
"""How long the event loop keeps the interpreter's lock from a thread that wants it."""

COLLECT_AFTER = (50_000, 20, 100)
"""When Python looks for cycles: new objects, then collections of the generation before. By its own default (700, 10, 10)
it walks through the streams' ring and the books again and again, which is two fifths of an order's processor time."""
BACKLOG = 16_384
"""Connections that the system may keep for us until they are accepted (it may keep fewer): a reconnect storm."""
FILES_WANTED = 65_536
"""Open files to ask the system for: each stream holds one."""


class StopAskedError(Exception):
    """A signal came while the venue was starting."""


class Signals:
    """Ctrl-C and SIGTERM ask for an orderly end, from the first moment to the last. A second Ctrl-C does not wait for it.

    uvicorn's own handlers come late, and end the process by the same signal before the stages are closed.
    """

    def __init__(self) -> None:
        self.asked = False
        self.server: uvicorn.Server | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self._before = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.server is not None:
            self.server.handle_exit(number, frame)
        elif self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def check(self) -> None:
        """Raise `StopAskedError` if a signal came. Called between the steps of a start, which may block for long."""
        if self.asked:
            raise StopAskedError


def listen(host: str, port: int) -> socket.socket:
    """The bound port, before anything slow is done. Raises `CannotStartError` when another program has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            advice = "Another program has it. Choose another port: onseju up --port 0 takes a free one."
        elif error.errno == errno.EACCES:
            advice = "Ports below 1024 are the system's. Choose a higher one with --port."
        else:
            advice = f"{host} must be an address of this machine: --host 127.0.0.1, or 0.0.0.0 for all of them."
        raise CannotStartError(f"Port {port} of {host} cannot be opened ({error.strerror}). {advice}") from error
    return sock


def raise_file_limit() -> None:
    """Ask for as many open files as the system gives without privilege."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def collect_seldom() -> None:
    """Look for cycles less often, and no more in what the start has made: it stays until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def switch_often() -> None:
    """Give the journal's thread its turn soon: it asks twice a group, and the busy event loop answers after this time. The
    default of 5 ms is more than a flush takes."""
    sys.setswitchinterval(SWITCH_S)


class WebSocket(KisWebSocketProtocol, WebSocketProtocol):
    """Both protocols' ways to cut off a client that does not read, on one port."""


class Server(uvicorn.Server):
    """uvicorn, with an event for the moment when it has tried to start."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.tried = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.tried.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """`Signals` takes them."""
        yield


def api_server(app: Starlette, settings: Settings) -> Server:
    """A server of the whole API, its connections bounded by the settings."""
    bounds = Bounds.of(settings)
    config = uvicorn.Config(
        app,
        loop="none",
        http=bounded(HttpProtocol, bounds),
        ws=bounded(WebSocket, bounds),
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        lifespan="off",
        access_log=False,
        log_config=None,  # its lines take the way of all others
        server_header=False,
        timeout_keep_alive=75,
        backlog=BACKLOG,
        timeout_graceful_shutdown=3,
    )
    return Server(config)
