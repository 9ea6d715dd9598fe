"""What traders ask for: a mix of orders, drawn once with a fixed seed, which the ways then put into their own bytes.

The *mixed* flow keeps its books as they are, however long it runs. Of 1,000 requests 175 are limit orders one or two ticks
from the middle and 300 deeper ones, which rest; 125 are limit orders that reach over and 50 are market orders, which take
what is near; 300 cancel a deep order and 50 change the quantity
of one. *Orders* is for the way that takes new orders
alone. *Simple* is a sell and a buy of one share at one price by turns, so that every second order trades.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What a request is, and what becomes of it."""

    NEAR = 0
    """A limit order that rests until somebody takes it."""
    DEEP = 1
    """A limit order that rests until it is canceled."""
    TAKE = 2
    """A limit order over the middle: it trades at once."""
    MARKET = 3
    CANCEL = 4
    CORRECT = 5


MIXES: dict[str, dict[Kind, int]] = {
    "mixed": {Kind.NEAR: 175, Kind.DEEP: 300, Kind.TAKE: 125, Kind.MARKET: 50, Kind.CANCEL: 300, Kind.CORRECT: 50},
    "entered": {Kind.NEAR: 175, Kind.DEEP: 325, Kind.TAKE: 125, Kind.MARKET: 50, Kind.CANCEL: 325},
    "orders": {Kind.NEAR: 500, Kind.TAKE: 425, Kind.MARKET: 75},
    "simple": {},
}
"""By name, how many of each kind there are in 1,000. `entered` has no corrections, which peers do not know."""

MAX_QTY = 10
DEEP_TICKS = (4, 8)
NEAR_TICKS = (1, 2)
TICKS = ((2_000, 1), (5_000, 5), (20_000, 10), (50_000, 50), (200_000, 100), (500_000, 500))


class Symbol(NamedTuple):
    """An instrument as a trader sees it."""

    name: str
    number: int
    """From 1, in the order of `GET /v1/symbols`."""
    base_price: int

    @property
    def tick(self) -> int:
        """A step that is valid at every price within a third of the base price (each KRX tick divides the next)."""
        return next((tick for below, tick in TICKS if self.base_price * 4 // 3 < below), 1_000)

    def price(self, ticks: int) -> int:
        """So many ticks above the middle; a valid price."""
        return self.base_price // self.tick * self.tick + ticks * self.tick


class Draw(NamedTuple):
    """One request. `account` is a place among the flow's accounts; `price` is 0 for a market order."""

    kind: Kind
    account: int
    symbol: Symbol
    is_buy: bool
    price: int
    qty: int


def draws(
    mix: str, accounts: int, symbols: Sequence[Symbol], count: int, *, seed: int = 1, side: int | None = None
) -> list[Draw]:
    """So many requests of a mix, the same ones each time. `side` (0 buys, 1 sells) is all that the accounts do in `simple`;
    else the first half of them sells and the rest buys."""
    return list(
        _simple(accounts, symbols, count, side) if mix == "simple" else _drawn(mix, accounts, symbols, count, seed)
    )


def _simple(accounts: int, symbols: Sequence[Symbol], count: int, side: int | None) -> Iterator[Draw]:
    half = accounts // 2
    for number in range(count):
        pair, is_buy = divmod(number, 2) if side is None else (number, 1 - side)
        symbol = symbols[pair % len(symbols)]
        first, of = (0, accounts) if side is not None or not half else (half * is_buy, half)
        yield Draw(Kind.TAKE if is_buy else Kind.NEAR, first + pair % of, symbol, bool(is_buy), symbol.price(0), 1)


def _drawn(mix: str, accounts: int, symbols: Sequence[Symbol], count: int, seed: int) -> Iterator[Draw]:
    numbers = random.Random(seed)  # the same draws each time are what is wanted
    kinds = [kind for kind, share in MIXES[mix].items() for _ in range(share)]
    numbers.shuffle(kinds)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        is_buy = numbers.random() < 0.5
        symbol = numbers.choice(symbols)
        away = numbers.randint(*(NEAR_TICKS if kind in (Kind.NEAR, Kind.TAKE) else DEEP_TICKS))
        below = is_buy != (kind == Kind.TAKE)  # who rests buys below the middle; who takes, above it
        price = 0 if kind == Kind.MARKET else symbol.price(-away if below else away)
        yield Draw(kind, numbers.randrange(accounts), symbol, is_buy, price, numbers.randint(1, MAX_QTY))
