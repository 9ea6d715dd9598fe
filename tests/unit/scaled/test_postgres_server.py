"""A PostgreSQL of our own: it starts, ends, and is there again with what it held, also after a crash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from onseju.scaled.postgres_server import PostgresServer, ServerError, executable
from tests.servers import lacking


@pytest.fixture
def server(open_folder: Path, request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    if executable("postgres") is None:
        lacking("PostgreSQL is missing")
    server = PostgresServer(open_folder / request.node.name)
    yield server
    server.stop()


def test_what_was_committed_is_there_after_a_crash(server: PostgresServer) -> None:
    server.start()
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    server.kill()
    server.start()
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_it_wants_the_password(server: PostgresServer) -> None:
    server.start()
    wrong = server.url.replace(server.url.split(":")[2].split("@")[0], "guessed")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong)
    assert (server.directory / "password").stat().st_mode & 0o077 == 0


def test_stopping_twice_is_harmless(server: PostgresServer) -> None:
    server.start()
    server.stop()
    server.stop()
    with pytest.raises(ServerError, match="not running"):
        _ = server.pid


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root runs it as oneself")
def test_a_folder_out_of_reach_is_named(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ServerError, match="closed is closed to others"):
        PostgresServer(closed / "pg").start()
