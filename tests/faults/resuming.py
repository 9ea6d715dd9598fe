"""A client that breaks off and resumes at random, on either transport: what it keeps is what a careful program would."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Any

from bench.wire import CLOSE, PING, PONG, TEXT, Chunks, client_frame, server_frames

Envelope = dict[str, Any]

CONNECT_S = 60
LINGER_NOT = struct.pack("ii", 1, 0)
"""Closing sends a reset, as a machine that is gone would."""


def place(event_id: str) -> tuple[int, int]:
    """Where an event is in its journal: the command, and the event's place among that one's."""
    _, seq, idx = event_id.rsplit("-", 2)
    return int(seq), int(idx)


class Resuming(threading.Thread):
    """Follows an account's events over `breaks` broken connections, then until it is told that it has all of them.

    `events` are the envelopes in the order of their arrival. An event counts once all of it is there; resuming is from the
    last one that counts. `failure` is what went wrong, if anything: an event that is not the next one ends it at once.
    """

    def __init__(self, port: int, key: str, breaks: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.events: list[Envelope] = []
        self.first: str | None = None
        """The cursor that the first connection was given."""
        self.following = threading.Event()
        self.failure: BaseException | None = None
        self.connections = {"sse": 0, "websocket": 0}
        self.refused = 0
        """Connections that the server, being down, did not take."""
        self.broken = 0
        self.ended = 0
        """Connections that the server ended: it was killed, or it failed."""
        self._port, self._key, self._breaks = port, key, breaks
        self._draw = random.Random(seed)
        self._over = threading.Event()
        self._rest = b""
        self._chunks = Chunks()

    @property
    def cursor(self) -> str | None:
        """Where it would resume."""
        return self.events[-1]["id"] if self.events else self.first

    def finish(self) -> None:
        """Break off once more, for good."""
        self._over.set()

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._follow(self._draw.choice(("sse", "websocket")))
        except BaseException as error:
            self.failure = error
            raise

    def _follow(self, transport: str) -> None:
        """One connection: until its random end, the server's, or the last one's."""
        sock = self._connect()
        if sock is None:
            return
        self._rest, self._chunks = b"", Chunks()
        last = self.broken >= self._breaks
        end = time.monotonic() + (3600 if last else self._draw.expovariate(1 / 0.15))
        most = self._draw.choice((1, 7, 100, 65536))  # a small one cuts events in the middle
        with sock:
            try:
                self._open(sock, transport)
                self.connections[transport] += 1
                while not self._over.is_set() and time.monotonic() < end:
                    sock.settimeout(0.01)
                    try:
                        data = sock.recv(65536 if last else most)
                    except TimeoutError:
                        continue
                    if not data:
                        self.ended += 1
                        return
                    self._take(sock, transport, data)
                self.broken += 1
                if self._draw.random() < 0.5:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            except ConnectionError:
                self.ended += 1

    def _connect(self) -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", self._port), timeout=CONNECT_S)
        except ConnectionError:
            self.refused += 1
            time.sleep(0.05)  # as clients do, before they try again
            return None

    def _open(self, sock: socket.socket, transport: str) -> None:
        head = f"Host: localhost\r\nAuthorization: Bearer {self._key}\r\n"
        cursor = self.cursor
        if transport == "sse":
            resume = f"Last-Event-ID: {cursor}\r\n" if cursor else ""
            sock.sendall(f"GET /v1/stream HTTP/1.1\r\n{head}{resume}\r\n".encode())
            self._head(sock, b"HTTP/1.1 200 ")
            return
        upgrade = f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n"
        sock.sendall(f"GET /v1/ws HTTP/1.1\r\n{head}Connection: Upgrade\r\n{upgrade}\r\n".encode())
        self._head(sock, b"HTTP/1.1 101 ")
        channel = {"name": "account", **({"after": cursor} if cursor else {})}
        sock.sendall(client_frame(TEXT, json.dumps({"op": "subscribe", "channels": [channel]}).encode()))

    def _head(self, sock: socket.socket, wanted: bytes) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = sock.recv(1)
            if not byte:
                raise ConnectionResetError("the server was killed")
            head += byte
        if not head.startswith(wanted):
            raise AssertionError(head)

    def _take(self, sock: socket.socket, transport: str, data: bytes) -> None:
        if transport == "sse":
            *whole, self._rest = (self._rest + self._chunks.take(data)).split(b"\n\n")
            for event in whole:
                fields = dict(line.split(b":", 1) for line in event.split(b"\n") if not line.startswith(b":"))
                if b"data" in fields:
                    self._keep(json.loads(fields[b"data"]))
                elif b"id" in fields:
                    self._begin(fields[b"id"].strip().decode())
            return
        frames, self._rest = server_frames(self._rest + data)
        for opcode, payload in frames:
            if opcode == PING:
                with suppress(ConnectionError):
                    sock.sendall(client_frame(PONG, payload))
            elif opcode == TEXT:
                message = json.loads(payload)
                if "ch" in message:
                    self._keep(message)
                elif message["status"] != 200:
                    raise AssertionError(message)
                else:
                    self._begin(message["body"]["position"])
            elif opcode == CLOSE:
                raise ConnectionResetError("the server stops")

    def _begin(self, cursor: str) -> None:
        if self.first is None:
            self.first = cursor
        self.following.set()

    def _keep(self, envelope: Envelope) -> None:
        """Take in the next event. What is not the next ends this client: waiting for the rest would say less."""
        cursor, event_id, prev = self.cursor, envelope["id"], envelope["prev"]
        if cursor is not None and place(event_id) <= place(cursor):
            raise AssertionError(f"{event_id} came after {cursor}: twice, or out of order")
        if self.events and prev != cursor:
            raise AssertionError(f"{event_id} names {prev} before it, but came after {cursor}: something is lost")
        self.events.append(envelope)
