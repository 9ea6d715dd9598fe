"""The best bid and ask of every instrument, and what the market takes of it now, as the public channels tell them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from onseju.bots.client import Client
from onseju.bots.http import UnavailableError
from onseju.bots.noise import Top
from onseju.bots.pace import Patience
from onseju.bots.sessions import Sessions

EMPTY = Top(None, None)


class MarketData:
    """Follows the books of some instruments, one level deep."""

    def __init__(self, client: Client, symbols: Iterable[str]) -> None:
        self._client = client
        self._symbols = list(symbols)
        self._tops: dict[str, Top] = {}
        self._last: dict[str, str | None] = {}
        self.sessions = Sessions()
        self._patience = Patience("market data")

    def top(self, symbol: str) -> Top:
        """The best prices now; an empty one while they are not known."""
        return self._tops.get(symbol, EMPTY)

    async def run(self) -> None:
        """Follow until canceled: the phases, and the books of the symbols."""
        channels = ({"name": "market"}, {"name": "book", "symbols": self._symbols, "depth": 1})
        while True:
            try:
                async with self._client.subscribe(*channels) as frames:
                    self._patience.rewarded()
                    async for frame in frames:
                        self.take(frame)
                raise UnavailableError("the books ended")
            except UnavailableError as error:
                self._tops.clear()
                self._last.clear()
                self.sessions.forget()
                await self._patience.wait(error)

    def take(self, frame: Mapping[str, Any]) -> None:
        """Take in a snapshot or a delta. Raises `UnavailableError` where a delta does not continue what is known."""
        data = frame["data"]
        channel = "the market" if frame["ch"] == "market" else f"the book of {data['symbol']}"
        is_snapshot = frame["type"] == "snapshot"
        if not is_snapshot and frame["prev"] != self._last.get(channel, ""):
            raise UnavailableError(f"a gap in {channel}")
        self._last[channel] = frame["id"]
        if frame["ch"] == "market":
            self.sessions.take(data)
            return
        before = EMPTY if is_snapshot else self.top(data["symbol"])
        self._tops[data["symbol"]] = Top(_best(before.bid, data["bids"]), _best(before.ask, data["asks"]))


def _best(level: tuple[int, int] | None, changed: Iterable[tuple[int, int, int]]) -> tuple[int, int] | None:
    """The one level that is left after the changes: quantities are absolute, 0 deletes."""
    levels = dict([level]) if level else {}
    for price, qty, _ in changed:
        if qty:
            levels[price] = qty
        else:
            levels.pop(price, None)
    return next(iter(levels.items()), None)
