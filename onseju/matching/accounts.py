"""Accounts: cash and shares, the part of each that open orders reserve, and what the shares cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from onseju.contract.money import MAX_AMOUNT
from onseju.matching.orders import Order


@dataclass(slots=True)
class Position:
    """An account's shares of one instrument. `cost_amount` and `realized_profit` are statistics: they stop at
    ±`MAX_AMOUNT` and decide nothing."""

    qty: int = 0
    reserved_qty: int = 0
    cost_amount: int = 0
    realized_profit: int = 0

    @property
    def available_qty(self) -> int:
        """Shares that a new sell may offer."""
        return self.qty - self.reserved_qty

    def buy(self, qty: int, amount: int) -> None:
        """Take in shares that cost `amount` in all."""
        self.qty += qty
        self.cost_amount = min(self.cost_amount + amount, MAX_AMOUNT)

    def sell(self, qty: int, amount: int) -> None:
        """Give away shares for `amount`: their part of the cost goes with them, the rest of the amount is profit."""
        cost = self.cost_amount * qty // self.qty
        self.qty -= qty
        self.cost_amount -= cost
        self.realized_profit = max(-MAX_AMOUNT, min(self.realized_profit + amount - cost, MAX_AMOUNT))


@dataclass(slots=True)
class Account:
    """An account. `opened_seq` is the command that opened it, `owner` the token it was opened with."""

    number: int
    kind: int
    owner: bytes
    opened_seq: int
    cash: int = 0
    reserved_cash: int = 0
    positions: dict[int, Position] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    """Its open orders, by id, oldest first."""

    @property
    def available_cash(self) -> int:
        """Cash that a new buy may reserve."""
        return self.cash - self.reserved_cash

    def position(self, instrument: int) -> Position:
        """The position in an instrument, made when it is first needed."""
        position = self.positions.get(instrument)
        if position is None:
            position = self.positions[instrument] = Position()
        return position

    def available_shares(self, instrument: int) -> int:
        """Shares of an instrument that a new sell may offer."""
        position = self.positions.get(instrument)
        return position.available_qty if position else 0
