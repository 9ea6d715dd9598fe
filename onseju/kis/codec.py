"""KIS's data frames, `E|TR|NNN|fields…`, to records and back. What cannot be read is counted and skipped, never fatal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

from onseju.kis.layouts import FIELDS, LEAST_WIDTH, Field, Kind, Layout
from onseju.kis.records import RECORDS, Record, tr_id_of

MAX_RECORDS = 999
"""The count has three digits."""

MAX_NUMBER = 2**53 - 1
"""Larger numbers are not exact in a browser; KIS sends none."""

_COUNT = re.compile(r"[0-9]{3}")
_INT = re.compile(r"-?[0-9]{1,16}")
_DECIMAL = re.compile(r"(-?)([0-9]{1,14})(?:\.([0-9]{0,8}))?")
_DIGITS = {Kind.TIME: re.compile(r"[0-9]{6}"), Kind.DATE: re.compile(r"[0-9]{8}")}
_UNSENDABLE = re.compile(r"[^\x20-\x7e]|[\^|]")


class Fault(Enum):
    """Why a frame could not be read."""

    NOT_UTF8 = "not_utf8"
    NOT_A_FRAME = "not_a_frame"
    ENCRYPTED = "encrypted"
    UNKNOWN_TR = "unknown_tr"
    BAD_COUNT = "bad_count"
    BAD_WIDTH = "bad_width"
    """Half a frame, or one whose fields do not divide by its count."""
    BAD_FIELD = "bad_field"


class FrameError(ValueError):
    """The frame is broken; `fault` says how."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault.value}: {detail}")
        self.fault = fault


class Decoder:
    """Decodes a stream of frames, counting those that are broken."""

    def __init__(self) -> None:
        self.frames = 0
        """Frames that were read."""
        self.broken: Counter[Fault] = Counter()
        """Frames that were skipped, by reason."""

    def decode(self, frame: str | bytes) -> list[Record]:
        """The frame's records, in order; none if it is broken. Never raises."""
        try:
            records = decode_frame(frame)
        except FrameError as error:
            self.broken[error.fault] += 1
            return []
        self.frames += 1
        return records


def is_data(text: str) -> bool:
    """Whether a text message is a data frame; the others (`{…`) are JSON."""
    return text[:1] in ("0", "1")


def decode_frame(frame: str | bytes) -> list[Record]:
    """The frame's records, in order. Raises `FrameError`: one bad record spoils its frame, for its neighbours may be shifted."""
    parts = _text(frame).split("|", 3)
    if len(parts) != 4 or parts[0] not in ("0", "1"):
        raise FrameError(Fault.NOT_A_FRAME, "four parts, the first of them 0 or 1, are expected")
    encrypted, tr_id, count_text, payload = parts
    if tr_id not in FIELDS:
        raise FrameError(Fault.UNKNOWN_TR, tr_id[:32])
    if encrypted == "1":
        raise FrameError(Fault.ENCRYPTED, f"{tr_id} is public data")
    if not _COUNT.fullmatch(count_text) or count_text == "000":
        raise FrameError(Fault.BAD_COUNT, f"{count_text[:32]!r} is not 001 to 999")
    values = payload.split("^")
    width, rest = divmod(len(values), int(count_text))
    if rest or width < LEAST_WIDTH[tr_id]:
        raise FrameError(Fault.BAD_WIDTH, f"{len(values)} fields for {count_text} records")
    return [_decode_record(tr_id, values[start : start + width]) for start in range(0, len(values), width)]


def encode_frame(records: Sequence[Record], layout: Layout) -> str:
    """One frame with these records, all of one TR, in a layout. Raises `ValueError` for what the format cannot carry."""
    if not 1 <= len(records) <= MAX_RECORDS:
        raise ValueError(f"a frame carries 1 to {MAX_RECORDS} records, not {len(records)}")
    tr_id = tr_id_of(records[0])
    if any(tr_id_of(record) != tr_id for record in records):
        raise ValueError("a frame's records are of one TR")
    width = layout.widths[tr_id]
    payload = "^".join(text for record in records for text in _encode_record(FIELDS[tr_id], record, width))
    return f"0|{tr_id}|{len(records):03d}|{payload}"


def _text(frame: str | bytes) -> str:
    if isinstance(frame, str):
        return frame
    try:
        return frame.decode()
    except UnicodeDecodeError as error:
        raise FrameError(Fault.NOT_UTF8, f"at byte {error.start}") from error


def _decode_record(tr_id: str, values: Sequence[str]) -> Record:
    attributes: dict[str, Any] = {}
    position = 0
    for field in FIELDS[tr_id]:
        if position >= len(values):
            break  # an older layout; what follows is absent
        if field.repeat == 1:
            attributes[field.attribute] = _decode_value(field, values[position])
        else:
            run = values[position : position + field.repeat]
            attributes[field.attribute] = tuple(_decode_value(field, value) for value in run)
        position += field.repeat
    return RECORDS[tr_id](**attributes)


def _decode_value(field: Field, text: str) -> int | str:
    value = _read(field, text)
    if field.required and (not value or (isinstance(value, int) and value < 0)):
        raise FrameError(Fault.BAD_FIELD, f"{field.name} is {text[:32]!r}")
    return value


def _read(field: Field, text: str) -> int | str:
    kind = field.kind
    if kind is Kind.INT:
        if not text:
            return 0
        if _INT.fullmatch(text) and abs(number := int(text)) <= MAX_NUMBER:
            return number
    elif kind is Kind.HUNDREDTHS:
        if not text:
            return 0
        if match := _DECIMAL.fullmatch(text):
            sign, whole, decimals = match.groups("")
            hundredths = int(whole) * 100 + int(decimals[:2].ljust(2, "0"))
            if hundredths <= MAX_NUMBER:
                return -hundredths if sign else hundredths
    elif kind is Kind.TEXT or not text or _DIGITS[kind].fullmatch(text):
        return text
    raise FrameError(Fault.BAD_FIELD, f"{field.name} is {text[:32]!r}")


def _encode_record(fields: Sequence[Field], record: Record, width: int) -> Iterator[str]:
    sent = 0
    for field in fields:
        if sent >= width:
            return
        value = getattr(record, field.attribute)
        for single in value if field.repeat > 1 else (value,):
            yield _encode_value(field, single)
        sent += field.repeat


def _encode_value(field: Field, value: int | str | None) -> str:
    if isinstance(value, int):
        if field.kind is Kind.HUNDREDTHS:
            whole, rest = divmod(abs(value), 100)
            return f"{'-' if value < 0 else ''}{whole}.{rest:02d}"
        return str(value)
    text = value or ""
    if _UNSENDABLE.search(text):
        raise ValueError(f"{field.name} cannot carry {text!r}")
    return text
