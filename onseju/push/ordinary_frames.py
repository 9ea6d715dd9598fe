"""A WebSocket's bytes, split where they are ordinary: whole masked messages of text or bytes, none too long, and control
frames. All else is left to the whole parser, and from then on everything."""

from __future__ import annotations

from collections.abc import Iterator

from websockets.frames import Opcode

try:
    from websockets.speedups import apply_mask
except ImportError:  # not compiled there: the same, slower
    from websockets.utils import apply_mask

_FINAL_MASKED = {
    0x81: Opcode.TEXT,
    0x82: Opcode.BINARY,
    0x88: Opcode.CLOSE,
    0x89: Opcode.PING,
    0x8A: Opcode.PONG,
}
"""First bytes of ordinary frames: final, no reserved bits (RFC 6455, 5.2)."""

_MASKED = 0x80
_LONG, _LONGER = 126, 127

Part = tuple[Opcode, bytes]
"""A message and what it is; or, as `CONT`, bytes for the whole parser: a control frame, or all the rest."""


class OrdinaryFrames:
    """One connection's bytes, after its handshake."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = b""
        self._needed = 0
        self.over = False
        """Whether everything is left to the whole parser by now."""

    def split(self, data: bytes) -> Iterator[Part]:
        """What these bytes complete. Of an ordinary frame that is not whole yet, the bytes are kept: at most a message's.

        The whole parser gets every frame from its beginning, so it needs to know nothing of those that it does not get.
        """
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at, end = 0, len(data)
        if end < self._needed:
            self._rest = data
            return
        self._needed = 0
        while end - at >= 2:
            kind = _FINAL_MASKED.get(data[at])
            length = data[at + 1] - _MASKED
            start = at + 6
            if kind is None or length < 0 or length == _LONGER:
                break
            if length == _LONG:
                if end - at < 4:
                    self._rest = data[at:]
                    return
                length = int.from_bytes(data[at + 2 : at + 4], "big")
                start = at + 8
            if length > self._max_bytes or (length > 125 and kind not in (Opcode.TEXT, Opcode.BINARY)):
                break
            if start + length > end:
                self._rest, self._needed = data[at:], start + length - at
                return
            if kind is Opcode.TEXT or kind is Opcode.BINARY:
                yield kind, apply_mask(data[start : start + length], data[start - 4 : start])
            else:
                yield Opcode.CONT, data[at : start + length]
            at = start + length
        else:
            self._rest = data[at:]
            return
        self.over = True
        yield Opcode.CONT, data[at:]
