"""A noise trader at work: waits, looks at the book, sends the order that came to its mind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from onseju.bots.client import Client, Listing, Refused
from onseju.bots.http import UnavailableError
from onseju.bots.making import SHORT
from onseju.bots.market_data import MarketData
from onseju.bots.noise import Intention, Trader, decide
from onseju.bots.orders import Place
from onseju.bots.pace import Beat, Patience

RESTING = 4
"""Resting orders in an instrument after which the trader changes its mind and cancels them."""
COUNT_EVERY_S = 20.0
"""How often shares and the day's prices are asked for."""


class NoiseTrader:
    """One noise trader with an account of its own."""

    def __init__(self, client: Client, trader: Trader, listings: Sequence[Listing], market: MarketData) -> None:
        self._client = client
        self._trader = trader
        self._market = market
        self._listings = {listing.symbol: listing for listing in listings}
        self._home: dict[str, int] | None = None
        self._held: dict[str, int] = {}
        self._resting: Counter[str] = Counter()
        self._appetite = 1.0
        self._patience = Patience(trader.role)

    async def run(self) -> None:
        """Trade until canceled. Raises `KeyRefusedError`."""
        await self._begin()
        beat = Beat()
        loop = asyncio.get_running_loop()
        count_at = loop.time() + COUNT_EVERY_S
        while True:
            wait_s, intention = self._trader.next()
            await beat.wait(wait_s)
            try:
                if loop.time() >= count_at:
                    count_at = loop.time() + COUNT_EVERY_S
                    await self._count()
                await self._follow(intention)
                self._patience.rewarded()
            except UnavailableError as error:
                await self._patience.wait(error)

    async def leave(self) -> None:
        """Take all orders out of the books, and close."""
        await self._client.cancel_all()
        await self._client.close()

    async def _begin(self) -> None:
        while True:
            try:
                await self._client.cancel_all()
                await self._count()
            except UnavailableError as error:
                await self._patience.wait(error)
            else:
                self._patience.rewarded()
                return

    async def _count(self) -> None:
        self._held = await self._client.holdings()
        if self._home is None:
            self._home = self._held
        self._listings = {listing.symbol: listing for listing in await self._client.listings()}
        self._appetite = min(1.0, 1.5 * self._appetite)

    async def _follow(self, intention: Intention) -> None:
        symbol = intention.symbol
        surplus = self._held.get(symbol, 0) - (self._home or {}).get(symbol, 0)
        session, listing = self._market.sessions.of(symbol), self._listings[symbol]
        order = decide(intention, self._market.top(symbol), surplus, listing.grid, session)
        if order is None:
            return
        lot = listing.lot_size
        lots = max(1, int(order.qty * self._appetite) // lot)
        order = Place(symbol, order.side, lots * lot, order.limit_price)
        if order.limit_price is not None and self._resting[symbol] >= RESTING:
            await self._client.cancel_all(symbol)
            self._resting[symbol] = 0
        [result] = await self._client.place([order])
        if isinstance(result, Refused):
            if result.code in SHORT:
                self._appetite = max(0.01, self._appetite / 2)
        elif result["leaves_qty"]:
            self._resting[symbol] += 1
