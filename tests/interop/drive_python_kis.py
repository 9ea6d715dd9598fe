"""Runs python-kis against a simulator, in the clients' own environment: prints what it parsed, a JSON line each.

Arguments: the HTTP and the WebSocket address, the symbol, how many trades and books to wait for. Only the two hosts are
patched.
"""

import json
import queue
import sys

import pykis.client.websocket
import pykis.kis
from pykis import PyKis
from pykis.api.websocket.order_book import on_order_book
from pykis.api.websocket.price import on_price


def main(http, ws, symbol, trades, books):
    pykis.kis.REAL_DOMAIN = http
    pykis.client.websocket.WEBSOCKET_REAL_DOMAIN = ws
    kis = PyKis(id="student", account="00000000-01", appkey="P" * 36, secretkey="S" * 180)
    heard = queue.Queue()
    client = kis.websocket
    client.ensure_connected(timeout=30)
    tickets = [
        on_price(client, "KRX", symbol, lambda _, args: heard.put(trade(args.response))),
        on_order_book(client, "KRX", symbol, lambda _, args: heard.put(book(args.response))),
    ]
    waited = {"trade": trades, "book": books}
    while any(waited.values()):
        values = heard.get(timeout=60)
        waited[values["what"]] -= 1
        print("PARSED", json.dumps(values), flush=True)
    for ticket in tickets:
        ticket.unsubscribe()
    client.disconnect()


def trade(price):
    return {
        "what": "trade",
        "symbol": price.symbol,
        "time": price.time_kst.strftime("%Y%m%d %H%M%S"),
        "price": int(price.price),
        "change": int(price.change),
        "sign": price.sign,
        "previous": int(price.prev_price),
        "open": [int(price.open), price.open_time_kst.strftime("%H%M%S")],
        "high": [int(price.high), price.high_time_kst.strftime("%H%M%S")],
        "low": [int(price.low), price.low_time_kst.strftime("%H%M%S")],
        "ask": int(price.ask),
        "bid": int(price.bid),
        "volume": price.volume,
        "turnover": int(price.amount),
        "counts": [price.buy_count, price.sell_count],
        "quantities": [price.buy_quantity, price.sell_quantity],
        "qty": int(price.raw()[12]),
        "taker": price.raw()[21],
    }


def book(levels):
    return {
        "what": "book",
        "symbol": levels.symbol,
        "time": levels.time_kst.strftime("%H%M%S"),
        "asks": [[int(level.price), level.volume] for level in levels.asks],
        "bids": [[int(level.price), level.volume] for level in levels.bids],
    }


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5]))
