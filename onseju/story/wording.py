"""Puts a sentence of the catalogue into words: numbers, prices and times as people write them, Korean and English."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

from onseju.contract.money import WON, Denomination
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


def write(sentence: Sentence, params: Params, language: str, money: Denomination = WON) -> str:
    """The sentence in `ko` or `en`. Raises `KeyError` for a parameter that is not given."""
    template = sentence.ko if language == "ko" else sentence.en
    return _PARAMETER.sub(lambda found: _value(found[1], params[found[1]], language, money), template)


def _value(name: str, value: Value, language: str, money: Denomination) -> str:
    kind = name.rpartition("_")[2]
    if kind == "price":
        return money.write(value, language)
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


def clock_time(text: str) -> str:
    """The time of day in Korea of an RFC 3339 time: `15:20:00`."""
    return datetime.fromisoformat(text).astimezone(UTC).astimezone(KST).strftime("%H:%M:%S")
