"""Reasons, words and ids: complete, stable, and strict about what they take."""

from __future__ import annotations

import re

import pytest

from onseju.contract import words
from onseju.contract.ids import CLIENT_ORDER_ID, Position, client_id_hash, hash128, parse_event_id
from onseju.contract.money import MAX_AMOUNT, MAX_INPUT, fits
from onseju.contract.reasons import SENTENCES, Reason
from onseju.contract.words import OrderStatus, OrderType, Side, TimeInForce, Word

HANGUL = re.compile("[가-힣]")


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.code)
def test_every_reason_speaks_korean_and_english(reason: Reason) -> None:
    ko, en = reason.sentence("ko"), reason.sentence("en")
    if reason is Reason.NONE:
        assert (ko, en) == ("", "")
        return
    assert HANGUL.search(ko)
    assert ko[-1] in ".!"
    assert not HANGUL.search(en)
    assert en[0].isupper() or en.startswith("client_order_id")
    assert en.endswith(".")
    assert reason.sentence("fr") == en


def test_no_sentence_is_left_over_and_codes_are_lower_case() -> None:
    assert SENTENCES.keys() == set(Reason)
    assert all(re.fullmatch("[a-z0-9_]+", reason.code) for reason in Reason)


def test_the_state_machines_reasons_fit_and_the_gateways_are_apart() -> None:
    assert Reason.CORRECTED_TO_ZERO < 256 <= Reason.MALFORMED
    assert max(Reason) < 2**16


def all_words() -> list[type[Word]]:
    return [cls for cls in vars(words).values() if isinstance(cls, type) and issubclass(cls, Word) and cls is not Word]


@pytest.mark.parametrize("cls", all_words(), ids=lambda cls: cls.__name__)
def test_words_have_one_number_and_one_name(cls: type[Word]) -> None:
    assert min(cls) >= 1
    assert max(cls) < 256
    for word in cls:
        assert cls.parse(word.label) is word
        assert word.label == word.label.lower()
        with pytest.raises(KeyError):
            cls.parse(word.name)
    with pytest.raises(KeyError):
        cls.parse("nonsense")


def test_the_numbers_of_an_order_never_change() -> None:
    assert {side.label: side.value for side in Side} == {"buy": 1, "sell": 2}
    assert {tif.label: tif.value for tif in TimeInForce} == {"day": 1, "ioc": 2, "fok": 3}
    assert {kind.label: kind.value for kind in OrderType} == {
        "limit": 1,
        "market": 2,
        "conditional_limit": 3,
        "best_opposite": 4,
        "best_same": 5,
        "midpoint": 6,
        "stop_limit": 7,
        "stop": 8,
    }
    assert [status.label for status in OrderStatus] == [
        "new",
        "partially_filled",
        "filled",
        "canceled",
        "rejected",
        "expired",
    ]
    assert [status.label for status in OrderStatus if status.is_open] == ["new", "partially_filled"]
    assert Side.BUY.opposite is Side.SELL
    assert Side.SELL.opposite is Side.BUY


def test_event_ids_there_and_back() -> None:
    position = Position(12, 3)
    assert position.event_id("j1") == "j1-12-3"
    assert parse_event_id("j1-12-3") == ("j1", position)


@pytest.mark.parametrize(
    "text", ["", "j1", "j1-12", "j1-12-", "J1-1-1", "j1--1-1", "j1-1-1-1", "j1-1-1\n", "j-" + "9" * 20 + "-1"]
)
def test_other_texts_are_no_event_ids(text: str) -> None:
    with pytest.raises(ValueError, match="not an event id"):
        parse_event_id(text)


def test_hashes_are_fixed() -> None:
    """They stand in journals."""
    assert hash128(b"").hex() == "cae66941d9efbd404e4d88758ea67670"
    assert client_id_hash("a") == hash128(b"a")
    assert len(client_id_hash("a" * 64)) == 16


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("a", True),
        ("A.b_c:d-9", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("a b", False),
        ("가", False),
        ("a\n", False),
    ],
)
def test_client_order_ids(text: str, good: bool) -> None:
    assert bool(CLIENT_ORDER_ID.fullmatch(text)) is good


def test_bounds_of_money() -> None:
    assert fits(0)
    assert fits(MAX_AMOUNT)
    assert not fits(MAX_AMOUNT + 1)
    assert not fits(-1)
    assert 2 * MAX_AMOUNT <= 2**63
    assert MAX_INPUT < MAX_AMOUNT
