"""Clients of the streams, for tests: they keep what they received, and break off when told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.sync.client import connect

WAIT_S = 20

Envelope = dict[str, Any]


class Collector:
    """Envelopes as they arrive, in order, and a way to wait for some."""

    def __init__(self) -> None:
        self.received: list[Envelope] = []
        self._changed = threading.Condition()

    def take(self, envelope: Envelope) -> None:
        with self._changed:
            self.received.append(envelope)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[Envelope], bool]) -> Envelope:
        """The first envelope that is wanted. Raises `AssertionError` when none comes."""
        with self._changed:
            found = self._changed.wait_for(lambda: next(filter(wanted, self.received), None), WAIT_S)
        assert found is not None, f"not received; there are {[(e['id'], e['type']) for e in self.received]}"
        return found


class SseClient(Collector):
    """`GET /v1/stream` on a plain socket, line by line."""

    def __init__(self, url: str, key: str, last_event_id: str | None = None) -> None:
        super().__init__()
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port), timeout=WAIT_S)
        lines = ["GET /v1/stream HTTP/1.1", f"Host: {address.netloc}", f"Authorization: Bearer {key}"]
        if last_event_id:
            lines.append(f"Last-Event-ID: {last_event_id}")
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        assert self._open.wait(WAIT_S), "the stream sent nothing at its start"

    def _lines(self) -> Any:
        """The body's lines, out of its chunks."""
        rest = b""
        while size := int(self._file.readline().strip() or b"0", 16):
            rest += self._file.read(size)
            self._file.read(2)
            *whole, rest = rest.split(b"\n")
            yield from whole

    def _read(self) -> None:
        event: dict[str, str] = {}
        try:
            for line in self._lines():
                self._open.set()
                if line.startswith(b":"):
                    continue
                if line:
                    name, _, value = line.decode().partition(":")
                    event[name] = value.removeprefix(" ")
                elif "data" in event:
                    envelope = json.loads(event["data"])
                    assert envelope["id"] == event["id"]
                    assert envelope["type"] == event["event"]
                    self.take(envelope)
                    event = {}
                else:
                    event = {}
        except (OSError, ValueError):
            return  # closed by `close`, in the middle of a read

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT_S)
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class WsClient(Collector):
    """`/v1/ws` with a key. Answers to requests are kept apart from the channels' envelopes."""

    def __init__(self, url: str, key: str | None, *channels: dict[str, Any]) -> None:
        super().__init__()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._stack = ExitStack()
        self._connection = self._stack.enter_context(
            connect(url.replace("http", "ws", 1) + "/v1/ws", additional_headers=headers, compression=None, proxy=None)
        )
        self.answers = Collector()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self._count = 0
        if channels:
            self.ask({"op": "subscribe", "channels": list(channels)})

    def ask(self, message: dict[str, Any]) -> Envelope:
        """Send a request and wait for its answer."""
        self._count += 1
        own = f"r{self._count}"
        self._connection.send(json.dumps({**message, "id": own}))
        return self.answers.wait_for(lambda answer: answer.get("id") == own)

    def _read(self) -> None:
        for message in self._connection:
            content = json.loads(message)
            (self if "ch" in content else self.answers).take(content)

    def close(self) -> None:
        self._stack.close()
        self._thread.join(WAIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def assert_contiguous(envelopes: list[Envelope], before: str | None = None) -> None:
    """Each envelope names the one before it: nothing is missing, nothing is there twice."""
    ids = [envelope["id"] for envelope in envelopes]
    assert len(ids) == len(set(ids))
    for envelope in envelopes:
        if before is not None:
            assert envelope["prev"] == before
        before = envelope["id"]
