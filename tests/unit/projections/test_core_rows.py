"""The rows that the compiled core makes, against the plain form: the same rows in the same order, whatever the cuts."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onseju.contract.commands import CommandKind
from onseju.contract.event_runs import EventRun
from onseju.contract.events import KIND_OFFSET, EventKind, OrderFilled, Trade, encode_event
from onseju.contract.journal_records import EventBlock
from onseju.contract.records import UnknownRecordError
from onseju.projections import tables
from onseju.projections.core_rows import IN_CORE, CoreBatch, new_batch
from onseju.projections.rows import BIGGEST, FOLDS, Batch
from tests.engines import must_run
from tests.unit.exchange.checkpoints import day_records
from tests.unit.projections.support import blocks_of, records

NO_DAY = 0
WIDTHS = {**{table.name: len(table.columns) for table in tables.metadata.sorted_tables}, "order_fills": 9, "limits": 6}


@pytest.fixture(autouse=True)
def _core() -> None:
    must_run("native")


@cache
def market(number: int) -> tuple[EventBlock, ...]:
    """A venue from its opening on, with listings, deposits, named orders and a new day; 0 and 1 have a host's deed too."""
    return tuple(blocks_of(records(number, 400) if number < 2 else day_records(number - 2, 3)))


def told(batch: Batch) -> dict[str, Any]:
    """All that a batch tells its writer."""
    rows = {}
    for name, found in batch.rows().items():
        width = WIDTHS[name]
        values = found.values(0, len(found))
        assert len(values) == width * len(found), name
        rows[name] = [values[at : at + width] for at in range(0, len(values), width)]
        for at in range(0, len(found), 3):
            assert found.values(at, at + 3) == values[at * width : (at + 3) * width]
    counts = (batch.first_seq, batch.last_seq, batch.block_count, batch.event_count, batch.trading_day)
    orders = (batch.orders_accepted, batch.orders_done, batch.orders_rejected)
    sums = (dict(batch.sums.added), batch.sums.cash_before, batch.sums.shares_before)
    return {"rows": rows, "counts": counts, "orders": orders, "sums": sums, "row_count": batch.row_count}


def both(day: int) -> tuple[Batch, Batch]:
    core = new_batch(day)
    assert type(core) is CoreBatch
    return core, Batch(day)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 4),
    batches=st.lists(st.integers(1, 300), min_size=1, max_size=6),
    runs=st.lists(st.integers(1, 90), min_size=1, max_size=6),
)
def test_rows_are_those_of_the_plain_form(seed: int, batches: list[int], runs: list[int]) -> None:
    blocks = market(seed)
    day, at, turn = NO_DAY, 0, 0
    while at < len(blocks):
        end = min(len(blocks), at + batches[turn % len(batches)])
        core, plain = both(day)
        while at < end:
            turn += 1
            part = blocks[at : min(end, at + runs[turn % len(runs)])]
            run = EventRun.of(part)
            run._blocks = None
            core.add_run(run)
            for block in part:
                plain.add(block)
            at += len(part)
        assert told(core) == told(plain)
        day = plain.trading_day


def test_the_markets_hold_what_is_compared() -> None:
    """Else the comparison would say little."""
    batch = new_batch(NO_DAY)
    batch.add_run(EventRun.of(market(0)))
    rows = told(batch)["rows"]
    assert all(rows[name] for name in rows if name not in ("order_fills", "limits"))
    assert {row[4] is None for row in rows["orders"]} == {True, False}
    kinds = {kind for number in range(5) for block in market(number) for kind in block.payload[KIND_OFFSET::128]}
    assert {kind for kind in EventKind if FOLDS[kind] is not None} <= kinds
    late, plain = both(20261123)
    late.add_run(EventRun.of(market(0)[300:]))
    plain.add_run(EventRun.of(market(0)[300:]))
    assert told(late) == told(plain)
    assert told(late)["rows"]["order_fills"]


_big = st.sampled_from([1, 2**31, 2**62, BIGGEST])


@settings(max_examples=40)
@given(trades=st.lists(st.tuples(_big, _big, st.integers(-(10**9), 10**12)), min_size=1, max_size=12), data=st.data())
def test_numbers_at_their_ends_are_the_same(trades: list[tuple[int, int, int]], data: st.DataObject) -> None:
    events: list[Any] = []
    for seq, (price, qty, ts) in enumerate(trades, 1):
        status = data.draw(st.integers(0, 6))
        events += [
            Trade(
                seq=seq, ts=ts, idx=0, instrument=2**32 - 1, trade_id=seq, price=price, qty=qty, buy_order_id=1,
                sell_order_id=2, taker_side=1,
            ),
            OrderFilled(
                seq=seq, ts=ts, idx=1, account=2**32 - 1, instrument=1, order_id=BIGGEST - seq % 2, trade_id=seq,
                price=price, qty=qty, leaves_qty=BIGGEST, filled_qty=qty, canceled_qty=-1, filled_amount=qty,
                commission=-5, side=1, liquidity=1, status=status,
            ),
        ]  # fmt: skip
    core, plain = both(20261123)
    for batch in (core, plain):
        batch.add(
            EventBlock(
                venue=1, epoch=1, semantics=1, seq=1, ts=0, command_kind=CommandKind.NEW_ORDER,
                payload=b"".join(map(encode_event, events)),
            )
        )  # fmt: skip
    assert told(core) == told(plain)


@pytest.mark.parametrize("at", [KIND_OFFSET, KIND_OFFSET + 1])
def test_an_event_that_is_not_known_is_refused_and_leaves_nothing(at: int) -> None:
    block = next(block for block in market(0) if len(block.payload) > 256)
    harmed = EventBlock(
        venue=1, epoch=1, semantics=1, seq=block.seq, ts=block.ts, command_kind=block.command_kind,
        payload=block.payload[:at] + bytes([99]) + block.payload[at + 1 :],
    )  # fmt: skip
    batch = new_batch(20261123)
    with pytest.raises(UnknownRecordError):
        batch.add(harmed)
    assert batch.row_count == 0


def test_what_is_no_run_of_events_is_refused() -> None:
    batch = new_batch(20261123)
    assert isinstance(batch, CoreBatch)
    core: Any = batch._core
    with pytest.raises(ValueError, match="no whole number of events"):
        core.add(bytes(127), 0, (), {})
    with pytest.raises(ValueError, match="not there"):
        core.add(bytes(128), 0, (128,), {1: "5\tmine"})
    with pytest.raises(ValueError, match="ends"):
        core.add(bytes(128), 0, (256,), {0: "5\tmine"})
    with pytest.raises(ValueError, match="no rows"):
        core.count("deeds")
    assert all(core.count(name) == 0 for name in IN_CORE)
