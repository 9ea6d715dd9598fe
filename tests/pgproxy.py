"""A way to PostgreSQL on which a test can stop everything at one message, cut it, or swallow an answer."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from urllib.parse import urlsplit, urlunsplit

_LENGTH = struct.Struct("!I")


class PostgresProxy:
    """Listens on a free port, and hands each connection on to `url`'s server, until `close`.

    Armed by `stop_at`, it freezes when a client's message with these bytes comes: `before` it is handed on, or right after
    it, before the answer. Frozen, nothing gets through in either direction, and nobody is told.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        host = f"{parts.username}:{parts.password}@127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = urlunsplit((parts.scheme, host, parts.path, "sslmode=disable&gssencmode=disable", ""))
        self.reached = threading.Event()
        self._open = threading.Event()
        self._open.set()
        self._stop_at: tuple[bytes, bool] | None = None
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop_at(self, text: bytes, *, before: bool) -> None:
        self._stop_at = (text, before)

    def thaw(self) -> None:
        """Let everything through that waits."""
        self._open.set()

    def cut(self) -> None:
        """End every connection, at both ends; what waits is lost."""
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.set()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join()
        for one in [*self._sockets, self._listener]:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            for run in (self._requests, self._answers):
                thread = threading.Thread(target=run, args=(client, server), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError), client.makefile("rb") as stream:
            kind = b""  # the first message has none
            while len(head := stream.read(4)) == 4:
                body = stream.read(_LENGTH.unpack(head)[0] - 4)
                stopping = self._stop_at is not None and self._stop_at[0] in body
                if stopping and self._stop_at is not None:
                    before, self._stop_at = self._stop_at[1], None
                    self._open.clear()
                    if not before:
                        server.sendall(kind + head + body)
                    self.reached.set()
                    self._open.wait()
                    if not before:
                        kind = stream.read(1)
                        continue
                self._open.wait()
                server.sendall(kind + head + body)
                kind = stream.read(1)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                self._open.wait()
                client.sendall(data)
        self._open.wait()
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
