"""How PostgreSQL finds what each read query asks for, among ten million orders, fills and trades.

`python -m bench.projections_plans [--rows N]` starts a PostgreSQL of its own, makes the rows there by SQL, asks every query with
every kind of filter, and prints `EXPLAIN (ANALYZE)` of each statement as Markdown. It ends with an error when a plan
reads a big table whole.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from onseju.projections.copy_writer import CopyWriter
from onseju.projections.cursors import encode_cursor
from onseju.projections.database import writer_engine
from onseju.projections.migrate import migrate
from onseju.projections.places import PostgresTables
from onseju.projections.queries import INTERVALS, Queries
from onseju.scaled.postgres_server import PostgresServer

ROWS = 10_000_000
BUSY, ACCOUNT = 2, 777
"""An account with a tenth of everything, and one like 5,000 others."""
SYMBOL = "000003"
INSTRUMENT = 3
FIRST_TS = 1_795_392_000_000_000
BIG = re.compile(
    r"Seq Scan on (orders|fills|trades|positions|candles)|Bitmap Heap Scan|using pk_(orders|fills|trades) .*\n +Filter"
)
SETTINGS = {"wal_level": "minimal", "max_wal_senders": "0", "fsync": "off", "autovacuum": "off"}

_WHO = f"CASE WHEN i % 10 = 0 THEN {BUSY} ELSE 3 + (i * 7919) % 5000 END"
_WHAT = "1 + (i / 10 * 104729 + i) % 40"
_WHEN = f"{FIRST_TS} + i * 100000"


def make_rows(connection: psycopg.Connection[Any], rows: int) -> None:
    """As many orders, fills and trades; the last 20,000 orders are open, and one in a thousand of the busy account's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'projections' AND indexname LIKE 'ix%'"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}".encode())
        cursor.execute("SET maintenance_work_mem = '512MB'")
        opened = f"(i > {rows} - 20000 OR i % 10000 = 0)"
        series = f"generate_series(1::bigint, {rows}) AS i"
        for statement in (
            f"INSERT INTO orders SELECT i, 0, {_WHO}, {_WHAT}, CASE WHEN i % 2 = 0 THEN 'c-' || i END, 1 + i % 2, 2, 1, 10,"
            f" 70000, 0, CASE WHEN {opened} THEN 10 ELSE 0 END, CASE WHEN {opened} THEN 0 ELSE 10 END, 0, 700000,"
            f" CASE WHEN {opened} THEN 1 WHEN i % 50 = 0 THEN 5 WHEN i % 5 = 0 THEN 4 ELSE 3 END,"
            f" CASE WHEN {opened} THEN 0 ELSE 1 END, 0, i, {_WHEN}, i, {_WHEN} FROM {series}",
            f"INSERT INTO fills SELECT i, 1, {_WHEN}, {_WHO}, {_WHAT}, i, i, 1 + i % 2, 70000, 10, 1, 0, 10, 0, 700000,"
            f" 105, 0, 0, 3 FROM {series}",
            f"INSERT INTO trades SELECT i, i, 0, {_WHEN}, {_WHAT}, 70000, 10, 1 FROM {series}",
            "INSERT INTO accounts SELECT i, 1, i, 0 FROM generate_series(1, 5002) AS i",
            "INSERT INTO balances SELECT i, 1000000, 0, 0, 0, i, 0 FROM generate_series(1, 5002) AS i",
            "INSERT INTO positions SELECT a, i, 10, 0, 700000, 0, a, 0 FROM generate_series(1, 5002) AS a,"
            " generate_series(1, 40) AS i",
            "INSERT INTO instruments SELECT i, lpad(i::text, 6, '0'), 'name ' || i, 1, 1, 1000000, 1, 70000, 91000, 49000,"
            " i, 0 FROM generate_series(1, 40) AS i",
            f"INSERT INTO candles SELECT i, 60, {FIRST_TS} + m * 60000000, 70000, 70000, 70000, 70000, 10, 700000, 1"
            " FROM generate_series(1, 40) AS i, generate_series(0::bigint, 49999) AS m",
            f"INSERT INTO candles SELECT i, 86400, {FIRST_TS} - 32400000000 + d * 86400000000, 70000, 70000, 70000, 70000,"
            " 10, 700000, 1 FROM generate_series(1, 40) AS i, generate_series(0::bigint, 99) AS d",
            "INSERT INTO deeds SELECT i, i, 1, 1, 2, 0, 0, 'deposit cash=5' FROM generate_series(1, 100000) AS i",
            f"INSERT INTO progress VALUES ('plans', {rows}, 20261123)",
        ):
            cursor.execute(statement.encode())
        for _, definition in indexes:
            cursor.execute(definition.encode())
        cursor.execute("VACUUM (ANALYZE)")


def reads(queries: Queries, rows: int) -> dict[str, Callable[[], Any]]:
    """Every query with every kind of filter, by name."""
    middle = rows // 2
    found: dict[str, Callable[[], Any]] = {}
    for account, who in ((ACCOUNT, "an account"), (BUSY, "the busiest account")):
        for status in ("all", "open", "done", "partially_filled", "rejected"):
            for symbol in (None, SYMBOL):
                name = f"orders of {who}: {status}{' of a symbol' if symbol else ''}"
                found[name] = lambda a=account, s=status, y=symbol: queries.orders(a, s, y)
        found[f"orders of {who}: a page in the middle"] = lambda a=account: queries.orders(
            a, cursor=encode_cursor("o", middle)
        )
        found[f"fills of {who}"] = lambda a=account: queries.fills(a)
        found[f"fills of {who}: of a symbol"] = lambda a=account: queries.fills(a, SYMBOL)
        found[f"fills of {who}: a page in the middle"] = lambda a=account: queries.fills(
            a, cursor=encode_cursor("f", middle, 1)
        )
        found[f"fills of {who}: of an order"] = lambda a=account: queries.fills(a, None, middle)
        found[f"open orders of {who}, counted"] = lambda a=account: queries.open_order_count(a)
        found[f"cash and positions of {who}"] = lambda a=account: queries.holdings(a)
        found[f"an order of {who} by its client id"] = lambda a=account: queries.order_by_client_id(a, f"c-{middle}")
    found["an order by its id"] = lambda: queries.order(BUSY, middle)
    found["an order's owner"] = lambda: queries.order_owner(middle)
    found["trades of a symbol"] = lambda: queries.trades(SYMBOL)
    found["trades of a symbol: a page in the middle"] = lambda: queries.trades(SYMBOL, encode_cursor("t", middle))
    for interval in INTERVALS:
        found[f"candles {interval}"] = lambda i=interval: queries.candles(SYMBOL, i, limit=1000)
        found[f"candles {interval} between two times"] = lambda i=interval: queries.candles(
            SYMBOL, i, FIRST_TS, FIRST_TS + 10**12
        )
    found["what hosts did: a page in the middle"] = lambda: queries.deeds(encode_cursor("d", 50_000))
    return found


def explain(queries: Queries, name: str, read: Callable[[], Any]) -> tuple[str, bool]:
    """The plans of a read's statements as Markdown, and whether none reads a big table whole."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and "FROM progress" not in statement and "FROM instruments" not in statement:
            statements.append((statement, parameters))

    sa.event.listen(queries._engine, "before_cursor_execute", note)
    read()
    sa.event.remove(queries._engine, "before_cursor_execute", note)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        read()
        took.append(time.perf_counter() - began)
    lines = [f"### {name}", "", f"{sorted(took)[2] * 1000:.2f} ms in all, warm.", "", "```"]
    with queries._engine.connect() as connection:
        for statement, parameters in statements:
            asked = f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement}"
            plan = [row[0] for row in connection.exec_driver_sql(asked, parameters)]
            lines += [
                line for line in plan if not re.search(r"Planning|Execution|Buffers: shared hit=\d+$", line.strip())
            ]
    lines += ["```", ""]
    text = "\n".join(lines)
    return text, BIG.search(text) is None


def explain_writes(tables: PostgresTables, rows: int) -> tuple[str, bool]:
    """The same of the statements that take staged rows into the tables, 5,000 of each."""
    engine = writer_engine(tables)
    writer = CopyWriter(engine.dialect)
    lines = []
    with engine.connect() as connection:
        for name, source in (
            ("orders", f"SELECT * FROM orders WHERE order_id > {rows} - 5000"),
            ("fills", f"SELECT * FROM fills WHERE seq > {rows} - 5000"),
            ("positions", "SELECT * FROM positions WHERE account < 125"),
            (
                "order_fills",
                "SELECT leaves_qty, filled_qty, canceled_qty, filled_amount, status, done, updated_seq, updated_ts, order_id"
                f" FROM orders WHERE order_id % 2000 = 1 AND order_id < {rows}",
            ),
        ):
            form = writer._forms[writer._statements[name]]
            connection.exec_driver_sql(form.make_staging)
            connection.exec_driver_sql(f"INSERT INTO staging_{name} {source}".replace("%", "%%"), ())
            asked = f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {form.from_staging}"
            plan = [row[0] for row in connection.exec_driver_sql(asked)]
            lines += [f"### Writing: {name}", "", "```", *plan, "```", ""]
        connection.rollback()
    engine.dispose()
    text = "\n".join(lines)
    return text, BIG.search(text) is None


def main(arguments: Sequence[str] | None = None) -> str:
    """Make, ask, print; raise `SystemExit` where a big table is read whole."""
    parser = argparse.ArgumentParser(description="Plans of the read queries on many rows in PostgreSQL.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--output", type=Path, default=Path("build/bench/projections_plans.md"))
    chosen = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="onseju-plans-"))
    folder.chmod(0o711)
    server = PostgresServer(folder / "postgres", settings=SETTINGS)
    parts, good = [], True
    try:
        server.start()
        tables = PostgresTables(server.url)
        engine = writer_engine(tables)
        with engine.begin() as connection:
            migrate(connection)
        engine.dispose()
        with psycopg.connect(tables.url, options="-c search_path=projections", autocommit=True) as driver:
            make_rows(driver, chosen.rows)
        queries = Queries(tables)
        for name, read in reads(queries, chosen.rows).items():
            text, fine = explain(queries, name, read)
            parts.append(text)
            good = good and fine
        queries.close()
        text, fine = explain_writes(tables, chosen.rows)
        parts.append(text)
        good = good and fine
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    result = "\n".join(parts)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(result)
    print(result)
    if not good:
        raise SystemExit("a plan reads a big table whole")
    return result


if __name__ == "__main__":
    main()
