"""Orders made ready: from a table's columns to commands, filled column by column, every value checked before any applies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from onseju.contract.arrays import COMMANDS, Records, new_commands
from onseju.contract.commands import CORRECT_LEAVES_QTY, CORRECT_LIMIT_PRICE, CORRECT_STOP_PRICE, CommandKind
from onseju.contract.words import OrderType, Phase, Side, TimeInForce, Word
from onseju.library.table import Column, Ints, Mask, TableError, meant
from onseju.library.table import read as read_table

ACTIONS: dict[str, CommandKind] = {
    "new": CommandKind.NEW_ORDER,
    "cancel": CommandKind.CANCEL_ORDER,
    "correct": CommandKind.CORRECT_ORDER,
    "cancel_all": CommandKind.CANCEL_ALL,
    "phase": CommandKind.CHANGE_PHASE,
    "uncross": CommandKind.UNCROSS,
}
"""What a row may ask."""

COLUMNS = (
    "action",
    "account",
    "symbol",
    "side",
    "qty",
    "price",
    "type",
    "time_in_force",
    "stop_price",
    "id",
    "target",
    "order_id",
    "phase",
    "ts",
)

WITH_LIMIT = (OrderType.LIMIT, OrderType.CONDITIONAL_LIMIT, OrderType.STOP_LIMIT)
WITH_STOP = (OrderType.STOP_LIMIT, OrderType.STOP)
MAX_I64 = 2**63 - 1
MAX_EXACT = 2.0**53
"""Whole numbers above are not exact in a float."""


class Whole:
    """A table's commands, and where its rows name each other. Slices of a flow share it."""

    __slots__ = ("__weakref__", "commands", "family", "targets")

    def __init__(self, commands: Records, targets: Ints | None, family: object) -> None:
        self.commands = commands
        self.targets = targets
        self.family = family


class Flow:
    """Orders ready to run: a table that was read and checked. `flow[a:b]` is a part of it, without copying.

    `Exchange.prepare` makes one; that exchange and its forks can run it, in any parts, in between other calls.
    """

    __slots__ = ("_start", "_stop", "_whole")

    def __init__(self, whole: Whole, start: int = 0, stop: int | None = None) -> None:
        self._whole = whole
        self._start = start
        self._stop = len(whole.commands) if stop is None else stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, part: slice) -> Flow:
        if not isinstance(part, slice):
            raise TypeError("a part of a flow is a slice: flow[a:b]")
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise ValueError("a part of a flow has no step")
        return Flow(self._whole, self._start + start, self._start + max(start, stop))

    @property
    def ts(self) -> Ints:
        """When each row is due: (n,) int64, microseconds since 1970-01-01 UTC; 0 without a column `ts`. A view."""
        found: Ints = self.commands["ts"]
        return found

    @property
    def commands(self) -> Records:
        """The commands, (n,) of `contract.arrays.COMMAND`, not numbered yet. A view; not to be changed."""
        return self._whole.commands[self._start : self._stop]

    @property
    def whole(self) -> Whole:
        """The table that this is a part of."""
        return self._whole

    @property
    def start(self) -> int:
        """The table's row with which this part begins."""
        return self._start


class Reader:
    """Checked columns of one table; what a column does not say, a constant or a default does."""

    def __init__(self, table: object, constants: Mapping[str, Any]) -> None:
        self.columns, self.count = read_table(table)
        for name in (*self.columns, *constants):
            if name not in COLUMNS:
                raise TableError(name, None, f"there is no such column{meant(name, COLUMNS, len(COLUMNS))}")
        for name, value in constants.items():
            if name in self.columns:
                raise TableError(name, None, "given both in the table and as a constant")
            if np.ndim(value):
                raise TableError(name, None, "a keyword is one value for all rows; a column belongs into the table")
            column, _ = read_table({name: [value]})
            self.columns[name] = _repeated(column[name], self.count)

    def has(self, name: str) -> bool:
        return name in self.columns

    def whole(self, name: str, where: Mask, *, lowest: int = 0, needed: Mask | None = None) -> Ints:
        """A column of whole numbers, 0 where missing or not asked for. `needed` says where there must be one.
        Shape (n,), int64."""
        column = self.columns.get(name)
        if column is None:
            self._expect_none(name, needed)
            return np.zeros(self.count, np.int64)
        if column.words is not None:
            self._refuse_first(column, where, "is text; a whole number is needed")
            return np.zeros(self.count, np.int64)
        given = where if column.missing is None else where & ~column.missing
        values = column.values
        if values.dtype.kind == "f":
            wrong = given & ~(np.abs(values) <= MAX_EXACT)
            self._refuse_first(column, wrong, "is too large to be exact as a float")
            with np.errstate(invalid="ignore"):
                numbers = np.where(given, values, 0).astype(np.int64)
            self._refuse_first(column, given & (numbers != values), _NOT_WHOLE.get(name, "is no whole number"))
        else:
            if values.dtype.kind == "u":
                self._refuse_first(column, given & (values > MAX_I64), "does not fit into 63 bits")
            numbers = np.where(given, values, 0).astype(np.int64) if not given.all() else values.astype(np.int64)
        if (given & (numbers < lowest)).any():
            self._refuse_first(column, given & (numbers < lowest), f"must be at least {lowest}")
        if needed is not None:
            self._refuse_first(column, needed & where & ~given, _MISSING.get(name, "is missing"))
        return numbers

    def word(self, name: str, words: type[Word], where: Mask, default: Word | None) -> Ints:
        """A column of words, or of their numbers; without a default every row of `where` needs one. (n,), int64."""
        return self.coded(name, _codes(words), where, default)

    def coded(self, name: str, codes: Mapping[str, int], where: Mask, default: int | None) -> Ints:
        """A column of names that stand for numbers, or of the numbers themselves. (n,), int64."""
        column = self.columns.get(name)
        fallback = 0 if default is None else int(default)
        if column is None:
            if default is None:
                self._expect_none(name, where)
            return np.full(self.count, fallback, np.int64)
        given = where if column.missing is None else where & ~column.missing
        if default is None:
            self._refuse_first(column, where & ~given, "is missing")
        if column.words is None:
            numbers = self.whole(name, where)
            allowed = np.fromiter(codes.values(), np.int64, len(codes))
            self._refuse_unknown(column, given & ~np.isin(numbers, allowed), codes)
        else:
            table = np.array([codes.get(word, -1) for word in column.words], np.int64)
            numbers = table[column.values]
            self._refuse_unknown(column, given & (numbers < 0), codes)
        return numbers if given.all() else np.where(given, numbers, fallback)

    def _expect_none(self, name: str, needed: Mask | None) -> None:
        if needed is not None and needed.any():
            raise TableError(name, int(needed.argmax()), _MISSING.get(name, "is missing, and this row needs it"))

    def _refuse_unknown(self, column: Column, wrong: Mask, codes: Mapping[str, int]) -> None:
        if wrong.any():
            given = column.at(int(wrong.argmax()))
            as_number = " as a number" if column.words is None else ""
            self._refuse_first(column, wrong, f"is not known{as_number}{meant(given, codes)}")

    def _refuse_first(self, column: Column, wrong: Mask, words: str) -> None:
        if wrong.any():
            row = int(wrong.argmax())
            raise TableError(column.name, row, words if column.at(row) is None else f"{column.at(row)!r} {words}")


_NOT_WHOLE = dict.fromkeys(("price", "stop_price"), "is no whole number of the venue's smallest price unit")
_MISSING = {
    "price": "is missing; a limit order needs one",
    "stop_price": "is missing; a stop order needs one",
}


def prepare(
    table: object, constants: Mapping[str, Any], symbols: Mapping[str, int], accounts: Mapping[str, int], family: object
) -> Flow:
    """The flow of a table; see `Exchange.prepare`. Raises `TableError`."""
    reader = Reader(table, constants)
    everywhere = np.ones(reader.count, np.bool_)
    kinds = reader.coded("action", ACTIONS, everywhere, ACTIONS["new"])
    is_kind = {kind: kinds == kind for kind in ACTIONS.values()}
    new, cancel, correct = (is_kind[ACTIONS[name]] for name in ("new", "cancel", "correct"))
    cancel_all, phase, uncross = (is_kind[ACTIONS[name]] for name in ("cancel_all", "phase", "uncross"))

    made = new_commands(reader.count, CommandKind.NEW_ORDER)
    made["kind"] = kinds
    made["ts"] = _times(reader, everywhere)
    account = reader.coded("account", accounts, new | cancel | correct | cancel_all, None)
    made["account"] = account
    made["actor"] = account
    instrument = reader.coded("symbol", symbols, new | cancel_all | phase | uncross, 0)
    unnamed = new & (instrument == 0)
    if unnamed.any():
        raise TableError("symbol", int(unnamed.argmax()), "is missing, and a new order needs it")
    made["instrument"] = instrument
    _fill_new(reader, made, new)
    targets = _named(reader, new, cancel | correct)
    _fill_changes(reader, made, cancel, correct)
    if cancel_all.any():
        side = reader.coded("side", _codes(Side), cancel_all, 0)
        _put(made, CommandKind.CANCEL_ALL, cancel_all, "side", side)
    if phase.any():
        phases = reader.word("phase", Phase, phase, None)
        _put(made, CommandKind.CHANGE_PHASE, phase, "phase", phases)
    return Flow(Whole(made, targets, family))


def _fill_new(reader: Reader, made: Records, new: Mask) -> None:
    if not new.any():
        return
    types = reader.word("type", OrderType, new, OrderType.LIMIT)
    qty = reader.whole("qty", new, lowest=1, needed=new)
    price = reader.whole("price", new, needed=new & np.isin(types, WITH_LIMIT))
    stop = reader.whole("stop_price", new, needed=new & np.isin(types, WITH_STOP))
    for name, values in (
        ("qty", qty),
        ("limit_price", price),
        ("stop_price", stop),
        ("side", reader.word("side", Side, new, None)),
        ("order_type", types),
        ("time_in_force", reader.word("time_in_force", TimeInForce, new, TimeInForce.DAY)),
    ):
        _put(made, CommandKind.NEW_ORDER, new, name, values)


def _fill_changes(reader: Reader, made: Records, cancel: Mask, correct: Mask) -> None:
    """Cancels and corrections. In these a quantity or price of 0 says: not given."""
    either = cancel | correct
    if not either.any():
        return
    order_id = reader.whole("order_id", either)
    qty = reader.whole("qty", either)
    _put(made, CommandKind.CANCEL_ORDER, either, "order_id", order_id)
    _put(made, CommandKind.CANCEL_ORDER, cancel, "qty", qty)
    if correct.any():
        price, stop = reader.whole("price", correct), reader.whole("stop_price", correct)
        flags = (
            np.where(price > 0, CORRECT_LIMIT_PRICE, 0)
            | np.where(qty > 0, CORRECT_LEAVES_QTY, 0)
            | np.where(stop > 0, CORRECT_STOP_PRICE, 0)
        )
        idle = correct & (flags == 0)
        if idle.any():
            raise TableError("price", int(idle.argmax()), "a correction needs a price, qty or stop_price")
        _put(made, CommandKind.CORRECT_ORDER, correct, "flags", flags.astype(np.int64))
        for name, values in (("limit_price", price), ("leaves_qty", qty), ("stop_price", stop)):
            _put(made, CommandKind.CORRECT_ORDER, correct, name, values)


def _named(reader: Reader, new: Mask, changes: Mask) -> Ints | None:
    """For each row, the row of the new order that it cancels or corrects; -1 where it names none. (n,), int64.

    `target` names by the column `id`, or by the row's number where there is none. Each needs a `target` or an `order_id`.
    """
    if not changes.any():
        return None
    target = reader.columns.get("target")
    pointed = np.zeros(reader.count, np.bool_)
    rows = np.full(reader.count, -1, np.int64)
    if target is not None:
        pointed = changes if target.missing is None else changes & ~target.missing
        names = reader.whole("target", pointed, lowest=-MAX_I64)
        rows = np.where(pointed, _rows_of(reader, new, names, pointed), -1)
    named = reader.whole("order_id", changes) > 0
    nameless = changes & ~pointed & ~named
    if nameless.any():
        raise TableError("target", int(nameless.argmax()), "a cancel or correction needs a target or an order_id")
    if (pointed & named).any():
        raise TableError(
            "order_id", int((pointed & named).argmax()), "given beside a target; one of them names the order"
        )
    return rows


def _rows_of(reader: Reader, new: Mask, names: Ints, pointed: Mask) -> Ints:
    """The rows of the new orders that `names` name. All must stand above the row that names them."""
    numbers = np.arange(reader.count)
    if not reader.has("id"):
        is_new = new[np.clip(names, 0, max(reader.count - 1, 0))]
        found = np.where((names >= 0) & (names < numbers) & is_new, names, -1)
    else:
        labels = reader.whole("id", new, lowest=-MAX_I64, needed=new)
        rows = numbers[new]
        ascending = np.argsort(labels[rows], kind="stable")
        rows = rows[ascending]
        ordered = labels[rows]
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if twice.size:
            raise TableError("id", int(rows[twice[0] + 1]), f"{ordered[twice[0]]} is another new order's id already")
        place = np.searchsorted(ordered, names)
        place[place == len(ordered)] = 0
        hit = (ordered[place] == names) if len(ordered) else np.zeros(reader.count, np.bool_)
        found = np.where(hit, rows[place] if len(rows) else -1, -1)
        found = np.where(found < numbers, found, -1)
    lost = pointed & (found < 0)
    if lost.any():
        row = int(lost.argmax())
        by = "id" if reader.has("id") else "row number"
        raise TableError("target", row, f"{names[row]} is no {by} of a new order above")
    return found


def _times(reader: Reader, everywhere: Mask) -> Ints:
    if not reader.has("ts"):
        return np.zeros(reader.count, np.int64)
    ts = reader.whole("ts", everywhere, lowest=1, needed=everywhere)
    back = np.flatnonzero(ts[1:] < ts[:-1])
    if back.size:
        row = int(back[0]) + 1
        raise TableError("ts", row, f"{ts[row]} is before the row above, {ts[row - 1]}; time never goes back")
    return ts


def _put(made: Records, kind: CommandKind, where: Mask, name: str, values: npt.NDArray[np.integer[Any]]) -> None:
    """Write a field of the rows of one kind."""
    field = made.view(COMMANDS[kind])[name]
    if where.all():
        field[:] = values
    else:
        np.copyto(field, values, where=where, casting="unsafe")


def _repeated(column: Column, count: int) -> Column:
    missing = None if column.missing is None else np.repeat(column.missing, count)
    return Column(column.name, np.repeat(column.values, count), column.words, missing)


def _codes(words: type[Word]) -> dict[str, int]:
    return {word.label: int(word) for word in words}
