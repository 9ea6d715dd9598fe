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
    unsettled_d1: int = 0
    """The part of the cash that arrives, or where negative leaves, on the next trading day."""
    unsettled_d2: int = 0
    """The part of the day after that: today's trades (보통거래, KRX BR 7)."""
    positions: dict[int, Position] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    """Its open orders, by id, oldest first."""

    @property
    def available_cash(self) -> int:
        """Cash that a new buy may reserve."""
        return self.cash - self.reserved_cash

    @property
    def withdrawable_cash(self) -> int:
        """Cash that may leave the venue: neither reserved nor still to arrive, and no more than is left on D+1."""
        settled = self.cash - self.unsettled_d1 - self.unsettled_d2
        return max(min(self.available_cash, settled, settled + self.unsettled_d1), 0)

    @property
    def balance(self) -> tuple[int, int, int, int]:
        """What a `balance_changed` tells: cash, its reserved part, and what arrives on D+1 and D+2."""
        return self.cash, self.reserved_cash, self.unsettled_d1, self.unsettled_d2

    def settle_day(self) -> None:
        """A trading day ended: what was to arrive tomorrow is here."""
        self.unsettled_d1, self.unsettled_d2 = self.unsettled_d2, 0

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
