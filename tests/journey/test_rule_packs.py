"""`onseju up --rules FILE.toml` with the documented packs: the bots trade, and so can a person, in the pack's money."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from onseju.rules.pack_file import parse
from tests.journey.rule_packs import EXAMPLES, write_example
from tests.serverprocess import ServerProcess

CASH = 100_000_000
WAIT_S = 60.0
SHOWN = {"us": (2, "USD"), "classroom": (0, "KRW")}
SAID = {"us": ("$0.50", "$0.50"), "classroom": ("50원", "₩50")}
"""A price of 50, in Korean and in English."""

Row = dict[str, Any]


def wait_for(look: Callable[[httpx.Client, str], Row | None], client: httpx.Client, symbol: str) -> Row:
    """What `look` gives once it gives something."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        found = look(client, symbol)
        if found is not None:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{symbol} is not {look.__name__} within {WAIT_S:.0f} s")


def read(client: httpx.Client, path: str, **headers: str) -> Row:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    content: Row = answer.json()
    return content


def two_sided(client: httpx.Client, symbol: str) -> Row | None:
    book = read(client, f"/v1/book/{symbol}")
    return book if book["bids"] and book["asks"] else None


def traded(client: httpx.Client, symbol: str) -> Row | None:
    row = next(row for row in read(client, "/v1/symbols")["symbols"] if row["symbol"] == symbol)
    return row if row["day_volume"] > 0 else None


@pytest.fixture(scope="module", params=sorted(EXAMPLES))
def venue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server under one of the packs, with bots."""
    folder = tmp_path_factory.mktemp(request.param)
    rules = write_example(request.param, folder)
    process = ServerProcess(folder / "data", "--rules", str(rules), "--seed", "7", bots=True).start()
    yield process
    process.stop()


def name_of(venue: ServerProcess) -> str:
    return venue.data_dir.parent.joinpath(venue.options[1]).stem


def test_the_documented_packs_are_these_two() -> None:
    assert EXAMPLES.keys() == SHOWN.keys()


def test_it_lists_what_the_file_says(venue: ServerProcess) -> None:
    name = name_of(venue)
    pack = parse(EXAMPLES[name].encode())
    with venue.client() as public:
        told = read(public, "/v1/symbols")
        assert (told["price_scale"], told["currency"]) == SHOWN[name]
        assert [(row["symbol"], row["name"], row["base_price"]) for row in told["symbols"]] == [
            (listed.symbol, listed.name, listed.base_price) for listed in pack.instruments
        ]
        clock = read(public, "/v1/clock")
        assert (clock["price_scale"], clock["currency"]) == SHOWN[name]


def test_bots_quote_and_trade_and_fill_my_order(venue: ServerProcess) -> None:
    symbols = [listed.symbol for listed in parse(EXAMPLES[name_of(venue)].encode()).instruments]
    with venue.client(venue.account(f"taker-{name_of(venue)}", cash=CASH)) as me:
        for symbol in symbols:
            wait_for(traded, me, symbol)
            book = wait_for(two_sided, me, symbol)
            best = book["asks"][0][0]
            tick = best - book["bids"][0][0]
            order = {"symbol": symbol, "side": "buy", "type": "limit", "qty": 3, "limit_price": best + 10 * tick}
            answer = me.post("/v1/orders", json=order)
            assert answer.status_code == 201, answer.text
            filled = answer.json()
            assert (filled["status"], filled["filled_qty"]) == ("filled", 3)
            prices = {fill["price"] for fill in filled["fills"]}
            row = next(row for row in read(me, "/v1/symbols")["symbols"] if row["symbol"] == symbol)
            assert row["day_low"] <= min(prices)
            assert max(prices) <= row["day_high"]
            assert row["day_volume"] >= 3


def test_the_story_names_prices_in_the_packs_money(venue: ServerProcess) -> None:
    name = name_of(venue)
    symbol = parse(EXAMPLES[name].encode()).instruments[0].symbol
    with venue.client(venue.account(f"waiter-{name}", cash=CASH)) as me:
        form = {"symbol": symbol, "side": "buy", "type": "limit", "qty": 2, "limit_price": 50}
        order = me.post("/v1/orders", json=form).json()
        path = f"/v1/orders/{order['order_id']}/story"
        for language, price in zip(("ko", "en"), SAID[name], strict=True):
            told = read(me, path, **{"Accept-Language": language, "Onseju-Min-Seq": str(order["seq"])})
            texts = [told["answer"]["text"], *(happening["text"] for happening in told["happenings"])]
            assert any(price in text for text in texts), texts
            assert not any(other in text for text in texts for other in ("₩0.50", "0.50원", "₩50.00"))


def test_its_money_outlives_a_start_that_names_no_pack(tmp_path: Path) -> None:
    process = ServerProcess(tmp_path / "data", "--rules", str(write_example("us", tmp_path))).start()
    process.stop()
    process.options = ()
    process.start()
    try:
        with process.client() as public:
            told = read(public, "/v1/symbols")
            assert (told["price_scale"], told["currency"]) == SHOWN["us"]
            assert [row["symbol"] for row in told["symbols"]] == ["ACME"]
    finally:
        process.stop()
