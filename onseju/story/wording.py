"""Puts a sentence of the catalogue into words: numbers, prices and times as people write them, Korean and English."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

from onseju.contract.reasons import Reason, Sentence
from onseju.story.sentences import WORDS

Value = int | str
Params = Mapping[str, Value]

KST = timezone(timedelta(hours=9))

KINDS = frozenset({"price", "qty", "count", "number", "time", "word", "reason"})
"""What the last part of a parameter's name may be; `sentences` says what each means."""

_PARAMETER = re.compile(r"\{(\w+)\}")


def parameters(sentence: Sentence) -> tuple[str, ...]:
    """The names in a sentence, in the order in which the Korean one uses them."""
    return tuple(dict.fromkeys(_PARAMETER.findall(sentence.ko)))


def write(sentence: Sentence, params: Params, language: str, price_scale: int = 0) -> str:
    """The sentence in `ko` or `en`. Raises `KeyError` for a parameter that is not given."""
    template = sentence.ko if language == "ko" else sentence.en
    return _PARAMETER.sub(lambda found: _value(found[1], params[found[1]], language, price_scale), template)


def _value(name: str, value: Value, language: str, price_scale: int) -> str:
    kind = name.rpartition("_")[2]
    if kind == "price":
        return price(value, language, price_scale)
    if kind == "qty":
        return f"{value:,}주" if language == "ko" else f"{value:,}"
    if kind == "count":
        return f"{value:,}"
    if kind == "number":
        return str(value)
    if kind == "time":
        return clock_time(str(value))
    if kind == "word":
        word = WORDS[str(value)]
        return word.ko if language == "ko" else word.en
    if kind == "reason":
        return Reason[str(value).upper()].sentence(language)
    raise KeyError(name)


def price(value: Value, language: str, price_scale: int = 0) -> str:
    """`71,300원`, `₩71,300`; a decimal string keeps its decimals. Where the venue's unit is a part of a currency that
    nobody named (`price_scale` decimals), the number alone: `712.50`."""
    whole, _, decimals = str(value).partition(".")
    if price_scale:
        digits = whole.rjust(price_scale + 1, "0")
        whole, decimals = digits[:-price_scale], digits[-price_scale:] + decimals
    text = f"{int(whole):,}" + (f".{decimals}" if decimals else "")
    if price_scale:
        return text
    return f"{text}원" if language == "ko" else f"₩{text}"


def clock_time(text: str) -> str:
    """The time of day in Korea of an RFC 3339 time: `15:20:00`."""
    return datetime.fromisoformat(text).astimezone(UTC).astimezone(KST).strftime("%H:%M:%S")
