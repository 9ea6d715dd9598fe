"""A snapshot at any point and the rest of the commands are the whole: on both engines, and across them."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xxhash import xxh3_128_intdigest

from onseju.contract.commands import encode_command, sequence
from onseju.contract.words import Rule
from onseju.matching.native import NativeEngine
from onseju.matching.reference import ReferenceEngine
from onseju.matching.snapshot import _PACKERS, SnapshotError
from onseju.matching.state_hash import FIRST_USE
from onseju.rules.packs import RulesName
from tests.differential.wild import Wild
from tests.properties.driver import SECOND
from tests.properties.streams import streams
from tests.properties.test_busy_days import busy
from tests.properties.test_engine_properties import VARIANTS, crowd

COMMANDS = 400
HEAD = struct.Struct("<8sIIQ16s")
EXAMPLES = int(os.environ.get("ONSEJU_DIFFERENTIAL_EXAMPLES", "20"))
RUNNERS: tuple[Callable[[], ReferenceEngine | NativeEngine], ...] = (ReferenceEngine, NativeEngine)
HAND_OVERS: tuple[Callable[[bytes], ReferenceEngine | NativeEngine] | None, ...] = (
    None,
    None,
    None,
    ReferenceEngine.restore,
    NativeEngine.restore,
    partial(NativeEngine.restore, keep_hash=True),
)
"""What takes over before a command; None as a rule."""


@pytest.mark.parametrize("variant", range(len(VARIANTS)))
def test_a_snapshot_and_the_rest_are_the_whole(variant: int) -> None:
    random = Random(variant)
    driver, day = busy(variant, 77 + variant, ReferenceEngine())
    reference, native = driver.engine, NativeEngine()
    native.apply(b"".join(driver.commands))
    base, tick = (98_500, 100) if VARIANTS[variant][0] == "krx" else (100, 1)
    wild = Wild(random, base, tick)
    seq = driver.seq
    for _ in range(COMMANDS):
        if random.random() < 0.1:
            snapshot = reference.snapshot()
            assert native.snapshot() == snapshot
            hashed = reference.state_hash()
            if random.random() < 0.5:
                native = NativeEngine.restore(snapshot, keep_hash=random.random() < 0.5)
            else:
                twin = ReferenceEngine.restore(snapshot)
                assert twin.snapshot() == snapshot
                twin.check_invariants()
                # the day looks at this engine's state to make up commands
                reference = driver.engine = twin
            assert reference.state_hash() == native.state_hash() == hashed
            native.check_invariants()
        state = reference.state
        is_wild = random.random() < 0.2
        command = (
            wild.next_bytes(state.trading_day, state.last_order_id) if is_wild else encode_command(day.next_command())
        )
        seq += 1
        sequenced = sequence(command, seq, seq * SECOND)
        assert reference.apply(sequenced) == native.apply(sequenced)
    assert reference.state_hash() == native.state_hash()


@pytest.mark.parametrize("rules", VARIANTS, ids=lambda rules: f"{rules[0]}-{len(rules[1])}")
@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_engines_hand_over_to_each_other(rules: tuple[RulesName, dict[Rule, int]], data: st.DataObject) -> None:
    """A relay of engines, each in the state of the one before, gives what one engine gives that knows the whole."""
    whole = crowd(*rules, ReferenceEngine())
    runner: ReferenceEngine | NativeEngine = data.draw(st.sampled_from(RUNNERS))()
    assert runner.apply(b"".join(whole.commands)) == b"".join(whole.payloads)
    for command in data.draw(streams(rules[0])):
        if (restore := data.draw(st.sampled_from(HAND_OVERS))) is not None:
            snapshot = runner.snapshot()
            runner = restore(snapshot)
            assert runner.snapshot() == snapshot == whole.engine.snapshot()
            runner.check_invariants()
        whole.do(command)
        assert runner.apply(whole.commands[-1]) == whole.payloads[-1]
        assert runner.state_hash() == whole.engine.state_hash()


@pytest.mark.parametrize("restore", [ReferenceEngine.restore, NativeEngine.restore])
def test_damage_is_noticed(restore: object) -> None:
    assert callable(restore)
    driver, _ = busy(0, 1, ReferenceEngine())
    snapshot = driver.engine.snapshot()
    restore(snapshot)
    random = Random(1)
    for _ in range(300):
        damaged = bytearray(snapshot)
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        with pytest.raises(SnapshotError):
            restore(bytes(damaged))
    for end in (0, 8, 39, 40, 100, len(snapshot) - 1):
        with pytest.raises(SnapshotError):
            restore(snapshot[:end])
    with pytest.raises(SnapshotError):
        restore(snapshot + b"\0")


@pytest.mark.parametrize("restore", [ReferenceEngine.restore, NativeEngine.restore])
def test_what_is_neither_so_nor_not_so_is_damage(restore: object) -> None:
    """The first record's first field says whether the venue is open. Another number with its hash is no yes."""
    assert callable(restore)
    driver, _ = busy(0, 1, ReferenceEngine())
    whole = driver.engine.snapshot()
    magic, form, semantics, count, hashed = HEAD.unpack_from(whole)
    size = _PACKERS[whole[HEAD.size]].size
    open_, odd = (bytearray(whole[HEAD.size : HEAD.size + size]) for _ in range(2))
    assert open_[1] == 1
    odd[1] = 33
    summed = int.from_bytes(hashed, "little") - xxh3_128_intdigest(open_) + xxh3_128_intdigest(odd)
    for forged in (hashed, (summed % (1 << 128)).to_bytes(16, "little")):
        with pytest.raises(SnapshotError):
            restore(HEAD.pack(magic, form, semantics, count, forged) + bytes(odd) + whole[HEAD.size + size :])


@pytest.mark.parametrize("restore", [ReferenceEngine.restore, NativeEngine.restore])
@pytest.mark.parametrize("seq", [1, 2])
def test_a_client_id_that_was_first_used_twice_is_damage(restore: object, seq: int) -> None:
    assert callable(restore)
    whole = busy(0, 1, ReferenceEngine())[0].engine.snapshot()
    uses = [FIRST_USE.pack(9, 0, 1, b"\7" * 16, b"\7" * 8, used) for used in (seq, 2)]
    assert restore(forged(whole, uses[:1])).snapshot() is not None
    with pytest.raises(SnapshotError):
        restore(forged(whole, uses))


def forged(snapshot: bytes, more: list[bytes]) -> bytes:
    """The snapshot with more records, in their order, and a hash that is right for them."""
    magic, form, semantics, _, hashed = HEAD.unpack_from(snapshot)
    records, at = list(more), HEAD.size
    while at < len(snapshot):
        size = _PACKERS[snapshot[at]].size
        records.append(snapshot[at : at + size])
        at += size
    summed = (int.from_bytes(hashed, "little") + sum(map(xxh3_128_intdigest, more))) % (1 << 128)
    return HEAD.pack(magic, form, semantics, len(records), summed.to_bytes(16, "little")) + b"".join(sorted(records))
