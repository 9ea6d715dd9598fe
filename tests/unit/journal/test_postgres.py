"""The journal in PostgreSQL: what the contract suite does not ask of every journal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from onseju.contract.journal_records import FIRST_CHAIN, encode_event_block, encode_journal_record
from onseju.journal.port import JournalError, JournalGoneError
from onseju.journal.postgres import DatabaseFailedError, PostgresJournal
from onseju.journal.postgres_connections import Readers
from onseju.journal.postgres_log import TableLog
from onseju.journal.postgres_schema import MIGRATIONS
from onseju.journal.runs import COMMANDS
from tests.contract.samples import block, blocks, record, records
from tests.servers import NewDatabase


@pytest.fixture
def url(new_database: NewDatabase) -> str:
    return new_database()


@pytest.fixture
def journal(url: str) -> Iterator[PostgresJournal]:
    with contextlib.closing(PostgresJournal.lead(url)) as journal:
        yield journal


def change(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """What a statement gives, run beside the journal."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def test_the_chains_are_those_of_the_records_bytes(journal: PostgresJournal) -> None:
    journal.append(records(1, 3000))
    journal.append_events(blocks(1, 3000))
    command_chain = event_chain = FIRST_CHAIN
    for seq in range(1, 2501):
        _, command_chain = encode_journal_record(record(seq), command_chain)
        _, event_chain = encode_event_block(block(seq), event_chain)
        if seq in (1, 1024, 1025, 2500):
            assert journal.chains_at(seq) == (command_chain, event_chain)
    assert journal.chains_at(0) == (FIRST_CHAIN, FIRST_CHAIN)
    with pytest.raises(JournalError, match="Record 3001 is not in"):
        journal.chains_at(3001)


def test_long_appends_become_short_rows(url: str, journal: PostgresJournal) -> None:
    journal.append(records(1, 2500))
    wide = [block(seq, events=3000 if seq % 4 == 0 else 1) for seq in range(1, 21)]
    journal.append_events(wide)
    rows = change(url, "SELECT first_seq, last_seq, epoch FROM journal.commands ORDER BY 1")
    assert rows == [(1, 1024, 1), (1025, 2048, 1), (2049, 2500, 1)]
    sizes = change(url, "SELECT length(records) FROM journal.events")
    assert len(sizes) > 1
    assert max(sizes) <= (1 << 20,)
    assert list(journal.read_events()) == wide
    journal.verify()


def test_a_reader_sees_what_it_last_looked_at(url: str, journal: PostgresJournal) -> None:
    with contextlib.closing(PostgresJournal.open_for_reading(url)) as reader:
        assert (reader.last_seq, reader.epoch, reader.journal_id) == (0, 0, journal.journal_id)
        journal.append(records(1, 3))
        journal.append_events(blocks(1, 2))
        assert list(reader.read()) == []
        reader.refresh()
        assert (reader.last_seq, reader.last_event_seq) == (3, 2)
        assert list(reader.read(1)) == records(2, 3)
        assert list(reader.read_events(1)) == blocks(2, 2)
        with pytest.raises(JournalError, match="opened for reading"):
            reader.append(records(4, 4))


def test_venues_do_not_meet(url: str, journal: PostgresJournal) -> None:
    with contextlib.closing(PostgresJournal.lead(url, venue=2**32 - 1)) as other:
        assert other.journal_id != journal.journal_id
        journal.append(records(1, 2))
        other.append([record(1, venue=2**32 - 1)])
        assert (journal.last_seq, other.last_seq) == (2, 1)
        assert [one.venue for one in other.read()] == [2**32 - 1]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("SET records = set_byte(records, 400, get_byte(records, 400) # 1) WHERE first_seq = 11", "checksum"),
        ("SET records = substr(records, 1, length(records) - 1) WHERE first_seq = 11", "damaged at record 20"),
        ("SET chain = set_byte(chain, 0, get_byte(chain, 0) # 1) WHERE first_seq = 11", "chain"),
        ("SET chain_before = set_byte(chain_before, 0, get_byte(chain_before, 0) # 1) WHERE first_seq = 11", "chain"),
        ("SET last_seq = 19 WHERE first_seq = 11", "chain or length|is missing"),
    ],
)
@pytest.mark.parametrize("table", ["commands", "events"])
def test_harm_is_found(url: str, journal: PostgresJournal, table: str, harm: str, said: str) -> None:
    for first in (1, 11, 21):
        journal.append(records(first, first + 9))
        journal.append_events(blocks(first, first + 9))
    journal.verify()
    change(url, f"UPDATE journal.{table} {harm}")
    with pytest.raises(JournalError, match=said) as caught:
        journal.verify()
    assert f"journal.{table}" in str(caught.value)


def test_a_row_that_is_missing_is_found(url: str, journal: PostgresJournal) -> None:
    for first in (1, 11, 21):
        journal.append(records(first, first + 9))
    change(url, "DELETE FROM journal.commands WHERE first_seq = 11")
    with pytest.raises(JournalError, match=r"Record 11 is missing in journal\.commands"):
        journal.verify()
    with pytest.raises(JournalError, match="Record 15 is missing"):
        list(journal.read(14))


def test_old_rows_are_deleted_by_number(url: str, journal: PostgresJournal) -> None:
    for first in (1, 11, 21):
        journal.append(records(first, first + 9))
        journal.append_events(blocks(first, first + 9))
    chains = journal.chains_at(10)
    assert journal.retire(15) == 2
    assert (journal.first_seq, journal.first_event_seq) == (11, 11)
    assert journal.chains_at(10) == chains
    assert list(journal.read(10)) == records(11, 30)
    with pytest.raises(JournalGoneError, match="before 11"):
        list(journal.read(3))
    journal.verify()
    assert journal.retire(1000) == 2
    assert journal.first_seq == 21  # the last row stays: it says where the log goes on
    journal.close()
    with contextlib.closing(PostgresJournal.lead(url)) as again:
        again.append(records(31, 31))
        again.verify()


def test_tables_of_a_newer_release_are_refused(url: str, journal: PostgresJournal) -> None:
    journal.close()
    change(url, "UPDATE journal.version SET number = number + 1")
    for start in (PostgresJournal.lead, PostgresJournal.open_for_reading, PostgresJournal.prepare):
        with pytest.raises(JournalError, match=f"of form {len(MIGRATIONS) + 1}, made by a newer release"):
            start(url)


def test_where_there_is_no_journal_none_is_made_by_looking(url: str) -> None:
    with pytest.raises(JournalError, match="no journal in this database"):
        PostgresJournal.open_for_reading(url)
    PostgresJournal.prepare(url)
    with contextlib.closing(PostgresJournal.open_for_reading(url)) as reader:
        assert reader.last_seq == 0
    with pytest.raises(JournalError, match="no journal of venue 7"):
        PostgresJournal.open_for_reading(url, venue=7)


def test_a_database_that_is_not_there_is_said_without_the_password() -> None:
    with pytest.raises(DatabaseFailedError, match="cannot be reached") as caught:
        PostgresJournal.lead("postgresql://me:secret@127.0.0.1:1/nothing")
    assert "secret" not in str(caught.value)


def test_a_connection_that_was_kept_and_died_is_replaced(url: str, journal: PostgresJournal) -> None:
    journal.append(records(1, 2))
    assert list(journal.read()) == records(1, 2)
    change(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'onseju reader'")
    assert list(journal.read()) == records(1, 2)


@pytest.mark.parametrize("bits", [15, 31])
def test_a_log_goes_on_past_the_small_integers(url: str, journal: PostgresJournal, bits: int) -> None:
    """Numbers of few bits travel as such, and a sum of two of them must not be one of few bits, too."""
    log = journal._commands
    for first in ((1 << bits) - 65, (1 << bits) - 2, (1 << bits) - 1, 1 << bits):
        assert log._fetch(first, (1 << 40), 1024) == []
        assert log._fetch(first, first, 64) == []


def test_reading_after_any_number_goes_down_the_primary_key(url: str, journal: PostgresJournal) -> None:
    for first in range(1, 3001, 3):
        journal.append(records(first, first + 2))
    change(url, "ANALYZE journal.commands")
    log = TableLog("commands", 1, COMMANDS, Readers(url))
    values = {"venue": 1, "first": 1500, "count": 64, "last": 3000}
    with psycopg.connect(url) as connection:
        found = connection.execute(f"EXPLAIN {log.row_query(connection)}".encode(), values).fetchall()
    plan = "\n".join(row[0] for row in found)
    assert "Seq Scan" not in plan
    assert plan.count("using commands_pkey") == 2, plan
