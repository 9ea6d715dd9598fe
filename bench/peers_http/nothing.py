"""A server that does nothing: to each request the same bytes. What the load generator reaches with it is its own limit.

`python nothing.py WAY COMMANDS`: answers as an exchange would to one of the ways of `bench.load`, with so many commands in
a request. It says its address when it is open.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
import sys

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
ORDER = {
    "order_id": 1234567,
    "client_order_id": "0123456789abcdef01",
    "parent_order_id": None,
    "account_id": 17,
    "symbol": "005930",
    "side": "buy",
    "type": "limit",
    "time_in_force": "day",
    "qty": 5,
    "limit_price": 98500,
    "stop_price": None,
    "leaves_qty": 5,
    "filled_qty": 0,
    "canceled_qty": 0,
    "filled_amount": 0,
    "avg_fill_price": None,
    "status": "new",
    "reject_reason": None,
    "end_reason": None,
    "seq": 1234567,
    "ts": "2026-11-23T17:33:28.455120Z",
    "fills": [],
}
HEADERS = 800
"""Bytes of the headers that an exchange's answer has beside: so that as much has to be read."""

EVENT = struct.Struct("<QqIIIBBH96x")


def order_json() -> bytes:
    return json.dumps(ORDER, separators=(",", ":")).encode()


def answers(commands: int) -> bytes:
    """Commands' answers in records: three events each, of an order that rests."""
    events = b"".join(EVENT.pack(1, 1, idx, 17, 1, kind, 1, 0) for idx, kind in enumerate((1, 17, 18)))
    return (struct.pack("<QIHHB7x", 1, 3, 201, 0, 0) + events) * commands


def http_answer(way: str, commands: int) -> bytes:
    if way == "records":
        body, status = answers(commands), b"200 OK"
    elif way == "batches":
        body, status = b'{"results":[%b]}' % b",".join([b'{"order":%b}' % order_json()] * commands), b"200 OK"
    else:
        body, status = order_json(), b"201 Created"
    head = b"HTTP/1.1 %b\r\ncontent-length: %d\r\ncontent-type: application/json\r\n" % (status, len(body))
    return head + b"onseju-seq: 140\r\nx-request-id: 476c180a-d\r\nx-padding: %b\r\n\r\n" % (b"-" * HEADERS) + body


def frame(opcode: int, size: int) -> bytes:
    if size < 126:
        return bytes((0x80 | opcode, size))
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big")
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")


class Nothing(asyncio.Protocol):
    """A connection: HTTP, or after an upgrade a WebSocket."""

    def __init__(self, http: bytes, text: bytes, binary: bytes) -> None:
        self.http, self.text, self.binary = http, text, binary
        self.buffer = bytearray()
        self.upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer
        buffer += data
        while not self.upgraded:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b"Upgrade: websocket" in buffer[:end]:
                self.upgraded = True
                del buffer[: end + 4]
                self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
                break
            length = _LENGTH.search(buffer, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(buffer) < size:
                return
            del buffer[:size]
            self.transport.write(self.http)
        start = 0
        while len(buffer) - start >= 2:
            length, head = buffer[start + 1] & 0x7F, 6
            if length == 126:
                length, head = int.from_bytes(buffer[start + 2 : start + 4], "big"), 8
            elif length == 127:
                length, head = int.from_bytes(buffer[start + 2 : start + 10], "big"), 14
            if len(buffer) - start < head + length:
                break
            opcode, at = buffer[start] & 0x0F, start + head
            start = at + length
            if opcode == 2:
                self.transport.write(frame(2, 8 + len(self.binary)) + buffer[at : at + 8] + self.binary)
            elif opcode == 1:
                number = re.search(rb'"id":(\d+)', buffer[at:start])
                body = b'{"id":%b,%b' % (number[1] if number else b"null", self.text)
                self.transport.write(frame(1, len(body)) + body)
        del buffer[:start]


async def main() -> None:
    way, commands = sys.argv[1], int(sys.argv[2])
    http = http_answer(way, commands)
    text = b'"status":201,"seq":140,"body":%b}' % order_json()
    binary = struct.pack("<HHI", 200, 0, 0) + answers(commands)
    server = await asyncio.get_running_loop().create_server(lambda: Nothing(http, text, binary), "127.0.0.1", 0)
    print(f"open at http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
