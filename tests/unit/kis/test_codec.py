"""The codec: documented frames to documented values, encode and decode as inverses, and no input that raises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onseju.kis.codec import MAX_NUMBER, Decoder, Fault, FrameError, decode_frame, encode_frame, is_data
from onseju.kis.layouts import BOOK, FIELDS, LEVELS, MID, NEW, OLD, TRADES, Field, Kind, Layout
from onseju.kis.records import RECORDS, BookRecord, Record, TradeRecord

SAMPLES = json.loads((Path(__file__).parent / "samples.json").read_text("utf-8"))
FRAMES: list[dict[str, Any]] = SAMPLES["frames"]
BROKEN: list[dict[str, Any]] = SAMPLES["broken"]


def content(sample: dict[str, Any]) -> str | bytes:
    return bytes.fromhex(sample["hex"]) if "hex" in sample else sample["frame"]


@pytest.mark.parametrize("sample", FRAMES, ids=lambda sample: sample["name"])
def test_documented_frames_say_what_is_documented(sample: dict[str, Any]) -> None:
    decoded = [json.loads(msgspec.json.encode(record)) for record in decode_frame(sample["frame"])]
    assert decoded == sample["records"]
    assert decode_frame(sample["frame"].encode()) == decode_frame(sample["frame"])


@pytest.mark.parametrize("sample", BROKEN, ids=lambda sample: sample["name"])
def test_broken_frames_are_counted_and_skipped(sample: dict[str, Any]) -> None:
    decoder = Decoder()
    assert decoder.decode(content(sample)) == []
    assert decoder.broken == {Fault(sample["fault"]): 1}
    assert decoder.decode(FRAMES[0]["frame"])
    assert decoder.frames == 1
    with pytest.raises(FrameError, match=sample["fault"]):
        decode_frame(content(sample))


def test_every_fault_has_a_sample() -> None:
    assert {sample["fault"] for sample in BROKEN} == {fault.value for fault in Fault}


def test_the_live_trade_by_hand() -> None:
    """A few values of the frame of 2026-07-24, read by eye from the document."""
    (record,) = decode_frame(FRAMES[1]["frame"])
    assert isinstance(record, TradeRecord)
    assert (record.symbol, record.time, record.trading_day) == ("005930", "115214", "20260724")
    assert (record.price, record.change_sign, record.change, record.change_rate_x100) == (250500, 5, -19500, -722)
    assert (record.qty, record.volume, record.turnover) == (2, 11701513, 3013709268750)
    assert (record.taker, record.hour_code, record.termination_code, record.vi_base_price) == ("1", "0", "", 266000)
    assert record.market_code is None


def test_the_live_book_by_hand() -> None:
    """A few values of the frame of 2026-06-29, read by eye from the document."""
    (record,) = decode_frame(FRAMES[7]["frame"])
    assert isinstance(record, BookRecord)
    assert record.asks[0] == (324000, 34364)
    assert record.asks[9] == (328500, 13243)
    assert record.bids[0] == (323500, 28602)
    assert record.bids[9] == (319000, 16282)
    assert (record.total_ask_qty, record.total_bid_qty) == (221049, 209586)
    assert (sum(record.ask_qtys), sum(record.bid_qtys)) == (221049, 209586)
    assert (record.mid_price, record.mid_qty, record.mid_side, record.market_code) == (323750, 0, "0", None)


def test_levels_that_do_not_exist_are_left_out() -> None:
    (full,) = decode_frame(FRAMES[7]["frame"])
    assert isinstance(full, BookRecord)
    thin = msgspec.structs.replace(full, ask_prices=(324000, *[0] * 9), bid_prices=(0,) * 10)
    assert thin.asks == [(324000, 34364)]
    assert thin.bids == []


@pytest.mark.parametrize("sample", FRAMES[:3] + FRAMES[6:9], ids=lambda sample: sample["name"])
def test_documented_frames_are_encoded_to_the_same_text(sample: dict[str, Any]) -> None:
    records = decode_frame(sample["frame"])
    width = sample["frame"].count("^") + 1
    layout = next(each for each in (OLD, MID, NEW) if each.widths[sample["frame"].split("|")[1]] == width)
    assert encode_frame(records, layout) == sample["frame"]


def test_empty_numbers_read_as_zero_and_long_decimals_are_cut() -> None:
    values = FRAMES[0]["frame"].split("^")
    values[5], values[10], values[18] = "-0.1399", "", ""
    (record,) = decode_frame("^".join(values))
    assert isinstance(record, TradeRecord)
    assert (record.change_rate_x100, record.ask_price, record.strength_x100) == (-13, 0, 0)


def test_what_the_format_cannot_carry_is_refused() -> None:
    (trade,) = decode_frame(FRAMES[0]["frame"])
    (book,) = decode_frame(FRAMES[6]["frame"])
    with pytest.raises(ValueError, match="1 to 999"):
        encode_frame([], NEW)
    with pytest.raises(ValueError, match="1 to 999"):
        encode_frame([trade] * 1000, NEW)
    with pytest.raises(ValueError, match="one TR"):
        encode_frame([trade, book], NEW)
    for text in ("0059^30", "0059|30", "삼성전자", "00593\n"):
        with pytest.raises(ValueError, match="cannot carry"):
            encode_frame([msgspec.structs.replace(trade, symbol=text)], NEW)


def test_data_and_json_are_told_apart_by_the_first_character() -> None:
    assert is_data("0|H0STCNT0|001|x")
    assert is_data("1|H0STCNI0|001|x")
    assert not is_data('{"header":{}}')
    assert not is_data("")


NUMBER = st.integers(-MAX_NUMBER, MAX_NUMBER)
TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="^|"), max_size=12)
VALUES: dict[Kind, st.SearchStrategy[int | str]] = {
    Kind.INT: NUMBER,
    Kind.HUNDREDTHS: NUMBER,
    Kind.TEXT: TEXT,
    Kind.TIME: st.from_regex(r"\A[0-9]{6}\Z") | st.just(""),
    Kind.DATE: st.from_regex(r"\A[0-9]{8}\Z") | st.just(""),
}


def values(field: Field) -> st.SearchStrategy[Any]:
    one = VALUES[field.kind]
    if field.required:
        one = one.filter(lambda value: value > 0 if isinstance(value, int) else value != "")
    return one if field.repeat == 1 else st.tuples(*[one] * field.repeat)


def records(tr_id: str) -> st.SearchStrategy[Record]:
    return st.builds(RECORDS[tr_id], **{field.attribute: values(field) for field in FIELDS[tr_id]})


def cut_to(record: Record, layout: Layout) -> Record:
    """What is left of a record in a layout."""
    absent, position = {}, 0
    tr_id = TRADES if isinstance(record, TradeRecord) else BOOK
    for field in FIELDS[tr_id]:
        if position >= layout.widths[tr_id]:
            absent[field.attribute] = None
        position += field.repeat
    return msgspec.structs.replace(record, **absent)


@given(
    batch=st.sampled_from((TRADES, BOOK)).flatmap(lambda tr_id: st.lists(records(tr_id), min_size=1, max_size=4)),
    layout=st.sampled_from((OLD, MID, NEW)),
)
def test_decode_is_the_inverse_of_encode(batch: list[Record], layout: Layout) -> None:
    assert decode_frame(encode_frame(batch, layout)) == [cut_to(record, layout) for record in batch]


@given(st.binary(max_size=2000) | st.text(max_size=2000))
def test_no_bytes_raise(frame: bytes | str) -> None:
    decoder = Decoder()
    decoder.decode(frame)
    assert decoder.frames + decoder.broken.total() == 1


@given(
    frame=st.sampled_from([sample["frame"].encode() for sample in FRAMES]),
    place=st.integers(0, 600),
    cut=st.integers(0, 40),
    insert=st.binary(max_size=6),
)
def test_no_damage_to_a_real_frame_raises(frame: bytes, place: int, cut: int, insert: bytes) -> None:
    decoder = Decoder()
    for record in decoder.decode(frame[:place] + insert + frame[place + cut :]):
        assert record.symbol
        assert isinstance(record, TradeRecord) or len(record.ask_prices) == LEVELS
    assert decoder.frames + decoder.broken.total() == 1
