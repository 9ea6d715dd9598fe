"""The whole way over real sockets: sign up, rest, cancel, buy, and see it on both streams and in the read side."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.journey.streams import SseClient, WsClient, assert_contiguous
from tests.serverprocess import ServerProcess

SYMBOL = "005930"


class Browser:
    """A session as a browser keeps it: the cookie, and the CSRF token for writes."""

    def __init__(self, server: ServerProcess, name: str, password: str) -> None:
        self.http = server.client()
        answer = self.http.post("/v1/users", json={"name": name, "password": password})
        assert answer.status_code == 201, answer.text
        self.account_id = answer.json()["account_id"]
        answer = self.http.post("/v1/session", json={"name": name, "password": password})
        assert answer.status_code in (200, 201), answer.text
        # A browser sends a Secure cookie to the loopback address over http; the Python client has to be told.
        cookie = answer.headers["set-cookie"].split(";")[0]
        self.http.headers["Cookie"] = cookie
        self.http.headers["X-CSRF-Token"] = answer.json()["csrf_token"]

    def key(self) -> str:
        answer = self.http.post("/v1/api-keys", json={"name": "streams", "scopes": ["read", "trade"]})
        assert answer.status_code == 201, answer.text
        key: str = answer.json()["api_key"]
        return key


def settled(client: httpx.Client, path: str, seq: int, **params: Any) -> Any:
    """A read that waits for one's own write."""
    answer = client.get(path, params=params, headers={"Onseju-Min-Seq": str(seq)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["seq"] >= seq
    return answer.json()


def instrument(client: httpx.Client) -> dict[str, Any]:
    rows = client.get("/v1/symbols").json()["symbols"]
    row: dict[str, Any] = next(row for row in rows if row["symbol"] == SYMBOL)
    return row


def base_price(client: httpx.Client) -> int:
    return int(instrument(client)["base_price"])


def commission(client: httpx.Client, amount: int) -> int:
    """What an order of this amount pays: the rate, cut off to a won."""
    rate = instrument(client)["commission_ppm"]
    assert rate == 150
    return int(amount * rate // 1_000_000)


def test_the_whole_way(fresh_server: ServerProcess) -> None:
    maker_key = fresh_server.account("maker", cash=10**10, s005930=1000)
    browser = Browser(fresh_server, "학생1", "correct horse battery")
    key = browser.key()
    with (
        fresh_server.client(maker_key) as maker,
        closing(browser.http) as me,
        WsClient(
            fresh_server.url,
            key,
            {"name": "account"},
            {"name": "book", "symbols": [SYMBOL], "depth": 10},
            {"name": "trades", "symbols": [SYMBOL]},
        ) as ws,
    ):
        sse = SseClient(fresh_server.url, key)
        assert sse.status == 200
        assert sse.headers["content-type"].startswith("text/event-stream")
        base = base_price(me)
        before = me.get("/v1/account").json()

        # rest a limit order: cash is reserved, the book shows it
        answer = me.post(
            "/v1/orders", json={"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 3, "limit_price": base - 500}
        )
        assert answer.status_code == 201, answer.text
        rest = answer.json()
        assert (rest["status"], rest["leaves_qty"], rest["fills"]) == ("new", 3, [])
        account = settled(me, "/v1/account", rest["seq"])
        assert account["reserved"] == 3 * (base - 500) + commission(me, 3 * (base - 500))
        assert [base - 500, 3] in [level[:2] for level in me.get(f"/v1/book/{SYMBOL}").json()["bids"]]

        # cancel it: nothing stays reserved
        answer = me.delete(f"/v1/orders/{rest['order_id']}")
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "canceled"
        account = settled(me, "/v1/account", answer.json()["seq"])
        assert (account["cash"], account["reserved"]) == (before["cash"], 0)
        assert me.delete(f"/v1/orders/{rest['order_id']}").status_code == 409

        # the stream is dropped here, in the middle
        sse.wait_for(lambda e: e["type"] == "order" and e["data"]["status"] == "canceled")
        first_part = list(sse.received)
        sse.close()

        # buy at market while it is away: the fill comes with the answer
        offer = maker.post(
            "/v1/orders", json={"symbol": SYMBOL, "side": "sell", "type": "limit", "qty": 10, "limit_price": base}
        )
        assert offer.status_code == 201, offer.text
        answer = me.post(
            "/v1/orders",
            json={"symbol": SYMBOL, "side": "buy", "type": "market", "qty": 4, "client_order_id": "my-first"},
        )
        assert answer.status_code == 201, answer.text
        bought = answer.json()
        assert (bought["status"], bought["filled_qty"], bought["avg_fill_price"]) == ("filled", 4, str(base))
        assert [(fill["price"], fill["qty"]) for fill in bought["fills"]] == [(base, 4)]

        # resume: nothing missing, nothing twice, and the same as on the WebSocket
        with SseClient(fresh_server.url, key, last_event_id=first_part[-1]["id"]) as resumed:
            resumed.wait_for(lambda e: e["data"].get("kind") == "balance" and e["data"]["seq"] == bought["seq"])
            whole = first_part + resumed.received
        ws.wait_for(lambda e: e["data"].get("kind") == "balance" and e["data"]["seq"] == bought["seq"])
        on_ws = [e for e in ws.received if e["ch"] == "account"]
        # the SSE client joined a moment after the WebSocket; from its first event on they are equal
        assert whole == on_ws[on_ws.index(whole[0]) :]
        assert_contiguous(whole)
        fill = next(e for e in whole if e["type"] == "fill")
        assert (fill["data"]["client_order_id"], fill["data"]["price"], fill["data"]["qty"]) == ("my-first", base, 4)

        # balance, position and fill are the same on the stream and in the read side
        balance = [e for e in whole if e["data"].get("kind") == "balance"][-1]["data"]
        position = [e for e in whole if e["data"].get("kind") == "position"][-1]["data"]
        account = settled(me, "/v1/account", bought["seq"])
        assert (account["cash"], account["reserved"]) == (balance["cash"], balance["reserved"])
        assert account["cash"] == before["cash"] - 4 * base - commission(me, 4 * base)
        held = next(row for row in settled(me, "/v1/positions", bought["seq"])["positions"] if row["symbol"] == SYMBOL)
        assert held["qty"] == position["qty"]
        fills = settled(me, "/v1/fills", bought["seq"])["fills"]
        assert [(row["price"], row["qty"], row["client_order_id"]) for row in fills] == [(base, 4, "my-first")]
        assert me.get("/v1/orders:by-client-id/my-first").json()["status"] == "filled"

        # the public side saw the trade, and nobody's name with it
        trade = ws.wait_for(lambda e: e["ch"] == "trades" and e["type"] == "trade")
        assert (trade["data"]["price"], trade["data"]["qty"]) == (base, 4)
        assert not {"order_id", "account_id", "buy_order_id", "sell_order_id"} & set(trade["data"])
        assert me.get(f"/v1/trades/{SYMBOL}").json()["trades"][0]["price"] == base
        candles = settled(me, f"/v1/candles/{SYMBOL}", bought["seq"], interval="1m")["candles"]
        assert sum(candle["volume"] for candle in candles) == 4

        # a position in the stream is exact over the REST form too
        listed = me.get("/v1/events", params={"after": first_part[-1]["id"], "limit": 1000}).json()["events"]
        assert listed == resumed.received


def test_orders_over_the_websocket(server: ServerProcess) -> None:
    key = server.account("wstrader", cash=10**9)
    with server.client(key) as client, WsClient(server.url, key, {"name": "account"}) as ws:
        base = base_price(client)
        answer = ws.ask(
            {
                "op": "order.new",
                "data": {
                    "symbol": SYMBOL,
                    "side": "buy",
                    "type": "limit",
                    "qty": 2,
                    "limit_price": base - 1000,
                    "client_order_id": "w1",
                },
            }
        )
        assert answer["status"] == 201, answer
        order_id = answer["body"]["order_id"]
        corrected = ws.ask({"op": "order.correct", "data": {"order_id": order_id, "leaves_qty": 1}})
        assert (corrected["status"], corrected["body"]["leaves_qty"]) == (200, 1)
        canceled = ws.ask({"op": "order.cancel", "data": {"order_id": order_id}})
        assert (canceled["status"], canceled["body"]["status"]) == (200, "canceled")
        refused = ws.ask(
            {
                "op": "order.new",
                "data": {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 10**6, "limit_price": base},
            }
        )
        assert (refused["status"], refused["problem"]["code"]) == (422, "insufficient_cash")
        ws.wait_for(lambda e: e["type"] == "order" and e["data"]["status"] == "canceled")
        assert_contiguous(ws.received)


def test_a_restart_changes_nothing(fresh_server: ServerProcess) -> None:
    maker_key = fresh_server.account("maker", cash=10**10, s005930=1000)
    taker_key = fresh_server.account("taker", cash=10**10)
    with fresh_server.client(maker_key) as maker, fresh_server.client(taker_key) as taker:
        base = base_price(maker)
        sse = SseClient(fresh_server.url, taker_key)
        for n in range(5):
            assert (
                maker.post(
                    "/v1/orders",
                    json={"symbol": SYMBOL, "side": "sell", "type": "limit", "qty": 7, "limit_price": base + 100 * n},
                ).status_code
                == 201
            )
        last = taker.post(
            "/v1/orders",
            json={
                "symbol": SYMBOL,
                "side": "buy",
                "type": "limit",
                "qty": 17,
                "limit_price": base + 300,
                "client_order_id": "x",
            },
        )
        assert last.json()["filled_qty"] == 17
        seq = last.json()["seq"]
        sse.wait_for(lambda e: e["data"].get("kind") == "balance" and e["data"]["seq"] == seq)
        seen = list(sse.received)
        paths = [
            "/v1/orders",
            "/v1/fills",
            "/v1/positions",
            "/v1/account",
            f"/v1/book/{SYMBOL}",
            f"/v1/candles/{SYMBOL}?interval=1m",
        ]
        want = {
            path: [
                settled(client, path, seq) if "book" not in path else client.get(path).json()
                for client in (maker, taker)
            ]
            for path in paths
        }
        sse.close()

        assert fresh_server.stop() == 0
        fresh_server.start()

        def without_seq(path: str, value: Any) -> Any:
            """Without the number of the last command seen, which a start raises; the book has its time, too."""
            moving = {"seq", "ts"} if "book" in path else {"seq"}
            return {name: part for name, part in value.items() if name not in moving}

        got = {path: [client.get(path).json() for client in (maker, taker)] for path in paths}
        for path in paths:
            assert [without_seq(path, part) for part in got[path]] == [
                without_seq(path, part) for part in want[path]
            ], path
        # the repeated request gets its first answer, over the restart too
        again = taker.post(
            "/v1/orders",
            json={
                "symbol": SYMBOL,
                "side": "buy",
                "type": "limit",
                "qty": 17,
                "limit_price": base + 300,
                "client_order_id": "x",
            },
        )
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
        assert again.json()["order_id"] == last.json()["order_id"]
        # a stream resumed from before the restart goes on with the same ids
        with SseClient(fresh_server.url, taker_key, last_event_id=seen[0]["id"]) as resumed:
            resumed.wait_for(lambda e: e["id"] == seen[-1]["id"])
            assert resumed.received[: len(seen) - 1] == seen[1:]


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/problems"])
def test_the_documentation_is_served(server: ServerProcess, path: str) -> None:
    with server.client() as client:
        answer = client.get(path)
    assert answer.status_code == 200
    assert "http://cdn" not in answer.text
    assert "https://cdn" not in answer.text
