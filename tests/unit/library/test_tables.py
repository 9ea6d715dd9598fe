"""Tables in every form give the same orders, and what is wrong in one is named by column and row before anything applies."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import onseju
from onseju import TableError
from onseju.contract.words import Side
from tests.unit.library.crowds import crowded

COLUMNS: dict[str, list[Any]] = {
    "action": ["new", "new", "correct", "cancel", "new"],
    "account": ["kim", "lee", "kim", "lee", "kim"],
    "symbol": ["005930", "005930", None, None, "000660"],
    "side": ["buy", "sell", None, None, "sell"],
    "qty": [10, 5, None, None, 7],
    "price": [69_900, 70_100, 70_000, None, None],
    "type": ["limit", "limit", None, None, "market"],
    "id": [900, 901, None, None, 903],
    "target": [None, None, 900, 901, None],
}
NUMBERS: dict[str, list[int]] = {
    "action": [1, 1, 3, 2, 1],
    "account": [2, 3, 2, 3, 2],
    "symbol": [1, 1, 0, 0, 2],
    "side": [1, 2, 0, 0, 2],
    "qty": [10, 5, 0, 0, 7],
    "price": [69_900, 70_100, 70_000, 0, 0],
    "type": [1, 1, 1, 1, 2],
    "order_id": [0, 0, 1, 2, 0],
}


def structured() -> np.ndarray[Any, Any]:
    made = np.zeros(5, [(name, np.int64) for name in NUMBERS])
    for name, values in NUMBERS.items():
        made[name] = values
    return made


FORMS = {
    "polars": lambda: pl.DataFrame(COLUMNS),
    "polars, categories": lambda: pl.DataFrame(COLUMNS).with_columns(pl.col("account", "side").cast(pl.Categorical)),
    "pandas": lambda: pd.DataFrame(COLUMNS),
    "pandas, objects": lambda: pd.DataFrame(COLUMNS, dtype=object).astype(
        {"qty": float, "price": float, "target": float}
    ),
    "pandas, categories": lambda: pd.DataFrame(COLUMNS).astype({"account": "category", "side": "category"}),
    "pandas, nullable": lambda: pd.DataFrame(COLUMNS).convert_dtypes(),
    "arrow": lambda: pa.table(COLUMNS),
    "arrow, chunks": lambda: pa.concat_tables([pa.table(COLUMNS)[:2], pa.table(COLUMNS)[2:]]),
    "lists": lambda: COLUMNS,
    "numbers": lambda: NUMBERS,
    "small numbers": lambda: {name: np.array(values, np.int32) for name, values in NUMBERS.items()},
    "unsigned": lambda: {name: np.array(values, np.uint64) for name, values in NUMBERS.items()},
    "structured": structured,
}


def result(table: object, engine: str = "native", **constants: Any) -> bytes:
    exchange = crowded(engine)
    return exchange.run(table, keep=("events",), progress=False, **constants).events.tobytes()


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_table_gives_the_same_events(name: str) -> None:
    exchange = crowded("native")
    first = exchange.buy("kim", "005930", 10, 69_900)
    second = exchange.sell("lee", "005930", 5, 70_100)
    answers = [
        first,
        second,
        exchange.correct(first, price=70_000),
        exchange.cancel(second),
        exchange.sell("kim", "000660", 7),
    ]
    assert result(FORMS[name]()) == b"".join(answer.payload for answer in answers)


def test_a_table_reads_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = result(NUMBERS)
    texts = {name: np.array(values) for name, values in NUMBERS.items()}
    texts["account"] = np.array(["kim", "lee", "kim", "lee", "kim"])
    texts["side"] = np.array([b"buy", b"sell", b"buy", b"buy", b"sell"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert result(texts) == expected
    assert result(pd.DataFrame(NUMBERS)) == expected
    with pytest.raises(TableError, match=r"^column account: dtype object cannot be read without PyArrow: pip install"):
        result(texts | {"account": np.array(["kim", None, "kim", "lee", "kim"], object)})


def test_constants_stand_for_columns() -> None:
    columns = {"side": ["buy", "sell"], "qty": [1, 2]}
    full = columns | {"account": ["kim"] * 2, "symbol": ["005930"] * 2, "price": [70_000] * 2}
    assert result(columns, account="kim", symbol=1, price=70_000) == result(full)
    with pytest.raises(TableError, match="column qty: given both in the table and as a constant"):
        result(full, qty=3)


def test_times_may_be_datetimes() -> None:
    exchange = crowded("native")
    nine = datetime(2026, 11, 23, 0, 0, 1, tzinfo=UTC)
    base = {"account": ["kim"], "symbol": ["005930"], "side": ["buy"], "qty": [1], "price": [70_000]}
    forms = [
        np.array(["2026-11-23T00:00:01"], "datetime64[s]"),
        pa.array([nine]),
        pl.Series([nine]).dt.convert_time_zone("Asia/Seoul").to_arrow(),
        np.array([int(nine.timestamp()) * 1_000_000]),
    ]
    for form in forms:
        assert exchange.prepare(base | {"ts": form}).ts.tolist() == [exchange.time("09:00:01")]
    with pytest.raises(TableError, match=r"^column ts, row 0: is missing"):
        exchange.prepare(base | {"ts": np.array(["NaT"], "datetime64[us]")})


def orders(**changed: Any) -> dict[str, Any]:
    return {
        "account": ["kim"] * 4,
        "symbol": ["005930"] * 4,
        "side": ["buy"] * 4,
        "qty": [1] * 4,
        "price": [70_000] * 4,
    } | changed


NAN = float("nan")
WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"symbol": ["005930", "005930", "035720", "005930"]},
        "column symbol, row 2: '035720' is not known; there are 005930, 000660",
    ),
    ({"symbol": [1, 1, 1, 9]}, "column symbol, row 3: 9 is not known as a number; there are 005930, 000660"),
    ({"symbol": ["005930", None, "005930", "005930"]}, "column symbol, row 1: is missing, and a new order needs it"),
    (
        {"account": ["kim", "who", "kim", "kim"]},
        "column account, row 1: 'who' is not known; there are venue, kim, lee, park",
    ),
    ({"account": [2, 2, 77, 2]}, "column account, row 2: 77 is not known as a number; there are venue, kim, lee, park"),
    ({"account": [2, -2, 77, 2]}, "column account, row 1: -2 must be at least 0"),
    ({"account": ["kim", "kim", None, "kim"]}, "column account, row 2: is missing"),
    ({"side": ["buy", "buy", "hold", "buy"]}, "column side, row 2: 'hold' is not known; there are buy, sell"),
    ({"side": [1, 2, 1, 3]}, "column side, row 3: 3 is not known as a number; there are buy, sell"),
    ({"price": [70_000.0, NAN, 70_000, 70_000]}, "column price, row 1: is missing; a limit order needs one"),
    ({"price": [70_000, 70_000, None, 70_000]}, "column price, row 2: is missing; a limit order needs one"),
    (
        {"price": [70_000.0, 70_000.5, 70_000, 70_000]},
        "column price, row 1: 70000.5 is no whole number of the venue's smallest price unit",
    ),
    ({"price": [1e300, 1, 1, 1]}, "column price, row 0: 1e+300 is too large to be exact as a float"),
    ({"price": [float("inf"), 1, 1, 1]}, "column price, row 0: inf is too large to be exact as a float"),
    ({"price": [1, 1, -100, 1]}, "column price, row 2: -100 must be at least 0"),
    ({"price": ["70000"] * 4}, "column price, row 0: '70000' is text; a whole number is needed"),
    ({"price": [True] * 4}, "column price: bool is neither text nor numbers"),
    (
        {"price": np.array([1, 1, 1, 2**63], np.uint64)},
        "column price, row 3: 9223372036854775808 does not fit into 63 bits",
    ),
    ({"qty": [1, 2, 0, 1]}, "column qty, row 2: 0 must be at least 1"),
    ({"qty": [1, -5, 1, 1]}, "column qty, row 1: -5 must be at least 1"),
    ({"qty": [1, 1.5, 1, 1]}, "column qty, row 1: 1.5 is no whole number"),
    ({"qty": [1, NAN, 1, 1]}, "column qty, row 1: is missing"),
    ({"qty": [1, 1]}, "column qty: 2 rows, where account has 4"),
    ({"qty": [[1]] * 4}, "column qty: one value a row is needed, here are 2 dimensions"),
    (
        {"type": ["limit", "stop_limit", "limit", "limit"]},
        "column stop_price, row 1: is missing; a stop order needs one",
    ),
    (
        {"type": ["limit", "iceberg", "limit", "limit"]},
        "column type, row 1: 'iceberg' is not known; there are limit, market",
    ),
    (
        {"time_in_force": ["day", "gtc", "day", "day"]},
        "column time_in_force, row 1: 'gtc' is not known; there are day, ioc, fok",
    ),
    (
        {"action": ["new", "amend", "new", "new"]},
        "column action, row 1: 'amend' is not known; there are new, cancel, correct",
    ),
    (
        {"action": ["new", "new", "cancel", "new"]},
        "column target, row 2: a cancel or correction needs a target or an order_id",
    ),
    (
        {"action": ["new", "new", "cancel", "new"], "target": [None, None, 3, None]},
        "column target, row 2: 3 is no row number of a new order above",
    ),
    (
        {"action": ["new", "cancel", "cancel", "new"], "target": [None, 0, 1, None]},
        "column target, row 2: 1 is no row number of a new order above",
    ),
    (
        {"action": ["new", "new", "cancel", "new"], "target": [None, None, 8, None], "id": [5, 6, None, 8]},
        "column target, row 2: 8 is no id of a new order above",
    ),
    (
        {"action": ["new", "new", "cancel", "new"], "target": [None, None, 5, None], "id": [5, 6, None, 5]},
        "column id, row 3: 5 is another new order's id already",
    ),
    (
        {"action": ["new", "new", "cancel", "new"], "target": [None, None, 0, None], "order_id": [0, 0, 7, 0]},
        "column order_id, row 2: given beside a target; one of them names the order",
    ),
    (
        {
            "action": ["new", "new", "correct", "new"],
            "target": [None, None, 0, None],
            "qty": [1, 1, 0, 1],
            "price": [1, 1, 0, 1],
        },
        "column price, row 2: a correction needs a price, qty or stop_price",
    ),
    ({"action": ["new", "new", "phase", "new"]}, "column phase, row 2: is missing, and this row needs it"),
    ({"ts": [5, 6, 4, 9]}, "column ts, row 2: 4 is before the row above, 6; time never goes back"),
    ({"ts": [0, 6, 7, 9]}, "column ts, row 0: 0 must be at least 1"),
    ({"prcie": [1, 1, 1, 1]}, "column prcie: there is no such column; did you mean 'price'? there are action, account"),
]


def fits_a_frame(columns: dict[str, Any]) -> bool:
    """Whether the columns are of one length and hold plain values."""
    return len({len(values) for values in columns.values()}) == 1 and not isinstance(columns["qty"][0], list)


@pytest.mark.parametrize(
    ("form", "changed", "words"),
    [("lists", changed, words) for changed, words in WRONG]
    + [("polars", changed, words) for changed, words in WRONG if fits_a_frame(orders(**changed))],
    ids=lambda value: value[7:45] if isinstance(value, str) and value.startswith("column") else None,
)
def test_a_wrong_table_is_refused_before_anything_is_applied(form: str, changed: dict[str, Any], words: str) -> None:
    exchange = crowded("native")
    before, now = exchange.state_hash(), exchange.now
    table: Any = orders(**changed)
    if form == "polars":
        table = pl.DataFrame(table, strict=False)
    with pytest.raises(TableError) as caught:
        exchange.run(table)
    assert str(caught.value).startswith(words)
    assert (exchange.state_hash(), exchange.now) == (before, now)


def test_the_error_names_column_and_row_as_values() -> None:
    with pytest.raises(TableError) as caught:
        crowded("native").prepare(orders(qty=[1, 1, 1, -1]))
    assert (caught.value.column, caught.value.row) == ("qty", 3)


@pytest.mark.parametrize("missing", ["account", "symbol", "side", "qty", "price"])
def test_a_new_order_needs_these_columns(missing: str) -> None:
    table = orders()
    del table[missing]
    with pytest.raises(TableError, match=f"^column {missing}, row 0: is missing"):
        crowded("native").prepare(table)


@pytest.mark.parametrize("wrong", [3, "orders.csv", [1, 2], np.zeros(3), None])
def test_what_is_no_table(wrong: object) -> None:
    with pytest.raises(TypeError, match="table of orders"):
        crowded("native").prepare(wrong)


def test_an_off_grid_price_is_the_venues_to_refuse() -> None:
    run = crowded("native").run(orders(price=[70_000, 70_050, 70_000, 70_000]), progress=False)
    assert run.answers["reason"].tolist() == [0, 16, 0, 0]
    assert Side.BUY == 1


def in_fresh_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_onseju_stays_light() -> None:
    out = in_fresh_python("import sys, onseju; print({'numpy', 'pyarrow', 'onseju.matching'} & sys.modules.keys())")
    assert out == "set()"
    assert "Exchange" in dir(onseju)
    with pytest.raises(AttributeError, match="no attribute 'Exhcange'"):
        _ = onseju.Exhcange


def test_without_numpy_it_says_what_to_install() -> None:
    code = """
import sys
sys.modules["numpy"] = None
import onseju
try:
    onseju.Exchange()
except ImportError as error:
    print(error)
"""
    assert (
        in_fresh_python(code) == "onseju.Exchange needs NumPy, and better PyArrow too: pip install 'onseju[research]'"
    )
