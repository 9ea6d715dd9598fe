"""Journal records and event blocks: there and back, and no damage goes unnoticed."""

from __future__ import annotations

import struct

import msgspec
import pytest

from onseju.contract.commands import NewOrder, encode_command, sequence
from onseju.contract.events import LevelChanged, OrderAccepted, encode_event
from onseju.contract.journal_records import (
    BLOCK_HEAD_BYTES,
    FIRST_CHAIN,
    JOURNAL_HEAD_BYTES,
    EventBlock,
    JournalRecord,
    Origin,
    RecordDamagedError,
    annotation_text,
    decode_event_block,
    decode_journal_record,
    encode_event_block,
    encode_journal_record,
)

ORDER = NewOrder(account=1, instrument=1, qty=10, limit_price=70_000, side=1, order_type=1)
RECORD = JournalRecord(
    venue=1,
    epoch=2,
    semantics=1,
    origin=Origin(3, 4, 5),
    command=sequence(encode_command(ORDER), seq=7, ts=8),
    text="my-order",
)
ACCEPTED = OrderAccepted(
    seq=7,
    ts=8,
    idx=0,
    account=1,
    instrument=1,
    order_id=1,
    qty=10,
    leaves_qty=10,
    side=1,
    order_type=1,
    time_in_force=1,
    status=1,
)
LEVEL = LevelChanged(seq=7, ts=8, idx=1, instrument=1, price=70_000, qty=10, order_count=1, side=1)
BLOCK = EventBlock(
    venue=1,
    epoch=2,
    semantics=1,
    origin=Origin(3, 4, 5),
    seq=7,
    ts=8,
    command_kind=1,
    payload=encode_event(ACCEPTED) + encode_event(LEVEL),
    text=annotation_text({1: "my-order"}),
)


def test_a_journal_record_there_and_back() -> None:
    data, chain = encode_journal_record(RECORD, FIRST_CHAIN)
    assert decode_journal_record(data, FIRST_CHAIN) == (RECORD, chain)
    assert (RECORD.seq, RECORD.ts) == (7, 8)
    assert RECORD.decoded() == msgspec.structs.replace(ORDER, seq=7, ts=8)
    assert len(data) == JOURNAL_HEAD_BYTES + 112 + len("my-order")


def test_an_event_block_there_and_back() -> None:
    data, chain = encode_event_block(BLOCK, FIRST_CHAIN)
    assert decode_event_block(data, FIRST_CHAIN) == (BLOCK, chain)
    assert BLOCK.events == (ACCEPTED, LEVEL)
    assert BLOCK.event_count == 2
    assert BLOCK.annotations == {1: "my-order"}
    assert len(data) == BLOCK_HEAD_BYTES + 2 * 128 + len("1\tmy-order")


def test_korean_text_survives() -> None:
    record = msgspec.structs.replace(RECORD, text="에코프로비엠")
    data, _ = encode_journal_record(record, FIRST_CHAIN)
    assert decode_journal_record(data)[0].text == "에코프로비엠"


def test_annotations_are_sorted_lines() -> None:
    assert annotation_text({10: "b", 9: "a"}) == "9\ta\n10\tb"
    assert annotation_text({}) == ""
    assert EventBlock(venue=1, epoch=1, semantics=1, seq=1, ts=1, command_kind=1, payload=b"").annotations == {}


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_every_damaged_byte_of_a_journal_record_is_noticed(flip: int) -> None:
    data, _ = encode_journal_record(RECORD, FIRST_CHAIN)
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= flip
        with pytest.raises(RecordDamagedError):
            decode_journal_record(bytes(damaged), FIRST_CHAIN)


@pytest.mark.parametrize("flip", [0x01, 0x80])
def test_every_damaged_byte_of_an_event_block_is_noticed(flip: int) -> None:
    data, _ = encode_event_block(BLOCK, FIRST_CHAIN)
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= flip
        with pytest.raises(RecordDamagedError):
            decode_event_block(bytes(damaged), FIRST_CHAIN)


def test_every_cut_and_every_addition_is_noticed() -> None:
    data, _ = encode_journal_record(RECORD, FIRST_CHAIN)
    for length in range(len(data)):
        with pytest.raises(RecordDamagedError):
            decode_journal_record(data[:length])
    with pytest.raises(RecordDamagedError):
        decode_journal_record(data + b"\0")
    block, _ = encode_event_block(BLOCK, FIRST_CHAIN)
    for length in range(len(block)):
        with pytest.raises(RecordDamagedError):
            decode_event_block(block[:length])


def test_a_record_of_another_chain_is_noticed() -> None:
    """Whole, unharmed, but not the one that followed: the chain tells what a checksum cannot."""
    first, chain = encode_journal_record(RECORD, FIRST_CHAIN)
    other, other_chain = encode_journal_record(msgspec.structs.replace(RECORD, text="other"), FIRST_CHAIN)
    second, _ = encode_journal_record(RECORD, chain)
    assert decode_journal_record(second, chain)
    with pytest.raises(RecordDamagedError, match="chain"):
        decode_journal_record(second, other_chain)
    with pytest.raises(RecordDamagedError, match="chain"):
        decode_journal_record(second, FIRST_CHAIN)
    assert first != other


def test_a_format_of_the_future_is_told() -> None:
    from crc32c import crc32c

    data, _ = encode_journal_record(RECORD, FIRST_CHAIN)
    future = bytearray(data)
    future[24] = 2
    struct.pack_into("<I", future, 4, crc32c(bytes(future[8:])))
    with pytest.raises(RecordDamagedError, match="format 2"):
        decode_journal_record(bytes(future))
