"""Operations on a real server: readiness and recovery, metrics and their dashboard, logs, and a stop under load."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from onseju.contract.events import OrderAccepted
from onseju.journal.segments import SegmentJournal
from tests.engines import EngineName
from tests.journey.hostile import CALM, SYMBOL, base_price
from tests.serverprocess import ServerProcess

DASHBOARD = Path(__file__).parents[2] / "docs/grafana/onseju.json"
KEY = "METRICS.0123456789abcdef0123"


@pytest.fixture(scope="module")
def exchange(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = CALM | {"ONSEJU_METRICS_KEY": KEY, "ONSEJU_LOG_REQUESTS": "true", "ONSEJU_LOG_LEVEL": "debug"}
    process = ServerProcess(tmp_path_factory.mktemp("operations") / "data", env=env).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def trader(exchange: ServerProcess) -> Iterator[httpx.Client]:
    key = exchange.account("trader", cash=10**12, s005930=1000)
    with exchange.client(key) as http:
        yield http


@pytest.fixture
def price(trader: httpx.Client) -> int:
    return base_price(trader)


def order(price: int, **more: Any) -> dict[str, Any]:
    return {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 1, "limit_price": price} | more


def eventually(condition: Callable[[], Any], seconds: float = 40) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.05)
    return found


def samples(exchange: ServerProcess) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    with exchange.client(KEY) as http:
        answer = http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_count_what_happened(exchange: ServerProcess, trader: httpx.Client, price: int) -> None:
    before = samples(exchange)
    assert trader.post("/v1/orders", json=order(price - 1000)).status_code == 201
    assert trader.post("/v1/orders", json=order(price - 1000, side="sell", qty=1000 + 1)).status_code == 422
    assert trader.post("/v1/orders", json=order(price, type="market", limit_price=None)).status_code in (201, 400)
    assert trader.delete("/v1/orders").status_code == 200
    after = samples(exchange)

    def grown(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return after[key] - before.get(key, 0.0)

    assert grown("onseju_order_results_total", result="accepted", reason="") >= 1
    assert grown("onseju_order_results_total", result="rejected", reason="insufficient_shares") == 1
    assert grown("onseju_order_results_total", result="canceled", reason="") >= 1
    assert grown("onseju_answers_total", operation="POST /v1/orders", status="201") >= 1
    assert grown("onseju_request_seconds_count", group="order") == 3
    for stage in ("queue", "apply", "journal", "events", "publish", "commit"):
        commands = grown("onseju_stage_seconds_count", stage=stage)
        assert commands >= 3
        assert grown("onseju_stage_seconds_bucket", stage=stage, le="+Inf") == commands
        assert grown("onseju_stage_seconds_sum", stage=stage) > 0
    assert grown("onseju_fsync_seconds_count") >= 3
    assert after[("onseju_ready", ())] == 1
    assert after[("onseju_invariant_holds", (("name", "cash"),))] == 1


def test_nothing_that_a_client_writes_makes_a_new_series(exchange: ServerProcess, trader: httpx.Client) -> None:
    def knock(number: int) -> None:
        with exchange.client() as http:
            http.get(f"/v1/nothing-{number}")
            http.get(f"/v1/book/{number}")
            http.get(f"/page-{number}.html")
        trader.get(f"/v1/orders/{10**9 + number}")
        trader.post("/v1/orders", json={"symbol": f"S{number}"})
        trader.request(f"X{number}", "/v1/orders")

    knock(0)
    samples(exchange)  # asking is counted, too
    before = samples(exchange)
    for number in range(1, 40):
        knock(number)
    assert samples(exchange).keys() == before.keys()
    assert len(before) < 2000


def test_every_query_of_the_dashboard_names_a_metric_that_is_there(
    exchange: ServerProcess, trader: httpx.Client, price: int
) -> None:
    assert trader.post("/v1/orders", json=order(price - 1000)).status_code == 201
    assert trader.delete("/v1/orders").status_code == 200
    names = {name for name, _ in samples(exchange)}
    labels: dict[str, set[str]] = {}
    for name, given in samples(exchange):
        labels.setdefault(name, set()).update(label for label, _ in given)
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids)) >= 10
    asked = set()
    for panel in dashboard["panels"]:
        assert panel["title"]
        assert panel["targets"]
        for target in panel["targets"]:
            found = re.findall(r"\b((?:onseju|process)_\w+)", target["expr"])
            assert found, target["expr"]
            assert set(found) <= names, target["expr"]
            for group in re.findall(r"by \(([^)]+)\)", target["expr"]):
                assert {each.strip() for each in group.split(",")} <= labels[found[0]], target["expr"]
            asked |= set(found)
    own = {name.removesuffix("_count").removesuffix("_sum") for name in names if name.startswith("onseju_")}
    shown = {name.removesuffix("_bucket") for name in asked}
    left_out = {"onseju_info", "onseju_head_seq", "onseju_projection_waiters"}
    assert {name.removesuffix("_bucket") for name in own} - shown == left_out


def test_a_projector_that_fails_recovers_by_itself(exchange: ServerProcess, trader: httpx.Client, price: int) -> None:
    """Another process holds the tables' lock for longer than the projector waits: reads are refused and told why, orders go
    on, and afterwards everything is there."""
    with exchange.client() as http:
        assert http.get("/healthz").json()["status"] == "ok"
        assert (http.get("/readyz").status_code, http.get("/readyz").json()["ready"]) == (200, True)
        lock = sqlite3.connect(exchange.data_dir / "projections.db", isolation_level=None)
        try:
            lock.execute("BEGIN IMMEDIATE")
            made = trader.post("/v1/orders", json=order(price - 1000)).json()

            def failed() -> Any:
                answer = http.get("/readyz")
                codes = [obstacle["code"] for obstacle in answer.json()["obstacles"]]
                return answer if answer.status_code == 503 and "projector_failed" in codes else None

            answer = eventually(failed)
            assert answer.headers["Retry-After"] == "1"
            assert http.get("/healthz").status_code == 200
            assert trader.get("/v1/orders").json()["code"] == "projection_behind"
            another = trader.post("/v1/orders", json=order(price - 1000))
            assert another.status_code == 201
            with exchange.admin() as admin:
                status = admin.get("/v1/admin/status").json()
            assert status["ready"] is False
        finally:
            lock.close()
        eventually(lambda: http.get("/readyz").status_code == 200)
        head = {"Onseju-Min-Seq": str(another.json()["seq"])}
        listed = trader.get("/v1/orders", params={"status": "open"}, headers=head).json()["orders"]
        assert {made["order_id"], another.json()["order_id"]} <= {each["order_id"] for each in listed}
    assert samples(exchange)[("onseju_projection_failures_total", ())] >= 1
    assert trader.delete("/v1/orders").status_code == 200


def test_what_must_hold_holds(exchange: ServerProcess, trader: httpx.Client, price: int) -> None:
    made = trader.post("/v1/orders", json=order(price - 1000, qty=3))
    with exchange.admin() as admin:

        def caught_up() -> Any:
            status = admin.get("/v1/admin/status").json()
            return status if status["sums"] and status["sums"]["seq"] >= made.json()["seq"] else None

        status = eventually(caught_up)
    assert all(invariant["holds"] for invariant in status["invariants"])
    assert status["sums"]["orders_open"] == 1
    assert status["sums"]["cash_reserved"] >= 3 * (price - 1000)
    assert trader.delete("/v1/orders").status_code == 200


def test_a_request_can_be_followed_through_the_log(exchange: ServerProcess, trader: httpx.Client, price: int) -> None:
    answer = trader.post("/v1/orders", json=order(price - 1000))
    request_id, seq = answer.headers["X-Request-Id"], answer.json()["seq"]

    def lines() -> list[dict[str, Any]]:
        read = [json.loads(line) for line in exchange.output if line.startswith("{")]
        mine = [line for line in read if request_id in (line.get("request_id"), *line.get("request_ids", ()))]
        return mine if len(mine) >= 2 else []

    committed, request = eventually(lines)
    assert (committed["event"], committed["request_ids"]) == ("committed", [request_id])
    assert committed["seq"] <= seq <= committed["through"]
    assert (request["event"], request["operation"], request["status"]) == ("request", "POST /v1/orders", 201)
    assert request["level"] == "info"
    assert trader.delete("/v1/orders").status_code == 200


def test_a_full_disk_is_no_place_to_send_requests_to(tested_on: EngineName, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", env={"ONSEJU_READY_FREE_MIB": str(2**50)}).start()
    try:
        with server.client() as http:
            answer = http.get("/readyz")
        assert (answer.status_code, answer.json()["obstacles"][0]["code"]) == (503, "disk_full")
    finally:
        server.stop()


LOAD = """
import json, sys, threading, http.client
host, port, key, price, workers = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
acknowledged, lock = [], threading.Lock()
def work(worker):
    connection = http.client.HTTPConnection(host, port, timeout=20)
    for number in range(20_000):
        name = f"h{worker}-{number}"
        body = {"symbol": "005930", "side": "buy", "type": "limit", "qty": 1, "limit_price": price, "time_in_force": "ioc"}
        try:
            headers = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}
            connection.request("POST", "/v1/orders", json.dumps(body | {"client_order_id": name}), headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return
        with lock:
            if answer.status in (200, 201, 422):
                acknowledged.append(name)
            if len(acknowledged) == 200:
                print("loaded", file=sys.stderr, flush=True)
        if answer.status == 503:
            return
threads = [threading.Thread(target=work, args=(n,)) for n in range(workers)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(acknowledged))
"""


def send_orders(socket: ClientConnection, price: int) -> None:
    """Orders without waiting for answers, until the connection is closed."""
    for number in range(100_000):
        body = order(price, time_in_force="ioc", client_order_id=f"w{number}")
        try:
            socket.send(json.dumps({"op": "order.new", "id": f"w{number}", "data": body}))
        except ConnectionClosed:
            return


def test_a_stop_under_load_answers_all_that_it_took(tested_on: EngineName, tmp_path: Path) -> None:
    """SIGTERM while orders come over HTTP and, many in flight, over a WebSocket: what stands in the journal was answered,
    and what was answered stands in the journal."""
    server = ServerProcess(tmp_path / "data", env=CALM).start()
    http_key, ws_key = server.account("http", cash=10**12), server.account("ws", cash=10**12)
    with server.client() as http:
        price = base_price(http) - 1000
    host, port = server.url.removeprefix("http://").split(":")
    load = subprocess.Popen(
        [sys.executable, "-c", LOAD, host, port, http_key, str(price), "8"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    acknowledged: Counter[str] = Counter()
    url = server.url.replace("http", "ws") + "/v1/ws"
    process = server._process
    assert process is not None
    try:
        assert load.stderr is not None
        assert load.stderr.readline() == "loaded\n"
        with connect(url, additional_headers={"Authorization": f"Bearer {ws_key}"}, proxy=None) as socket:
            sender = threading.Thread(target=send_orders, args=(socket, price))
            sender.start()
            with contextlib.suppress(ConnectionClosed):
                while True:
                    answer = json.loads(socket.recv(20))
                    if answer["status"] < 500:
                        acknowledged[answer["id"]] += 1
                    if acknowledged.total() == 200:
                        process.send_signal(signal.SIGTERM)
            sender.join(20)
            assert not sender.is_alive()
        out, _ = load.communicate(timeout=60)
        acknowledged.update(json.loads(out))
        assert process.wait(30) == 0
    finally:
        if load.poll() is None:
            load.kill()
            load.communicate()
        server.stop()
    journal = SegmentJournal.open_for_reading(server.data_dir / "journal")
    try:
        taken = [
            block.annotations[event.order_id]
            for block in journal.read_events()
            for event in block.events
            if isinstance(event, OrderAccepted)
        ]
    finally:
        journal.close()
    assert len(taken) == len(set(taken)) > 400
    assert set(acknowledged) - set(taken) == set(), "answered, and lost"
    assert set(taken) - set(acknowledged) == set(), "taken, and never answered"
    assert set(acknowledged.values()) == {1}
