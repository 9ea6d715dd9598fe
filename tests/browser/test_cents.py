"""The page on a venue in dollars and cents, under the documented pack of a market like those of the United States."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Desks
from tests.browser.exchange import Market, Trader
from tests.browser.tradingpage import TradingPage
from tests.journey.rule_packs import write_example
from tests.serverprocess import ServerProcess

SYMBOL = "ACME"
BASE = 41_25
CASH = 100_000_00


@pytest.fixture(scope="module")
def us_server(built_page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server under the pack, without bots."""
    folder = tmp_path_factory.mktemp("us")
    process = ServerProcess(folder / "data", "--rules", str(write_example("us", folder))).start()
    yield process
    process.stop()


@pytest.fixture
def us_market(us_server: ServerProcess) -> Iterator[Market]:
    market = Market(us_server)
    yield market
    market.close()


@pytest.fixture
def us_maker(us_market: Market) -> Trader:
    """The other side: ten levels from a cent beside the base price on, 100 shares more at each."""
    maker = us_market.maker()
    us_market.book(maker, SYMBOL)
    return maker


@pytest.fixture
def us_desks(browser: Browser, us_server: ServerProcess) -> Iterator[Desks]:
    desks = Desks(browser, us_server)
    yield desks
    desks.close()
    assert desks.errors == []
    assert desks.foreign == []


@pytest.fixture
def person(us_market: Market) -> Trader:
    return us_market.person(cash=CASH, sACME=30)


@pytest.fixture
def desk(us_desks: Desks, us_maker: Trader, person: Trader) -> TradingPage:
    """Their page, in English."""
    return us_desks.log_in(person, symbol=SYMBOL, language="en", locale="en-US")


def test_prices_have_their_cents_everywhere(desk: TradingPage, us_maker: Trader, us_market: Market) -> None:
    other = us_market.person("other", cash=CASH)
    us_maker.order(SYMBOL, "sell", 7, BASE)
    other.order(SYMBOL, "buy", 7, BASE)
    expect(desk.last_price).to_have_text("41.25")
    expect(desk.ladder.get_by_role("button", name="41.26, +0.02%")).to_be_visible()
    expect(desk.ladder.get_by_role("button", name="41.24, \u22120.02%")).to_be_visible()
    expect(desk.tape.get_by_role("listitem").first).to_contain_text("41.25")
    expect(desk.listed(SYMBOL)).to_contain_text("41.25")
    expect(desk.chart.locator(".label[data-key=last]")).to_have_text("41.25")
    expect(desk.figure("account.settled")).to_have_text("$100,000.00")
    expect(desk.page.locator("body")).not_to_contain_text("₩")
    expect(desk.page.locator("body")).not_to_contain_text("4,125")


def test_an_order_is_typed_in_dollars_and_sent_in_cents(desk: TradingPage, person: Trader) -> None:
    desk.fill("buy", 150, "41.27")
    expect(desk.sentence).to_have_text("150 could fill at once at $41.26 to $41.27.")
    expect(desk.send).to_contain_text("$41.27")
    desk.price.press("ArrowDown")
    expect(desk.price).to_have_value("41.26")
    expect(desk.sentence).to_have_text("100 could fill at once; 50 would wait at $41.26.")
    desk.send.click()
    expect(desk.toasts).to_contain_text("at $41.26")
    row = desk.rows("blotter.open").first
    expect(row).to_contain_text("41.26")
    [order] = person.read("/v1/orders", status="open")["orders"]
    assert (order["limit_price"], order["filled_qty"], order["leaves_qty"]) == (41_26, 100, 50)
    expect(desk.figure("account.reserved")).to_have_text("$2,063.00")
    row.get_by_role("button", name=desk.words["action.why"]).click()
    expect(desk.story).to_contain_text("$41.26")
    expect(desk.story).not_to_contain_text("₩")


def test_a_refusal_names_dollars(desk: TradingPage, person: Trader) -> None:
    desk.fill("buy", 3_000, "41.30")
    expect(desk.sentence).to_have_text("$23,900.00 short. You can buy up to 2,421.")
    expect(desk.send).to_have_attribute("aria-disabled", "true")
    assert person.send(SYMBOL, "buy", 3_000, 41_30).json()["code"] == "insufficient_cash"
    desk.fill("buy", 1, "41.255")
    expect(desk.sentence).to_have_text("Prices here move in steps of $0.01.")
    expect(desk.fixes).to_have_text(["$41.25", "$41.26"])
    desk.fixes.last.click()
    expect(desk.price).to_have_value("41.26")
    expect(desk.send).not_to_have_attribute("aria-disabled", "true")


def test_in_korean_too(us_desks: Desks, us_maker: Trader, person: Trader) -> None:
    desk = us_desks.log_in(person, symbol=SYMBOL)
    desk.fill("buy", 150, "41.27")
    expect(desk.sentence).to_have_text("$41.26~$41.27에 150주가 바로 체결될 수 있습니다.")
    expect(desk.ticket.locator(".u").first).to_have_text("USD")
    expect(desk.figure("account.settled")).to_have_text("$100,000.00")
