"""Lost connections: the page says so, comes back by itself, misses nothing, says it once, and calls no old price live."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Desks, launch
from tests.browser.exchange import Instrument, Market, Trader
from tests.browser.relay import Relay
from tests.browser.tradingpage import TradingPage, group
from tests.serverprocess import ServerProcess

SYMBOL = "005930"
STREAM, KIS, BOOK = "/v1/stream", "/tryitout", "/v1/ws"
SLEEP_S = 21
"""Longer than the feed's idea of a machine that slept."""

WATCH_PRICE = """() => {
  window.seenPrices = new Set();
  const look = () => {
    const price = document.querySelector('.head .px');
    seenPrices.add(price.querySelector('strong').textContent + ('stale' in price.dataset ? ' stale' : ' live'));
    requestAnimationFrame(look);
  };
  look();
}"""


@pytest.fixture
def mortal(built_page: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of this test alone, to be killed."""
    process = ServerProcess(tmp_path / "data").start()
    yield process
    process.stop()


@pytest.fixture
def relay(page_server: ServerProcess) -> Iterator[Relay]:
    """A network to the shared server that can fail."""
    with Relay(page_server.port) as relay:
        yield relay


def says_it_is_offline(desk: TradingPage) -> None:
    """Status line, top bar, prices, book and ticket all say that nothing is live."""
    expect(desk.status).to_contain_text(
        re.compile(r"연결이 끊겼습니다\. (\d+초 뒤|지금) 다시 연결합니다 \(\d+번째\)\.")
    )
    expect(desk.connection).to_have_text(desk.words["connection.again"])
    expect(desk.page.get_by_role("alert").filter(has_text=desk.words["status.lost"])).to_have_count(1)
    expect(desk.head.locator(".px[data-stale]")).to_have_count(1)
    expect(desk.page.locator(".book[data-stale]")).to_have_count(1)
    expect(desk.sentence).to_have_text("연결이 끊겨 있어 지금은 주문을 보내지 않습니다.")
    expect(desk.send).to_have_attribute("aria-disabled", "true")


def is_live_again(desk: TradingPage) -> None:
    """All of it is live."""
    desk.wait_until_ready()
    expect(desk.page.locator("[data-stale]")).to_have_count(0)


def rested(market: Market, person: Trader, qty: int) -> Instrument:
    """The instrument, with a resting sell of the person's one step up."""
    instrument = market.instrument(SYMBOL)
    person.order(SYMBOL, "sell", qty, instrument.up(1))
    return instrument


def test_the_server_is_killed_under_the_open_page(browser: Browser, mortal: ServerProcess) -> None:
    market = Market(mortal)
    person, maker = market.person(**{f"s{SYMBOL}": 100}), market.maker()
    instrument = rested(market, person, 20)
    desks = Desks(browser, mortal)
    with Relay(mortal.port) as relay:
        desk = desks.log_in(person, symbol=SYMBOL, url=relay.url)
        desk.fill("buy", 1, instrument.up(-1))
        expect(desk.rows("blotter.open")).to_contain_text("0 / 20")

        relay.refuse()
        maker.order(SYMBOL, "buy", 8, instrument.up(1))  # just before the kill: the page cannot have heard of it
        mortal.kill()
        says_it_is_offline(desk)
        mortal.start()
        maker.order(SYMBOL, "buy", 5, instrument.up(1))
        says_it_is_offline(desk)
        relay.allow()
        desk.button("status.now").dispatch_event(
            "click"
        )  # at once: the page will try by itself, and the button be gone

        expect(desk.toasts).to_contain_text("다시 연결되었습니다. 그 사이 체결 2건이 있었습니다.")
        is_live_again(desk)
        expect(desk.rows("blotter.open")).to_contain_text("13 / 20")
        expect(desk.rows("blotter.fills")).to_have_count(2)
        expect(desk.last_price).to_have_text(group(instrument.up(1)))
        expect(desk.figure("account.cash_d2")).to_have_text(desk.won(person.read("/v1/account")["cash"]))

        maker.order(SYMBOL, "buy", 7, instrument.up(1))  # and it goes on
        expect(desk.rows("blotter.fills")).to_have_count(3)
        expect(desk.status).to_contain_text("빠짐 없음")
        desks.close()
    assert desks.errors == []
    market.close()


def test_a_trade_just_before_the_kill_is_shown_once(browser: Browser, mortal: ServerProcess) -> None:
    market = Market(mortal)
    person, maker = market.person(**{f"s{SYMBOL}": 100}), market.maker()
    instrument = rested(market, person, 20)
    desks = Desks(browser, mortal)
    desk = desks.log_in(person, symbol=SYMBOL)
    expect(desk.rows("blotter.open")).to_contain_text("0 / 20")
    maker.order(SYMBOL, "buy", 8, instrument.up(1))
    mortal.kill()
    expect(desk.connection).to_have_text(desk.words["connection.again"])
    mortal.start()
    is_live_again(desk)  # by itself
    expect(desk.rows("blotter.open")).to_contain_text("8 / 20")
    expect(desk.rows("blotter.fills")).to_have_count(1)
    desk.page.reload()
    desk.wait_until_ready()
    expect(desk.rows("blotter.fills")).to_have_count(1)
    desks.close()
    assert desks.errors == []
    market.close()


def test_two_tabs_share_one_stream(desks: Desks, market: Market, maker: Trader, relay: Relay) -> None:
    person = market.person(**{f"s{SYMBOL}": 100})
    instrument = rested(market, person, 20)
    first = desks.log_in(person, symbol=SYMBOL, url=relay.url)
    second = first.tab()
    second.wait_until_ready()
    third = first.tab()
    third.wait_until_ready()
    for path in (STREAM, KIS, BOOK):
        assert relay.open(path) == 1, f"{path} is open once for all tabs"
    maker.order(SYMBOL, "buy", 8, instrument.up(1))
    for desk in (first, second, third):
        expect(desk.toasts).to_contain_text(f"{instrument.name} 8주를 팔았습니다")
        expect(desk.rows("blotter.open")).to_contain_text("8 / 20")
        expect(desk.last_price).to_have_text(group(instrument.up(1)))
    first.page.close()
    third.page.close()
    maker.order(SYMBOL, "buy", 12, instrument.up(1))
    expect(second.rows("blotter.fills")).to_have_count(2)
    assert relay.made(STREAM) == 1
    assert [relay.open(path) for path in (STREAM, KIS, BOOK)] == [1, 1, 1]


def test_logging_out_in_one_tab_ends_the_other(desks: Desks, market: Market) -> None:
    person = market.person()
    first = desks.log_in(person, symbol=SYMBOL)
    second = first.tab()
    second.wait_until_ready()
    first.page.get_by_role("banner").get_by_role("button", name=re.compile(person.name)).click()
    first.button("session.log_out").click()
    for desk in (first, second):
        expect(desk.page.get_by_role("banner")).not_to_contain_text(person.name)


def watch_prices(page: Page) -> Callable[[], set[str]]:
    """Every price that the page shows from now on, and whether as live; drawn frame by drawn frame."""
    page.evaluate(WATCH_PRICE)
    return lambda: set(page.evaluate("[...seenPrices]"))


def test_a_kis_socket_that_is_cut_again_and_again(desks: Desks, market: Market, maker: Trader, relay: Relay) -> None:
    symbol = "069500"
    instrument = market.book(maker, symbol)
    maker.order(symbol, "buy", 1, instrument.up(1))
    desk = desks.log_in(market.person(), symbol=symbol, url=relay.url)
    expect(desk.last_price).to_have_text(group(instrument.up(1)))
    steps = 1
    for _ in range(3):
        is_live_again(desk)
        relay.cut(KIS)
        expect(desk.head.locator(".px[data-stale]")).to_have_count(1)
        expect(desk.listed(symbol).locator(".px[data-stale]")).to_have_count(1)
        expect(desk.connection).to_have_text(desk.words["connection.no_prices"])
        shown = group(instrument.up(steps))
        steps = -steps
        maker.order(symbol, "buy" if steps > 0 else "sell", 1, instrument.up(steps))
        seen = watch_prices(desk.page)
        expect(desk.last_price).to_have_text(group(instrument.up(steps)))
        is_live_again(desk)
        assert f"{shown} live" not in seen(), "the price from before the cut was called live"
    assert relay.open(KIS) == 1
    assert relay.open(STREAM) == 1
    relay.cut(KIS)
    desk.page.get_by_role("banner").get_by_role("button", name=re.compile("KIS")).click()
    menu = desk.page.get_by_role("dialog", name=desk.words["kis.menu"])
    expect(menu).to_contain_text(re.compile(r"자꾸 끊깁니다 \(최근 \d+번\)"))
    volume = market.instrument(symbol).row["day_volume"]
    expect(desk.head).to_contain_text(desk.shares(volume))


def processes_of(chromium: Browser) -> list[int]:
    """The browser's own processes."""
    session = chromium.new_browser_cdp_session()
    infos: list[dict[str, Any]] = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return [int(info["id"]) for info in infos]


def test_a_laptop_that_slept(desks: Desks, market: Market, maker: Trader, browser: Browser, relay: Relay) -> None:
    person = market.person(**{f"s{SYMBOL}": 100})
    instrument = rested(market, person, 20)
    maker.order(SYMBOL, "buy", 1, instrument.up(1))
    with launch(browser.browser_type) as laptop:
        own = Desks(laptop, market.server)
        desk = own.log_in(person, symbol=SYMBOL, url=relay.url)
        expect(desk.rows("blotter.open")).to_contain_text("1 / 20")
        is_live_again(desk)
        streams = relay.made(STREAM)
        asleep = processes_of(laptop)
        for pid in asleep:
            os.kill(pid, signal.SIGSTOP)
        try:
            maker.order(SYMBOL, "buy", 9, instrument.up(1))
            maker.order(SYMBOL, "buy", 50, instrument.up(-3))
            maker.order(SYMBOL, "sell", 5, instrument.up(-3))
            time.sleep(SLEEP_S)  # what is tested is the time itself
        finally:
            for pid in asleep:
                os.kill(pid, signal.SIGCONT)
        expect(desk.last_price).to_have_text(group(instrument.up(-3)))
        expect(desk.rows("blotter.open")).to_contain_text("10 / 20")
        expect(desk.rows("blotter.fills")).to_have_count(2)
        is_live_again(desk)
        assert relay.made(STREAM) == streams + 1, "the streams are opened anew: an old one proves nothing"
        assert [relay.open(path) for path in (STREAM, KIS, BOOK)] == [1, 1, 1]
        maker.order(SYMBOL, "sell", 5, instrument.up(-3))
        expect(desk.tape.get_by_role("listitem").first).to_contain_text(group(instrument.up(-3)))
        own.close()
    assert own.errors == []


def test_a_network_that_drops_everything_for_a_moment(
    desks: Desks, market: Market, maker: Trader, relay: Relay
) -> None:
    person = market.person(**{f"s{SYMBOL}": 100})
    instrument = rested(market, person, 30)
    desk = desks.log_in(person, symbol=SYMBOL, url=relay.url)
    for filled in (10, 20, 30):
        relay.cut()
        maker.order(SYMBOL, "buy", 10, instrument.up(1))
        expect(desk.rows("blotter.fills")).to_have_count(filled // 10)
        is_live_again(desk)
    expect(desk.blotter).to_contain_text(str(3))
    assert person.read("/v1/fills")["fills"][0]["leaves_qty"] == 0
