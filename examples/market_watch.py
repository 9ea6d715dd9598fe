"""Watch one instrument live: the best five levels of its book and every trade, over the WebSocket. No account needed.

Start the exchange with `onseju up`, then run `python examples/market_watch.py --symbol 005930`. Ctrl-C ends it.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import contextlib
import json
import time
from typing import Any

from websockets.sync.client import connect

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--url", default="http://127.0.0.1:8000")
parser.add_argument("--symbol", default="005930")
parser.add_argument("--seconds", type=float, help="end after so long; without it, go on")
options = parser.parse_args()

Book = dict[str, dict[int, int]]


def apply(book: Book, event: dict[str, Any]) -> None:
    """Bring the book to where the event says: a snapshot replaces it; in a delta quantities are absolute, 0 deletes."""
    for side in ("bids", "asks"):
        if event["type"] == "snapshot":
            book[side] = {}
        for price, qty, _orders in event["data"][side]:
            if qty:
                book[side][price] = qty
            else:
                book[side].pop(price, None)


def draw(book: Book) -> str:
    """The book as a ladder: asks above, bids below."""
    asks = [f"{book['asks'][price]:>10,} | {price:>10,} |" for price in sorted(book["asks"])[:5]]
    bids = [f"{'':>10} | {price:>10,} | {book['bids'][price]:>10,}" for price in sorted(book["bids"], reverse=True)[:5]]
    return "\n".join([*reversed(asks), *bids, ""])


def main() -> None:
    """Print what comes until the time is over."""
    book: Book = {"bids": {}, "asks": {}}
    last_id = None
    end = time.monotonic() + options.seconds if options.seconds else None
    with connect(options.url.replace("http", "ws", 1) + "/v1/ws", proxy=None) as socket:
        channels = [
            {"name": "book", "symbols": [options.symbol], "depth": 5},
            {"name": "trades", "symbols": [options.symbol]},
        ]
        socket.send(json.dumps({"op": "subscribe", "channels": channels}))
        while True:
            event = json.loads(socket.recv(end and max(0.0, end - time.monotonic())))
            if event.get("ch") == "book":
                if event["type"] != "snapshot" and event["prev"] != last_id:
                    raise SystemExit("A change was missed: run this again for a new snapshot.")
                last_id = event["id"]
                apply(book, event)
                print(draw(book))
            elif event.get("ch") == "trades" and event["type"] == "trade":
                trade = event["data"]
                print(f"{trade['ts']}  {trade['taker_side']}  {trade['qty']:,} at {trade['price']:,}\n", flush=True)


if __name__ == "__main__":
    try:
        with contextlib.suppress(KeyboardInterrupt, TimeoutError):
            main()
    except ConnectionRefusedError:
        raise SystemExit(f"Nobody answers at {options.url}. Start the exchange first: onseju up") from None
