"""Runs a flow in batches: progress on a terminal, Ctrl-C heard between batches, results picked from the events by columns."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from onseju.contract.arrays import EVENTS, Records
from onseju.contract.commands import COMMAND_BYTES, CommandKind
from onseju.contract.events import EVENT_BYTES, EventKind
from onseju.library.flow import Flow
from onseju.library.machine import Kinds, Machine
from onseju.library.tape import Curve, Tape

Ints = npt.NDArray[np.int64]

ANSWERS = np.dtype(
    [
        ("seq", "<i8"),
        ("ts", "<i8"),
        ("order_id", "<i8"),
        ("leaves_qty", "<i8"),
        ("filled_qty", "<i8"),
        ("canceled_qty", "<i8"),
        ("filled_amount", "<i8"),
        ("status", "u1"),
        ("reason", "<u2"),
    ],
    align=True,
)
"""What each row came to, right after it: its order as it stood then. `status` is a `words.OrderStatus`, 0 where there is no
order to tell of; `reason` a `reasons.Reason`, 0 = none."""

ORDERS = np.dtype(
    [
        ("order_id", "<i8"),
        ("row", "<i8"),
        ("leaves_qty", "<i8"),
        ("filled_qty", "<i8"),
        ("canceled_qty", "<i8"),
        ("filled_amount", "<i8"),
        ("status", "u1"),
        ("reason", "<u2"),
    ],
    align=True,
)
"""Each new order at the end of the run."""


def _offset(form: np.dtype[np.void], name: str) -> int:
    fields: Any = form.fields
    return int(fields[name][1])


def _teller(kind: EventKind) -> np.dtype[np.void]:
    """An event's view of what it tells of an order: `numbers` are leaves_qty to filled_amount, which stand in a row."""
    places = {
        name: (_offset(EVENTS[kind], field), form)
        for name, field, form in (
            ("seq", "seq", "<i8"),
            ("reason", "reason", "<u2"),
            ("order_id", "order_id", "<i8"),
            ("numbers", "leaves_qty", "V32"),
            ("status", "status", "u1"),
        )
    }
    names, offsets, formats = list(places), [at for at, _ in places.values()], [form for _, form in places.values()]
    return np.dtype({"names": names, "offsets": offsets, "formats": formats, "itemsize": EVENT_BYTES})


_AS_ORDER, _AS_FILL = _teller(EventKind.ORDER_ACCEPTED), _teller(EventKind.ORDER_FILLED)
_STATE = np.dtype(
    {"names": ["numbers", "status", "reason"], "formats": ["V32", "u1", "<u2"], "offsets": [0, 32, 34], "itemsize": 40}
)
"""The bytes that `ANSWERS` and `ORDERS` end with."""

_WHOLE_STATE = np.dtype(f"V{_STATE.itemsize}")
_OPAQUE = np.dtype(f"V{COMMAND_BYTES}")
"""A command as one piece: copied at once, not field by field."""

_SHOW_AFTER = 0.5
"""Seconds after which a run shows how far it is."""


def books_dtype(levels: int) -> np.dtype[np.void]:
    """A snapshot of one instrument's book after `row`: `levels` prices and open shares a side, best first, 0 = none."""
    sides = [(f"{side}_{what}", "<i8", (levels,)) for side in ("bid", "ask") for what in ("price", "qty")]
    return np.dtype([("row", "<i8"), ("seq", "<i8"), ("ts", "<i8"), ("instrument", "<u4"), *sides])


class Interrupted(KeyboardInterrupt):
    """Ctrl-C between two batches. `run` is what was done until then; the exchange can go on from row `run.rows`."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"interrupted after {run.rows:,} rows")
        self.run = run


class Run:
    """What a run gave, as arrays.

    `rows` is how many rows were run. `answers`: (rows,) of `ANSWERS`. `orders`: (new orders,) of `ORDERS`. `books`:
    (points × symbols,) of `books_dtype`. `seconds` of real time.
    """

    def __init__(self, answers: Records | None, orders: Records | None, books: Records, tape: Tape) -> None:
        self.rows = 0
        self.seconds = 0.0
        self._answers = answers
        self._orders = orders
        self._books = books
        self._taken = 0
        self._tape = tape

    @property
    def answers(self) -> Records:
        """What each row came to, right after it. Raises `ValueError` where it was not kept."""
        return _kept(self._answers, "answers")[: self.rows]

    @property
    def orders(self) -> Records:
        """Each new order at the end of the run. Raises `ValueError` where it was not kept."""
        found = _kept(self._orders, "orders")
        return found[found["order_id"] > 0] if len(found) and not found["order_id"][-1] else found

    @property
    def books(self) -> Records:
        """The books at the chosen points, by row and then by instrument."""
        return self._books[: self._taken]

    @property
    def trades(self) -> Records:
        """All trades: (n,) of `tape.TRADES`."""
        return self._tape.trades

    @property
    def fills(self) -> Records:
        """The fills of the accounts that the run followed: (n,) of `tape.FILLS`."""
        return self._tape.fills

    @property
    def events(self) -> Records:
        """All events, where they were kept: (n,) of `contract.arrays.EVENT`."""
        return self._tape.events

    def curve(self, account: str | int) -> Curve:
        """An account over time; it must be one that the run followed (`accounts`)."""
        return self._tape.curve(account)

    def __repr__(self) -> str:
        rate = self.rows / self.seconds if self.seconds else 0
        return f"Run({self.rows:,} rows, {len(self.trades):,} trades, {self.seconds:.2f} s, {rate:,.0f} rows/s)"


class Runner:
    """One run of a flow on a machine."""

    def __init__(
        self,
        machine: Machine,
        flow: Flow,
        tape: Tape,
        *,
        keep: frozenset[str],
        points: Ints,
        instruments: Sequence[int],
        levels: int,
    ) -> None:
        self._machine = machine
        self._flow = flow
        self._points = points
        self._instruments = instruments
        self._tape = tape
        new = int(np.count_nonzero(flow.commands["kind"] == CommandKind.NEW_ORDER)) if "orders" in keep else 0
        answers = np.zeros(len(flow), ANSWERS) if "answers" in keep else None
        orders = np.zeros(new, ORDERS) if "orders" in keep else None
        self._first_id = machine.next_order_id
        self._entered = 0
        self._latest: Ints = np.zeros(new, np.int64)
        self.run = Run(answers, orders, np.zeros(len(points) * len(instruments), books_dtype(levels)), tape)
        self._levels = levels

    def go(self, *, batch: int, progress: bool | None) -> Run:
        """Run all. Raises `Interrupted`."""
        began = time.perf_counter()
        cuts = np.union1d(np.append(np.arange(0, len(self._flow), batch), len(self._flow)), self._points + 1)
        self._machine.listen(self._tape)
        try:
            with _heard() as stop, _shown(len(self._flow), progress) as show:
                for start, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
                    self._batch(start, end)
                    self.run.seconds = time.perf_counter() - began
                    show(end)
                    if stop:
                        raise Interrupted(self.run)
        finally:
            self._machine.ignore(self._tape)
        return self.run

    def _batch(self, start: int, end: int) -> None:
        machine, flow = self._machine, self._flow[start:end]
        commands = flow.commands.view(_OPAQUE).copy().view(flow.commands.dtype)
        machine.number(commands)
        ids = machine.place(commands, flow.whole, flow.start)
        events, kinds = machine.many(commands)
        self._answer(start, commands, ids, events, kinds)
        self.run.rows = end
        if self._taken_point(end - 1):
            self._take_books(end - 1)

    # Results from events

    def _answer(self, start: int, commands: Records, ids: Ints, events: Records, kinds: Kinds) -> None:
        answers, orders = self.run._answers, self.run._orders
        if answers is None and orders is None:
            return
        told = _Told(events, kinds)
        if answers is not None:
            mine = answers[start : start + len(commands)]
            mine["seq"], mine["ts"], mine["order_id"] = commands["seq"], commands["ts"], ids
            self._write_answers(mine, ids, told)
            refused = events[kinds == EventKind.REQUEST_REJECTED]
            rows = refused["seq"].astype(np.int64) - int(commands["seq"][0])
            mine["reason"][rows] = refused["reason"]
        if orders is not None:
            self._write_orders(orders, start, commands, told)

    def _write_answers(self, answers: Records, ids: Ints, told: _Told) -> None:
        """Each row's own order as the last event of the row tells it."""
        rows = told.seqs - int(answers["seq"][0])
        own = np.flatnonzero(ids[rows] == told.order_ids)
        last = np.full(len(ids), -1, np.int64)
        last[rows[own]] = own  # of several the last one stays
        found = np.flatnonzero(last >= 0)
        told.write(answers, found, last[found])

    def _write_orders(self, orders: Records, start: int, commands: Records, told: _Told) -> None:
        """The orders that this run entered as the batch's last event about each tells it."""
        new = np.flatnonzero(commands["kind"] == CommandKind.NEW_ORDER)
        mine = slice(self._entered, self._entered + len(new))
        orders["order_id"][mine] = np.arange(self._first_id + mine.start, self._first_id + mine.stop)
        orders["row"][mine] = start + new
        self._entered = mine.stop
        place = told.order_ids - self._first_id
        inside = np.flatnonzero(place >= 0)
        place = place[inside]
        self._latest[place] = inside
        newest = self._latest[place] == inside
        told.write(orders, place[newest], inside[newest])

    # Books

    def _taken_point(self, row: int) -> bool:
        place = int(np.searchsorted(self._points, row))
        return place < len(self._points) and int(self._points[place]) == row

    def _take_books(self, row: int) -> None:
        run = self.run
        for instrument in self._instruments:
            taken = run._books[run._taken]
            taken["row"], taken["seq"], taken["ts"] = row, self._machine.seq, self._machine.now
            taken["instrument"] = instrument
            for side, levels in zip(("bid", "ask"), self._machine.engine.book(instrument), strict=True):
                for place, (price, qty, _) in enumerate(levels[: self._levels]):
                    taken[f"{side}_price"][place], taken[f"{side}_qty"][place] = price, qty
            run._taken += 1


class _Told:
    """What the events of a batch tell of orders: whose state, and the state in the bytes that `ANSWERS` and `ORDERS` end
    with, so that it is copied at once and not field by field."""

    def __init__(self, events: Records, kinds: Kinds) -> None:
        about = np.flatnonzero(kinds <= EventKind.ORDER_FILLED)
        told = events.view(_AS_ORDER)
        self.seqs: Ints = told["seq"][about]
        self.order_ids: Ints = told["order_id"][about]
        states = np.zeros(len(about), _STATE)
        for name in ("numbers", "status", "reason"):
            states[name] = told[name][about]
        fills = np.flatnonzero(kinds[about] == EventKind.ORDER_FILLED)
        for name in ("numbers", "status"):
            states[name][fills] = events.view(_AS_FILL)[name][about[fills]]
        self._states = states.view(_WHOLE_STATE)

    def write(self, into: Records, where: Ints, chosen: Ints) -> None:
        """Write the chosen states to places of `into`."""
        into.view(_ending(into.dtype.itemsize))["state"][where] = self._states[chosen]


@cache
def _ending(width: int) -> np.dtype[np.void]:
    """A record of this width by its last bytes."""
    at = width - _STATE.itemsize
    return np.dtype({"names": ["state"], "formats": [_WHOLE_STATE], "offsets": [at], "itemsize": width})


def _kept(found: Records | None, name: str) -> Records:
    if found is None:
        raise ValueError(f"{name} were not kept: run(..., keep=({name!r}, …))")
    return found


@contextmanager
def _heard() -> Iterator[list[int]]:
    """Ctrl-C fills the list instead of breaking in at any place; the second one breaks in. Only the main thread hears it."""
    asked: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield asked
        return

    def hear(number: int, frame: FrameType | None) -> None:
        if asked:
            before(number, frame)
        asked.append(number)

    signal.signal(signal.SIGINT, hear)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:  # after the last look at it
        raise KeyboardInterrupt


@contextmanager
def _shown(total: int, progress: bool | None) -> Iterator[Any]:
    """Shows how many rows are done, on a terminal or in a notebook, once a run lasts; `progress` says so at once or never."""
    console = Console(stderr=not _in_notebook())
    wanted = (console.is_terminal or console.is_jupyter) if progress is None else progress
    if not wanted:
        yield lambda done: None
        return
    bar = Progress(
        TextColumn("orders"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    task = bar.add_task("orders", total=total)
    began = time.monotonic()

    def show(done: int) -> None:
        if not bar.live.is_started and (progress or time.monotonic() - began > _SHOW_AFTER):
            bar.start()
        bar.update(task, completed=done)

    try:
        yield show
    finally:
        bar.stop()


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules
