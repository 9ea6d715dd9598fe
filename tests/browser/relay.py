"""A TCP relay between browser and server: counts what is open by path, and cuts it off as networks do."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Self

REQUEST = re.compile(rb"\A(?:GET|POST|PUT|PATCH|DELETE) (\S+) HTTP/1\.1\r\n")
CHUNK = 65536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing resets the connection."""


class Line:
    """One connection through the relay."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near = near
        self.far = far
        self.path = ""
        """The path of the newest request; a stream or a WebSocket is a connection's last one."""
        self.requests: list[str] = []
        self.open = True

    def cut(self) -> None:
        """Reset both ends."""
        self.open = False
        for end in (self.near, self.far):
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # that end is gone already


class Relay:
    """Listens on a port of its own and passes everything on to `port` on this machine."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self._threads: list[threading.Thread] = []
        self._refusing = False
        self._on_path: dict[str, Callable[[Line], None]] = {}
        self._timers: list[threading.Timer] = []

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for timer in self._timers:
            timer.cancel()
        self.cut()
        for thread in [*self._threads, *self._timers]:
            thread.join(10)

    def open(self, path: str) -> int:
        """How many connections whose newest request is for `path` (without its query) are open."""
        return len(self._of(path))

    def made(self, path: str) -> int:
        """How many requests there were for `path`."""
        with self._lock:
            return sum(line.requests.count(path) for line in self._lines)

    def cut(self, path: str | None = None) -> None:
        """Cut the connections for `path`, or all."""
        for line in self._of(path):
            line.cut()

    def refuse(self) -> None:
        """Cut everything, and whatever is tried from now on."""
        self._refusing = True
        self.cut()

    def allow(self) -> None:
        """Pass connections on again."""
        self._refusing = False

    def cut_after(self, path: str, seconds: float) -> None:
        """Cut each connection for `path` so long after its request."""

        def later(line: Line) -> None:
            timer = threading.Timer(seconds, line.cut)
            timer.start()
            self._timers.append(timer)

        self._on_path[path] = later

    def _of(self, path: str | None) -> list[Line]:
        with self._lock:
            return [line for line in self._lines if line.open and path in (None, line.path)]

    def _run(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            line = Line(near, far)
            with self._lock:
                self._lines.append(line)
            self._run(self._pass, line, near, far, True)
            self._run(self._pass, line, far, near, False)

    def _pass(self, line: Line, source: socket.socket, sink: socket.socket, outward: bool) -> None:
        try:
            while data := source.recv(CHUNK):
                if outward and (found := REQUEST.match(data)):
                    self._asked(line, found[1].decode().partition("?")[0])
                sink.sendall(data)
        except OSError:
            pass  # cut, or closed at the other end: both ends are closed below
        line.open = False
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        if not outward:
            source.close()
            sink.close()

    def _asked(self, line: Line, path: str) -> None:
        with self._lock:
            line.path = path
            line.requests.append(path)
        if run := self._on_path.get(path):
            run(line)


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Wait until a condition of this process holds."""
    end = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return held
