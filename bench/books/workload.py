"""A workload's file, read with NumPy, and the same as commands of the exchange. The file's format is told in record.rs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onseju.contract.commands import (
    COMMAND_BYTES,
    CORRECT_LIMIT_PRICE,
    Command,
    CommandKind,
    DepositCash,
    DepositShares,
    ListInstrument,
    OpenAccount,
    OpenVenue,
    SetRule,
    SetTickBand,
    encode_command,
)
from onseju.contract.words import AccountKind, OrderType, Rule, TimeInForce
from onseju.rules.packs import RULES

HEADER_BYTES = 64
RECORD = np.dtype(
    [
        ("kind", "u1"),
        ("side", "u1"),
        ("unused", "<u2"),
        ("instrument", "<u4"),
        ("id", "<u8"),
        ("price", "<i8"),
        ("qty", "<i8"),
    ]
)
LIMIT, MARKET, CANCEL, MOVE = 1, 2, 3, 4

_HEAD = [
    ("seq", "<u8"),
    ("ts", "<i8"),
    ("kind", "u1"),
    ("version", "u1"),
    ("flags", "<u2"),
    ("account", "<u4"),
    ("instrument", "<u4"),
    ("rest", "V36"),
]
NEW_ORDER = np.dtype(
    [
        *_HEAD,
        ("qty", "<i8"),
        ("limit_price", "<i8"),
        ("stop_price", "<i8"),
        ("side", "u1"),
        ("order_type", "u1"),
        ("time_in_force", "u1"),
        ("unused", "V21"),
    ]
)
ORDER_CHANGE = np.dtype([*_HEAD, ("order_id", "<i8"), ("limit_price", "<i8"), ("unused", "V32")])
TRADE = np.dtype(
    {
        "names": ["kind", "price", "qty", "buy", "sell", "taker"],
        "formats": ["u1", "<i8", "<i8", "<u8", "<u8", "u1"],
        "offsets": [28, 40, 48, 56, 64, 72],
        "itemsize": 128,
    }
)
TRADE_KIND = 32

CASH = 10**15
SHARES = 10**7
COMMISSION_PPM, TRANSACTION_TAX_PPM, RURAL_TAX_PPM = 150, 500, 1_500
FNV_OFFSET, FNV_PRIME, WORD = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True)
class Workload:
    """A workload, with no more measured records than asked for."""

    instruments: int
    lowest: int
    highest: int
    tick: int
    filling: np.ndarray[Any, Any]
    measured: np.ndarray[Any, Any]


def read(path: Path, count: int) -> Workload:
    """A workload's file. Raises `ValueError` where it is none."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        if header[:8] != b"ONSJBK01":
            raise ValueError(f"{path} is no workload")
        instruments = int.from_bytes(header[8:12], "little")
        filling, measured = (int(number) for number in np.frombuffer(header[16:32], "<u8"))
        lowest, highest, tick = (int(number) for number in np.frombuffer(header[32:56], "<i8"))
        records = np.fromfile(file, RECORD, filling + min(count, measured))
    return Workload(instruments, lowest, highest, tick, records[:filling], records[filling:])


def expected(path: Path, count: int) -> dict[str, Any]:
    """What every book has to say of a workload's first `count` commands. Raises `KeyError` where nobody knows."""
    after: dict[str, dict[str, Any]] = json.loads(path.with_suffix(".json").read_text("utf-8"))["after"]
    return after[str(count)]


def commands(work: Workload) -> tuple[bytes, bytes]:
    """The workload for the whole exchange: what opens the venue and fills its books, and what is measured.

    A thousand accounts on one instrument, a hundred on many: each has cash and shares enough for all of its orders, and
    pays a commission and taxes to the venue's account, the last. An account's number follows from its order's id.
    """
    accounts = 1_000 if work.instruments == 1 else 100
    opening: list[Command] = [OpenVenue(trading_day=20261123), SetTickBand(table=1, from_price=0, tick=work.tick)]
    opening += [SetRule(rule=rule, value=value) for rule, value in RULES["plain"].items()]
    opening += [
        OpenAccount(account=accounts + 1, owner=(accounts + 1).to_bytes(16, "little"), account_kind=AccountKind.VENUE),
        SetRule(rule=Rule.MAX_OPEN_ORDERS, value=0),
        SetRule(rule=Rule.COMMISSION_PPM, value=COMMISSION_PPM),
        SetRule(rule=Rule.TRANSACTION_TAX_PPM, value=TRANSACTION_TAX_PPM),
        SetRule(rule=Rule.RURAL_TAX_PPM, value=RURAL_TAX_PPM),
    ]
    middle = (work.lowest + work.highest) // 2
    opening += [
        ListInstrument(
            symbol=f"S{number}".encode().ljust(16, b"\0"), base_price=middle, limit_ppm=300_000, tick_table=1, board=1
        )
        for number in range(1, work.instruments + 1)
    ]
    for account in range(1, accounts + 1):
        opening.append(OpenAccount(account=account, owner=account.to_bytes(16, "little")))
        opening.append(DepositCash(account=account, amount=CASH))
        opening += [
            DepositShares(account=account, instrument=number, qty=SHARES) for number in range(1, work.instruments + 1)
        ]
    first = b"".join(encode_command(command) for command in opening)
    rest = order_commands(np.concatenate([work.filling, work.measured]), accounts)
    stream = np.frombuffer(bytearray(first + rest.tobytes()), ORDER_CHANGE)
    stream["seq"] = stream["ts"] = np.arange(1, len(stream) + 1)
    encoded = stream.tobytes()
    cut = len(first) + len(work.filling) * COMMAND_BYTES
    return encoded[:cut], encoded[cut:]


def order_commands(records: np.ndarray[Any, Any], accounts: int) -> np.ndarray[Any, Any]:
    """The records as commands without numbers."""
    orders = np.zeros(len(records), NEW_ORDER)
    is_new = records["kind"] <= MARKET
    orders["version"] = 1
    orders["account"] = records["id"] * np.uint64(0x9E3779B97F4A7C15) % np.uint64(2**32) % np.uint64(accounts) + 1
    orders["kind"] = np.choose(
        records["kind"] - 1,
        [CommandKind.NEW_ORDER, CommandKind.NEW_ORDER, CommandKind.CANCEL_ORDER, CommandKind.CORRECT_ORDER],
    )
    orders["instrument"] = np.where(is_new, records["instrument"] + 1, 0)
    orders["qty"] = records["qty"]
    orders["limit_price"] = np.where(records["kind"] == LIMIT, records["price"], 0)
    orders["side"] = records["side"]
    orders["order_type"] = np.where(records["kind"] == LIMIT, OrderType.LIMIT, OrderType.MARKET)
    orders["time_in_force"] = np.where(records["kind"] == LIMIT, TimeInForce.DAY, TimeInForce.IOC)
    changes = np.zeros(len(records), ORDER_CHANGE)
    for name in ("version", "account", "kind"):
        changes[name] = orders[name]
    changes["order_id"] = records["id"]
    is_move = records["kind"] == MOVE
    changes["flags"] = np.where(is_move, CORRECT_LIMIT_PRICE, 0)
    changes["limit_price"] = np.where(is_move, records["price"], 0)
    changes[is_new] = orders[is_new].view(ORDER_CHANGE)
    return changes


def tape(events: bytes) -> dict[str, Any]:
    """Trades, volume and hash of a stream of events, as the harness in Rust tells them."""
    trades = np.frombuffer(events, TRADE)
    trades = trades[trades["kind"] == TRADE_KIND]
    is_buy = trades["taker"] == 1
    maker = np.where(is_buy, trades["sell"], trades["buy"])
    taker = np.where(is_buy, trades["buy"], trades["sell"])
    words = np.column_stack([maker, taker, trades["price"].astype("<u8"), trades["qty"].astype("<u8")])
    hashed = FNV_OFFSET
    for word in words.ravel().tolist():
        hashed = (hashed ^ word) * FNV_PRIME & WORD
    return {"trades": len(trades), "volume": int(trades["qty"].sum()), "hash": f"{hashed:016x}"}
