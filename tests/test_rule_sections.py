"""Each section of the KRX rules is named by a test and has a line in docs/market-rules.md.

A test names a section in its docstring ("KRX rules 3.2, 4.1"; "KRX rules 5.2 to 5.5"), a scenario in its `rule`.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "market-rules.md"

SECTIONS = {
    "1.1": "tick size",
    "1.2": "base price",
    "1.3": "price limits",
    "1.4": "previous price",
    "2.1": "the regular day",
    "2.2": "after hours",
    "2.3": "NXT",
    "2.4": "quantity",
    "3.1": "limit",
    "3.2": "market",
    "3.3": "IOC, FOK",
    "3.4": "best opposite, best same",
    "3.5": "conditional",
    "3.6": "cancel, correct",
    "3.7": "what may be entered when",
    "3.8": "midpoint",
    "3.9": "stop limit",
    "4.1": "priority",
    "4.2": "whose price",
    "4.3": "no crossed book",
    "4.4": "self-trades",
    "5.1": "when an auction collects",
    "5.2": "the matching price",
    "5.3": "several matching prices",
    "5.4": "who is filled",
    "5.5": "market orders in an auction",
    "5.6": "pools at a price limit",
    "5.7": "what an auction leaves",
    "5.8": "worked auctions",
    "6.1": "volatility interruptions",
    "6.2": "circuit breaker",
    "6.4": "short sale",
    "7.1": "sell taxes",
    "7.2": "commission",
    "7.3": "settlement",
    "7.4": "margin",
    "8.1": "what a buy reserves",
    "8.2": "what a sell reserves",
}
NOT_IMPLEMENTED = {"6.3": "sidecars hold program orders, and there are none here"}

NUMBER = re.compile(r"\b\d\.\d\b")
RANGE = re.compile(r"\b(\d)\.(\d) (?:to|–) (\d)\.(\d)\b")
IN_A_TEST = re.compile(r"KRX rules (\d\.\d[^:;)\n]*)")


def sections_in(words: str) -> set[str]:
    """The sections that a text names; "3.1 to 3.9" names all between."""
    named = set(NUMBER.findall(words))
    for chapter, first, last_chapter, last in RANGE.findall(words):
        assert chapter == last_chapter, words
        named |= {f"{chapter}.{number}" for number in range(int(first), int(last) + 1)}
    return named


def named_in_docstrings() -> set[str]:
    named: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        if path != Path(__file__):
            for words in IN_A_TEST.findall(path.read_text("utf-8")):
                named |= sections_in(words)
    return named


def named_in_scenarios() -> set[str]:
    named: set[str] = set()
    for name in ("krx.json", "krx-rules.json"):
        for scenario in msgspec.json.decode((TESTS / "scenarios" / name).read_bytes()):
            named |= sections_in(scenario["rule"])
    return named


def test_each_section_is_named_by_a_test() -> None:
    assert set(SECTIONS) - named_in_docstrings() - named_in_scenarios() == set()


def test_no_test_names_a_section_that_is_none() -> None:
    assert named_in_docstrings() <= SECTIONS.keys() | NOT_IMPLEMENTED.keys()


def test_a_range_names_all_between() -> None:
    assert sections_in("3.1 to 3.3, 5.6") == {"3.1", "3.2", "3.3", "5.6"}


def test_each_section_has_its_line_on_the_page() -> None:
    lines = re.findall(r"^\| (\d\.\d) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert lines == sorted(SECTIONS.keys() | NOT_IMPLEMENTED.keys())
