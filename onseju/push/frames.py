"""Account events as frames: encoded once, the same bytes on SSE and WebSocket, from the ring and from the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from onseju.contract.envelope import Envelope, encode_envelope
from onseju.contract.events import (
    ACCOUNT_OFFSET,
    EVENT_BYTES,
    INSTRUMENT_OFFSET,
    KIND_OFFSET,
    EventKind,
    decode_event,
)
from onseju.contract.ids import Position
from onseju.contract.journal_records import EventBlock, read_annotations
from onseju.contract.reasons import CODES
from onseju.contract.views import SymbolOf, stream_view
from onseju.matching.compiled import CORE

CHANNEL = "account"

STREAMED = frozenset(
    {
        EventKind.ORDER_ACCEPTED,
        EventKind.ORDER_REJECTED,
        EventKind.ORDER_CORRECTED,
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_EXPIRED,
        EventKind.ORDER_TRIGGERED,
        EventKind.ORDER_FILLED,
        EventKind.REQUEST_REJECTED,
        EventKind.REQUEST_REPEATED,
        EventKind.BALANCE_CHANGED,
        EventKind.POSITION_CHANGED,
    }
)
"""The kinds that an account's stream carries: those for which `stream_view` gives something."""

_NOBODY = bytes(4)


class Quick(Protocol):
    """The compiled core's way to write a frame."""

    def write(self, event: bytes, text: str, symbol: str, before: Position | None) -> tuple[bytes, int] | None:
        """The frame, and where its JSON begins; None where the plain way must write it."""
        ...


class Codec(NamedTuple):
    """What a frame's bytes depend on beside the event itself. None of it ever changes for a journal."""

    journal_id: str
    symbol_of: SymbolOf
    quick: Quick | None = None


def quick_frames(journal_id: str) -> Quick | None:
    """The core's way, where it is there."""
    return None if CORE is None else CORE.StreamFrames(journal_id, CODES)


class Frame:
    """An account's event in its chain. Its bytes are made when they are first wanted, then kept, and the event let go."""

    __slots__ = ("_codec", "_event", "_json_start", "_sse", "_text", "position", "prev")

    def __init__(self, codec: Codec, position: Position, event: bytes, text: str, prev: Position | None) -> None:
        self.position = position
        self.prev = prev
        self._codec = codec
        self._event = event
        self._text = text
        self._sse = b""
        self._json_start = 0

    @classmethod
    def of(cls, codec: Codec, block: EventBlock, idx: int, prev: Position | None) -> Frame:
        """The frame of a block's event."""
        event = block.payload[idx * EVENT_BYTES : (idx + 1) * EVENT_BYTES]
        return cls(codec, Position(block.seq, idx), event, block.text, prev)

    @property
    def sse(self) -> bytes:
        """`id:…\\nevent:…\\ndata:…\\n\\n`."""
        self.encode()
        return self._sse

    @property
    def json(self) -> bytes:
        """The envelope: what stands after `data:` in the SSE form."""
        self.encode()
        return self._sse[self._json_start : -2]

    def encode(self) -> None:
        """Make the bytes, if they are not made yet."""
        if not self._event:
            return
        if not self._write_quickly():
            self._write_plainly()
        self._event, self._text = b"", ""

    def _write_quickly(self) -> bool:
        codec, event = self._codec, self._event
        if codec.quick is None:
            return False
        instrument = int.from_bytes(event[INSTRUMENT_OFFSET : INSTRUMENT_OFFSET + 4], "little")
        symbol = codec.symbol_of(instrument) if instrument else ""
        made = codec.quick.write(event, self._text, symbol, self.prev)
        if made is None:
            return False
        self._sse, self._json_start = made
        return True

    def _write_plainly(self) -> None:
        event = decode_event(self._event)
        view = stream_view(event, read_annotations(self._text), self._codec.symbol_of)
        if view is None:
            raise ValueError(f"event {self.position} of kind {event.kind} has no place in a stream")
        type_, data = view
        journal_id = self._codec.journal_id
        event_id = self.position.event_id(journal_id)
        body = encode_envelope(
            Envelope(
                ch=CHANNEL,
                id=event_id,
                prev=self.prev.event_id(journal_id) if self.prev else None,
                type=type_,
                ts=data.ts,
                data=data,
            )
        )
        self._sse = sse_bytes(event_id, type_, body)
        self._json_start = len(self._sse) - len(body) - 2


def sse_bytes(event_id: str, type_: str, body: bytes) -> bytes:
    """One SSE event; `body` must be one line."""
    return b"id:%b\nevent:%b\ndata:%b\n\n" % (event_id.encode("ascii"), type_.encode("ascii"), body)


def streamed_events(payload: bytes) -> Iterator[tuple[int, int]]:
    """(idx, account) of the events that belong in an account's stream, without decoding any."""
    for idx, offset in enumerate(range(0, len(payload), EVENT_BYTES)):
        if payload[offset + KIND_OFFSET] in STREAMED:
            account = int.from_bytes(payload[offset + ACCOUNT_OFFSET : offset + ACCOUNT_OFFSET + 4], "little")
            if account:
                yield idx, account


def events_of(payload: bytes, account: int) -> Iterator[int]:
    """The idx of one account's streamed events."""
    wanted = account.to_bytes(4, "little")
    if wanted == _NOBODY:
        return
    for idx, offset in enumerate(range(0, len(payload), EVENT_BYTES)):
        found = payload[offset + ACCOUNT_OFFSET : offset + ACCOUNT_OFFSET + 4]
        if found == wanted and payload[offset + KIND_OFFSET] in STREAMED:
            yield idx
