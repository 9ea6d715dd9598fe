"""Books from PyPI: `python pybooks.py BOOK FILE COMMANDS` prints one line of JSON. Needs nothing of Onseju.

It runs in an environment of its own, with the packages that it measures. What is handed to a book is unpacked before; the
objects that a book wants for an order are made while it is timed, for nobody can call it without them. Throughput is stated
in processor time of the thread.
"""

from __future__ import annotations

import json
import struct
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

LIMIT, MARKET, CANCEL, MOVE = 1, 2, 3, 4
BUY = 1
WORD = 0xFFFFFFFFFFFFFFFF
Record = tuple[int, int, int, int, int, int]
"""Kind, side, instrument, id, price, quantity."""

Trade = tuple[int, int, int]
"""Maker, price, quantity."""


class SortedContainers:
    """What one would write with `sortedcontainers`: a sorted dict of prices, and at each price the orders in their order."""

    def __init__(self, instruments: int) -> None:
        from sortedcontainers import SortedDict

        self.books = [{1: SortedDict(), 2: SortedDict()} for _ in range(instruments)]
        self.where: dict[int, tuple[Any, int]] = {}

    def apply(self, record: Record) -> list[Trade]:
        kind, side, instrument, order_id, price, qty = record
        where = self.where
        if kind >= CANCEL:
            levels, at = where.pop(order_id)
            level = levels[at]
            del level[order_id]
            if not level:
                del levels[at]
            if kind == CANCEL:
                return []
        trades: list[Trade] = []
        book = self.books[instrument]
        others, end = (book[2], 0) if side == BUY else (book[1], -1)
        while qty and others:
            best, level = others.peekitem(end)
            if kind != MARKET and (best > price if side == BUY else best < price):
                break
            while qty and level:
                maker = next(iter(level))
                open_qty = level[maker]
                if open_qty > qty:
                    level[maker] = open_qty - qty
                    trades.append((maker, best, qty))
                    qty = 0
                else:
                    trades.append((maker, best, open_qty))
                    qty -= open_qty
                    del level[maker]
                    del where[maker]
            if not level:
                others.popitem(end)
        if qty and kind != MARKET:
            levels = book[side]
            level = levels.get(price)
            if level is None:
                level = levels[price] = OrderedDict()
            level[order_id] = qty
            where[order_id] = (levels, price)
        return trades


class LightMatchingEngine:
    """`lightmatchingengine`: gives its own ids; a market order is one at price 0, whose rest has to be taken back."""

    def __init__(self, instruments: int) -> None:
        from lightmatchingengine.lightmatchingengine import LightMatchingEngine as Engine

        self.engine = Engine()
        self.names: list[int] = [0]
        self.numbers: dict[int, int] = {}

    def apply(self, record: Record) -> list[Trade]:
        kind, side, instrument, order_id, price, qty = record
        engine = self.engine
        if kind >= CANCEL:
            engine.cancel_order(self.numbers[order_id], instrument)
            if kind == CANCEL:
                return []
        order, told = engine.add_order(instrument, price, qty, side)
        self.names.append(order_id)
        self.numbers[order_id] = order.order_id
        if kind == MARKET and order.leaves_qty:
            engine.cancel_order(order.order_id, instrument)
        names = self.names
        return [(names[t.order_id], t.trade_price, t.trade_qty) for t in told if t.trade_side != side]


class PyOrderBook:
    """`pyorderbook`: ids are UUIDs, prices decimals; a market order is one at the worst price, whose rest is taken back."""

    def __init__(self, instruments: int) -> None:
        from pyorderbook import Book as Engine
        from pyorderbook import Order, Side

        self.engine = Engine()
        self.order = Order
        self.sides = {1: Side.BID, 2: Side.ASK}
        self.symbols = [f"S{number}" for number in range(instruments)]
        self.open: dict[int, Any] = {}
        self.names: dict[Any, int] = {}

    def apply(self, record: Record) -> list[Trade]:
        kind, side, instrument, order_id, price, qty = record
        if kind >= CANCEL:
            self.engine.cancel(self.open.pop(order_id))
            if kind == CANCEL:
                return []
        if kind == MARKET:
            price = 10**9 if side == BUY else 1
        order = self.order(self.sides[side], self.symbols[instrument], price, qty)
        self.names[order.id] = order_id
        told = self.engine.match(order)
        if order.quantity:
            if kind == MARKET:
                self.engine.cancel(order)
            else:
                self.open[order_id] = order
        names = self.names
        return [(names[t.standing_order_id], int(t.fill_price), t.fill_quantity) for t in told.trades]


class LimitOrderBook:
    """`limit-order-book`: C++ behind ctypes, one book an instrument. It tells no trades; the change of its volume does."""

    def __init__(self, instruments: int) -> None:
        from limit_order_book import LimitOrderBook as Engine

        self.engines = [Engine() for _ in range(instruments)]

    def apply(self, record: Record) -> None:
        kind, side, instrument, order_id, price, qty = record
        engine = self.engines[instrument]
        if kind == LIMIT:
            if side == BUY:
                engine.limit_buy(order_id, qty, price)
            else:
                engine.limit_sell(order_id, qty, price)
        elif kind == MARKET:
            if side == BUY:
                engine.market_buy(order_id, qty)
            else:
                engine.market_sell(order_id, qty)
        else:
            engine.cancel(order_id)
            if kind == MOVE:
                engine.limit(side == BUY, order_id, qty, price)

    def traded(self, record: Record) -> int:
        """Carry out a command and tell what it traded."""
        kind, side, instrument, order_id, price, qty = record
        engine = self.engines[instrument]
        if kind == CANCEL:
            engine.cancel(order_id)
            return 0
        if kind == MOVE:
            engine.cancel(order_id)
            record = (LIMIT, side, instrument, order_id, price, qty)
        before: int = engine.volume()
        self.apply(record)
        grown: int = engine.volume() - before
        return -grown if kind == MARKET else (qty - grown) // 2


class OrderMatching:
    """`order-matching`: a queue that is matched at a time; here after each order."""

    def __init__(self, instruments: int) -> None:
        from loguru import logger
        from order_matching.matching_engine import MatchingEngine
        from order_matching.order import LimitOrder, MarketOrder
        from order_matching.orders import Orders

        logger.remove()  # it tells of each order otherwise
        self.engines = [MatchingEngine(seed=1) for _ in range(instruments)]
        self.limit, self.market, self.orders = LimitOrder, MarketOrder, Orders
        from order_matching.enums import Side

        self.sides = {1: Side.BUY, 2: Side.SELL}
        self.now = datetime(2026, 11, 23, tzinfo=None)  # noqa: DTZ001 - the package compares with a naive one
        self.step = timedelta(microseconds=1)

    def apply(self, record: Record) -> list[Trade]:
        kind, side, instrument, order_id, price, qty = record
        engine = self.engines[instrument]
        name = str(order_id)
        if kind >= CANCEL:
            engine.cancel_order(name)
            if kind == CANCEL:
                return []
        self.now += self.step
        common = {"side": self.sides[side], "size": qty, "timestamp": self.now, "order_id": name, "trader_id": "t"}
        order = self.market(**common) if kind == MARKET else self.limit(price=price, **common)
        engine.place(self.orders([order]))
        told = engine.match(timestamp=self.now)
        if kind == MARKET and order.size:
            engine.cancel_order(name)
        return [(int(t.book_order_id), int(t.price), int(t.size)) for t in told.trades]


BOOKS: dict[str, Callable[[int], Any]] = {
    "sortedcontainers": SortedContainers,
    "lightmatchingengine": LightMatchingEngine,
    "pyorderbook": PyOrderBook,
    "limit-order-book": LimitOrderBook,
    "order-matching": OrderMatching,
}


def read(path: Path, count: int) -> tuple[int, list[Record], list[Record]]:
    """Instruments, what fills the books, and what is measured."""
    data = path.read_bytes()
    (instruments,) = struct.unpack_from("<I", data, 8)
    filling, measured = struct.unpack_from("<QQ", data, 16)
    records = list(struct.iter_unpack("<BB2xIQqq", data[64 : 64 + 32 * (filling + min(count, measured))]))
    return instruments, records[:filling], records[filling:]


def filled(name: str, instruments: int, filling: list[Record]) -> Any:
    """A book that is full."""
    book = BOOKS[name](instruments)
    apply = book.apply
    for record in filling:
        apply(record)
    return book


def tape(book: Any, records: list[Record]) -> dict[str, Any]:
    """Trades, volume and hash, as the harness in Rust tells them; None for what the book does not tell."""
    if isinstance(book, LimitOrderBook):
        return {"trades": None, "volume": sum(map(book.traded, records)), "hash": None}
    hashed, trades, volume = 0xCBF29CE484222325, 0, 0
    for record in records:
        for maker, price, qty in book.apply(record):
            trades += 1
            volume += qty
            for word in (maker, record[3], price, qty):
                hashed = (hashed ^ word) * 0x100000001B3 & WORD
    return {"trades": trades, "volume": volume, "hash": f"{hashed:016x}"}


def latencies(apply: Callable[[Any], object], commands: Iterable[Any]) -> dict[str, int]:
    """What single commands take, in ns, with the clock's cost in it: p50, p99 and p99.9."""
    clock = time.perf_counter_ns
    nanos = []
    for command in commands:
        since = clock()
        apply(command)
        nanos.append(clock() - since)
    nanos.sort()
    last = len(nanos) - 1
    return {label: nanos[int(last * share)] for label, share in (("p50_ns", 0.5), ("p99_ns", 0.99), ("p999_ns", 0.999))}


def resident_bytes() -> int:
    """The memory that this process has; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


def measure(name: str, path: Path, count: int) -> dict[str, Any]:
    """A pass for the trades, one that is timed as a whole, one that times each command."""
    instruments, filling, measured = read(path, count)
    before = resident_bytes()
    book = filled(name, instruments, filling)
    filling_bytes = resident_bytes() - before
    told = tape(book, measured)

    apply = filled(name, instruments, filling).apply
    began_wall, began = time.perf_counter(), time.thread_time()
    for record in measured:
        apply(record)
    seconds, wall = time.thread_time() - began, time.perf_counter() - began_wall

    return {
        "commands": len(measured),
        "seconds": seconds,
        "wall_seconds": wall,
        **latencies(filled(name, instruments, filling).apply, measured),
        **told,
        "is_same": True,
        "filling": len(filling),
        "filling_bytes": filling_bytes,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
