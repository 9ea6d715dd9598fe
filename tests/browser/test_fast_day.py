"""A whole trading day in about a minute, as somebody sees it who looks at the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import violations
from tests.browser.conftest import Desks
from tests.browser.exchange import Market
from tests.browser.test_phases import PICTURES
from tests.serverprocess import ServerProcess

SYMBOL = "005930"
A_DAY_MS = 120_000
PLAN = (
    "08:30 시가 단일가, 09:00 접속매매, 15:20 종가 단일가, 15:30 시간외종가 접수, 15:40 시간외종가, 16:00 애프터마켓, "
    "20:00 끝"
)


@pytest.fixture
def fast_server(built_page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose day is short, with bots."""
    options = ("--market-hours", "fast", "--seed", "3")
    process = ServerProcess(tmp_path_factory.mktemp("fast") / "data", *options, bots=True).start()
    yield process
    process.stop()


def test_a_day_from_phase_to_phase(browser: Browser, fast_server: ServerProcess) -> None:
    desks, market = Desks(browser, fast_server), Market(fast_server)
    person = market.person(**{f"s{SYMBOL}": 100})
    desk = desks.log_in(person, symbol=SYMBOL)
    timer = desk.page.get_by_role("timer")
    ribbon = desk.page.locator(".ribbon")
    expect(timer).to_contain_text("접속매매", timeout=A_DAY_MS)
    expect(timer).to_contain_text("종가 단일가까지")
    expect(timer.locator(".tag")).to_contain_text("×570")
    expect(timer.locator(".tag")).to_contain_text("시간이 570배로 흐릅니다.")
    expect(ribbon).to_have_attribute("aria-label", re.compile(re.escape(PLAN)))
    expect(ribbon.locator("i.auction")).to_have_count(3)
    PICTURES.mkdir(parents=True, exist_ok=True)
    desk.page.screenshot(path=PICTURES / "day-1-continuous.png")
    before = ribbon.locator("b").evaluate("element => parseFloat(element.style.left)")
    news = desk.page.get_by_role("status", name=desk.words["day.news"])

    expect(timer).to_contain_text("체결까지", timeout=A_DAY_MS)
    expect(desk.head.locator(".exp.on")).to_be_visible()
    desk.page.screenshot(path=PICTURES / "day-2-closing-auction.png")
    assert ribbon.locator("b").evaluate("element => parseFloat(element.style.left)") > before
    expect(news).to_have_text("지금부터 종가 단일가입니다.")

    expect(timer).to_contain_text("애프터마켓까지", timeout=A_DAY_MS)
    desk.page.screenshot(path=PICTURES / "day-3-at-the-close.png")
    expect(timer).to_contain_text("장 종료까지", timeout=A_DAY_MS)
    desk.fill("buy", 1, market.instrument(SYMBOL).up(-3))
    expect(desk.send).not_to_have_attribute("aria-disabled", "true")
    desk.page.screenshot(path=PICTURES / "day-4-after-market.png")
    assert violations(desk.page) == []
    expect(timer).to_contain_text(re.compile("시가 단일가.*체결까지"), timeout=A_DAY_MS)
    expect(news).to_contain_text("지금부터 시가 단일가입니다.")
    desk.page.screenshot(path=PICTURES / "day-5-opening-auction.png")
    market.close()
    desks.close()
    assert desks.errors == []
    assert desks.foreign == []
