"""What an account reads, over HTTP against a real server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.serverprocess import ServerProcess

SYMBOL, OTHER_SYMBOL = "000660", "035420"
"""Nobody else's tests trade them on the shared server."""
BASE = {SYMBOL: 545_000, OTHER_SYMBOL: 248_000}

_names = (f"reader-{number}" for number in itertools.count())


@pytest.fixture
def me(server: ServerProcess) -> Iterator[httpx.Client]:
    """A client of an account of its own: 10 million won, 10 shares."""
    with server.client(server.account(next(_names), cash=10_000_000, s000660=10)) as client:
        yield client
        client.delete("/v1/orders")


@pytest.fixture
def other(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client(server.account(next(_names), cash=10_000_000, s000660=10)) as client:
        yield client
        client.delete("/v1/orders")


def entered(client: httpx.Client, **changes: Any) -> Any:
    order = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 1, "limit_price": BASE[SYMBOL]} | changes
    answer = client.post("/v1/orders", json={name: value for name, value in order.items() if value is not None})
    assert answer.status_code == 201, answer.text
    return answer.json()


def read(client: httpx.Client, path: str, seq: int = 0, **params: Any) -> Any:
    answer = client.get(path, params=params, headers={"Onseju-Min-Seq": str(seq)})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Onseju-Seq"]
    return answer.json()


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def commission(client: httpx.Client, amount: int) -> int:
    """What the venue takes of an order's amount."""
    rows = {row["symbol"]: row for row in client.get("/v1/symbols").json()["symbols"]}
    return amount * int(rows[SYMBOL]["commission_ppm"]) // 1_000_000


def test_the_account_adds_up(me: httpx.Client, other: httpx.Client) -> None:
    base = BASE[SYMBOL]
    entered(other, side="sell", qty=3, limit_price=base + 1000)
    bought = entered(me, qty=2, limit_price=base + 1000)
    resting = entered(me, qty=4, limit_price=base - 1000)
    account = read(me, "/v1/account", resting["seq"])
    assert account["account_id"] == bought["account_id"]
    paid = 2 * (base + 1000)
    assert account["cash"] == 10_000_000 - paid - commission(me, paid)
    assert account["reserved"] == 4 * (base - 1000) + commission(me, 4 * (base - 1000))
    assert account["available"] == account["cash"] - account["reserved"]
    assert account["market_value"] == 12 * (base + 1000), "all shares at the last price"
    assert account["unrealized_profit"] == account["market_value"] - account["cost_amount"]
    assert account["total_value"] == account["cash"] + account["market_value"]
    (held,) = read(me, "/v1/positions", resting["seq"])["positions"]
    assert (held["symbol"], held["qty"], held["reserved_qty"], held["last_price"]) == (SYMBOL, 12, 0, base + 1000)
    assert held["cost_amount"] == account["cost_amount"]
    assert held["unrealized_profit"] == account["unrealized_profit"]
    assert held["market_value"] == account["market_value"]


def test_the_cash_by_the_day_on_which_it_is_settled(me: httpx.Client, other: httpx.Client) -> None:
    """KRX rules 7.3: what was bought today is paid on D+2; what was sold comes then."""
    base = BASE[SYMBOL]
    account = read(me, "/v1/account")
    assert [account[day] for day in ("settled_cash", "cash_d1", "cash_d2")] == [10_000_000] * 3
    entered(other, side="sell", qty=2, limit_price=base + 3000)
    bought = entered(me, qty=2, limit_price=base + 3000)
    account = read(me, "/v1/account", bought["seq"])
    assert account["cash"] < 10_000_000
    assert (account["settled_cash"], account["cash_d1"], account["cash_d2"]) == (
        10_000_000,
        10_000_000,
        account["cash"],
    )
    events = read(me, "/v1/events")["events"]
    told = [event["data"] for event in events if event["type"] == "account" and event["data"]["kind"] == "balance"][-1]
    assert {name: told[name] for name in ("cash", "settled_cash", "cash_d1", "cash_d2")} == {
        name: account[name] for name in ("cash", "settled_cash", "cash_d1", "cash_d2")
    }


def test_what_was_sold_out_is_no_position_but_its_profit_stays(me: httpx.Client, other: httpx.Client) -> None:
    base = BASE[SYMBOL]
    before = read(me, "/v1/account")["realized_profit"]
    entered(other, qty=10, limit_price=base + 2000)
    sold = entered(me, side="sell", qty=10, limit_price=base + 2000)
    assert sold["filled_qty"] == 10
    assert read(me, "/v1/positions", sold["seq"])["positions"] == []
    account = read(me, "/v1/account", sold["seq"])
    assert account["market_value"] == 0
    assert account["realized_profit"] > before


def test_orders_by_status_symbol_and_page(me: httpx.Client) -> None:
    orders = [entered(me, limit_price=BASE[SYMBOL] - 1000 * n) for n in range(1, 8)]
    elsewhere = entered(me, symbol=OTHER_SYMBOL, limit_price=BASE[OTHER_SYMBOL] - 500)
    canceled = me.delete(f"/v1/orders/{orders[3]['order_id']}")
    seq = canceled.json()["seq"]
    ids = [order["order_id"] for order in reversed(orders)]
    listed = read(me, "/v1/orders", seq, symbol=SYMBOL)
    assert [row["order_id"] for row in listed["orders"]] == ids
    assert listed["next_cursor"] is None
    assert listed["seq"] >= seq
    assert [row["order_id"] for row in read(me, "/v1/orders", symbol=OTHER_SYMBOL)["orders"]] == [elsewhere["order_id"]]
    for status, want in (("canceled", 1), ("done", 1), ("open", 7), ("new", 7), ("filled", 0), ("all", 8)):
        assert len(read(me, "/v1/orders", status=status)["orders"]) == want, status
    first = read(me, "/v1/orders", symbol=SYMBOL, limit=3)
    newer = entered(me, limit_price=BASE[SYMBOL] - 20_000)
    second = read(me, "/v1/orders", newer["seq"], symbol=SYMBOL, limit=3, cursor=first["next_cursor"])
    third = read(me, "/v1/orders", symbol=SYMBOL, limit=3, cursor=second["next_cursor"])
    pages = [row["order_id"] for page in (first, second, third) for row in page["orders"]]
    assert (pages, third["next_cursor"]) == (ids, None)
    row = first["orders"][0]
    assert row == {name: value for name, value in orders[-1].items() if name != "fills"}


def test_an_order_is_found_by_id_and_by_its_clients_id(me: httpx.Client, other: httpx.Client) -> None:
    name = "by-client-id.x:1_z"
    order = entered(me, limit_price=BASE[SYMBOL] - 3000, client_order_id=name)
    order.pop("fills")
    assert read(me, f"/v1/orders/{order['order_id']}", order["seq"]) == order
    assert read(me, f"/v1/orders:by-client-id/{name}", order["seq"]) == order
    for path in (f"/v1/orders/{order['order_id']}", f"/v1/orders:by-client-id/{name}"):
        assert code(other.get(path)) == (404, "order_not_found"), "somebody else's"
    for wrong in ("0", "-1", "x", "1.0", "99999999999999999999", "%00", "9007199254740991"):
        assert code(me.get(f"/v1/orders/{wrong}")) == (404, "order_not_found")
    for wrong in ("unknown", "%F0%9F%98%80", "a%20b", "x" * 65):
        assert code(me.get(f"/v1/orders:by-client-id/{wrong}")) == (404, "order_not_found")


def test_others_orders_and_fills_are_not_in_the_lists(me: httpx.Client, other: httpx.Client) -> None:
    base = BASE[SYMBOL]
    entered(other, side="sell", qty=3, limit_price=base + 3000)
    bought = entered(me, qty=3, limit_price=base + 3000, client_order_id="filled")
    mine, theirs = (read(client, "/v1/fills", bought["seq"], symbol=SYMBOL)["fills"] for client in (me, other))
    assert [row["account_id"] for row in mine + theirs] == [bought["account_id"], theirs[0]["account_id"]]
    assert mine == bought["fills"]
    assert (mine[0]["client_order_id"], mine[0]["liquidity"], theirs[0]["liquidity"]) == ("filled", "taker", "maker")
    assert read(me, "/v1/fills", order_id=bought["order_id"])["fills"] == mine
    assert read(me, "/v1/fills", order_id=theirs[0]["order_id"])["fills"] == []
    assert read(me, "/v1/fills", symbol=OTHER_SYMBOL)["fills"] == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/orders?limit=0", "limit"),
        ("/v1/orders?limit=1001", "limit"),
        ("/v1/orders?limit=ten", "limit"),
        ("/v1/orders?limit=1e2", "limit"),
        ("/v1/orders?status=gone", "status"),
        ("/v1/orders?status=", "status"),
        ("/v1/orders?cursor=zzz", "cursor"),
        ("/v1/orders?cursor=%00", "cursor"),
        ("/v1/fills?order_id=-1", "order_id"),
        ("/v1/fills?order_id=9007199254740992", "order_id"),
        ("/v1/fills?cursor=bzE", "cursor"),
        ("/v1/order-capacity?side=buy", "symbol"),
        ("/v1/order-capacity?symbol=000660", "side"),
        ("/v1/order-capacity?symbol=000660&side=up", "side"),
        ("/v1/order-capacity?symbol=000660&side=buy", "limit_price"),
        ("/v1/order-capacity?symbol=000660&side=buy&limit_price=0", "limit_price"),
        ("/v1/order-capacity?symbol=000660&side=buy&type=market&limit_price=5", "limit_price"),
        ("/v1/order-capacity?symbol=000660&side=buy&type=iceberg&limit_price=5", "type"),
        ("/v1/order-capacity?symbol=000660&side=buy&limit_price=5&stop_price=5", "stop_price"),
        ("/v1/order-capacity?symbol=000660&side=buy&limit_price=5&time_in_force=gtc", "time_in_force"),
    ],
)
def test_a_wrong_parameter_is_named(me: httpx.Client, path: str, field: str) -> None:
    answer = me.get(path)
    assert code(answer) == (400, "malformed")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/fills", "/v1/order-capacity"])
def test_an_unknown_symbol_is_404(me: httpx.Client, path: str) -> None:
    assert code(me.get(path, params={"symbol": "999999"})) == (404, "unknown_symbol")


ACCOUNT_PATHS = (
    "/v1/account",
    "/v1/positions",
    "/v1/orders",
    "/v1/orders/1",
    "/v1/orders:by-client-id/x",
    "/v1/fills",
    "/v1/order-capacity?symbol=000660&side=buy&type=market",
)


@pytest.mark.parametrize("path", ACCOUNT_PATHS)
def test_they_need_an_account(server: ServerProcess, path: str) -> None:
    with server.client() as nobody, server.admin() as host:
        assert code(nobody.get(path)) == (401, "unauthenticated")
        assert code(host.get(path)) == (403, "forbidden"), "the bootstrap key holds no account"


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("kind", ["limit", "market"])
def test_the_capacity_is_what_the_exchange_takes(me: httpx.Client, other: httpx.Client, side: str, kind: str) -> None:
    price = BASE[SYMBOL] + 5000
    entered(other, side="sell" if side == "buy" else "buy", qty=1, limit_price=price)  # something to trade with
    params = {"symbol": SYMBOL, "side": side, "type": kind} | ({"limit_price": price} if kind == "limit" else {})
    capacity = read(me, "/v1/order-capacity", **params)
    most = capacity["max_qty"]
    limit = {"limit_price": price if kind == "limit" else None}
    upper = next(row["upper_limit"] for row in me.get("/v1/symbols").json()["symbols"] if row["symbol"] == SYMBOL)
    unit = {("buy", "limit"): price, ("buy", "market"): upper}.get((side, kind))
    assert capacity["unit_cash"] == unit
    assert most == (10 if unit is None else (10_000_000 - commission(me, 10_000_000)) // unit)
    assert capacity["reserved_cash"] == (None if unit is None else most * unit + commission(me, most * unit))
    assert (capacity["reason"], capacity["detail"]) == (None, None)
    refused = me.post("/v1/orders", json={**params, "qty": most + 1})
    reason = "insufficient_cash" if side == "buy" else "insufficient_shares"
    assert code(refused) == (422, reason)
    order = entered(me, side=side, type=kind, qty=most, **limit)
    assert order["filled_qty"] == 1
    me.delete("/v1/orders")
    other.delete("/v1/orders")


def test_no_capacity_has_a_reason_and_a_sentence(me: httpx.Client) -> None:
    def reason(**params: Any) -> tuple[int, str]:
        answer = read(me, "/v1/order-capacity", symbol=SYMBOL, **params)
        assert len(answer["detail"]) > 10
        return answer["max_qty"], answer["reason"]

    assert reason(side="buy", limit_price=BASE[SYMBOL] + 1) == (0, "price_tick")
    assert reason(side="sell", limit_price=BASE[SYMBOL] * 2) == (0, "price_limit")
    assert reason(side="buy", type="market", time_in_force="ioc") == (0, "no_opposite_quote")
    assert reason(side="buy", type="midpoint") == (0, "no_opposite_quote")
    assert reason(side="buy", type="stop") == (0, "order_type_not_allowed")
    assert reason(side="buy", type="best_same", time_in_force="fok") == (0, "order_type_not_allowed")
    rest = entered(me, qty=18)
    assert (
        read(me, "/v1/order-capacity", rest["seq"], symbol=SYMBOL, side="buy", limit_price=BASE[SYMBOL])["max_qty"] == 0
    )
    assert reason(side="buy", limit_price=BASE[SYMBOL]) == (0, "insufficient_cash")
    entered(me, side="sell", qty=10, limit_price=BASE[SYMBOL] + 10_000)
    other = {"symbol": OTHER_SYMBOL, "side": "sell", "limit_price": BASE[OTHER_SYMBOL]}
    assert read(me, "/v1/order-capacity", **other)["reason"] == "insufficient_shares"
    korean = me.get("/v1/order-capacity", params=other, headers={"Accept-Language": "ko"}).json()
    assert korean["detail"] == "팔 수 있는 수량이 모자랍니다."
