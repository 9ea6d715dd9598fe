"""On a phone: five tabs, nothing wider than the screen, and a whole trade."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Desks
from tests.browser.exchange import Market, Trader
from tests.browser.tradingpage import group

SYMBOL = "068270"
TABS = ("list", "chart", "order", "blotter", "account")
SMALL = """() => [...document.querySelectorAll('button, input, select, [role=tab]')]
  .filter((each) => each.offsetParent !== null && each.tabIndex >= 0)
  .map((each) => [(each.closest('label') ?? each).getBoundingClientRect(), each.ariaLabel ?? each.textContent.trim()])
  .filter(([box]) => box.width > 0 && (box.height < 24 || box.width < 24))
  .map(([box, name]) => `${name} ${Math.round(box.width)}x${Math.round(box.height)}`)"""

BEYOND = """() => [...document.querySelectorAll('body *')]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 0.5)
  .map((each) => each.className + ' ' + Math.round(each.getBoundingClientRect().right)).slice(0, 12)"""
SIZES = ((360, 780), (412, 915), (720, 900), (940, 800), (1024, 768), (1280, 720), (1440, 900), (1920, 1080))


def fits(page: Page, width: int) -> bool:
    """Nothing reaches beyond the right edge."""
    return bool(page.evaluate("document.documentElement.scrollWidth") <= width)


def test_a_trade_on_a_phone(desks: Desks, market: Market, maker: Trader) -> None:
    instrument = market.book(maker, SYMBOL)
    maker.order(SYMBOL, "buy", 1, instrument.up(1))
    person = market.person()
    desk = desks.log_in(person, symbol=SYMBOL, width=360, height=780, has_touch=True)
    page = desk.page
    bar = page.get_by_role("navigation", name=desk.words["phone.title"])

    def show(tab: str) -> None:
        bar.get_by_role("button", name=desk.words[f"phone.{tab}"]).tap()
        assert fits(page, 360)

    show("list")
    expect(desk.listed("005930")).to_be_visible()
    desk.listed("005930").tap()
    expect(desk.head).to_contain_text("삼성전자")
    expect(desk.ticket).to_be_visible()
    show("list")
    desk.listed(SYMBOL).tap()
    show("chart")
    expect(desk.chart).to_be_visible()
    expect(desk.ticket).to_be_hidden()
    show("order")
    level = desk.level(instrument.up(-2))
    level.get_by_role("button").tap()
    expect(desk.price).to_have_value(group(instrument.up(-2)))
    desk.qty.fill("7")
    expect(desk.sentence).to_contain_text("200주 뒤에 줄을 섭니다.")
    assert desk.send.bounding_box()["height"] >= 44  # type: ignore[index]
    desk.send.tap()
    expect(level.locator(".own")).to_have_text("◆ 7")
    badge = bar.get_by_role("button", name=desk.words["phone.blotter"])
    expect(badge).to_contain_text("1")
    show("blotter")
    row = desk.blotter.locator("tbody").get_by_role("row").first
    expect(row).to_contain_text(group(instrument.up(-2)))
    expect(row).to_contain_text("0 / 7")
    desk.button("action.cancel", row).tap()
    expect(desk.blotter).to_contain_text(desk.words["empty.open"])
    show("order")
    desk.fill("buy", 5)
    desk.send.tap()
    expect(desk.toasts).to_contain_text("5주를 샀습니다")
    show("account")
    expect(desk.figure("account.cash_d2")).to_have_text(desk.won(person.read("/v1/account")["cash"]))


@pytest.mark.parametrize("language", ["ko", "en"])
def test_nothing_is_wider_or_higher_than_the_screen(desks: Desks, market: Market, maker: Trader, language: str) -> None:
    instrument = market.book(maker, SYMBOL)
    person = market.person(**{f"s{SYMBOL}": 10})
    person.order(SYMBOL, "buy", 1, instrument.up(-2))
    desk = desks.log_in(person, symbol=SYMBOL, language=language)
    page = desk.page
    found: dict[str, object] = {}
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for tab in TABS if width < 720 else ("",):
            if tab:
                bar = page.get_by_role("navigation", name=desk.words["phone.title"])
                bar.get_by_role("button", name=desk.words[f"phone.{tab}"]).click()
            where = f"{width}x{height} {tab}".strip()
            if not fits(page, width):
                found[where + " is too wide"] = page.evaluate(BEYOND)
            if width >= 720 and page.evaluate("document.documentElement.scrollHeight") > height:
                found[where + " is too high"] = page.evaluate("document.documentElement.scrollHeight")
            if small := page.evaluate(SMALL):
                found[where + " has targets under 24 px"] = small
    assert found == {}
