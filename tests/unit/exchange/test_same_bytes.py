"""A whole trading day through the real exchange, with a restart from a snapshot in it: either engine replays it from the
journal to the bytes of the event log, and to the same hash."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from pathlib import Path
from random import Random

import msgspec
import pytest

from onseju.app import replay_journal, take_snapshot
from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CancelOrder,
    Command,
    CorrectOrder,
    Halt,
    NewOrder,
    Request,
    Resume,
)
from onseju.contract.events import AuctionUncrossed, DayRolled, Event, EventKind, OrderAccepted, PhaseChanged
from onseju.contract.ids import client_id_hash, hash128
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Phase, Side, TimeInForce
from onseju.journal.segments import SegmentJournal
from onseju.matching import engines
from tests.contract.bus_contract import run
from tests.engines import ENGINE_NAMES, EngineName, must_run, name_under_test
from tests.unit.exchange.floor import BASE, A, B, Floor

REQUESTS = int(os.environ.get("ONSEJU_DAY_REQUESTS", "2500"))
"""How much the crowd asks in a day; `make soak` sets many more."""
BEFORE_NOON = [f"{hour:02}:{minute:02}" for hour in range(8, 13) for minute in range(0, 60, 5)]
AFTER_NOON = [f"{hour:02}:{minute:02}" for hour in range(13, 21) for minute in range(0, 60, 5)]
TYPES = (OrderType.LIMIT,) * 6 + tuple(OrderType)
BATCH = 50


class Crowd:
    """Two traders who ask for anything sensible; what they ask follows from the seed, and from what they were given."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._price = BASE
        self._orders: list[tuple[int, int]] = []
        self._count = 0

    async def trade(self, floor: Floor, requests: int) -> None:
        """Ask so much at the present moment, some of it twice."""
        self._price += self._random.choice((-1_000, 0, 0, 1_000))
        asked = [self._request() for _ in range(requests)]
        for first in range(0, requests, BATCH):
            some = asked[first : first + BATCH]
            for block in await floor.bus.request(some + some[:2]):
                self._orders += [
                    (event.account, event.order_id) for event in block.events if isinstance(event, OrderAccepted)
                ]
        self._orders = self._orders[-40:]

    def _request(self) -> Request:
        self._count += 1
        text, command = f"ask-{self._count}", self._command()
        about = {"client_id": client_id_hash(text), "body_hash": hash128(text.encode())}
        return Request(msgspec.structs.replace(command, **about), text)

    def _command(self) -> Command:
        random = self._random
        roll = random.random()
        if self._orders and roll < 0.3:
            account, order_id = random.choice(self._orders)
            if roll < 0.15:
                return CancelOrder(account=account, order_id=order_id)
            flags = random.choice((CORRECT_LIMIT_PRICE, CORRECT_LEAVES_QTY))
            price = self._near()
            return CorrectOrder(account=account, order_id=order_id, flags=flags, limit_price=price, leaves_qty=3)
        kind = random.choice(TYPES)
        has_price = kind in (OrderType.LIMIT, OrderType.CONDITIONAL_LIMIT, OrderType.STOP_LIMIT)
        return NewOrder(
            account=random.choice((1, 2)),
            instrument=random.choice((A, A, B)),
            qty=random.randint(1, 20),
            limit_price=self._near() if has_price else 0,
            stop_price=self._near() if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else 0,
            side=random.choice((Side.BUY, Side.SELL)),
            order_type=kind,
            time_in_force=random.choice((TimeInForce.DAY,) * 5 + (TimeInForce.IOC, TimeInForce.FOK)),
        )

    def _near(self) -> int:
        return self._price + self._random.randint(-15, 15) * 100


async def live(directory: Path) -> int:
    """A day until the next one trades, stopped at noon for a snapshot; gives the state's hash at its end."""
    crowd, each = Crowd(7), REQUESTS // (len(BEFORE_NOON) + len(AFTER_NOON))
    async with Floor.open(directory, "07:00") as floor:
        for moment in BEFORE_NOON:
            await floor.until(moment)
            await crowd.trade(floor, each)
        await floor.cross(floor.engine.state.instruments[0].last_price // 100 * 104, 5)
        at_noon = floor.exchange.head_seq
    assert take_snapshot(directory, name_under_test(), None, lambda _done, _all: None) == at_noon
    async with Floor.open(directory, "12:56") as floor:
        assert floor.restored is not None
        assert floor.restored.place.seq == at_noon
        for moment in AFTER_NOON:
            await floor.until(moment)
            await crowd.trade(floor, each)
            if moment == "14:00":
                await floor.ask(Halt(stage=1))
                await floor.until("14:03")
                await floor.ask(Resume(phase=Phase.RESUMPTION_AUCTION))
        await floor.until("2026-11-24 09:05")
        await crowd.trade(floor, each)
        return int(floor.engine.state_hash())


@pytest.fixture(scope="module")
def lived(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    directory = tmp_path_factory.mktemp("day") / "journal"
    hashes: list[int] = []

    async def day() -> None:
        hashes.append(await live(directory))

    run(day())
    return directory, hashes[0]


@pytest.mark.parametrize("replays", ENGINE_NAMES)
def test_either_engine_replays_it_to_the_same_bytes_and_hash(lived: tuple[Path, int], replays: EngineName) -> None:
    must_run(replays)
    directory, state_hash = lived
    journal = SegmentJournal.open_for_reading(directory)
    try:
        commands = b"".join(record.command for record in journal.read())
        logged = b"".join(block.payload for block in journal.read_events())
    finally:
        journal.close()
    machine = engines.make(replays)
    assert machine.apply(commands) == logged
    assert machine.state_hash() == state_hash


@pytest.mark.parametrize("replays", ENGINE_NAMES)
def test_onseju_replay_says_the_same(lived: tuple[Path, int], replays: EngineName) -> None:
    must_run(replays)
    directory, state_hash = lived
    out = io.StringIO()
    assert replay_journal(directory, replays, out) == 0  # it raises where the event log says otherwise
    last = json.loads(out.getvalue().splitlines()[-1])
    assert last["state_hash"] == f"{state_hash:032x}"
    assert last["last_seq"] > REQUESTS


def test_the_day_had_everything(lived: tuple[Path, int]) -> None:
    journal = SegmentJournal.open_for_reading(lived[0])
    try:
        events: list[Event] = [event for block in journal.read_events() for event in block.events]
    finally:
        journal.close()
    kinds = Counter(EventKind(event.kind) for event in events)
    for kind in (
        EventKind.TRADE,
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_CORRECTED,
        EventKind.ORDER_EXPIRED,
        EventKind.ORDER_REJECTED,
        EventKind.ORDER_TRIGGERED,
        EventKind.REQUEST_REPEATED,
        EventKind.EPOCH_STARTED,
    ):
        assert kinds[kind] > 0, kind.name
    assert sum(isinstance(event, DayRolled) for event in events) == 2
    assert sum(isinstance(event, AuctionUncrossed) and event.qty > 0 for event in events) >= 4
    phases = [event for event in events if isinstance(event, PhaseChanged)]
    assert {Phase.VI_AUCTION, Phase.RESUMPTION_AUCTION, Phase.CLOSE_PRICE, Phase.AFTER_HOURS} <= {
        event.phase for event in phases
    }
    assert {Reason.VI_DYNAMIC, Reason.CIRCUIT_BREAKER} <= {event.reason for event in phases}
