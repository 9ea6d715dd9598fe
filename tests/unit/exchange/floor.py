"""A whole exchange on a stepped clock: the real engine, a journal on disk, the scheduler. For tests of the trading day."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from onseju.bus.inproc import InprocBus
from onseju.contract.commands import Command, DepositCash, DepositShares, NewOrder, OpenAccount, Request
from onseju.contract.events import AuctionUncrossed, DayRolled, Event, PhaseChanged, RequestRejected
from onseju.contract.ids import hash128
from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.contract.words import Board, OrderType, Phase, Security, Side
from onseju.exchange.checkpoint import Restored, restore
from onseju.exchange.clock import SteppedClock
from onseju.exchange.exchange import Exchange
from onseju.exchange.genesis import begin, first_commands
from onseju.exchange.plans import DayPlans
from onseju.exchange.scheduler import Scheduler
from onseju.exchange.timetable import Timetable
from onseju.exchange.watch import PhaseWatch
from onseju.journal.segments import SegmentJournal
from onseju.matching import engines
from onseju.rules.calendar import KST, korean_day, krx_calendar
from onseju.rules.pack import ListedInstrument
from onseju.rules.packs import PACKS
from onseju.rules.sessions import SESSIONS, SessionsName
from tests.engines import make_engine, name_under_test

BASE = 100_000
DAY = "2026-11-23"
PACK = msgspec.structs.replace(
    PACKS["krx"],
    name="two",
    instruments=tuple(
        ListedInstrument(
            symbol=symbol,
            name=symbol,
            base_price=BASE,
            tick_table=1,
            limit_ppm=300_000,
            vi_dynamic_ppm=30_000,
            vi_static_ppm=100_000,
            board=board,
            security=Security.STOCK,
        )
        for symbol, board in (("A", Board.KOSPI), ("B", Board.KOSDAQ))
    ),
)
A, B = 1, 2


def us(text: str) -> int:
    """A Korean time like "2026-11-23 09:00:30" in microseconds; without a date, of `DAY`."""
    full = text if len(text) > 9 else f"{DAY} {text}"
    return int(datetime.fromisoformat(full).replace(tzinfo=KST).timestamp() * 1_000_000)


def clock_text(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts // 1_000_000, KST):%H:%M:%S}"


class Floor:
    """One session of the venue, from start to stop."""

    def __init__(self, journal: SegmentJournal, at: str, hours: SessionsName | None, seed: int) -> None:
        self.clock = SteppedClock(us(at))
        self.bus = InprocBus(10_000)
        self.watch = PhaseWatch()
        self.plans = DayPlans(SESSIONS[hours], krx_calendar(), seed) if hours else None
        self.engine: Any = make_engine()
        self.exchange = Exchange(self.engine, journal, self.bus, venue=1, clock=self.clock)
        self.scheduler = Scheduler(self.bus, self.watch, self.clock, self.plans, seed=seed)
        self.timetable = Timetable(
            self.clock, market_hours="krx" if hours else "always", plans=self.plans, watch=self.watch
        )
        self.restored: Restored | None = None
        """The snapshot that the session began with."""
        self.blocks: list[EventBlock] = []
        """Published in this session, without what was recovered."""

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, directory: Path, at: str, hours: SessionsName | None = "krx", *, seed: int = 1
    ) -> AsyncIterator[Floor]:
        """Start at a time, on the newest snapshot and what the journal holds after it, and do what is due by then."""
        journal = SegmentJournal.open(directory, fsync=False)
        floor = cls(journal, at, hours, seed)
        floor.bus.subscribe(floor.watch.listen)
        task = None
        try:
            restored = restore(journal, partial(engines.restore, name_under_test()), {"watch": floor.watch}, print)
            floor.restored = restored
            if restored is not None:
                floor.engine = restored.engine
            floor.exchange.recover(restored=restored)
            floor.bus.subscribe(floor.blocks.extend)
            task = asyncio.create_task(floor.exchange.run())
            await floor._begin()
            await floor.scheduler.run_due()
            yield floor
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            journal.close()

    async def _begin(self) -> None:
        now = self.clock()
        day = self.plans.trading_day_at(now) if self.plans else korean_day(now)
        is_new = self.exchange.head_seq == 0
        await begin(
            self.bus, self.exchange, first_commands(PACK, day, venue_account=99, owner=hash128(b"v"), sessions=None)
        )
        if is_new:
            for account in (1, 2):
                await self.ask(
                    OpenAccount(account=account, owner=hash128(bytes([account]))),
                    DepositCash(account=account, amount=10**12),
                    *(DepositShares(account=account, instrument=i, qty=10_000) for i in (A, B)),
                )

    async def ask(self, *commands: Command) -> list[Event]:
        """The events of what somebody asks."""
        blocks = await self.bus.request([Request(command) for command in commands])
        return [event for block in blocks for event in block.events]

    async def order(
        self, side: Side, price: int, qty: int = 1, *, account: int = 1, instrument: int = A
    ) -> list[Event]:
        return await self.ask(
            NewOrder(
                account=account,
                instrument=instrument,
                qty=qty,
                limit_price=price,
                side=side,
                order_type=OrderType.LIMIT if price else OrderType.MARKET,
            )
        )

    async def cross(self, price: int, qty: int = 1, instrument: int = A) -> None:
        """A sell and a buy at a price, of two accounts."""
        await self.order(Side.SELL, price, qty, account=1, instrument=instrument)
        await self.order(Side.BUY, price, qty, account=2, instrument=instrument)

    async def until(self, text: str) -> None:
        """Step from one due moment to the next, up to a time."""
        end = us(text)
        while (due := self.scheduler.next_due()) is not None and due <= end:
            self.clock.step_to(max(due, self.clock()))
            await self.scheduler.run_due()
        self.clock.step_to(end)
        await self.scheduler.run_due()

    @property
    def events(self) -> list[Event]:
        return [event for block in self.blocks for event in block.events]

    def phases(self, instrument: int = A) -> list[str]:
        """The phases that the instrument went into, with their times; matched auctions with price and quantity."""
        told = []
        for event in self.events:
            if isinstance(event, PhaseChanged) and event.instrument == instrument:
                why = f" {Reason(event.reason).code}" if event.reason else ""
                told.append(f"{clock_text(event.ts)} {Phase(event.phase).label}{why}")
            elif isinstance(event, AuctionUncrossed) and event.instrument == instrument:
                told.append(f"{clock_text(event.ts)} {event.qty}@{event.price}")
            elif isinstance(event, DayRolled):
                told.append(f"{clock_text(event.ts)} day {event.trading_day}")
        return told

    def refusals(self) -> list[RequestRejected]:
        return [event for event in self.events if isinstance(event, RequestRejected)]

    def phase(self, instrument: int = A) -> Phase:
        watched = self.watch.get(instrument)
        assert watched is not None
        return watched.phase


def seconds_after(told: str, nominal: str) -> float:
    """How many seconds after a nominal time something is told to have happened."""
    return (us(told.split()[0]) - us(nominal)) / 1_000_000


def kinds(told: Sequence[str]) -> list[str]:
    """What was told, without the times."""
    return [line.split(" ", 1)[1] for line in told]
