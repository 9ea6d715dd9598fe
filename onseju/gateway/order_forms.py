"""What clients send to enter, correct and cancel orders: the forms, and the rules of form that need no exchange."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec

from onseju.contract.ids import CLIENT_ORDER_ID
from onseju.contract.money import MAX_INPUT
from onseju.contract.reasons import Reason
from onseju.gateway.problems import FieldError, Problem

MAX_BATCH = 1_000
"""Orders in one batch."""

MAX_ERRORS = 20
"""Field errors told at once."""

Quantity = Annotated[int, msgspec.Meta(ge=1, le=MAX_INPUT, description="Whole shares.")]
OpenQuantity = Annotated[int, msgspec.Meta(ge=0, le=MAX_INPUT, description="Whole shares; 0 cancels the order.")]
Price = Annotated[
    int,
    msgspec.Meta(ge=1, le=MAX_INPUT, description="In the venue's smallest unit: won, or cents where price_scale is 2."),
]
ClientOrderId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9._:-]{1,64}$",
        description="The client's own id. A repeat of the same request under it takes effect once.",
    ),
]
OrderTypeName = Literal[
    "limit", "market", "conditional_limit", "best_opposite", "best_same", "midpoint", "stop_limit", "stop"
]
SideName = Literal["buy", "sell"]
TimeInForceName = Literal["day", "ioc", "fok"]

PRICED = frozenset({"limit", "conditional_limit", "stop_limit"})
"""Order types that carry a limit price; the others must not."""

STOPPED = frozenset({"stop_limit", "stop"})
"""Order types that carry a stop price; the others must not."""


class NewOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new order."""

    symbol: Annotated[str, msgspec.Meta(description="The instrument, like 005930.")]
    side: SideName
    type: OrderTypeName
    qty: Quantity
    limit_price: Price | None = None
    stop_price: Price | None = None
    time_in_force: TimeInForceName = "day"
    client_order_id: ClientOrderId | None = None

    def wrong_fields(self) -> list[FieldError]:
        """What is wrong with the fields together."""
        errors = _wrong_client_id(self.client_order_id)
        for name, price, needed, code in (
            ("limit_price", self.limit_price, self.type in PRICED, "invalid_price"),
            ("stop_price", self.stop_price, self.type in STOPPED, "invalid_stop_price"),
        ):
            if needed != (price is not None):
                errors.append(FieldError(name, code if needed else "not_allowed"))
        return errors


class Correct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A correction (정정) of an open order: prices, type or open quantity. With `qty` only so many of its open shares are
    corrected: they become a new order, which names this one as its parent."""

    limit_price: Price | None = None
    stop_price: Price | None = None
    leaves_qty: OpenQuantity | None = None
    type: OrderTypeName | None = None
    qty: Quantity | None = None
    client_order_id: ClientOrderId | None = None

    def wrong_fields(self) -> list[FieldError]:
        """What is wrong with the fields together."""
        errors = _wrong_client_id(self.client_order_id)
        if (self.limit_price, self.stop_price, self.leaves_qty, self.type) == (None, None, None, None):
            errors.append(FieldError("", "nothing_to_correct"))
        if self.qty is not None and self.leaves_qty is not None:
            errors.append(FieldError("leaves_qty", "not_allowed"))
        if self.limit_price is not None and self.type is not None and self.type not in PRICED:
            errors.append(FieldError("limit_price", "not_allowed"))
        if self.stop_price is not None and self.type is not None and self.type not in STOPPED:
            errors.append(FieldError("stop_price", "not_allowed"))
        return errors


class Cancel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cancel of an order, or of `qty` of its open shares."""

    qty: Quantity | None = None
    client_order_id: ClientOrderId | None = None

    def wrong_fields(self) -> list[FieldError]:
        """What is wrong with the fields together."""
        return _wrong_client_id(self.client_order_id)


class CancelAll(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cancel of all the account's open orders: of one instrument, of one side."""

    symbol: str | None = None
    side: SideName | None = None
    client_order_id: ClientOrderId | None = None

    def wrong_fields(self) -> list[FieldError]:
        """What is wrong with the fields together."""
        return _wrong_client_id(self.client_order_id)


class NewOrders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch, as documented: 1 to 1,000 orders."""

    orders: Annotated[list[NewOrder], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class _QuickBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    orders: list[NewOrder]


class _RawBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    orders: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


_PRICES = {name: (name in PRICED, name in STOPPED) for name in get_args(OrderTypeName)}
"""Which prices an order of a type has: a limit, a stop."""

Form = NewOrder | Correct | Cancel | CancelAll
F = TypeVar("F", NewOrder, Correct, Cancel, CancelAll)

CODES: Mapping[str, str] = MappingProxyType(
    {
        "symbol": "invalid_symbol",
        "side": "invalid_side",
        "type": "invalid_order_type",
        "qty": "invalid_qty",
        "leaves_qty": "invalid_qty",
        "limit_price": "invalid_price",
        "stop_price": "invalid_stop_price",
        "time_in_force": "invalid_time_in_force",
        "client_order_id": "invalid_client_order_id",
        "orders": "invalid_count",
    }
)
"""The code told for a field that is missing or of the wrong form."""

_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {
    form: msgspec.json.Decoder(form) for form in (NewOrder, Correct, Cancel, CancelAll, _QuickBatch, _RawBatch)
}
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode(raw: bytes | msgspec.Raw, form: type[F]) -> F:
    """The form in this JSON. Raises `Problem` (`malformed`, with what is wrong per field)."""
    decoded: F = _decode(raw, form)
    errors = decoded.wrong_fields()
    if errors:
        raise Problem(Reason.MALFORMED, errors=errors)
    return decoded


def decode_batch(raw: bytes | msgspec.Raw) -> list[NewOrder] | None:
    """A batch's orders in one go; None where something is wrong with the batch or any of its orders: then `split_batch`
    and `decode_item` tell what."""
    try:
        orders: list[NewOrder] = _DECODERS[_QuickBatch].decode(raw).orders
    except _NOT_JSON:
        return None
    if not 1 <= len(orders) <= MAX_BATCH or not all(map(is_well_formed, orders)):
        return None
    return orders


def decode_well_formed(raw: bytes) -> NewOrder | None:
    """The order in this JSON; None where anything is wrong with it: `decode` tells what."""
    try:
        form: NewOrder = _DECODERS[NewOrder].decode(raw)
    except _NOT_JSON:
        return None
    return form if is_well_formed(form) else None


def is_well_formed(form: NewOrder) -> bool:
    """Whether nothing is wrong with the fields together (`NewOrder.wrong_fields`)."""
    return _PRICES[form.type] == (form.limit_price is not None, form.stop_price is not None) and (
        form.client_order_id is None or CLIENT_ORDER_ID.fullmatch(form.client_order_id) is not None
    )


def split_batch(raw: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    """A batch's orders, not yet decoded. Raises `Problem` where it is no batch of 1 to 1,000."""
    batch: _RawBatch = _decode(raw, _RawBatch)
    return batch.orders


def decode_item(raw: msgspec.Raw) -> NewOrder | Problem:
    """One order of a batch, or what is wrong with it."""
    try:
        return decode(raw, NewOrder)
    except Problem as problem:
        return problem


def _decode(raw: bytes | msgspec.Raw, form: Any) -> Any:
    try:
        return _DECODERS[form].decode(raw)
    except msgspec.ValidationError:
        raise Problem(Reason.MALFORMED, errors=_wrong_fields(raw, form)) from None
    except _NOT_JSON:
        raise Problem(Reason.MALFORMED) from None


def _wrong_fields(raw: bytes | msgspec.Raw, form: Any) -> list[FieldError]:
    """What is wrong, field by field, with JSON that is not of this form. Empty where it is no JSON object at all."""
    try:
        given = _FIELDS.decode(raw)
    except _NOT_JSON:
        return []
    known = msgspec.structs.fields(form)
    names = {field.encode_name for field in known}
    errors = [FieldError(name[:64], "unknown") for name in given if name not in names]
    for field in known:
        name = field.encode_name
        if name not in given:
            wrong = field.required
        else:
            try:
                msgspec.json.decode(given[name], type=field.type)
                wrong = False
            except _NOT_JSON:
                wrong = True
        if wrong:
            errors.append(FieldError(name, CODES[name]))
    return errors[:MAX_ERRORS]


def _wrong_client_id(client_order_id: str | None) -> list[FieldError]:
    # The pattern's `$` lets a final newline pass, which must not reach the journal's line-based texts.
    if client_order_id is None or CLIENT_ORDER_ID.fullmatch(client_order_id):
        return []
    return [FieldError("client_order_id", CODES["client_order_id"])]
