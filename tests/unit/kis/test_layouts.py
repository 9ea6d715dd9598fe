"""Which layout is in force on which day, and that fields, records and widths agree."""

from __future__ import annotations

import pytest

from onseju.kis.layouts import BOOK, FIELDS, LAYOUTS, LEAST_WIDTH, MID, NEW, OLD, TRADES, Layout, layout_for
from onseju.kis.records import RECORDS


@pytest.mark.parametrize(
    ("trading_day", "layout"),
    [
        (20250102, OLD),
        (20260531, OLD),
        (20260601, MID),
        (20260911, MID),
        (20260914, NEW),
        (20270101, NEW),
    ],
)
def test_auto_goes_by_the_trading_day(trading_day: int, layout: Layout) -> None:
    assert layout_for("auto", trading_day) is layout


def test_a_named_layout_holds_on_every_day() -> None:
    assert layout_for("old", 20261123) is OLD
    assert layout_for("mid", 20261123) is MID
    assert layout_for("new", 20200101) is NEW


@pytest.mark.parametrize("tr_id", [TRADES, BOOK])
def test_records_have_the_fields_of_the_newest_layout(tr_id: str) -> None:
    fields = FIELDS[tr_id]
    assert RECORDS[tr_id].__struct_fields__ == tuple(field.attribute for field in fields)
    names = [name for field in fields for name in field.wire_names()]
    assert len(names) == len(set(names)) == NEW.widths[tr_id]
    assert min(layout.widths[tr_id] for layout in LAYOUTS) == LEAST_WIDTH[tr_id]


def test_field_numbers_are_the_documented_ones() -> None:
    trades = [name for field in FIELDS[TRADES] for name in field.wire_names()]
    assert [trades.index(name) for name in ("STCK_PRPR", "CNTG_VOL", "CCLD_DVSN", "BSOP_DATE", "VI_STND_PRC")] == [
        2,
        12,
        21,
        33,
        45,
    ]
    book = [name for field in FIELDS[BOOK] for name in field.wire_names()]
    assert [book.index(name) for name in ("ASKP1", "BIDP1", "ASKP_RSQN1", "BIDP_RSQN10", "ACML_VOL", "MID_PRC")] == [
        3,
        13,
        23,
        42,
        53,
        59,
    ]
