"""What the bots' decisions are made of: an order to enter, to move or to cancel, and an order that stands."""

from __future__ import annotations

from typing import Literal

import msgspec

Side = Literal["buy", "sell"]

BUY: Side = "buy"
SELL: Side = "sell"


class Place(msgspec.Struct, frozen=True):
    """Enter an order. Without `limit_price` it is a market order."""

    symbol: str
    side: Side
    qty: int
    limit_price: int | None = None

    def body(self) -> dict[str, object]:
        """The order as `POST /v1/orders` takes it."""
        body: dict[str, object] = {"symbol": self.symbol, "side": self.side, "qty": self.qty}
        if self.limit_price is None:
            return body | {"type": "market"}
        return body | {"type": "limit", "limit_price": self.limit_price}


class Move(msgspec.Struct, frozen=True):
    """Give an open order another price."""

    order_id: int
    limit_price: int


class Cancel(msgspec.Struct, frozen=True):
    """Cancel an open order."""

    order_id: int


Action = Place | Move | Cancel


class Standing(msgspec.Struct, frozen=True):
    """An own order in the book."""

    order_id: int
    side: Side
    price: int
    leaves_qty: int
