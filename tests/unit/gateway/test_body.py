"""Bodies of every wrong kind: a problem that names the field, never an error in the program."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onseju.contract.reasons import Reason
from onseju.gateway.body import Amount, AtLeastOne, decode_body
from onseju.gateway.problems import Problem


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of an order list."""

    qty: AtLeastOne
    price: Amount = 0


class Lenient(msgspec.Struct):
    """A form that passes over what it does not know."""

    qty: int = 0


class Sheet(msgspec.Struct, forbid_unknown_fields=True):
    """Several lines."""

    name: str
    lines: list[Line] = []


@pytest.mark.parametrize(
    ("data", "field", "code"),
    [
        (b"", "", "invalid_json"),
        (b"qty=1", "", "invalid_json"),
        (b'{"name":"x"', "", "invalid_json"),
        (b'{"name":"x"} {}', "", "invalid_json"),
        (b"\xef\xbb\xbf" + b'{"name":"x"}', "", "invalid_json"),
        ('{"name":"x"}'.encode("utf-16"), "", "invalid_json"),
        (b'{"name":"\xff\xfe"}', "", "invalid_utf8"),
        (b'{"name":"\\ud800"}', "", "invalid_json"),
        (b'{"name":"a\x00b"}', "", "invalid_json"),
        (b"[]", "", "invalid"),
        (b"null", "", "invalid"),
        (b"NaN", "", "invalid_json"),
        (b"{}", "name", "missing"),
        (b'{"name":null}', "name", "invalid"),
        (b'{"name":"x","lines":[{"qty":1},{}]}', "lines[1].qty", "missing"),
        (b'{"name":"x","lines":[{"qty":1,"side":"buy"}]}', "lines[0].side", "unknown"),
        (b'{"name":"x","lines":[{"qty":"1"}]}', "lines[0].qty", "invalid"),
        (b'{"name":"x","lines":[{"qty":1.5}]}', "lines[0].qty", "invalid"),
        (b'{"name":"x","lines":[{"qty":1.0}]}', "lines[0].qty", "invalid"),
        (b'{"name":"x","lines":[{"qty":true}]}', "lines[0].qty", "invalid"),
        (b'{"name":"x","lines":[{"qty":0}]}', "lines[0].qty", "invalid"),
        (b'{"name":"x","lines":[{"qty":1,"price":-1}]}', "lines[0].price", "invalid"),
        (b'{"name":"x","lines":[{"qty":9007199254740992}]}', "lines[0].qty", "invalid"),
        (b'{"name":"x","lines":[{"qty":1' + b"0" * 30 + b"}]}", "lines[0].qty", "invalid"),
        (b'{"name":"x","lines":[{"qty":1' + b"0" * 6000 + b"}]}", "lines[0].qty", "invalid"),
        (b'{"name":"x","lines":[{"qty":1e400}]}', "lines[0].qty", "invalid"),
        (b'{"name":"x","lines":[{"qty":NaN}]}', "", "invalid_json"),
        (b'{"name":"x","lines":[{"qty":Infinity}]}', "", "invalid_json"),
        (b'{"name":"x","lines":[{"qty":-}]}', "", "invalid_json"),
        (b'{"name":"x","' + b"k" * 5000 + b'":1}', "k" * 200, "unknown"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, field: str, code: str) -> None:
    with pytest.raises(Problem) as refused:
        decode_body(data, Sheet)
    assert refused.value.reason is Reason.MALFORMED
    assert [(error.field, error.code) for error in refused.value.errors] == [(field, code)]
    for language in ("ko", "en"):
        assert refused.value.errors[0].localized(language).detail


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_deep_nesting_is_refused_wherever_it_stands(opening: bytes) -> None:
    deep = opening * 20_000
    for data in (deep, b'{"qty":1,"more":' + deep):
        with pytest.raises(Problem):
            decode_body(data, Lenient)


def test_a_name_given_twice_counts_as_its_last_value() -> None:
    assert decode_body(b'{"qty":1,"qty":2}', Line) == Line(2)
    with pytest.raises(Problem):
        decode_body(b'{"qty":1,"qty":"2"}', Line)


def outcome(data: bytes) -> str:
    """What becomes of a body: taken, or refused with one error."""
    try:
        decode_body(data, Sheet)
    except Problem as problem:
        return f"{problem.status} {len(problem.errors)}"
    return "taken"


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    assert outcome(data) in ("taken", "400 1")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "lines", "qty", "x"]), inner),
    max_leaves=20,
)


@given(_JSON)
def test_no_json_breaks_it(value: object) -> None:
    assert outcome(json.dumps(value).encode()) in ("taken", "400 1")
