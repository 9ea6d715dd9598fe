"""Real event blocks from the reference engine, and a journal in memory that tests can hold back."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import (
    NO_HASH,
    CancelOrder,
    CorrectOrder,
    DepositCash,
    DepositShares,
    NewOrder,
    NoteAdmin,
    OpenAccount,
    Request,
    RollDay,
    encode_command,
    sequence,
)
from onseju.contract.event_runs import EventRun
from onseju.contract.ids import client_id_hash
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.contract.words import OrderType, Side, TimeInForce, Via
from onseju.exchange.applier import Applier
from onseju.matching.engine import SEMANTICS_VERSION
from onseju.projections import tables
from onseju.projections.database import reader_engine, writer_engine
from onseju.projections.places import Database, PostgresTables, place_of
from onseju.rules import instruments, packs
from tests.engines import make_engine

FIRST_TS = 1_795_391_990_000_000
"""2026-11-22T23:59:50Z: ten seconds before a minute, an hour and a UTC day end; in Korea it is 08:59:50."""

SYMBOLS = [demo.symbol for demo in instruments.DEMO]
ACCOUNTS = range(1, 7)
LONGEST_RUN = 64


def records(seed: int, count: int, *, step_us: int = 300_000) -> list[JournalRecord]:
    """The commands of a venue with accounts, and then `count` orders, cancels and corrections of three instruments."""
    draw = random.Random(seed)
    requests = packs.commands("krx", 20261123) + instruments.list_commands("krx")
    for account in ACCOUNTS:
        requests.append(Request(OpenAccount(account=account, owner=account.to_bytes(16, "little"))))
        requests.append(Request(DepositCash(account=account, amount=500_000_000)))
        requests += [Request(DepositShares(account=account, instrument=i, qty=500, cost_amount=1)) for i in (1, 2, 3)]
    for number in range(count):
        requests.append(_order(draw, number))
    requests.append(Request(NoteAdmin(actor=1, account=2, about_seq=3, via=Via.KEY), "deposit cash=5"))
    requests.append(Request(RollDay(trading_day=20261124)))
    return [
        JournalRecord(
            venue=1,
            epoch=1,
            semantics=SEMANTICS_VERSION,
            command=sequence(encode_command(request.command), seq, FIRST_TS + seq * step_us),
            text=request.text,
        )
        for seq, request in enumerate(requests, 1)
    ]


def _order(draw: random.Random, number: int) -> Request:
    account = draw.choice(ACCOUNTS)
    kind = draw.random()
    if kind < 0.15:
        return Request(CancelOrder(account=account, order_id=draw.randint(1, number + 1)))
    if kind < 0.25:
        order_id = draw.randint(1, number + 1)
        return Request(CorrectOrder(account=account, order_id=order_id, flags=2, leaves_qty=draw.randint(0, 20)))
    instrument = draw.randint(1, 3)
    demo = instruments.DEMO[instrument - 1]
    tick = 100 if instrument == 1 else 1000 if instrument == 2 else 500
    market = draw.random() < 0.1
    text = f"c-{number}" if draw.random() < 0.5 else ""
    command = NewOrder(
        account=account,
        instrument=instrument,
        qty=draw.randint(1, 20),
        limit_price=0 if market else demo.base_price + tick * draw.randint(-5, 5),
        side=draw.choice((Side.BUY, Side.SELL)),
        order_type=OrderType.MARKET if market else OrderType.LIMIT,
        time_in_force=draw.choice((TimeInForce.DAY, TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK)),
        client_id=client_id_hash(text) if text else NO_HASH,
    )
    return Request(command, text)


def blocks_of(journal_records: Sequence[JournalRecord]) -> list[EventBlock]:
    """The event blocks of these commands."""
    applier = Applier(make_engine())
    return [applier.apply(CommandRun.of([record]))[0] for record in journal_records]


class MemoryJournal:
    """The event-log side of a journal, in memory. Readers see what `append_events` has put in."""

    def __init__(self, blocks: Sequence[EventBlock] = (), journal_id: str = "test") -> None:
        self.journal_id = journal_id
        self.blocks = list(blocks)

    @property
    def last_seq(self) -> int:
        return self.last_event_seq

    @property
    def last_event_seq(self) -> int:
        return len(self.blocks)

    def append(self, records: Sequence[JournalRecord]) -> None:
        raise AssertionError("readers do not append")

    def append_events(self, blocks: Sequence[EventBlock]) -> None:
        self.blocks += blocks

    def read(self, after_seq: int = 0) -> Iterator[JournalRecord]:
        raise AssertionError("the read side does not read commands")

    def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
        return iter(self.blocks[after_seq:])

    def read_event_runs(self, after_seq: int = 0) -> Iterator[EventRun]:
        """What `read_events` gives, in runs."""
        part: list[EventBlock] = []
        for block in self.read_events(after_seq):
            if part and (block.seq != part[-1].seq + 1 or block.epoch != part[-1].epoch or len(part) == LONGEST_RUN):
                yield EventRun.of(part)
                part = []
            part.append(block)
        if part:
            yield EventRun.of(part)

    def close(self) -> None:
        self.blocks.clear()


def contents(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, in the order of their keys. No projector may have the file open."""
    with connected(database) as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in tables.metadata.sorted_tables
        }


@contextmanager
def connected(database: Database) -> Iterator[sa.Connection]:
    """A connection that reads, in a transaction."""
    place = place_of(database)
    engine = reader_engine(place) if isinstance(place, PostgresTables) else writer_engine(place)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def maintaining(database: Database) -> Iterator[sa.Engine]:
    """The engine of a writer, for a while."""
    engine = writer_engine(database)
    try:
        yield engine
    finally:
        engine.dispose()


def change(database: Database, statement: str) -> int:
    """Change rows behind the projector's back; how many."""
    with maintaining(database) as engine, engine.begin() as connection:
        return connection.exec_driver_sql(statement).rowcount
