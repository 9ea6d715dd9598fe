"""Passwords in their threads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from onseju.identity.passwords import HASHER, MAX_WAITING, Passwords
from onseju.identity.records import BusyError


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    service = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield service
    service.close()


def test_too_many_at_once_are_refused_and_later_ones_are_not(passwords: Passwords) -> None:
    async def test() -> None:
        results = await asyncio.gather(*(passwords.hash("x" * 8) for _ in range(200)), return_exceptions=True)
        assert [isinstance(result, BusyError) for result in results] == [False] * MAX_WAITING + [True] * (
            200 - MAX_WAITING
        )
        stored = await passwords.hash("correct horse")
        assert await passwords.check(stored, "correct horse")

    asyncio.run(test())


def test_nobody_and_damaged_hashes_match_nothing(passwords: Passwords) -> None:
    async def test() -> None:
        assert not await passwords.check(None, "nobody has this password")
        assert not await passwords.check("$argon2id$damaged", "correct horse")

    asyncio.run(test())


def test_hashes_are_argon2id_of_the_recommended_strength() -> None:
    assert HASHER.hash("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
