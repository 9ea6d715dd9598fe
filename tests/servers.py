"""Real servers for tests, from the installed packages: they fail in CI, and are skipped elsewhere, where one is missing."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from onseju.scaled.postgres_server import MISSING, PostgresServer, executable
from onseju.scaled.rocketmq_jars import lacks
from onseju.scaled.rocketmq_server import RocketServer

NewDatabase = Callable[[], str]


def lacking(what: str) -> None:
    """End the test because the machine lacks something."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that a server's own user can reach, which pytest's are not."""
    folder = Path(tempfile.mkdtemp(prefix="onseju-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(open_folder: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL that the tests of a run share."""
    if executable("postgres") is None:
        lacking(MISSING)
    server = PostgresServer(open_folder / "postgres", settings={"fsync": "off"})  # no test cuts the power
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def new_database(postgres: PostgresServer) -> NewDatabase:
    """Makes an empty database, and gives its URL."""
    numbers = itertools.count(1)

    def make() -> str:
        name = f"test{next(numbers)}"
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return postgres.url_of(name)

    return make


@pytest.fixture(scope="session")
def rocketmq(open_folder: Path) -> Iterator[RocketServer]:
    """A RocketMQ that the tests of a run share, without topics: each module makes its own. Who ends it starts it again."""
    missing = lacks()
    if missing is not None:
        lacking(missing)
    server = RocketServer(open_folder / "rocketmq")
    server.start()
    yield server
    server.kill()  # nobody wants what it holds, and an orderly end takes ten seconds
