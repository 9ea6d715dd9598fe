"""Every adapter of the journal port passes the same suite."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from onseju.journal.port import Journal
from onseju.journal.postgres import PostgresJournal
from onseju.journal.segments import SegmentJournal
from tests.contract.journal_contract import JournalContract, Open
from tests.servers import NewDatabase


class TestSegmentFiles(JournalContract):
    @pytest.fixture
    def open_journal(self, tmp_path: Path) -> Iterator[Open]:
        with contextlib.ExitStack() as journals:

            def open_one() -> Journal:
                journal = SegmentJournal.open(tmp_path / "journal", fsync=False)
                journals.callback(journal.close)
                return journal

            yield open_one


class TestSmallSegmentFiles(JournalContract):
    """The same with a new file every few records."""

    @pytest.fixture
    def open_journal(self, tmp_path: Path) -> Iterator[Open]:
        with contextlib.ExitStack() as journals:

            def open_one() -> Journal:
                journal = SegmentJournal.open(tmp_path / "journal", fsync=False, segment_bytes=8000)
                journals.callback(journal.close)
                return journal

            yield open_one


class TestPostgres(JournalContract):
    @pytest.fixture
    def open_journal(self, new_database: NewDatabase) -> Iterator[Open]:
        url = new_database()
        with contextlib.ExitStack() as journals:

            def open_one() -> Journal:
                journal = PostgresJournal.lead(url)
                journals.callback(journal.close)
                return journal

            yield open_one
