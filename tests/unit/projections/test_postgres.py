"""What PostgreSQL alone has: one active projector of several, positions told to other processes, tables put in place of others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock
from onseju.projections import postgres, tables
from onseju.projections.copy_writer import CopyWriter
from onseju.projections.core_rows import new_batch
from onseju.projections.database import reader_engine, writer_engine
from onseju.projections.migrate import migrate
from onseju.projections.places import PostgresTables, TablesInUseError, place_of
from onseju.projections.position import PositionReader
from onseju.projections.projector import Projector
from onseju.projections.queries import Queries
from onseju.projections.rebuild import differences, project, rebuild
from onseju.projections.rows import PlainRows
from onseju.projections.turns import wait_for_turn
from onseju.projections.writer import PositionLostError
from tests.unit.projections.conftest import NewTables
from tests.unit.projections.support import MemoryJournal, blocks_of, change, contents, records
from tests.unit.projections.test_projector import eventually


@cache
def blocks() -> tuple[EventBlock, ...]:
    return tuple(blocks_of(records(3, 300)))


@pytest.fixture
def place(postgres_tables: NewTables) -> PostgresTables:
    place = postgres_tables()
    assert isinstance(place, PostgresTables)
    return place


@contextmanager
def projecting(journal: MemoryJournal, place: PostgresTables, **bounds: Any) -> Iterator[Projector]:
    projector = Projector(journal, place, **bounds)
    try:
        projector.catch_up()
        yield projector
    finally:
        projector.stop()


@contextmanager
def reading(place: PostgresTables, **bounds: int) -> Iterator[PositionReader]:
    reader = PositionReader(place, **bounds)
    try:
        assert reader.start(10)
        yield reader
    finally:
        reader.stop()


@pytest.mark.parametrize("copy_from", [1, 7, 10**9])
def test_copied_and_handed_over_as_arrays_it_is_what_sqlite_holds(
    place: PostgresTables, tmp_path: Path, copy_from: int
) -> None:
    project(MemoryJournal(blocks()), tmp_path / "p.db")
    projector = Projector(MemoryJournal(blocks()), place, max_blocks=50)
    projector._open()
    assert projector._engine is not None
    projector._writer = CopyWriter(projector._engine.dialect, copy_from)
    projector.catch_up()
    projector.stop()
    assert contents(place) == contents(tmp_path / "p.db")
    assert list(differences(tmp_path / "p.db", place)) == []


@pytest.mark.parametrize("copy_from", [1, 10**9])
def test_any_text_and_any_number_comes_back(place: PostgresTables, copy_from: int) -> None:
    texts = [
        "a\tb",
        "\\N",
        "\\",
        "line\nline\r",
        "",
        "온세주 🙂",
        "'; DROP TABLE deeds; --",
        "nul\0",
        "%s %d",
        "\\.",
        "B",
        "a",
    ]
    rows = [(number, -(2**63), 2**63 - 1, -(2**15), 0, 0, 0, text) for number, text in enumerate(texts, 1)]
    project(MemoryJournal(), place)
    engine = writer_engine(place)
    writer = CopyWriter(engine.dialect, copy_from)
    for _ in range(2):
        with engine.begin() as connection:
            writer._write_rows(connection, writer._statements["deeds"], PlainRows(rows))
    with engine.begin() as connection:
        found = [tuple(row) for row in connection.execute(sa.select(tables.deeds).order_by("seq"))]
        in_order = connection.scalars(sa.select(tables.deeds.c.text).order_by(tables.deeds.c.text)).all()
    engine.dispose()
    stored = [text.replace("\0", "\ufffd") for text in texts]
    assert found == [(*row[:-1], text) for row, text in zip(rows, stored, strict=True)]
    assert in_order == sorted(stored, key=str.encode), "as SQLite orders it, whatever the cluster's language"


def test_the_migrations_make_the_tables(place: PostgresTables) -> None:
    engine = writer_engine(place)
    with engine.begin() as connection:
        migrate(connection)
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
        collated = connection.execute(
            sa.text(
                "SELECT table_name, column_name, collation_name FROM information_schema.columns"
                " WHERE table_schema = current_schema() AND data_type = 'text'"
            )
        ).all()
        assert {(row[0], row[1]) for row in collated} == {
            (table.name, column.name)
            for table in tables.metadata.sorted_tables
            for column in table.columns
            if isinstance(column.type, sa.Text)
        }
        assert {row[2] for row in collated} == {"C"}
    engine.dispose()


def test_one_projector_writes_and_the_next_one_waits_for_its_turn(place: PostgresTables) -> None:
    journal = MemoryJournal(blocks()[:100])
    stopping, turns = threading.Event(), []
    with projecting(journal, place):
        with pytest.raises(TablesInUseError), projecting(journal, place):
            pass
        waiting = threading.Thread(
            target=lambda: turns.append(wait_for_turn(place, stopping, head=lambda: 101, poll_s=0.01))
        )
        waiting.start()
        waiting.join(0.1)
        assert turns == []
    waiting.join(10)
    assert turns == [True]
    journal.append_events(blocks()[100:])
    with projecting(journal, place) as second:
        assert second.position == len(blocks())
        stopping.set()
        assert wait_for_turn(place, stopping) is False


def test_a_projector_that_hangs_is_cut_off_when_there_is_something_to_write(place: PostgresTables) -> None:
    journal = MemoryJournal(blocks()[:100])
    with projecting(journal, place) as hung:
        stopping, turns = threading.Event(), []
        waiting = threading.Thread(
            target=lambda: turns.append(wait_for_turn(place, stopping, head=lambda: 100, poll_s=0.01, hung_s=0.05))
        )
        waiting.start()
        waiting.join(0.3)
        stopping.set()
        waiting.join(10)
        assert turns == [False], "it has written everything: it is idle, not hung"
        assert wait_for_turn(place, threading.Event(), head=lambda: 101, poll_s=0.01, hung_s=0.05) is True
        journal.append_events(blocks()[100:])
        with projecting(journal, place), pytest.raises(sa.exc.DBAPIError):
            hung.catch_up()
    assert_whole(place)


def assert_whole(place: PostgresTables) -> None:
    """The tables are as if one projector had written everything."""
    fresh = place._replace(schema=place.schema + "_fresh")
    project(MemoryJournal(blocks()), fresh)
    assert contents(place) == contents(fresh)


def unlocked_engine(place: PostgresTables) -> sa.Engine:
    """A writer that has lost its lock and does not know it."""
    return sa.create_engine(
        "postgresql+psycopg://", creator=lambda: postgres.connect(place, "stale", {}), use_native_hstore=False
    )


def test_what_a_stale_projector_writes_is_not_taken(place: PostgresTables) -> None:
    """Both write the same commands at once: the position's row lets one in, and tells the other that it is too late."""
    with projecting(MemoryJournal(blocks()[:100]), place):
        pass
    engines = unlocked_engine(place), unlocked_engine(place)
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def write(engine: sa.Engine) -> None:
        batch = new_batch(20261123)
        batch.add_run(EventRun.of(blocks()[100:200]))
        try:
            with engine.begin() as connection:
                connection.execute(sa.text("SELECT 1"))
                start.wait(10)
                CopyWriter(engine.dialect).write(connection, batch, "test", 100)
            outcomes.append("written")
        except PositionLostError:
            outcomes.append("lost")

    threads = [threading.Thread(target=write, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    for engine in engines:
        engine.dispose()
    assert sorted(outcomes) == ["lost", "written"]
    with projecting(MemoryJournal(blocks()), place):
        pass
    assert_whole(place)


def test_an_overtaken_projector_has_written_no_row_when_it_learns_it(place: PostgresTables) -> None:
    with projecting(MemoryJournal(blocks()[:200]), place):
        pass
    before = contents(place)
    batch = new_batch(20261123)
    batch.add_run(EventRun.of(blocks()[100:200]))
    engine = unlocked_engine(place)
    with engine.connect() as connection:
        with pytest.raises(PositionLostError):
            CopyWriter(engine.dialect).write(connection, batch, "test", 100)
        connection.commit()
    engine.dispose()
    assert contents(place) == before


def test_a_projector_goes_on_after_its_connection_was_cut(place: PostgresTables) -> None:
    journal = MemoryJournal(blocks()[:100])
    with projecting(journal, place, gather_s=0, first_retry_s=0.01, max_blocks=20) as projector:
        projector.start()
        with psycopg.connect(place.url, autocommit=True) as admin:
            ended = admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'onseju projector'"
                " AND datname = current_database()"
            ).fetchall()
        assert ended == [(True,)]
        journal.append_events(blocks()[100:])
        projector.wake()
        eventually(lambda: projector.failures and projector.failed is None)
        eventually(lambda: projector.position == len(blocks()))
    assert_whole(place)


def test_a_full_disk_is_known(place: PostgresTables) -> None:
    from onseju.projections.database import is_disk_full

    full = sa.exc.OperationalError("INSERT", {}, psycopg.errors.DiskFull("could not extend file"))
    assert is_disk_full(full)
    assert not is_disk_full(sa.exc.OperationalError("INSERT", {}, psycopg.errors.LockNotAvailable("later")))


async def follow(journal: MemoryJournal, projector: Projector, reader: PositionReader) -> None:
    waiting = [asyncio.create_task(reader.wait_for(seq, 20)) for seq in (1, 100, 101, 200)]
    await asyncio.sleep(0)
    assert reader.waiting == 2
    journal.append_events(blocks()[100:200])
    projector.wake()
    assert await asyncio.gather(*waiting) == [True] * 4
    assert reader.waiting == 0
    assert await reader.wait_for(201, 0.01) is False


def test_another_process_hears_the_position(place: PostgresTables) -> None:
    journal = MemoryJournal(blocks()[:100])
    with projecting(journal, place, gather_s=0) as projector, reading(place) as reader:
        assert (reader.position, reader.failed, reader.failures) == (100, None, 0)
        projector.start()
        asyncio.run(follow(journal, projector, reader))
        eventually(lambda: projector.position == 200)
        assert reader.position == 200
        assert rows_are_there(place, 200)


def rows_are_there(place: PostgresTables, seq: int) -> bool:
    """Whether what is told can be read."""
    queries = Queries(place)
    try:
        return queries.orders(2).seq == seq
    finally:
        queries.close()


def test_where_nothing_is_told_the_position_is_looked_at(
    place: PostgresTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a read replica, which refuses LISTEN."""
    journal = MemoryJournal(blocks()[:100])
    monkeypatch.setattr(PositionReader, "_hear", PositionReader._look_often)
    with projecting(journal, place, gather_s=0) as projector, reading(place) as reader:
        projector.start()
        asyncio.run(follow(journal, projector, reader))


def test_waiting_for_a_position_is_bounded(place: PostgresTables) -> None:
    with projecting(MemoryJournal(blocks()[:50]), place), reading(place, max_waiters=2) as reader:

        async def wait() -> None:
            first = [asyncio.create_task(reader.wait_for(51, 30)) for _ in range(2)]
            await asyncio.sleep(0)
            assert reader.waiting == 2
            assert await reader.wait_for(51, 30) is False  # at once: two wait already
            first[0].cancel()
            await asyncio.wait(first[:1])
            assert reader.waiting == 1
            await asyncio.to_thread(reader.stop)
            assert await first[1] is False
            assert await reader.wait_for(1, 30) is False

        asyncio.run(wait())


def test_the_reader_says_that_it_is_cut_off_and_comes_back(place: PostgresTables) -> None:
    journal = MemoryJournal(blocks()[:100])
    with projecting(journal, place), reading(place) as reader:

        async def wait() -> bool:
            waiting = asyncio.create_task(reader.wait_for(101, 30))
            await asyncio.sleep(0)
            await asyncio.to_thread(cut)
            return await waiting

        def cut() -> None:
            with psycopg.connect(place.url, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'onseju position'"
                )

        assert asyncio.run(wait()) is False
        eventually(lambda: reader.failed is None)
        assert reader.failures >= 1
        assert asyncio.run(reader.wait_for(100, 5)) is True


def test_a_query_does_not_fail_for_a_connection_that_was_cut_while_it_lay_idle(place: PostgresTables) -> None:
    project(MemoryJournal(blocks()[:100]), place)
    queries = Queries(place)

    async def ask_again() -> None:
        before = await asyncio.gather(*[queries.ask(queries.orders, 1) for _ in range(8)])
        with psycopg.connect(place.url, autocommit=True) as admin:
            cut = admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'onseju queries'"
            ).fetchall()
        assert cut
        assert await asyncio.gather(*[queries.ask(queries.orders, 1) for _ in range(8)]) == before

    try:
        asyncio.run(ask_again())
    finally:
        queries.close()


def test_without_tables_there_is_no_position(place: PostgresTables) -> None:
    reader = PositionReader(place)
    try:
        assert reader.start(0.05) is False
        eventually(lambda: reader.failures > 0)
        assert isinstance(reader.failed, psycopg.Error)
        assert asyncio.run(reader.wait_for(0, 5)) is False
        project(MemoryJournal(blocks()[:10]), place)
        eventually(lambda: reader.position == 10 and reader.failed is None)
    finally:
        reader.stop()
        reader.stop()


def test_a_rebuild_mends_the_tables_while_they_are_read(place: PostgresTables) -> None:
    journal = MemoryJournal(blocks())
    project(journal, place)
    want = contents(place)
    assert change(place, "UPDATE balances SET cash = cash + 1 WHERE account = 1") == 1
    fresh = place._replace(schema=place.schema + "_check")
    project(journal, fresh)
    assert [text.split(":")[0] for text in differences(place, fresh)] == ["balances"]
    queries, finished, seqs = Queries(place), threading.Event(), []

    def read() -> None:
        while not finished.is_set() or not seqs:
            seqs.append(queries.orders(2).seq)

    reader = threading.Thread(target=read)
    reader.start()
    with reading(place) as position:
        rebuild(journal, place)
        eventually(lambda: position.position == len(blocks()))
    finished.set()
    reader.join(20)
    queries.close()
    assert contents(place) == want
    assert set(seqs) == {len(blocks())}
    with psycopg.connect(place.url) as connection:
        left = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", (place.schema + "\\_%",)
        ).fetchall()
    assert {name for (name,) in left} == {fresh.schema}


def test_a_rebuild_waits_for_nobody_who_projects(place: PostgresTables) -> None:
    journal = MemoryJournal(blocks()[:100])
    with projecting(journal, place), pytest.raises(TablesInUseError):
        rebuild(journal, place)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_url_is_told_without_its_password(scheme: str) -> None:
    place = place_of(f"{scheme}://onseju:s3cr:et@db.example:5432/venue?sslmode=require")
    assert place == PostgresTables("postgresql://onseju:s3cr:et@db.example:5432/venue?sslmode=require", "projections")
    assert str(place) == "postgresql://onseju@db.example:5432/venue, schema projections"
    with pytest.raises(ValueError, match="postgresql://"):
        place_of("mysql://somewhere")


def test_what_cannot_be_reached_is_named_without_the_password(open_port: Callable[[], int]) -> None:
    projector = Projector(MemoryJournal(), f"postgresql://onseju:hidden@127.0.0.1:{open_port()}/none")
    with pytest.raises(Exception, match="cannot be used") as caught:
        projector.catch_up()
    assert "hidden" not in str(caught.value)


@pytest.fixture
def open_port() -> Callable[[], int]:
    from onseju.scaled.postgres_server import free_port

    return free_port


def test_readers_read_one_state(place: PostgresTables) -> None:
    journal = MemoryJournal(blocks()[:100])
    with projecting(journal, place) as projector:
        engine = reader_engine(place)
        with engine.begin() as connection:
            assert connection.scalar(sa.select(tables.progress.c.seq)) == 100
            journal.append_events(blocks()[100:])
            projector.catch_up()
            assert connection.scalar(sa.select(tables.progress.c.seq)) == 100
        engine.dispose()
