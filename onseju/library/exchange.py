"""`onseju.Exchange`: a whole exchange in one's own process, with accounts, books and a market's rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onseju.contract.arrays import COMMAND, Records, view_events
from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CORRECT_STOP_PRICE,
    CORRECT_TYPE,
    CancelAll,
    ChangePhase,
    Command,
    CommandKind,
    CorrectOrder,
    Halt,
    Resume,
    RollDay,
    Uncross,
    sequence,
)
from onseju.contract.events import AuctionExtended, AuctionUncrossed
from onseju.contract.words import Board, OrderType, Phase, Side, TimeInForce
from onseju.library import answers
from onseju.library.engines import choose
from onseju.library.flow import Flow, prepare
from onseju.library.machine import Machine
from onseju.library.results import (
    AccountState,
    Answer,
    Book,
    Level,
    OrderResult,
    Position,
    Uncrossed,
)
from onseju.library.running import Run, Runner
from onseju.library.tape import Opening, Tape
from onseju.library.venue import Venue, word_number
from onseju.rules.calendar import korean_time
from onseju.rules.pack import RulePack

KEEP = frozenset({"answers", "orders", "trades", "events"})
FIRST_DAY = 2026_11_23
_LIMIT, _MARKET, _DAY = int(OrderType.LIMIT), int(OrderType.MARKET), int(TimeInForce.DAY)
_BUY, _SELL = int(Side.BUY), int(Side.SELL)
MOST_SYMBOLS = 16
"""Of more instruments than these a run takes no books unless it is told of which."""


class Exchange(Venue):
    """An exchange: list instruments, open accounts, send orders one by one or by the million.

    `rules`: "krx", "plain", a `rules.pack.RulePack`, or the path of a TOML rule pack. `engine`: "native", "reference", or
    None for the native one where it is installed. `fees`: under "krx", whether commissions and taxes are taken (a rule
    pack says that itself). `trading_day`: YYYYMMDD, KST. `max_open_orders` an account, 0 = no bound.

    Prices and money are whole numbers in the venue's smallest unit (won; `price_scale` decimals of a pack's currency),
    quantities whole shares. Accounts and symbols may be given by name or by number. Orders are answered with what they
    came to, refused ones too; calls that set up or run the market raise `Refused`. Not to be shared by threads.

    Time is what you say: `now`, in microseconds since 1970-01-01 UTC, begins at 08:00 KST of the first trading day, and
    every command moves it on by a microsecond. Nothing here looks at a clock or draws a random number.
    """

    def __init__(
        self,
        rules: str | Path | RulePack = "plain",
        *,
        engine: str | None = None,
        fees: bool = False,
        trading_day: int = FIRST_DAY,
        max_open_orders: int = 0,
    ) -> None:
        machine = Machine(choose(engine), trading_day, _morning(trading_day))
        super().__init__(machine, rules, fees=fees, max_open_orders=max_open_orders)

    def __repr__(self) -> str:
        return (
            f"Exchange({self._pack.name!r}, {self.engine} engine, {len(self._symbols):,} instruments, "
            f"{len(self._accounts) - 1:,} accounts, {self._machine.seq:,} commands)"
        )

    def fork(self) -> Exchange:
        """Another exchange in the same state, which goes its own way from here. It runs the same prepared flows."""
        other = Exchange.__new__(Exchange)
        other._copy(self)
        return other

    # Orders, one by one

    def buy(
        self,
        account: str | int,
        symbol: str | int,
        qty: int,
        price: int | None = None,
        *,
        type: str | OrderType | None = None,
        time_in_force: str | TimeInForce = "day",
        stop_price: int = 0,
    ) -> OrderResult:
        """Buy `qty` shares: a limit order at `price`, without one a market order; or of another `type`."""
        return self._order(_BUY, account, symbol, qty, price, type, time_in_force, stop_price)

    def sell(
        self,
        account: str | int,
        symbol: str | int,
        qty: int,
        price: int | None = None,
        *,
        type: str | OrderType | None = None,
        time_in_force: str | TimeInForce = "day",
        stop_price: int = 0,
    ) -> OrderResult:
        """Sell `qty` shares; see `buy`."""
        return self._order(_SELL, account, symbol, qty, price, type, time_in_force, stop_price)

    def limit(
        self, account: str | int, symbol: str | int, side: str | Side, qty: int, price: int, **more: Any
    ) -> OrderResult:
        """A limit order (지정가)."""
        return self._side(side)(account, symbol, qty, price, **more)  # type: ignore[no-any-return]

    def market(self, account: str | int, symbol: str | int, side: str | Side, qty: int, **more: Any) -> OrderResult:
        """A market order (시장가)."""
        return self._side(side)(account, symbol, qty, **more)  # type: ignore[no-any-return]

    def cancel(self, order: OrderResult | int, qty: int = 0, *, account: str | int | None = None) -> OrderResult:
        """Cancel an order, or `qty` of its open shares. With an order's id, say whose it is."""
        order_id, owner = self._whose(order, account)
        return self._about(
            order_id, owner, answers.cancel(self._machine.seq + 1, self._next_ts(), owner, order_id, qty)
        )

    def correct(
        self,
        order: OrderResult | int,
        *,
        price: int | None = None,
        qty: int | None = None,
        part_qty: int | None = None,
        stop_price: int | None = None,
        type: str | OrderType | None = None,
        account: str | int | None = None,
    ) -> OrderResult:
        """Correct an open order (정정): its price, its open quantity (`qty`), stop price or type. `part_qty` corrects only
        so many shares: they become a new order, which `fills` and the other values then tell of."""
        order_id, owner = self._whose(order, account)
        given = (
            (price, CORRECT_LIMIT_PRICE),
            (qty, CORRECT_LEAVES_QTY),
            (part_qty, CORRECT_PART),
            (stop_price, CORRECT_STOP_PRICE),
            (type, CORRECT_TYPE),
        )
        command = CorrectOrder(
            flags=sum(flag for value, flag in given if value is not None),
            account=owner,
            actor=owner,
            order_id=order_id,
            limit_price=price or 0,
            leaves_qty=qty or 0,
            part_qty=part_qty or 0,
            stop_price=stop_price or 0,
            order_type=word_number(OrderType, type) if type is not None else 0,
        )
        encoded = sequence(answers.encoded(command), self._machine.seq + 1, self._next_ts())
        child = self._machine.next_order_id
        payload = self._machine.one(encoded)
        is_split = part_qty is not None and self._machine.next_order_id > child
        return answers.order_result(payload, child if is_split else order_id, owner)

    def cancel_all(self, account: str | int, symbol: str | int | None = None, side: str | Side | None = None) -> Answer:
        """Cancel all open orders of an account, of one symbol or side where given."""
        return self.send(
            CancelAll(
                account=self.account_number(account),
                instrument=0 if symbol is None else self.instrument_number(symbol),
                side=0 if side is None else word_number(Side, side),
            )
        )

    def send(self, command: Command) -> Answer:
        """Any command of `contract.commands`; its `seq` is given here, its `ts` too where it is 0."""
        if command.ts:
            self._machine.now = max(self._machine.now, command.ts)
            ts = self._machine.now
        else:
            ts = self._next_ts()
        payload = self._machine.one(sequence(answers.encoded(command), self._machine.seq + 1, ts))
        if command.kind == CommandKind.NEW_ORDER:
            return answers.order_result(payload, self._machine.next_order_id - 1, command.account)
        return answers.answer(payload)

    # The market, one by one

    def phase(self, phase: str | Phase, symbol: str | int | None = None) -> None:
        """Move an instrument, or all, to a phase. Raises `Refused`: `auction_pending` where an auction must be uncrossed
        before continuous trading."""
        number = word_number(Phase, phase)
        occurrence = self._machine.next_occurrence(number)
        self._must(
            f"phase {Phase(number).label}",
            ChangePhase(
                instrument=0 if symbol is None else self.instrument_number(symbol),
                trading_day=self._machine.trading_day,
                phase=number,
                occurrence=occurrence,
            ),
        )

    def uncross(self, symbol: str | int | None = None) -> dict[str, Uncrossed]:
        """Match the call auction of an instrument, or of all that are in one; the phase stays. Raises `Refused`."""
        done = self._must("uncross", Uncross(instrument=0 if symbol is None else self.instrument_number(symbol)))
        names = {number: name for name, number in self._symbols.items()}
        return {
            names[event.instrument]: Uncrossed(event.price, event.qty, isinstance(event, AuctionExtended))
            for event in done.events
            if isinstance(event, AuctionUncrossed | AuctionExtended)
        }

    def halt(self, symbol: str | int | None = None, *, board: str | Board | None = None, stage: int = 0) -> None:
        """Halt an instrument, a board or all: cancels only. `stage` 1 to 3 is the circuit breaker's. Raises `Refused`."""
        flags = 0 if board is None else word_number(Board, board)
        number = 0 if symbol is None else self.instrument_number(symbol)
        self._must("halt", Halt(instrument=number, flags=flags, stage=stage))

    def resume(self, symbol: str | int | None = None, phase: str | Phase = "continuous") -> None:
        """End a halt, into a phase. Raises `Refused`."""
        number = 0 if symbol is None else self.instrument_number(symbol)
        self._must("resume", Resume(instrument=number, phase=word_number(Phase, phase)))

    def roll_day(self, trading_day: int) -> None:
        """Begin a trading day (YYYYMMDD, KST) at 08:00: orders expire, the close becomes the base price. Raises
        `Refused`."""
        morning = _morning(trading_day)
        what = f"roll_day from {self._machine.trading_day} to {trading_day}"
        self._must(what, RollDay(trading_day=trading_day))
        self._machine.trading_day = trading_day
        self._machine.phase_counts.clear()
        self._machine.now = max(self._machine.now, morning)

    # Tables

    def prepare(self, table: object, **constants: Any) -> Flow:
        """Read and check a table of orders, without applying anything; `docs/guides/research.md` lists the columns.

        `table`: a polars or pandas DataFrame, a PyArrow table or whatever speaks the Arrow C stream, a structured array,
        or columns by name. `constants` stand for whole columns: `account="noise", symbol="005930"`. Raises `TableError`,
        which names the column and the row.
        """
        if isinstance(table, Flow):
            return table
        return prepare(table, constants, self._symbols, self._accounts, self._family)

    def run(
        self,
        orders: object,
        *,
        keep: Iterable[str] = ("answers", "orders", "trades"),
        accounts: Iterable[str | int] = (),
        books: int | Sequence[int] | npt.NDArray[Any] | None = None,
        symbols: Iterable[str | int] | None = None,
        levels: int = 10,
        batch: int | None = None,
        progress: bool | None = None,
        **constants: Any,
    ) -> Run:
        """Run a table of orders, or a prepared flow or a part of it, and give the results as arrays.

        `keep`: which of "answers", "orders", "trades", "events". `accounts`: whose fills and curves to keep. `books`: after
        every so many rows, or after which rows (ascending), to take the books of `symbols`, `levels` deep. `batch`:
        commands applied in one go. `progress`: a bar at once (True), never (False), or on a terminal or in a notebook once
        it takes longer than half a second (None).

        Raises `TableError` before anything is applied, `running.Interrupted` (a `KeyboardInterrupt` with the results so
        far) when Ctrl-C is pressed: between two batches, so that the exchange can go on.
        """
        flow = self.prepare(orders, **constants)
        if flow.whole.family not in self._families:
            raise ValueError("the flow was prepared by another exchange: its accounts and symbols are not this one's")
        kept = frozenset([keep] if isinstance(keep, str) else keep)
        if not kept <= KEEP:
            raise ValueError(
                f"there is nothing to keep as {', '.join(sorted(kept - KEEP))}; there are {', '.join(sorted(KEEP))}"
            )
        if levels < 1:
            raise ValueError(f"levels: a book has at least one, not {levels}")
        if batch is not None and batch < 1:
            raise ValueError("a batch has at least one command")
        points = _points(books, len(flow))
        numbers = self._numbers_of(symbols) if points.size else []
        tape = self._tape(accounts, trades="trades" in kept, events="events" in kept)
        runner = Runner(self._machine, flow, tape, keep=kept, points=points, instruments=numbers, levels=levels)
        return runner.go(batch=batch or self._machine.batch, progress=progress)

    def record(self, accounts: Iterable[str | int] = (), *, trades: bool = True, events: bool = False) -> Tape:
        """A tape of what happens from now on, in single calls and in runs: its `trades`, `fills`, and `curve(account)`. It
        listens as long as you keep it."""
        tape = self._tape(accounts, trades=trades, events=events)
        self._machine.listen(tape)
        return tape

    def apply(self, commands: Records) -> Records:
        """Apply an array of commands as they are, (n,) of any dtype of `contract.arrays.COMMANDS` or `COMMAND`; gives their
        events, (m,) of `contract.arrays.EVENT`, a view of bytes that nobody changes. The lowest way in: nothing is
        checked, the engine refuses what it refuses.

        `seq` is written into the commands, in place, and `ts` where none of them has one. The native engine releases the
        interpreter lock. Raises `contract.records.UnknownRecordError` before any takes effect.
        """
        if commands.dtype.itemsize != COMMAND.itemsize or commands.dtype.names is None:
            raise TypeError(f"commands are records of {COMMAND.itemsize} bytes, not {commands.dtype}")
        heads = commands.view(COMMAND)
        self._machine.number(heads)
        return view_events(self._machine.many_bytes(heads))

    # Looking in

    def book(self, symbol: str | int, levels: int = 10) -> Book:
        """An instrument's book, best first, `levels` deep."""
        if levels < 1:
            raise ValueError(f"levels: a book has at least one, not {levels}")
        sides = self._machine.engine.book(self.instrument_number(symbol))
        bids, asks = (tuple(Level(*level) for level in side[:levels]) for side in sides)
        return Book(bids, asks)

    def last_price(self, symbol: str | int) -> int:
        """The price of the last trade; before the first, the base price."""
        return int(self._machine.last_prices[self.instrument_number(symbol)])

    def account(self, account: str | int) -> AccountState:
        """What an account has now."""
        number = self.account_number(account)
        found = self._machine.engine.account(number)
        names = {instrument: symbol for symbol, instrument in self._symbols.items()}
        positions, worth = {}, 0
        for instrument, held in sorted(found.positions.items()):
            positions[names[instrument]] = Position(held.qty, held.reserved_qty, held.cost_amount, held.realized_profit)
            worth += held.qty * int(self._machine.last_prices[instrument])
        count = len(found.orders) if hasattr(found, "orders") else found.open_orders
        return AccountState(number, found.cash, found.reserved_cash, count, positions, found.cash + worth)

    def state_hash(self) -> int:
        """The hash of the whole state: equal on both engines, and in every run of the same commands."""
        return self._machine.engine.state_hash()

    # Inside

    def _order(
        self,
        side: int,
        account: str | int,
        symbol: str | int,
        qty: int,
        price: int | None,
        order_type: str | OrderType | None,
        time_in_force: str | TimeInForce,
        stop_price: int,
    ) -> OrderResult:
        number = _MARKET if price is None else _LIMIT
        if order_type is not None:
            number = word_number(OrderType, order_type)
        try:
            owner, instrument = self._account_keys[account], self._symbol_keys[symbol]
        except KeyError:
            owner, instrument = self.account_number(account), self.instrument_number(symbol)  # one of them says it
        machine = self._machine
        machine.now += 1
        encoded = answers.new_order(
            machine.seq + 1,
            machine.now,
            owner,
            instrument,
            qty,
            0 if price is None else price,
            stop_price,
            side,
            number,
            _DAY if time_in_force == "day" else word_number(TimeInForce, time_in_force),
        )
        return answers.order_result(machine.one(encoded), machine.next_order_id - 1, owner)

    def _about(self, order_id: int, owner: int, encoded: bytes) -> OrderResult:
        return answers.order_result(self._machine.one(encoded), order_id, owner)

    def _whose(self, order: OrderResult | int, account: str | int | None) -> tuple[int, int]:
        if isinstance(order, OrderResult):
            return order.order_id, order.account if account is None else self.account_number(account)
        if account is None:
            raise TypeError("with an order's id say whose it is: account=…")
        return order, self.account_number(account)

    def _side(self, side: str | Side) -> Any:
        return self.buy if word_number(Side, side) == Side.BUY else self.sell

    def _tape(self, accounts: Iterable[str | int], *, trades: bool, events: bool) -> Tape:
        machine = self._machine
        openings = {}
        for account in _names(accounts):
            number = self.account_number(account)
            found = machine.engine.account(number)
            held = {instrument: position.qty for instrument, position in found.positions.items()}
            openings[number] = Opening(found.cash, found.reserved_cash, held)
        return Tape(
            seq=machine.seq,
            ts=machine.now,
            symbols=self._symbols,
            last_prices=machine.last_prices.copy(),
            base_prices=self._base_prices,
            accounts=self._accounts,
            openings=openings,
            trades=trades,
            events=events,
        )

    def _numbers_of(self, symbols: Iterable[str | int] | None) -> list[int]:
        if symbols is not None:
            return [self.instrument_number(symbol) for symbol in _names(symbols)]
        if len(self._symbols) > MOST_SYMBOLS:
            raise ValueError(f"of {len(self._symbols)} instruments say whose books to take: symbols=[…]")
        return list(self._symbols.values())


def _names(given: Iterable[str | int] | str | int) -> list[str | int]:
    """One name stands for a list of one."""
    return [given] if isinstance(given, str | int) else list(given)


def _morning(trading_day: int) -> int:
    """08:00 KST of a day. Raises `ValueError` for a number that is no day."""
    try:
        return korean_time(trading_day, 8 * 3600)
    except ValueError:
        raise ValueError(f"trading_day: {trading_day} is no day; 20261123 is one") from None


def _points(books: int | Sequence[int] | npt.NDArray[Any] | None, count: int) -> npt.NDArray[np.int64]:
    """The rows after which books are taken, ascending."""
    if books is None:
        return np.empty(0, np.int64)
    if isinstance(books, int) and not isinstance(books, bool):
        if books < 1:
            raise ValueError("books: every so many rows, at least 1")
        return np.arange(books - 1, count, books, dtype=np.int64)
    points = np.asarray(books)
    if points.ndim != 1 or points.dtype.kind not in "iu":
        raise ValueError("books: a number of rows, or row numbers in one dimension")
    points = points.astype(np.int64)
    if points.size and (points[0] < 0 or points[-1] >= count or (np.diff(points) <= 0).any()):
        raise ValueError(f"books: row numbers must ascend, from 0 to {count - 1}")
    return points
