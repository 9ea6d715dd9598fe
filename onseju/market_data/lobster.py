"""Reads LOBSTER files: NASDAQ's order messages of a day, and its own book after each of them (lobsterdata.com).

Prices are dollars × 10,000, so a venue that plays them has `price_scale` 4.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from onseju.contract.words import Side

PRICE_SCALE = 4

_NO_PRICE = 9_999_999_999
"""What LOBSTER writes (or its negative) for a level that is empty."""


class LobsterError(ValueError):
    """The folder holds no LOBSTER data, or a line of it is none. The text says where."""


class MessageType(IntEnum):
    """What a message tells. The order that it names is always the resting one."""

    NEW = 1
    PARTIAL_CANCEL = 2
    DELETE = 3
    EXECUTION = 4
    HIDDEN_EXECUTION = 5
    CROSS_TRADE = 6
    HALT = 7


class Message(NamedTuple):
    """One line of a message file. `ts` is in nanoseconds after midnight in New York, `size` in shares."""

    ts: int
    kind: MessageType
    order_id: int
    size: int
    price: int
    side: Side


Level = tuple[int, int]
"""Price and open shares."""


class Row(NamedTuple):
    """The visible book after a message, best first. Empty levels are left out."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    def levels(self, side: Side) -> tuple[Level, ...]:
        return self.bids if side is Side.BUY else self.asks


class Recording(NamedTuple):
    """Messages, and the book after each: rows[i] follows messages[i]. `depth` is the number of levels that rows show."""

    messages: list[Message]
    rows: list[Row]
    depth: int


def read(folder: Path) -> Recording:
    """The recording in a folder with one `*message*.csv` and one `*orderbook*.csv`. Raises `LobsterError`, `OSError`."""
    messages = [_message(line, where) for where, line in _lines(_only(folder, "message"))]
    lines = [([_int(cell, where) for cell in line], where) for where, line in _lines(_only(folder, "orderbook"))]
    if len(messages) != len(lines) or not messages:
        raise LobsterError(f"{folder}: {len(messages)} messages, and {len(lines)} rows of the book")
    return Recording(messages, [_row(cells, where) for cells, where in lines], len(lines[0][0]) // 4)


def book_before(recording: Recording) -> Row:
    """The book that the first message met: the first row less what that message did. What rests there is known as level
    totals only, not order by order."""
    message, row = recording.messages[0], recording.rows[0]
    change = {MessageType.NEW: -message.size, MessageType.HIDDEN_EXECUTION: 0}.get(message.kind, message.size)
    levels = {side: dict(row.levels(side)) for side in Side}
    side = levels[message.side]
    side[message.price] = side.get(message.price, 0) + change
    return Row(
        bids=tuple((price, qty) for price, qty in sorted(levels[Side.BUY].items(), reverse=True) if qty),
        asks=tuple((price, qty) for price, qty in sorted(levels[Side.SELL].items()) if qty),
    )


def _only(folder: Path, word: str) -> Path:
    found = sorted(folder.glob(f"*{word}*.csv"))
    if len(found) != 1:
        raise LobsterError(f"{folder}: one *{word}*.csv is needed, there are {len(found)}")
    return found[0]


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    with path.open(newline="", encoding="ascii") as file:
        for number, line in enumerate(csv.reader(file), 1):
            yield f"{path.name}, line {number}", line


def _int(cell: str, where: str) -> int:
    try:
        return int(cell)
    except ValueError:
        raise LobsterError(f"{where}: {cell!r} is no whole number") from None


def _message(line: list[str], where: str) -> Message:
    if len(line) < 6:
        raise LobsterError(f"{where}: a message has 6 columns, here are {len(line)}")
    try:
        ts = int(Decimal(line[0]) * 10**9)
        kind = MessageType(int(line[1]))
        side = {1: Side.BUY, -1: Side.SELL}[int(line[5])]
    except (ArithmeticError, ValueError, KeyError):
        raise LobsterError(f"{where}: not a time, type and direction: {line[0]}, {line[1]}, {line[5]}") from None
    return Message(ts, kind, _int(line[2], where), _int(line[3], where), _int(line[4], where), side)


def _row(cells: list[int], where: str) -> Row:
    if len(cells) < 4 or len(cells) % 4:
        raise LobsterError(f"{where}: a row has 4 columns for each level, here are {len(cells)}")
    asks, bids = zip(cells[0::4], cells[1::4], strict=True), zip(cells[2::4], cells[3::4], strict=True)
    return Row(
        bids=tuple(level for level in bids if abs(level[0]) != _NO_PRICE),
        asks=tuple(level for level in asks if abs(level[0]) != _NO_PRICE),
    )
