"""Every order type and condition over HTTP and over the WebSocket, against a real server: a fresh instrument each time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.serverprocess import ServerProcess

BASE, UPPER, LOWER = 10_000, 13_000, 7_000
_numbers = itertools.count()


class HttpTrader:
    """An account that enters its orders over HTTP."""

    def __init__(self, server: ServerProcess, symbol: str) -> None:
        self.symbol = symbol
        self.key = server.account(f"types-{next(_numbers)}", cash=10**10, **{f"s{symbol}": 10_000})
        self.http = server.client(self.key)

    def close(self) -> None:
        self.http.close()

    def ask(self, op: str, data: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        order_id = data.get("order_id")
        rest = {name: value for name, value in data.items() if name != "order_id"}
        match op:
            case "order.new":
                answer = self.http.post("/v1/orders", json=rest)
            case "order.correct":
                answer = self.http.patch(f"/v1/orders/{order_id}", json=rest)
            case "order.cancel":
                answer = self.http.delete(f"/v1/orders/{order_id}", params=rest)
            case _:
                answer = self.http.delete("/v1/orders", params=rest)
        return answer.status_code, answer.json()

    def new(self, side: str, type_: str, qty: int, **more: Any) -> dict[str, Any]:
        """The order that was entered."""
        status, body = self.ask("order.new", {"symbol": self.symbol, "side": side, "type": type_, "qty": qty, **more})
        assert status == 201, body
        return body

    def refused(self, side: str, type_: str, qty: int, **more: Any) -> str:
        """Why the order was not taken."""
        status, body = self.ask("order.new", {"symbol": self.symbol, "side": side, "type": type_, "qty": qty, **more})
        assert status in (400, 422), body
        return str(body["code"])

    def correct(self, order_id: int, **changes: Any) -> dict[str, Any]:
        status, body = self.ask("order.correct", {"order_id": order_id, **changes})
        assert status == 200, body
        return body

    def refused_correction(self, order_id: int, **changes: Any) -> str:
        status, body = self.ask("order.correct", {"order_id": order_id, **changes})
        assert status in (400, 422), body
        return str(body["code"])

    def cancel(self, order_id: int, **part: Any) -> dict[str, Any]:
        status, body = self.ask("order.cancel", {"order_id": order_id, **part})
        assert status == 200, body
        return body

    def show(self, order_id: int, seq: int) -> dict[str, Any]:
        shown = self.http.get(f"/v1/orders/{order_id}", headers={"Onseju-Min-Seq": str(seq)})
        assert shown.status_code == 200, shown.text
        order: dict[str, Any] = shown.json()
        return order


class SocketTrader(HttpTrader):
    """The same over the WebSocket; it reads over HTTP."""

    def __init__(self, server: ServerProcess, symbol: str) -> None:
        super().__init__(server, symbol)
        headers = {"Authorization": f"Bearer {self.key}", "Accept-Language": "en"}
        self.stack = ExitStack()
        url = server.url.replace("http", "ws", 1) + "/v1/ws"
        self.socket = self.stack.enter_context(connect(url, additional_headers=headers, compression=None, proxy=None))

    def close(self) -> None:
        self.stack.close()
        super().close()

    def ask(self, op: str, data: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.socket.send(json.dumps({"op": op, "id": 1, "data": data}))
        answer = json.loads(self.socket.recv(timeout=20))
        return answer["status"], answer.get("body") or answer["problem"]


@pytest.fixture(scope="module")
def host(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.admin() as client:
        yield client


@pytest.fixture
def symbol(host: httpx.Client) -> str:
    """A fresh instrument: base price 10,000, tick 10 around it, limits 7,000 and 13,000."""
    symbol = f"T{next(_numbers)}"
    body = {"symbol": symbol, "name": symbol, "base_price": BASE, "board": "kospi"}
    assert host.post("/v1/admin/instruments", json=body).status_code == 201
    return symbol


@pytest.fixture(params=[HttpTrader, SocketTrader], ids=["http", "websocket"])
def trader(request: pytest.FixtureRequest, server: ServerProcess, symbol: str) -> Iterator[HttpTrader]:
    with closing(request.param(server, symbol)) as trader:
        yield trader


@pytest.fixture
def maker(server: ServerProcess, symbol: str) -> Iterator[HttpTrader]:
    with closing(HttpTrader(server, symbol)) as maker:
        yield maker


def move(host: httpx.Client, symbol: str, phase: str) -> None:
    answer = host.post("/v1/admin/phase", json={"phase": phase, "symbol": symbol})
    assert answer.status_code == 200, answer.text


def test_a_market_order_rests_and_floats(trader: HttpTrader, maker: HttpTrader) -> None:
    """KRX rules 3.2: with the other side empty it rests one tick better than the best limit of its own side."""
    maker.new("buy", "limit", 5, limit_price=9_900)
    order = trader.new("buy", "market", 3)
    assert (order["status"], order["limit_price"], order["leaves_qty"]) == ("new", None, 3)
    book = trader.http.get(
        f"/v1/book/{trader.symbol}", params={"depth": 5}, headers={"Onseju-Min-Seq": str(order["seq"])}
    )
    assert [row[:2] for row in book.json()["bids"]] == [[9_910, 3], [9_900, 5]]
    assert trader.cancel(order["order_id"])["status"] == "canceled"


def test_best_opposite_and_best_same(trader: HttpTrader, maker: HttpTrader) -> None:
    """KRX rules 3.4: the price is fixed once, on receipt."""
    maker.new("sell", "limit", 2, limit_price=10_050)
    maker.new("sell", "limit", 2, limit_price=10_060)
    order = trader.new("buy", "best_opposite", 5)
    assert (order["limit_price"], order["filled_qty"], order["leaves_qty"]) == (10_050, 2, 3)
    assert [fill["price"] for fill in order["fills"]] == [10_050]
    same = trader.new("buy", "best_same", 1)
    assert (same["limit_price"], same["status"]) == (10_050, "new")
    ended = trader.new("buy", "best_opposite", 5, time_in_force="ioc")
    assert (ended["filled_qty"], ended["status"], ended["canceled_qty"]) == (2, "canceled", 3)
    assert trader.refused("buy", "best_same", 1, time_in_force="ioc") == "order_type_not_allowed"
    assert trader.refused("buy", "best_same", 1, limit_price=10_000) == "malformed"


def test_midpoint(trader: HttpTrader, maker: HttpTrader) -> None:
    """KRX rules 3.8: half way between the best quotes, fractions cut."""
    assert trader.refused("sell", "midpoint", 1) == "no_opposite_quote"
    maker.new("sell", "limit", 5, limit_price=10_010)
    maker.new("buy", "limit", 5, limit_price=9_990)
    order = trader.new("sell", "midpoint", 4)
    assert (order["status"], order["limit_price"]) == ("new", None)
    taken = maker.new("buy", "midpoint", 1, time_in_force="ioc")
    assert [(fill["price"], fill["qty"]) for fill in taken["fills"]] == [(10_000, 1)]
    assert maker.new("buy", "midpoint", 9, time_in_force="fok")["status"] == "canceled"
    assert trader.refused_correction(order["order_id"], type="limit", limit_price=10_010) == "order_type_not_allowed"
    assert trader.cancel(order["order_id"], qty=1)["leaves_qty"] == 2


def test_conditional_limit_becomes_a_market_order_of_the_close(
    trader: HttpTrader, maker: HttpTrader, host: httpx.Client
) -> None:
    """KRX rules 3.5."""
    order = trader.new("buy", "conditional_limit", 4, limit_price=9_900)
    assert (order["type"], order["status"]) == ("conditional_limit", "new")
    assert trader.refused("buy", "conditional_limit", 1, limit_price=UPPER) == "order_type_not_allowed"
    assert trader.refused("buy", "conditional_limit", 1, limit_price=9_900, time_in_force="fok") == (
        "order_type_not_allowed"
    )
    move(host, trader.symbol, "closing_auction")
    maker.new("sell", "limit", 4, limit_price=10_100)
    answer = host.post("/v1/admin/uncross", json={"symbol": trader.symbol}).json()
    assert answer["auctions"] == {trader.symbol: {"price": 10_100, "qty": 4, "extended": False}}
    shown = trader.show(order["order_id"], answer["seq"])
    assert (shown["type"], shown["status"], shown["filled_amount"]) == ("market", "filled", 40_400)


def test_stop_limit_sleeps_wakes_and_is_corrected(trader: HttpTrader, maker: HttpTrader) -> None:
    """KRX rules 3.9, 3.6: price and stop of a sleeping stop order may change."""
    order = trader.new("buy", "stop_limit", 2, limit_price=10_200, stop_price=10_100)
    assert (order["status"], order["stop_price"]) == ("new", 10_100)
    moved = trader.correct(order["order_id"], stop_price=10_150)
    assert (moved["stop_price"], moved["limit_price"]) == (10_150, 10_200)
    moved = trader.correct(order["order_id"], stop_price=10_120, limit_price=10_250)
    assert (moved["stop_price"], moved["limit_price"]) == (10_120, 10_250)
    assert trader.refused_correction(order["order_id"], stop_price=10_120) == "nothing_to_correct"
    assert trader.refused_correction(order["order_id"], stop_price=10_125) == "price_tick"
    assert trader.refused_correction(order["order_id"], stop_price=UPPER + 50) == "price_limit"
    assert trader.refused_correction(order["order_id"], type="limit", stop_price=10_100) == "malformed"
    assert trader.refused_correction(order["order_id"], type="market") == "order_type_not_allowed"
    assert trader.refused("buy", "stop_limit", 1, limit_price=10_200, stop_price=10_100, time_in_force="ioc") == (
        "order_type_not_allowed"
    )
    maker.new("sell", "limit", 1, limit_price=10_120)
    maker.new("sell", "limit", 9, limit_price=10_130)
    woken = maker.new("buy", "limit", 1, limit_price=10_120)
    shown = trader.show(order["order_id"], woken["seq"])
    assert (shown["type"], shown["status"], shown["filled_amount"]) == ("limit", "filled", 2 * 10_130)


def test_immediate_orders(trader: HttpTrader, maker: HttpTrader, host: httpx.Client) -> None:
    """KRX rules 3.3: IOC and FOK, in continuous trading only."""
    maker.new("sell", "limit", 2, limit_price=10_010)
    maker.new("sell", "limit", 2, limit_price=10_020)
    killed = trader.new("buy", "limit", 5, limit_price=10_020, time_in_force="fok")
    assert (killed["status"], killed["canceled_qty"], killed["fills"]) == ("canceled", 5, [])
    whole = trader.new("buy", "limit", 3, limit_price=10_020, time_in_force="fok")
    assert [(fill["price"], fill["qty"]) for fill in whole["fills"]] == [(10_010, 2), (10_020, 1)]
    rest = trader.new("buy", "market", 5, time_in_force="ioc")
    assert (rest["filled_qty"], rest["canceled_qty"], rest["status"]) == (1, 4, "canceled")
    move(host, trader.symbol, "opening_auction")
    for type_, more in (("limit", {"limit_price": BASE}), ("market", {}), ("best_opposite", {})):
        assert trader.refused("buy", type_, 1, time_in_force="ioc", **more) == "order_type_not_allowed"
    assert trader.refused("buy", "best_same", 1) == "order_type_not_allowed"


def test_types_that_only_other_rules_have(trader: HttpTrader, host: httpx.Client) -> None:
    assert trader.refused("buy", "stop", 1, stop_price=10_100) == "order_type_not_allowed"
    body = {"rule": "types_continuous", "value": ["limit", "stop"], "symbol": trader.symbol}
    assert host.post("/v1/admin/rules", json=body).status_code == 200
    order = trader.new("buy", "stop", 1, stop_price=10_100)
    assert (order["type"], order["limit_price"], order["stop_price"]) == ("stop", None, 10_100)
    assert trader.correct(order["order_id"], stop_price=10_200)["stop_price"] == 10_200
    assert trader.refused("buy", "market", 1) == "order_type_not_allowed"


def test_a_partial_correction_makes_an_order_of_its_own(trader: HttpTrader, maker: HttpTrader) -> None:
    """KRX rules 3.6: the part queues separately; it has no client id and names its parent."""
    order = trader.new("buy", "limit", 10, limit_price=9_900, client_order_id="whole")
    part = trader.correct(order["order_id"], limit_price=9_910, qty=4, client_order_id="part")
    assert (part["parent_order_id"], part["client_order_id"], part["qty"]) == (order["order_id"], None, 4)
    assert part["order_id"] != order["order_id"]
    parent = trader.show(order["order_id"], part["seq"])
    assert (parent["leaves_qty"], parent["canceled_qty"], parent["client_order_id"]) == (6, 4, "whole")
    again = trader.correct(order["order_id"], limit_price=9_910, qty=4, client_order_id="part")
    assert (again["order_id"], again["leaves_qty"]) == (part["order_id"], 4)
    status, body = trader.ask(
        "order.correct", {"order_id": order["order_id"], "limit_price": 9_910, "qty": 3, "client_order_id": "part"}
    )
    assert (status, body["code"]) == (409, "client_order_id_reused")
    market = trader.correct(order["order_id"], type="market", qty=6)
    assert (market["type"], market["parent_order_id"], market["leaves_qty"]) == ("market", order["order_id"], 6)
    assert trader.show(order["order_id"], market["seq"])["status"] == "canceled"
    maker.new("sell", "limit", 7, limit_price=9_910)
    status, answer = trader.ask("order.cancel_all", {"symbol": trader.symbol, "side": "buy"})
    assert (status, [one["leaves_qty"] + one["canceled_qty"] for one in answer["canceled"]]) == (200, [3])


def test_corrections_from_type_to_type(trader: HttpTrader, maker: HttpTrader) -> None:
    """KRX rules 3.6."""
    maker.new("buy", "limit", 1, limit_price=9_950)
    order_id = trader.new("buy", "limit", 5, limit_price=9_900)["order_id"]
    assert trader.refused_correction(order_id, limit_price=9_900) == "nothing_to_correct"
    assert trader.refused_correction(order_id, type="market", limit_price=9_900) == "malformed"
    same = trader.correct(order_id, type="best_same")
    assert (same["type"], same["limit_price"]) == ("best_same", 9_950)
    conditional = trader.correct(order_id, type="conditional_limit", limit_price=9_900)
    assert (conditional["type"], conditional["limit_price"]) == ("conditional_limit", 9_900)
    market = trader.correct(order_id, type="market")
    assert (market["type"], market["limit_price"], market["leaves_qty"]) == ("market", None, 5)
    assert trader.refused_correction(order_id, limit_price=9_900) == "invalid_price"
    assert trader.refused_correction(order_id, type="limit") == "invalid_price"
    limit = trader.correct(order_id, type="limit", limit_price=9_900)
    assert (limit["type"], limit["order_id"]) == ("limit", order_id)


def test_more_than_is_open_names_what_is(trader: HttpTrader) -> None:
    order_id = trader.new("buy", "limit", 5, limit_price=9_900)["order_id"]
    trader.cancel(order_id, qty=2)
    for op, data in (("order.cancel", {"qty": 4}), ("order.correct", {"limit_price": 9_910, "qty": 4})):
        status, problem = trader.ask(op, {"order_id": order_id, **data})
        assert (status, problem["code"]) == (422, "invalid_qty")
        (error,) = problem["errors"]
        assert (error["field"], error["code"], error["most"]) == ("qty", "more_than_open", 3)
        assert "3 shares" in error["detail"]


def test_elws_are_ordered_in_tens(server: ServerProcess, host: httpx.Client) -> None:
    """KRX rules 2.4: new orders, and the parts of them that are canceled or corrected."""
    symbol = f"T{next(_numbers)}"
    body = {"symbol": symbol, "name": symbol, "base_price": BASE, "security": "elw"}
    assert host.post("/v1/admin/instruments", json=body).status_code == 201
    (row,) = [row for row in host.get("/v1/symbols").json()["symbols"] if row["symbol"] == symbol]
    assert row["lot_size"] == 10
    with closing(SocketTrader(server, symbol)) as trader:
        assert trader.refused("buy", "limit", 15, limit_price=9_900) == "invalid_qty"
        order_id = trader.new("buy", "limit", 30, limit_price=9_900)["order_id"]
        for op, data in (("order.cancel", {"qty": 5}), ("order.correct", {"limit_price": 9_910, "qty": 15})):
            status, problem = trader.ask(op, {"order_id": order_id, **data})
            assert (status, problem["code"]) == (422, "invalid_qty")
            (error,) = problem["errors"]
            assert (error["field"], error["code"], error["most"]) == ("qty", "open_lots", 30)
            assert "whole lots" in error["detail"]
        assert trader.cancel(order_id, qty=10)["leaves_qty"] == 20


def test_orders_at_the_close_over_the_api(server: ServerProcess, symbol: str, host: httpx.Client) -> None:
    """KRX rules 2.1: at the day's close alone, in the order of time, until the session ends."""

    def phase(name: str) -> None:
        assert host.post("/v1/admin/phase", json={"symbol": symbol, "phase": name}).status_code == 200

    with closing(HttpTrader(server, symbol)) as trader:
        phase("close_price")
        assert trader.refused("buy", "limit", 1, limit_price=BASE) == "no_close"
        phase("continuous")
        trader.new("sell", "limit", 1, limit_price=9_950)
        trader.new("buy", "limit", 1, limit_price=9_950)
        phase("close_price_reception")
        (row,) = [row for row in host.get("/v1/symbols").json()["symbols"] if row["symbol"] == symbol]
        assert (row["fixed_price"], row["order_types"], row["immediate_types"]) == (9_950, ["limit"], [])
        assert trader.refused("buy", "limit", 1, limit_price=BASE) == "not_at_close"
        assert trader.refused("buy", "market", 1) == "order_type_not_allowed"
        waits = trader.new("sell", "limit", 3, limit_price=9_950)
        trader.new("buy", "limit", 2, limit_price=9_950)
        phase("close_price")
        taken = trader.new("buy", "limit", 1, limit_price=9_950)
        assert taken["status"] == "filled"
        assert trader.show(waits["order_id"], taken["seq"])["status"] == "filled"
        left = trader.new("buy", "limit", 1, limit_price=9_950)
        phase("closed")
        ended = trader.show(left["order_id"], int(host.get("/v1/clock").json()["seq"]))
        assert (ended["status"], ended["end_reason"]) == ("expired", "market_session_ended")


def test_cancel_all_by_symbol_and_side(trader: HttpTrader, server: ServerProcess) -> None:
    bids = [trader.new("buy", "limit", 1, limit_price=price)["order_id"] for price in (9_900, 9_910)]
    ask = trader.new("sell", "limit", 1, limit_price=10_100)["order_id"]
    stop = trader.new("sell", "stop_limit", 1, limit_price=9_000, stop_price=9_000)["order_id"]
    _, none = trader.ask("order.cancel_all", {"symbol": "005930"})
    assert none == {"canceled": [], "count": 0}
    _, told = trader.ask("order.cancel_all", {"symbol": trader.symbol, "side": "buy"})
    assert [order["order_id"] for order in told["canceled"]] == bids
    _, told = trader.ask("order.cancel_all", {"side": "sell"})
    assert ([order["order_id"] for order in told["canceled"]], told["count"]) == ([ask, stop], 2)
    seq = str(told["canceled"][-1]["seq"])
    account = trader.http.get("/v1/account", headers={"Onseju-Min-Seq": seq}).json()
    assert account["reserved"] == 0


@pytest.mark.parametrize(
    ("side", "type_", "more"),
    [
        ("buy", "stop_limit", {"limit_price": 10_200, "stop_price": 10_100}),
        ("sell", "midpoint", {}),
        ("buy", "conditional_limit", {"limit_price": 9_990}),
    ],
)
def test_a_retry_of_any_type_takes_effect_once(
    trader: HttpTrader, maker: HttpTrader, side: str, type_: str, more: dict[str, int]
) -> None:
    maker.new("sell", "limit", 5, limit_price=10_010)
    maker.new("buy", "limit", 5, limit_price=9_980)
    first = trader.new(side, type_, 2, client_order_id="once", **more)
    body = {"symbol": trader.symbol, "side": side, "type": type_, "qty": 2, "client_order_id": "once", **more}
    status, again = trader.ask("order.new", body)
    assert (status, again) == (200, first)
    for name, price in more.items():
        status, other = trader.ask("order.new", body | {name: price - 10})
        assert (status, other["code"]) == (409, "client_order_id_reused")
    trader.cancel(first["order_id"])


def test_a_retried_correction_of_a_stop_price_takes_effect_once(trader: HttpTrader) -> None:
    order_id = trader.new("buy", "stop_limit", 2, limit_price=10_200, stop_price=10_100)["order_id"]
    first = trader.correct(order_id, stop_price=10_150, client_order_id="move")
    assert trader.correct(order_id, stop_price=10_150, client_order_id="move") == first
    for other in ({"stop_price": 10_160}, {"stop_price": 10_150, "limit_price": 10_200}, {"limit_price": 10_150}):
        status, body = trader.ask("order.correct", {"order_id": order_id, "client_order_id": "move", **other})
        assert (status, body["code"]) == (409, "client_order_id_reused")
    assert trader.show(order_id, first["seq"])["stop_price"] == 10_150
