"""What single calls give back: small typed results. Prices and money are in the venue's smallest unit, quantities shares."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from onseju.contract.events import Event, decode_events
from onseju.contract.reasons import Reason
from onseju.contract.words import Liquidity, OrderStatus


class Refused(ValueError):
    """The venue refused what an operator asked: nothing changed. `reason` says why."""

    def __init__(self, what: str, reason: Reason) -> None:
        super().__init__(f"{what}: {reason.code}. {reason.sentence('en')}".strip())
        self.reason = reason


class UnknownNameError(KeyError):
    """An account or a symbol that is not known. Reads as a sentence, where a plain `KeyError` would quote it."""

    def __str__(self) -> str:
        return str(self.args[0])


class Fill(NamedTuple):
    """One match of an order."""

    trade_id: int
    price: int
    qty: int
    liquidity: Liquidity


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a command came to. `reason` is why it was refused, `NONE` where it was not."""

    seq: int
    reason: Reason
    payload: bytes

    @property
    def ok(self) -> bool:
        """Whether it took effect."""
        return self.reason is Reason.NONE

    @property
    def events(self) -> list[Event]:
        """All that happened, to everybody, decoded."""
        return list(decode_events(self.payload))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(seq={self.seq}, reason={self.reason.code})"


class OrderResult(Answer, frozen=True, kw_only=True, gc=False):
    """An order right after a command about it. `fills` are those of this command; all other values are absolute.

    `status` is None where a cancel or correction was refused: of the order nothing is known then. `reason` also says why
    an order that was accepted has already ended: `ioc_remainder`, `fok_killed`, `market_remainder`…
    """

    order_id: int
    account: int
    status: OrderStatus | None
    qty: int = 0
    limit_price: int = 0
    leaves_qty: int = 0
    filled_qty: int = 0
    canceled_qty: int = 0
    filled_amount: int = 0
    fills: tuple[Fill, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the order was accepted, or the cancel or correction carried out."""
        return self.status is not None and self.status is not OrderStatus.REJECTED

    @property
    def is_open(self) -> bool:
        """Whether shares rest or wait."""
        return self.status is not None and self.status.is_open

    @property
    def average_price(self) -> float:
        """What the filled shares cost on average; NaN without any."""
        return self.filled_amount / self.filled_qty if self.filled_qty else float("nan")

    def __repr__(self) -> str:
        status = self.status.label if self.status is not None else "refused"
        words = [f"order {self.order_id} {status}", f"filled {self.filled_qty}/{self.qty}"]
        words += [f"{fill.qty}@{fill.price}" for fill in self.fills[:4]]
        words += ["…"] if len(self.fills) > 4 else []
        return f"OrderResult({', '.join(words)}{'' if self.reason is Reason.NONE else ', ' + self.reason.code})"


class Level(NamedTuple):
    """A price of the book: open shares and number of orders."""

    price: int
    qty: int
    orders: int


class Book(NamedTuple):
    """An instrument's book, best first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    @property
    def best_bid(self) -> int | None:
        return self.bids[0].price if self.bids else None

    @property
    def best_ask(self) -> int | None:
        return self.asks[0].price if self.asks else None


class Position(NamedTuple):
    """Shares of an instrument: reserved ones included, what they cost, and the profit realised so far."""

    qty: int
    reserved_qty: int
    cost_amount: int
    realized_profit: int


class AccountState(NamedTuple):
    """What an account has. `cash` includes what orders reserve and what is not settled yet; `equity` is cash and shares at
    the last prices."""

    number: int
    cash: int
    reserved_cash: int
    open_orders: int
    positions: dict[str, Position]
    equity: int

    @property
    def free_cash(self) -> int:
        """What new buys may reserve."""
        return self.cash - self.reserved_cash


class Uncrossed(NamedTuple):
    """What an auction came to: price 0 = no match. `extended`: a volatility interruption lets it go on collecting."""

    price: int
    qty: int
    extended: bool
