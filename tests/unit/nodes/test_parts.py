"""The parts of processes: what a gateway knows of the log's end, whose time it shows, and what a child is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec
import pytest
from pydantic import SecretStr

from onseju.bus.transport import Delivery
from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.exchange.clock import FastClock, RealClock
from onseju.journal.port import JournalError
from onseju.journal.postgres import PostgresJournal
from onseju.nodes.addresses import Addresses
from onseju.nodes.child import as_environment
from onseju.nodes.exchange_node import GatedReceiver
from onseju.nodes.gateway_node import FollowedClock
from onseju.nodes.heard_log import HeardLog
from onseju.nodes.names import groups, topics
from onseju.nodes.starting import CannotStartError
from onseju.settings import Settings
from tests.contract.samples import blocks

DAY_US = 24 * 3600 * 1_000_000


class Reader:
    """A journal's end, as a look at the database tells it."""

    journal_id = "j"

    def __init__(self, there: int) -> None:
        self.there = there
        self.last_event_seq = 0
        self.fails = False

    def refresh(self) -> None:
        if self.fails:
            raise JournalError("no database")
        self.last_event_seq = self.there


def heard_log(reader: Reader, wait_s: float = 20.0) -> HeardLog:
    return HeardLog(cast("PostgresJournal", reader), wait_s, oldest=1)


def test_a_command_of_another_gateway_is_waited_for() -> None:
    async def test() -> None:
        log = heard_log(Reader(7))
        log.heard(5)
        assert await log.reach(5) is None
        assert await log.reach(8) is Reason.SEQ_AHEAD, "nobody has it"
        waiting = asyncio.create_task(log.reach(7))
        while not log._waiters:  # noqa: ASYNC110  # it looks at the database in a thread first
            await asyncio.sleep(0)
        log.heard(6)
        await asyncio.sleep(0)
        assert not waiting.done()
        log.heard(7)
        assert await waiting is None
        assert not log._waiters

    asyncio.run(test())


def test_what_is_late_or_cannot_be_known_is_refused() -> None:
    async def test() -> None:
        reader = Reader(9)
        log = heard_log(reader, wait_s=0.01)
        assert await log.reach(9) is Reason.PROJECTION_BEHIND
        assert not log._waiters
        reader.fails = True
        assert await log.reach(9) is Reason.PROJECTION_BEHIND

    asyncio.run(test())


def at(ts: int) -> list[EventBlock]:
    (block,) = blocks(1, 1)
    return [msgspec.structs.replace(block, ts=ts)]


def test_a_gateways_fast_clock_goes_by_the_exchanges_events() -> None:
    now_ns = 0
    clock = FastClock(60, monotonic_ns=lambda: now_ns)
    followed = FollowedClock(clock)
    followed.listen(at(DAY_US))
    assert clock() == DAY_US
    now_ns = 1_000_000_000
    assert clock() == DAY_US + 60_000_000
    followed.listen(at(DAY_US + 1))
    assert clock() == DAY_US + 60_000_000, "it does not go back"
    followed.listen(at(2 * DAY_US))
    assert clock() == 2 * DAY_US


def test_a_real_clock_is_moved_only_where_the_venue_is_far_ahead() -> None:
    clock = RealClock(lambda: DAY_US)
    followed = FollowedClock(clock)
    followed.listen(at(DAY_US + 1_000_000))
    assert clock() == DAY_US, "clocks of machines differ"
    followed.listen(at(3 * DAY_US))
    assert clock() == 3 * DAY_US


def test_a_child_reads_the_settings_that_its_parent_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(
        data_dir=tmp_path,
        bots=False,
        allowed_hosts=["a.example", "b.example"],
        database_url=SecretStr("postgresql://u:p@h/d"),
        seed=7,
    )
    told = as_environment(settings, gateway_id=3, topology=["http://127.0.0.1:1"])
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    expected = settings.model_copy(update={"gateway_id": 3, "topology": ["http://127.0.0.1:1"]})
    assert Settings() == expected
    assert not set(told) & set(os.environ) - set(told)


def test_an_address_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match="database_url and rocketmq_endpoints must be set"):
        Addresses.of(Settings(data_dir=tmp_path))
    with pytest.raises(CannotStartError, match=r"^rocketmq_endpoints must be set"):
        Addresses.of(Settings(data_dir=tmp_path, database_url=SecretStr("postgresql://h/d")))


def test_venues_share_neither_topics_nor_groups() -> None:
    assert not set(topics(1)) & set(topics(2))
    assert not set(groups(1, (1, 2))) & set(groups(2, (1, 2)))
    assert not set(groups(1, (11,))) & set(groups(11, (1,)))


def test_nothing_comes_through_a_gate_before_it_is_open() -> None:
    class Real:
        def __init__(self) -> None:
            self.calls: list[str] = []

        def start(self, deliver: Callable[[Delivery], None]) -> None:
            self.calls.append("start")

        def stop(self) -> None:
            self.calls.append("stop")

    real = Real()
    gate = GatedReceiver(real)
    with pytest.raises(RuntimeError):
        gate.open()
    gate.start(lambda delivery: None)
    gate.stop()
    assert real.calls == []
    gate.open()
    gate.stop()
    assert real.calls == ["start", "stop"]
