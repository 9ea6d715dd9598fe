"""What is kept of the events, as arrays: trades, one's own fills, and the curves of accounts. Vectorised, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from onseju.contract.arrays import EVENT, EVENTS, Records, view_events
from onseju.contract.events import EventKind
from onseju.library.results import UnknownNameError

Ints = npt.NDArray[np.int64]

TRADES = np.dtype(
    [
        ("seq", "<i8"),
        ("ts", "<i8"),
        ("trade_id", "<i8"),
        ("instrument", "<u4"),
        ("taker_side", "u1"),
        ("price", "<i8"),
        ("qty", "<i8"),
        ("buy_order_id", "<i8"),
        ("sell_order_id", "<i8"),
    ],
    align=True,
)
"""A trade: `seq` of the command, `ts` in microseconds since 1970-01-01 UTC, `taker_side` 1 buy, 2 sell, 0 in an auction."""

FILLS = np.dtype(
    [
        ("seq", "<i8"),
        ("ts", "<i8"),
        ("account", "<u4"),
        ("instrument", "<u4"),
        ("order_id", "<i8"),
        ("trade_id", "<i8"),
        ("side", "u1"),
        ("liquidity", "u1"),
        ("status", "u1"),
        ("price", "<i8"),
        ("qty", "<i8"),
        ("leaves_qty", "<i8"),
        ("commission", "<i8"),
        ("transaction_tax", "<i8"),
        ("rural_tax", "<i8"),
    ],
    align=True,
)
"""One account's side of a trade: `side` 1 buy, 2 sell; `liquidity` 1 maker, 2 taker, 3 auction. Commission and taxes are
the order's sums so far."""

_BALANCES = np.dtype([("seq", "<i8"), ("ts", "<i8"), ("account", "<u4"), ("cash", "<i8"), ("reserved_cash", "<i8")])
_POSITIONS = np.dtype([("seq", "<i8"), ("ts", "<i8"), ("account", "<u4"), ("instrument", "<u4"), ("qty", "<i8")])
_JOIN_AFTER = 4_096
"""Payloads of single calls are joined and read after so many."""


class Curve(NamedTuple):
    """An account over time, a row after each command that changed it or a last price of what it holds; the first row is
    how it began. Arrays of shape (n,), int64; money in the venue's smallest unit.

    `ts` in microseconds since 1970-01-01 UTC. `cash` includes what is reserved and not settled. `position` and `price`
    (the last price, the base price before the first trade) are by symbol. `equity` is cash + Σ position × price.
    """

    seq: Ints
    ts: Ints
    cash: Ints
    reserved_cash: Ints
    equity: Ints
    position: dict[str, Ints]
    price: dict[str, Ints]


class Opening(NamedTuple):
    """How an account was when the tape began."""

    cash: int
    reserved_cash: int
    positions: dict[int, int]


class Tape:
    """Keeps trades (where asked to), and of some accounts the fills, balances and positions."""

    def __init__(
        self,
        *,
        seq: int,
        ts: int,
        symbols: Mapping[str, int],
        last_prices: Ints,
        base_prices: Sequence[int],
        accounts: Mapping[str, int],
        openings: Mapping[int, Opening],
        trades: bool = True,
        events: bool = False,
    ) -> None:
        self._began = (seq, ts)
        self._symbols = symbols
        self._last_prices = last_prices
        self._base_prices = base_prices
        self._accounts = dict(accounts)
        self._openings = dict(openings)
        self._keeps_trades = trades
        self._keeps_events = events
        self._waiting: list[bytes] = []
        self._parts: dict[str, list[Records]] = {
            name: [] for name in ("trades", "fills", "balances", "positions", "events")
        }
        widest = max(self._openings, default=0)
        self._is_mine = np.zeros(widest + 2, np.bool_)  # the last place stands for all numbers above
        self._is_mine[list(self._openings)] = True

    def take(self, events: Records, kinds: npt.NDArray[np.uint8]) -> None:
        """Keep what is wanted of some events, whose kinds stand in an array of their own too."""
        self._flush()
        self._take(events, kinds)

    def take_bytes(self, payload: bytes) -> None:
        """The same for the events of one call; they are read later."""
        self._waiting.append(payload)
        if len(self._waiting) >= _JOIN_AFTER:
            self._flush()

    @property
    def trades(self) -> Records:
        """All trades: (n,) of `TRADES`."""
        return self._joined("trades", TRADES)

    @property
    def fills(self) -> Records:
        """The accounts' own fills: (n,) of `FILLS`."""
        return self._joined("fills", FILLS)

    @property
    def events(self) -> Records:
        """All events, where they are kept: (n,) of `contract.arrays.EVENT`, to be viewed as any kind's dtype."""
        return self._joined("events", EVENT)

    def curve(self, account: str | int) -> Curve:
        """An account over time. Raises `KeyError` for one that the tape does not follow."""
        number = self._accounts.get(account, 0) if isinstance(account, str) else account
        if number not in self._openings:
            raise UnknownNameError(f"the tape does not follow account {account!r}: name it in `accounts`")
        opening = self._openings[number]
        balances, positions = (self._of(number, name, form) for name, form in _FOLLOWED)
        held = sorted({*opening.positions, *np.unique(positions["instrument"]).tolist()})
        trades = self._joined("trades", TRADES)
        trades = trades[np.isin(trades["instrument"], held)]
        seq, ts = self._grid(balances, positions, trades)
        cash = _carried(seq, balances["seq"], balances["cash"], opening.cash)
        reserved = _carried(seq, balances["seq"], balances["reserved_cash"], opening.reserved_cash)
        equity, position, price = cash.copy(), {}, {}
        names = {instrument: symbol for symbol, instrument in self._symbols.items()}
        for instrument in held:
            own = positions[positions["instrument"] == instrument]
            theirs = trades[trades["instrument"] == instrument]
            qty = _carried(seq, own["seq"], own["qty"], opening.positions.get(instrument, 0))
            known = instrument < len(self._last_prices)
            last = int(self._last_prices[instrument]) if known else self._base_prices[instrument]
            marked = _carried(seq, theirs["seq"], theirs["price"], last)
            equity += qty * marked
            position[names[instrument]], price[names[instrument]] = qty, marked
        return Curve(seq, ts, cash, reserved, equity, position, price)

    # Inside

    def _flush(self) -> None:
        if self._waiting:
            payload = b"".join(self._waiting)
            self._waiting.clear()
            events = view_events(payload)
            self._take(events, np.ascontiguousarray(events["kind"]))

    def _take(self, events: Records, kinds: npt.NDArray[np.uint8]) -> None:
        if self._keeps_events:
            self._parts["events"].append(events.copy())
        if self._keeps_trades or self._openings:
            self._keep("trades", TRADES, events, kinds == EventKind.TRADE, EventKind.TRADE)
        if not self._openings:
            return
        accounts = np.ascontiguousarray(events["account"])
        mine = self._is_mine[np.minimum(accounts, len(self._is_mine) - 1)]
        for name, form, kind in _OF_ACCOUNTS:
            self._keep(name, form, events, mine & (kinds == kind), kind)

    def _keep(
        self, name: str, form: np.dtype[np.void], events: Records, chosen: npt.NDArray[np.bool_], kind: EventKind
    ) -> None:
        rows = np.flatnonzero(chosen)
        if rows.size:
            self._parts[name].append(compact(events.view(EVENTS[kind]), rows, form))

    def _joined(self, name: str, form: np.dtype[np.void]) -> Records:
        self._flush()
        parts = self._parts[name]
        if len(parts) > 1:
            parts[:] = [np.concatenate(parts)]
        return parts[0] if parts else np.empty(0, form)

    def _of(self, account: int, name: str, form: np.dtype[np.void]) -> Records:
        joined = self._joined(name, form)
        own: Records = joined[joined["account"] == account]
        return own

    def _grid(self, *changes: Records) -> tuple[Ints, Ints]:
        """The commands after which something changed, from the tape's beginning on, and their times."""
        seqs = np.concatenate([np.array([self._began[0]], np.int64), *(part["seq"] for part in changes)])
        times = np.concatenate([np.array([self._began[1]], np.int64), *(part["ts"] for part in changes)])
        seq, first = np.unique(seqs, return_index=True)
        return seq, times[first]


_OF_ACCOUNTS = (
    ("fills", FILLS, EventKind.ORDER_FILLED),
    ("balances", _BALANCES, EventKind.BALANCE_CHANGED),
    ("positions", _POSITIONS, EventKind.POSITION_CHANGED),
)
_FOLLOWED = (("balances", _BALANCES), ("positions", _POSITIONS))


def compact(records: Records, rows: Ints, form: np.dtype[np.void]) -> Records:
    """Of some records the fields that `form` names, alone."""
    made: npt.NDArray[Any] = np.zeros(len(rows), form)
    for name in form.names or ():
        made[name] = records[name][rows]
    return made


def _carried(grid: Ints, seqs: Ints, values: Ints, opening: int) -> Ints:
    """The last value at or before each point of the grid; `opening` before the first."""
    place = np.searchsorted(seqs, grid, side="right") - 1
    if not len(values):
        return np.full(len(grid), opening, np.int64)
    return np.where(place >= 0, values[place], opening)
