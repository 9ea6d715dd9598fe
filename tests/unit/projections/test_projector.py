"""The projector: the same rows whatever happens in between, nothing doubled, nothing missing, nothing silent."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import sqlite
from structlog.testing import capture_logs

from onseju.contract.journal_records import EventBlock
from onseju.journal.segments import SegmentJournal
from onseju.projections import tables
from onseju.projections.database import reader_engine, writer_engine
from onseju.projections.migrate import migrate
from onseju.projections.places import Place
from onseju.projections.projector import ProjectionError, Projector
from onseju.projections.writer import EXPANDED_ROWS, ROWS_A_STATEMENT, PositionLostError, Writer
from tests.unit.projections.conftest import NewTables
from tests.unit.projections.support import MemoryJournal, blocks_of, change, connected, contents, records

SEED, COUNT = 3, 700
BURST = 3000


@cache
def blocks(count: int = COUNT) -> tuple[EventBlock, ...]:
    return tuple(blocks_of(records(SEED, count)))


def project(database: Place, journal: MemoryJournal, **bounds: int) -> None:
    projector = Projector(journal, database, **bounds)
    projector.catch_up()
    assert projector.position == journal.last_event_seq
    projector.stop()


@pytest.fixture(scope="module")
def whole(new_tables: NewTables) -> dict[str, list[tuple[object, ...]]]:
    """All rows, written one command a transaction."""
    database = new_tables()
    project(database, MemoryJournal(blocks()), max_blocks=1)
    rows = contents(database)
    assert all(rows[table.name] for table in tables.metadata.sorted_tables)
    return rows


@pytest.fixture
def started() -> Iterator[list[Projector]]:
    """Projectors to stop at the end."""
    projectors: list[Projector] = []
    yield projectors
    for projector in projectors:
        projector.stop()


def eventually(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.002)


@pytest.mark.parametrize("bounds", [{"max_blocks": 7}, {"max_blocks": 64}, {"max_events": 50}, {}])
def test_a_batch_writes_what_single_commands_write(
    database: Place, whole: dict[str, list[tuple[object, ...]]], bounds: dict[str, int]
) -> None:
    project(database, MemoryJournal(blocks()), **bounds)
    assert contents(database) == whole


def test_restarts_at_any_point_change_nothing(database: Place, whole: dict[str, list[tuple[object, ...]]]) -> None:
    draw = random.Random(1)
    journal, given = MemoryJournal(), 0
    while given < len(blocks()):
        more = draw.randint(1, 60)
        journal.append_events(blocks()[given : given + more])
        given += more
        project(database, journal, max_blocks=draw.randint(1, 40))
    assert contents(database) == whole


def test_a_failure_before_the_commit_writes_nothing_and_is_told(
    database: Place,
    whole: dict[str, list[tuple[object, ...]]],
    monkeypatch: pytest.MonkeyPatch,
    started: list[Projector],
) -> None:
    write, calls = Writer.write, 0

    def failing(self: Writer, connection: Any, batch: Any, journal_id: str, after_seq: int) -> None:
        nonlocal calls
        write(self, connection, batch, journal_id, after_seq)
        calls += 1
        if calls >= 5:
            raise OSError("the disk failed between the rows and the commit")

    journal = MemoryJournal(blocks())
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "write", failing)
        projector = Projector(journal, database, max_blocks=50)
        started.append(projector)
        projector.start()
        eventually(lambda: projector.failed is not None)
        assert isinstance(projector.failed, OSError)
        assert projector.position == 200
        projector.stop()
    with connected(database) as connection:
        assert connection.scalar(sa.select(tables.progress.c.seq)) == 200
    project(database, journal)
    assert contents(database) == whole


def test_kill_9_in_a_burst_loses_and_doubles_nothing(database: Place, new_tables: NewTables) -> None:
    fresh = new_tables()
    draw = random.Random(9)
    kills, finished = 0, False
    burst = BURST if isinstance(database, Path) else BURST // 3
    argument = str(database) if isinstance(database, Path) else json.dumps(database)
    while not finished:
        arguments = [argument, str(SEED), str(burst), "20"]
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.projections.burst", *arguments], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        with child.stdout:
            first = int(child.stdout.readline().split()[0])
            until = first + draw.randint(burst // 15, burst // 3)
            for line in child.stdout:
                finished = line == "done\n"
                if not finished and int(line.split()[0]) >= until:
                    child.kill()
                    kills += 1
                    break
        child.wait()
    assert kills >= 2
    everything = MemoryJournal(blocks(burst))
    project(fresh, everything)
    assert contents(database) == contents(fresh)


def test_it_follows_a_real_event_log(
    database: Place, tmp_path: Path, whole: dict[str, list[tuple[object, ...]]], started: list[Projector]
) -> None:
    journal = SegmentJournal.open(tmp_path / "journal", fsync=False)
    projector = Projector(journal, database)
    started.append(projector)
    projector.catch_up()
    projector.start()
    commands = records(SEED, COUNT)
    for start in range(0, len(commands), 25):
        journal.append(commands[start : start + 25])
        part = blocks()[start : start + 25]
        journal.append_events(part)
        projector.wake()
    eventually(lambda: projector.position == journal.last_event_seq)
    projector.stop()
    journal.close()
    rows, want = contents(database), dict(whole)
    assert rows.pop("progress") == [(journal.journal_id, len(blocks()), 20261124)]
    want.pop("progress")
    assert rows == want


def test_tables_of_another_journal_are_rebuilt(database: Place, whole: dict[str, list[tuple[object, ...]]]) -> None:
    project(database, MemoryJournal(blocks_of(records(8, 100)), "other"))
    project(database, MemoryJournal(blocks()))
    assert contents(database) == whole


def test_tables_ahead_of_the_event_log_are_rebuilt(database: Place, new_tables: NewTables) -> None:
    fresh = new_tables()
    project(database, MemoryJournal(blocks()))
    shorter = MemoryJournal(blocks()[:300])
    project(database, shorter)
    project(fresh, shorter)
    assert contents(database) == contents(fresh)


def test_catching_up_tells_its_progress(database: Place) -> None:
    told: list[tuple[int, int]] = []
    projector = Projector(MemoryJournal(blocks()), database, max_blocks=100)
    projector.catch_up(lambda done, end: told.append((done, end)))
    projector.stop()
    assert told[0] == (0, len(blocks()))
    assert told[-1] == (len(blocks()), len(blocks()))
    assert told == sorted(told)


@pytest.mark.parametrize("name", ["orders", "order_fills", "limits", "fills", "positions", "candles", "deeds"])
def test_a_long_statements_text_is_the_one_that_is_compiled(name: str) -> None:
    writer = Writer(sqlite.dialect())
    statement = writer._statements[name]
    for size in (EXPANDED_ROWS, EXPANDED_ROWS + 1, 128):
        text, compiled = (make(sqlite.dialect(), size).split() for make in (statement.text, statement._compiled))
        assert text == compiled
    assert statement.text(sqlite.dialect(), max(ROWS_A_STATEMENT)).count("?") == max(ROWS_A_STATEMENT) * len(
        statement.names
    )


def test_it_follows_again_by_itself_when_what_failed_works_again(
    database: Place,
    whole: dict[str, list[tuple[object, ...]]],
    monkeypatch: pytest.MonkeyPatch,
    started: list[Projector],
) -> None:
    """The disk fails, then the next tries fail as well, then it works: nothing is missing and nothing is doubled."""
    journal = MemoryJournal(blocks()[:300])
    projector = Projector(journal, database, max_blocks=50, gather_s=0, first_retry_s=0.01)
    started.append(projector)
    projector.catch_up()
    write = Writer.write

    def failing(self: Writer, connection: Any, batch: Any, journal_id: str, after_seq: int) -> None:
        write(self, connection, batch, journal_id, after_seq)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "write", failing)
        projector.start()
        journal.append_events(blocks()[300:])
        projector.wake()
        eventually(lambda: projector.failures >= 3)
        assert isinstance(projector.failed, OSError)
        assert projector.position == 300
    eventually(lambda: projector.failed is None)
    eventually(lambda: projector.position == journal.last_event_seq)
    projector.stop()
    assert contents(database) == whole


def test_on_a_full_disk_reads_go_on_and_it_tries_again(
    tmp_path: Path,
    whole: dict[str, list[tuple[object, ...]]],
    monkeypatch: pytest.MonkeyPatch,
    started: list[Projector],
) -> None:
    """The database itself says that it is full: a page limit stands in for the disk."""
    monkeypatch.setattr("onseju.projections.projector.ROOM_POLL_S", 0.01)
    journal = MemoryJournal(blocks()[:300])
    projector = Projector(journal, tmp_path / "p.db", max_blocks=50, gather_s=0)
    started.append(projector)
    projector.catch_up()
    assert projector._engine is not None
    with contextlib.closing(projector._engine.raw_connection()) as pooled:
        driver: Any = pooled.driver_connection  # by itself: SQLAlchemy would begin a transaction around the pragma
    (pages,) = driver.execute("PRAGMA page_count").fetchone()
    driver.execute(f"PRAGMA max_page_count = {pages}").close()
    journal.append_events(blocks()[300:])
    with capture_logs() as logs:
        projector.start()
        eventually(lambda: [entry for entry in logs if entry["event"] == "disk_full"][2:])
        assert (projector.failed, projector.failures) == (None, 0)
        assert projector.position < journal.last_event_seq
        driver.execute("PRAGMA max_page_count = 1000000").close()
        eventually(lambda: projector.position == journal.last_event_seq)
    projector.stop()
    assert contents(tmp_path / "p.db") == whole


def test_what_a_failure_left_is_read_anew(tmp_path: Path, started: list[Projector]) -> None:
    """The file is put back as it was a while ago: the projector goes on from what is in it."""
    journal = MemoryJournal(blocks()[:300])
    project(tmp_path / "p.db", journal)
    earlier = (tmp_path / "p.db").read_bytes()
    journal.append_events(blocks()[300:])
    projector = Projector(journal, tmp_path / "p.db", max_blocks=50, gather_s=0, first_retry_s=0.01)
    started.append(projector)
    projector.catch_up()
    (tmp_path / "p.db").unlink()
    (tmp_path / "p.db").write_bytes(earlier)
    for name in ("p.db-wal", "p.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    projector._fail(OSError("the file was exchanged"), 0)
    projector.start()
    eventually(lambda: projector.failed is None)
    assert projector.position == journal.last_event_seq
    projector.stop()
    project(tmp_path / "fresh.db", journal)
    assert contents(tmp_path / "p.db") == contents(tmp_path / "fresh.db")


def test_a_second_writer_is_kept_out(tmp_path: Path, started: list[Projector]) -> None:
    journal = MemoryJournal(blocks()[:100])
    first = Projector(journal, tmp_path / "p.db")
    second = Projector(journal, tmp_path / "p.db", lock_patience_s=0.02)
    started += [first, second]
    first.catch_up()
    with pytest.raises(ProjectionError, match="written by another process"):
        second.catch_up()
    first.stop()
    journal.append_events(blocks()[100:200])
    second.catch_up()
    assert second.position == journal.last_event_seq


def test_a_position_that_somebody_changed_is_found_out(tmp_path: Path, started: list[Projector]) -> None:
    journal = MemoryJournal(blocks()[:100])
    projector = Projector(journal, tmp_path / "p.db")
    started.append(projector)
    projector.catch_up()
    with contextlib.closing(sqlite3.connect(tmp_path / "p.db", isolation_level=None)) as other:
        other.execute("UPDATE progress SET seq = 99")
    journal.append_events(blocks()[100:200])
    with pytest.raises(PositionLostError):
        projector.catch_up()


def test_a_gap_in_the_event_log_is_refused(database: Place, started: list[Projector]) -> None:
    class Gap(MemoryJournal):
        def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
            return iter(self.blocks[after_seq + 1 :])

    projector = Projector(Gap(blocks()), database)
    started.append(projector)
    with pytest.raises(ProjectionError, match="command 2, after 0"):
        projector.catch_up()


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(ProjectionError, match=r"p\.db.*rebuilt from the event log"):
        Projector(MemoryJournal(blocks()), tmp_path / "p.db").catch_up()


def test_tables_of_a_later_release_are_left_alone(database: Place) -> None:
    project(database, MemoryJournal(blocks()[:100]))
    assert change(database, "UPDATE alembic_version SET version_num = 'later'") == 1
    with pytest.raises(ProjectionError, match="later"):
        Projector(MemoryJournal(blocks()), database).catch_up()


def test_it_runs_once_and_stops_often(tmp_path: Path, started: list[Projector]) -> None:
    projector = Projector(MemoryJournal(blocks()[:10]), tmp_path / "with space?" / "p.db")
    started.append(projector)
    projector.start()
    with pytest.raises(RuntimeError):
        projector.start()
    with pytest.raises(RuntimeError):
        projector.catch_up()
    eventually(lambda: projector.position == 10)
    projector.stop()
    projector.stop()
    assert not (tmp_path / "with space?" / "p.db-wal").exists(), "the last connection merges the write-ahead log"


def test_the_migrations_make_the_tables(tmp_path: Path) -> None:
    engine = writer_engine(tmp_path / "p.db")
    with engine.begin() as connection:
        migrate(connection)
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
        assert migrated_sql(connection) == created_sql()
    engine.dispose()


def migrated_sql(connection: sa.Connection) -> dict[str, str]:
    rows = connection.execute(
        sa.text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'")
    )
    return {row.name: " ".join(row.sql.split()) for row in rows}


def created_sql() -> dict[str, str]:
    """The same from the metadata: `compare_metadata` does not look at everything."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        made = migrated_sql(connection)
    engine.dispose()
    return made


def test_readers_cannot_write(database: Place) -> None:
    project(database, MemoryJournal(blocks()[:10]))
    engine = reader_engine(database)
    with engine.connect() as connection, pytest.raises(sa.exc.DatabaseError, match=r"read-?only"):
        connection.execute(sa.delete(tables.progress))
    engine.dispose()


def test_any_number_of_rows_goes_in_any_sizes(tmp_path: Path, whole: dict[str, list[tuple[object, ...]]]) -> None:
    sizes: Sequence[int] = (5, 3)
    projector = Projector(MemoryJournal(blocks()), tmp_path / "p.db")
    projector._open()
    assert projector._engine is not None
    projector._writer = Writer(projector._engine.dialect, sizes)
    projector.catch_up()
    projector.stop()
    assert contents(tmp_path / "p.db") == whole
