"""Sums over all accounts, kept beside the rows so that what must hold of them can be looked at while the exchange runs.

What came into the venue and left it is counted from deposits and withdrawals alone, and orders from their own events: so the
tables' cash, shares and orders can be compared with something that was not computed from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from onseju.contract.commands import CommandKind
from onseju.projections import tables as t

ORDERS_ACCEPTED = "orders_accepted"
ORDERS_DONE = "orders_done"
ORDERS_REJECTED = "orders_rejected"
CASH_PAID_IN = "cash_paid_in"
SHARES_PAID_IN = "shares_paid_in"

Key = tuple[str, int]
"""A sum's name, and its instrument (0 = none)."""

CASH_DOORS = frozenset({CommandKind.DEPOSIT_CASH, CommandKind.WITHDRAW_CASH})


class BatchSums:
    """What one batch adds to the sums."""

    def __init__(self) -> None:
        self.added: Counter[Key] = Counter()
        self.cash_before: list[int] = []
        """Accounts that paid in or out before any other event of theirs in this batch: what they had is in the table."""
        self.shares_before: list[tuple[int, int]] = []

    def cash_moved(self, account: int, before: int | None, now: int) -> None:
        """A deposit or withdrawal: the difference came from outside. `before` is None where the table alone knows it."""
        if before is None:
            self.cash_before.append(account)
        self.added[CASH_PAID_IN, 0] += now - (before or 0)

    def shares_moved(self, key: tuple[int, int], before: int | None, now: int) -> None:
        """The same for shares; `key` is the account and the instrument."""
        if before is None:
            self.shares_before.append(key)
        self.added[SHARES_PAID_IN, key[1]] += now - (before or 0)

    def write(self, connection: sa.Connection, orders: Mapping[str, int]) -> None:
        """Add to the table, inside the batch's transaction and before its balances and positions are written. `orders` are
        how many orders came and went, by the sums' names."""
        added = self.added.copy()
        added.update({(name, 0): number for name, number in orders.items() if number})
        for account in self.cash_before:
            held = connection.scalar(sa.select(t.balances.c.cash).where(t.balances.c.account == account))
            added[CASH_PAID_IN, 0] -= int(held or 0)
        for account, instrument in self.shares_before:
            p = t.positions.c
            held = connection.scalar(sa.select(p.qty).where(p.account == account, p.instrument == instrument))
            added[SHARES_PAID_IN, instrument] -= int(held or 0)
        for (name, instrument), value in added.items():
            row = (t.sums.c.name == name) & (t.sums.c.instrument == instrument)
            known = connection.scalar(sa.select(t.sums.c.value).where(row))
            if known is None:
                connection.execute(sa.insert(t.sums).values(name=name, instrument=instrument, value=str(value)))
            elif value:
                connection.execute(sa.update(t.sums).where(row).values(value=str(int(known) + value)))


class ShareSums(NamedTuple):
    """One instrument's shares over all accounts."""

    instrument: int
    held: int
    paid_in: int
    reserved: int
    offered: int
    """Open shares of all sell orders: each of them is reserved, and nothing else is."""


class Sums(NamedTuple):
    """Everything at one position of the log. Cash in the venue's smallest unit."""

    seq: int
    cash_held: int
    cash_paid_in: int
    cash_reserved: int
    reserved_without_order: int
    """Accounts that have cash or shares reserved and no open order to reserve them for."""
    overdrawn: int
    """Accounts that have more reserved than they hold, of cash or of an instrument."""
    orders_accepted: int
    orders_open: int
    orders_done: int
    orders_rejected: int
    shares: tuple[ShareSums, ...]


def read_sums(connection: sa.Connection, seq: int) -> Sums:
    """The sums in one read transaction that stands at `seq`. It reads each balance, position and open order once.

    Sums are added up here: SQL's own end at 64 bits.
    """
    b, p, o = t.balances.c, t.positions.c, t.orders.c
    kept = {(row.name, int(row.instrument)): int(row.value) for row in connection.execute(sa.select(t.sums)).all()}
    cash = reserved = overdrawn = 0
    reserving: set[int] = set()
    for account, held, kept_back in connection.execute(sa.select(b.account, b.cash, b.reserved_cash)):
        cash += held
        reserved += kept_back
        overdrawn += kept_back > held
        if kept_back:
            reserving.add(account)
    shares: Counter[int] = Counter()
    shares_reserved: Counter[int] = Counter()
    for account, instrument, qty, kept_back in connection.execute(
        sa.select(p.account, p.instrument, p.qty, p.reserved_qty)
    ):
        shares[instrument] += qty
        shares_reserved[instrument] += kept_back
        overdrawn += kept_back > qty
        if kept_back:
            reserving.add(account)
    offered: Counter[int] = Counter()
    ordering: set[int] = set()
    orders_open = 0
    for account, instrument, side, leaves in connection.execute(
        sa.select(o.account, o.instrument, o.side, o.leaves_qty).where(o.done == t.OPEN)
    ):
        orders_open += 1
        ordering.add(account)
        if side == 2:
            offered[instrument] += leaves
    instruments = sorted(shares.keys() | offered.keys() | {i for name, i in kept if name == SHARES_PAID_IN})
    return Sums(
        seq=seq,
        cash_held=cash,
        cash_paid_in=kept.get((CASH_PAID_IN, 0), 0),
        cash_reserved=reserved,
        reserved_without_order=len(reserving - ordering),
        overdrawn=overdrawn,
        orders_accepted=kept.get((ORDERS_ACCEPTED, 0), 0),
        orders_open=orders_open,
        orders_done=kept.get((ORDERS_DONE, 0), 0),
        orders_rejected=kept.get((ORDERS_REJECTED, 0), 0),
        shares=tuple(
            ShareSums(i, shares[i], kept.get((SHARES_PAID_IN, i), 0), shares_reserved[i], offered[i])
            for i in instruments
        ),
    )
