"""Ids: positions in the event stream, and 128-bit hashes of clients' own ids."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""What a client's own id may be (whole match)."""

_EVENT_ID = re.compile(r"([0-9a-z]{1,32})-(\d{1,19})-(\d{1,10})")


class Position(NamedTuple):
    """An event's place: its command's number and its place among that command's events."""

    seq: int
    idx: int

    def event_id(self, journal_id: str) -> str:
        """The stream's id of this event: `J-seq-idx`."""
        return f"{journal_id}-{self.seq}-{self.idx}"


BEFORE_ALL = Position(0, 0)
"""Before the first event (commands are numbered from 1)."""


def parse_event_id(text: str) -> tuple[str, Position]:
    """Split `J-seq-idx`. Raises `ValueError` where the text is not of this form."""
    match = _EVENT_ID.fullmatch(text)
    if match is None:
        raise ValueError(f"not an event id: {text[:80]!r}")
    return match[1], Position(int(match[2]), int(match[3]))


def hash128(data: bytes) -> bytes:
    """The 16-byte hash under which a client's id or a request's body enters the state machine (BLAKE2b-128)."""
    return hashlib.blake2b(data, digest_size=16).digest()


def client_id_hash(client_order_id: str) -> bytes:
    """The hash of a client's own id."""
    return hash128(client_order_id.encode("ascii"))
