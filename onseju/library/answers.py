"""Single orders in bytes, and what their events say: the quick way between a call and its result."""

from __future__ import annotations

import struct

from onseju.contract import commands, events
from onseju.contract.commands import COMMAND_VERSION, LAYOUTS, NO_HASH, CommandKind
from onseju.contract.events import EVENT_BYTES, KIND_OFFSET, EventKind
from onseju.contract.reasons import Reason
from onseju.contract.words import Liquidity, OrderStatus
from onseju.library.results import Answer, Fill, OrderResult

_NEW = LAYOUTS[CommandKind.NEW_ORDER].packer
_CANCEL = LAYOUTS[CommandKind.CANCEL_ORDER].packer
_HEAD = struct.Struct("<QqIIIBBH")
_ORDER = events.LAYOUTS[EventKind.ORDER_ACCEPTED].packer
_FILL = events.LAYOUTS[EventKind.ORDER_FILLED].packer
_I64 = struct.Struct("<q")
_REASON = struct.Struct("<H")
_REASON_AT = 30
_ID_AT = 32
_FILLED, _REFUSED = int(EventKind.ORDER_FILLED), int(EventKind.REQUEST_REJECTED)
_KIND, _CANCEL_KIND = int(CommandKind.NEW_ORDER), int(CommandKind.CANCEL_ORDER)

REASONS = {int(reason): reason for reason in Reason}
STATUSES = {int(status): status for status in OrderStatus}
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
    """A new order's bytes. Raises `ValueError` for a number that is not whole or too large."""
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
        raise _not_whole(qty=qty, price=limit_price, stop_price=stop_price) from None


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
        raise _not_whole(order_id=order_id, qty=qty) from None


def encoded(command: commands.Command) -> bytes:
    """A command's bytes. Raises `ValueError` for a number that its field cannot hold."""
    try:
        return commands.encode_command(command)
    except struct.error as error:
        raise ValueError(f"{type(command).__name__}: {error}") from None


def answer(payload: bytes) -> Answer:
    """What a command that is not about one order came to."""
    seq, *_, kind, _, reason = _HEAD.unpack_from(payload)
    refused = kind == EventKind.REQUEST_REJECTED
    return Answer(seq=seq, reason=REASONS[reason] if refused else Reason.NONE, payload=payload)


def order_result(payload: bytes, order_id: int, account: int) -> OrderResult:
    """What the events say of one order: its last state, and its fills."""
    fills: list[Fill] = []
    state: tuple[int, ...] | None = None
    reason = 0
    limit_price = 0
    offset = 0
    for kind in payload[KIND_OFFSET::EVENT_BYTES]:
        if kind <= _FILLED:
            if _I64.unpack_from(payload, offset + _ID_AT)[0] == order_id:
                reason = _REASON.unpack_from(payload, offset + _REASON_AT)[0]
                if kind == _FILLED:
                    fields = _FILL.unpack_from(payload, offset)
                    trade_id, price, qty = fields[9:12]
                    fills.append(Fill(trade_id, price, qty, LIQUIDITIES[fields[20]]))
                    leaves, filled, canceled, amount = fields[12:16]
                    state = (leaves + filled + canceled if state is None else state[0], *fields[12:16], fields[21])
                else:
                    fields = _ORDER.unpack_from(payload, offset)
                    limit_price = fields[11]
                    state = (fields[10], *fields[13:17], fields[21])
        elif kind == _REFUSED:
            reason = _REASON.unpack_from(payload, offset + _REASON_AT)[0]
        offset += EVENT_BYTES
    seq = _I64.unpack_from(payload)[0]
    if state is None:
        return OrderResult(
            seq=seq, reason=REASONS[reason], payload=payload, order_id=order_id, account=account, status=None
        )
    qty, leaves, filled, canceled, amount, status = state
    return OrderResult(
        seq=seq,
        reason=REASONS[reason],
        payload=payload,
        order_id=order_id,
        account=account,
        status=STATUSES[status],
        qty=qty,
        limit_price=limit_price,
        leaves_qty=leaves,
        filled_qty=filled,
        canceled_qty=canceled,
        filled_amount=amount,
        fills=tuple(fills),
    )


def _not_whole(**numbers: object) -> ValueError:
    """The complaint about the first number that is no whole one, or about their size."""
    for name, number in numbers.items():
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            return ValueError(f"{name}: {number!r} is no whole number")
    return ValueError(f"a number is too large: {', '.join(f'{name}={number}' for name, number in numbers.items())}")
