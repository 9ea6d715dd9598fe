"""A server on a small disk of its own that fills up: orders get 503, cancels and reads go on, and so does all when there is
room again. The disk is a tmpfs, so this needs the right to mount one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import httpx
import pytest

from tests.serverprocess import ServerProcess

SYMBOL = "005930"
TRADERS = 8
CANCELS = 50
WITHIN_S = 60
MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root may mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def fill(path: Path) -> None:
    """Take what is left of the disk."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(MIB // 16))
        except OSError:
            pass
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            return


def until(what: str, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end, f"not within {WITHIN_S} s: {what}"
        time.sleep(0.02)


def order(client: httpx.Client, price: int) -> httpx.Response:
    body = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 1, "limit_price": price}
    return client.post("/v1/orders", json=body)


def test_a_full_disk_refuses_orders_and_nothing_else(small_disk: Path) -> None:
    server = ServerProcess(small_disk / "data", env={"ONSEJU_READY_FREE_MIB": "0"}).start()
    try:
        keys = [server.account(f"trader{number}", cash=10**12) for number in range(TRADERS)]
        filler = small_disk / "filler"
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.client(key)) for key in keys]
            symbols = {row["symbol"]: row for row in clients[0].get("/v1/symbols").json()["symbols"]}
            base = symbols[SYMBOL]["base_price"]
            fill(filler)
            acknowledged: list[tuple[httpx.Client, int]] = []
            for client in cycle(clients):
                answer = order(client, base)
                if answer.status_code != 201:
                    break
                acknowledged.append((client, answer.json()["order_id"]))
            assert (answer.status_code, answer.json()["code"]) == (503, "disk_full"), answer.text
            assert "disk is full" in answer.json()["detail"]
            assert int(answer.headers["Retry-After"]) >= 1
            assert len(acknowledged) > 100, "the segment's own room comes first"

            for client, order_id in acknowledged[-CANCELS:]:
                assert client.delete(f"/v1/orders/{order_id}").status_code == 200
            client = clients[0]
            assert order(client, base).json()["code"] == "disk_full"
            assert client.get("/v1/account").status_code == 200
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["obstacles"][0]["code"]) == (503, "disk_full")
            host_did = {"name": "late", "kind": "bot", "cash": 1}
            with server.admin() as admin:
                assert admin.post("/v1/admin/accounts", json=host_did).json()["code"] == "disk_full"
                assert admin.post("/v1/admin/halt", json={"symbol": SYMBOL}).status_code == 200
                assert admin.post("/v1/admin/resume", json={"symbol": SYMBOL}).status_code == 200
            assert open_at_best(client) == len(acknowledged) - CANCELS

            filler.unlink()
            until("orders are taken again", lambda: order(client, base).status_code == 201)
            seq = client.get(f"/v1/book/{SYMBOL}").json()["seq"]
            until(
                "the tables follow",
                lambda: client.get("/v1/orders", headers={"Onseju-Min-Seq": str(seq)}).status_code == 200,
            )
            assert client.get("/readyz").status_code == 200
            with server.admin() as admin:
                deeds = admin.get("/v1/admin/audit", headers={"Onseju-Min-Seq": str(seq)}).json()["deeds"]
            assert {deed["action"] for deed in deeds[:2]} == {"halt", "resume"}, (
                "what a host does passes on a full disk"
            )
        server.kill()
        server.start()
        with server.client(keys[0]) as client:
            assert open_at_best(client) == len(acknowledged) - CANCELS + 1
    finally:
        server.stop()


def open_at_best(client: httpx.Client) -> int:
    """Shares bid for at the best price."""
    return int(client.get(f"/v1/book/{SYMBOL}").json()["bids"][0][1])
