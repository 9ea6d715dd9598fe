"""Order entry in the contract's own records, for programs that would rather not make JSON: checked bytes in, events out.

What comes is commands of 112 bytes as `contract.commands` lays them out; what goes back is, for each of them, an answer of
24 bytes and behind it the caller's own events of 128 bytes:

    0  u64 seq      the command's number; 0 where there was no command, or (status 202) none is known yet
    8  u32 events   how many events follow
    12 u16 status   as over HTTP
    14 u16 reason   the number of the reason code; 0 = taken
    16 u8 flags     1 = a repeat: this is the first answer again
    17 7 zero bytes

A program fills in what it asks. The exchange's part (seq, ts, account, actor, body hash) must be zero: the gateway sets it.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from onseju.bus.port import UnansweredError
from onseju.contract.commands import (
    COMMAND_BYTES,
    COMMAND_VERSION,
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CORRECT_STOP_PRICE,
    CORRECT_TYPE,
    KIND_OFFSET,
    NO_HASH,
    CommandKind,
)
from onseju.contract.event_runs import EventRun
from onseju.contract.events import EVENT_BYTES, EventKind, OrderRejected, decode_event
from onseju.contract.events import KIND_OFFSET as EVENT_KIND_OFFSET
from onseju.contract.ids import hash128
from onseju.contract.journal_records import EventBlock
from onseju.contract.money import MAX_INPUT
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Side, TimeInForce
from onseju.gateway import native_entry, order_entry
from onseju.gateway.context import Gateway
from onseju.gateway.order_forms import PRICED, STOPPED
from onseju.gateway.principal import Principal
from onseju.gateway.problems import FieldError, Problem
from onseju.push.frames import events_of

MEDIA_TYPE = "application/vnd.onseju.records"
MAX_RECORDS = 1_000
"""Commands in one request."""

REPLAYED = 1

_HEAD = struct.Struct("<QqBBHIII16s16s")
_NEW = struct.Struct("<qqqBBB21s")
_CANCEL = struct.Struct("<qq32s")
_CORRECT = struct.Struct("<qqqqqB7s")
_ALL = struct.Struct("<B47s")
_ANSWER = struct.Struct("<QIHHB7x")
_PENDING = _ANSWER.pack(0, 0, 202, 0, 0)

_SIDES = frozenset(map(int, Side))
_TYPES = frozenset(map(int, OrderType))
_TIMES = frozenset(map(int, TimeInForce))
_PRICED = frozenset(int(word) for word in OrderType if word.label in PRICED)
_STOPPED = frozenset(int(word) for word in OrderType if word.label in STOPPED)
_TERMS = CORRECT_LIMIT_PRICE | CORRECT_STOP_PRICE | CORRECT_LEAVES_QTY | CORRECT_TYPE
_REFUSALS = frozenset({EventKind.ORDER_REJECTED, EventKind.REQUEST_REJECTED, EventKind.REQUEST_REPEATED})
_CANCELS = frozenset({CommandKind.CANCEL_ORDER, CommandKind.CANCEL_ALL})


class Batch(NamedTuple):
    """The commands of one request."""

    good: bytes
    """Those that are entered, stamped with their account, 112 bytes each."""
    reasons: list[int]
    """For each command why it is not entered, 0 for the good ones."""
    orders: int
    """New orders and corrections: they count against the limit of orders."""
    cancels: int


def parse(raw: bytes, principal: Principal, instruments: int) -> Batch:
    """The commands in these bytes, as their caller asks them on a venue with so many instruments.

    A signed request's nonce is remembered in memory alone: each of its commands must have an id of its own, too. What is
    wrong with one does not stop the others. Raises `Problem(MALFORMED)` where the bytes are not 1 to 1,000 records.
    """
    count, rest = divmod(len(raw), COMMAND_BYTES)
    if rest or not 1 <= count <= MAX_RECORDS:
        raise Problem(Reason.MALFORMED, errors=[FieldError("", "invalid_count")])
    is_signed = principal.via == "signed"
    found = native_entry.check_records(raw, principal.account_id, instruments, needs_id=is_signed)
    good, reasons, cancels = found or check_plainly(raw, principal.account_id, instruments, needs_id=is_signed)
    return Batch(good, reasons, count - cancels, cancels)


def check_plainly(raw: bytes, account: int, instruments: int, *, needs_id: bool) -> native_entry.CheckedRecords:
    """What `native_entry.check_records` does, one by one, in Python: the specification of it."""
    own = account.to_bytes(4, "little")
    good: list[bytes] = []
    reasons: list[int] = []
    for at in range(0, len(raw), COMMAND_BYTES):
        found = _parse_one(raw[at : at + COMMAND_BYTES], own, instruments, needs_id)
        if isinstance(found, Reason):
            reasons.append(int(found))
        else:
            good.append(found)
            reasons.append(0)
    cancels = sum(raw[at] in _CANCELS for at in range(KIND_OFFSET, len(raw), COMMAND_BYTES))
    return native_entry.CheckedRecords(b"".join(good), reasons, cancels)


async def enter(gateway: Gateway, principal: Principal, batch: Batch) -> bytes:
    """Enter a batch, in order; its answers. Raises `Problem` where none of it was taken: OVERLOADED, EXCHANGE_STOPPED, …"""
    if not batch.good:
        return b"".join([_refused(reason) for reason in batch.reasons])
    try:
        run = await order_entry.ask_records(gateway, batch.good)
    except UnansweredError:
        return b"".join([_refused(reason) if reason else _PENDING for reason in batch.reasons])
    found = native_entry.answer_records(batch.reasons, run, principal.account_id)
    if found is None:
        return b"".join([part async for part in _answer_plainly(gateway, principal.account_id, batch.reasons, run)])
    answers, left = found
    return await _with_rest(gateway, principal.account_id, batch.reasons, run, answers, left) if left else answers


async def _answer_plainly(
    gateway: Gateway, account: int, reasons: Sequence[int], run: EventRun
) -> AsyncIterator[bytes]:
    originals = await order_entry.read_originals(gateway, run)
    told = iter(zip(run, originals, strict=True))
    async for reason in order_entry.in_turns(reasons):
        if reason:
            yield _refused(reason)
        else:
            block, original = next(told)
            for part in await _answer(gateway, account, block, original):
                yield part


async def _with_rest(
    gateway: Gateway,
    account: int,
    reasons: Sequence[int],
    run: EventRun,
    answers: bytes,
    left: Sequence[tuple[int, int]],
) -> bytes:
    """The answers, and among them those that were left out: they need the event log, or the read side."""
    places = list(accumulate((not reason for reason in reasons), initial=0))  # among the good ones
    blocks = [run[places[place]] for place, _ in left]
    originals = await order_entry.read_originals(gateway, blocks)
    parts: list[bytes] = []
    at = 0
    async for (_, end), block, original in order_entry.in_turns(zip(left, blocks, originals, strict=True)):
        parts.append(answers[at:end])
        parts += await _answer(gateway, account, block, original)
        at = end
    parts.append(answers[at:])
    return b"".join(parts)


def _refused(reason: int) -> bytes:
    return _ANSWER.pack(0, 0, Problem(Reason(reason)).status, reason, 0)


def _parse_one(record: bytes, own: bytes, instruments: int, needs_id: bool) -> bytes | Reason:
    """The command that the exchange gets, or why it gets none."""
    seq, ts, kind, version, flags, account, instrument, actor, client_id, body_hash = _HEAD.unpack_from(record)
    if seq or ts or account or actor or version != COMMAND_VERSION or body_hash != NO_HASH:
        return Reason.MALFORMED
    if needs_id and client_id == NO_HASH:
        return Reason.MALFORMED
    if instrument > instruments:
        return Reason.UNKNOWN_SYMBOL
    wrong = _CHECKS[kind](record, flags, instrument) if kind in _CHECKS else Reason.MALFORMED
    if wrong:
        return wrong
    body = record[64:]
    head = record[:20] + own + record[24:28] + own
    if client_id == NO_HASH:
        return head + record[32:]
    # The hash of the same command without its ids, as for a form: a repeat may come either way.
    hashed = hash128(head + NO_HASH + NO_HASH + body)
    return head + record[32:48] + hashed + body


def _check_new(record: bytes, flags: int, instrument: int) -> Reason:
    qty, limit_price, stop_price, side, order_type, time_in_force, rest = _NEW.unpack_from(record, 64)
    if flags or any(rest):
        return Reason.MALFORMED
    if not instrument:
        return Reason.UNKNOWN_SYMBOL
    if not 1 <= qty <= MAX_INPUT:
        return Reason.INVALID_QTY
    if side not in _SIDES:
        return Reason.INVALID_SIDE
    if order_type not in _TYPES:
        return Reason.INVALID_ORDER_TYPE
    if time_in_force not in _TIMES:
        return Reason.INVALID_TIME_IN_FORCE
    if not (1 <= limit_price <= MAX_INPUT if order_type in _PRICED else limit_price == 0):
        return Reason.INVALID_PRICE
    if not (1 <= stop_price <= MAX_INPUT if order_type in _STOPPED else stop_price == 0):
        return Reason.INVALID_STOP_PRICE
    return Reason.NONE


def _check_cancel(record: bytes, flags: int, instrument: int) -> Reason:
    order_id, qty, rest = _CANCEL.unpack_from(record, 64)
    if flags or instrument or any(rest):
        return Reason.MALFORMED
    if not 1 <= order_id <= MAX_INPUT:
        return Reason.ORDER_NOT_FOUND
    return Reason.NONE if 0 <= qty <= MAX_INPUT else Reason.INVALID_QTY


def _check_correct(record: bytes, flags: int, instrument: int) -> Reason:
    order_id, limit_price, leaves_qty, stop_price, part_qty, order_type, rest = _CORRECT.unpack_from(record, 64)
    given = {
        CORRECT_LIMIT_PRICE: limit_price,
        CORRECT_LEAVES_QTY: leaves_qty,
        CORRECT_TYPE: order_type,
        CORRECT_STOP_PRICE: stop_price,
        CORRECT_PART: part_qty,
    }
    strange = any(value for bit, value in given.items() if not flags & bit)
    if instrument or any(rest) or strange or flags & ~(_TERMS | CORRECT_PART) or not flags & _TERMS:
        return Reason.MALFORMED
    if not 1 <= order_id <= MAX_INPUT:
        return Reason.ORDER_NOT_FOUND
    if not 0 <= leaves_qty <= MAX_INPUT:
        return Reason.INVALID_QTY
    if flags & CORRECT_PART and (not 1 <= part_qty <= MAX_INPUT or flags & CORRECT_LEAVES_QTY):
        return Reason.INVALID_QTY
    if flags & CORRECT_TYPE and order_type not in _TYPES:
        return Reason.INVALID_ORDER_TYPE
    may_limit = not flags & CORRECT_TYPE or order_type in _PRICED
    if flags & CORRECT_LIMIT_PRICE and not (may_limit and 1 <= limit_price <= MAX_INPUT):
        return Reason.INVALID_PRICE
    may_stop = not flags & CORRECT_TYPE or order_type in _STOPPED
    if flags & CORRECT_STOP_PRICE and not (may_stop and 1 <= stop_price <= MAX_INPUT):
        return Reason.INVALID_STOP_PRICE
    return Reason.NONE


def _check_all(record: bytes, flags: int, instrument: int) -> Reason:
    side, rest = _ALL.unpack_from(record, 64)
    if flags or any(rest):
        return Reason.MALFORMED
    return Reason.NONE if side == 0 or side in _SIDES else Reason.INVALID_SIDE


_CHECKS = {
    int(CommandKind.NEW_ORDER): _check_new,
    int(CommandKind.CANCEL_ORDER): _check_cancel,
    int(CommandKind.CORRECT_ORDER): _check_correct,
    int(CommandKind.CANCEL_ALL): _check_all,
}


async def _answer(gateway: Gateway, account: int, block: EventBlock, original: EventBlock | None) -> Sequence[bytes]:
    """The answer to one command: its head and the account's own events. A repeat tells its original's."""
    told = block if original is None else original
    flags = 0 if original is None else REPLAYED
    reason = _reason(told)
    if reason is Reason.ORDER_DONE:
        try:
            hidden = None if await order_entry.owns_done_order(gateway, told) else Reason.ORDER_NOT_FOUND
        except Problem as problem:  # the read side could not tell; the other commands' answers are not lost by that
            hidden = problem.reason
        if hidden is not None:
            return (_ANSWER.pack(block.seq, 0, Problem(hidden).status, hidden, flags),)
    status = 201 if told.command_kind == CommandKind.NEW_ORDER and not flags else 200
    if reason:
        status = Problem(reason).status
    payload = told.payload
    own = [payload[idx * EVENT_BYTES : (idx + 1) * EVENT_BYTES] for idx in events_of(payload, account)]
    return (_ANSWER.pack(block.seq, len(own), status, reason, flags), *own)


def _reason(block: EventBlock) -> Reason:
    """Why the exchange refused it; NONE where it did not."""
    if block.payload[EVENT_KIND_OFFSET] not in _REFUSALS:
        return Reason.NONE
    event = decode_event(block.payload)
    return Reason(event.reason) if isinstance(event, OrderRejected) or event.reason else Reason.NONE
