"""Snapshots that somebody changed and gave the right hash again: both engines refuse them, or both go on, and alike."""

from __future__ import annotations

import os
import struct
from random import Random

import pytest
from xxhash import xxh3_128_intdigest

from onseju.contract.commands import sequence
from onseju.matching import state_hash
from onseju.matching.native import NativeEngine
from onseju.matching.reference import ReferenceEngine
from onseju.matching.snapshot import SnapshotError
from tests.differential.wild import WIDE, Wild
from tests.properties.driver import SECOND
from tests.properties.test_busy_days import busy

HEAD = struct.Struct("<8sIIQ16s")
FORGERIES = int(os.environ.get("ONSEJU_FORGERIES", "150"))
COMMANDS = 12
"""What a state that was taken up is asked then."""
PACKERS = {
    1: state_hash.COUNTERS,
    2: state_hash.ACCOUNT,
    3: state_hash.POSITION,
    4: state_hash.ORDER,
    5: state_hash.INSTRUMENT,
    6: state_hash.PHASE_DONE,
    7: state_hash.RULE,
    8: state_hash.TICK_BAND,
    9: state_hash.FIRST_USE,
    10: state_hash.QUOTA,
}


def records_of(snapshot: bytes) -> list[bytes]:
    records, at = [], HEAD.size
    while at < len(snapshot):
        size = PACKERS[snapshot[at]].size
        records.append(snapshot[at : at + size])
        at += size
    return records


def sealed(snapshot: bytes, records: list[bytes]) -> bytes:
    """The records in their order, with the hash that is right for them."""
    hashed = sum(map(xxh3_128_intdigest, records)) % (1 << 128)
    head = HEAD.pack(*HEAD.unpack_from(snapshot)[:3], len(records), hashed.to_bytes(16, "little"))
    return head + b"".join(sorted(records))


def forged(records: list[bytes], random: Random) -> list[bytes]:
    """A record left out, doubled, or with another number in one of its fields."""
    records = list(records)
    tag = random.choice(sorted({record[0] for record in records}))  # most records are orders
    at = random.choice([at for at, record in enumerate(records) if record[0] == tag])
    roll = random.random()
    if roll < 0.1:
        del records[at]
        return records
    if roll < 0.2:
        records.append(records[at])
    packer = PACKERS[tag]
    while True:
        fields = list(packer.unpack(records[at]))
        field = random.randrange(1, len(fields))
        if isinstance(fields[field], bytes):
            fields[field] = random.choice((bytes(len(fields[field])), random.randbytes(len(fields[field]))))
        else:
            fields[field] = random.choice((fields[field] + random.randint(-2, 2), random.choice(WIDE), 0, 1, 2))
        try:
            records[at] = packer.pack(*fields)
        except struct.error:  # the number is too large for the field
            continue
        return records


def taken_up(engine: type[ReferenceEngine | NativeEngine], data: bytes) -> ReferenceEngine | NativeEngine | None:
    try:
        return engine.restore(data)
    except SnapshotError:
        return None


@pytest.mark.parametrize("variant", [0, 2, 3, 9])
def test_both_engines_judge_a_forgery_alike(variant: int) -> None:
    driver, day = busy(variant, 5, ReferenceEngine())
    for _ in range(200):
        driver.do(day.next_command())
    snapshot = driver.engine.snapshot()
    whole, random = records_of(snapshot), Random(variant)
    assert sealed(snapshot, whole) == snapshot
    state = driver.engine.state
    verdicts = []
    for _ in range(FORGERIES):
        records = forged(whole, random)
        data = sealed(snapshot, records)
        reference, native = taken_up(ReferenceEngine, data), taken_up(NativeEngine, data)
        assert (reference is None) == (native is None), sorted(set(records) ^ set(whole))
        verdicts.append(reference is not None)
        if reference is None or native is None:
            continue
        assert reference.snapshot() == native.snapshot() == data
        wild = Wild(random, 98_500, 100)
        assert isinstance(reference, ReferenceEngine)
        for seq in range(reference.state.last_seq + 1, reference.state.last_seq + COMMANDS):
            command = sequence(wild.next_bytes(state.trading_day, state.last_order_id), seq, seq * SECOND)
            assert reference.apply(command) == native.apply(command)
        reference.check_invariants()
        native.check_invariants()
        assert reference.state_hash() == native.state_hash()
    assert 0.1 < sum(verdicts) / len(verdicts) < 0.9


@pytest.mark.parametrize("restore", [ReferenceEngine.restore, NativeEngine.restore])
def test_records_out_of_order_are_refused(restore: object) -> None:
    assert callable(restore)
    driver, _ = busy(0, 1, ReferenceEngine())
    snapshot = driver.engine.snapshot()
    records = records_of(snapshot)
    assert restore(snapshot).snapshot() == snapshot
    records[1], records[2] = records[2], records[1]
    with pytest.raises(SnapshotError):
        restore(snapshot[: HEAD.size] + b"".join(records))
