"""Frames that the core writes are those of plain Python, byte for byte; what it leaves is written plainly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onseju.contract.events import LAYOUTS, EventKind
from onseju.contract.ids import Position
from onseju.contract.journal_records import annotation_text
from onseju.contract.reasons import Reason
from onseju.contract.words import Liquidity, OrderStatus, OrderType, Side, TimeInForce
from onseju.matching.engines import native_lack
from onseju.push.frames import STREAMED, Codec, Frame, Quick, quick_frames

JOURNAL = "abcdefghij23"
ORDER = 77
WORDS: dict[str, list[int]] = {
    "side": list(map(int, Side)),
    "order_type": list(map(int, OrderType)),
    "time_in_force": list(map(int, TimeInForce)),
    "status": list(map(int, OrderStatus)),
    "liquidity": list(map(int, Liquidity)),
    "reason": [int(reason) for reason in Reason if reason],
}
BY_CORE = STREAMED - {EventKind.REQUEST_REJECTED, EventKind.REQUEST_REPEATED}
LAST_TS = 253_402_300_799_999_999  # of the year 9999
AMOUNTS = st.integers(0, 2**53) | st.integers(0, 20)


@pytest.fixture(scope="module")
def quick() -> Quick:
    lack = native_lack()
    if lack is not None:
        pytest.skip(str(lack))
    made = quick_frames(JOURNAL)
    assert made is not None
    return made


@st.composite
def events(draw: st.DrawFn, kinds: frozenset[EventKind] = BY_CORE) -> bytes:
    kind = draw(st.sampled_from(sorted(kinds)))
    layout = LAYOUTS[kind]
    fields: dict[str, Any] = {}
    for name in layout.fields:
        if name in WORDS:
            fields[name] = draw(st.sampled_from(WORDS[name]))
        elif name == "client_id":
            fields[name] = draw(st.binary(min_size=16, max_size=16))
        else:
            fields[name] = draw(AMOUNTS)
    fields |= {"kind": kind, "version": 1, "ts": draw(st.integers(0, LAST_TS)), "instrument": 5, "command_kind": 1}
    fields |= {name: draw(st.integers(0, 2**32 - 1)) for name in ("idx", "account")}
    if "order_id" in fields:
        fields["order_id"] = draw(st.sampled_from([ORDER, 1, 2**53]))
    return layout.pack(layout.cls(**{name: fields[name] for name in layout.fields}))


def frame(codec: Codec, event: bytes, text: str, prev: Position | None) -> tuple[bytes, bytes]:
    position = Position(int.from_bytes(event[:8], "little"), int.from_bytes(event[16:20], "little"))
    made = Frame(codec, position, event, text, prev)
    return made.sse, made.json


PLACES = st.none() | st.builds(Position, st.integers(1, 2**53), st.integers(0, 2**32 - 1))
SIMPLE = st.text("abcXYZ019._-~!#", min_size=1, max_size=36)


@given(events(), SIMPLE, PLACES)
def test_the_cores_frames_are_the_plain_ones(quick: Quick, event: bytes, cid: str, prev: Position | None) -> None:
    text = annotation_text({ORDER: cid, ORDER + 1: "another"})
    assert quick.write(event, text, "005930", prev) is not None
    assert frame(Codec(JOURNAL, lambda _: "005930", quick), event, text, prev) == frame(
        Codec(JOURNAL, lambda _: "005930"), event, text, prev
    )


@given(events(), st.text(st.characters(exclude_characters="\t\n", codec="utf-8"), min_size=1), st.text(min_size=1))
def test_whatever_the_texts_are(quick: Quick, event: bytes, cid: str, symbol: str) -> None:
    text = annotation_text({ORDER: cid})
    found = [
        frame(codec, event, text, None)
        for codec in (Codec(JOURNAL, lambda _: symbol, quick), Codec(JOURNAL, lambda _: symbol))
    ]
    assert found[0] == found[1]


@given(events(frozenset({EventKind.REQUEST_REJECTED, EventKind.REQUEST_REPEATED})))
def test_requests_are_left_to_the_plain_form(quick: Quick, event: bytes) -> None:
    assert quick.write(event, "", "", None) is None
    assert frame(Codec(JOURNAL, str, quick), event, "", None) == frame(Codec(JOURNAL, str), event, "", None)


def test_amounts_too_large_for_the_core_are_left_to_the_plain_form(quick: Quick) -> None:
    layout = LAYOUTS[EventKind.BALANCE_CHANGED]
    fields = dict.fromkeys(layout.fields, 0) | {"kind": EventKind.BALANCE_CHANGED, "version": 1, "ts": 1, "account": 4}
    event = layout.pack(layout.cls(**fields | {"cash": -(2**63), "reserved_cash": 1}))
    assert quick.write(event, "", "", None) is None
    assert f'"available":{-(2**63) - 1}'.encode() in frame(Codec(JOURNAL, str, quick), event, "", None)[0]
