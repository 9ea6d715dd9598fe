"""What price a call auction finds: the KRX rule (BR 23) and `max_volume`. Nothing is changed here.

The curves are small: prices that orders name, and how much is bid and offered at each. Between two of them nobody stands,
so all grid prices of a gap are alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from onseju.contract.words import AuctionPricing, Rule, Side
from onseju.matching.instruments import Instrument
from onseju.matching.quotes import Quotes
from onseju.matching.state import State
from onseju.rules.ticks import Bands, ceil_to_grid, next_down, next_up


class Found(NamedTuple):
    """An auction's price and volume; 0 and 0 = no match."""

    price: int = 0
    qty: int = 0


class Supply(NamedTuple):
    """What stands at a price and strictly better than it."""

    price: int
    bid: int
    ask: int
    bid_above: int
    ask_below: int

    @property
    def volume(self) -> int:
        return min(self.bid_above + self.bid, self.ask_below + self.ask)

    @property
    def fills_the_better(self) -> bool:
        """Something trades, and all that is strictly better is filled whole (KRX BR 23(4)1)."""
        return self.volume > 0 and self.volume >= self.bid_above and self.volume >= self.ask_below

    @property
    def fills_all_prices(self) -> bool:
        """Orders at the price itself get something too, where there are any (KRX BR 23(4)2)."""
        return not (self.bid and self.volume == self.bid_above) and not (self.ask and self.volume == self.ask_below)


class AuctionPricer:
    """Finds the price that an instrument's auction would have now."""

    __slots__ = ("_quotes", "_state")

    def __init__(self, state: State, quotes: Quotes) -> None:
        self._state = state
        self._quotes = quotes

    def find(self, instrument: Instrument) -> Found:
        """The matching price (합치가격) and its volume, market orders at their deemed prices."""
        book = instrument.book
        if not (book.buys.levels or book.buys.market_qty) or not (book.sells.levels or book.sells.market_qty):
            return Found()
        if self.follows_krx(instrument):
            bids, asks = self._curve(instrument, Side.BUY), self._curve(instrument, Side.SELL)
            return krx_price(bids, asks, instrument.last_price, instrument.bands)
        return max_volume_price(
            {price: qty for price, (qty, _) in book.buys.levels.items()},
            {price: qty for price, (qty, _) in book.sells.levels.items()},
            (book.buys.market_qty, book.sells.market_qty),
            instrument.last_price,
        )

    def follows_krx(self, instrument: Instrument) -> bool:
        """Whether the auction is KRX's."""
        return self._state.rules.value(Rule.AUCTION_PRICING, instrument) == AuctionPricing.KRX

    def _curve(self, instrument: Instrument, side: Side) -> Counter[int]:
        book_side = instrument.book.side(side)
        curve = Counter({price: qty for price, (qty, _) in book_side.levels.items()})
        if book_side.market_qty:
            buy, sell = self._quotes.auction_prices(instrument)
            curve[buy if side is Side.BUY else sell] += book_side.market_qty
        curve.pop(0, None)
        return curve


def krx_price(bids: Mapping[int, int], asks: Mapping[int, int], previous: int, bands: Bands) -> Found:
    """The matching price of KRX BR 23 for quantities by price, market orders already at their deemed prices.

    A price matches when all that is strictly better is filled whole and nobody at the price goes empty-handed. Where no
    price satisfies the second half, the first alone decides (BR 23(6)). Of several prices the one nearest to the previous
    price is taken; where that lies between them and is none of them, the nearest above it (BR 23(5)).
    """
    supplies = supply_at(bids, asks)
    strict = [supply for supply in supplies if supply.fills_the_better and supply.fills_all_prices]
    loose = [supply for supply in supplies if supply.fills_the_better]
    gaps = [
        (next_up(bands, lower.price), next_down(bands, upper.price), lower.bid_above)
        for lower, upper in pairwise(supplies)
        if 0 < lower.bid_above == lower.ask_below + lower.ask
    ]
    gaps = [gap for gap in gaps if gap[0] <= gap[1]]
    points = strict if strict or gaps else loose
    ranges = sorted([*gaps, *((supply.price, supply.price, supply.volume) for supply in points)])
    if not ranges:
        return Found()
    if previous >= ranges[-1][1]:
        _, price, qty = ranges[-1]
        return Found(price, qty)
    wanted = ceil_to_grid(bands, previous)
    first, _, qty = next(found for found in ranges if found[1] >= wanted)
    return Found(max(first, wanted), qty)


def supply_at(bids: Mapping[int, int], asks: Mapping[int, int]) -> list[Supply]:
    """What stands at each price that an order names, ascending."""
    supplies: list[Supply] = []
    bid_above, ask_below = sum(bids.values()), 0
    for price in sorted(bids.keys() | asks.keys()):
        bid, ask = bids.get(price, 0), asks.get(price, 0)
        bid_above -= bid
        supplies.append(Supply(price, bid, ask, bid_above, ask_below))
        ask_below += ask
    return supplies


def max_volume_price(
    bids: Mapping[int, int], asks: Mapping[int, int], markets: tuple[int, int], previous: int
) -> Found:
    """Of the prices that limit orders name the one with the most volume; then the smallest surplus, then the higher.

    `markets` is what market orders buy and sell, at whatever price. Where there are only such, they trade at the previous
    price, if there is one.
    """
    market_buy, market_sell = markets
    if not bids and not asks:
        volume = min(markets)
        return Found(previous, volume) if previous and volume else Found()
    best = (0, 0, 0)
    for supply in supply_at(bids, asks):
        demand = market_buy + supply.bid_above + supply.bid
        offer = market_sell + supply.ask_below + supply.ask
        best = max(best, (min(demand, offer), -abs(demand - offer), supply.price))
    volume, _, price = best
    return Found(price, volume) if volume else Found()
