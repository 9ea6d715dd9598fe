"""Drives an engine by commands, as the exchange does, and keeps what a reader of its events would know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from onseju.contract.commands import Command, DepositCash, DepositShares, OpenAccount, encode_command, sequence
from onseju.contract.events import (
    EVENT_BYTES,
    AuctionIndicated,
    BalanceChanged,
    Event,
    LevelChanged,
    OrderEvent,
    OrderFilled,
    PhaseChanged,
    PositionChanged,
    Trade,
    decode_events,
)
from onseju.contract.words import Phase, Side
from onseju.rules import packs
from onseju.rules.instruments import list_commands
from onseju.rules.packs import RulesName
from tests.engines import make_engine

DAY = 2026_11_23
SECOND = 1_000_000

E = TypeVar("E", bound=Event)


class Driver:
    """One engine, the bytes that went in and out, and the read side that its events make."""

    def __init__(self, engine: Any = None) -> None:
        """Without an engine it drives a fresh one of the kind under test."""
        self.engine = make_engine() if engine is None else engine
        self.seq = 0
        self.commands: list[bytes] = []
        self.payloads: list[bytes] = []
        self.levels: dict[tuple[int, int, int], tuple[int, int]] = {}
        self.balances: dict[int, tuple[int, int]] = {}
        self.unsettled: dict[int, tuple[int, int]] = {}
        self.positions: dict[tuple[int, int], tuple[int, int, int, int]] = {}
        self.phases: dict[int, int] = {}
        self.indicated: dict[int, tuple[int, int]] = {}
        self.orders: dict[int, OrderEvent | OrderFilled] = {}
        self.trades: list[Trade] = []

    def do(self, command: Command) -> list[Event]:
        """Apply one command; gives its events."""
        self.seq += 1
        sequenced = sequence(encode_command(command), self.seq, self.seq * SECOND)
        payload = self.engine.apply(sequenced)
        assert payload, f"{command} gave no event"
        assert len(payload) % EVENT_BYTES == 0
        self.commands.append(sequenced)
        self.payloads.append(payload)
        events = list(decode_events(payload))
        assert [event.idx for event in events] == list(range(len(events)))
        assert all((event.seq, event.ts) == (self.seq, self.seq * SECOND) for event in events)
        for event in events:
            self._read(event)
        return events

    def first(self, command: Command, kind: type[E]) -> E:
        """Apply one command; gives its first event, which must be of this kind."""
        event = self.do(command)[0]
        assert isinstance(event, kind), event
        return event

    def only(self, command: Command, kind: type[E]) -> list[E]:
        """Apply one command; gives its events of one kind."""
        return [event for event in self.do(command) if isinstance(event, kind)]

    def open(self, rules: RulesName, listed: Sequence[Command] | None = None) -> None:
        """The venue with instruments of one's own, or the demo's."""
        for request in packs.commands(rules, DAY):
            self.do(request.command)
        for command in [request.command for request in list_commands(rules)] if listed is None else listed:
            self.do(command)

    def account(self, number: int, cash: int = 0, shares: dict[int, int] | None = None, kind: int = 1) -> None:
        """An account with cash and shares."""
        self.do(OpenAccount(account=number, owner=number.to_bytes(16, "little"), account_kind=kind))
        if cash:
            self.do(DepositCash(account=number, amount=cash))
        for instrument, qty in (shares or {}).items():
            self.do(DepositShares(account=number, instrument=instrument, qty=qty))

    def _read(self, event: Event) -> None:
        match event:
            case OrderEvent() | OrderFilled():
                self.orders[event.order_id] = event
            case PhaseChanged():
                self.phases[event.instrument] = event.phase
                if not Phase(event.phase).is_auction:
                    self.indicated.pop(event.instrument, None)
            case AuctionIndicated():
                assert self.indicated.get(event.instrument, (0, 0)) != (event.price, event.qty)
                self.indicated[event.instrument] = (event.price, event.qty)
            case Trade():
                self.trades.append(event)
            case LevelChanged():
                key = (event.instrument, event.side, event.price)
                before = self.levels.pop(key, (0, 0))
                assert before != (event.qty, event.order_count), f"{event} changes nothing"
                if event.qty:
                    self.levels[key] = (event.qty, event.order_count)
            case BalanceChanged():
                before = (*self.balances.get(event.account, (0, 0)), *self.unsettled.get(event.account, (0, 0)))
                assert before != (event.cash, event.reserved_cash, event.unsettled_d1, event.unsettled_d2)
                self.balances[event.account] = (event.cash, event.reserved_cash)
                self.unsettled[event.account] = (event.unsettled_d1, event.unsettled_d2)
            case PositionChanged():
                now = (event.qty, event.reserved_qty, event.cost_amount, event.realized_profit)
                assert self.positions.get((event.account, event.instrument)) != now
                self.positions[event.account, event.instrument] = now

    def check(self) -> None:
        """The engine's state holds together, and the events told all of it."""
        self.engine.check_invariants()
        state = self.engine.state
        levels = {
            (instrument.number, side, price): (qty, count)
            for instrument in state.instruments
            for side, depth in zip(Side, self.engine.book(instrument.number), strict=True)
            for price, qty, count in depth
        }
        assert levels == self.levels
        for instrument in state.instruments:
            now = instrument.indicated if instrument.phase.is_auction else (0, 0)
            assert now == self.indicated.get(instrument.number, (0, 0))
            assert instrument.phase == self.phases[instrument.number]
        for account in state.accounts.values():
            assert (account.cash, account.reserved_cash) == self.balances.get(account.number, (0, 0))
            unsettled = (account.unsettled_d1, account.unsettled_d2)
            assert unsettled == self.unsettled.get(account.number, (0, 0))
            for instrument, position in account.positions.items():
                now = (position.qty, position.reserved_qty, position.cost_amount, position.realized_profit)
                assert now == self.positions.get((account.number, instrument), (0, 0, 0, 0))
        for order in state.orders.values():
            told = self.orders[order.order_id]
            assert (told.leaves_qty, told.filled_qty, told.canceled_qty, told.filled_amount) == (
                order.leaves_qty,
                order.filled_qty,
                order.canceled_qty,
                order.filled_amount,
            )
        open_ids = {order_id for order_id, told in self.orders.items() if told.leaves_qty}
        assert open_ids == state.orders.keys()
