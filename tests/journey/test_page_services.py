"""What the page needs beyond the API for bots: KIS approvals, and the place in the queue."""

from __future__ import annotations

import json
from contextlib import closing

from websockets.sync.client import connect

from tests.journey.streams import Envelope, WsClient, assert_contiguous
from tests.serverprocess import ServerProcess


def test_a_page_gets_a_key_that_registers(server: ServerProcess) -> None:
    key = server.account("kiswatcher", cash=10**9, s005930=10)
    with server.client(key) as client, server.client() as nobody:
        assert nobody.post("/v1/kis/approval").status_code == 401
        first, second = (client.post("/v1/kis/approval").json() for _ in range(2))
        assert (first["mode"], first["url"], first["registrations"]) == ("simulator", None, 41)
        assert first["approval_key"] != second["approval_key"]
        request = {
            "header": {
                "approval_key": first["approval_key"],
                "custtype": "P",
                "tr_type": "1",
                "content-type": "utf-8",
            },
            "body": {"input": {"tr_id": "H0STCNT0", "tr_key": "005930"}},
        }
        with connect(server.url.replace("http", "ws", 1) + "/", compression=None, proxy=None) as socket:
            socket.send(json.dumps(request))
            answer = json.loads(socket.recv(timeout=10))
            assert (answer["body"]["rt_cd"], answer["body"]["msg_cd"]) == ("0", "OPSP0000")
            base = next(
                row["base_price"] for row in client.get("/v1/symbols").json()["symbols"] if row["symbol"] == "005930"
            )
            for side in ("sell", "buy"):
                order = {"symbol": "005930", "side": side, "type": "limit", "qty": 3, "limit_price": base + 1000}
                assert client.post("/v1/orders", json=order).status_code == 201
            frame = str(socket.recv(timeout=10))
            assert frame.startswith("0|H0STCNT0|001|005930^")
            assert frame.split("|")[3].split("^")[2] == str(base + 1000)


def test_the_hosts_own_key_is_for_the_host(tmp_path) -> None:
    server = ServerProcess(
        tmp_path / "data",
        env={"ONSEJU_KIS": "mock", "ONSEJU_KIS_APP_KEY": "a" * 36, "ONSEJU_KIS_APP_SECRET": "b" * 180},
    ).start()
    try:
        with closing(server.client(server.account("somebody"))) as client:
            refused = client.post("/v1/kis/approval")
        assert (refused.status_code, refused.json()["code"]) == (403, "kis_not_shared")
        assert not any("b" * 20 in line for line in server.output)
    finally:
        server.stop()


def test_the_place_in_the_queue(server: ServerProcess) -> None:
    first, second = server.account("queue1", cash=10**9), server.account("queue2", cash=10**9)
    with server.client(first) as a, server.client(second) as b:
        base = next(row["base_price"] for row in a.get("/v1/symbols").json()["symbols"] if row["symbol"] == "000660")
        order = {"symbol": "000660", "side": "buy", "type": "limit", "qty": 5, "limit_price": base - 20_000}
        ahead = a.post("/v1/orders", json=order).json()["order_id"]
        mine = b.post("/v1/orders", json={**order, "qty": 2}).json()["order_id"]
        place = b.get(f"/v1/orders/{mine}/queue")
        assert place.json() == {"order_id": mine, "ahead_qty": 5, "leaves_qty": 2, "level_qty": 7, "ahead_orders": 1}
        assert b.get(f"/v1/orders/{ahead}/queue").status_code == 404
        assert b.get("/v1/orders/x/queue").status_code == 404
        assert [row["order_id"] for row in b.get("/v1/queue").json()["positions"]] == [mine]
        a.delete(f"/v1/orders/{ahead}")
        assert b.get(f"/v1/orders/{mine}/queue").json()["ahead_qty"] == 0
        b.delete(f"/v1/orders/{mine}")
        assert b.get(f"/v1/orders/{mine}/queue").status_code == 404


def test_the_place_in_the_queue_is_pushed(server: ServerProcess) -> None:
    first, second = server.account("queue3", cash=10**9), server.account("queue4", cash=10**9)
    with server.client(first) as a, WsClient(server.url, second) as ws, server.client(second) as b:
        base = next(row["base_price"] for row in a.get("/v1/symbols").json()["symbols"] if row["symbol"] == "035420")
        order = {"symbol": "035420", "side": "buy", "type": "limit", "qty": 5, "limit_price": base - 20_000}
        ahead = a.post("/v1/orders", json=order).json()["order_id"]
        mine = b.post("/v1/orders", json={**order, "qty": 2}).json()["order_id"]
        assert ws.ask({"op": "subscribe", "channels": [{"name": "queue"}]})["status"] == 200

        def place(envelope: Envelope) -> int | None:
            rows = {row["order_id"]: row["ahead_qty"] for row in envelope["data"]["positions"]}
            return rows.get(mine)

        ws.wait_for(lambda e: e["ch"] == "queue" and place(e) == 5)
        a.delete(f"/v1/orders/{ahead}", params={"qty": 3})
        ws.wait_for(lambda e: place(e) == 2)
        a.delete(f"/v1/orders/{ahead}")
        ws.wait_for(lambda e: place(e) == 0)
        b.delete(f"/v1/orders/{mine}")
        ws.wait_for(lambda e: e["data"]["positions"] == [])
        assert_contiguous(ws.received)
        told = len(ws.received)
        assert ws.ask({"op": "unsubscribe", "channels": [{"name": "queue"}]})["body"]["channels"] == []
        b.delete("/v1/orders", params={"symbol": "035420"})
        assert ws.ask({"op": "ping"})["status"] == 200
        assert len(ws.received) == told
    with WsClient(server.url, None) as nobody:
        assert nobody.ask({"op": "subscribe", "channels": [{"name": "queue"}]})["status"] == 401
