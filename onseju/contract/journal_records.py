"""What the journal and the event log hold: a command or a command's events, with where they came from.

Both are a frame, then a content. Little-endian:

    frame   0  u32 length     of the whole record, frame included
            4  u32 crc        CRC-32C of everything from byte 8 on
            8  16s chain      BLAKE2b-128 of (the previous record's chain + the content)
    content 24 u16 format · u16 semantics · u32 venue · u64 epoch
            40 u32 gateway · u32 gateway_epoch · u64 gateway_seq     the command's origin

            journal record                      event block
            56 u16 text length, 6 zero bytes    56 u64 seq · i64 ts · u32 event count · u32 text length
            64 112 bytes: the command           80 u8 command kind · 7 zero bytes
            176 text, UTF-8                     88 events, 128 bytes each; then the text, UTF-8

The text is what people wrote and machines need not understand. In the journal: the client's own order id, a new
instrument's name, the currency that an opening venue's amounts are shown in, or what a host did. In an event block: the
client order id of every order that its events mention, a new instrument's name, and the currency or the host's deed (their
id is 0), a line each: id, tab, text
(`annotations`). So a block can be read without looking anything up.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import msgspec
from crc32c import crc32c

from onseju.contract.commands import COMMAND_BYTES, Command, decode_command
from onseju.contract.events import EVENT_BYTES, Event, decode_event, decode_events

FORMAT = 1
FRAME = struct.Struct("<II16s")
COMMON = struct.Struct("<HHIQIIQ")
JOURNAL_TAIL = struct.Struct("<H6x")
BLOCK_TAIL = struct.Struct("<QqIIB7x")

FRAME_BYTES = FRAME.size
JOURNAL_HEAD_BYTES = FRAME_BYTES + COMMON.size + JOURNAL_TAIL.size
BLOCK_HEAD_BYTES = FRAME_BYTES + COMMON.size + BLOCK_TAIL.size

MAX_TEXT_BYTES = 256
MAX_RECORD_BYTES = 1 << 30
"""No record is longer: a length beyond it is damage."""

FIRST_CHAIN = bytes(16)
"""The chain before the first record."""


class RecordDamagedError(ValueError):
    """The bytes are not a whole, unharmed record of this format."""


class Origin(NamedTuple):
    """Where a command came from: the gateway, its epoch, and its number there. Zeros = the exchange itself."""

    gateway: int = 0
    gateway_epoch: int = 0
    gateway_seq: int = 0


class JournalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One command as the journal keeps it. `command` is the 112 bytes, its seq and ts set."""

    venue: int
    epoch: int
    semantics: int
    origin: Origin = Origin()
    command: bytes
    text: str = ""

    @property
    def seq(self) -> int:
        return int.from_bytes(self.command[0:8], "little")

    @property
    def ts(self) -> int:
        return int.from_bytes(self.command[8:16], "little", signed=True)

    def decoded(self) -> Command:
        """The command as an object."""
        return decode_command(self.command)


class EventBlock(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One command's events as the event log, the bus and the streams carry them."""

    venue: int
    epoch: int
    semantics: int
    origin: Origin = Origin()
    seq: int
    ts: int
    command_kind: int
    payload: bytes
    text: str = ""

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The events as objects, decoded once."""
        return tuple(decode_events(self.payload))

    @cached_property
    def _decoded(self) -> dict[int, Event]:
        return {}

    def event_at(self, offset: int) -> Event:
        """The event at this byte of the payload, decoded once for all who listen: each wants another few of them."""
        event = self._decoded.get(offset)
        if event is None:
            event = self._decoded[offset] = decode_event(self.payload, offset)
        return event

    @property
    def event_count(self) -> int:
        return len(self.payload) // EVENT_BYTES

    @cached_property
    def annotations(self) -> dict[int, str]:
        """Texts by order id (by instrument id in a `list_instrument`'s block, by 0 in an `open_venue`'s and a
        `note_admin`'s)."""
        return read_annotations(self.text)


def read_annotations(text: str) -> dict[int, str]:
    """The inverse of `annotation_text`."""
    pairs = (line.split("\t", 1) for line in text.split("\n") if line)
    return {int(number): text for number, text in pairs}


def annotation_text(texts: Mapping[int, str]) -> str:
    """The text of an event block: the inverse of `EventBlock.annotations`. Texts must be without tab and newline."""
    return "\n".join(f"{number}\t{text}" for number, text in sorted(texts.items()))


def _next_chain(chain: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(chain + content, digest_size=16).digest()


def _frame(content: bytes, chain: bytes) -> bytes:
    chained = chain + content
    length = FRAME_BYTES + len(content)
    return struct.pack("<II", length, crc32c(chained)) + chained


def _common(record: JournalRecord | EventBlock) -> bytes:
    return COMMON.pack(FORMAT, record.semantics, record.venue, record.epoch, *record.origin)


def encode_journal_record(record: JournalRecord, previous_chain: bytes) -> tuple[bytes, bytes]:
    """The record's bytes, and its chain value for the next one."""
    text = record.text.encode()
    content = _common(record) + JOURNAL_TAIL.pack(len(text)) + record.command + text
    chain = _next_chain(previous_chain, content)
    return _frame(content, chain), chain


def encode_event_block(block: EventBlock, previous_chain: bytes) -> tuple[bytes, bytes]:
    """The block's bytes, and its chain value for the next one."""
    text = block.text.encode()
    tail = BLOCK_TAIL.pack(block.seq, block.ts, block.event_count, len(text), block.command_kind)
    content = _common(block) + tail + block.payload + text
    chain = _next_chain(previous_chain, content)
    return _frame(content, chain), chain


def _open_frame(data: bytes | memoryview, previous_chain: bytes | None, least: int) -> tuple[memoryview, bytes]:
    """Check one whole record's frame; `previous_chain` None leaves the chain unchecked. Gives the content and the chain."""
    if len(data) < least:
        raise RecordDamagedError(f"{len(data)} bytes are too few for a record")
    length, crc, chain = FRAME.unpack_from(data)
    if length != len(data):
        raise RecordDamagedError(f"the record says {length} bytes, there are {len(data)}")
    view = memoryview(data)
    if crc32c(view[8:]) != crc:
        raise RecordDamagedError("the checksum does not match")
    content = view[FRAME_BYTES:]
    if previous_chain is not None and _next_chain(previous_chain, bytes(content)) != chain:
        raise RecordDamagedError("the hash chain is broken: this record does not follow the one before it")
    return content, chain


def decode_journal_record(data: bytes | memoryview, previous_chain: bytes | None = None) -> tuple[JournalRecord, bytes]:
    """The record in exactly these bytes, and its chain. Raises `RecordDamagedError`."""
    content, chain = _open_frame(data, previous_chain, JOURNAL_HEAD_BYTES + COMMAND_BYTES)
    fmt, semantics, venue, epoch, *origin = COMMON.unpack_from(content)
    _check_format(fmt)
    (text_length,) = JOURNAL_TAIL.unpack_from(content, COMMON.size)
    start = COMMON.size + JOURNAL_TAIL.size
    if start + COMMAND_BYTES + text_length != len(content):
        raise RecordDamagedError("the lengths inside the record do not add up")
    record = JournalRecord(
        venue=venue,
        epoch=epoch,
        semantics=semantics,
        origin=Origin(*origin),
        command=bytes(content[start : start + COMMAND_BYTES]),
        text=str(content[start + COMMAND_BYTES :], "utf-8"),
    )
    return record, chain


def decode_event_block(data: bytes | memoryview, previous_chain: bytes | None = None) -> tuple[EventBlock, bytes]:
    """The block in exactly these bytes, and its chain. Raises `RecordDamagedError`."""
    content, chain = _open_frame(data, previous_chain, BLOCK_HEAD_BYTES)
    fmt, semantics, venue, epoch, *origin = COMMON.unpack_from(content)
    _check_format(fmt)
    seq, ts, count, text_length, kind = BLOCK_TAIL.unpack_from(content, COMMON.size)
    start = COMMON.size + BLOCK_TAIL.size
    end = start + count * EVENT_BYTES
    if end + text_length != len(content):
        raise RecordDamagedError("the lengths inside the block do not add up")
    block = EventBlock(
        venue=venue,
        epoch=epoch,
        semantics=semantics,
        origin=Origin(*origin),
        seq=seq,
        ts=ts,
        command_kind=kind,
        payload=bytes(content[start:end]),
        text=str(content[end:], "utf-8"),
    )
    return block, chain


def _check_format(fmt: int) -> None:
    if fmt != FORMAT:
        raise RecordDamagedError(
            f"record format {fmt} was written by a newer release; this one reads through {FORMAT}. "
            "Start that release, or put back a backup from before it"
        )
