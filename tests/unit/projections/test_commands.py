"""`onseju projections …` on tables in PostgreSQL: rebuilt, checked, trimmed; what cannot be done is said in words."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from onseju.cli_data import app
from onseju.journal.postgres import PostgresJournal
from onseju.journal.segments import SegmentJournal
from onseju.projections.places import PostgresTables
from onseju.projections.projector import Projector
from tests.servers import NewDatabase
from tests.unit.projections.support import MemoryJournal, blocks_of, change, contents, records


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    made = records(3, 200)
    journal = SegmentJournal.open(tmp_path / "journal", fsync=False)
    journal.append(made)
    journal.append_events(blocks_of(made))
    journal.close()
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, " ".join(result.output.split())


def test_tables_in_postgresql(data_dir: Path, new_database: NewDatabase) -> None:
    url = new_database()
    at = ("--data-dir", str(data_dir), "--database-url", url)
    code, said = run("rebuild", *at)
    assert code == 0, said
    assert "the tables are those of command" in said
    assert run("check", *at)[0] == 0
    whole = contents(url)
    assert change(url, "UPDATE balances SET cash = cash + 1 WHERE account = 1") == 1
    code, said = run("check", *at)
    assert code == 1
    assert "balances" in said
    assert run("rebuild", *at)[0] == 0
    assert contents(url) == whole
    with psycopg.connect(url) as connection:
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'projections%'").fetchall()
    assert schemas == [("projections",)]
    code, said = run("trim", "--before", "20270101", *at)
    assert (code, said) == (0, "deleted: {} orders, {} fills, {} trades".format(*map(len, _old(whole))))
    assert contents(url)["balances"] == whole["balances"]


def test_the_journal_in_the_same_database_is_the_one(tmp_path: Path, new_database: NewDatabase) -> None:
    url = new_database()
    made = records(5, 40)
    with closing(PostgresJournal.lead(url)) as journal:
        journal.append(made)
        journal.append_events(blocks_of(made))
    at = ("--data-dir", str(tmp_path / "nothing is here"), "--database-url", url)
    code, said = run("rebuild", *at)
    assert (code, said) == (0, f"the tables are those of command {made[-1].seq}")
    code, said = run("check", *at)
    assert (code, said) == (0, f"the same, row for row, through command {made[-1].seq}")
    code, said = run("check", "--venue", "2", *at)
    assert (code, "no journal of venue 2" in said) == (1, True)


def _old(rows: dict[str, list[tuple[object, ...]]]) -> list[list[tuple[object, ...]]]:
    return [rows[name] for name in ("orders", "fills", "trades")]


def test_what_cannot_be_done_is_said(data_dir: Path, new_database: NewDatabase) -> None:
    url = new_database()
    projector = Projector(MemoryJournal(), PostgresTables(url))
    projector.catch_up()
    try:
        code, said = run("rebuild", "--data-dir", str(data_dir), "--database-url", url)
    finally:
        projector.stop()
    assert code == 1
    assert "another projector writes the tables" in said
    code, said = run("check", "--data-dir", str(data_dir), "--database-url", "mysql://x")
    assert (code, "begins with postgresql://" in said) == (1, True)
