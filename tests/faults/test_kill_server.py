"""`kill -9` of the server in the middle of a burst: every acknowledged order is there after the restart, once."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.serverprocess import ServerProcess

ROUNDS = int(os.environ.get("ONSEJU_KILL_ROUNDS", "20"))
TRADERS = 4
SYMBOL = "005930"


class Trader(threading.Thread):
    """Sends orders one after another until its connection breaks, and keeps a ledger of what was acknowledged."""

    def __init__(self, server: ServerProcess, key: str, name: str, ledger: dict[str, int], base: int) -> None:
        super().__init__(daemon=True)
        self.server, self.key, self.label, self.ledger, self.base = server, key, name, ledger, base
        self.sent: list[str] = []
        self.unexpected: list[str] = []

    def run(self) -> None:
        draw = random.Random(self.label)
        with self.server.client(self.key) as client:
            while True:
                cid = f"{self.label}.{len(self.sent)}"
                order = {
                    "symbol": SYMBOL,
                    "side": draw.choice(["buy", "sell"]),
                    "type": "limit",
                    "qty": 1,
                    "limit_price": self.base + 100 * draw.randint(-3, 3),
                    "client_order_id": cid,
                }
                self.sent.append(cid)
                try:
                    answer = client.post("/v1/orders", json=order)
                except httpx.TransportError:
                    return  # the server was killed: whether this one was taken is not known
                if answer.status_code == 201:
                    self.ledger[cid] = answer.json()["order_id"]
                elif answer.status_code not in (422, 503):
                    self.unexpected.append(answer.text)


def orders_of(client: httpx.Client) -> list[dict]:
    """All orders of an account, page by page."""
    found: list[dict] = []
    cursor = None
    while True:
        page = client.get("/v1/orders", params={"limit": 1000, **({"cursor": cursor} if cursor else {})}).json()
        found += page["orders"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def fees_of(client: httpx.Client) -> int:
    """What all orders of an account paid to the venue. A fill tells its order's sums so far."""
    paid: dict[int, int] = {}
    cursor = None
    while True:
        page = client.get("/v1/fills", params={"limit": 1000, **({"cursor": cursor} if cursor else {})}).json()
        for fill in page["fills"]:
            paid[fill["order_id"]] = max(paid.get(fill["order_id"], 0), fill["commission"] + fill["tax"])
        cursor = page["next_cursor"]
        if cursor is None:
            return sum(paid.values())


@pytest.mark.timeout(7200)
def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    seed = int(os.environ.get("ONSEJU_SEED", "0")) or random.randrange(1, 2**32)
    print(f"seed {seed}: rerun with ONSEJU_SEED={seed}")
    draw = random.Random(seed)
    server = ServerProcess(tmp_path / "data", env={"ONSEJU_SNAPSHOT_EVERY_COMMANDS": "50"}).start()
    try:
        keys = [server.account(f"trader{n}", cash=10**12, s005930=10**6) for n in range(TRADERS)]
        with server.client() as client:
            base = client.get("/v1/book/" + SYMBOL).json()
            symbols = {row["symbol"]: row for row in client.get("/v1/symbols").json()["symbols"]}
        assert base["symbol"] == SYMBOL
        ledgers: list[dict[str, int]] = [{} for _ in keys]
        sent = 0
        for round_ in range(ROUNDS):
            traders = [
                Trader(server, key, f"r{round_}t{n}", ledgers[n], symbols[SYMBOL]["base_price"])
                for n, key in enumerate(keys)
            ]
            for trader in traders:
                trader.start()
            time.sleep(draw.uniform(0.05, 0.6))
            server.kill()
            for trader in traders:
                trader.join(30)
                assert not trader.unexpected
            sent += sum(len(trader.sent) for trader in traders)
            server.start()
            total_cash = total_shares = fees = 0
            for key, ledger in zip(keys, ledgers, strict=True):
                with server.client(key) as client:
                    there = orders_of(client)
                    by_cid = {order["client_order_id"]: order["order_id"] for order in there}
                    assert len(by_cid) == len(there), f"round {round_}: a client id stands on two orders"
                    missing = {cid for cid, order_id in ledger.items() if by_cid.get(cid) != order_id}
                    assert not missing, f"round {round_}: acknowledged, but lost: {sorted(missing)[:5]}"
                    total_cash += client.get("/v1/account").json()["cash"]
                    fees += fees_of(client)
                    total_shares += sum(
                        row["qty"] for row in client.get("/v1/positions").json()["positions"] if row["symbol"] == SYMBOL
                    )
            assert total_cash + fees == TRADERS * 10**12
            assert total_shares == TRADERS * 10**6
        acknowledged = sum(map(len, ledgers))
        print(f"{ROUNDS} kills, {sent} orders sent, {acknowledged} acknowledged, none lost, none doubled")
        assert acknowledged > ROUNDS
        assert fees > 0
        assert list((tmp_path / "data" / "journal" / "snapshots").glob("*.snapshot")), (
            "the starts had some to begin from"
        )
    finally:
        server.stop()
