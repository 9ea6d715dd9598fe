"""Both databases for every test of identity that takes a `place`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import NewDatabase
from tests.unit.identity.places import Place


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database."""
    if request.param == "sqlite":
        return Place(tmp_path, tmp_path / "identity.db")
    return shared_place(request, tmp_path)


@pytest.fixture
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database that many gateways may use."""
    return shared_place(request, tmp_path)


def shared_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A database on the run's PostgreSQL, which is started only where a test wants it."""
    new_database: NewDatabase = request.getfixturevalue("new_database")
    return Place(tmp_path, new_database())
