"""Load on the scaled set with a ledger at the clients' side, and the comparison of the ledger with what there is.

A trader sends small batches, each order under its own client id. What is answered by 202, by 503 or not at all it repeats under
the same ids at the next gateway, until every order has its number. So the ledger is whole when the load ends, and all that there
is must stand in it.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, LiteralString

import httpx
import psycopg

from tests.scaled.the_set import WAIT_S, ScaledSet

SYMBOL, PRICE, TICK = "005930", 70_000, 100
CASH, SHARES = 10**12, 10**6
TRADERS = 4
DOUBLED: LiteralString = """SELECT count(*) FROM (SELECT 1 FROM orders WHERE client_order_id IS NOT NULL
GROUP BY account, client_order_id HAVING count(*) > 1) AS twice"""
ANSWER_S = 8.0
"""A request without an answer is given up after so long, and made again elsewhere."""


@dataclass
class Acknowledged:
    """An order as it was acknowledged."""

    order_id: int
    body: dict[str, Any]


@dataclass
class Figures:
    """Of one fault's load."""

    sent: int = 0
    """Orders, each counted once."""
    repeated: int = 0
    """Requests that were made again."""
    pending: int = 0
    """Answers that said `pending`."""
    waits_s: list[float] = field(default_factory=list)
    """How long each request took until all its orders had their number, with all repeats."""
    times_s: list[float] = field(default_factory=list)
    """When acknowledgements came."""

    @property
    def without_service_s(self) -> float:
        """The longest time in which nothing was acknowledged to anybody."""
        times = sorted(self.times_s)
        return max((b - a for a, b in itertools.pairwise(times)), default=0.0)


class Trader(threading.Thread):
    """One account's. It ends, after `stopping`, once all that it has sent is acknowledged."""

    def __init__(self, load: Load, name: str, key: str) -> None:
        super().__init__(name=name, daemon=True)
        self.key = key
        self.account = 0
        """Its number, as the first acknowledgement tells it."""
        self.ledger: dict[str, Acknowledged] = {}
        """By client ids, in the order in which they were sent."""
        self.figures = Figures()
        self.wrong: list[str] = []
        self.seq = 0
        self._load = load
        self._draw = random.Random(name)
        self._numbers = itertools.count(1)
        self._clients: dict[str, httpx.Client] = {}

    def run(self) -> None:
        try:
            while not self._load.stopping.is_set() and not self.wrong:
                self._send([self._order() for _ in range(self._draw.randint(1, 3))])
                self._load.stopping.wait(0.02)
        except Exception as error:
            self.wrong.append(repr(error))
        finally:
            for client in self._clients.values():
                client.close()

    def _order(self) -> dict[str, Any]:
        return {
            "symbol": SYMBOL,
            "side": self._draw.choice(["buy", "sell"]),
            "type": "limit",
            "qty": self._draw.randint(1, 3),
            "limit_price": PRICE + TICK * self._draw.randint(-3, 3),
            "client_order_id": f"{self.name}-{next(self._numbers)}",
        }

    def _send(self, orders: list[dict[str, Any]]) -> None:
        began_s = time.monotonic()
        waiting = orders
        self.figures.sent += len(orders)
        for attempt in itertools.count():
            self.figures.repeated += attempt > 0
            waiting = self._try(waiting)
            now_s = time.monotonic()
            if not waiting:
                self.figures.waits_s.append(now_s - began_s)
                self.figures.times_s.append(now_s)
                return
            if self.wrong or now_s - began_s > WAIT_S:
                self.wrong.append(f"{[order['client_order_id'] for order in waiting]}: not acknowledged in time")
                return
            time.sleep(0.05)

    def _try(self, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Gives those whose outcome is not known."""
        try:
            answer = self._client().post("/v1/orders:batch", json={"orders": orders})
        except httpx.TransportError:
            return orders
        if answer.status_code == 503:
            return orders
        if answer.status_code != 200:
            self.wrong.append(f"{answer.status_code} {answer.text}")
            return orders
        unknown = []
        for order, item in zip(orders, answer.json()["results"], strict=True):
            taken = item.get("order")
            if taken is not None:
                self.ledger[order["client_order_id"]] = Acknowledged(taken["order_id"], order)
                self.seq = max(self.seq, taken["seq"])
                self.account = taken["account_id"]
            elif item.get("pending") is not None or item["problem"]["status"] == 503:
                self.figures.pending += item.get("pending") is not None
                unknown.append(order)
            else:
                self.wrong.append(f"{order}: {item}")
                unknown.append(order)
        return unknown

    def _client(self) -> httpx.Client:
        url = self._load.next_url()
        if url not in self._clients:
            self._clients[url] = self._load.scaled.at(url, self.key)
            self._clients[url].timeout = httpx.Timeout(ANSWER_S)
        return self._clients[url]


class Load:
    """Traders with accounts of their own, from `start` until `stop`, at `urls`, which may be changed meanwhile."""

    def __init__(self, scaled: ScaledSet, name: str, urls: list[str]) -> None:
        self.scaled = scaled
        self.urls = urls
        self.stopping = threading.Event()
        self._turn = itertools.count()
        self.traders = []
        for number in range(TRADERS):
            key = scaled.account(f"{name}-{number}", cash=CASH, s005930=SHARES)
            self.traders.append(Trader(self, f"{name}-{number}", key))

    def next_url(self) -> str:
        urls = self.urls
        return urls[next(self._turn) % len(urls)]

    @property
    def acknowledged(self) -> int:
        return sum(len(trader.ledger) for trader in self.traders)

    def start(self) -> None:
        for trader in self.traders:
            trader.start()
        self.go_on(20)

    def go_on(self, more: int) -> None:
        """Return once so many more orders are acknowledged to each trader."""
        before = {trader: len(trader.ledger) for trader in self.traders}
        until = time.monotonic() + WAIT_S
        while any(len(trader.ledger) < before[trader] + more for trader in self.traders):
            wrong = [text for trader in self.traders for text in trader.wrong]
            assert not wrong, wrong
            assert time.monotonic() < until, "nothing is acknowledged any more"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it; all that was sent is acknowledged then."""
        self.stopping.set()
        for trader in self.traders:
            trader.join(WAIT_S + 10)
            assert not trader.is_alive()
            assert trader.wrong == []

    def figures(self) -> Figures:
        """Of all traders."""
        of = [trader.figures for trader in self.traders]
        return Figures(
            sent=sum(one.sent for one in of),
            repeated=sum(one.repeated for one in of),
            pending=sum(one.pending for one in of),
            waits_s=[wait for one in of for wait in one.waits_s],
            times_s=[at for one in of for at in one.times_s],
        )


def check(load: Load, database_url: str) -> None:
    """Compare the ledger with what the API and the tables have. Raises `AssertionError`."""
    seq = max(trader.seq for trader in load.traders)
    wait_for_tables(database_url, seq)
    for trader in load.traders:
        told = list(_orders(load.scaled, trader.key, seq))
        by_id = {order["client_order_id"]: order for order in told}
        assert len(told) == len(by_id), f"{trader.name}: an order is there twice"
        lost = trader.ledger.keys() - by_id.keys()
        assert not lost, f"{trader.name}: acknowledged, but lost: {sorted(lost)[:5]}"
        more = by_id.keys() - trader.ledger.keys()
        assert not more, f"{trader.name}: never acknowledged: {sorted(more)[:5]}"
        for cid, acknowledged in trader.ledger.items():
            found = by_id[cid]
            assert found["order_id"] == acknowledged.order_id, f"{cid}: another order than was acknowledged"
            wanted = {name: value for name, value in acknowledged.body.items() if name != "symbol"}
            assert {name: found[name] for name in wanted} == wanted
        numbers = [acknowledged.order_id for acknowledged in trader.ledger.values()]
        assert numbers == sorted(numbers), f"{trader.name}: its orders were taken in another order than they were sent"
    _check_tables(load, database_url)


def _check_tables(load: Load, database_url: str) -> None:
    """The rows themselves, and the sums over all accounts there are."""
    accounts = [trader.account for trader in load.traders]
    with psycopg.connect(database_url, options="-c search_path=projections") as connection:
        rows = connection.execute(
            "SELECT account, client_order_id, order_id, qty, limit_price, filled_qty + leaves_qty + canceled_qty "
            "FROM orders WHERE account = ANY(%s)",
            (accounts,),
        ).fetchall()
        wanted = sorted(
            (trader.account, cid, one.order_id, one.body["qty"], one.body["limit_price"], one.body["qty"])
            for trader in load.traders
            for cid, one in trader.ledger.items()
        )
        assert sorted(rows) == wanted, "the tables do not have what was acknowledged"
        cash, shares = (
            _one(connection, "SELECT sum(cash) FROM balances"),
            _one(connection, "SELECT sum(qty) FROM positions"),
        )
        paid = _one(connection, "SELECT sum(value::numeric) FROM sums WHERE name = 'cash_paid_in'")
        brought = _one(connection, "SELECT sum(value::numeric) FROM sums WHERE name = 'shares_paid_in'")
        doubled = _one(connection, DOUBLED)
    assert (cash, shares) == (paid, brought), "cash and shares are what was paid in"
    before, load.scaled.paid_in = load.scaled.paid_in, (paid, brought)
    if before is not None:
        assert paid - before[0] == TRADERS * CASH, "the accounts' first cash was paid in once each"
        assert brought - before[1] == TRADERS * SHARES
    assert doubled == 0, "a client id stands on two orders of an account"


def _one(connection: psycopg.Connection, query: LiteralString) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def wait_for_tables(database_url: str, seq: int) -> None:
    """Return once the tables have the events through `seq`."""
    until = time.monotonic() + WAIT_S
    with psycopg.connect(database_url, autocommit=True) as connection:
        while time.monotonic() < until:
            found = connection.execute("SELECT seq FROM projections.progress").fetchone()
            if found is not None and found[0] >= seq:
                return
            time.sleep(0.05)
    raise AssertionError(f"the tables do not reach {seq}")


def _orders(scaled: ScaledSet, key: str, seq: int) -> Iterator[dict[str, Any]]:
    """All of an account's orders, page by page."""
    cursor: str | None = None
    with scaled.client(key) as client:
        while True:
            query = {"status": "all", "limit": "1000", **({"cursor": cursor} if cursor else {})}
            page = client.get("/v1/orders", params=query, headers={"Onseju-Min-Seq": str(seq)})
            assert page.status_code == 200, page.text
            yield from page.json()["orders"]
            cursor = page.json().get("next_cursor")
            if not cursor:
                return
