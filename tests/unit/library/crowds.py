"""Exchanges with a small crowd, and random tables of all that a table may ask, the same for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from onseju import Exchange
from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_STOP_PRICE,
    CancelAll,
    CancelOrder,
    ChangePhase,
    Command,
    CorrectOrder,
    NewOrder,
    Uncross,
)
from onseju.contract.words import OrderType, Phase, Side, TimeInForce

ENGINES = ("native", "reference")
SYMBOLS = ("005930", "000660")
PEOPLE = ("kim", "lee", "park")


def crowded(engine: str, rules: str = "krx", **more: Any) -> Exchange:
    """Two instruments at 70,000 and 30,000 won, three accounts with enough of everything for a while."""
    exchange = Exchange(rules, engine=engine, **more)
    for symbol, price in zip(SYMBOLS, (70_000, 30_000), strict=True):
        exchange.list_instrument(symbol, price)
    for name in PEOPLE:
        exchange.open_account(name, cash=60_000_000, shares=dict.fromkeys(SYMBOLS, 500))
    return exchange


def table(seed: int, count: int) -> dict[str, Any]:
    """Columns with every action, and much that the venue refuses: off the grid, too dear, of no order, by the wrong owner."""
    draw = np.random.default_rng(seed)
    action = draw.choice(
        ["new", "cancel", "correct", "cancel_all", "phase", "uncross"], count, p=[0.66, 0.17, 0.12, 0.01, 0.02, 0.02]
    )
    action[: min(count, 5)] = "new"
    symbol = draw.integers(1, 3, count)
    base = np.where(symbol == 1, 70_000, 30_000)
    types = draw.choice(
        [1, 1, 1, 1, 2, 3, 4, 5, 6, 7], count
    )  # limit four times as often as market, conditional, best and stop types
    price = base + 50 * draw.integers(-8, 9, count)
    no_price = (action == "new") & np.isin(types, (2, 4, 5, 6))
    new = np.flatnonzero(action == "new")
    # a row above that is a new order, seldom the right account's
    above = np.searchsorted(new, np.arange(count))
    target = new[(draw.random(count) * np.maximum(above, 1)).astype(np.int64)].astype(np.float64)
    target[~np.isin(action, ("cancel", "correct"))] = np.nan
    account = draw.integers(2, 5, count)
    named = ~np.isnan(target)
    keeps = named & (draw.random(count) < 0.9)
    account[keeps] = account[target[keeps].astype(np.int64)]
    qty = draw.integers(1, 60, count)
    qty[action == "cancel"] = draw.choice([0, 0, 5], int((action == "cancel").sum()))
    return {
        "action": action,
        "account": np.array(["", "venue", *PEOPLE])[account],
        "symbol": np.array(["", *SYMBOLS])[symbol],
        "side": np.where(draw.random(count) < 0.5, "buy", "sell"),
        "qty": qty,
        "price": np.where(no_price, np.nan, price),
        "type": types,
        "time_in_force": draw.choice(["day", "day", "day", "ioc", "fok"], count),
        "stop_price": np.where((types == 7) & (action == "new"), base + 100, 0),
        "target": target,
        "phase": draw.choice(["continuous", "opening_auction", "closing_auction", "continuous"], count),
    }


def one_by_one(exchange: Exchange, columns: dict[str, Any]) -> bytes:
    """The same table in plain Python, a call for each row; gives all events."""
    ids: dict[int, int] = {}
    seen: dict[int, int] = {}
    payloads = []
    symbols, accounts = exchange.symbols, exchange.accounts
    for row in range(len(columns["action"])):
        at = {name: values[row] for name, values in columns.items()}
        command = _command(at, symbols, accounts, ids, seen, exchange.trading_day)
        answer = exchange.send(command)
        if isinstance(command, NewOrder):
            ids[row] = answer.order_id  # type: ignore[attr-defined]
        payloads.append(answer.payload)
    return b"".join(payloads)


def _command(
    at: dict[str, Any],
    symbols: dict[str, int],
    accounts: dict[str, int],
    ids: dict[int, int],
    seen: dict[int, int],
    day: int,
) -> Command:
    account, instrument = accounts[at["account"]], symbols[at["symbol"]]
    price = 0 if np.isnan(at["price"]) else int(at["price"])
    qty, stop = int(at["qty"]), int(at["stop_price"])
    match at["action"]:
        case "new":
            return NewOrder(
                account=account,
                actor=account,
                instrument=instrument,
                qty=qty,
                limit_price=price,
                stop_price=stop,
                side=Side.parse(at["side"]),
                order_type=OrderType(at["type"]),
                time_in_force=TimeInForce.parse(at["time_in_force"]),
            )
        case "cancel":
            return CancelOrder(account=account, actor=account, order_id=ids[int(at["target"])], qty=qty)
        case "correct":
            flags = (
                (CORRECT_LIMIT_PRICE if price else 0)
                | (CORRECT_LEAVES_QTY if qty else 0)
                | (CORRECT_STOP_PRICE if stop else 0)
            )
            return CorrectOrder(
                account=account,
                actor=account,
                flags=flags,
                order_id=ids[int(at["target"])],
                limit_price=price,
                leaves_qty=qty,
                stop_price=stop,
            )
        case "cancel_all":
            side = Side.parse(at["side"])
            return CancelAll(account=account, actor=account, instrument=instrument, side=side)
        case "phase":
            phase = Phase.parse(at["phase"])
            occurrence = seen.get(phase, 0)
            seen[phase] = occurrence + 1
            return ChangePhase(instrument=instrument, trading_day=day, phase=phase, occurrence=occurrence)
        case "uncross":
            return Uncross(instrument=instrument)
    raise AssertionError(at["action"])
