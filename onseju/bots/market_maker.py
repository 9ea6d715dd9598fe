"""The market maker's decisions: which quotes it wants in a book, and the fewest changes that lead there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from random import Random

import msgspec

from onseju.bots.grid import PriceGrid
from onseju.bots.orders import BUY, SELL, Action, Cancel, Move, Place, Side, Standing

LEVELS = 13
"""Levels on each side: ten are seen, the others stand ready for when the best are taken."""
TOUCH_VALUE = 6_000_000
"""Worth of the best quote, in the venue's smallest unit; deeper ones are larger by `DEEPER` each."""
DEEPER = 0.15
HALF_SPREAD = 0.4
"""Steps between the centre and the nearest quote, before both are rounded away from it."""
FINEST_STEP = 6.0e-4
"""Levels are at least this share of the price apart: where ticks are finer, quotes at each of them would be all busyness."""
STICKY = 0.5
"""Steps that the centre may wander before the quotes follow: less would only make them flicker."""
REPLENISH_BELOW = 0.5
"""A quote is filled up when less than this share of what is wanted is left."""
FULL_SKEW_VALUE = 600_000_000
"""Worth of shares too many (or too few) at which the centre is moved by all of `SKEW_STEPS`."""
SKEW_STEPS = 4.0


class Quote(msgspec.Struct, frozen=True):
    """What should stand at a price."""

    side: Side
    price: int
    qty: int


class Maker:
    """The quotes of one instrument. Each call of `quotes` takes the same number of draws."""

    def __init__(self, symbol: str, rng: Random) -> None:
        self.symbol = symbol
        self._rng = rng
        self._centre: float | None = None
        self._shape = {side: [rng.uniform(0.7, 1.3) for _ in range(LEVELS)] for side in (BUY, SELL)}
        self.appetite: dict[Side, float] = {BUY: 1.0, SELL: 1.0}
        """Share of the usual size, by side: halved when cash or shares run short, and grown back."""

    def quotes(self, fair: float, surplus_qty: int, grid: PriceGrid, lot: int = 1) -> list[Quote]:
        """The wanted quotes, best first on each side, in multiples of `lot` shares. `surplus_qty` is how many shares more
        are held than at the start."""
        flutter = self._rng.uniform(0.85, 1.15)
        skew = max(-1.0, min(1.0, surplus_qty * fair / FULL_SKEW_VALUE))
        grid = grid.wider(max(1, math.ceil(FINEST_STEP * fair / grid.tick(int(fair)))))
        step = grid.step(int(fair))
        centre = fair - skew * SKEW_STEPS * step
        if self._centre is not None and abs(centre - self._centre) < STICKY * step:
            centre = self._centre
        self._centre = centre
        bid = grid.floor(centre - HALF_SPREAD * step)
        ask = grid.ceil(centre + HALF_SPREAD * step)
        if bid >= ask:  # both at one of the day's limits: only one side can be quoted
            if ask == grid.upper:
                return self._side(BUY, grid.downwards(bid, LEVELS), flutter, lot)
            return self._side(SELL, grid.upwards(ask, LEVELS), flutter, lot)
        return [
            *self._side(BUY, grid.downwards(bid, LEVELS), flutter, lot),
            *self._side(SELL, grid.upwards(ask, LEVELS), flutter, lot),
        ]

    def refused(self, side: Side) -> None:
        """Cash (for buys) or shares (for sells) did not suffice: quote half as much on that side."""
        self.appetite[side] = self.appetite[side] / 2 if self.appetite[side] > 0.05 else 0.0

    def recover(self) -> None:
        """Once in a while: try a little more again."""
        for side in (BUY, SELL):
            self.appetite[side] = min(1.0, self.appetite[side] * 1.5 + 0.02)

    def _side(self, side: Side, prices: Iterable[int], flutter: float, lot: int) -> list[Quote]:
        wanted = []
        for level, price in enumerate(prices):
            worth = TOUCH_VALUE * (1.0 + DEEPER * level) * self._shape[side][level] * flutter * self.appetite[side]
            qty = int(worth / price) // lot * lot
            if qty == 0 and self.appetite[side] > 0.0:
                qty = lot  # one share of a very dear instrument
            if qty > 0:
                wanted.append(Quote(side, price, qty))
        return wanted


def changes(symbol: str, standing: Sequence[Standing], wanted: Sequence[Quote]) -> list[Action]:
    """What turns the standing orders into the wanted quotes, in an order in which they never meet each other.

    Orders at wanted prices stay; others are moved to prices that lack one, or canceled. First everything that moves away
    from the other side, then what moves towards it, then new orders.
    """
    away: list[Action] = []
    towards: list[Action] = []
    new: list[Action] = []
    for side in (BUY, SELL):
        target = {quote.price: quote.qty for quote in wanted if quote.side == side}
        left = dict.fromkeys(target, 0)
        spare: list[Standing] = []
        for order in standing:
            if order.side != side:
                continue
            if order.price in target:
                left[order.price] += order.leaves_qty
            else:
                spare.append(order)
        empty = [price for price in target if left[price] == 0]
        for price in empty:
            order_at = _fitting(spare, target[price])
            if order_at is None:
                continue
            spare.remove(order_at)
            left[price] = target[price]
            retreats = price < order_at.price if side == BUY else price > order_at.price
            (away if retreats else towards).append(Move(order_at.order_id, price))
        away.extend(Cancel(order.order_id) for order in spare)
        for price, qty in target.items():
            if left[price] < qty * REPLENISH_BELOW:
                new.append(Place(symbol, side, qty - left[price], price))
    return [*away, *towards, *new]


def _fitting(spare: Sequence[Standing], qty: int) -> Standing | None:
    """The order whose size is nearest to what is wanted, if any is large enough and not far too large."""
    fitting = [order for order in spare if REPLENISH_BELOW * qty <= order.leaves_qty <= 4 * qty]
    return min(fitting, key=lambda order: abs(order.leaves_qty - qty), default=None)
