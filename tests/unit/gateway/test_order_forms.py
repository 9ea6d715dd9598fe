"""Forms of orders: what is refused before there is a command, and what is said about it."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Side, TimeInForce
from onseju.gateway.order_forms import (
    MAX_ERRORS,
    Cancel,
    Correct,
    NewOrder,
    OrderTypeName,
    SideName,
    TimeInForceName,
    decode,
    decode_item,
    split_batch,
)
from onseju.gateway.problems import Problem

SYMBOL = "005930"
PRICE = 98_500
GOOD: dict[str, Any] = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 10, "limit_price": PRICE}


def wrong(form: Any, raw: bytes) -> list[tuple[str, str]]:
    """The field errors of a body that is refused."""
    with pytest.raises(Problem) as refused:
        decode(raw, form)
    assert refused.value.reason is Reason.MALFORMED
    assert refused.value.status == 400
    return [(error.field, error.code) for error in refused.value.errors]


def wrong_order(**changes: Any) -> list[tuple[str, str]]:
    return wrong(NewOrder, msgspec.json.encode({**GOOD, **changes}))


def test_the_words_of_forms_are_the_contracts() -> None:
    assert set(get_args(SideName)) == {word.label for word in Side}
    assert set(get_args(OrderTypeName)) == {word.label for word in OrderType}
    assert set(get_args(TimeInForceName)) == {word.label for word in TimeInForce}


@pytest.mark.parametrize(
    "literal",
    ["0", "-1", "9007199254740992", "1" + "0" * 30, "1" * 5000, "1.5", "1.0", "1e2", '"10"', "true", "[]", "{}"],
)
@pytest.mark.parametrize(
    ("form", "field", "code"),
    [
        (NewOrder, "qty", "invalid_qty"),
        (NewOrder, "limit_price", "invalid_price"),
        (NewOrder, "stop_price", "invalid_stop_price"),
        (Correct, "limit_price", "invalid_price"),
        (Correct, "stop_price", "invalid_stop_price"),
        (Correct, "qty", "invalid_qty"),
        (Cancel, "qty", "invalid_qty"),
    ],
)
def test_numbers_are_whole_positive_and_exact_in_every_language(form: Any, field: str, code: str, literal: str) -> None:
    rest = {name: value for name, value in GOOD.items() if name != field} if form is NewOrder else {}
    raw = f'{{"{field}":{literal}' + "".join(f',"{name}":{json.dumps(value)}' for name, value in rest.items()) + "}"
    assert wrong(form, raw.encode()) == [(field, code)]


def test_the_largest_number_passes() -> None:
    form = decode(msgspec.json.encode({**GOOD, "qty": 2**53 - 1, "limit_price": 2**53 - 1}), NewOrder)
    assert (form.qty, form.limit_price) == (2**53 - 1, 2**53 - 1)


def test_null_is_a_missing_field() -> None:
    assert wrong_order(qty=None) == [("qty", "invalid_qty")]
    assert wrong_order(limit_price=None) == [("limit_price", "invalid_price")]
    assert wrong_order(symbol=None, side=None) == [("symbol", "invalid_symbol"), ("side", "invalid_side")]
    form = decode(
        msgspec.json.encode({**GOOD, "type": "market", "limit_price": None, "client_order_id": None}), NewOrder
    )
    assert form.limit_price is None


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"side": "BUY"}, [("side", "invalid_side")]),
        ({"type": "iceberg"}, [("type", "invalid_order_type")]),
        ({"time_in_force": "gtc"}, [("time_in_force", "invalid_time_in_force")]),
        ({"symbol": 5930}, [("symbol", "invalid_symbol")]),
        ({"client_order_id": ""}, [("client_order_id", "invalid_client_order_id")]),
        ({"client_order_id": "a" * 65}, [("client_order_id", "invalid_client_order_id")]),
        ({"client_order_id": "내 주문"}, [("client_order_id", "invalid_client_order_id")]),
        ({"client_order_id": "line\n"}, [("client_order_id", "invalid_client_order_id")]),
        ({"client_order_id": 7}, [("client_order_id", "invalid_client_order_id")]),
        ({"price": 1}, [("price", "unknown")]),
        ({"type": "market"}, [("limit_price", "not_allowed")]),
        ({"type": "market", "limit_price": None, "stop_price": 5}, [("stop_price", "not_allowed")]),
        ({"type": "stop_limit"}, [("stop_price", "invalid_stop_price")]),
        ({"qty": 0, "side": 1, "x": 1}, [("x", "unknown"), ("side", "invalid_side"), ("qty", "invalid_qty")]),
    ],
)
def test_each_wrong_field_is_named_with_its_code(changes: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    assert wrong_order(**changes) == errors


def test_errors_are_bounded_and_long_names_cut() -> None:
    errors = wrong_order(**{f"{number:03}{'x' * 100}": 1 for number in range(50)})
    assert len(errors) == MAX_ERRORS
    assert all(len(field) == 64 for field, _ in errors)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"7", b"null", b'"x"', b'{"qty":01}', b'{"qty":NaN}', b"\xff", b"[" * 9999]
)
def test_what_is_no_json_object_is_malformed(raw: bytes) -> None:
    assert wrong(NewOrder, raw) == []


def test_a_correction_must_change_something_and_not_contradict_itself() -> None:
    assert wrong(Correct, b"{}") == [("", "nothing_to_correct")]
    assert wrong(Correct, b'{"qty":5}') == [("", "nothing_to_correct")]
    assert wrong(Correct, b'{"qty":5,"leaves_qty":3}') == [("leaves_qty", "not_allowed")]
    assert wrong(Correct, b'{"type":"market","limit_price":3}') == [("limit_price", "not_allowed")]
    assert wrong(Correct, b'{"leaves_qty":-1}') == [("leaves_qty", "invalid_qty")]
    assert decode(b'{"leaves_qty":0}', Correct).leaves_qty == 0
    for type_ in ("limit", "market", "best_same"):
        assert wrong(Correct, b'{"type":"%s","stop_price":3}' % type_.encode()) == [("stop_price", "not_allowed")]
    assert decode(b'{"stop_price":3}', Correct).stop_price == 3
    assert decode(b'{"type":"stop_limit","limit_price":2,"stop_price":3}', Correct).stop_price == 3


def test_every_field_error_has_a_sentence_in_both_languages() -> None:
    with pytest.raises(Problem) as refused:
        decode(b'{"qty":"many","price":3,"client_order_id":"?"}', NewOrder)
    korean, english = (refused.value.body(language, "r") for language in ("ko", "en"))
    assert [error.detail for error in korean.errors] != [error.detail for error in english.errors]
    assert all(error.detail for error in (*korean.errors, *english.errors))


def decoded_batch(raw: bytes) -> list[NewOrder | Problem]:
    return [decode_item(item) for item in split_batch(raw)]


def test_a_batch_keeps_the_good_among_the_bad() -> None:
    good, bad, no_object = decoded_batch(msgspec.json.encode({"orders": [GOOD, {**GOOD, "qty": 0}, 7]}))
    assert isinstance(good, NewOrder)
    assert isinstance(bad, Problem)
    assert [error.field for error in bad.errors] == ["qty"]
    assert isinstance(no_object, Problem)


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_1_to_1000_orders(count: int) -> None:
    with pytest.raises(Problem) as refused:
        decoded_batch(msgspec.json.encode({"orders": [GOOD] * count}))
    assert [(error.field, error.code) for error in refused.value.errors] == [("orders", "invalid_count")]
    assert len(decoded_batch(msgspec.json.encode({"orders": [GOOD] * 1000}))) == 1000
