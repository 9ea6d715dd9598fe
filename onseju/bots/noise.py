"""The noise traders' decisions: who they are is a seed, what they want next a draw, and the book says at which price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Literal

import msgspec

from onseju.bots.grid import PriceGrid
from onseju.bots.orders import BUY, SELL, Place, Side
from onseju.bots.sessions import Session

Style = Literal["market", "sweep", "cross", "rest"]

STYLES: tuple[tuple[Style, float], ...] = (("market", 0.28), ("sweep", 0.24), ("cross", 0.08), ("rest", 0.40))
"""Market order of a drawn size; market order for all that the best level shows; limit order at the opposite best price;
limit order on the own side. The sweeps see to it that an order at the touch, whoever's it is, does not wait long."""

TYPICAL_WORTH = 2_500_000
"""Median worth of an order, in the venue's smallest unit; sizes are lognormal."""
WORTH_SIGMA = 0.9
LARGEST_WORTH = 40_000_000
"""No noise order is worth more."""
MEAN_DEPTH = 2.0
"""Mean number of ticks that a resting order stands behind the touch, where it does not improve it."""
IMPROVE_CHANCE = 0.5
FULL_BIAS_VALUE = 300_000_000
"""Worth of shares too many (or too few) at which a trader sells (buys) as often as `BIAS` allows."""
BIAS = 0.4


CONTINUOUS = Session(takes=frozenset({"limit", "market"}))
"""A market that takes the bots' orders and trades them at once."""


class Intention(msgspec.Struct, frozen=True):
    """What a trader is up to, before it looks at the book. Only seed and count decide it, never time or the market."""

    symbol: str
    lean: float
    """In [0, 1): below one half a buy, unless the trader holds too much or too little."""
    style: Style
    worth: float
    depth: int
    improves: bool


class Top(msgspec.Struct, frozen=True):
    """The best prices and what is shown there; None for an empty side."""

    bid: tuple[int, int] | None
    ask: tuple[int, int] | None


class Trader:
    """One noise trader's draws: a stream for its pace, and one per instrument for what it does there."""

    def __init__(self, seed: int | str, role: str, symbols: Sequence[str], orders_per_s: float) -> None:
        self.role = role
        self._pace = Random(f"{seed}:*:{role}")  # noqa: S311  # play, not secrets
        self._streams = {symbol: Random(f"{seed}:{symbol}:{role}") for symbol in symbols}  # noqa: S311
        self._symbols = list(symbols)
        self._deck: list[str] = []
        self._mean_wait_s = 1.0 / orders_per_s

    def next(self) -> tuple[float, Intention]:
        """Seconds to wait, and what to do then. Every instrument has its turn before one comes again."""
        if not self._deck:
            self._deck = self._symbols.copy()
            self._pace.shuffle(self._deck)
        wait_s = min(self._pace.expovariate(1.0) * self._mean_wait_s, 5.0 * self._mean_wait_s)
        return wait_s, self._intend(self._deck.pop())

    def _intend(self, symbol: str) -> Intention:
        stream = self._streams[symbol]
        lean = stream.random()
        style = _style(stream.random())
        worth = stream.lognormvariate(math.log(TYPICAL_WORTH), WORTH_SIGMA)
        depth = int(stream.expovariate(1.0 / MEAN_DEPTH))
        return Intention(symbol, lean, style, worth, depth, stream.random() < IMPROVE_CHANCE)


def decide(
    intention: Intention, top: Top, surplus_qty: int, grid: PriceGrid, session: Session = CONTINUOUS
) -> Place | None:
    """The order that follows from an intention in this market; None where there is nothing to trade with.

    `surplus_qty` is how many shares more are held than at the start; it turns the side, so that no trader runs dry.
    """
    near = top.bid or top.ask
    worth = session.fixed_price or (near[0] if near else 0)
    if not worth or not session.is_open:
        return None
    surplus = max(-1.0, min(1.0, surplus_qty * worth / FULL_BIAS_VALUE))
    side: Side = BUY if intention.lean < 0.5 - BIAS * surplus else SELL
    if session.fixed_price or near is None:
        return Place(intention.symbol, side, _qty(intention, worth), worth)
    if session.collects:
        return _auction_order(intention, side, session.indicative_price or near[0], grid, session)
    own, opposite = (top.bid, top.ask) if side == BUY else (top.ask, top.bid)
    if intention.style != "rest" and opposite is None:
        return None
    price = (opposite or near)[0]
    qty = _qty(intention, price)
    if intention.style == "sweep" and opposite is not None:
        qty = max(1, min(opposite[1], LARGEST_WORTH // price))
    if intention.style in ("market", "sweep") and "market" in session.takes:
        return Place(intention.symbol, side, qty)
    if intention.style != "rest":
        return Place(intention.symbol, side, qty, price)
    return Place(intention.symbol, side, qty, _resting_price(intention, side, own, price, grid))


def _auction_order(intention: Intention, side: Side, expected: int, grid: PriceGrid, session: Session) -> Place | None:
    """While an auction collects nothing trades: some want in at any price, the others around the expected one."""
    qty = _qty(intention, expected)
    if intention.style == "market" and "market" in session.takes:
        return Place(intention.symbol, side, qty)
    eager = intention.style != "rest" or intention.improves
    step = grid.up if (side == BUY) == eager else grid.down
    price = expected
    for _ in range(intention.depth):
        price = step(price) or price
    return Place(intention.symbol, side, qty, price)


def _qty(intention: Intention, price: int) -> int:
    return max(1, int(min(intention.worth, LARGEST_WORTH) / price))


def _resting_price(
    intention: Intention, side: Side, own: tuple[int, int] | None, opposite: int, grid: PriceGrid
) -> int:
    """A price on the own side that does not meet the other one."""
    inwards, outwards = (grid.up, grid.down) if side == BUY else (grid.down, grid.up)
    if own is None:
        return outwards(opposite) or opposite
    price = own[0]
    if intention.improves:
        better = inwards(price)
        if better is not None and better != opposite:
            return better
    for _ in range(intention.depth):
        worse = outwards(price)
        if worse is None:
            break
        price = worse
    return price


def _style(draw: float) -> Style:
    for style, share in STYLES:
        draw -= share
        if draw < 0.0:
            return style
    return "rest"
