"""How amounts of the venue's smallest unit are written, in both languages."""

from __future__ import annotations

import pytest

from onseju.contract.money import Denomination


@pytest.mark.parametrize(
    ("money", "value", "korean", "english"),
    [
        (Denomination(), 71_300, "71,300원", "₩71,300"),
        (Denomination(), "10002.5", "10,002.5원", "₩10,002.5"),
        (Denomination.of(0, "JPY"), 71_300, "¥71,300", "¥71,300"),
        (Denomination.of(2, "USD"), 4_125, "$41.25", "$41.25"),
        (Denomination.of(2, "USD"), 5, "$0.05", "$0.05"),
        (Denomination.of(2, "USD"), 123_456_789, "$1,234,567.89", "$1,234,567.89"),
        (Denomination.of(2, "USD"), "4125.5", "$41.255", "$41.255"),
        (Denomination.of(2, "KRW"), 4_125, "41.25원", "₩41.25"),
        (Denomination.of(2, "CHF"), 4_125, "41.25 CHF", "41.25 CHF"),
        (Denomination.of(4), 4_125, "0.4125", "0.4125"),
    ],
)
def test_amounts(money: Denomination, value: int | str, korean: str, english: str) -> None:
    assert (money.write(value, "ko"), money.write(value, "en")) == (korean, english)


def test_whole_units_are_won_unless_said_otherwise() -> None:
    assert Denomination.of(0) == Denomination(0, "KRW")
    assert Denomination.of(2) == Denomination(2, None)
    assert Denomination.of(0, "USD").currency == "USD"
