"""How numbers, prices and times are written, and that both languages of every sentence name the same things."""

from __future__ import annotations

import re

import pytest

from onseju.contract.money import Denomination
from onseju.contract.reasons import Sentence
from onseju.story.sentences import ANSWERS, HAPPENINGS, OPTIONS, WORDS
from onseju.story.wording import KINDS, parameters, write

TABLES = {"answers": ANSWERS, "happenings": HAPPENINGS, "options": OPTIONS}


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("ko", "71,300원 100주 3 1042 15:20:00 매수 장이 끝나 당일 주문이 종료되었습니다."),
        ("en", "₩71,300 100 3 1042 15:20:00 buy The day order ended with the trading day."),
    ],
)
def test_each_kind_of_parameter(language: str, expected: str) -> None:
    template = "{limit_price} {ahead_qty} {trade_count} {moved_number} {end_time} {side_word} {end_reason}"
    params: dict[str, int | str] = {
        "limit_price": 71_300,
        "ahead_qty": 100,
        "trade_count": 3,
        "moved_number": 1042,
        "end_time": "2026-11-23T06:20:00.000000Z",
        "side_word": "buy",
        "end_reason": "day_ended",
    }
    assert write(Sentence(template, template), params, language) == expected


def test_prices_are_written_as_the_venue_shows_its_money() -> None:
    sentence = Sentence("{a_price} {b_price} {c_price}", "")
    params: dict[str, int | str] = {"a_price": 71_250, "b_price": 5, "c_price": "10002.5"}
    assert write(sentence, params, "ko", Denomination.of(2)) == "712.50 0.05 100.025"
    assert write(sentence, params, "ko", Denomination.of(2, "USD")) == "$712.50 $0.05 $100.025"
    assert write(sentence, params, "ko") == "71,250원 5원 10,002.5원"


def test_a_parameter_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        write(Sentence("{limit_price}", ""), {}, "ko")


@pytest.mark.parametrize("table", TABLES)
def test_both_languages_name_the_same(table: str) -> None:
    for code, sentence in TABLES[table].items():
        assert set(re.findall(r"\{(\w+)\}", sentence.en)) <= set(parameters(sentence)), code
        for name in parameters(sentence):
            assert name.rpartition("_")[2] in KINDS, (code, name)
        assert sentence.ko[-1] in ".}", code
        assert sentence.en[-1] in ".}", code
        assert re.fullmatch("[a-z_]+", code)


def test_words_are_translated() -> None:
    assert all(word.ko and word.en and word.ko != word.en for word in WORDS.values())
