"""Events to rows by the compiled core, where it is there: the same rows in the same order as `rows.Batch` makes, for less.

The core folds the events of every day without the interpreter lock and hands over the values of many rows at once; what is rare
(a listing, a new day, a deposit) comes one event at a time and is taken in as in the plain form.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import Any, Protocol

from onseju.contract.commands import CommandKind
from onseju.contract.event_runs import EventRun
from onseju.contract.events import EVENT_BYTES, KIND_OFFSET, EventKind
from onseju.contract.journal_records import EventBlock
from onseju.matching.compiled import CORE
from onseju.projections.rows import BALANCE, FOLDS, POSITION, Batch, Rows, are_known, start_of_day
from onseju.projections.sums import CASH_DOORS

IN_CORE = ("orders", "order_fills", "fills", "trades", "balances", "positions", "candles")
"""The rows that the core makes."""

_BALANCE, _POSITION = int(EventKind.BALANCE_CHANGED), int(EventKind.POSITION_CHANGED)
_RARE_KINDS = (
    EventKind.VENUE_OPENED,
    EventKind.DAY_ROLLED,
    EventKind.ACCOUNT_OPENED,
    EventKind.INSTRUMENT_LISTED,
    EventKind.PRICE_LIMITS_SET,
    EventKind.ADMIN_NOTED,
)
_RARE = frozenset(map(int, _RARE_KINDS))
_NOT_RARE = bytes(kind for kind in range(256) if kind not in _RARE)
_DOORS = frozenset(map(int, (*CASH_DOORS, CommandKind.DEPOSIT_SHARES)))
_NOT_DOORS = bytes(kind for kind in range(256) if kind not in _DOORS)


class Core(Protocol):
    """The compiled core's rows of one batch."""

    def add(self, payload: bytes, day_start: int, ends: Any, texts: Any) -> None: ...
    def cash(self, account: int) -> int | None: ...
    def shares(self, account: int, instrument: int) -> int | None: ...
    def finish(self) -> None: ...
    def counts(self) -> tuple[int, int, int]: ...
    def count(self, table: str) -> int: ...
    def values(self, table: str, start: int, stop: int) -> tuple[Any, ...]: ...


class _CoreRows:
    """One table's rows in the core."""

    def __init__(self, core: Core, table: str) -> None:
        self._core = core
        self._table = table

    def __len__(self) -> int:
        return self._core.count(self._table)

    def values(self, start: int, stop: int) -> tuple[Any, ...]:
        """See `rows.Rows`."""
        return self._core.values(self._table, start, stop)


class CoreBatch(Batch):
    """A batch whose rows of every day are in the core."""

    def __init__(self, trading_day: int, core: Core) -> None:
        super().__init__(trading_day)
        self._core = core

    def add_run(self, run: EventRun) -> None:
        """Take in the next blocks, one or more. Raises as `Batch.add` does."""
        kinds = run.payload[KIND_OFFSET::EVENT_BYTES]
        if not are_known(run.payload, kinds):
            for block in run:
                deque(block.events, maxlen=0)  # it says which
        start = 0
        for place in _rare_places(run, kinds):
            self._add_plain(run.part(start, place))
            self._add_rare(run[place])
            start = place + 1
        self._add_plain(run.part(start, len(run)))
        if self.block_count == 0:
            self.first_seq = run.first_seq
        self.last_seq = run.last_seq
        self.block_count += len(run)
        self.event_count += run.event_count

    def add(self, block: EventBlock) -> None:
        """Take in the next block. Raises as `Batch.add` does."""
        self.add_run(EventRun.of([block]))

    def rows(self) -> dict[str, Rows]:
        """See `Batch.rows`."""
        self._core.finish()
        self.orders_accepted, self.orders_done, self.orders_rejected = self._core.counts()
        return {**super().rows(), **{table: _CoreRows(self._core, table) for table in IN_CORE}}

    def _add_plain(self, run: EventRun) -> None:
        if run.payload:
            self._core.add(run.payload, self._day_start(), run.ends if run.texts else (), dict(run.texts))

    def _add_rare(self, block: EventBlock) -> None:
        payload = block.payload
        texts = {0: block.text} if block.text else {}
        for offset in range(0, len(payload), EVENT_BYTES):
            kind = payload[offset + KIND_OFFSET]
            fold = FOLDS[kind]
            if kind in _RARE and fold is not None:
                fold(self, payload, offset, block)
                continue
            if kind == _BALANCE and block.command_kind in CASH_DOORS:
                _, _, account, cash, *_ = BALANCE.unpack_from(payload, offset)
                self.sums.cash_moved(account, self._core.cash(account), cash)
            elif kind == _POSITION and block.command_kind == CommandKind.DEPOSIT_SHARES:
                _, _, account, instrument, qty, *_ = POSITION.unpack_from(payload, offset)
                self.sums.shares_moved((account, instrument), self._core.shares(account, instrument), qty)
            self._core.add(payload[offset : offset + EVENT_BYTES], self._day_start(), (EVENT_BYTES,), texts)

    def _day_start(self) -> int:
        return start_of_day(self.trading_day) if self.trading_day else 0


def _rare_places(run: EventRun, kinds: bytes) -> list[int]:
    """The places of the commands that are to be taken in one event at a time."""
    places: set[int] = set()
    if kinds.translate(None, _NOT_RARE):
        places.update(bisect_right(run.ends, at * EVENT_BYTES) for at, kind in enumerate(kinds) if kind in _RARE)
    if run.kinds.translate(None, _NOT_DOORS):
        places.update(at for at, kind in enumerate(run.kinds) if kind in _DOORS)
    return sorted(places)


def new_batch(trading_day: int) -> Batch:
    """A batch in the best form that can run here."""
    return Batch(trading_day) if CORE is None else CoreBatch(trading_day, CORE.TableRows())
