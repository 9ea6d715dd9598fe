"""Sums over all accounts: they hold after any commands, and tell when a row was changed behind the projector's back."""

from __future__ import annotations

import pytest

from onseju.contract.commands import DepositCash, NewOrder, NoteAdmin, Request, WithdrawCash, encode_command, sequence
from onseju.contract.journal_records import JournalRecord
from onseju.contract.words import OrderType, Side, Via
from onseju.matching.engine import SEMANTICS_VERSION
from onseju.projections.places import Place
from onseju.projections.projector import Projector
from onseju.projections.queries import Queries
from onseju.projections.sums import Sums
from tests.unit.projections.support import ACCOUNTS, FIRST_TS, MemoryJournal, blocks_of, change, records


def project(database: Place, more: list[Request], max_blocks: int) -> None:
    made = records(5, 600)
    for request in more:
        seq = len(made) + 1
        command = sequence(encode_command(request.command), seq, FIRST_TS + seq * 300_000)
        made.append(JournalRecord(venue=1, epoch=1, semantics=SEMANTICS_VERSION, command=command, text=request.text))
    projector = Projector(MemoryJournal(tuple(blocks_of(made))), database, max_blocks=max_blocks)
    projector.catch_up()
    projector.stop()


def sums(database: Place) -> Sums:
    queries = Queries(database)
    try:
        return queries.sums()
    finally:
        queries.close()


@pytest.mark.parametrize("max_blocks", [1, 7, 2000])
def test_they_hold(database: Place, max_blocks: int) -> None:
    doors = [DepositCash(account=1, amount=7), DepositCash(account=1, amount=11), WithdrawCash(account=2, amount=5)]
    doors += [NewOrder(account=1, instrument=1, qty=0, side=Side.BUY, order_type=OrderType.MARKET)]
    project(database, [Request(command) for command in doors], max_blocks)
    found = sums(database)
    assert found.cash_held == found.cash_paid_in == len(ACCOUNTS) * 500_000_000 + 7 + 11 - 5
    assert found.orders_accepted == found.orders_open + found.orders_done > 300
    assert found.orders_rejected == 1
    assert found.overdrawn == found.reserved_without_order == 0
    assert len(found.shares) == 3
    for one in found.shares:
        assert one.held == one.paid_in == len(ACCOUNTS) * 500
        assert one.reserved == one.offered


def test_open_orders_and_their_reservations(database: Place) -> None:
    made = tuple(blocks_of(records(5, 600)[:-1]))  # the day has not ended: orders are open
    projector = Projector(MemoryJournal(made), database)
    projector.catch_up()
    projector.stop()
    found = sums(database)
    assert found.orders_open > 0
    assert found.orders_accepted == found.orders_open + found.orders_done
    assert found.cash_reserved > 0
    assert sum(one.offered for one in found.shares) > 0
    assert all(one.reserved == one.offered for one in found.shares)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE balances SET cash = cash + 1 WHERE account = 1",
        "UPDATE positions SET qty = qty - 1 WHERE account = 1 AND instrument = 1",
        "UPDATE positions SET reserved_qty = 1 WHERE account = 1 AND instrument = 1",
        "UPDATE balances SET reserved_cash = 1 WHERE account = 1",
        "UPDATE balances SET reserved_cash = cash + 1 WHERE account = 1",
        "UPDATE orders SET done = 0 WHERE order_id = (SELECT min(order_id) FROM orders WHERE done = 1 AND status <> 5)",
    ],
)
def test_harm_shows(database: Place, harm: str) -> None:
    project(database, [], 2000)
    good = sums(database)
    assert change(database, harm) == 1
    bad = sums(database)
    assert (good.orders_open, good.overdrawn, good.reserved_without_order) == (0, 0, 0)
    assert bad != good
    wrong = [
        bad.cash_held != bad.cash_paid_in,
        any(one.held != one.paid_in or one.reserved != one.offered for one in bad.shares),
        bad.reserved_without_order > 0,
        bad.overdrawn > 0,
        bad.orders_accepted != bad.orders_open + bad.orders_done,
    ]
    assert any(wrong)


def test_what_hosts_did_is_a_list(database: Place) -> None:
    note = NoteAdmin(actor=3, account=1, instrument=2, about_seq=9, via=Via.KEY)
    more = [Request(note, "deposit cash=5"), Request(NoteAdmin(via=Via.BOOTSTRAP), "set_password")]
    project(database, more, 2000)
    queries = Queries(database)
    try:
        page = queries.deeds(limit=1)
        (last,) = page.deeds
        assert (last.actor, last.via, last.action, last.details) == (None, "bootstrap", "set_password", "")
        assert (last.account_id, last.symbol, last.about_seq) == (None, None, None)
        first, earlier = queries.deeds(page.next_cursor).deeds
    finally:
        queries.close()
    assert (first.actor, first.via, first.action, first.details) == (3, "key", "deposit", "cash=5")
    assert (first.account_id, first.about_seq, first.seq) == (1, 9, last.seq - 1)
    assert earlier.seq < first.seq
    assert first.symbol is not None
