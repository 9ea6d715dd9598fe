"""Numbers and ends by the compiled core are those by Python; and so are the texts of event blocks."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import COMMAND_BYTES, KIND_OFFSET, CommandKind
from onseju.contract.events import EVENT_BYTES, EventKind
from onseju.contract.events import KIND_OFFSET as EVENT_KIND_OFFSET
from onseju.exchange.annotations import Annotations, CompiledAnnotations
from onseju.exchange.numbering import ends_in_python, ends_of, numbered, numbered_in_python
from onseju.matching.compiled import CORE

pytestmark = pytest.mark.skipif(CORE is None, reason="the core is not compiled")

SEQS = st.integers(1, 2**63)


def event(seq: int, kind: int = 0, order_id: int = 0, status: int = 0, instrument: int = 0) -> bytes:
    """An event's bytes, with what annotations look at."""
    data = bytearray(EVENT_BYTES)
    data[0:8] = seq.to_bytes(8, "little")
    data[24:28] = instrument.to_bytes(4, "little")
    data[EVENT_KIND_OFFSET] = kind
    data[32:40] = order_id.to_bytes(8, "little")
    data[122] = data[123] = status
    return bytes(data)


@given(st.integers(0, 9).flatmap(lambda n: st.binary(min_size=n * COMMAND_BYTES, max_size=n * COMMAND_BYTES)), SEQS)
def test_commands_get_the_same_numbers(commands: bytes, first_seq: int) -> None:
    for ts in (0, -1, 2**63 - 1, -(2**63)):
        assert numbered(commands, first_seq, ts) == numbered_in_python(commands, first_seq, ts)


def test_cut_commands_are_not_numbered() -> None:
    with pytest.raises(ValueError, match="112 bytes"):
        numbered(bytes(COMMAND_BYTES + 1), 1, 1)


@given(SEQS, st.lists(st.integers(-1, 2), max_size=12), st.integers(0, EVENT_BYTES - 1))
def test_events_end_at_the_same_places(first_seq: int, steps: list[int], cut: int) -> None:
    seqs, seq = [], first_seq
    for step in steps:
        seq = max(seq + step, 0)
        seqs.append(seq)
    payload = b"".join(map(event, seqs)) + bytes(cut)
    assert ends_of(payload, first_seq) == ends_in_python(payload, first_seq)


KINDS = [*CommandKind, 0, 255]
EVENT_KINDS = st.sampled_from([*EventKind, 0, 255])
EVENTS = st.builds(event, st.just(1), EVENT_KINDS, st.integers(0, 4), st.integers(1, 6), st.integers(0, 3))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(KINDS), st.sampled_from(["", "", "주문", "x" * 30]), st.lists(EVENTS, min_size=1, max_size=4)
    ),
    max_size=8,
)


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=3), st.dictionaries(st.integers(0, 4), st.sampled_from(["a", "나"]), max_size=3))
def test_blocks_get_the_same_texts(batches: list[list[tuple[int, str, list[bytes]]]], texts: dict[int, str]) -> None:
    """Batch after batch, so that what is remembered counts too."""
    plain, compiled = Annotations(texts), CompiledAnnotations(texts)
    for steps in batches:
        commands = bytearray(COMMAND_BYTES * len(steps))
        ends, payload = array("Q"), b""
        for place, (kind, _, events) in enumerate(steps):
            commands[place * COMMAND_BYTES + KIND_OFFSET] = kind
            payload += b"".join(events)
            ends.append(len(payload))
        run = CommandRun(
            venue=1,
            epoch=1,
            semantics=1,
            first_seq=1,
            data=bytes(commands),
            texts={place: text for place, (_, text, _) in enumerate(steps) if text},
        )
        assert compiled.annotate_run(run, payload, ends) == plain.annotate_run(run, payload, ends)
        assert compiled.texts == plain.texts
