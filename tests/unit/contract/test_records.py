"""Canonical bytes of commands and events: every kind there and back, fixed widths, and bytes that may never change."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onseju.contract import commands, events
from onseju.contract.commands import (
    COMMAND_BYTES,
    CancelOrder,
    Command,
    CommandKind,
    ListInstrument,
    NewOrder,
    decode_command,
    encode_command,
    sequence,
)
from onseju.contract.events import (
    ACCOUNT_OFFSET,
    EVENT_BYTES,
    Event,
    EventKind,
    LevelChanged,
    OrderAccepted,
    Trade,
    decode_event,
    decode_events,
    encode_event,
)
from onseju.contract.records import Layout, UnknownRecordError

WIDTHS = {"b": (-(2**7), 2**7 - 1), "B": (0, 2**8 - 1), "H": (0, 2**16 - 1), "I": (0, 2**32 - 1), "Q": (0, 2**64 - 1)}
WIDTHS["q"] = (-(2**63), 2**63 - 1)
LAYOUTS = [*commands.LAYOUTS.values(), *events.LAYOUTS.values()]
by_class = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.cls.__name__)


def codes(layout: Layout) -> Iterator[str]:
    """The struct code of each field, in order."""
    text, digits = layout.packer.format.lstrip("<"), ""
    for code in text:
        if code.isdigit():
            digits += code
        else:
            if code == "s":
                yield f"{digits}s"
            elif code != "x":
                yield from code * int(digits or 1)
            digits = ""


def values(code: str) -> st.SearchStrategy[Any]:
    if code.endswith("s"):
        length = int(code[:-1])
        return st.binary(min_size=length, max_size=length)
    return st.integers(*WIDTHS[code])


def samples(layout: Layout) -> st.SearchStrategy[Any]:
    """Records of a class with any values, of its own kind and version."""
    fields = dict(zip(layout.fields, map(values, codes(layout)), strict=True))
    fields |= {"kind": st.just(int(layout.cls.KIND)), "version": st.just(1)}
    return st.builds(layout.cls, **fields)


def test_every_kind_has_a_layout() -> None:
    assert commands.LAYOUTS.keys() == set(CommandKind)
    assert events.LAYOUTS.keys() == set(EventKind)


@by_class
def test_each_record_has_its_width_and_its_kind(layout: Layout) -> None:
    is_command = issubclass(layout.cls, Command)
    assert layout.packer.size == (COMMAND_BYTES if is_command else EVENT_BYTES)
    assert layout.packer.format.startswith("<")
    defaults = {field.name: field.default for field in msgspec.structs.fields(layout.cls)}
    assert defaults["kind"] == layout.cls.KIND
    assert defaults["version"] == 1


@by_class
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_there_and_back(layout: Layout, data: st.DataObject) -> None:
    record = data.draw(samples(layout))
    if isinstance(record, Command):
        packed = encode_command(record)
        assert len(packed) == COMMAND_BYTES
        assert decode_command(packed) == record
        assert encode_command(decode_command(b"\xff" * 3 + packed, 3)) == packed
    else:
        packed = encode_event(record)
        assert len(packed) == EVENT_BYTES
        assert decode_event(packed) == record
        assert list(decode_events(packed * 2)) == [record, record]
        assert int.from_bytes(packed[ACCOUNT_OFFSET : ACCOUNT_OFFSET + 4], "little") == record.account


@by_class
def test_a_number_too_wide_is_refused(layout: Layout) -> None:
    zero = {
        name: bytes(int(code[:-1])) if code.endswith("s") else 0
        for name, code in zip(layout.fields, codes(layout), strict=True)
    }
    for name, code in zip(layout.fields, codes(layout), strict=True):
        if code in WIDTHS:
            for beyond in (WIDTHS[code][0] - 1, WIDTHS[code][1] + 1):
                with pytest.raises(struct.error):
                    layout.pack(layout.cls(**zero | {name: beyond}))


@pytest.mark.parametrize(
    "damage", [(commands.KIND_OFFSET, 0), (commands.KIND_OFFSET, 255), (commands.KIND_OFFSET + 1, 2)]
)
def test_unknown_commands_are_told(damage: tuple[int, int]) -> None:
    packed = bytearray(encode_command(CancelOrder(order_id=1)))
    packed[damage[0]] = damage[1]
    with pytest.raises(UnknownRecordError):
        decode_command(bytes(packed))


@pytest.mark.parametrize("damage", [(events.KIND_OFFSET, 0), (events.KIND_OFFSET, 255), (events.KIND_OFFSET + 1, 2)])
def test_unknown_events_are_told(damage: tuple[int, int]) -> None:
    packed = bytearray(encode_event(LevelChanged(seq=1, ts=1, idx=0, price=1, qty=1, order_count=1, side=1)))
    packed[damage[0]] = damage[1]
    with pytest.raises(UnknownRecordError):
        decode_event(bytes(packed))


def test_sequence_sets_number_and_time_only() -> None:
    command = CancelOrder(account=3, order_id=9, qty=2)
    numbered = sequence(encode_command(command), seq=77, ts=-5)
    assert decode_command(numbered) == msgspec.structs.replace(command, seq=77, ts=-5)


GOLDEN: list[tuple[Command | Event, str]] = [
    (
        NewOrder(
            seq=1,
            ts=2,
            account=3,
            instrument=4,
            actor=5,
            client_id=bytes(range(16)),
            body_hash=bytes(range(16, 32)),
            qty=10,
            limit_price=70_000,
            side=1,
            order_type=1,
            time_in_force=2,
        ),
        "0100000000000000" "0200000000000000" "01010000" "03000000" "04000000" "05000000"
        "000102030405060708090a0b0c0d0e0f" "101112131415161718191a1b1c1d1e1f"
        "0a00000000000000" "7011010000000000" "0000000000000000" "010102" + "00" * 21,
    ),
    (
        ListInstrument(
            seq=9,
            ts=1,
            symbol=b"005930",
            base_price=70_000,
            listed_shares=1,
            limit_ppm=300_000,
            tick_table=1,
            board=1,
            security=1,
            leverage=-2,
        ),
        "0900000000000000" "0100000000000000" "23010000" + "00" * 44
        + "30303539333000000000000000000000" "7011010000000000" "0100000000000000"
        "e0930400" "00000000" "00000000" "01" "01" "01" "fe",
    ),
    (
        Trade(
            seq=7,
            ts=8,
            idx=1,
            instrument=2,
            trade_id=3,
            price=70_000,
            qty=10,
            buy_order_id=5,
            sell_order_id=4,
            taker_side=1,
        ),
        "0700000000000000" "0800000000000000" "01000000" "00000000" "02000000" "20" "01" "0000"
        "0300000000000000" "7011010000000000" "0a00000000000000" "0500000000000000" "0400000000000000" "01" + "00" * 55,
    ),
    (
        OrderAccepted(
            seq=7,
            ts=8,
            idx=0,
            account=3,
            instrument=2,
            order_id=5,
            qty=10,
            limit_price=70_000,
            leaves_qty=10,
            client_id=bytes(range(16)),
            side=1,
            order_type=1,
            time_in_force=1,
            status=1,
        ),
        "0700000000000000" "0800000000000000" "00000000" "03000000" "02000000" "01" "01" "0000"
        "0500000000000000" "0000000000000000" "0a00000000000000" "7011010000000000" "0000000000000000"
        "0a00000000000000" "0000000000000000" "0000000000000000" "0000000000000000"
        "000102030405060708090a0b0c0d0e0f" "01" "01" "01" "01" "00000000",
    ),
]  # fmt: skip
"""Journals in the world hold these bytes: if a change of the code changes one, it needs a new version."""


@pytest.mark.parametrize(("record", "hexadecimal"), GOLDEN, ids=lambda value: type(value).__name__)
def test_golden_bytes(record: Command | Event, hexadecimal: str) -> None:
    packed = encode_command(record) if isinstance(record, Command) else encode_event(record)
    assert packed.hex() == hexadecimal


def test_kinds_never_move() -> None:
    """The numbers stand in journals."""
    assert {kind.name: kind.value for kind in CommandKind} == {
        "NEW_ORDER": 1,
        "CANCEL_ORDER": 2,
        "CORRECT_ORDER": 3,
        "CANCEL_ALL": 4,
        "OPEN_ACCOUNT": 16,
        "DEPOSIT_CASH": 17,
        "WITHDRAW_CASH": 18,
        "DEPOSIT_SHARES": 19,
        "OPEN_VENUE": 32,
        "SET_RULE": 33,
        "SET_TICK_BAND": 34,
        "LIST_INSTRUMENT": 35,
        "CHANGE_PHASE": 36,
        "HALT": 37,
        "RESUME": 38,
        "ROLL_DAY": 39,
        "UNCROSS": 40,
        "START_EPOCH": 64,
        "CLOSE_GATEWAY_GAP": 65,
        "NOTE_ADMIN": 66,
    }
    assert {kind.name: kind.value for kind in EventKind} == {
        "ORDER_ACCEPTED": 1,
        "ORDER_REJECTED": 2,
        "ORDER_CORRECTED": 3,
        "ORDER_CANCELED": 4,
        "ORDER_EXPIRED": 5,
        "ORDER_TRIGGERED": 6,
        "ORDER_FILLED": 7,
        "REQUEST_REJECTED": 12,
        "REQUEST_REPEATED": 13,
        "ALL_CANCELED": 14,
        "ACCOUNT_OPENED": 16,
        "BALANCE_CHANGED": 17,
        "POSITION_CHANGED": 18,
        "TRADE": 32,
        "LEVEL_CHANGED": 33,
        "INSTRUMENT_LISTED": 34,
        "PRICE_LIMITS_SET": 35,
        "PHASE_CHANGED": 36,
        "AUCTION_INDICATED": 37,
        "AUCTION_UNCROSSED": 38,
        "DAY_ROLLED": 39,
        "AUCTION_EXTENDED": 40,
        "VENUE_OPENED": 64,
        "RULE_SET": 65,
        "TICK_BAND_SET": 66,
        "EPOCH_STARTED": 67,
        "GATEWAY_GAP_CLOSED": 68,
        "ADMIN_NOTED": 69,
    }
