"""What tests of a living market share: waiting for a condition, books, and the bots' accounts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from onseju.bots.accounts import BOT_ACCOUNTS
from tests.serverprocess import ServerProcess

PATIENCE_S = 60


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """The condition's value as soon as it is true."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"it did not come to be: {what}")


def make_keys(server: ServerProcess, prefix: str = "") -> dict[str, Any]:
    """Accounts as the demo makes them, and their keys as the bots read them."""
    with server.client() as client:
        prices = {item["symbol"]: item["base_price"] for item in client.get("/v1/symbols").json()["symbols"]}
    keys: dict[str, Any] = {"noise": []}
    for account in BOT_ACCOUNTS:
        key = server.account(prefix + account.name, account.cash, **account.holdings(prices))
        if account.role == "market_maker":
            keys["market_maker"] = key
        else:
            keys["noise"].append(key)
    return keys


def books(server: ServerProcess) -> dict[str, dict[str, Any]]:
    with server.client() as client:
        symbols = [item["symbol"] for item in client.get("/v1/symbols").json()["symbols"]]
        return {symbol: client.get(f"/v1/book/{symbol}").json() for symbol in symbols}


def full(server: ServerProcess) -> bool:
    return all(len(book["bids"]) == len(book["asks"]) == 10 for book in books(server).values())
