"""New tables in each database: a test that makes its tables here runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from onseju.projections.places import Place, PostgresTables
from tests.servers import NewDatabase

NewTables = Callable[[], Place]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_tables(new_database: NewDatabase) -> NewTables:
    """Places for tables in one PostgreSQL database, a schema each."""
    url = new_database()
    return lambda: PostgresTables(url, f"tables{next(_numbers)}")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def new_tables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewTables:
    """Gives a place for tables that has none yet."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_tables")  # type: ignore[no-any-return]
    folder: Path = tmp_path_factory.mktemp("tables")
    return lambda: folder / f"{next(_numbers)}.db"


@pytest.fixture
def database(new_tables: NewTables) -> Place:
    """A test's own place for tables."""
    return new_tables()
