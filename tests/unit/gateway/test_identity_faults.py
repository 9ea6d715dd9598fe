"""Identity's database fails while people sign up and log in: 503 with a reason, nothing half done, and all goes on after."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from onseju.contract.events import BalanceChanged
from onseju.gateway import keys, users
from onseju.identity import database, service
from tests.unit.gateway.served import PASSWORD, Served, Venue

Fault = Callable[[Venue], Any]


@pytest.fixture
def server(venue: Venue) -> Iterator[Served]:
    with venue.served(users.operations, keys.operations) as served:
        yield served


def pragma(venue: Venue, text: str) -> Any:
    """Say something to identity's own connection, on its own thread."""

    def say() -> Any:
        connection = venue.identity._store._engine.raw_connection()
        try:
            found = cast("sqlite3.Connection", connection.driver_connection).execute(f"PRAGMA {text}").fetchone()
        finally:
            connection.close()
        return found and found[0]

    return venue.identity._thread.submit(say).result()


@contextmanager
def locked(venue: Venue) -> Iterator[None]:
    """Another program holds the file, for longer than anybody waits."""
    pragma(venue, "busy_timeout = 50")
    other = sqlite3.connect(venue.settings.data_dir / "identity.db", isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


@contextmanager
def unwritable(venue: Venue) -> Iterator[None]:
    pragma(venue, "query_only = ON")
    yield
    pragma(venue, "query_only = OFF")


@contextmanager
def damaged(venue: Venue) -> Iterator[None]:
    path = venue.settings.data_dir / "identity.db"
    whole = path.read_bytes()
    path.write_bytes(b"spoilt" * 4096)
    yield
    path.write_bytes(whole)


@contextmanager
def full(venue: Venue) -> Iterator[None]:
    """The file cannot grow by a page; what room there was in it is taken."""
    pragma(venue, f"max_page_count = {pragma(venue, 'page_count')}")
    add = venue.identity._store.add_user

    def fill() -> None:
        for number in range(1000):
            add(f"s{number:03}", "x" * 60, "user", 1)  # shorter than any that comes

    with pytest.raises(sa.exc.OperationalError, match="full"):
        venue.identity._thread.submit(fill).result()
    yield
    pragma(venue, "max_page_count = 1073741823")


FAULTS = [(locked, "users_unavailable"), (unwritable, "users_unavailable"), (damaged, "users_unavailable")]


def rows(venue: Venue, table: str) -> int:
    with sqlite3.connect(venue.settings.data_dir / "identity.db") as other:
        found: int = other.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    other.close()
    return found


def post(client: httpx.Client, path: str, name: str) -> httpx.Response:
    return client.post(path, json={"name": name, "password": PASSWORD})


def refused(answer: httpx.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, code), answer.text
    assert answer.headers["Retry-After"]
    assert answer.json()["retryable"]
    assert PASSWORD not in answer.text


@pytest.mark.parametrize(("fault", "code"), [*FAULTS, (full, "disk_full")])
def test_signing_up_and_logging_in(venue: Venue, server: Served, fault: Fault, code: str) -> None:
    with server.client() as client, capture_logs() as logs:
        assert post(client, "/v1/users", "first").status_code == 201
        with fault(venue):
            commands = len(venue.bus.blocks)
            refused(post(client, "/v1/users", "second"), code)
            answer = post(client, "/v1/session", "first")
            if fault is not full:  # a session is a short row, for which there may be room
                refused(answer, code)
                assert "set-cookie" not in answer.headers
            assert len(venue.bus.blocks) == commands, "an account was opened for a user who is not there"
        if fault is not full:
            assert (rows(venue, "users"), rows(venue, "sessions")) == (1, 0)
        assert post(client, "/v1/users", "second").status_code == 201
        assert post(client, "/v1/session", "second").status_code == 201
    told = [line for line in logs if line["event"] == "identity_unavailable"]
    assert len(told) == (code == "users_unavailable"), "told once, not at each request"
    assert not [line for line in logs if line["event"] == "unexpected error"]
    assert PASSWORD not in str(logs)
    assert "argon2" not in str(logs)


@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_keys_and_sessions_in_use_go_on(venue: Venue, server: Served, fault: Fault, code: str) -> None:
    with server.client() as client, server.client() as bot:
        post(client, "/v1/users", "first")
        answer = post(client, "/v1/session", "first")
        client.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        made = client.post("/v1/api-keys", json={"name": "bot"}).json()
        bot.headers["Authorization"] = f"Bearer {made['api_key']}"
        assert bot.get("/v1/session").status_code == 200
        with fault(venue):
            assert bot.get("/v1/session").status_code == 200
            assert client.get("/v1/session").status_code == 200
            refused(client.post("/v1/api-keys", json={"name": "another"}), code)
            refused(client.delete(f"/v1/api-keys/{made['key_id']}"), code)
            refused(client.delete("/v1/session"), code)
            if fault is not unwritable:  # which can still be read
                unknown = {"Authorization": "Bearer ok00000000000000000.abcdefghij"}
                refused(bot.get("/v1/session", headers=unknown), code)
        assert [key["key_id"] for key in client.get("/v1/api-keys").json()["keys"]] == [made["key_id"]]
        assert client.delete("/v1/session").status_code == 204
        assert client.get("/v1/session").status_code == 401


@pytest.mark.parametrize("written", range(3))
def test_a_sign_up_that_lost_its_database_in_the_middle_is_finished_by_the_next_try(
    venue: Venue, server: Served, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """The database takes so many of a sign-up's transactions, then it is locked."""
    left = [written]
    begin = venue.identity._run

    async def run(work: Callable[..., Any], *arguments: object) -> Any:
        if work.__name__ in ("user_by_name", "add_user", "mark_ready"):
            if not left[0]:
                raise service.DatabaseUnavailableError
            left[0] -= 1
        return await begin(work, *arguments)

    with server.client() as client:
        monkeypatch.setattr(venue.identity, "_run", run)
        refused(post(client, "/v1/users", "first"), "users_unavailable")
        monkeypatch.undo()
        made = post(client, "/v1/users", "first")
        assert made.status_code == 201, made.text
        assert post(client, "/v1/users", "first").json()["code"] == "name_taken"
    assert rows(venue, "users") == 1
    account = made.json()["account_id"]
    events = [event for block in venue.bus.blocks for event in block.events if isinstance(event, BalanceChanged)]
    (cash,) = {event.cash for event in events if event.account == account and event.cash}
    assert cash == venue.settings.starting_cash, "play money once"


def test_no_more_wait_for_a_locked_database_than_may(
    venue: Venue, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_WAITING", 0)
    with server.client() as client:
        refused(post(client, "/v1/users", "first"), "users_unavailable")


def test_a_lock_is_not_waited_for_long(venue: Venue) -> None:
    assert pragma(venue, "busy_timeout") == database.LOCK_WAIT_S * 1000 <= 2000
