"""The bytes of the bus between processes: many commands of a gateway, or the events of many commands, in one message.

Little-endian:

    0  4s magic `ONSB` · u8 version · u8 kind · u16 semantics (0 for commands)
    8  u32 venue · u32 producer (the gateway's number, 0 = the exchange) · u64 epoch (the producer's)
    24 u64 first seq (a gateway's own number, or the exchange's) · u32 count
    36 u32 number of texts · u32 number of stretches of origins · u32 zero
    48 commands: 112 bytes each, their seq and ts zero
       events:   count bytes, the commands' kinds · count i64 times · count u64, where each command's events end ·
                 the events, 128 bytes each · the stretches: u32 gateway, u32 gateway epoch, u64 gateway seq of the first,
                 u32 how many follow it with the next seqs (with the same zeros, for commands of the exchange)
       in log:   nothing: the events are too large for a message, and the event log has them
       texts: u32 place, u32 length, UTF-8
    at the end: u32 CRC-32C of all before
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from crc32c import crc32c

from onseju.bus.inproc import check_text
from onseju.contract.commands import COMMAND_BYTES, COMMAND_VERSION, KIND_OFFSET, CommandKind
from onseju.contract.event_runs import EventRun
from onseju.contract.events import EVENT_BYTES
from onseju.contract.journal_records import Origin

MAGIC = b"ONSB"
VERSION = 1
MAX_MESSAGE_BYTES = 3 * 1024 * 1024
"""No message is larger; RocketMQ carries 4 MiB."""

EXCHANGE = 0
"""The exchange's number as a producer."""

_HEAD = struct.Struct("<4sBBHIIQQIIII")
_TEXT = struct.Struct("<II")
_STRETCH = struct.Struct("<IIQI")
_CRC = struct.Struct("<I")
LEAST_BYTES = _HEAD.size + _CRC.size
TEXT_HEAD_BYTES = _TEXT.size

_VERSION_OFFSET = KIND_OFFSET + 1
_FROM_GATEWAYS = frozenset(CommandKind) - {CommandKind.START_EPOCH, CommandKind.CLOSE_GATEWAY_GAP}
_MAX_GATEWAY = (1 << 32) - 1
_BIG_ENDIAN = sys.byteorder == "big"


class MessageKind(IntEnum):
    """What a message carries."""

    COMMANDS = 1
    EVENTS = 2
    EVENTS_IN_LOG = 3


class MessageRefusedError(ValueError):
    """The bytes are no message that this release reads. `code` says why in a word."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class CommandMessage:
    """Commands of one gateway that follow each other."""

    venue: int
    gateway: int
    epoch: int
    first_seq: int
    """The first one's number, given by the gateway, from 1 on in each epoch."""
    commands: bytes
    texts: Mapping[int, str]
    """By place."""

    @property
    def count(self) -> int:
        return len(self.commands) // COMMAND_BYTES

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.count - 1


@dataclass(frozen=True, slots=True)
class EventsInLog:
    """The events of these commands are to be read from the event log."""

    venue: int
    epoch: int
    first_seq: int
    count: int

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.count - 1


def encode_commands(message: CommandMessage) -> bytes:
    """The message's bytes."""
    texts = message.texts
    head = _HEAD.pack(
        MAGIC,
        VERSION,
        MessageKind.COMMANDS,
        0,
        message.venue,
        message.gateway,
        message.epoch,
        message.first_seq,
        message.count,
        len(texts),
        0,
        0,
    )
    return _sealed([head, message.commands, *_text_parts(texts)])


def encode_events(run: EventRun) -> bytes:
    """The run's bytes; those of `EventsInLog` where it is larger than a message may be."""
    count = len(run)
    stretches = _stretches(run.origins)
    head = _event_head(run, MessageKind.EVENTS, count, len(run.texts), len(stretches))
    times, ends = array("q", run.timestamps), array("Q", run.ends)
    if _BIG_ENDIAN:
        times.byteswap()
        ends.byteswap()
    origins = [_STRETCH.pack(*stretch) for stretch in stretches]
    parts = [head, run.kinds, times.tobytes(), ends.tobytes(), run.payload, *origins, *_text_parts(run.texts)]
    if sum(map(len, parts)) + _CRC.size > MAX_MESSAGE_BYTES:
        return _sealed([_event_head(run, MessageKind.EVENTS_IN_LOG, count, 0, 0)])
    return _sealed(parts)


def _event_head(run: EventRun, kind: MessageKind, count: int, texts: int, stretches: int) -> bytes:
    return _HEAD.pack(
        MAGIC,
        VERSION,
        kind,
        run.semantics,
        run.venue,
        EXCHANGE,
        run.epoch,
        run.first_seq,
        count,
        texts,
        stretches,
        0,
    )


def headers_of(body: bytes) -> dict[str, str]:
    """A message's head in words, for those who look at a topic with their own tools."""
    _, _, kind, _, venue, producer, epoch, first_seq, count, *_ = _HEAD.unpack_from(body)
    return {
        "kind": MessageKind(kind).name.lower(),
        "venue": str(venue),
        "producer": str(producer),
        "epoch": str(epoch),
        "first_seq": str(first_seq),
        "last_seq": str(first_seq + count - 1),
    }


def decode(body: bytes) -> CommandMessage | EventRun | EventsInLog:
    """What a message carries. Raises `MessageRefusedError`.

    A command's kind and version are checked, and that a gateway may send it; its fields were checked by the gateway.
    """
    if len(body) < LEAST_BYTES:
        raise MessageRefusedError("message_too_short", f"{len(body)} bytes are too few")
    if len(body) > MAX_MESSAGE_BYTES:
        raise MessageRefusedError("message_too_long", f"{len(body)} bytes are too many")
    magic, version, kind, semantics, venue, producer, epoch, first_seq, count, texts, stretches, zero = (
        _HEAD.unpack_from(body)
    )
    if magic != MAGIC:
        raise MessageRefusedError("message_foreign", "the bytes are not one of our messages")
    if version != VERSION:
        raise MessageRefusedError("message_version", f"version {version} is not {VERSION}")
    if crc32c(memoryview(body)[: -_CRC.size]) != _CRC.unpack_from(body, len(body) - _CRC.size)[0]:
        raise MessageRefusedError("message_damaged", "the checksum does not match")
    if not count or not first_seq or not epoch or zero:
        raise MessageRefusedError("message_numbers", "it has no commands, or no numbers")
    reader = _Reader(body, len(body) - _CRC.size)
    if kind == MessageKind.COMMANDS:
        if stretches or not 1 <= producer <= _MAX_GATEWAY or epoch > _MAX_GATEWAY:
            raise MessageRefusedError("message_producer", f"commands do not come from producer {producer}")
        commands = reader.bytes(count * COMMAND_BYTES)
        _check_commands(commands)
        return CommandMessage(venue, producer, epoch, first_seq, commands, reader.texts(texts, count, alone=True))
    if producer != EXCHANGE:
        raise MessageRefusedError("message_producer", f"events do not come from producer {producer}")
    if kind == MessageKind.EVENTS_IN_LOG:
        reader.texts(0, count, alone=True)
        return EventsInLog(venue, epoch, first_seq, count)
    if kind != MessageKind.EVENTS:
        raise MessageRefusedError("message_kind", f"there is no message of kind {kind}")
    kinds = reader.bytes(count)
    times, ends = reader.numbers("q", count), reader.numbers("Q", count)
    if any(a >= b for a, b in zip([0, *ends], ends, strict=False)) or any(end % EVENT_BYTES for end in ends):
        raise MessageRefusedError("message_lengths", "the events' lengths are not those of events")
    payload = reader.bytes(ends[-1])
    origins = reader.origins(stretches, count)
    return EventRun(
        venue=venue,
        epoch=epoch,
        semantics=semantics,
        first_seq=first_seq,
        kinds=kinds,
        timestamps=times,
        payload=payload,
        ends=ends,
        origins=origins,
        texts=reader.texts(texts, count, alone=False),
    )


def _check_commands(commands: bytes) -> None:
    kinds = set(commands[KIND_OFFSET::COMMAND_BYTES])
    versions = set(commands[_VERSION_OFFSET::COMMAND_BYTES])
    if not kinds <= _FROM_GATEWAYS or versions != {COMMAND_VERSION}:
        raise MessageRefusedError("message_commands", f"commands of kinds {kinds}, versions {versions} are not taken")


def _text_parts(texts: Mapping[int, str]) -> list[bytes]:
    parts: list[bytes] = []
    for place, text in texts.items():
        data = text.encode()
        parts += (_TEXT.pack(place, len(data)), data)
    return parts


def _sealed(parts: Sequence[bytes]) -> bytes:
    data = b"".join(parts)
    return data + _CRC.pack(crc32c(data))


def _stretches(origins: Sequence[Origin]) -> list[tuple[int, int, int, int]]:
    """The origins as gateway, epoch, first number, count: those that follow each other are one."""
    found: list[tuple[int, int, int, int]] = []
    gateway = epoch = first = count = 0
    for origin in origins:
        if count and origin[0] == gateway and origin[1] == epoch and origin[2] == first + (count if gateway else 0):
            count += 1
            continue
        if count:
            found.append((gateway, epoch, first, count))
        (gateway, epoch, first), count = origin, 1
    if count:
        found.append((gateway, epoch, first, count))
    return found


class _Reader:
    """Reads a message's body piece by piece. What is not there raises `MessageRefusedError`."""

    def __init__(self, body: bytes, end: int) -> None:
        self._body = body
        self._at = _HEAD.size
        self._end = end

    def bytes(self, count: int) -> bytes:
        at = self._at
        if count > self._end - at:
            raise MessageRefusedError("message_lengths", f"{count} bytes are to follow, and {self._end - at} do")
        self._at = at + count
        return self._body[at : self._at]

    def numbers(self, code: str, count: int) -> array[int]:
        found = array(code)
        found.frombytes(self.bytes(8 * count))
        if _BIG_ENDIAN:
            found.byteswap()
        return found

    def origins(self, stretches: int, count: int) -> Sequence[Origin]:
        found: list[Origin] = []
        for _ in range(stretches):
            gateway, epoch, first, length = _STRETCH.unpack(self.bytes(_STRETCH.size))
            if length > count - len(found):
                raise MessageRefusedError("message_lengths", "it has more origins than commands")
            if gateway:
                found += [Origin(gateway, epoch, seq) for seq in range(first, first + length)]
            else:
                found += [Origin(0, epoch, first)] * length
        if stretches and len(found) != count:
            raise MessageRefusedError("message_lengths", f"it has {len(found)} origins for {count} commands")
        return found

    def texts(self, number: int, count: int, *, alone: bool) -> dict[int, str]:
        """The texts, which are the message's last part. `alone` = of commands, which have rules of their own."""
        found: dict[int, str] = {}
        for _ in range(number):
            place, length = _TEXT.unpack(self.bytes(_TEXT.size))
            try:
                text = str(self.bytes(length), "utf-8")
                if alone:
                    check_text(text)
            except MessageRefusedError:
                raise
            except ValueError as error:
                raise MessageRefusedError("message_texts", f"a text cannot travel beside a command: {error}") from error
            if place >= count or place in found or not text:
                raise MessageRefusedError("message_texts", f"the text at place {place} is none")
            found[place] = text
        if self._at != self._end:
            raise MessageRefusedError("message_lengths", f"{self._end - self._at} bytes are left over")
        return found
