"""What many commands' events come to for the public market: of each level the last state, of each instrument its trades.

Read once for a whole run, so that what nobody watches costs no object an event. The compiled core has a faster twin of
`digest`; where that is not there, this runs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator
from itertools import compress

from onseju.contract.events import EVENT_BYTES, KIND_OFFSET, EventKind

LevelNow = tuple[int, int, int, int]
"""Side, price, open quantity, number of orders."""

Levels = tuple[int, int, int, int, list[LevelNow]]
"""Instrument, the last level event's command and place, its time, and each level that changed, as it stands now."""

Stamped = tuple[int, int]
"""A price, and when it was reached first (of the last price: last), microseconds since 1970."""

Trades = tuple[int, list[Stamped], tuple[int, int], tuple[int, int], tuple[int, int], int, list[bytes]]
"""Instrument; first, highest, lowest and last price; (shares, turnover); (trades, shares) that a buyer took, and a seller; how
many trades, and the last of them as bytes."""

Digest = tuple[list[Levels], list[Trades], list[tuple[int, int, int]], tuple[int, int] | None]
"""Levels, trades, (instrument, price, quantity) that its auction would give now, and the place of the last event that is a
trade or tells of an auction. Instruments stand in the order in which they came."""

Digester = Callable[[bytes, int], Digest]

_KINDS = bytes(kind in (EventKind.TRADE, EventKind.LEVEL_CHANGED, EventKind.AUCTION_INDICATED) for kind in range(256))
_TRADED, _LEVEL_CHANGED = int(EventKind.TRADE), int(EventKind.LEVEL_CHANGED)
_HEAD = struct.Struct("<QqI4xI")  # seq, ts, idx, instrument
_LEVEL = struct.Struct("<qqIB")  # price, quantity, orders, side
_TRADE = struct.Struct("<8xqq16xB")  # price, quantity, taker's side
_AUCTION = struct.Struct("<qq")
_BODY_OFFSET = 32


def digest(payload: bytes, tape: int) -> Digest:
    """Read the events of a run; at most `tape` trades of each instrument are given as bytes."""
    levels: dict[int, tuple[int, int, int, dict[tuple[int, int], LevelNow]]] = {}
    trades: dict[int, _Trades] = {}
    indicated: dict[int, tuple[int, int, int]] = {}
    at = None
    kinds = payload[KIND_OFFSET::EVENT_BYTES]
    for offset in compress(range(0, len(payload), EVENT_BYTES), kinds.translate(_KINDS)):
        seq, ts, idx, instrument = _HEAD.unpack_from(payload, offset)
        kind = payload[offset + KIND_OFFSET]
        if kind == _LEVEL_CHANGED:
            price, qty, count, side = _LEVEL.unpack_from(payload, offset + _BODY_OFFSET)
            known = levels[instrument][3] if instrument in levels else {}
            known[side, price] = (side, price, qty, count)
            levels[instrument] = (seq, idx, ts, known)
            continue
        at = (seq, idx)
        if kind == _TRADED:
            price, qty, taker = _TRADE.unpack_from(payload, offset + _BODY_OFFSET)
            found = trades.get(instrument)
            if found is None:
                found = trades[instrument] = _Trades(price, ts)
            found.add(price, qty, taker, ts)
            found.events.append(payload[offset : offset + EVENT_BYTES])
        else:
            indicated[instrument] = (instrument, *_AUCTION.unpack_from(payload, offset + _BODY_OFFSET))
    return (
        [(number, seq, idx, ts, list(known.values())) for number, (seq, idx, ts, known) in levels.items()],
        [(number, *found.sums(), found.last_events(tape)) for number, found in trades.items()],
        list(indicated.values()),
        at,
    )


class _Trades:
    """One instrument's."""

    __slots__ = ("buys", "events", "high", "last", "low", "open", "qty", "sells", "turnover")

    def __init__(self, price: int, ts: int) -> None:
        self.open = self.high = self.low = self.last = (price, ts)
        self.qty = self.turnover = 0
        self.buys = self.sells = (0, 0)
        self.events: list[bytes] = []

    def add(self, price: int, qty: int, taker: int, ts: int) -> None:
        if price > self.high[0]:
            self.high = (price, ts)
        if price < self.low[0]:
            self.low = (price, ts)
        self.last = (price, ts)
        self.qty += qty
        self.turnover += price * qty
        if taker == 1:
            self.buys = (self.buys[0] + 1, self.buys[1] + qty)
        elif taker == 2:
            self.sells = (self.sells[0] + 1, self.sells[1] + qty)

    def sums(self) -> tuple[list[Stamped], tuple[int, int], tuple[int, int], tuple[int, int], int]:
        prices = [self.open, self.high, self.low, self.last]
        return prices, (self.qty, self.turnover), self.buys, self.sells, len(self.events)

    def last_events(self, count: int) -> list[bytes]:
        return self.events[max(len(self.events) - count, 0) :]


def has_any(payload: bytes, others: bytes) -> bool:
    """Whether there is an event of any kind but those in `others`."""
    return bool(payload[KIND_OFFSET::EVENT_BYTES].translate(None, others))


def all_but(kinds: Collection[int]) -> bytes:
    """Every kind's number but these: the second argument of `has_any`."""
    return bytes(kind for kind in range(256) if kind not in kinds)


def events_of(payload: bytes, flags: bytes, instruments: Collection[int]) -> Iterator[int]:
    """Where the events of some instruments stand, of the kinds whose place in `flags` is 1."""
    numbers = memoryview(payload).cast("I")[6 :: EVENT_BYTES // 4].tolist()
    wanted = payload[KIND_OFFSET::EVENT_BYTES].translate(flags)
    for at in compress(range(len(numbers)), wanted):
        if numbers[at] in instruments:
            yield at * EVENT_BYTES
