"""WebSocket frames for load generators (RFC 6455, 5.2): a few lines, so that a library's cost is not measured."""

from __future__ import annotations

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def client_frame(opcode: int, payload: bytes) -> bytes:
    """A client's frame (RFC 6455, 5.2), its mask zeros."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((0x80 | opcode,)) + length + bytes(4) + payload


def server_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames in `data`, as (opcode, payload), and the rest. The server sends them unmasked and unfragmented."""
    frames = []
    start = 0
    while len(data) - start >= 2:
        length, head = data[start + 1] & 0x7F, 2
        if length >= 126:
            head = 4 if length == 126 else 10
            length = int.from_bytes(data[start + 2 : start + head], "big")
        end = start + head + length
        if len(data) < max(end, start + head):
            break
        frames.append((data[start] & 0x0F, data[start + head : end]))
        start = end
    return frames, data[start:]
