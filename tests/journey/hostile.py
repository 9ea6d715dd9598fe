"""What the tests of bad input share: raw bytes to the server, and the check that it took no harm."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.serverprocess import ServerProcess

SYMBOL = "005930"
WAIT_S = 20.0
CALM = {
    "ONSEJU_QUERY_RATE_PER_S": "100000",
    "ONSEJU_CANCEL_RATE_PER_S": "100000",
}
"""No rate limit is in the way of what is tried."""

ALARMS = ("unexpected error", "Traceback", "Fatal error", "response broken off", "never retrieved", "Exception in")
"""What the log says when the program itself erred."""


class Trader:
    """An account with a client of the API. Open it as a context."""

    def __init__(self, server: ServerProcess, name: str, cash: int = 10**9, shares: int = 1000) -> None:
        self.server = server
        self.key = server.account(name, cash=cash, s005930=shares)
        self.http = server.client(self.key)
        self.account_id: int = self.http.get("/v1/account").json()["account_id"]

    def post(self, body: Any, path: str = "/v1/orders") -> httpx.Response:
        return self.http.post(path, json=body)

    def send(self, method: str, path: str, content: bytes | str, **headers: str) -> httpx.Response:
        """A body as it is, named JSON unless the headers say otherwise."""
        return self.http.request(method, path, content=content, headers={"content-type": "application/json"} | headers)

    def rest(self, base: int, qty: int = 2, **more: Any) -> Any:
        """An open order below the market."""
        body = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": qty, "limit_price": base - 1000}
        answer = self.post(body | more)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def cancel(self, order_id: int) -> None:
        answer = self.http.delete(f"/v1/orders/{order_id}")
        assert answer.status_code == 200, answer.text

    def money(self, seq: int) -> tuple[int, int, int, int]:
        """Cash, reserved cash, shares, reserved shares."""
        headers = {"Onseju-Min-Seq": str(seq)}
        account = self.http.get("/v1/account", headers=headers).json()
        held = self.http.get("/v1/positions", headers=headers).json()["positions"]
        return (
            account["cash"],
            account["reserved"],
            sum(row["qty"] for row in held),
            sum(row["reserved_qty"] for row in held),
        )


def order(base: int, **changes: Any) -> dict[str, Any]:
    """A good order below the market, changed. None leaves a field out."""
    body = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 1, "limit_price": base - 1000} | changes
    return {name: value for name, value in body.items() if value is not None}


def written(body: dict[str, Any], field: str, text: str) -> str:
    """The body's JSON, with `text` as it is for a field's value."""
    return json.dumps(body | {field: "@"}).replace('"@"', text)


def refused(answer: httpx.Response, status: int, code: str) -> Any:
    """The problem document of a refusal, which must be this one."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert problem["detail"]
    return problem


def base_price(http: httpx.Client) -> int:
    rows = http.get("/v1/symbols").json()["symbols"]
    return int(next(row["base_price"] for row in rows if row["symbol"] == SYMBOL))


def memory_mib(server: ServerProcess) -> float:
    """The server's memory."""
    with open(f"/proc/{server.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@contextmanager
def unharmed(server: ServerProcess, *traders: Trader) -> Iterator[None]:
    """Whatever happens inside, afterwards: nothing is reserved, cash and shares are conserved, the log is calm, and a
    normal order works."""
    seq = traders[0].http.get("/v1/clock").json()["seq"]
    before = [trader.money(seq) for trader in traders]
    lines = len(server.output)
    yield
    assert server.alive
    seq = traders[0].http.get("/v1/clock").json()["seq"]
    for trader in traders:
        answer = trader.http.get("/v1/orders", params={"status": "open"}, headers={"Onseju-Min-Seq": str(seq)})
        assert answer.json()["orders"] == []
    base = base_price(traders[0].http)
    order = traders[0].rest(base, qty=1)
    assert order["status"] == "new"
    answer = traders[0].http.delete(f"/v1/orders/{order['order_id']}")
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    after = [trader.money(answer.json()["seq"]) for trader in traders]
    assert [(row[1], row[3]) for row in after] == [(0, 0)] * len(traders)
    for kind in (0, 2):
        assert sum(row[kind] for row in after) == sum(row[kind] for row in before)
    said = [line for line in server.output[lines:] if any(alarm in line for alarm in ALARMS)]
    assert said == [], "".join(server.output[lines:])


def connect(server: ServerProcess, timeout: float = WAIT_S) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)


def raw(server: ServerProcess, *parts: bytes) -> bytes:
    """What the server answers to these bytes, until it closes. It may close before it has read them all."""
    with connect(server) as connection:
        received = b""
        try:
            for part in parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return received
