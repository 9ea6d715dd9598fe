"""Numbers for commands in one piece of bytes, and the places of their events: by the compiled core where it is there."""

from __future__ import annotations

import struct
from array import array

from onseju.contract.commands import COMMAND_BYTES
from onseju.contract.events import EVENT_BYTES
from onseju.matching.compiled import CORE

_NUMBER = struct.Struct("<Qq")
_SEQS = struct.Struct(f"<Q{EVENT_BYTES - 8}x")


def numbered(commands: bytes, first_seq: int, ts: int) -> bytes:
    """The commands with the numbers from `first_seq` on, and all of one time."""
    if CORE is None:
        return numbered_in_python(commands, first_seq, ts)
    found: bytes = CORE.number(commands, first_seq, ts)
    return found


def ends_of(payload: bytes, first_seq: int) -> array[int]:
    """Where the events of each command end, which are numbered from `first_seq` on; as far as they are so."""
    if CORE is None:
        return ends_in_python(payload, first_seq)
    return array("Q", CORE.ends(payload, first_seq))


def numbered_in_python(commands: bytes, first_seq: int, ts: int) -> bytes:
    """What `numbered` does without the core."""
    data = bytearray(commands)
    for at in range(0, len(data), COMMAND_BYTES):
        _NUMBER.pack_into(data, at, first_seq + at // COMMAND_BYTES, ts)
    return bytes(data)


def ends_in_python(payload: bytes, first_seq: int) -> array[int]:
    """What `ends_of` does without the core."""
    ends = array("Q")
    expected, at = first_seq, 0
    for (seq,) in _SEQS.iter_unpack(payload[: len(payload) // EVENT_BYTES * EVENT_BYTES]):
        if seq != expected:
            if seq != expected + 1 or at == 0:
                return ends
            ends.append(at)
            expected = seq
        at += EVENT_BYTES
    ends.append(at)
    return ends
