"""Somebody signs up and sees the market move, by frames in KIS's format on a WebSocket that the browser opened itself."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from onseju.kis.layouts import TRADE_FIELDS
from tests.browser.conftest import Desks
from tests.browser.exchange import Market, Trader
from tests.browser.feedwatch import FeedWatch
from tests.browser.tradingpage import group

KIS_PATH = "/tryitout"


def test_a_stranger_signs_up_and_sees_prices_move(living_desks: Desks, feed: FeedWatch) -> None:
    desk = living_desks.open()
    desk.sign_up("온세주학생", "a long password")
    desk.wait_until_ready()
    frame = feed.wait_for_frame(desk.page, KIS_PATH, "0|H0STCNT0|")
    count, payload = frame.split("|")[2:4]
    fields = payload.split("^")
    assert len(fields) % int(count) == 0
    assert len(fields) // int(count) >= len(TRADE_FIELDS)
    symbols = {json.loads(text)["body"]["input"]["tr_key"] for url, text in feed.sent if "H0STCNT0" in text}
    assert len(symbols) == 10, "all listed instruments are registered"
    feed.wait_for_frame(desk.page, KIS_PATH, "0|H0STASP0|")
    before = desk.listed("005930").inner_text(), desk.last_price.inner_text(), desk.tape.inner_text()
    expect(desk.tape).not_to_have_text(before[2])
    expect(desk.list.locator("[data-stale]")).to_have_count(0)
    expect(desk.head.locator("[data-stale]")).to_have_count(0)


def test_the_prices_are_those_of_the_frames(desks: Desks, market: Market, maker: Trader, feed: FeedWatch) -> None:
    symbol = "005380"
    instrument = market.book(maker, symbol)
    person = market.person()
    desk = desks.log_in(person, symbol=symbol)
    for steps in (1, 2, -1):
        price = instrument.up(steps)
        if steps == 2:
            maker.order(symbol, "buy", 93, instrument.up(1))
        maker.order(symbol, "buy" if steps > 0 else "sell", 7, price)
        frame = feed.wait_for_frame(desk.page, KIS_PATH, f"0|H0STCNT0|001|{symbol}^")
        assert frame.split("|")[3].split("^")[0] == symbol
        expect(desk.last_price).to_have_text(group(price))
        expect(desk.listed(symbol)).to_contain_text(group(price))
        expect(desk.head).to_contain_text(desk.words["way.up" if steps > 0 else "way.down"])
        expect(desk.tape.get_by_role("listitem").first).to_contain_text(group(price))
    prices = [frame.split("|")[3].split("^")[2] for frame in feed.frames(KIS_PATH, f"0|H0STCNT0|001|{symbol}^")]
    assert prices[-1] == str(instrument.up(-1))


def test_the_ladder_is_our_own_book(desks: Desks, market: Market, maker: Trader) -> None:
    symbol = "373220"
    instrument = market.book(maker, symbol)
    desk = desks.log_in(market.person(), symbol=symbol)
    for step in (1, 5, 9):
        expect(desk.level(instrument.up(step)).locator(".qty")).to_have_text(group(100 * step))
        expect(desk.level(instrument.up(-step)).locator(".qty")).to_have_text(group(100 * step))
    maker.order(symbol, "buy", 40, instrument.up(1))
    expect(desk.level(instrument.up(1)).locator(".qty")).to_have_text("60")
    desk.level(instrument.up(3)).get_by_role("button").click()
    expect(desk.price).to_have_value(group(instrument.up(3)))
