"""Why did my order not fill? Asked over real sockets: the numbers, the two languages, rights, and after a `kill -9`."""

from __future__ import annotations

from typing import Any

import httpx

from tests.serverprocess import ServerProcess

SYMBOL = "005930"


def story(client: httpx.Client, order: dict[str, Any], language: str = "en") -> dict[str, Any]:
    answer = client.get(f"/v1/orders/{order['order_id']}/story", headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert answer.headers["Onseju-Seq"] == str(told["seq"])
    return told


def enter(client: httpx.Client, side: str, qty: int, price: int, **more: Any) -> dict[str, Any]:
    form = {"symbol": SYMBOL, "side": side, "type": "limit", "qty": qty, "limit_price": price} | more
    answer = client.post("/v1/orders", json=form)
    assert answer.status_code in (201, 422), answer.text
    body: dict[str, Any] = answer.json()
    return body if answer.status_code == 201 else body["order"]


def codes(told: dict[str, Any]) -> list[str]:
    return [happening["code"] for happening in told["happenings"]]


def test_the_story_of_an_order(fresh_server: ServerProcess) -> None:
    me_key = fresh_server.account("me", cash=10**9, s005930=100)
    maker_key = fresh_server.account("maker", cash=10**9, s005930=1_000)
    with fresh_server.client(me_key) as me, fresh_server.client(maker_key) as maker:
        rows = me.get("/v1/symbols").json()["symbols"]
        base = next(row["base_price"] for row in rows if row["symbol"] == SYMBOL)
        ahead = enter(maker, "buy", 30, base)
        gone = enter(maker, "buy", 7, base)
        mine = enter(me, "buy", 20, base)
        enter(maker, "sell", 12, base)
        maker.delete(f"/v1/orders/{gone['order_id']}")
        enter(maker, "sell", 50, base + 500)
        told = story(me, mine)
        assert told["order"]["status"] == "new"
        assert told["queue"] == {
            "entry": {"ahead_qty": 37, "ahead_orders": 2, "level_qty": 57},
            "now": {"ahead_qty": 18, "ahead_orders": 1, "level_qty": 38},
        }
        assert told["answer"] == {
            "code": "in_line",
            "params": {"limit_price": base, "ahead_qty": 18, "ahead_count": 1},
            "text": f"18 are ahead of it at ₩{base:,}. Its turn comes once these are filled or canceled.",
        }
        assert [
            (h["code"], h["params"].get("traded_qty") or h["params"].get("canceled_qty")) for h in told["happenings"]
        ] == [
            ("entered_line", None),
            ("traded_ahead", 12),
            ("ahead_canceled", 7),
        ]
        assert told["more"] == 0
        assert [option["code"] for option in told["options"]] == [
            "correct_to_opposite",
            "wait_in_line",
            "reduce",
            "cancel_buy",
        ]
        korean = story(me, mine, "ko")
        assert korean["answer"]["text"].startswith(f"{base:,}원에서 18주가 앞에 있습니다.")
        assert korean["answer"]["params"] == told["answer"]["params"]
        assert [h["own"] for h in korean["happenings"]] == [True, False, False]

        # the next trades fill it; its story agrees with the order, and is the same after a crash
        enter(maker, "sell", 25, base)
        told = story(me, mine)
        assert (told["order"]["filled_qty"], told["order"]["status"]) == (7, "partially_filled")
        assert told["answer"]["code"] == "first_in_line"
        assert [h["params"]["fill_qty"] for h in told["happenings"] if h["code"] == "filled"] == [7]
        refused = enter(me, "buy", 1, base + 1)
        assert story(me, refused)["answer"]["params"] == {"reject_reason": "price_tick"}
        maker.delete(f"/v1/orders/{ahead['order_id']}")
        before = story(me, mine)
        fresh_server.kill()
    fresh_server.start()
    with fresh_server.client(me_key) as me:
        after = story(me, mine)
        assert after["order"] == before["order"]
        assert (after["answer"], after["queue"], after["options"]) == (
            before["answer"],
            before["queue"],
            before["options"],
        )
        assert after["happenings"] == before["happenings"]
        assert after["more"] == 0


def test_phases_stand_in_the_story(fresh_server: ServerProcess) -> None:
    """The auction that collects, with its indicative price, and the halt."""
    me_key = fresh_server.account("me", cash=10**9, s005930=100)
    maker_key = fresh_server.account("maker", cash=10**9, s005930=1_000)
    with fresh_server.client(me_key) as me, fresh_server.client(maker_key) as maker, fresh_server.admin() as admin:
        rows = me.get("/v1/symbols").json()["symbols"]
        base = next(row["base_price"] for row in rows if row["symbol"] == SYMBOL)
        mine = enter(me, "buy", 20, base - 500)
        answer = admin.post("/v1/admin/phase", json={"phase": "closing_auction", "symbol": SYMBOL})
        assert answer.status_code == 200, answer.text
        enter(maker, "buy", 10, base)
        enter(maker, "sell", 10, base)
        told = story(me, mine)
        assert told["answer"]["code"] == "auction_beyond"
        assert told["answer"]["params"] == {
            "phase_word": "closing_auction",
            "limit_price": base - 500,
            "indicative_price": base,
        }
        assert "correct_to_indicative" in [option["code"] for option in told["options"]]
        assert admin.post("/v1/admin/halt", json={"symbol": SYMBOL}).status_code == 200
        told = story(me, mine)
        assert told["answer"]["code"] == "halted"
        assert codes(told) == ["entered_first", "phase_auction", "phase_halted"]
        assert [h["rule"] for h in told["happenings"]] == [False, True, True]


def test_somebody_elses_story_is_not_found(fresh_server: ServerProcess) -> None:
    me_key = fresh_server.account("me", cash=10**9)
    other_key = fresh_server.account("other", cash=10**9)
    with fresh_server.client(me_key) as me, fresh_server.client(other_key) as other, fresh_server.client() as nobody:
        rows = me.get("/v1/symbols").json()["symbols"]
        base = next(row["base_price"] for row in rows if row["symbol"] == SYMBOL)
        mine = enter(me, "buy", 1, base)
        path = f"/v1/orders/{mine['order_id']}/story"
        assert nobody.get(path).status_code == 401
        for number in (path, "/v1/orders/999999/story", "/v1/orders/0/story", f"/v1/orders/{'9' * 16}/story"):
            answer = other.get(number)
            assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found"), number
        for number in ("abc", "-1", "1e3", "%31%00", "9" * 40):
            assert other.get(f"/v1/orders/{number}/story").status_code == 404, number
        assert me.get(path, headers={"Onseju-Min-Seq": "99999999"}).status_code == 400
        document = me.get("/openapi.json").json()
        declared = document["paths"]["/v1/orders/{id}/story"]["get"]
        assert declared["x-rate-limit-group"] == "query"
        assert declared["security"][0] == {"key": ["read"]}
        with fresh_server.admin() as admin:
            assert admin.get(path).status_code == 403
