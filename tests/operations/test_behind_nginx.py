"""The exchange behind a real nginx: with Debian's default settings and a bare `proxy_pass`, and with the guide's lines."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.streams import nginx
from tests.journey.streams import SseClient, WsClient, assert_contiguous
from tests.serverprocess import ServerProcess

ROOT = Path(__file__).parents[2]
SYMBOL = "005930"
PASSWORD = "correct horse battery"
AT_ONCE_S = 5.0
"""A buffer of nginx's would hold a few events back for ever; this is only for a busy machine."""


@pytest.fixture(scope="module", params=[nginx.PLAIN, nginx.FULL], ids=["as it is", "as the guide says"])
def proxy(
    request: pytest.FixtureRequest, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[nginx.Nginx]:
    if nginx.executable() is None:
        lack = "nginx is missing (on Debian and Ubuntu: apt-get install nginx)"
        if os.environ.get("CI") == "true":
            pytest.fail(lack, pytrace=False)
        pytest.skip(lack)
    with nginx.Nginx(tmp_path_factory.mktemp("proxy") / "nginx", server.port, request.param) as running:
        yield running


def url(proxy: nginx.Nginx) -> str:
    return f"http://127.0.0.1:{proxy.port}"


def order(client: httpx.Client, **more: object) -> dict:
    """A buy that rests."""
    price = next(row["lower_limit"] for row in client.get("/v1/symbols").json()["symbols"] if row["symbol"] == SYMBOL)
    body = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 1, "limit_price": price, **more}
    answer = client.post("/v1/orders", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def client_of(proxy: nginx.Nginx, key: str) -> httpx.Client:
    return httpx.Client(base_url=url(proxy), headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30)


def test_an_order_and_its_event_come_through_at_once(server: ServerProcess, proxy: nginx.Nginx) -> None:
    key = server.account(f"proxied{proxy.port}", cash=10**9)
    with client_of(proxy, key) as client, SseClient(url(proxy), key) as stream:
        assert stream.status == 200
        for _ in range(5):
            number = order(client)["order_id"]
            began = time.monotonic()
            stream.wait_for(lambda e, n=number: e["type"] == "order" and e["data"]["order_id"] == n)
            assert time.monotonic() - began < AT_ONCE_S
            canceled = client.delete(f"/v1/orders/{number}")
            assert canceled.status_code == 200
        last = canceled.headers["Onseju-Seq"]
        seen = client.get("/v1/orders", params={"status": "all"}, headers={"Onseju-Min-Seq": last})
        assert len(seen.json()["orders"]) == 5
        assert_contiguous(stream.received)


def test_a_stream_resumes_through_it(server: ServerProcess, proxy: nginx.Nginx) -> None:
    key = server.account(f"resuming{proxy.port}", cash=10**9)
    with client_of(proxy, key) as client:
        with SseClient(url(proxy), key) as stream:
            first = order(client)["order_id"]
            stream.wait_for(lambda e: e["type"] == "account")
            before = list(stream.received)
        second = order(client)["order_id"]
        with SseClient(url(proxy), key, before[-1]["id"]) as stream:
            stream.wait_for(lambda e: e["type"] == "order" and e["data"]["order_id"] == second)
            assert_contiguous(stream.received, before[-1]["id"])
            assert not any(e["type"] == "order" and e["data"]["order_id"] == first for e in stream.received)


def test_a_person_logs_in_and_trades_through_it(server: ServerProcess, proxy: nginx.Nginx) -> None:
    """As a browser does: a cookie, a token against forgery, and the address of nginx as its origin."""
    name = f"person{proxy.port}"
    with httpx.Client(base_url=url(proxy), headers={"Origin": url(proxy)}, trust_env=False, timeout=30) as browser:
        made = browser.post("/v1/users", json={"name": name, "password": PASSWORD})
        assert made.status_code == 201, made.text
        came = browser.post("/v1/session", json={"name": name, "password": PASSWORD})
        assert came.status_code in (200, 201), came.text
        browser.headers["X-CSRF-Token"] = came.json()["csrf_token"]
        browser.headers["Cookie"] = came.headers["set-cookie"].partition(";")[0]  # httpx sends it over https alone
        assert order(browser)["status"] == "new"


def test_websockets_need_the_lines_of_the_guide(
    server: ServerProcess, proxy: nginx.Nginx, request: pytest.FixtureRequest
) -> None:
    key = server.account(f"socket{proxy.port}", cash=10**9)
    if "as it is" in request.node.name:
        handshake = {"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "A" * 22 + "=="}
        with client_of(proxy, key) as client:
            answer = client.get("/v1/ws", headers={**handshake, "Connection": "Upgrade"})
        assert answer.status_code == 426, "nginx has let the wish fall, and we say that there was none"
        return
    with WsClient(url(proxy), key, {"name": "account"}) as socket, client_of(proxy, key) as client:
        number = order(client)["order_id"]
        socket.wait_for(lambda e: e["type"] == "order" and e["data"]["order_id"] == number)
        answer = socket.ask({"op": "order.cancel", "data": {"order_id": number}})
        assert answer["status"] == 200


def test_the_guide_shows_the_lines_that_are_tested_here() -> None:
    guide = (ROOT / "docs/operations.md").read_text("utf-8")
    lines = nginx.FULL.replace("{{", "{").replace("}}", "}").replace("{upstream}", "8000").strip()
    assert lines.replace("listen 127.0.0.1:{port};", "listen 80;") in guide
