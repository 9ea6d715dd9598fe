"""A small market maker: each round it joins the best bid and the best ask with one share, and cancels what is left.

It shows the two things that every bot needs: an order that may be sent again after any failure, because the same
`client_order_id` takes effect once; and an event stream that goes on where it stopped, by `Last-Event-ID`.

Make an account with `onseju account create mybot`, put its key into ONSEJU_API_KEY, then run
`python examples/simple_bot.py [--url http://127.0.0.1:8000] [--symbol 005930] [--rounds 5]`.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--url", default="http://127.0.0.1:8000")
parser.add_argument("--symbol", default="005930")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--seconds", type=float, default=5.0, help="how long a round lasts")
options = parser.parse_args()


async def send(http: httpx.AsyncClient, method: str, path: str, **more: Any) -> dict[str, Any]:
    """Send until there is an answer. Safe for orders because they carry an id of ours: a repeat changes nothing."""
    while True:
        try:
            answer = await http.request(method, path, **more)
        except httpx.TransportError:
            await asyncio.sleep(1)
            continue
        if answer.status_code not in (429, 503):
            content: dict[str, Any] = answer.json()
            return content
        await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))


async def events(http: httpx.AsyncClient) -> AsyncIterator[dict[str, Any]]:
    """All events of the account from now on, without a gap and without a repeat, whatever happens to the connection."""
    last_id = ""
    while True:
        try:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            async with http.stream("GET", "/v1/stream", headers=headers) as stream:
                stream.raise_for_status()
                async for line in stream.aiter_lines():
                    if line.startswith("id:"):
                        last_id = line.removeprefix("id:").strip()
                    elif line.startswith("data:"):
                        yield json.loads(line.removeprefix("data:"))
        except (httpx.TransportError, httpx.HTTPStatusError):
            pass  # the server is away or busy: try again
        await asyncio.sleep(1)


async def report(http: httpx.AsyncClient) -> None:
    """Print fills and the position as they come."""
    async for event in events(http):
        data = event["data"]
        if event["type"] == "fill":
            print(f"fill      {data['side']} {data['qty']} {data['symbol']} at {data['price']:,}")
        elif event["type"] == "account" and data["kind"] == "position":
            print(f"position  {data['qty']} {data['symbol']}, profit {data['realized_profit']:,}")


async def trade(http: httpx.AsyncClient) -> None:
    """Join the best prices, wait, take back what is left."""
    run = secrets.token_hex(4)
    for number in range(options.rounds):
        book = await send(http, "GET", f"/v1/book/{options.symbol}")
        for side, levels in (("buy", book["bids"]), ("sell", book["asks"])):
            if not levels:
                continue
            order = {
                "symbol": options.symbol,
                "side": side,
                "type": "limit",
                "qty": 1,
                "limit_price": levels[0][0],
                "client_order_id": f"{run}-{number}-{side}",
            }
            answer = await send(http, "POST", "/v1/orders", json=order)
            print(f"order     {side} 1 at {levels[0][0]:,}: {answer.get('status') or answer['code']}")
        await asyncio.sleep(options.seconds)
        await send(http, "DELETE", "/v1/orders", params={"symbol": options.symbol})


async def main() -> None:
    """Trade and report until all rounds are done."""
    key = os.environ.get("ONSEJU_API_KEY")
    if not key:
        raise SystemExit("Put an API key (KEY.SECRET) into ONSEJU_API_KEY: onseju account create mybot")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=options.url, headers=headers, timeout=30) as http:
        reporting = asyncio.create_task(report(http))
        await trade(http)
        reporting.cancel()


if __name__ == "__main__":
    asyncio.run(main())
