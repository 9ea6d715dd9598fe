"""The market maker at work: each instrument in turn, once a second, is brought to the quotes that are wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import Any

from onseju.bots.client import Client, Listing, Refused
from onseju.bots.fair_value import FairValue
from onseju.bots.http import UnavailableError
from onseju.bots.market_maker import Maker, changes
from onseju.bots.orders import Action, Move, Place, Side
from onseju.bots.own_orders import OwnOrders
from onseju.bots.pace import Beat, Patience
from onseju.bots.sessions import Sessions

ROUND_S = 1.0
"""In this time each instrument has its turn once."""
LOOK_UP_EVERY = 60
"""Rounds after which limits and base prices are asked for again (a new trading day), and small quotes may grow."""
GONE = ("order_done", "order_not_found")
SHORT = ("insufficient_cash", "insufficient_shares")
SHUT = ("market_closed", "halted", "order_type_not_allowed")
"""The phase has just changed; the market's own word of it is under way."""


class _Desk:
    """What the market maker keeps for one instrument."""

    def __init__(self, seed: int, listing: Listing) -> None:
        symbol = listing.symbol
        self.listing = listing
        start = listing.last_price or listing.base_price
        self.fair = FairValue(Random(f"{seed}:{symbol}:fair"), listing.base_price, start)  # noqa: S311
        self.maker = Maker(symbol, Random(f"{seed}:{symbol}:quotes"))  # noqa: S311  # play, not secrets
        self.held = 0
        self.home: int | None = None
        """Shares held at the start: what the inventory is drawn back to."""

    @property
    def surplus(self) -> int:
        return self.held - (self.home or 0)

    def look_up(self, listing: Listing) -> None:
        """Take in the day's prices."""
        if listing.base_price != self.listing.base_price:
            self.fair.rebase(listing.base_price)
        self.listing = listing


class MarketMaker:
    """One market maker for all instruments, with an account of its own."""

    def __init__(self, client: Client, seed: int, sessions: Sessions) -> None:
        self._client = client
        self._sessions = sessions
        self._seed = seed
        self._own = OwnOrders()
        self._desks: dict[str, _Desk] = {}
        self._patience = Patience("market maker")
        self._stale = False

    async def run(self) -> None:
        """Make the market until canceled. Raises `KeyRefusedError`."""
        while True:
            try:
                await self._session()
            except UnavailableError as error:
                await self._patience.wait(error)

    async def leave(self) -> None:
        """Take all quotes out of the books, and close."""
        await self._client.cancel_all()
        await self._client.close()

    async def _session(self) -> None:
        """From an empty slate until the server or the stream is away."""
        await self._look_up()
        async with self._client.subscribe({"name": "account"}) as events:
            seq = await self._client.cancel_all()
            self._own.forget()
            await self._count_shares(seq)
            following = asyncio.create_task(self._follow(events), name="own events")
            try:
                await self._quote(following)
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    async def _quote(self, following: asyncio.Task[None]) -> None:
        await self._enter([action for desk in self._desks.values() for action in self._wanted(desk)])
        self._patience.rewarded()
        beat = Beat()
        rounds = 0
        while True:
            for symbol in list(self._desks):
                await beat.wait(ROUND_S / len(self._desks))
                if following.done():
                    following.result()
                    raise UnavailableError("the stream of own events ended")
                await self._carry_out(symbol, self._wanted(self._desks[symbol]))
            rounds += 1
            if rounds % LOOK_UP_EVERY == 0 or self._stale:
                await self._look_up()
            if rounds % LOOK_UP_EVERY == 0:
                for desk in self._desks.values():
                    desk.maker.recover()

    def _wanted(self, desk: _Desk) -> list[Action]:
        """A step of the instrument's time, and what is to do for it. While the market is shut, or all orders are at one
        price, where there is no spread to earn, time stands still."""
        symbol, grid = desk.listing.symbol, desk.listing.grid
        session = self._sessions.of(symbol)
        if not session.is_open or session.fixed_price:
            return []
        quotes = desk.maker.quotes(desk.fair.step(), desk.surplus, grid, desk.listing.lot_size)
        return changes(symbol, self._own.of(symbol), quotes)

    async def _carry_out(self, symbol: str, actions: Sequence[Action]) -> None:
        sides = {order.order_id: order.side for order in self._own.of(symbol)}
        for action in actions:
            if isinstance(action, Place):
                continue
            order_id = action.order_id
            if isinstance(action, Move):
                result = await self._client.move(order_id, action.limit_price)
            else:
                result = await self._client.cancel(order_id)
            if not isinstance(result, Refused):
                self._own.take_order(result)
            elif result.code in GONE:
                self._own.drop(symbol, order_id)
            else:
                self._refused(symbol, sides[order_id], result)
                return  # what stands in the way stays there for this turn
        await self._enter(actions)

    async def _enter(self, actions: Sequence[Action]) -> None:
        orders = [action for action in actions if isinstance(action, Place)]
        for order, result in zip(orders, await self._client.place(orders), strict=True):
            if isinstance(result, Refused):
                self._refused(order.symbol, order.side, result)
            else:
                self._own.take_order(result)

    def _refused(self, symbol: str, side: Side, refused: Refused) -> None:
        if refused.code in SHORT:
            self._desks[symbol].maker.refused(side)
        elif refused.code not in SHUT:
            self._stale = True  # the day's prices may have changed

    async def _look_up(self) -> None:
        self._stale = False
        listings = await self._client.listings()
        if not listings:
            raise UnavailableError("no instruments are listed")
        for listing in listings:
            if listing.symbol in self._desks:
                self._desks[listing.symbol].look_up(listing)
            else:
                self._desks[listing.symbol] = _Desk(self._seed, listing)

    async def _count_shares(self, seq: int) -> None:
        held = await self._client.holdings(seq)
        for symbol, desk in self._desks.items():
            desk.held = held.get(symbol, 0)
            if desk.home is None:
                desk.home = desk.held

    async def _follow(self, events: AsyncIterator[dict[str, Any]]) -> None:
        async for event in events:
            type_, data = event["type"], event["data"]
            if type_ == "order":
                self._own.take_order(data)
            elif type_ == "fill":
                self._own.take_fill(data)
            elif type_ == "account" and data["kind"] == "position":
                desk = self._desks.get(data["symbol"])
                if desk is not None:
                    desk.held = data["qty"]
            elif type_ == "reset":
                raise UnavailableError("the stream began anew")
