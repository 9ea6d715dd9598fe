"""Old rows go, whatever is newer stays, and a rebuild brings them back."""

from __future__ import annotations

from onseju.projections import tables as t
from onseju.projections.places import Place
from onseju.projections.queries import Queries
from onseju.projections.rebuild import project
from onseju.projections.retention import Trimmed, trim
from onseju.projections.rows import start_of_day
from tests.unit.projections.support import MemoryJournal, blocks_of, contents, maintaining, records

STEP_US = 300_000_000
"""600 commands in two days."""


def test_what_is_older_than_a_day_goes(database: Place) -> None:
    journal = MemoryJournal(blocks_of(records(5, 600, step_us=STEP_US))[:-1])
    project(journal, database)
    before = contents(database)
    cutoff = start_of_day(20261124)
    with maintaining(database) as engine:
        gone = trim(engine, 20261124, rows_at_once=7)
        assert trim(engine, 20261124) == Trimmed(0, 0, 0)
    after = contents(database)
    orders = [dict(zip(t.orders.c.keys(), row, strict=True)) for row in before["orders"]]
    kept = [tuple(row.values()) for row in orders if row["updated_ts"] >= cutoff or not row["done"]]
    assert after["orders"] == kept
    assert any(row["created_ts"] < cutoff <= row["updated_ts"] for row in orders), "an old order that was alive stays"
    for name in ("fills", "trades"):
        ts = t.metadata.tables[name].c.keys().index("ts")
        assert after[name] == [row for row in before[name] if row[ts] >= cutoff]  # type: ignore[operator]
    assert gone == Trimmed(*(len(before[name]) - len(after[name]) for name in ("orders", "fills", "trades")))
    assert min(gone) > 7
    assert all(after[name] for name in ("orders", "fills", "trades"))
    rest = before.keys() - {"orders", "fills", "trades"}
    assert {name: after[name] for name in rest} == {name: before[name] for name in rest}
    queries = Queries(database)
    try:
        found = queries.sums()
        assert found.orders_accepted == found.orders_open + found.orders_done
    finally:
        queries.close()
    project(journal, database)
    assert contents(database) == before
