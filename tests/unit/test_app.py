"""The wiring: what a start finds wrong is said in a sentence, and an admin key is never one that anybody could have."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from onseju.app import Venue
from onseju.bus.port import StoppedError
from onseju.contract.commands import Halt, Request
from onseju.contract.words import Phase, Rule
from onseju.exchange.clock import FastClock
from onseju.nodes.starting import CannotStartError, admin_key
from onseju.settings import Settings

DAY_US = 24 * 3600 * 1_000_000
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
    for name, advice in (("identity.db", "from a backup"), ("projections.db", "move the file or the schema away")):
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


PACK = """
name = "classroom"
[rules]
commission_ppm = 1000
[[instruments]]
symbol = "APPLE"
name = "사과"
base_price = 1000
"""


def test_a_host_starts_a_venue_under_its_own_rules(tmp_path: Path) -> None:
    file = tmp_path / "classroom.toml"
    file.write_text(PACK)

    async def begin() -> None:
        async with Venue(settings(tmp_path / "data", rules=str(file))).running() as venue:
            assert [(one.symbol, one.name) for one in venue.market.directory.all()] == [("APPLE", "사과")]
            assert venue.market.directory.rule(Rule.COMMISSION_PPM) == 1000

    asyncio.run(begin())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name = us\n", r"broken\.toml: .*line 1"),
        (PACK.replace("1000\n[[", "-1\n[["), r"broken\.toml: rules, commission_ppm: from 0 to 1000000"),
        (PACK + "tick_table = 7\n", r"broken\.toml: instruments, APPLE: there is no tick table 7"),
        (None, r"cannot be read: .*broken\.toml \(No such file"),
    ],
)
def test_broken_rules_are_told_with_their_place_and_nothing_is_touched(
    tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "broken.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CannotStartError, match=said):
        Venue(settings(tmp_path / "data", rules=str(file)))
    assert not (tmp_path / "data").exists()


def test_rules_are_those_that_ship_or_a_toml_file(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"krx, plain, or the path of a TOML file"):
        settings(tmp_path, rules="kospi")


def test_real_time_goes_on_from_a_journal_that_ran_ahead(tmp_path: Path) -> None:
    async def test() -> None:
        async with Venue(settings(tmp_path, market_hours="fast", clock_speed=3600)).running() as fast:
            ahead = fast.clock() + 30 * DAY_US
            assert isinstance(fast.clock, FastClock)
            fast.clock.leap(ahead)
            await fast.bus.request([Request(Halt())])
        with capture_logs() as logs:
            async with Venue(settings(tmp_path)).running() as real:
                now = real.gateway.timetable.now()
                assert ahead <= now < ahead + DAY_US  # the fast clock runs a day in 24 s
                first = await real.bus.request([Request(Halt())])
                assert first[0].ts >= ahead
        assert [line["log_level"] for line in logs if line["event"] == "clock_ahead"] == ["warning"]

    asyncio.run(test())


def test_work_on_a_stopped_venue_moves_no_phase(tmp_path: Path) -> None:
    """Whatever hours the venue has: `onseju account create --data-dir` does not know them."""

    async def test() -> None:
        async with Venue(settings(tmp_path, market_hours="fast", clock_speed=1)).running() as fast:
            assert {one.phase for one in fast.watch.all()} == {Phase.PRE_OPEN}
        async with Venue(settings(tmp_path)).running(schedule=False) as venue:
            assert {one.phase for one in venue.watch.all()} == {Phase.PRE_OPEN}

    asyncio.run(test())


def test_a_scheduler_that_fails_stops_the_exchange(tmp_path: Path) -> None:
    async def fail() -> None:
        raise LookupError("no such phase")

    async def test() -> None:
        venue = Venue(settings(tmp_path))
        venue.scheduler.run = fail  # type: ignore[method-assign]
        with capture_logs() as logs:
            async with venue.running():
                assert venue.exchange_task is not None
                await asyncio.wait_for(venue.exchange_task, 10)
                assert isinstance(venue.exchange.stopped, LookupError)
                with pytest.raises(StoppedError, match="no such phase"):
                    await venue.bus.request([Request(Halt())])
        assert [line["event"] for line in logs if line["log_level"] == "critical"] == ["scheduler_failed"]

    asyncio.run(test())


def test_random_ends_follow_a_seed_and_are_secret_without_one(tmp_path: Path) -> None:
    def ends(name: str, **more: object) -> list[int]:
        venue = Venue(settings(tmp_path / name, market_hours="krx", **more))
        try:
            assert venue.plans is not None
            return [due.at for due in venue.plans.plan(20261123)]
        finally:
            asyncio.run(venue.identity.close())
            venue.journal.close()

    assert ends("a", seed=3) == ends("b", seed=3) != ends("c", seed=4)
    assert len({tuple(ends(name)) for name in ("d", "e", "f")}) == 3
