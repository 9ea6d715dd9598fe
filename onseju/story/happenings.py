"""What a story is made of: happenings. Trades that passed an order by are told together until something else happens."""

from __future__ import annotations

import msgspec

from onseju.contract.words import Side
from onseju.story.wording import Value


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. `own`: to the order itself; `rule`: because the market's rules say so."""

    seq: int
    ts: int
    code: str
    params: dict[str, Value]
    own: bool = False
    rule: bool = False


class _Sum:
    """Trades of one kind: how many shares, when the last was, and what else is to be said."""

    __slots__ = ("params", "qty", "seq", "ts")

    def __init__(self, params: dict[str, Value]) -> None:
        self.qty = 0
        self.seq = 0
        self.ts = 0
        self.params = params


class Passing:
    """Sums up trades that passed an order by, by their kind, until `flush`: so a busy day gives few happenings."""

    def __init__(self) -> None:
        self._sums: dict[str, _Sum] = {}

    def add(self, seq: int, ts: int, code: str, qty: int, **params: int) -> None:
        """A trade of some kind; of `params` the last ones are told."""
        found = self._sums.setdefault(code, _Sum({}))
        found.qty += qty
        found.seq, found.ts = max(found.seq, seq), max(found.ts, ts)
        found.params.update(params)

    def away(self, seq: int, ts: int, limit_price: int, price: int, qty: int, side: int) -> None:
        """Trades at prices that the order's limit does not allow; `price` is the nearest."""
        is_buy = side == Side.BUY
        code = "traded_above" if is_buy else "traded_below"
        near = self._nearest(code, price, least=is_buy)
        self.add(seq, ts, code, qty, limit_price=limit_price, nearest_price=near)

    def asleep(self, seq: int, ts: int, stop_price: int, price: int, qty: int, side: int) -> None:
        """Trades while a stop order sleeps; `price` is the nearest to its stop."""
        near = self._nearest("traded_asleep", price, least=side != Side.BUY)
        self.add(seq, ts, "traded_asleep", qty, stop_price=stop_price, nearest_price=near)

    def flush(self) -> list[Happening]:
        """What was summed up since the last time, in the order of the last trade of each kind."""
        told = [
            Happening(seq=found.seq, ts=found.ts, code=code, params=found.params | {"traded_qty": found.qty})
            for code, found in self._sums.items()
        ]
        self._sums = {}
        return sorted(told, key=lambda happening: happening.seq)

    def _nearest(self, code: str, price: int, *, least: bool) -> int:
        found = self._sums.get(code)
        before = int(found.params["nearest_price"]) if found else price
        return min(before, price) if least else max(before, price)
