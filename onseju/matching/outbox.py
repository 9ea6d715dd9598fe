"""Collects a command's events and puts them into bytes, in the order that the contract fixes."""

from __future__ import annotations

from typing import Any, TypeVar

from onseju.contract.commands import CancelOrder, Command, CorrectOrder, NewOrder
from onseju.contract.events import (
    BalanceChanged,
    Event,
    LevelChanged,
    OrderEvent,
    OrderRejected,
    PositionChanged,
    RequestRejected,
    encode_event,
)
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderStatus, Side
from onseju.matching.accounts import Account, Position
from onseju.matching.book import BookSide
from onseju.matching.instruments import Instrument
from onseju.matching.orders import Order

E = TypeVar("E", bound=Event)
EMPTY_LEVEL = (0, 0)


class Outbox:
    """One command's events.

    What happened to orders and trades is written as it happens. Levels, positions and balances are only *noted* before
    they are touched; `finish` writes, once each, those whose value after the command differs from before it.
    """

    __slots__ = ("_balances", "_chunks", "_levels", "_positions", "idx", "seq", "ts")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._levels: dict[tuple[int, Side, int], tuple[BookSide, tuple[int, int]]] = {}
        self._positions: dict[tuple[int, int], tuple[Position, tuple[int, int, int, int]]] = {}
        self._balances: dict[int, tuple[Account, tuple[int, int]]] = {}
        self.seq = 0
        self.ts = 0
        self.idx = 0

    def begin(self, seq: int, ts: int) -> None:
        """A command's events follow."""
        self.seq, self.ts, self.idx = seq, ts, 0

    def take_bytes(self) -> bytes:
        """The events since the last call."""
        payload = b"".join(self._chunks)
        self._chunks.clear()
        return payload

    def write(self, event_class: type[E], **fields: Any) -> None:
        """Write one event; the outbox knows its place and time."""
        self._chunks.append(encode_event(event_class(seq=self.seq, ts=self.ts, idx=self.idx, **fields)))
        self.idx += 1

    def write_order(
        self, event_class: type[OrderEvent], order: Order, status: OrderStatus, reason: Reason = Reason.NONE
    ) -> None:
        """Write an order as it stands now."""
        self.write(
            event_class,
            account=order.account,
            instrument=order.instrument,
            reason=reason,
            order_id=order.order_id,
            parent_order_id=order.parent_order_id,
            qty=order.qty,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            leaves_qty=order.leaves_qty,
            filled_qty=order.filled_qty,
            canceled_qty=order.canceled_qty,
            filled_amount=order.filled_amount,
            client_id=order.client_id,
            side=order.side,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            status=status,
        )

    def reject_order(self, command: NewOrder, order_id: int, instrument: Instrument | None, reason: Reason) -> None:
        """Write that a new order was refused. An instrument that does not exist is not repeated."""
        self.write(
            OrderRejected,
            account=command.account,
            instrument=instrument.number if instrument else 0,
            reason=reason,
            order_id=order_id,
            qty=command.qty,
            limit_price=command.limit_price,
            stop_price=command.stop_price,
            canceled_qty=max(command.qty, 0),
            client_id=command.client_id,
            side=command.side,
            order_type=command.order_type,
            time_in_force=command.time_in_force,
            status=OrderStatus.REJECTED,
        )

    def reject_request(self, command: Command, reason: Reason, instrument: Instrument | None = None) -> None:
        """Write that a request other than a new order was refused."""
        self.write(
            RequestRejected,
            account=command.account,
            instrument=instrument.number if instrument else 0,
            reason=reason,
            order_id=command.order_id if isinstance(command, CancelOrder | CorrectOrder) else 0,
            client_id=command.client_id,
            command_kind=command.kind,
        )

    def note_level(self, instrument: Instrument, side: Side, price: int) -> None:
        """Call before a level is touched."""
        key = (instrument.number, side, price)
        if key not in self._levels:
            book_side = instrument.book.side(side)
            self._levels[key] = (book_side, book_side.levels.get(price, EMPTY_LEVEL))

    def note_position(self, account: Account, instrument: int) -> Position:
        """Call before a position is touched; gives the position."""
        position = account.position(instrument)
        key = (account.number, instrument)
        if key not in self._positions:
            before = (position.qty, position.reserved_qty, position.cost_amount, position.realized_profit)
            self._positions[key] = (position, before)
        return position

    def note_balance(self, account: Account) -> None:
        """Call before an account's cash or reserved cash is touched."""
        if account.number not in self._balances:
            self._balances[account.number] = (account, (account.cash, account.reserved_cash))

    def finish(self) -> None:
        """The command is done: write the levels, positions and balances that it changed, in ascending order."""
        for (number, side, price), (book_side, before) in sorted(self._levels.items(), key=lambda item: item[0]):
            after = book_side.levels.get(price, EMPTY_LEVEL)
            if after != before:
                qty, count = after
                self.write(LevelChanged, instrument=number, price=price, qty=qty, order_count=count, side=side)
        for (number, instrument), (position, was) in sorted(self._positions.items(), key=lambda item: item[0]):
            now = (position.qty, position.reserved_qty, position.cost_amount, position.realized_profit)
            if now != was:
                qty, reserved_qty, cost_amount, realized_profit = now
                self.write(
                    PositionChanged,
                    account=number,
                    instrument=instrument,
                    qty=qty,
                    reserved_qty=reserved_qty,
                    cost_amount=cost_amount,
                    realized_profit=realized_profit,
                )
        for number, (account, held) in sorted(self._balances.items(), key=lambda item: item[0]):
            if (account.cash, account.reserved_cash) != held:
                self.write(BalanceChanged, account=number, cash=account.cash, reserved_cash=account.reserved_cash)
        self._levels.clear()
        self._positions.clear()
        self._balances.clear()
