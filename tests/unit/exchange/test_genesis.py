"""A venue's first commands: once, in order, and finished later when the first start was cut short."""

from __future__ import annotations

import asyncio
from pathlib import Path

from onseju.bus.inproc import InprocBus
from onseju.contract.commands import KIND_OFFSET, CommandKind, ListInstrument, OpenAccount, OpenVenue, Request, SetRule
from onseju.contract.journal_records import JournalRecord
from onseju.contract.words import Rule
from onseju.exchange.exchange import Exchange
from onseju.exchange.genesis import begin, first_commands
from onseju.journal.segments import SegmentJournal
from onseju.rules.pack import FEES, RulePack
from onseju.rules.pack_file import parse
from onseju.rules.packs import PACKS
from onseju.rules.sessions import SessionsName
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


def rules_set(requests: list[Request]) -> dict[tuple[int, int], int]:
    """(instrument, rule) to value, as the commands leave them."""
    commands = [request.command for request in requests]
    return {(one.instrument, one.rule): one.value for one in commands if isinstance(one, SetRule)}


def first(pack: RulePack, sessions: SessionsName | None = None, day: int = 20261123) -> list[Request]:
    return first_commands(pack, day, venue_account=99, owner=bytes(16), sessions=sessions)


def test_a_krx_venue_begins_with_the_fees_of_its_day() -> None:
    rules = rules_set(first(PACKS["krx"]))
    assert rules[0, Rule.COMMISSION_PPM] == 150
    assert (rules[1, Rule.TRANSACTION_TAX_PPM], rules[1, Rule.RURAL_TAX_PPM]) == (500, 1_500)
    assert rules[8, Rule.TRANSACTION_TAX_PPM] == 2_000, "KOSDAQ"
    assert rules[10, Rule.TRANSACTION_TAX_PPM] == rules[10, Rule.RURAL_TAX_PPM] == 0, "an ETF"
    assert rules_set(first(PACKS["krx"], day=20251230))[1, Rule.TRANSACTION_TAX_PPM] == 0
    kinds = [request.command.kind for request in first(PACKS["krx"])]
    assert kinds.index(CommandKind.OPEN_ACCOUNT) < len(kinds) - 1 - kinds[::-1].index(CommandKind.SET_RULE)


def test_interruptions_need_hours() -> None:
    rates = {
        sessions: {
            (request.command.vi_dynamic_ppm, request.command.vi_static_ppm)
            for request in first(PACKS["krx"], sessions)
            if isinstance(request.command, ListInstrument)
        }
        for sessions in (None, "krx", "nxt")
    }
    assert rates[None] == {(0, 0)}
    assert rates["krx"] == rates["nxt"] == {(30_000, 100_000), (60_000, 100_000)}
    assert (0, Rule.VI_STATIC_PPM) not in rules_set(first(PACKS["krx"], "krx"))
    assert rules_set(first(PACKS["krx"], "nxt"))[0, Rule.VI_STATIC_PPM] == 0


def test_a_plain_venue_has_no_fees() -> None:
    assert not {rule for _, rule in rules_set(first(PACKS["plain"]))} & FEES


def test_a_hosts_pack_brings_its_own_instruments_scale_and_fees() -> None:
    pack = parse(
        b'name = "us"\nprice_scale = 2\ncurrency = "USD"\n[rules]\ncommission_ppm = 10\n'
        b'[[instruments]]\nsymbol = "ACME"\nbase_price = 4125\nlimit_ppm = 100000\n'
    )
    requests = first(pack, "krx")
    assert requests[0] == Request(OpenVenue(price_scale=2, trading_day=20261123), "USD")
    listed = [(request.command.symbol, request.text) for request in requests if request.command.kind == 35]
    assert listed == [(b"ACME", "ACME")]
    assert rules_set(requests)[0, Rule.COMMISSION_PPM] == 10


def test_an_account_of_somebody_elses_is_not_taken_for_the_first_starts(tmp_path: Path) -> None:
    """The first user of a venue that began without fees."""
    fees = [Request(OpenAccount(account=99, account_kind=3)), Request(SetRule(rule=Rule.COMMISSION_PPM, value=150))]
    start(tmp_path, PACK, [Request(OpenAccount(account=1))])
    assert start(tmp_path, [*PACK, *fees])[-1] == CommandKind.START_EPOCH
