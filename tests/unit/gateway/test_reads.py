"""Reading one's own write, over HTTP: the tables are held back, and the reads wait, give up, or are refused."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from onseju.app import Venue, projector_command
from onseju.settings import Settings

SYMBOL = "005930"
PRICE = 98_500
ORDER = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 1, "limit_price": PRICE - 1000}
TABLES = ("/v1/account", "/v1/positions", "/v1/orders", "/v1/fills", f"/v1/trades/{SYMBOL}", f"/v1/candles/{SYMBOL}")
MEMORY = ("/v1/symbols", f"/v1/book/{SYMBOL}")
WAIT_S = 0.3


class Gate:
    """The projector's process commits while it is open."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def set(self) -> None:
        self._file.unlink(missing_ok=True)

    def clear(self) -> None:
        self._file.touch()


class Server:
    """A venue behind uvicorn in a thread, whose projector can be held back before it commits, or broken."""

    def __init__(self, data_dir: Path, **settings: Any) -> None:
        self.settings = Settings(data_dir=data_dir, bots=False, fsync=False, **settings)
        self.go = Gate(data_dir / "hold")
        self.url = ""
        self.venue: Venue | None = None
        self._ready = threading.Event()
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="server")

    def start(self) -> Server:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def stop(self) -> None:
        self.go.set()
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self.venue = Venue(self.settings)
        async with self.venue.running():
            config = uvicorn.Config(self.venue.app(), lifespan="off", log_level="error", loop="none")
            self._server = uvicorn.Server(config)
            with socket.create_server(("127.0.0.1", 0)) as listening:
                self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
                serving = asyncio.create_task(self._server.serve(sockets=[listening]))
                self._ready.set()
                await serving

    def client(self, key: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30)

    def account(self, name: str) -> httpx.Client:
        with self.client((self.settings.data_dir / "admin.key").read_text().strip()) as admin:
            answer = admin.post("/v1/admin/accounts", json={"name": name, "cash": 10_000_000})
        assert answer.status_code == 201, answer.text
        return self.client(answer.json()["api_key"])


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose tables can be held back; reads wait 0.3 s, two at once."""
    server = Server(tmp_path / "data", min_seq_wait_s=WAIT_S, min_seq_waiters=2)

    def command(settings: Settings) -> tuple[str, ...]:
        return (sys.executable, "-m", "tests.unit.gateway.held_projector", *projector_command(settings)[3:])

    monkeypatch.setattr("onseju.app.projector_command", command)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def me(held: Server) -> Iterator[httpx.Client]:
    with held.account("me") as client:
        settled(client, client.get("/v1/clock").json()["seq"])
        yield client


def settled(client: httpx.Client, seq: int, path: str = "/v1/account") -> Any:
    answer = client.get(path, headers={"Onseju-Min-Seq": str(seq)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["seq"] >= seq
    return answer.json()


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def entered(client: httpx.Client, **changes: Any) -> Any:
    answer = client.post("/v1/orders", json={**ORDER, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize("path", [*TABLES, *MEMORY])
def test_the_header_is_checked_on_every_read(me: httpx.Client, path: str) -> None:
    for wrong in ("", "x", "-1", "1.5", "0x10", "９", "9" * 17):
        answer = me.get(path, headers={"Onseju-Min-Seq": wrong.encode()})
        assert code(answer) == (400, "malformed")
        assert answer.json()["errors"][0]["field"] == "Onseju-Min-Seq"
    head = me.get("/v1/clock").json()["seq"]
    answer = me.get(path, headers={"Onseju-Min-Seq": str(head + 1)})
    assert code(answer) == (400, "seq_ahead")
    for fine in (0, head):
        answer = me.get(path, headers={"Onseju-Min-Seq": str(fine)})
        assert answer.status_code == 200
        assert answer.json()["seq"] >= fine
        assert answer.headers["Onseju-Seq"] == str(answer.json()["seq"])


def reservation(qty: int) -> int:
    """What an order of so many shares reserves, at the commission that a new venue takes (KRX rules 7.2, 8.1)."""
    amount = qty * (PRICE - 1000)
    return amount + amount * 150 // 1_000_000


def test_a_read_of_ones_own_write_waits_for_it(held: Server, me: httpx.Client) -> None:
    for number in range(10):
        order = entered(me, qty=number + 1)
        account = settled(me, order["seq"])
        assert account["reserved"] == sum(reservation(qty) for qty in range(1, number + 2))


def test_while_the_tables_are_behind(held: Server, me: httpx.Client) -> None:
    held.go.clear()
    order = entered(me)
    seen = me.get("/v1/account")
    assert seen.status_code == 200, "without the header nothing waits"
    assert (seen.json()["reserved"], seen.json()["seq"] < order["seq"]) == (0, True)
    began = time.monotonic()
    late = me.get("/v1/account", headers={"Onseju-Min-Seq": str(order["seq"])})
    assert time.monotonic() - began >= WAIT_S
    assert code(late) == (503, "projection_behind")
    assert (late.json()["retryable"], late.headers["Retry-After"]) == (True, "1")
    assert me.get(f"/v1/book/{SYMBOL}", headers={"Onseju-Min-Seq": str(order["seq"])}).status_code == 200
    held.go.set()
    assert settled(me, order["seq"])["reserved"] == reservation(1)


def test_those_who_wait_are_few(held: Server, me: httpx.Client) -> None:
    assert held.venue is not None
    held.venue.gateway.settings.min_seq_wait_s = 60
    held.go.clear()
    order = entered(me)
    headers = {"Onseju-Min-Seq": str(order["seq"])}
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(me.get, "/v1/orders", headers=headers) for _ in range(8)]
        answers = as_completed(asked)
        refused = [next(answers).result() for _ in range(6)]
        assert [code(answer) for answer in refused] == [(503, "projection_behind")] * 6
        assert held.venue.projector.waiting == 2
        held.go.set()
        assert [answer.result().json()["orders"][0]["order_id"] for answer in answers] == [order["order_id"]] * 2


def test_what_was_made_a_moment_ago_is_not_told_to_be_missing(held: Server, me: httpx.Client) -> None:
    held.go.clear()
    order = entered(me, client_order_id="just.now:1")
    release = threading.Timer(WAIT_S / 4, held.go.set)
    release.start()
    assert me.get(f"/v1/orders/{order['order_id']}").json()["order_id"] == order["order_id"]
    assert me.get("/v1/orders:by-client-id/just.now:1").json()["order_id"] == order["order_id"]
    release.join()
    with held.account("somebody-new") as new:
        assert new.get("/v1/account").status_code == 200
        assert held.venue is not None
        seen = {"Onseju-Min-Seq": str(held.venue.exchange.head_seq)}  # an account is opened first, its cash comes next
        assert new.get("/v1/account", headers=seen).json()["cash"] == 10_000_000
        assert code(new.get(f"/v1/orders/{order['order_id']}")) == (404, "order_not_found")


def test_tables_that_no_longer_follow_refuse_reads(held: Server, me: httpx.Client) -> None:
    (held.settings.data_dir / "broken").touch()
    order = entered(me)
    for path in TABLES:
        answer = me.get(path, headers={"Onseju-Min-Seq": str(order["seq"])})
        assert code(answer) == (503, "projection_behind")
        assert code(me.get(path)) == (503, "projection_behind"), "never silently old"
    assert entered(me)["status"] == "new"
    assert all(me.get(path).status_code == 200 for path in MEMORY)


def test_a_database_that_does_not_answer_is_503(
    held: Server, me: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert held.venue is not None
    with monkeypatch.context() as patched:
        patched.setattr("onseju.projections.queries.MAX_PENDING", 0)
        assert code(me.get("/v1/orders")) == (503, "overloaded")
    database = held.settings.data_dir / "projections.db"
    held.venue.queries._engine.dispose()
    database.rename(database.with_suffix(".away"))
    assert code(me.get("/v1/orders")) == (503, "projection_behind")
    database.with_suffix(".away").rename(database)
    assert me.get("/v1/orders").status_code == 200
