"""Pictures of the page for people to look at, in build/screenshots: every width, theme and language, on a living market."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import ROOT, Desks
from tests.browser.exchange import Market
from tests.browser.test_accessibility import choose
from tests.serverprocess import ServerProcess

PICTURES = ROOT / "build/screenshots"
SYMBOL = "005930"
LEAST_BYTES = 30_000
"""A page with nothing on it is smaller."""


def test_pictures_of_every_width_theme_and_language(living_desks: Desks, living_server: ServerProcess) -> None:
    market = Market(living_server)
    person = market.person(cash=50_000_000, **{f"s{SYMBOL}": 120})
    instrument = market.instrument(SYMBOL)
    last = instrument.row["last_price"] or instrument.base
    person.order(SYMBOL, "buy", 30)
    person.order(SYMBOL, "buy", 40, instrument.up(-4, last))
    person.order(SYMBOL, "sell", 60, instrument.up(5, last))
    desk = living_desks.log_in(person, symbol=SYMBOL, url=living_server.url)
    expect(desk.rows("blotter.open")).not_to_have_count(0)
    desk.fill("buy", 20)
    desk.send.click()
    expect(desk.toasts).to_contain_text("20주를 샀습니다")
    desk.fill("buy", 100, last + 1)
    PICTURES.mkdir(parents=True, exist_ok=True)
    taken: list[Path] = []
    for language in ("ko", "en"):
        for theme in ("light", "dark"):
            choose(desk.page, theme=theme, language=language)
            for width, height in ((1440, 900), (1024, 768), (360, 780)):
                desk.page.set_viewport_size({"width": width, "height": height})
                desk.page.wait_for_timeout(150)
                path = PICTURES / f"{width}-{theme}-{language}.png"
                desk.page.screenshot(path=path)
                taken.append(path)
    tabs = desk.page.locator("nav.tabs button")
    for place, tab in enumerate(("list", "chart", "order", "blotter", "account")):
        tabs.nth(place).click()
        desk.page.wait_for_timeout(150)
        desk.page.screenshot(path=PICTURES / f"360-{tab}.png")
    assert [path.name for path in taken if path.stat().st_size < LEAST_BYTES] == []
    market.close()
