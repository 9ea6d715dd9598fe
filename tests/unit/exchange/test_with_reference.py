"""The exchange on the real engine: two sessions, then replays that give the same bytes, texts and state."""

from __future__ import annotations

import asyncio
import io
import json
import random
from pathlib import Path

import pytest

from onseju.bus.inproc import InprocBus
from onseju.contract.commands import (
    CancelAll,
    CancelOrder,
    CommandKind,
    DepositCash,
    DepositShares,
    NewOrder,
    OpenAccount,
    Request,
    RollDay,
)
from onseju.contract.events import OrderEvent, OrderFilled
from onseju.contract.ids import client_id_hash, hash128
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import OrderStatus, OrderType, Side, TimeInForce
from onseju.exchange.exchange import Exchange
from onseju.exchange.genesis import begin
from onseju.exchange.replay import replay
from onseju.journal.segments import SegmentJournal
from onseju.rules import instruments, packs
from tests.contract.bus_contract import run
from tests.contract.samples import Collector
from tests.engines import EngineName, make_engine

ACCOUNTS = range(1, 6)
DAY = 20261123


def accounts() -> list[Request]:
    commands = []
    for account in ACCOUNTS:
        commands.append(OpenAccount(account=account, owner=hash128(bytes([account]))))
        commands.append(DepositCash(account=account, amount=100_000_000))
        commands.append(DepositShares(account=account, instrument=1, qty=200, cost_amount=200 * 70_000))
    return [Request(command) for command in commands]


def orders(draw: random.Random, count: int, base: int, name: str) -> list[Request]:
    """Orders around the base price, half of them with a client's own id, and cancels."""
    requests = []
    for number in range(count):
        account = draw.choice(ACCOUNTS)
        if draw.random() < 0.2:
            requests.append(Request(CancelOrder(account=account, order_id=draw.randrange(1, count))))
            continue
        text = f"{name}.{number}" if draw.random() < 0.5 else ""
        market = draw.random() < 0.1
        new = NewOrder(
            account=account,
            instrument=1,
            client_id=client_id_hash(text) if text else bytes(16),
            body_hash=hash128(text.encode()) if text else bytes(16),
            qty=draw.randrange(1, 20),
            limit_price=0 if market else base + 100 * draw.randrange(-5, 6),
            side=draw.choice(list(Side)),
            order_type=OrderType.MARKET if market else OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
        )
        requests.append(Request(new, text))
    return requests


def session(directory: Path, requests: list[Request]) -> tuple[list[EventBlock], int]:
    journal = SegmentJournal.open(directory, fsync=False, segment_bytes=100_000)
    engine, bus, listener = make_engine(), InprocBus(10_000), Collector()
    bus.subscribe(listener)
    exchange = Exchange(engine, journal, bus, venue=1)

    async def work() -> None:
        exchange.recover()
        task = asyncio.create_task(exchange.run())
        await begin(bus, exchange, packs.commands("krx", DAY) + instruments.list_commands("krx"))
        await asyncio.gather(*[bus.request([request]) for request in requests])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    try:
        run(work())
    finally:
        journal.close()
    assert exchange.stopped is None
    return listener.blocks, engine.state_hash()


@pytest.fixture(scope="module")
def venue(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[EventBlock], int]:
    """A venue after two sessions: its journal, all blocks, and its state's hash."""
    directory = tmp_path_factory.mktemp("venue")
    draw = random.Random(5)
    base = instruments.DEMO[0].base_price
    first, _ = session(directory, accounts() + orders(draw, 400, base, "a"))
    rolled = [Request(CancelAll(account=1)), Request(RollDay(trading_day=DAY + 1))]
    blocks, state = session(directory, orders(draw, 200, base, "b") + rolled + orders(draw, 200, base, "c"))
    assert blocks[: len(first)] == first
    return directory, blocks, state


def test_the_market_was_lively(venue: tuple[Path, list[EventBlock], int]) -> None:
    _, blocks, _ = venue
    fills = [event for block in blocks for event in block.events if isinstance(event, OrderFilled)]
    assert len(fills) > 200
    assert {event.status for event in fills} == {OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED}


def test_every_event_of_an_order_carries_its_clients_id(venue: tuple[Path, list[EventBlock], int]) -> None:
    directory, blocks, _ = venue
    texts = {record.seq: record.text for record in SegmentJournal.open_for_reading(directory).read()}
    owner: dict[int, str] = {}
    told = 0
    for block in blocks:
        if block.command_kind == CommandKind.LIST_INSTRUMENT:
            assert list(block.annotations.values()) == [texts[block.seq]]
            continue
        expected: dict[int, str] = {}
        for event in block.events:
            if isinstance(event, OrderEvent) and block.command_kind == CommandKind.NEW_ORDER and event.idx == 0:
                owner[event.order_id] = texts[block.seq]
            if isinstance(event, OrderEvent | OrderFilled) and owner[event.order_id]:
                expected[event.order_id] = owner[event.order_id]
        assert block.annotations == expected
        told += len(expected)
    assert told > 300


def test_a_replay_has_the_same_state_and_changes_nothing(venue: tuple[Path, list[EventBlock], int]) -> None:
    directory, blocks, state = venue
    out = io.StringIO()
    assert replay(SegmentJournal.open_for_reading(directory), make_engine(), out) == 0
    lines = out.getvalue().splitlines()
    assert json.loads(lines[-1]) == {"last_seq": len(blocks), "state_hash": f"{state:032x}"}
    assert len(lines) == sum(block.event_count for block in blocks) + 1


def test_a_lost_event_log_comes_back_byte_for_byte(venue: tuple[Path, list[EventBlock], int], tmp_path: Path) -> None:
    directory, blocks, _ = venue
    for path in [*directory.glob("commands/*.log"), directory / "journal.json"]:
        copy = tmp_path / path.relative_to(directory)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    journal = SegmentJournal.open(tmp_path, fsync=False)
    Exchange(make_engine(), journal, InprocBus(10), venue=1).recover()
    assert list(journal.read_events()) == blocks
    journal.verify()
    journal.close()

    def content(root: Path) -> bytes:
        return b"".join(path.read_bytes()[64:] for path in sorted(root.glob("events/*.log")))

    assert content(tmp_path) == content(directory)
