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
        control = 0  # where the control frames begin that stand before `at`
        while True:
            length = self._measure(data, at, end)
            if length <= 0 or at + length > end:
                break
            kind = _FINAL_MASKED[data[at]]
            if kind is Opcode.TEXT or kind is Opcode.BINARY:
                if control < at:
                    yield Opcode.CONT, data[control:at]
                start = at + (8 if data[at + 1] - _MASKED == _LONG else 6)
                yield kind, apply_mask(data[start : at + length], data[start - 4 : start])
                control = at + length
            at += length
        if length < 0:
            self.over = True
            yield Opcode.CONT, data[control:]
            return
        if control < at:
            yield Opcode.CONT, data[control:at]
        self._rest, self._needed = data[at:], length

    def _measure(self, data: bytes, at: int, end: int) -> int:
        """The bytes of the frame at `at`; 0 where too few are here to tell, below 0 where it is not ordinary."""
        if end - at < 2:
            return 0
        kind = _FINAL_MASKED.get(data[at])
        length = data[at + 1] - _MASKED
        if kind is None or length < 0 or length == _LONGER:
            return -1
        if length == _LONG:
            if end - at < 4:
                return 0
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            if length > self._max_bytes or (kind is not Opcode.TEXT and kind is not Opcode.BINARY):
                return -1
            return length + 8
        return length + 6 if length <= self._max_bytes else -1
