"""Sign up, buy one share at market, and see the fill arrive on the event stream.

Start the exchange with `onseju up`, then run `python examples/first_fill.py [--url http://127.0.0.1:8000]`.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import json
import secrets

import httpx

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--url", default="http://127.0.0.1:8000")
parser.add_argument("--symbol", default="005930")
options = parser.parse_args()

with httpx.Client(base_url=options.url, timeout=30) as http:
    # A user with play money, a session, and with it an API key: all that a program needs from then on.
    login = {"name": f"visitor-{secrets.token_hex(4)}", "password": secrets.token_urlsafe(16)}
    try:
        http.post("/v1/users", json=login).raise_for_status()
    except httpx.ConnectError:
        raise SystemExit(f"Nobody answers at {options.url}. Start the exchange first: onseju up") from None
    session = http.post("/v1/session", json=login).raise_for_status()
    proof = {"Cookie": session.headers["set-cookie"].split(";")[0], "X-CSRF-Token": session.json()["csrf_token"]}
    wanted = {"name": "first fill", "scopes": ["read", "trade"]}
    key = http.post("/v1/api-keys", json=wanted, headers=proof).raise_for_status().json()["api_key"]
    http.cookies.clear()
    http.headers["Authorization"] = f"Bearer {key}"

    with http.stream("GET", "/v1/stream") as stream:
        stream.raise_for_status()
        order = {"symbol": options.symbol, "side": "buy", "type": "market", "qty": 1}
        print("order:", http.post("/v1/orders", json=order).raise_for_status().json()["status"])
        for line in stream.iter_lines():
            if line.startswith("data:"):
                event = json.loads(line.removeprefix("data:"))
                if event["type"] == "fill":
                    fill = event["data"]
                    print(
                        f"fill: {fill['side']} {fill['qty']} {fill['symbol']} at {fill['price']:,} won, event {event['id']}"
                    )
                    break
