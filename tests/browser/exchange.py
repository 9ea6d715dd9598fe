"""The other side of the browser's trades: accounts that trade through the API, and people who log in with a password."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
from playwright.sync_api import BrowserContext

from tests.serverprocess import ServerProcess

PASSWORD = "correct horse battery"
DEEP = 10**13
"""Cash that never runs out."""
SHARES = 1_000_000

LOG_IN = """async (body) => (await fetch('/v1/session', {
  method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)})).status"""

_numbers = itertools.count(1)


class Instrument:
    """A symbol's rules and prices at the moment of asking."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        self.symbol: str = row["symbol"]
        self.name: str = row["name"]
        self.base: int = row["base_price"]
        self.upper: int = row["upper_limit"]
        self.lower: int = row["lower_limit"]

    def cost(self, qty: int, price: int) -> int:
        """What a buy reserves: its amount and the commission on it."""
        amount = qty * price
        return amount + amount * int(self.row["commission_ppm"]) // 1_000_000

    def affordable(self, cash: int, price: int) -> int:
        """The most shares whose reservation the cash covers."""
        return next(qty for qty in range(cash // price, -1, -1) if self.cost(qty, price) <= cash)

    def tick(self, price: int) -> int:
        """The step at a price."""
        return next(band["tick"] for band in reversed(self.row["tick_bands"]) if band["from_price"] <= price)

    def up(self, steps: int, price: int | None = None) -> int:
        """The price so many steps above (below, when negative) `price`, by default the base price."""
        at = self.base if price is None else price
        for _ in range(abs(steps)):
            at += self.tick(at) if steps > 0 else -self.tick(at - 1)
        return at


class Trader:
    """An account with an API key. `name` and the password log in to the page where one was set."""

    def __init__(self, server: ServerProcess, name: str, password: str | None = None, **more: Any) -> None:
        body = {"name": name, "kind": "user" if password else "bot", **more}
        if password:
            body["password"] = password
        with server.admin() as admin:
            answer = admin.post("/v1/admin/accounts", json=body)
        assert answer.status_code == 201, answer.text
        self.name = name
        self.account_id: int = answer.json()["account_id"]
        self._server = server
        self.api = server.client(answer.json()["api_key"])

    def enter(self, context: BrowserContext, url: str) -> None:
        """Log a browser profile in, without the page."""
        page = context.new_page()
        page.goto(url + "/v1/clock")
        status = page.evaluate(LOG_IN, {"name": self.name, "password": PASSWORD})
        assert status == 201
        page.close()

    def send(self, symbol: str, side: str, qty: int, price: int | None = None, **more: Any) -> httpx.Response:
        """An order as it is, accepted or refused; at the market without a price."""
        order = {"symbol": symbol, "side": side, "qty": qty, "type": "market" if price is None else "limit", **more}
        if price is not None:
            order["limit_price"] = price
        return self.api.post("/v1/orders", json=order)

    def order(self, symbol: str, side: str, qty: int, price: int | None = None, **more: Any) -> dict[str, Any]:
        """An order that must be accepted."""
        answer = self.send(symbol, side, qty, price, **more)
        assert answer.status_code == 201, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def read(self, path: str, **query: Any) -> dict[str, Any]:
        """Read, not older than anything done before."""
        seq = self.api.get("/v1/clock").json()["seq"]
        answer = self.api.get(path, params=query, headers={"Onseju-Min-Seq": str(seq)})
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def cancel_all(self) -> None:
        """Take every order out of the books."""
        assert self.api.delete("/v1/orders").status_code == 200

    def close(self) -> None:
        """Leave the market."""
        if self._server.alive:
            self.cancel_all()
        self.api.close()


class Market:
    """A server's market as the tests use it: whoever is made here leaves it at the end."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.traders: list[Trader] = []

    def person(self, name: str = "person", cash: int = 100_000_000, **holdings: int) -> Trader:
        """Somebody who can log in to the page. Holdings are written `s005930=10`."""
        return self._enter(name, password=PASSWORD, cash=cash, holdings=holdings)

    def maker(self) -> Trader:
        """Somebody with cash and shares of everything, without end."""
        holdings = {f"s{row['symbol']}": SHARES for row in self.symbols()}
        return self._enter("maker", cash=DEEP, holdings=holdings)

    def _enter(self, name: str, password: str | None = None, cash: int = 0, **more: Any) -> Trader:
        holdings = {symbol.removeprefix("s"): qty for symbol, qty in more["holdings"].items()}
        trader = Trader(self.server, f"{name}{next(_numbers)}", password, cash=cash, holdings=holdings)
        self.traders.append(trader)
        return trader

    def symbols(self) -> list[dict[str, Any]]:
        """All listed instruments."""
        with self.server.client() as client:
            rows: list[dict[str, Any]] = client.get("/v1/symbols").json()["symbols"]
        return rows

    def instrument(self, symbol: str) -> Instrument:
        """One instrument as it is now."""
        return next(Instrument(row) for row in self.symbols() if row["symbol"] == symbol)

    def book(self, maker: Trader, symbol: str, levels: int = 10, qty: int = 100) -> Instrument:
        """Fill both sides of a book around the base price, `qty` more at each level outward."""
        instrument = self.instrument(symbol)
        orders = []
        for step in range(1, levels + 1):
            for side, sign in (("sell", 1), ("buy", -1)):
                price = instrument.up(sign * step)
                orders.append(
                    {"symbol": symbol, "side": side, "type": "limit", "qty": qty * step, "limit_price": price}
                )
        answer = maker.api.post("/v1/orders:batch", json={"orders": orders})
        assert answer.status_code == 200, answer.text
        return instrument

    def close(self) -> None:
        """Everybody leaves."""
        for trader in self.traders:
            trader.close()
