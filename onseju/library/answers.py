"""Single orders in bytes, and what their events say: the quick way between a call and its result."""

from __future__ import annotations

import struct
from typing import SupportsIndex

from onseju.contract import commands
from onseju.contract.commands import COMMAND_VERSION, LAYOUTS, NO_HASH, CommandKind
from onseju.contract.events import EVENT_BYTES, KIND_OFFSET, EventKind
from onseju.contract.reasons import Reason
from onseju.contract.words import Liquidity, OrderStatus
from onseju.library.results import Answer, Fill, OrderResult

_NEW = LAYOUTS[CommandKind.NEW_ORDER].packer
_CANCEL = LAYOUTS[CommandKind.CANCEL_ORDER].packer
_HEAD = struct.Struct("<QqIIIBBH")
_REASON = struct.Struct("<30xH")
_ID = struct.Struct("<32xq")
_ORDER = struct.Struct("<30xHq8xqq8xqqqq19xB4x")
"""Of an event about an order: reason, order_id, qty, limit_price, leaves_qty, filled_qty, canceled_qty, filled_amount, status."""

_FILL = struct.Struct("<30xHqqqqqqqq25xBB5x")
"""Of a fill: reason, order_id, trade_id, price, qty, leaves_qty, filled_qty, canceled_qty, filled_amount, liquidity, status."""

_FILLED, _REFUSED = int(EventKind.ORDER_FILLED), int(EventKind.REQUEST_REJECTED)
_KIND, _CANCEL_KIND = int(CommandKind.NEW_ORDER), int(CommandKind.CANCEL_ORDER)

REASONS = {int(reason): reason for reason in Reason}
STATUSES: dict[int, OrderStatus | None] = {0: None, **{int(status): status for status in OrderStatus}}
LIQUIDITIES = {int(liquidity): liquidity for liquidity in Liquidity}


def new_order(
    seq: int,
    ts: int,
    account: int,
    instrument: int,
    qty: int,
    limit_price: int,
    stop_price: int,
    side: int,
    order_type: int,
    time_in_force: int,
) -> bytes:
    """A new order's bytes. A float may stand for a whole number. Raises `ValueError` for one that is not whole or too
    large."""
    try:
        return _NEW.pack(
            seq,
            ts,
            _KIND,
            COMMAND_VERSION,
            0,
            account,
            instrument,
            account,
            NO_HASH,
            NO_HASH,
            qty,
            limit_price,
            stop_price,
            side,
            order_type,
            time_in_force,
        )
    except struct.error:
        numbers = whole("qty", qty), whole("price", limit_price), whole("stop_price", stop_price)
        return new_order(seq, ts, account, instrument, *numbers, side, order_type, time_in_force)


def cancel(seq: int, ts: int, account: int, order_id: int, qty: int) -> bytes:
    """A cancel's bytes. Raises `ValueError` as `new_order` does."""
    try:
        return _CANCEL.pack(
            seq,
            ts,
            _CANCEL_KIND,
            COMMAND_VERSION,
            0,
            account,
            0,
            account,
            NO_HASH,
            NO_HASH,
            order_id,
            qty,
        )
    except struct.error:
        return cancel(seq, ts, account, whole("order_id", order_id), whole("qty", qty))


def encoded(command: commands.Command) -> bytes:
    """A command's bytes. Raises `ValueError` for a number that its field cannot hold."""
    try:
        return commands.encode_command(command)
    except struct.error as error:
        for name in command.__struct_fields__:
            value = getattr(command, name)
            if not isinstance(value, bytes):
                whole(name, value)
        raise ValueError(f"{type(command).__name__}: {error}") from None


def answer(payload: bytes) -> Answer:
    """What a command that is not about one order came to."""
    seq, *_, kind, _, reason = _HEAD.unpack_from(payload)
    refused = kind == EventKind.REQUEST_REJECTED
    return Answer(seq=seq, reason=REASONS[reason] if refused else Reason.NONE, payload=payload)


def order_result(payload: bytes, order_id: int, account: int) -> OrderResult:
    """What the events say of one order: its last state, and its fills."""
    fills: list[Fill] = []
    status = 0
    reason = qty = limit_price = leaves = filled = canceled = amount = 0
    offset = 0
    for kind in payload[KIND_OFFSET::EVENT_BYTES]:
        if kind < _FILLED:
            found = _ORDER.unpack_from(payload, offset)
            if found[1] == order_id:
                reason, _, qty, limit_price, leaves, filled, canceled, amount, status = found
        elif kind == _FILLED:
            if _ID.unpack_from(payload, offset)[0] == order_id:
                found = _FILL.unpack_from(payload, offset)
                reason, _, trade_id, price, shares, leaves, filled, canceled, amount, liquidity, status = found
                fills.append(Fill(trade_id, price, shares, LIQUIDITIES[liquidity]))
        elif kind == _REFUSED:
            reason = _REASON.unpack_from(payload, offset)[0]
        offset += EVENT_BYTES
    return OrderResult(
        seq=_HEAD.unpack_from(payload)[0],
        reason=REASONS[reason],
        payload=payload,
        order_id=order_id,
        account=account,
        status=STATUSES[status],
        qty=qty or leaves + filled + canceled,
        limit_price=limit_price,
        leaves_qty=leaves,
        filled_qty=filled,
        canceled_qty=canceled,
        filled_amount=amount,
        fills=tuple(fills),
    )


def whole(name: str, number: object) -> int:
    """A number of 63 bits and a sign. A float may stand for it, if it is whole. Raises `ValueError`, with the name."""
    if isinstance(number, float) and number.is_integer():  # NumPy's too
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, SupportsIndex):
        raise ValueError(f"{name}: {number!r} is no whole number")
    found = number.__index__()
    if not -(2**63) <= found < 2**63:
        raise ValueError(f"{name}: {number} is too large; 63 bits and a sign are what there is")
    return found
