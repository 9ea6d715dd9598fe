"""Identity on a real SQLite file and a real PostgreSQL: what survives a restart, who gets in, who does not."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from onseju.identity.postgres import PostgresDatabase
from onseju.identity.records import (
    InvalidNameError,
    InvalidPasswordError,
    NameTakenError,
    TooManyKeysError,
    WrongPasswordError,
)
from onseju.identity.service import IdentityService
from onseju.identity.store import MAX_KEYS_PER_USER, MAX_SESSIONS_PER_USER, Store
from onseju.identity.tokens import csrf_token
from tests.unit.identity.places import Place

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse 말"
HOUR_US = 3_600_000_000


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_795_000_000_000_000

    def __call__(self) -> int:
        return self.now


@contextlib.asynccontextmanager
async def opened(place: Place, clock: Clock | None = None, hours: int = 1) -> AsyncIterator[IdentityService]:
    service = place.open(clock=clock or Clock(), hasher=QUICK, session_hours=hours)
    try:
        yield service
    finally:
        await service.close()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_users_sessions_and_keys_survive_a_restart(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            first = await identity.sign_up("김철수", PASSWORD)
            second = await identity.sign_up("trader-2", PASSWORD)
            await identity.create_user("no-password", "bot")
            assert await identity.unready_users() == [first, second]
            await identity.mark_account_ready(first.user_id)
            assert await identity.unready_users() == [second]
            log_in = await identity.log_in("김철수", PASSWORD)
            key = await identity.create_key(first.user_id, "bot", ["read"])
        assert (first.account_id, second.account_id) == (1, 2)
        assert (len(first.owner), first.owner == second.owner) == (16, False)
        async with opened(place) as identity:
            again = await identity.user_by_name("김철수")
            assert again is not None
            assert again.account_ready
            assert (again.account_id, again.owner) == (first.account_id, first.owner)
            principal = await identity.session(log_in.token)
            assert principal is not None
            assert (principal.account_id, principal.via, principal.scopes) == (
                1,
                "session",
                frozenset({"read", "trade"}),
            )
            assert identity.cached_key(key) is None
            by_key = await identity.key(key)
            assert by_key is not None
            assert (by_key.via, by_key.scopes, by_key.name) == ("key", frozenset({"read"}), "김철수")
            assert identity.cached_key(key) == by_key
            third = await identity.sign_up("third", PASSWORD)
            assert third.account_id == 4

    run(test)


def test_of_many_who_want_one_name_exactly_one_gets_it(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            names = ["Dragon", "dragon", "DRAGON", "dRagon"] * 5
            results = await asyncio.gather(
                *(identity.sign_up(name, PASSWORD) for name in names), return_exceptions=True
            )
            refused = [result for result in results if isinstance(result, BaseException)]
            assert len(refused) == len(names) - 1
            assert all(isinstance(result, NameTakenError) for result in refused)
            assert len(await identity.list_users()) == 1

    run(test)


def test_concurrent_sign_ups_get_account_numbers_of_their_own(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            users = await asyncio.gather(*(identity.sign_up(f"user-{number}", PASSWORD) for number in range(20)))
            assert sorted(user.account_id for user in users) == list(range(1, 21))
            assert [user.user_id for user in await identity.list_users(9, 3)] == [8, 7, 6]

    run(test)


@pytest.mark.parametrize("name", ["", "a", "a" * 33, "a b", "<script>", "a\x00b", "naïve", "аdmin", "김", "a/b", "a\n"])
def test_names_that_cannot_be(place: Place, name: str) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            with pytest.raises(InvalidNameError):
                await identity.sign_up(name, PASSWORD)
            assert await identity.list_users() == []

    run(test)


@pytest.mark.parametrize("password", ["", "short77", "a" * 257, "가" * 86])
def test_passwords_that_cannot_be(place: Place, password: str) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            with pytest.raises(InvalidPasswordError):
                await identity.sign_up("kim", password)
            assert await identity.list_users() == []

    run(test)


def test_a_name_or_password_typed_in_parts_is_the_same(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            composed, parts = "\uac00\ub098\ub2e4\ub77c", "\u1100\u1161\u1102\u1161\u1103\u1161\u1105\u1161"
            user = await identity.sign_up(parts, composed * 3)
            assert user.name == composed
            assert (await identity.log_in(composed, parts * 3)).user == user

    run(test)


def test_wrong_passwords_and_unknown_names(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            await identity.sign_up("kim", PASSWORD)
            await identity.create_user("no-password", "bot")
            for name, password in [
                ("kim", PASSWORD + "x"),
                ("kim", ""),
                ("kim", "x" * 10_000),
                ("lee", PASSWORD),
                ("no-password", ""),
                ("no-password", "nobody has this password"),
                ("' OR 1=1 --", PASSWORD),
                ("x" * 100_000, PASSWORD),
            ]:
                with pytest.raises(WrongPasswordError):
                    await identity.log_in(name, password)
            assert (await identity.log_in("KIM", PASSWORD)).user.name == "kim"

    run(test)


def test_a_name_that_nobody_has_costs_a_log_in_as_much_work(place: Place) -> None:
    class Counting(PasswordHasher):
        checked = 0

        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            type(self).checked += 1
            return super().verify(hash, password)

    async def test() -> None:
        hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
        identity = place.open(hasher=hasher)
        await identity.sign_up("trader", PASSWORD)
        await identity.create_user("no-password", "bot")
        for checks, name in enumerate(("trader", "nobody", "no-password"), 1):
            with pytest.raises(WrongPasswordError):
                await identity.log_in(name, "another password")
            assert Counting.checked == checks, "else the time it takes tells which names there are"
        await identity.close()

    run(test)


def test_a_session_ends_by_time_and_by_logging_out(place: Place) -> None:
    async def test() -> None:
        clock = Clock()
        async with opened(place, clock, hours=2) as identity:
            await identity.sign_up("kim", PASSWORD)
            log_in = await identity.log_in("kim", PASSWORD)
            assert log_in.csrf_token == csrf_token(log_in.token)
            clock.now += 2 * HOUR_US - 1
            assert await identity.session(log_in.token) is not None
            clock.now += 1
            assert await identity.session(log_in.token) is None
            other = await identity.log_in("kim", PASSWORD)
            assert await identity.session(other.token) is not None
            await identity.log_out(other.token)
            await identity.log_out(other.token)
            assert await identity.session(other.token) is None
            assert await identity.session("") is None
            assert not identity.remembers_session("nothing")
            assert await identity.session("nothing") is None
            assert identity.remembers_session("nothing")

    run(test)


def test_a_user_has_a_bounded_number_of_sessions(place: Place) -> None:
    async def test() -> None:
        clock = Clock()
        async with opened(place, clock) as identity:
            await identity.sign_up("kim", PASSWORD)
            tokens = []
            for _ in range(MAX_SESSIONS_PER_USER + 2):
                clock.now += 1
                tokens.append((await identity.log_in("kim", PASSWORD)).token)
            assert await identity.session(tokens[0]) is None
        async with opened(place, clock) as identity:
            alive = [await identity.session(token) is not None for token in tokens]
            assert alive == [False, False] + [True] * MAX_SESSIONS_PER_USER

    run(test)


def test_keys_are_revoked_at_once(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            kim = await identity.sign_up("kim", PASSWORD)
            lee = await identity.sign_up("lee", PASSWORD)
            key = await identity.create_key(kim.user_id, "bot", ["trade", "read"])
            key_id = key.partition(".")[0]
            assert await identity.key(key) is not None
            assert await identity.key(key + "x") is None
            assert await identity.key(key_id) is None
            assert await identity.key("." + key.partition(".")[2]) is None
            assert [(k.key_id, k.scopes) for k in await identity.list_keys(kim.user_id)] == [
                (key_id, ("read", "trade"))
            ]
            assert await identity.delete_key(lee.user_id, key_id) is False
            assert await identity.key(key) is not None
            assert await identity.delete_key(kim.user_id, key_id) is True
            assert await identity.delete_key(kim.user_id, key_id) is False
            assert identity.cached_key(key) is None
            assert await identity.key(key) is None
            assert await identity.list_keys(kim.user_id) == []

    run(test)


def test_a_key_can_do_no_more_than_its_user(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            kim = await identity.sign_up("kim", PASSWORD)
            root = await identity.create_user("root", "admin", PASSWORD)
            for scopes in ([], ["admin"], ["read", "fly"]):
                with pytest.raises(ValueError, match="scopes"):
                    await identity.create_key(kim.user_id, "bot", scopes)
            principal = await identity.key(await identity.create_key(root.user_id, "ops", ["admin"]))
            assert principal is not None
            assert principal.scopes == {"admin"}
            with pytest.raises(KeyError):
                await identity.create_key(99, "bot", ["read"])
            with pytest.raises(InvalidNameError):
                await identity.create_key(kim.user_id, "  ", ["read"])

    run(test)


def test_keys_are_bounded_and_replaced_by_name(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            kim = await identity.sign_up("kim", PASSWORD)
            first = await identity.create_key(kim.user_id, "bot", ["read"], replace=True)
            assert await identity.key(first) is not None
            second = await identity.create_key(kim.user_id, "bot", ["read"], replace=True)
            assert await identity.key(first) is None
            assert await identity.key(second) is not None
            for number in range(MAX_KEYS_PER_USER - 1):
                await identity.create_key(kim.user_id, f"key {number}", ["read"])
            with pytest.raises(TooManyKeysError):
                await identity.create_key(kim.user_id, "one more", ["read"])

    run(test)


def test_ensure_user_makes_one_and_keeps_it(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            users = await asyncio.gather(*(identity.ensure_user("bot-1", "bot") for _ in range(5)))
            assert len({user.user_id for user in users}) == 1
            assert (await identity.ensure_user("BOT-1", "user", PASSWORD)).kind == "bot"
            with pytest.raises(ValueError, match="kind"):
                await identity.create_user("x-1", "king")

    run(test)


def test_a_taken_account_number_is_given_up_for_another(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            kim = await identity.sign_up("kim", PASSWORD)
            await identity.sign_up("lee", PASSWORD)
            log_in = await identity.log_in("kim", PASSWORD)
            assert await identity.session(log_in.token) is not None
            moved = await identity.move_account(kim.user_id, 1)
            assert (moved.account_id, moved.owner) == (3, kim.owner)
            assert (await identity.move_account(kim.user_id, 1)).account_id == 3
            assert (await identity.move_account(kim.user_id, 3, 10)).account_id == 13
            principal = await identity.session(log_in.token)
            assert principal is not None
            assert principal.account_id == 13
            await identity.mark_account_ready(kim.user_id)
            assert (await identity.move_account(kim.user_id, 13)).account_id == 13

    run(test)


def test_another_password_ends_the_sessions(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            kim = await identity.sign_up("kim", PASSWORD)
            log_in = await identity.log_in("kim", PASSWORD)
            assert await identity.session(log_in.token) is not None
            await identity.set_password(kim.user_id, "another password")
            assert await identity.session(log_in.token) is None
            with pytest.raises(WrongPasswordError):
                await identity.log_in("kim", PASSWORD)
            assert (await identity.log_in("kim", "another password")).user.user_id == kim.user_id

    run(test)


def test_an_old_hash_is_renewed_at_log_in(place: Place) -> None:
    async def test() -> None:
        async with opened(place) as identity:
            await identity.sign_up("kim", PASSWORD)
        stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
        identity = place.open(hasher=stronger)
        await identity.log_in("kim", PASSWORD)
        await identity.close()
        await identity.close()
        store = Store(place.database if isinstance(place.database, Path) else PostgresDatabase(place.database))
        found = store.user_by_name("kim")
        store.close()
        assert found is not None
        stored = found[1] or ""
        assert stored.startswith("$argon2id$v=19$m=16,t=2,p=1$")

    run(test)


def test_no_secret_stands_in_the_file_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(Place(tmp_path, tmp_path / "identity.db")) as identity:
            kim = await identity.sign_up("kim", PASSWORD)
            token = (await identity.log_in("kim", PASSWORD)).token
            key = await identity.create_key(kim.user_id, "bot", ["read"])
        content = (tmp_path / "identity.db").read_bytes()
        assert PASSWORD.encode() not in content
        assert token.encode() not in content
        assert key.partition(".")[2].encode() not in content
        assert stat.S_IMODE((tmp_path / "identity.db").stat().st_mode) == 0o600

    run(test)


def test_an_error_of_the_database_carries_no_hash(tmp_path: Path) -> None:
    store = Store(tmp_path / "identity.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "identity.db")) as other:
        other.execute("DROP TABLE users")
        other.commit()
    with pytest.raises(sa.exc.OperationalError, match="no such table") as raised:
        store.add_user("kim", "canary-hash", "user", 1)
    store.close()
    assert "canary-hash" not in str(raised.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "identity.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(Exception, match="not a database"):
        IdentityService.open(tmp_path / "identity.db", hasher=QUICK)
