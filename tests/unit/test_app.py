"""The wiring: what a start finds wrong is said in a sentence, and an admin key is never one that anybody could have."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from onseju.app import CannotStartError, Venue, admin_key
from onseju.settings import Settings

KEY = "ADMIN0123456789AB.thisisthebootstrapsecret0123456789"


def settings(data_dir: Path, **more: object) -> Settings:
    return Settings(data_dir=data_dir, fsync=False, bots=False, **more)  # type: ignore[arg-type]


def start(data_dir: Path) -> None:
    async def begin() -> None:
        async with Venue(settings(data_dir)).running():
            pass

    asyncio.run(begin())


def test_the_admin_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    made = admin_key(settings(tmp_path))
    assert admin_key(settings(tmp_path)) == made
    assert len(made.partition(".")[2]) >= 32
    assert stat.S_IMODE((tmp_path / "admin.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["admin.key"]


def test_a_crash_while_the_admin_key_is_made_leaves_nothing_that_counts(tmp_path: Path) -> None:
    (tmp_path / "admin.key.new").write_text("ADMIN")
    made = admin_key(settings(tmp_path))
    assert made != "ADMIN"
    assert (tmp_path / "admin.key").read_text().strip() == made


@pytest.mark.parametrize("content", [b"", b"\n", b"no dot", b".secret-without-a-key-id", b"SHORT.secret", b"\xff\xfe"])
def test_a_file_without_a_key_is_not_taken_for_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "admin.key").write_bytes(content)
    with pytest.raises(CannotStartError, match=r"admin\.key holds no key"):
        admin_key(settings(tmp_path))


@pytest.mark.parametrize("key", ["", "nodot", "A.short", ".secret-without-a-key-id"])
def test_a_setting_that_anybody_could_guess_is_no_admin_key(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValidationError, match=r"KEY\.SECRET"):
        settings(tmp_path, admin_key=SecretStr(key))


def test_the_setting_comes_before_the_file(tmp_path: Path) -> None:
    assert admin_key(settings(tmp_path, admin_key=SecretStr(KEY))) == KEY
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(CannotStartError, match=r"data cannot be used \(File exists\)"):
        start(tmp_path / "data")


def test_an_admin_key_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "admin.key").mkdir()
    with pytest.raises(CannotStartError, match=r"admin\.key cannot be used"):
        start(tmp_path)


def test_damaged_databases_are_said_with_what_to_do(tmp_path: Path) -> None:
    start(tmp_path)
    good = {name: (tmp_path / name).read_bytes() for name in ("identity.db", "projections.db")}
    for name, advice in (("identity.db", "from a backup"), ("projections.db", "move the file away")):
        (tmp_path / name).write_bytes(b"no database at all" * 500)
        with pytest.raises(CannotStartError, match=advice) as found:
            start(tmp_path)
        assert name in str(found.value)
        (tmp_path / name).write_bytes(good[name])
    start(tmp_path)


def test_a_progress_that_raises_ends_the_start_and_leaves_it_repeatable(tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    def enough(what: str, done: int, total: int) -> None:
        raise EnoughError

    async def begin() -> None:
        async with Venue(settings(tmp_path)).running(enough):
            raise AssertionError("it started")

    start(tmp_path)
    with pytest.raises(EnoughError):
        asyncio.run(begin())
    start(tmp_path)
