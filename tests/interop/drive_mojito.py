"""Runs mojito2 against a simulator, in the clients' own environment: prints what it parsed, a JSON line each.

Arguments: the HTTP and the WebSocket address, the symbol, how many trades and books to wait for. Only the two hosts are
patched. mojito2 does not declare that it needs pandas; what is used here does not need it.
"""

import json
import multiprocessing
import sys
import types

sys.modules.setdefault("pandas", types.ModuleType("pandas"))

import mojito  # noqa: E402
import websockets  # noqa: E402

REAL_HOST = "ws://ops.koreainvestment.com:21000"


def main(http, ws, symbol, trades, books):
    multiprocessing.set_start_method("fork")
    connect = websockets.connect
    websockets.connect = lambda uri, **options: connect(uri.replace(REAL_HOST, ws), **options)
    broker = mojito.KoreaInvestmentWS("P" * 36, "S" * 180, ["H0STCNT0", "H0STASP0"], [symbol])
    broker.base_url = http
    broker.start()
    waited = {"체결": trades, "호가": books}
    while any(waited.values()):
        what, values = broker.queue.get(timeout=60)
        waited[what] -= 1
        print("PARSED", json.dumps(trade(values) if what == "체결" else book(values)), flush=True)
    broker.terminate()


def trade(values):
    return {
        "what": "trade",
        "symbol": values["유가증권단축종목코드"],
        "time": f"{values['영업일자']} {values['주식체결시간']}",
        "price": int(values["주식현재가"]),
        "change": int(values["전일대비"]),
        "sign": int(values["전일대비부호"]),
        "open": [int(values["주식시가"]), values["시가시간"]],
        "high": [int(values["주식최고가"]), values["최고가시간"]],
        "low": [int(values["주식최저가"]), values["최저가시간"]],
        "ask": int(values["매도호가1"]),
        "bid": int(values["매수호가1"]),
        "volume": int(values["누적거래량"]),
        "turnover": int(values["누적거래대금"]),
        "counts": [int(values["매수체결건수"]), int(values["매도체결건수"])],
        "quantities": [int(values["총매수수량"]), int(values["총매도수량"])],
        "qty": int(values["체결거래량"]),
        "taker": values["체결구분"],
    }


def book(values):
    def side(name):
        return [[int(values[f"{name}{level:02d}"]), int(values[f"{name}잔량{level:02d}"])] for level in range(1, 11)]

    return {
        "what": "book",
        "symbol": values["유가증권 단축 종목코드"],
        "time": values["영업시간"],
        "asks": side("매도호가"),
        "bids": side("매수호가"),
    }


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5]))
