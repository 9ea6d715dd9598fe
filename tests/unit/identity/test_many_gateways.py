"""Many gateways on one PostgreSQL: what one changes holds at all, and what they do at once is as if one had done it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from structlog.testing import capture_logs

from onseju.identity import gateways as gateways_module
from onseju.identity import together
from onseju.identity.master import FILE_NAME
from onseju.identity.postgres import PostgresDatabase, cut
from onseju.identity.records import (
    DatabaseFullError,
    DatabaseUnavailableError,
    DatabaseUnusableError,
    NameTakenError,
    TooManyKeysError,
    User,
    WrongPasswordError,
)
from onseju.identity.service import IdentityService
from onseju.identity.store import MAX_KEYS_PER_USER, MAX_SESSIONS_PER_USER, Store
from onseju.identity.together import next_gateway_epoch
from onseju.scaled.postgres_server import PostgresServer
from tests.unit.identity.places import Place

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse 말"
WITHIN_S = 20.0


@contextlib.asynccontextmanager
async def gateways(place: Place, number: int = 2, **more: Any) -> AsyncIterator[list[IdentityService]]:
    """So many services on one database."""
    services = [place.open(hasher=QUICK, **more) for _ in range(number)]
    try:
        yield services
    finally:
        await asyncio.gather(*(service.close() for service in services))


async def until(holds: Callable[[], Any], within_s: float = WITHIN_S) -> None:
    """Wait until it holds, or fail."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


def execute(place: Place, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(str(place.database), autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def test_what_one_gateway_changes_ends_at_all_without_their_asking_the_database(shared: Place) -> None:
    """An hour's trust, so that nothing ends by growing old here: the notice alone ends it."""

    async def test() -> None:
        async with gateways(shared, cache_s=3600.0) as (one, other):
            kim = await one.sign_up("kim", PASSWORD)
            key = await one.create_key(kim.user_id, "bot", ["read"])
            revoked, kept = key, await one.create_key(kim.user_id, "other", ["read"])
            logged_out, changed = (await one.log_in("kim", PASSWORD), await one.log_in("kim", PASSWORD))
            for bearer in (revoked, kept):
                assert await other.key(bearer) is not None
                assert other.cached_key(bearer) is not None
            for session in (logged_out, changed):
                assert await other.session(session.token) is not None

            await one.delete_key(kim.user_id, revoked.partition(".")[0])
            await until(lambda: other.cached_key(revoked) is None)
            assert other.cached_key(kept) is not None
            assert await other.key(revoked) is None

            await one.log_out(logged_out.token)
            await until(lambda: not other.remembers_session(logged_out.token))
            assert other.remembers_session(changed.token)
            assert await other.session(logged_out.token) is None

            await one.set_password(kim.user_id, "another password")
            await until(lambda: not other.remembers_session(changed.token))
            assert await other.session(changed.token) is None

            moved = await one.move_account(kim.user_id, kim.account_id)
            await until(lambda: other.cached_key(kept) is None)
            principal = await other.key(kept)
            assert principal is not None
            assert principal.account_id == moved.account_id == kim.account_id + 1

            replaced = await one.create_key(kim.user_id, "other", ["read"], replace=True)
            await until(lambda: other.cached_key(kept) is None)
            assert await other.key(kept) is None
            assert await other.key(replaced) is not None

            sessions = [await one.log_in("kim", "another password") for _ in range(MAX_SESSIONS_PER_USER)]
            assert await other.session(sessions[0].token) is not None
            await one.log_in("kim", "another password")
            ended = [session for session in sessions if await one.session(session.token) is None]
            assert len(ended) == 1
            await until(lambda: not other.remembers_session(ended[0].token) or ended[0] is not sessions[0])

    asyncio.run(test())


def test_who_cannot_hear_trusts_nothing_longer_than_the_setting_says(shared: Place) -> None:
    """The listener's line is cut again and again, and cannot be made anew: a key revoked meanwhile ends all the same."""

    async def test() -> None:
        async with gateways(shared, cache_s=0.5) as (one, other):
            kim = await one.sign_up("kim", PASSWORD)
            key = await one.create_key(kim.user_id, "bot", ["read"])
            assert await other.key(key) is not None
            assert other.shared is not None
            connect, deaf = other.shared.listener._connect, threading.Event()

            def refuse() -> psycopg.Connection:
                if deaf.is_set():
                    raise psycopg.OperationalError("the line is cut")
                return connect()

            other.shared.listener._connect = refuse
            deaf.set()
            listener = other.shared.listener
            assert listener._connection is not None
            cut(listener._connection)
            await until(lambda: listener._connection is None)
            await one.delete_key(kim.user_id, key.partition(".")[0])
            began = time.monotonic()
            await until(lambda: other.cached_key(key) is None)
            assert await other.key(key) is None
            assert time.monotonic() - began < WITHIN_S
            later = await one.create_key(kim.user_id, "bot", ["read"])
            assert await other.key(later) is not None
            await until(lambda: other.cached_key(later) is None)
            assert await other.key(later) is not None, "old, not wrong: the database is asked again"
            deaf.clear()
            await until(lambda: listener._connection is not None)
            assert await other.key(later) is not None
            await one.delete_key(kim.user_id, later.partition(".")[0])
            await until(lambda: other.cached_key(later) is None)

    asyncio.run(test())


def test_what_changed_while_nobody_listened_is_not_trusted_afterwards(shared: Place) -> None:
    async def test() -> None:
        async with gateways(shared, cache_s=3600.0) as (one, other):
            kim = await one.sign_up("kim", PASSWORD)
            key = await one.create_key(kim.user_id, "bot", ["read"])
            assert await other.key(key) is not None
            assert other.shared is not None
            listener, hears = other.shared.listener, threading.Event()
            connect = listener._connect

            def later() -> psycopg.Connection:
                assert hears.wait(WITHIN_S)
                return connect()

            listener._connect = later
            assert listener._connection is not None
            cut(listener._connection)
            await until(lambda: listener._connection is None)
            await one.delete_key(kim.user_id, key.partition(".")[0])
            assert other.cached_key(key) is not None, "else this shows nothing"
            hears.set()
            await until(lambda: other.cached_key(key) is None)
            assert await other.key(key) is None

    asyncio.run(test())


def test_proofs_that_nothing_was_missed_keep_what_is_remembered(shared: Place) -> None:
    async def test() -> None:
        async with gateways(shared, 1, cache_s=2.0) as (one,):
            kim = await one.sign_up("kim", PASSWORD)
            key = await one.create_key(kim.user_id, "bot", ["read"])
            assert await one.key(key) is not None
            assert one.shared is not None
            began = time.monotonic()
            listener = one.shared.listener
            await until(lambda: listener.take()[0] > began + 2.5)
            assert one.cached_key(key) is not None

    asyncio.run(test())


def test_what_was_read_before_a_change_and_came_back_after_it_is_not_kept(shared: Place) -> None:
    async def test() -> None:
        async with gateways(shared, cache_s=3600.0) as (one, other):
            kim = await one.sign_up("kim", PASSWORD)
            key = await one.create_key(kim.user_id, "bot", ["read"])
            read, go_on = threading.Event(), threading.Event()
            find = other._store.key

            def slow(key_id: str) -> Any:
                found = find(key_id)
                read.set()
                assert go_on.wait(WITHIN_S)
                return found

            other._store.key = slow  # type: ignore[method-assign]
            reading = asyncio.create_task(other.key(key))
            await until(read.is_set)
            await one.delete_key(kim.user_id, key.partition(".")[0])
            assert other.shared is not None
            listener = other.shared.listener
            await until(lambda: listener._pending)
            go_on.set()
            assert await reading is not None, "it was asked before the key was revoked"
            assert other.cached_key(key) is None

    asyncio.run(test())


def test_users_made_at_many_gateways_at_once_have_numbers_of_their_own(shared: Place) -> None:
    async def test() -> None:
        async with gateways(shared, 3) as services:
            users = await asyncio.gather(
                *(services[number % 3].create_user(f"user-{number}", "bot") for number in range(45))
            )
            assert sorted(user.account_id for user in users) == list(range(1, 46))
            assert len({user.user_id for user in users}) == 45
            moved = await asyncio.gather(
                *(services[number % 3].move_account(user.user_id, user.account_id) for number, user in enumerate(users))
            )
            assert sorted(user.account_id for user in moved) == list(range(46, 91))
            again = await asyncio.gather(
                *(service.move_account(users[0].user_id, moved[0].account_id) for service in services)
            )
            assert {user.account_id for user in again} == {91}, "moved once"

    asyncio.run(test())


def test_of_many_gateways_exactly_one_gives_a_name_away(shared: Place) -> None:
    async def test() -> None:
        async with gateways(shared, 3) as services:
            for name in ("Dragon", "용용용"):
                cases = [name, name.lower(), name.upper()] * 6
                results = await asyncio.gather(
                    *(services[number % 3].sign_up(case, PASSWORD) for number, case in enumerate(cases)),
                    return_exceptions=True,
                )
                assert sum(isinstance(result, User) for result in results) == 1
                assert sum(isinstance(result, NameTakenError) for result in results) == len(cases) - 1

    asyncio.run(test())


def test_bounds_of_a_user_hold_over_all_gateways(shared: Place) -> None:
    async def test() -> None:
        async with gateways(shared, 3) as services:
            kim = await services[0].create_user("kim", "bot")
            made = await asyncio.gather(
                *(services[n % 3].create_key(kim.user_id, f"k{n}", ["read"]) for n in range(MAX_KEYS_PER_USER + 10)),
                return_exceptions=True,
            )
            assert sum(isinstance(result, TooManyKeysError) for result in made) == 10
            assert len(await services[0].list_keys(kim.user_id)) == MAX_KEYS_PER_USER
            await asyncio.gather(*(services[n % 3].start_session(kim) for n in range(MAX_SESSIONS_PER_USER + 15)))
            assert execute(shared, "SELECT count(*) FROM identity.sessions") == [(MAX_SESSIONS_PER_USER,)]

    asyncio.run(test())


def test_who_proved_a_password_that_is_changed_meanwhile_gets_no_session(place: Place) -> None:
    async def test() -> None:
        async with gateways(place, 1) as (one,):
            await one.sign_up("kim", PASSWORD)
            proved = await one.check_password("kim", PASSWORD)
            await one.set_password(proved.user_id, "another password")
            with pytest.raises(WrongPasswordError):
                await one.start_session(proved)

    asyncio.run(test())


def test_a_renewed_hash_does_not_bring_an_earlier_password_back(place: Place) -> None:
    store = Store(place.database if isinstance(place.database, Path) else PostgresDatabase(place.database))
    kim = store.add_user("kim", "old", "user", 1)
    store.set_password(kim.user_id, "new")
    store.renew_hash(kim.user_id, "old, renewed", "old")
    found = store.user_by_name("kim")
    store.close()
    assert found is not None
    assert found[1] == "new"


def test_texts_and_numbers_that_a_column_cannot_hold_are_nobodys(place: Place) -> None:
    async def test() -> None:
        async with gateways(place, 1) as (one,):
            await one.sign_up("kim", PASSWORD)
            assert await one.user_by_name("ki\0m") is None
            assert await one.user(2**40) is None
            assert [user.name for user in await one.list_users(2**62)] == ["kim"]
            assert await one.key("a\0b.c") is None
            assert await one.delete_key(1, "a\0b") is False
            with pytest.raises(WrongPasswordError):
                await one.log_in("ki\0m", PASSWORD)

    asyncio.run(test())


def test_gateways_that_start_at_once_bring_the_tables_there_once(shared: Place) -> None:
    """In processes of their own, as gateways are; the migrations' own helper allows one at a time in each."""

    async def start() -> int:
        script = (
            "import sys\nfrom onseju.identity.postgres import PostgresDatabase\nfrom onseju.identity.store import Store\n"
            "Store(PostgresDatabase(sys.argv[1])).close()"
        )
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(shared.database))
        return await child.wait()

    async def test() -> None:
        assert await asyncio.gather(start(), start(), start()) == [0, 0, 0]

    asyncio.run(test())
    assert execute(shared, "SELECT version_num FROM identity.alembic_version") == [("0003",)]
    tables = execute(
        shared, "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename IN ('users', 'sessions', 'facts')"
    )
    assert tables == [("identity",)]


def test_one_master_signs_for_all_gateways_and_another_one_is_refused(shared: Place) -> None:
    async def test() -> None:
        async with gateways(shared, 1) as (one,):
            kim = await one.create_user("kim", "bot")
            key_id, _, secret = (await one.create_key(kim.user_id, "bot", ["read"], signed=True)).partition(".")
            text = (shared.directory / FILE_NAME).read_bytes().hex()
            async with gateways(shared, 1, signing=text) as (other,):
                signer = await other.signer(key_id)
                assert signer is not None
                assert signer[1] == secret
            with pytest.raises(DatabaseUnusableError, match="missing"):
                shared.open(signing=shared.directory / "elsewhere.key")
            assert not (shared.directory / "elsewhere.key").exists()
            (shared.directory / "elsewhere.key").write_bytes(b"x" * 32)
            with pytest.raises(DatabaseUnusableError, match="not the signing key of the other"):
                shared.open(signing=shared.directory / "elsewhere.key")
            for text in ("", "abc", "ä" * 64, "00" * 31):
                with pytest.raises(DatabaseUnusableError, match="64 hex digits"):
                    shared.open(signing=text)
        assert execute(shared, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == [(1,)]
        with pytest.raises(ValueError, match="signing"):
            IdentityService.open(str(shared.database))

    asyncio.run(test())


def test_a_nonce_works_once_at_all_gateways_and_is_forgotten(shared: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with gateways(shared, 3) as services:
            now = time.time_ns() // 1000
            for nonce in ("one", "two"):
                used = await asyncio.gather(
                    *(s.shared.use_nonce("k", nonce, now + 5_000_000, now) for s in services * 5 if s.shared)
                )
                assert sum(used) == 1
            assert services[0].shared is not None
            assert await services[0].shared.use_nonce("other", "one", now, now)
            monkeypatch.setattr(together, "SKEW_US", 0)
            assert await services[0].shared.use_nonce("k", "old", now - 1, now)
            assert await services[0].shared.use_nonce("k", "new", now + 10**9, now + 10**7)
            assert execute(shared, "SELECT nonce FROM identity.nonces WHERE nonce IN ('old', 'new')") == [("new",)]

    asyncio.run(test())


def test_guesses_at_a_name_are_counted_over_all_gateways(shared: Place) -> None:
    async def test() -> None:
        async with gateways(shared, 3) as services:
            common = [service.shared for service in services if service.shared]
            taken = await asyncio.gather(*(one.take_guess(b"k" * 16, 0.01, 4) for one in common * 5))
            assert sum(taken) == 4
            await common[0].give_guess_back(b"k" * 16, 0.01)
            taken = await asyncio.gather(*(one.take_guess(b"k" * 16, 0.01, 4) for one in common))
            assert sum(taken) == 1
            assert await common[0].take_guess(b"l" * 16, 1_000_000.0, 1)
            assert await common[1].take_guess(b"m" * 16, 0.01, 1)
            assert execute(shared, "SELECT count(*) FROM identity.guesses WHERE name_hash = %s", b"l" * 16) == [(0,)]

    asyncio.run(test())


def test_a_gateways_epochs_grow_whoever_asks_and_whatever_is_put_back(shared: Place) -> None:
    url = str(shared.database)
    first = next_gateway_epoch(url, 1)
    assert abs(first - time.time()) < 60
    assert first < 2**32
    assert next_gateway_epoch(url, 1) > first
    execute(shared, "UPDATE identity.gateway_epochs SET epoch = %s", 2**32 - 10)
    database = PostgresDatabase(url)
    with ThreadPoolExecutor(4) as threads:
        epochs = list(threads.map(lambda _: together.next_epoch(database, 1), range(8)))
    database.close()
    assert sorted(epochs) == [2**32 - 10 + number for number in range(1, 9)]
    assert next_gateway_epoch(url, 2) < 2**31
    execute(shared, "DELETE FROM identity.gateway_epochs")
    assert next_gateway_epoch(url, 1) >= first, "of an older copy, not again from 1"
    with pytest.raises(ValueError, match="numbered from 1"):
        next_gateway_epoch(url, 0)


def test_a_database_that_cannot_be_opened_is_told_without_its_password(shared: Place) -> None:
    for url in (
        "postgresql://u:canary@127.0.0.1:1/x",
        "postgresql://u:canary@127.0.0.1:99999/x",
        "postgresql://[canary",
    ):
        with pytest.raises(DatabaseUnusableError) as raised:
            IdentityService.open(url, signing=shared.directory / "k")
        assert "canary" not in str(raised.value)


def test_an_error_of_the_database_carries_no_hash(shared: Place) -> None:
    store = Store(PostgresDatabase(str(shared.database)))
    execute(shared, "DROP TABLE identity.users CASCADE")
    with pytest.raises(sa.exc.ProgrammingError, match="does not exist") as raised:
        store.add_user("kim", "canary-hash", "user", 1)
    store.close()
    assert "canary-hash" not in str(raised.value)


def test_a_transaction_undone_for_anothers_sake_is_run_again(shared: Place) -> None:
    database = PostgresDatabase(str(shared.database))
    Store(database)
    tries = 0

    def work(connection: sa.Connection) -> int:
        nonlocal tries
        tries += 1
        if tries < 3:
            connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'undone' USING ERRCODE = '40P01'; END $$")
        return tries

    assert database.transact(work) == 3
    database.close()


def test_a_full_disk_is_told_as_such(shared: Place) -> None:
    """The server's own word for it, from a trigger: a disk of its own would need root's rights."""

    async def test() -> None:
        async with gateways(shared, 1) as (one,):
            execute(
                shared,
                "CREATE FUNCTION identity.no_room() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$",
            )
            execute(
                shared,
                "CREATE TRIGGER full_disk BEFORE INSERT ON identity.users EXECUTE FUNCTION identity.no_room()",
            )
            with pytest.raises(DatabaseFullError):
                await one.sign_up("kim", PASSWORD)
            execute(shared, "DROP TRIGGER full_disk ON identity.users")
            assert (await one.sign_up("kim", PASSWORD)).account_id == 1

    asyncio.run(test())


def test_a_server_lost_and_back_is_used_again_by_itself(open_folder: Path, tmp_path: Path) -> None:
    server = PostgresServer(open_folder / "lost")
    server.start()

    async def test() -> None:
        async with gateways(Place(tmp_path, server.url), 2, cache_s=0.5) as (one, other):
            kim = await one.sign_up("kim", PASSWORD)
            key = await one.create_key(kim.user_id, "bot", ["read"])
            assert await other.key(key) is not None
            server.kill()
            for _ in range(3):
                with pytest.raises(DatabaseUnavailableError):
                    await one.sign_up("lee", PASSWORD)
            results = await asyncio.gather(*(one.user(1) for _ in range(200)), return_exceptions=True)
            assert all(isinstance(result, DatabaseUnavailableError) for result in results)
            await until(lambda: other.cached_key(key) is None)
            with pytest.raises(DatabaseUnavailableError):
                await other.key(key)
            server.start()
            end = time.monotonic() + WITHIN_S
            while True:
                try:
                    assert (await one.sign_up("lee", PASSWORD)).account_id == 2
                    break
                except DatabaseUnavailableError:
                    assert time.monotonic() < end
                    await asyncio.sleep(0.05)
            while True:  # each of them finds out by itself
                try:
                    assert await other.key(key) is not None
                    break
                except DatabaseUnavailableError:
                    assert time.monotonic() < end
                    await asyncio.sleep(0.05)
            await one.delete_key(kim.user_id, key.partition(".")[0])
            await until(lambda: other.cached_key(key) is None)

    with capture_logs() as logs:
        try:
            asyncio.run(test())
        finally:
            server.stop()
    events = [line["event"] for line in logs]
    assert events.count("identity_unavailable") == 2, "once each, not at each request"
    assert "identity_available" in events


def test_a_server_that_hangs_is_not_waited_for_long(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its processes are paused, as a machine that swaps or a network that swallows: no answer, and no error."""
    monkeypatch.setattr(gateways_module, "ANSWER_S", 0.5)
    server = PostgresServer(open_folder / "hangs")
    server.start()

    async def test() -> None:
        place = Place(tmp_path, server.url)
        service, ending = (place.open(hasher=QUICK, cache_s=0.5) for _ in range(2))
        kim = await service.sign_up("kim", PASSWORD)
        key = await service.create_key(kim.user_id, "bot", ["read"])
        assert await ending.key(key) is not None
        with paused(server.pid):
            with pytest.raises(DatabaseUnavailableError):
                await service.user(1)
            await until(lambda: ending.cached_key(key) is None)
            with pytest.raises(DatabaseUnavailableError):
                await ending.key(key)
            await ending.close()
        assert await service.key(key) is not None
        await service.close()

    try:
        asyncio.run(test())
    finally:
        server.stop()


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """A process and its children stand still."""
    children = [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    for each in (pid, *children):
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in (pid, *children):
            os.kill(each, signal.SIGCONT)
