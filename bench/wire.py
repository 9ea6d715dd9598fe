"""WebSocket frames (RFC 6455, 5.2) and HTTP chunks for load generators: a few lines, so that no library is measured."""

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


class Chunks:
    """A body's bytes out of its chunks (RFC 9112, 7.1), which may be cut anywhere."""

    def __init__(self) -> None:
        self._left = 0
        """Bytes of the chunk that are still to come."""
        self._line = b""
        """The line before a chunk, as far as it is there."""

    def take(self, data: bytes) -> bytes:
        """What `data` holds of the body."""
        body = []
        while data:
            if self._left:
                body.append(data[: self._left])
                self._left -= len(body[-1])
                data = data[len(body[-1]) :]
                continue
            line, end, data = (self._line + data).partition(b"\n")
            self._line = b"" if end else line
            if end and line.strip():  # else it is the end of the chunk before
                self._left = int(line.partition(b";")[0], 16)
        return b"".join(body)
