"""The whole state as bytes, the same from every engine for the same state, and the state from its bytes.

Little-endian: 8 bytes `ONSEJUSS`, u32 format (2), u32 semantics version, u64 number of records, 16 bytes state hash; then
the records of `state_hash.py`, sorted by their bytes. Heaps are not part of the state: an order's place in its queue
follows from its priority.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from onseju.contract.commands import NO_HASH
from onseju.contract.words import OrderType, Phase, Side, TimeInForce
from onseju.matching import invariants, soundness, state_hash
from onseju.matching.accounts import Account, Position
from onseju.matching.engine import SEMANTICS_VERSION
from onseju.matching.instruments import Instrument
from onseju.matching.orders import Order
from onseju.matching.pool import Pool, Quota
from onseju.matching.repeats import FirstUse
from onseju.matching.state import State
from onseju.rules.ticks import PriceLimits

MAGIC = b"ONSEJUSS"
FORMAT = 2

_HEAD = struct.Struct("<8sIIQ16s")
_PACKERS = {
    1: state_hash.COUNTERS,
    2: state_hash.ACCOUNT,
    3: state_hash.POSITION,
    4: state_hash.ORDER,
    5: state_hash.INSTRUMENT,
    6: state_hash.PHASE_DONE,
    7: state_hash.RULE,
    8: state_hash.TICK_BAND,
    9: state_hash.FIRST_USE,
    10: state_hash.QUOTA,
}
_FIRST_USE = 9


class SnapshotError(ValueError):
    """The bytes are not a snapshot, are of a version that this release does not know, or are damaged."""


Rows = dict[int, list[tuple[Any, ...]]]
"""Records by tag, without their tag."""


def take(state: State) -> bytes:
    """The state as bytes."""
    records = sorted(state_hash.records(state))
    hashed = state_hash.of(state).to_bytes(16, "little")
    return _HEAD.pack(MAGIC, FORMAT, SEMANTICS_VERSION, len(records), hashed) + b"".join(records)


def restore(data: bytes) -> State:
    """The state that a snapshot holds: one that the engine can go on from, whatever the bytes. Raises `SnapshotError`."""
    if len(data) < _HEAD.size:
        raise SnapshotError("the bytes are not a snapshot")
    magic, form, semantics, count, hashed = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise SnapshotError("the bytes are not a snapshot")
    if (form, semantics) != (FORMAT, SEMANTICS_VERSION):
        raise SnapshotError(f"a snapshot of format {form}, semantics {semantics}")
    try:
        state = _state(_rows(data, count))
        soundness.check(state)
        invariants.check(state)
    except (AssertionError, KeyError, ValueError, IndexError, struct.error) as error:
        raise SnapshotError("the snapshot's records do not make a state") from error
    if state_hash.of(state).to_bytes(16, "little") != hashed:
        raise SnapshotError("the snapshot's records do not have its hash")
    return state


def oldest_first_use(data: bytes) -> int:
    """The oldest command that a repeat may ask about again, by the snapshot's idempotency keys; 0 where there are none.

    `data` must be whole.
    """
    oldest, at = 0, _HEAD.size
    while at < len(data):
        tag = data[at]
        if tag == _FIRST_USE:
            seq = _PACKERS[tag].unpack_from(data, at)[-1]
            oldest = min(oldest or seq, seq)
        at += _PACKERS[tag].size
    return oldest


def _rows(data: bytes, count: int) -> Rows:
    rows: Rows = defaultdict(list)
    last = b""
    at = _HEAD.size
    for _ in range(count):
        packer = _PACKERS[data[at]]
        tag, *fields = packer.unpack_from(data, at)
        record = data[at : at + packer.size]
        if record <= last:
            raise ValueError("the records are not sorted")
        last = record
        rows[tag].append(tuple(fields))
        at += packer.size
    if at != len(data):
        raise ValueError("bytes are left over")
    return rows


def _state(rows: Rows) -> State:
    state = State()
    state.rules.tick_tables.clear()
    for table, from_price, tick in rows[8]:
        soundness.check_band(from_price, tick)
        state.rules.set_band(table, from_price, tick)
    _take_up_counters(state, rows[1])
    for fields in sorted(rows[5]):
        _take_up_instrument(state, fields)
    for instrument, phase, occurrence in rows[6]:
        state.instruments[instrument - 1].phases_done.add((phase, occurrence))
    for instrument, rule, value in rows[7]:
        rules = state.instruments[instrument - 1].rules if instrument else state.rules.values
        rules[rule] = value
    for number, kind, owner, opened_seq, *balance in rows[2]:
        state.accounts[number] = Account(number, kind, owner, opened_seq, *balance)
    for number, instrument, *shares in rows[3]:
        if state.instrument(instrument) is None:
            raise ValueError("a position in an instrument that is not there")
        state.accounts[number].positions[instrument] = Position(*shares)
    _take_up_orders(state, rows[4])
    _take_up_pools(state, sorted(rows[10]))
    for day, number, client_id, body_hash, seq in rows[9]:
        key, use = (number, client_id), FirstUse(body_hash, seq)
        if day > 1 or client_id == NO_HASH or state.repeats.first_use(key) is not None:
            raise ValueError("a client id that is free, or that was used twice")
        if day:
            state.repeats.yesterday[key] = use
        else:
            state.repeats.remember(key, use)
    return state


def _flag(value: int) -> bool:
    if value > 1:
        raise ValueError(f"neither so nor not so: {value}")
    return value == 1


def _take_up_counters(state: State, rows: Iterable[tuple[Any, ...]]) -> None:
    (
        (
            is_open,
            state.price_scale,
            state.trading_day,
            state.epoch,
            state.last_seq,
            state.last_order_id,
            state.last_trade_id,
            state.last_priority,
            state.total_cash,
            state.venue_account,
        ),
    ) = rows
    state.is_open = _flag(is_open)


def _take_up_instrument(state: State, fields: tuple[Any, ...]) -> None:
    number, symbol, base_price, listed_shares, limit_ppm, vi_dynamic_ppm, vi_static_ppm, table, *rest = fields
    board, security, leverage, upper, lower, last_price, close_price, has_traded, auction_price, phase, *rest = rest
    price, qty, awaits_uncross, is_extended, interruptions, breaker_stage, total_shares = rest
    if number != len(state.instruments) + 1:
        raise ValueError("instruments are missing")
    state.instruments.append(
        Instrument(
            number=number,
            symbol=symbol,
            base_price=base_price,
            listed_shares=listed_shares,
            limit_ppm=limit_ppm,
            vi_dynamic_ppm=vi_dynamic_ppm,
            vi_static_ppm=vi_static_ppm,
            tick_table=table,
            board=board,
            security=security,
            leverage=leverage,
            bands=state.rules.tick_tables[table],
            limits=PriceLimits(upper, lower),
            last_price=last_price,
            close_price=close_price,
            has_traded=_flag(has_traded),
            auction_price=auction_price,
            phase=Phase(phase),
            indicated=(price, qty),
            awaits_uncross=_flag(awaits_uncross),
            is_extended=_flag(is_extended),
            interruptions=interruptions,
            breaker_stage=breaker_stage,
            total_shares=total_shares,
        )
    )


def _take_up_orders(state: State, rows: Iterable[tuple[Any, ...]]) -> None:
    """Orders enter their accounts by id; the queues rank them by priority."""
    for fields in sorted(rows):
        order = _order(fields)
        state.orders[order.order_id] = order
        state.accounts[order.account].orders[order.order_id] = order
        state.instruments[order.instrument - 1].book.side(order.side).add(order)


def _order(fields: tuple[Any, ...]) -> Order:
    order_id, account, instrument, side, order_type, time_in_force, qty, limit_price, stop_price, *rest = fields
    priority, client_id, leaves_qty, parent_order_id, filled_qty, canceled_qty, filled_amount, *rest = rest
    reserve_price, reserved_cash, commission_ppm, transaction_tax_ppm, rural_tax_ppm, *fees = rest
    commission, transaction_tax, rural_tax = fees
    return Order(
        order_id=order_id,
        account=account,
        instrument=instrument,
        side=Side(side),
        order_type=OrderType(order_type),
        time_in_force=TimeInForce(time_in_force),
        qty=qty,
        limit_price=limit_price,
        priority=priority,
        client_id=client_id,
        leaves_qty=leaves_qty,
        parent_order_id=parent_order_id,
        stop_price=stop_price,
        filled_qty=filled_qty,
        canceled_qty=canceled_qty,
        filled_amount=filled_amount,
        reserve_price=reserve_price,
        reserved_cash=reserved_cash,
        commission_ppm=commission_ppm,
        transaction_tax_ppm=transaction_tax_ppm,
        rural_tax_ppm=rural_tax_ppm,
        commission=commission,
        transaction_tax=transaction_tax,
        rural_tax=rural_tax,
    )


def _take_up_pools(state: State, rows: Iterable[tuple[Any, ...]]) -> None:
    """The turns of a pool come by their place in it."""
    for instrument, _, side, price, order_id, qty, priority in rows:
        book = state.instruments[instrument - 1].book
        if book.pool is None:
            book.pool = Pool(Side(side), price, [])
        book.pool.turns.append(Quota(state.orders[order_id], qty, priority))
