"""The ways into the native engine: bytes, buffers, and what it refuses."""

from __future__ import annotations

import sys

import pytest

from onseju.contract.commands import COMMAND_BYTES, LAYOUTS, DepositCash, encode_command, sequence
from onseju.contract.events import EVENT_BYTES
from onseju.contract.records import UnknownRecordError
from onseju.matching.native import NativeEngine
from onseju.matching.reference import OutOfSequenceError, ReferenceEngine
from tests.properties.test_busy_days import busy

driver, day = busy(0, 5, ReferenceEngine())
for _ in range(2_000):
    driver.do(day.next_command())
COMMANDS = b"".join(driver.commands)
EVENTS = b"".join(driver.payloads)


@pytest.mark.parametrize("batch", [1, 7, 600, 10_000])
def test_buffers_in_and_out(batch: int) -> None:
    engine, out, given = NativeEngine(), bytearray(len(EVENTS)), b""
    for at in range(0, len(COMMANDS), batch * COMMAND_BYTES):
        length = engine.apply_into(memoryview(COMMANDS)[at : at + batch * COMMAND_BYTES], out)
        given += bytes(out[:length])
    assert given == EVENTS
    assert engine.take_rest() == b""
    assert engine.state_hash() == driver.engine.state_hash()


@pytest.mark.parametrize("room", [0, EVENT_BYTES, 100_000])
def test_what_does_not_fit_is_not_lost(room: int) -> None:
    engine, out = NativeEngine(), bytearray(room)
    assert engine.apply_into(COMMANDS, out) == len(EVENTS)
    rest = engine.take_rest()
    assert bytes(out[: len(EVENTS) - len(rest)]) + rest == EVENTS


def test_a_buffer_that_cannot_be_written_is_refused() -> None:
    with pytest.raises((BufferError, TypeError)):
        NativeEngine().apply_into(COMMANDS, bytes(1_000_000))  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [ReferenceEngine, NativeEngine])
def test_commands_that_do_not_follow_are_refused_whole(make: type[NativeEngine]) -> None:
    engine = make()
    engine.apply(COMMANDS[: COMMAND_BYTES * 10])
    hashed = engine.state_hash()
    some = encode_command(DepositCash(account=2, amount=1))
    for seqs in ((10,), (12,), (11, 13), (11, 12, 0)):
        with pytest.raises(OutOfSequenceError):
            engine.apply(b"".join(sequence(some, seq, 1) for seq in seqs))
    for kind in set(range(256)) - LAYOUTS.keys():
        unknown = sequence(some[:16] + bytes([kind]) + some[17:], 12, 1)
        with pytest.raises(UnknownRecordError):
            engine.apply(sequence(some, 11, 1) + unknown)
    with pytest.raises(UnknownRecordError):
        engine.apply(sequence(some[:17] + bytes([2]) + some[18:], 11, 1))
    assert engine.state_hash() == hashed


def test_half_a_command_is_refused() -> None:
    with pytest.raises(ValueError, match="112 bytes"):
        NativeEngine().apply(COMMANDS[:100])


@pytest.mark.parametrize("room", [0, 100_000 * EVENT_BYTES])
def test_a_call_leaves_no_objects_behind(room: int) -> None:
    """A batch is copied in some two hundred pieces, each through objects of Python's own, which must all be gone then."""
    some = encode_command(DepositCash(account=2, amount=1))
    first, second = (b"".join(sequence(some, seq, 1) for seq in range(at, at + 100_000)) for at in (1, 100_001))
    engine, out = NativeEngine(), bytearray(room)
    engine.apply_into(first, out)
    before = sys.getallocatedblocks()
    assert engine.apply_into(second, out) == 100_000 * EVENT_BYTES
    left = sys.getallocatedblocks() - before
    assert left < 20
    assert len(engine.take_rest()) == 100_000 * EVENT_BYTES - room
