"""The state hash: the sum modulo 2**128 of XXH3-128 over the canonical bytes of each live record.

A sum does not depend on any order of the records, so an engine may keep it up to date record by record. A record's bytes
are its tag (u8), then its fields little-endian, as the formats below list them; text is zero-padded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from xxhash import xxh3_128_intdigest

from onseju.matching.accounts import Account
from onseju.matching.instruments import Instrument
from onseju.matching.orders import Order
from onseju.matching.pool import Pool
from onseju.matching.state import State

_MODULUS = 1 << 128

COUNTERS = struct.Struct("<BBBIQQQQQqI")
ACCOUNT = struct.Struct("<BIB16sQqqqq")
POSITION = struct.Struct("<BIIqqqq")
ORDER = struct.Struct("<BQIIBBBqqqQ16sqQqqqqqIIIqqq")
INSTRUMENT = struct.Struct("<BI16sqqIIIIBBbqqqqBqBqqBBIBq")
PHASE_DONE = struct.Struct("<BIBH")
RULE = struct.Struct("<BIIq")
TICK_BAND = struct.Struct("<BIqq")
QUOTA = struct.Struct("<BIIBqQqQ")
FIRST_USE = struct.Struct("<BBI16s8sQ")


def of(state: State) -> int:
    """The hash of the whole state, computed in full."""
    return sum(map(xxh3_128_intdigest, records(state))) % _MODULUS


def records(state: State) -> Iterator[bytes]:
    """The canonical bytes of every live record."""
    yield COUNTERS.pack(
        1,
        state.is_open,
        state.price_scale,
        state.trading_day,
        state.epoch,
        state.last_seq,
        state.last_order_id,
        state.last_trade_id,
        state.last_priority,
        state.total_cash,
        state.venue_account,
    )
    for account in state.accounts.values():
        yield from _account(account)
    for order in state.orders.values():
        yield _order(order)
    for instrument in state.instruments:
        yield from _instrument(instrument)
    for rule, value in state.rules.values.items():
        yield RULE.pack(7, 0, rule, value)
    for table, bands in state.rules.tick_tables.items():
        for from_price, tick in bands:
            yield TICK_BAND.pack(8, table, from_price, tick)
    for day, uses in enumerate((state.repeats.today, state.repeats.yesterday)):
        for (number, client_id), use in uses.items():
            yield FIRST_USE.pack(9, day, number, client_id, use.body_hash, use.seq)


def _account(account: Account) -> Iterator[bytes]:
    yield ACCOUNT.pack(
        2,
        account.number,
        account.kind,
        account.owner,
        account.opened_seq,
        account.cash,
        account.reserved_cash,
        account.unsettled_d1,
        account.unsettled_d2,
    )
    for instrument, position in account.positions.items():
        yield POSITION.pack(
            3,
            account.number,
            instrument,
            position.qty,
            position.reserved_qty,
            position.cost_amount,
            position.realized_profit,
        )


def _order(order: Order) -> bytes:
    return ORDER.pack(
        4,
        order.order_id,
        order.account,
        order.instrument,
        order.side,
        order.order_type,
        order.time_in_force,
        order.qty,
        order.limit_price,
        order.stop_price,
        order.priority,
        order.client_id,
        order.leaves_qty,
        order.parent_order_id,
        order.filled_qty,
        order.canceled_qty,
        order.filled_amount,
        order.reserve_price,
        order.reserved_cash,
        order.commission_ppm,
        order.transaction_tax_ppm,
        order.rural_tax_ppm,
        order.commission,
        order.transaction_tax,
        order.rural_tax,
    )


def _instrument(instrument: Instrument) -> Iterator[bytes]:
    yield INSTRUMENT.pack(
        5,
        instrument.number,
        instrument.symbol,
        instrument.base_price,
        instrument.listed_shares,
        instrument.limit_ppm,
        instrument.vi_dynamic_ppm,
        instrument.vi_static_ppm,
        instrument.tick_table,
        instrument.board,
        instrument.security,
        instrument.leverage,
        instrument.limits.upper,
        instrument.limits.lower,
        instrument.last_price,
        instrument.close_price,
        instrument.has_traded,
        instrument.auction_price,
        instrument.phase,
        *instrument.indicated,
        instrument.awaits_uncross,
        instrument.is_extended,
        instrument.interruptions,
        instrument.breaker_stage,
        instrument.total_shares,
    )
    if instrument.book.pool is not None:
        yield from _pool(instrument.number, instrument.book.pool)
    for phase, occurrence in instrument.phases_done:
        yield PHASE_DONE.pack(6, instrument.number, phase, occurrence)
    for rule, value in instrument.rules.items():
        yield RULE.pack(7, instrument.number, rule, value)


def _pool(instrument: int, pool: Pool) -> Iterator[bytes]:
    """The turns that are left, numbered from the one that is next."""
    for place, turn in enumerate(turn for turn in pool.turns if turn.open_qty):
        order_id = turn.order.order_id
        yield QUOTA.pack(10, instrument, place, pool.side, pool.price, order_id, turn.qty, turn.priority)
