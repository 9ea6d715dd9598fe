"""What a server and its projector's process say to each other, over the pipes between them."""

from __future__ import annotations

import struct
from typing import NamedTuple

import msgspec

_NEWS = struct.Struct("<QQB7x")
NEWS_BYTES = _NEWS.size
MAX_NEWS = 512
"""News that are read at once."""
_HURRY, _STOP = 1, 2


class News(NamedTuple):
    """To the projector: the event log goes through `through_seq`, and its newest segment begins at `newest_segment`.

    The pipe's end says that the server is gone.
    """

    through_seq: int
    newest_segment: int
    hurry: bool = False
    """Somebody waits for it."""
    stop: bool = False
    """Finish the batch at hand, and end."""

    def encode(self) -> bytes:
        """24 bytes: a pipe takes them whole or not at all."""
        return _NEWS.pack(self.through_seq, self.newest_segment, _HURRY * self.hurry | _STOP * self.stop)


def decode_news(data: bytes) -> News:
    """The last of the news in `data`, with the hurry and the stop of any of them."""
    flags = 0
    through_seq = newest_segment = 0
    for through_seq, newest_segment, flag in _NEWS.iter_unpack(data):  # noqa: B007  # the last ones count
        flags |= flag
    return News(through_seq, newest_segment, bool(flags & _HURRY), bool(flags & _STOP))


class Word(msgspec.Struct, array_like=True):
    """From the projector, a line of JSON each."""

    position: int
    """The command whose events the tables hold, committed."""
    waits: bool = False
    """It has written all it was told of, and wants to be told more."""
    failed: str | None = None
    """What keeps the tables from following now: the error's name."""
    failures: int = 0
    """How often it has failed since its start."""
    cannot: str | None = None
    """Why it ends: for people."""
