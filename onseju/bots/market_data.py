"""The best bid and ask of every instrument, as the public book channel tells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from onseju.bots.client import Client
from onseju.bots.http import UnavailableError
from onseju.bots.noise import Top
from onseju.bots.pace import Patience

EMPTY = Top(None, None)


class MarketData:
    """Follows the books of some instruments, one level deep."""

    def __init__(self, client: Client, symbols: Iterable[str]) -> None:
        self._client = client
        self._symbols = list(symbols)
        self._tops: dict[str, Top] = {}
        self._last: dict[str, str | None] = {}
        self._patience = Patience("market data")

    def top(self, symbol: str) -> Top:
        """The best prices now; an empty one while they are not known."""
        return self._tops.get(symbol, EMPTY)

    async def run(self) -> None:
        """Follow until canceled."""
        channel = {"name": "book", "symbols": self._symbols, "depth": 1}
        while True:
            try:
                async with self._client.subscribe(channel) as frames:
                    self._patience.rewarded()
                    async for frame in frames:
                        self.take(frame)
                raise UnavailableError("the books ended")
            except UnavailableError as error:
                self._tops.clear()
                await self._patience.wait(error)

    def take(self, frame: Mapping[str, Any]) -> None:
        """Take in a snapshot or a delta. Raises `UnavailableError` where a delta does not continue what is known."""
        data = frame["data"]
        symbol = data["symbol"]
        if frame["type"] == "snapshot":
            before = EMPTY
        elif frame["prev"] == self._last.get(symbol, ""):
            before = self.top(symbol)
        else:
            raise UnavailableError(f"a gap in the book of {symbol}")
        self._last[symbol] = frame["id"]
        self._tops[symbol] = Top(_best(before.bid, data["bids"]), _best(before.ask, data["asks"]))


def _best(level: tuple[int, int] | None, changed: Iterable[tuple[int, int, int]]) -> tuple[int, int] | None:
    """The one level that is left after the changes: quantities are absolute, 0 deletes."""
    levels = dict([level]) if level else {}
    for price, qty, _ in changed:
        if qty:
            levels[price] = qty
        else:
            levels.pop(price, None)
    return next(iter(levels.items()), None)
