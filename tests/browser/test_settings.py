"""What a user sets stays: language, theme, palette, sound, favourites; and other tabs follow."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Desks
from tests.browser.exchange import Market, Trader
from tests.browser.tradingpage import TradingPage, group
from tests.browser.words import words

SYMBOL = "293490"
COUNT_NOTES = """
window.notes = 0;
const Real = window.AudioContext;
window.AudioContext = class extends Real {
  createOscillator() { window.notes += 1; return super.createOscillator(); }
};
"""


def background(page: Page) -> str:
    """The ground's colour as drawn."""
    colour: str = page.evaluate("getComputedStyle(document.querySelector('.head')).backgroundColor")
    return colour


def display_menu(desk: TradingPage) -> TradingPage:
    """Open the display menu."""
    desk.page.get_by_role("banner").get_by_role("button", name=desk.words["display.title"]).click()
    return desk


def choose(desk: TradingPage, group_key: str, key: str) -> None:
    """Choose in one of the menu's groups."""
    menu = desk.page.get_by_role("dialog", name=desk.words["display.title"])
    menu.get_by_role("radiogroup", name=desk.words[group_key]).get_by_role("radio", name=desk.words[key]).click()


def test_language_theme_and_palette_stay(desks: Desks, market: Market, maker: Trader) -> None:
    instrument = market.book(maker, SYMBOL)
    maker.order(SYMBOL, "buy", 1, instrument.up(1))
    desk = desks.log_in(market.person(), symbol=SYMBOL)
    other = desk.tab()
    other.wait_until_ready()
    desk.page.bring_to_front()  # Chromium draws no frames of a tab that lies behind
    html = desk.page.locator("html")
    expect(html).to_have_attribute("lang", "ko")
    light = background(desk.page)
    display_menu(desk)
    choose(desk, "display.theme", "theme.dark")
    expect(html).to_have_attribute("data-theme", "dark")
    assert background(desk.page) != light
    up = desk.last_price.evaluate("element => getComputedStyle(element).color")
    choose(desk, "display.palette", "palette.intl")
    expect(html).to_have_attribute("data-palette", "intl")
    assert desk.last_price.evaluate("element => getComputedStyle(element).color") != up
    desk.page.keyboard.press("Escape")
    desk.page.get_by_role("banner").get_by_role("radio", name="EN").click()

    for page in (desk.page, other.page):
        expect(page.locator("html")).to_have_attribute("lang", "en")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        expect(page.locator("html")).to_have_attribute("data-palette", "intl")
    desk.page.reload()
    english = TradingPage(desk.page, desk.url, "en")
    english.wait_until_ready()
    expect(html).to_have_attribute("data-theme", "dark")
    expect(html).to_have_attribute("data-palette", "intl")
    english.fill("buy", 3, instrument.up(-2))
    expect(english.sentence).to_have_text(
        f"Will not fill at once: it queues at ₩{group(instrument.up(-2))} behind 200."
    )
    english.fill("buy", 3, instrument.up(1))
    expect(english.sentence).to_have_text(f"3 could fill at once at ₩{group(instrument.up(1))}.")
    english.fill("buy", 10**5, instrument.up(1))
    expect(english.sentence).to_contain_text(re.compile(r"^₩[\d,]+ short\. You can buy up to [\d,]+\.$"))


def test_nothing_korean_is_left_in_english(desks: Desks, market: Market) -> None:
    desk = desks.log_in(market.person(), symbol=SYMBOL, language="en")
    names = {row["name"] for row in market.symbols()}
    text: str = desk.page.evaluate("document.body.innerText")
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "")
    assert re.findall(r"[가-힣]+", text) in ([], ["한"]), "only the language switch and the instruments' names"


def test_the_catalogues_have_the_same_keys() -> None:
    assert words("ko").keys() == words("en").keys()


def test_the_sound_can_be_muted(desks: Desks, market: Market, maker: Trader) -> None:
    instrument = market.book(maker, SYMBOL)
    person = market.person()
    context = desks.context()
    context.add_init_script(COUNT_NOTES)
    desk = desks.log_in(person, context, symbol=SYMBOL)
    sound = desk.page.get_by_role("banner").get_by_role("button", name=desk.words["sound.label"])
    expect(sound).to_have_attribute("aria-pressed", "true")
    desk.fill("buy", 1)
    desk.send.click()
    expect(desk.rows("blotter.fills")).to_have_count(1)
    expect(desk.toasts).to_contain_text(f"{instrument.name} 1주를 샀습니다")
    assert desk.page.evaluate("notes") == 2
    sound.click()
    expect(sound).to_have_attribute("aria-pressed", "false")
    desk.fill("buy", 1)
    desk.send.click()
    expect(desk.rows("blotter.fills")).to_have_count(2)
    expect(desk.toasts.get_by_text(f"{instrument.name} 1주를 샀습니다")).to_have_count(2)
    assert desk.page.evaluate("notes") == 2
    desk.page.reload()
    desk.wait_until_ready()
    expect(sound).to_have_attribute("aria-pressed", "false")


def test_favourites_stay_and_come_first(desks: Desks, market: Market) -> None:
    desk = desks.log_in(market.person(), symbol=SYMBOL)
    star = desk.head.get_by_role("button", name=desk.words["head.favourite"])
    expect(star).to_have_attribute("aria-pressed", "false")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    watched = desk.list.get_by_role("tab", name=desk.words["list.watch"])
    watched.click()
    expect(desk.list.get_by_role("listitem")).to_have_count(1)
    expect(desk.listed(SYMBOL)).to_be_visible()
    desk.page.reload()
    desk.wait_until_ready()
    expect(watched).to_have_attribute("aria-selected", "true")
    expect(desk.list.get_by_role("listitem")).to_have_count(1)
    star.click()
    expect(desk.list).to_contain_text(desk.words["empty.watch"])


def test_a_browser_that_forbids_storage_still_trades(desks: Desks, market: Market) -> None:
    context = desks.context()
    context.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('forbidden'); }})")
    person = market.person()
    person.enter(context, market.server.url)
    desk = TradingPage(context.new_page(), market.server.url).open().wait_until_ready()
    desk.fill("buy", 1, market.instrument("005930").lower)
    desk.send.click()
    expect(desk.rows("blotter.open")).to_have_count(1)
