"""Events to rows: what coalesces, and where time and sums have their edges."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from onseju.contract.events import (
    KIND_OFFSET,
    BalanceChanged,
    DayRolled,
    Event,
    OrderAccepted,
    OrderCanceled,
    OrderCorrected,
    OrderFilled,
    PositionChanged,
    PriceLimitsSet,
    Trade,
    VenueOpened,
    encode_event,
)
from onseju.contract.journal_records import EventBlock, annotation_text
from onseju.contract.records import UnknownRecordError
from onseju.contract.words import OrderStatus, OrderType, Side, TimeInForce
from onseju.projections import tables
from onseju.projections.rows import BIGGEST, Batch, minute_of, start_of_day

TRADING_DAY = 2026_11_23
"""Its Korean date begins at 15:00 UTC of the day before."""


def block(*events: Event, texts: dict[int, str] | None = None) -> EventBlock:
    return EventBlock(
        venue=1,
        epoch=1,
        semantics=1,
        seq=events[0].seq,
        ts=events[0].ts,
        command_kind=1,
        payload=b"".join(encode_event(event) for event in events),
        text=annotation_text(texts or {}),
    )


def accepted(seq: int, order_id: int) -> OrderAccepted:
    return OrderAccepted(
        seq=seq, ts=seq * 10, idx=0, account=7, instrument=1, order_id=order_id, qty=10, limit_price=100, leaves_qty=10,
        side=Side.BUY, order_type=OrderType.LIMIT, time_in_force=TimeInForce.DAY, status=OrderStatus.NEW,
    )  # fmt: skip


def filled(seq: int, order_id: int, leaves: int, filled_qty: int) -> OrderFilled:
    status = OrderStatus.PARTIALLY_FILLED if leaves else OrderStatus.FILLED
    return OrderFilled(
        seq=seq, ts=seq * 10, idx=1, account=7, instrument=1, order_id=order_id, trade_id=seq, price=100, qty=1,
        leaves_qty=leaves, filled_qty=filled_qty, canceled_qty=0, filled_amount=100 * filled_qty, side=Side.BUY,
        liquidity=1, status=status,
    )  # fmt: skip


def canceled(seq: int, order_id: int) -> OrderCanceled:
    return OrderCanceled(
        seq=seq, ts=seq * 10, idx=0, account=7, instrument=1, order_id=order_id, qty=10, limit_price=100, filled_qty=4,
        canceled_qty=6, filled_amount=400, side=Side.BUY, order_type=OrderType.LIMIT, time_in_force=TimeInForce.DAY,
        status=OrderStatus.CANCELED,
    )  # fmt: skip


def trade(seq: int, price: int, qty: int, ts: int) -> Trade:
    return Trade(
        seq=seq, ts=ts, idx=0, instrument=1, trade_id=seq, price=price, qty=qty, buy_order_id=1, sell_order_id=2
    )


def as_order(row: list[object]) -> dict[str, object]:
    return dict(zip(tables.orders.c.keys(), row, strict=True))


@settings(max_examples=40)
@given(data=st.data())
def test_rows_have_the_values_of_the_events(data: st.DataObject) -> None:
    """Any event, with any numbers in its fields: a row's columns are the fields of the same name."""
    numbers = st.integers(0, 2**31)
    event: Any = data.draw(
        st.one_of(
            st.builds(OrderCorrected, **dict.fromkeys(_numbers_of(OrderCorrected), numbers), **_words()),
            st.builds(OrderFilled, **dict.fromkeys(_numbers_of(OrderFilled), numbers), **_words(liquidity=True)),
            st.builds(Trade, **dict.fromkeys(_numbers_of(Trade), numbers), taker_side=st.integers(0, 2)),
            st.builds(BalanceChanged, **dict.fromkeys(_numbers_of(BalanceChanged), numbers)),
            st.builds(PositionChanged, **dict.fromkeys(_numbers_of(PositionChanged), numbers)),
        )
    )
    batch = Batch(TRADING_DAY)
    batch.add(block(event))
    found: dict[type[Event], tuple[sa.Table, Iterable[Any]]] = {
        OrderCorrected: (tables.orders, batch.orders.values()),
        OrderFilled: (tables.fills, batch.fills),
        Trade: (tables.trades, batch.trades),
        BalanceChanged: (tables.balances, batch.balances.values()),
        PositionChanged: (tables.positions, batch.positions.values()),
    }
    table, rows = found[type(event)]
    (row,) = rows
    fields = msgspec.structs.asdict(event)
    columns = dict(zip(table.c.keys(), row, strict=True))
    same = columns.keys() & fields.keys()
    assert {name: columns[name] for name in same} == {name: fields[name] for name in same}
    rest = columns.keys() - same
    assert rest <= {"client_order_id", "done", "created_seq", "created_ts", "updated_seq", "updated_ts"}
    if type(event) is OrderCorrected:
        assert (columns["updated_seq"], columns["created_ts"]) == (event.seq, event.ts)
        assert columns["done"] == (0 if OrderStatus(event.status).is_open else 1)


def _numbers_of(kind: type[Event]) -> list[str]:
    special = {"kind", "version", "reason", "side", "order_type", "time_in_force", "status", "liquidity", "client_id"}
    return [name for name in kind.__struct_fields__ if name not in special | {"taker_side"}]


def _words(*, liquidity: bool = False) -> dict[str, Any]:
    words = {"side": st.integers(1, 2), "status": st.integers(1, 6)}
    if liquidity:
        return {**words, "liquidity": st.integers(1, 3)}
    return {**words, "order_type": st.integers(1, 8), "time_in_force": st.integers(1, 3)}


def test_an_event_of_an_unknown_kind_or_version_is_refused() -> None:
    known = encode_event(accepted(1, 5))
    for at in (KIND_OFFSET, KIND_OFFSET + 1):
        payload = known[:at] + bytes([99]) + known[at + 1 :]
        with pytest.raises(UnknownRecordError):
            Batch(TRADING_DAY).add(msgspec.structs.replace(block(accepted(1, 5)), payload=payload))


def test_an_order_is_written_once_as_it_stands_last() -> None:
    batch = Batch(TRADING_DAY)
    batch.add(block(accepted(1, 5), texts={5: "mine"}))
    batch.add(block(filled(2, 5, leaves=6, filled_qty=4), texts={5: "mine"}))
    batch.add(block(canceled(3, 5), texts={5: "mine"}))
    assert (batch.first_seq, batch.last_seq, batch.block_count, batch.event_count) == (1, 3, 3, 3)
    assert len(batch.orders) == 1
    assert not batch.order_fills
    order = as_order(batch.orders[5])
    assert (order["created_seq"], order["updated_seq"], order["updated_ts"]) == (1, 3, 30)
    assert (order["client_order_id"], order["filled_qty"], order["canceled_qty"], order["done"]) == ("mine", 4, 6, 1)
    assert len(batch.fills) == 1
    assert batch.row_count == 2


def test_a_fill_after_the_whole_row_changes_that_row() -> None:
    batch = Batch(TRADING_DAY)
    batch.add(block(accepted(1, 5)))
    batch.add(block(filled(2, 5, leaves=0, filled_qty=10)))
    order = as_order(batch.orders[5])
    assert (order["leaves_qty"], order["filled_qty"], order["filled_amount"]) == (0, 10, 1000)
    assert (order["status"], order["done"], order["updated_seq"], order["updated_ts"]) == (OrderStatus.FILLED, 1, 2, 20)


def test_a_fill_of_an_older_order_changes_only_its_own_columns_until_a_whole_row_comes() -> None:
    batch = Batch(TRADING_DAY)
    batch.add(block(filled(8, 5, leaves=7, filled_qty=3)))
    batch.add(block(filled(9, 5, leaves=6, filled_qty=4)))
    assert batch.order_fills == {5: (6, 4, 0, 400, OrderStatus.PARTIALLY_FILLED, 0, 9, 90, 5)}
    batch.add(block(canceled(10, 5)))
    assert not batch.order_fills
    assert as_order(batch.orders[5])["updated_seq"] == 10


def test_limits_of_a_known_instrument_are_an_update() -> None:
    batch = Batch(TRADING_DAY)
    batch.add(block(PriceLimitsSet(seq=4, ts=40, idx=0, instrument=3, base_price=10, upper_limit=13, lower_limit=7)))
    assert batch.limits == {3: (10, 13, 7, 4, 40, 3)}


def test_candles_bucket_by_utc_minute_and_trading_day() -> None:
    minute = 60_000_000
    batch = Batch(TRADING_DAY)
    for seq, (price, qty, ts) in enumerate(
        [(100, 1, 0), (120, 2, minute - 1), (90, 3, minute), (110, 4, minute + 5)], 1
    ):
        batch.add(block(trade(seq, price, qty, ts)))
    assert batch.candles[1, 60, 0] == [1, 60, 0, 100, 120, 100, 120, 3, 340, 2]
    assert batch.candles[1, 60, minute] == [1, 60, minute, 90, 110, 90, 110, 7, 710, 2]
    day = batch.candles[1, 86400, _us("2026-11-22T15:00:00")]
    assert day[3:] == [100, 120, 90, 110, 10, 1050, 4]


def test_a_candles_sums_stop_at_the_largest_integer() -> None:
    batch = Batch(TRADING_DAY)
    for seq in (1, 2, 3):
        batch.add(block(trade(seq, 2**31, 2**31, 0)))
    assert batch.candles[1, 60, 0][8] == BIGGEST


def test_a_trade_belongs_to_the_trading_day_whatever_the_clock_says() -> None:
    """A day that the host rolls early, or in fast time, has a candle of its own."""
    batch = Batch(TRADING_DAY)
    batch.add(block(trade(1, 100, 1, 50)))
    batch.add(block(DayRolled(seq=2, ts=60, idx=0, trading_day=2026_11_24)))
    batch.add(block(trade(3, 200, 2, 70)))
    days = {start: row[3:8] for (_, width, start), row in batch.candles.items() if width == 86400}
    assert days == {
        _us("2026-11-22T15:00:00"): [100, 100, 100, 100, 1],
        _us("2026-11-23T15:00:00"): [200, 200, 200, 200, 2],
    }
    assert batch.trading_day == 2026_11_24
    opened = Batch(0)
    opened.add(block(VenueOpened(seq=1, ts=1, idx=0, price_scale=0, trading_day=TRADING_DAY)))
    assert opened.trading_day == TRADING_DAY


@pytest.mark.parametrize(
    ("day", "start"),
    [
        (2026_11_24, "2026-11-23T15:00:00"),
        (2027_01_01, "2026-12-31T15:00:00"),
        (2026_02_31, "2026-03-02T15:00:00"),  # the exchange takes it
        (1900_01_01, "1899-12-31T15:00:00"),
        (9999_12_31, "9999-12-30T15:00:00"),
    ],
)
def test_a_korean_day_begins_at_15_utc(day: int, start: str) -> None:
    assert start_of_day(day) == _us(start)


def test_a_minute_begins_at_its_second_zero() -> None:
    assert minute_of(_us("2026-11-23T00:00:59.999999")) == _us("2026-11-23T00:00:00")
    assert minute_of(_us("2026-11-23T00:01:00")) == _us("2026-11-23T00:01:00")


def _us(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
