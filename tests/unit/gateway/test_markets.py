"""The public market over HTTP against a real server: no key is needed, and nobody's name is told."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from onseju.gateway.markets import percent
from onseju.rules.instruments import DEMO
from tests.serverprocess import ServerProcess

SYMBOL, BASE = "068270", 183_700
"""Nobody else's tests trade it on the shared server."""

KST = timezone(timedelta(hours=9))

_names = (f"market-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def trader(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client(server.account(next(_names), cash=100_000_000, s068270=1000)) as client:
        yield client


@pytest.fixture(scope="module")
def traded(trader: httpx.Client) -> int:
    """Five trades of 1 to 5 shares at rising prices; gives the last command's number."""
    for qty in range(1, 6):
        price = BASE + 100 * qty
        for side in ("sell", "buy"):
            body = {"symbol": SYMBOL, "side": side, "type": "limit", "qty": qty, "limit_price": price}
            answer = trader.post("/v1/orders", json=body)
            assert answer.status_code == 201, answer.text
    assert answer.json()["filled_qty"] == 5
    return int(answer.json()["seq"])


@pytest.fixture
def public(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def read(client: httpx.Client, path: str, seq: int = 0, **params: Any) -> Any:
    answer = client.get(path, params=params, headers={"Onseju-Min-Seq": str(seq)})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Onseju-Seq"] == str(answer.json()["seq"])
    assert answer.json()["seq"] >= seq
    return answer.json()


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_instruments(public: httpx.Client, traded: int) -> None:
    told = read(public, "/v1/symbols", traded)
    assert (told["price_scale"], told["currency"]) == (0, "KRW")
    rows = told["symbols"]
    assert [(row["symbol"], row["name"], row["base_price"]) for row in rows] == [
        (demo.symbol, demo.name, demo.base_price) for demo in DEMO
    ]
    row = next(row for row in rows if row["symbol"] == SYMBOL)
    assert (row["board"], row["security"], row["phase"]) == ("kospi", "stock", "continuous")
    assert (row["upper_limit"], row["lower_limit"]) == (238_500, 128_600)
    assert row["tick_bands"][0] == {"from_price": 0, "tick": 1}
    assert row["tick_bands"][-1] == {"from_price": 500_000, "tick": 1000}
    assert (row["last_price"], row["change"], row["change_percent"]) == (BASE + 500, 500, "0.27")
    assert (row["day_open"], row["day_high"], row["day_low"]) == (BASE + 100, BASE + 500, BASE + 100)
    assert row["day_volume"] == 15
    assert row["day_turnover"] == sum(qty * (BASE + 100 * qty) for qty in range(1, 6))
    assert (row["day_vwap"], row["settlement_days"]) == (f"{BASE + 366}.6666", 2)
    assert (row["previous_price"], row["phase_reason"], row["vi_count"]) == (BASE + 500, None, 0)
    assert row["phase_since"] is not None
    assert (row["indicative_price"], row["indicative_qty"]) == (None, None)
    assert set(row["immediate_types"]) == {"limit", "market", "best_opposite", "midpoint"} < set(row["order_types"])
    quiet = next(row for row in rows if row["symbol"] == "373220")
    assert (quiet["last_price"], quiet["change"], quiet["change_percent"], quiet["day_open"]) == (None,) * 4


def test_the_clock(public: httpx.Client) -> None:
    clock = read(public, "/v1/clock")
    now = datetime.fromisoformat(clock["now"])
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)
    assert abs(datetime.fromisoformat(clock["trading_day"] + "T12:00:00+09:00") - now) < timedelta(days=2)
    assert clock["phase"] == "continuous"


def test_the_rules_of_an_instrument(server: ServerProcess, public: httpx.Client) -> None:
    fees = {"commission_ppm": 160, "transaction_tax_ppm": 510, "rural_tax_ppm": 1510, "max_order_qty": 900}
    rows = {row["symbol"]: row for row in read(public, "/v1/symbols")["symbols"]}
    before = {name: rows[SYMBOL][name] for name in fees}
    assert before["max_order_qty"] == 0
    with server.admin() as admin:
        for name, value in fees.items():
            body = {"rule": name, "value": value, "symbol": SYMBOL}
            assert admin.post("/v1/admin/rules", json=body).status_code == 200
        try:
            rows = {row["symbol"]: row for row in read(public, "/v1/symbols")["symbols"]}
            assert {name: rows[SYMBOL][name] for name in fees} == fees
            assert rows["005930"]["commission_ppm"] == before["commission_ppm"]
        finally:
            for name, value in before.items():
                body = {"rule": name, "value": value, "symbol": SYMBOL}
                assert admin.post("/v1/admin/rules", json=body).status_code == 200


def test_the_book(public: httpx.Client, trader: httpx.Client, traded: int) -> None:
    orders = [
        {"symbol": SYMBOL, "side": side, "type": "limit", "qty": 2 + n, "limit_price": BASE + sign * 1000 * (n + 1)}
        for n in range(12)
        for side, sign in (("buy", -1), ("sell", 1))
    ]
    answer = trader.post("/v1/orders:batch", json={"orders": orders})
    assert all("order" in item for item in answer.json()["results"]), answer.text
    seq = int(answer.headers["Onseju-Seq"])
    book = read(public, f"/v1/book/{SYMBOL}", seq)
    assert book["symbol"] == SYMBOL
    assert book["bids"] == [[BASE - 1000 * (n + 1), 2 + n, 1] for n in range(10)]
    assert book["asks"] == [[BASE + 1000 * (n + 1), 2 + n, 1] for n in range(10)]
    assert len(read(public, f"/v1/book/{SYMBOL}", depth=1)["asks"]) == 1
    assert len(read(public, f"/v1/book/{SYMBOL}", depth=100)["bids"]) == 12
    trader.delete("/v1/orders")


def test_trades_newest_first_without_the_parties(public: httpx.Client, traded: int) -> None:
    first = read(public, f"/v1/trades/{SYMBOL}", traded, limit=2)
    rest = read(public, f"/v1/trades/{SYMBOL}", cursor=first["next_cursor"])
    rows = first["trades"] + rest["trades"]
    assert [(row["price"], row["qty"], row["taker_side"]) for row in rows] == [
        (BASE + 100 * qty, qty, "buy") for qty in range(5, 0, -1)
    ]
    assert rest["next_cursor"] is None
    assert set(rows[0]) == {"symbol", "trade_id", "price", "qty", "taker_side", "ts"}


@pytest.mark.parametrize("interval", ["1m", "3m", "5m", "15m", "30m", "60m", "1d"])
def test_candles(public: httpx.Client, traded: int, interval: str) -> None:
    page = read(public, f"/v1/candles/{SYMBOL}", traded, interval=interval)
    assert (page["symbol"], page["interval"]) == (SYMBOL, interval)
    candles = page["candles"]
    assert sum(candle["volume"] for candle in candles) == 15
    assert sum(candle["trade_count"] for candle in candles) == 5
    assert sum(candle["turnover"] for candle in candles) == sum(qty * (BASE + 100 * qty) for qty in range(1, 6))
    assert (candles[-1]["open"], candles[0]["close"]) == (BASE + 100, BASE + 500)
    newest = candles[0]["ts"]
    assert read(public, f"/v1/candles/{SYMBOL}", interval=interval, **{"from": newest})["candles"] == candles[:1]
    assert read(public, f"/v1/candles/{SYMBOL}", interval=interval, to=newest)["candles"] == candles[1:]
    korean = datetime.fromisoformat(newest).astimezone(KST).isoformat()
    assert "+09:00" in korean
    same = public.get(f"/v1/candles/{SYMBOL}?interval={interval}&from={korean}")  # its plus sign is not encoded
    assert same.json()["candles"] == candles[:1]


@pytest.mark.parametrize("path", ["/v1/book", "/v1/trades", "/v1/candles"])
@pytest.mark.parametrize("symbol", ["999999", "%00", "%F0%9F%98%80", "005930 ", "x" * 2000])
def test_an_unknown_symbol_is_404(public: httpx.Client, path: str, symbol: str) -> None:
    assert code(public.get(f"{path}/{symbol}")) == (404, "unknown_symbol")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/book/068270?depth=0", "depth"),
        ("/v1/book/068270?depth=101", "depth"),
        ("/v1/book/068270?depth=x", "depth"),
        ("/v1/trades/068270?limit=0", "limit"),
        ("/v1/trades/068270?cursor=no", "cursor"),
        ("/v1/candles/068270?interval=2m", "interval"),
        ("/v1/candles/068270?limit=1001", "limit"),
        ("/v1/candles/068270?from=yesterday", "from"),
        ("/v1/candles/068270?from=2026-11-23T00:00:00", "from"),
        ("/v1/candles/068270?to=2026-11-23T25:00:00Z", "to"),
        ("/v1/candles/068270?to=99999-01-01T00:00:00Z", "to"),
    ],
)
def test_a_wrong_parameter_is_named(public: httpx.Client, path: str, field: str) -> None:
    answer = public.get(path)
    assert code(answer) == (400, "malformed")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00"])
def test_the_ends_of_time_are_times(public: httpx.Client, moment: str) -> None:
    for interval in ("1m", "5m", "1d"):
        for name in ("from", "to"):
            answer = public.get(f"/v1/candles/{SYMBOL}", params={"interval": interval, name: moment})
            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("change", "base", "want"),
    [(0, 100, "0.00"), (500, 183_700, "0.27"), (-1, 3, "-33.33"), (-1, 10**9, "0.00"), (300, 100, "300.00")],
)
def test_percent_is_cut_off(change: int, base: int, want: str) -> None:
    assert percent(change, base) == want
