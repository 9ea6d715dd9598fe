"""What the market takes at this moment, instrument by instrument, as the public `market` channel tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Session(msgspec.Struct, frozen=True):
    """An instrument's phase, as far as it matters to a bot."""

    takes: frozenset[str] = frozenset()
    """Order types that may be entered; none while the market is closed or halted."""
    collects: bool = False
    """A call auction: nothing trades until it ends, and the book may be crossed."""
    indicative_price: int | None = None
    """What the auction would give now."""
    fixed_price: int | None = None
    """The close that all orders are at, where the phase trades at one (시간외종가)."""

    @property
    def is_open(self) -> bool:
        """Whether limit orders may be entered."""
        return "limit" in self.takes


CLOSED = Session()


class Sessions:
    """Follows the `market` channel. Before its first word everything is closed."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def of(self, symbol: str) -> Session:
        """The instrument's session now."""
        return self._sessions.get(symbol, CLOSED)

    def take(self, data: Mapping[str, Any]) -> None:
        """Take in a frame's data: the rows in it are whole."""
        for row in data["symbols"]:
            self._sessions[row["symbol"]] = Session(
                takes=frozenset(row["order_types"]),
                collects=row["phase"].endswith("_auction"),
                indicative_price=row["indicative_price"],
                fixed_price=row["fixed_price"],
            )

    def forget(self) -> None:
        """Nothing is known any more."""
        self._sessions.clear()
