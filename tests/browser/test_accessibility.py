"""axe finds nothing, wherever one may be: both themes, three palettes, both languages, all widths, dialogs and states."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import SOURCE, violations
from tests.browser.conftest import Desks, lacking
from tests.browser.exchange import Market, Trader
from tests.browser.relay import Relay
from tests.browser.tradingpage import STORAGE_KEY, TradingPage

SYMBOL = "005380"
WIDTHS = ((1440, 900), (1024, 768), (360, 780))
CHOOSE = f"""(chosen) => {{
  const kept = JSON.parse(localStorage.getItem('{STORAGE_KEY}') ?? '{{}}');
  const text = JSON.stringify({{...kept, ...chosen}});
  localStorage.setItem('{STORAGE_KEY}', text);
  window.dispatchEvent(new StorageEvent('storage', {{key: '{STORAGE_KEY}', newValue: text}}));
}}"""


@pytest.fixture(autouse=True)
def axe_is_here() -> None:
    """axe-core comes with the page's development dependencies."""
    if not SOURCE.exists():
        lacking("axe-core is missing (npm ci in web/)")


def choose(page: Page, **settings: str) -> None:
    """Change settings as another tab does."""
    page.evaluate(CHOOSE, settings)
    if "theme" in settings:
        expect(page.locator("html")).to_have_attribute("data-theme", settings["theme"])


@pytest.fixture
def busy(desks: Desks, market: Market, maker: Trader) -> TradingPage:
    """The page of somebody with everything on it: orders, fills, holdings, a refused order, a refusal in the ticket."""
    instrument = market.book(maker, SYMBOL)
    person = market.person(**{f"s{SYMBOL}": 40})
    person.order(SYMBOL, "buy", 5)
    person.order(SYMBOL, "buy", 5, instrument.up(-2))
    person.order(SYMBOL, "sell", 5, instrument.up(3))
    assert person.send(SYMBOL, "buy", 1, instrument.up(-1) + 1).status_code == 422
    desk = desks.log_in(person, symbol=SYMBOL)
    desk.fill("buy", 1, instrument.up(-1) + 1)
    expect(desk.rows("blotter.open")).to_have_count(2)
    return desk


def test_the_whole_page_in_every_dress(busy: TradingPage) -> None:
    page = busy.page
    found: dict[str, list[str]] = {}
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            for palette in ("kr", "intl", "cvd") if width == 1440 else ("kr",):
                choose(page, theme=theme, palette=palette)
                if wrong := violations(page):
                    found[f"{width} {theme} {palette}"] = wrong
    choose(page, language="en")
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        if wrong := violations(page):
            found[f"{width} English"] = wrong
    assert found == {}


def test_each_of_the_phones_tabs(busy: TradingPage) -> None:
    busy.page.set_viewport_size({"width": 360, "height": 780})
    bar = busy.page.get_by_role("navigation", name=busy.words["phone.title"])
    found = {}
    for tab in ("list", "chart", "order", "blotter", "account"):
        bar.get_by_role("button", name=busy.words[f"phone.{tab}"]).click()
        if wrong := violations(busy.page):
            found[tab] = wrong
    assert found == {}


@pytest.mark.parametrize(("height", "rows"), [(560, 14), (640, 14), (900, 20)])
def test_the_phones_ladder_however_many_rows_it_has_room_for(busy: TradingPage, height: int, rows: int) -> None:
    page = busy.page
    page.set_viewport_size({"width": 360, "height": height})
    bar = page.get_by_role("navigation", name=busy.words["phone.title"])
    bar.get_by_role("button", name=busy.words["phone.order"]).click()
    expect(page.get_by_role("table", name=busy.words["ladder.title"]).get_by_role("row")).to_have_count(rows)
    assert violations(page) == []


def test_every_list_and_everything_that_opens(busy: TradingPage) -> None:
    page, words = busy.page, busy.words
    banner = page.get_by_role("banner")
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        if wrong := violations(page):
            found[name] = wrong

    for key in ("blotter.fills", "blotter.holdings", "blotter.history", "blotter.open"):
        busy.blotter_tab(key)
        look(key)
    busy.button("action.why", busy.rows("blotter.open").first).click()
    expect(busy.story).to_contain_text(words["story.happened"])
    look("why")
    page.keyboard.press("Escape")
    busy.button("action.amend", busy.rows("blotter.open").first).click()
    look("amend")
    busy.ticket.get_by_role("tab", name=words["ticket.amend"]).click()
    look("amend list")

    def opens(name: str, open_it: Callable[[], None]) -> None:
        open_it()
        expect(page.get_by_role("dialog").or_(page.get_by_role("alertdialog")).first).to_be_visible()
        look(name)
        page.keyboard.press("Escape")

    opens("display", banner.get_by_role("button", name=words["display.title"]).click)
    opens("kis", banner.get_by_role("button", name=words["kis.prices"]).click)
    opens("account", banner.locator(".acct-btn").click)
    opens("chart menu", busy.chart.get_by_role("button", name=words["chart.menu"]).click)
    opens("keys", busy.status.get_by_role("button", name=words["keys.title"]).click)
    opens("question", busy.button("action.cancel_all").click)
    search = banner.get_by_role("combobox")
    search.fill("카카")
    look("search")
    search.fill("nothing like it")
    look("search that finds nothing")
    search.press("Escape")
    busy.chart.get_by_role("button", name=words["chart.menu"]).click()
    page.get_by_role("checkbox", name=words["chart.table"]).check()
    page.keyboard.press("Escape")
    look("chart as a table")
    assert found == {}


def test_the_log_in_and_an_empty_account(desks: Desks, market: Market) -> None:
    desk = desks.open()
    found: dict[str, list[str]] = {}
    for theme in ("light", "dark"):
        choose(desk.page, theme=theme)
        if wrong := violations(desk.page):
            found[f"log-in {theme}"] = wrong
    desk.button("session.start", desk.page.get_by_role("dialog")).click()
    if wrong := violations(desk.page):
        found["log-in with nothing in it"] = wrong
    desk.button("session.later").click()
    if wrong := violations(desk.page):
        found["nobody is logged in"] = wrong
    desk = desks.log_in(market.person(), symbol="247540")
    if wrong := violations(desk.page):
        found["nothing is there yet"] = wrong
    assert found == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_when_the_connection_is_lost(desks: Desks, market: Market, maker: Trader, theme: str) -> None:
    market.book(maker, SYMBOL)
    with Relay(market.server.port) as relay:
        desk = desks.log_in(market.person(), symbol=SYMBOL, url=relay.url)
        choose(desk.page, theme=theme)
        relay.refuse()
        expect(desk.connection).to_have_text(desk.words["connection.again"])
        expect(desk.page.locator(".book[data-stale]")).to_have_count(1)
        assert violations(desk.page) == []
        desk.page.set_viewport_size({"width": 360, "height": 780})
        assert violations(desk.page) == []
        desk.page.close()


def test_fills_and_lost_connections_are_announced(desks: Desks, market: Market, maker: Trader) -> None:
    market.book(maker, SYMBOL)
    desk = desks.log_in(market.person(), symbol=SYMBOL)
    for live in desk.page.locator("[aria-live], [role=status], [role=alert], [role=log]").all():
        assert live.locator(".ladder, .tape").count() == 0, "neither ladder nor tape is a live region"
    assert desk.ladder.locator("xpath=ancestor::*[@role='status' or @aria-live]").count() == 0
    desk.fill("buy", 2)
    desk.send.click()
    expect(desk.toasts).to_have_attribute("role", "status")
    expect(desk.toasts).to_contain_text("2주를 샀습니다")


def test_forced_colours_and_reduced_motion(desks: Desks, market: Market, maker: Trader) -> None:
    market.book(maker, SYMBOL)
    context = desks.context(forced_colors="active", reduced_motion="reduce")
    desk = desks.log_in(market.person(), context, symbol=SYMBOL)
    moving = desk.page.evaluate(
        "document.getAnimations().filter((each) => each.effect.getComputedTiming().duration > 10).length"
    )
    assert moving == 0
    assert violations(desk.page) == []
    desk.fill("buy", 1)
    expect(desk.send).to_be_enabled()
