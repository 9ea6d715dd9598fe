"""A venue's first commands: once, in order, and finished later when the first start was cut short."""

from __future__ import annotations

import asyncio
from pathlib import Path

from onseju.bus.inproc import InprocBus
from onseju.contract.commands import KIND_OFFSET, CommandKind, ListInstrument, OpenVenue, Request, SetRule
from onseju.contract.journal_records import JournalRecord
from onseju.exchange.exchange import Exchange
from onseju.exchange.genesis import begin
from onseju.journal.segments import SegmentJournal
from tests.contract.bus_contract import run
from tests.contract.samples import SmallEngine, order

PACK = [
    Request(OpenVenue(trading_day=20261123)),
    Request(SetRule(rule=1, value=1)),
    Request(SetRule(rule=2, value=0)),
    Request(ListInstrument(symbol=b"005930", base_price=70_000), "삼성전자"),
    Request(ListInstrument(symbol=b"000660", base_price=200_000), "SK하이닉스"),
]
KINDS = [request.command.kind for request in PACK]


def start(directory: Path, pack: list[Request], then: list[Request] | None = None, capacity: int = 100) -> list[int]:
    """One session of a venue: begin, then these requests. Gives the kinds of all that is in the journal."""
    journal = SegmentJournal.open(directory, fsync=False)

    async def work() -> None:
        bus = InprocBus(capacity)
        exchange = Exchange(SmallEngine(), journal, bus, venue=1)
        exchange.recover()
        task = asyncio.create_task(exchange.run())
        blocks = await begin(bus, exchange, pack)
        assert blocks[0].command_kind == CommandKind.START_EPOCH
        assert blocks[0].events[0].epoch == exchange.epoch
        await bus.request(then or [])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    try:
        run(work())
        return [record.command[KIND_OFFSET] for record in journal.read()]
    finally:
        journal.close()


def all_records(directory: Path) -> list[JournalRecord]:
    return list(SegmentJournal.open_for_reading(directory).read())


def test_an_empty_journal_begins_with_the_epoch_and_the_pack(tmp_path: Path) -> None:
    assert start(tmp_path, PACK) == [CommandKind.START_EPOCH, *KINDS]
    records = all_records(tmp_path)
    assert [record.epoch for record in records] == [1] * 6
    assert [record.text for record in records] == [""] * 4 + ["삼성전자", "SK하이닉스"]


def test_a_later_start_only_counts_the_epoch(tmp_path: Path) -> None:
    start(tmp_path, PACK, [order(), order()])
    kinds = start(tmp_path, PACK, [order()])
    epoch, new = CommandKind.START_EPOCH, CommandKind.NEW_ORDER
    assert kinds == [epoch, *KINDS, new, new, epoch, new]
    assert [record.epoch for record in all_records(tmp_path)] == [1] * 8 + [2] * 2
    assert start(tmp_path, PACK)[-1] == epoch
    assert all_records(tmp_path)[-1].epoch == 3


def test_a_first_start_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    epoch = CommandKind.START_EPOCH
    assert start(tmp_path, PACK[:2]) == [epoch, *KINDS[:2]]
    assert start(tmp_path, PACK[:4]) == [epoch, *KINDS[:2], epoch, *KINDS[2:4]]
    assert start(tmp_path, PACK) == [epoch, *KINDS[:2], epoch, *KINDS[2:4], epoch, *KINDS[4:]]
    assert start(tmp_path, PACK)[8:] == [epoch]


def test_a_venue_that_began_otherwise_is_left_alone(tmp_path: Path) -> None:
    start(tmp_path, PACK[:2], [order()])
    assert start(tmp_path, PACK)[4:] == [CommandKind.START_EPOCH]


def test_a_pack_larger_than_the_bus_goes_in_pieces(tmp_path: Path) -> None:
    assert start(tmp_path, PACK, capacity=2) == [CommandKind.START_EPOCH, *KINDS]
