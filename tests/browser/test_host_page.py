"""The host's page in a real Chromium: what must be equal, the stages' plots, and what was done."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Desks
from tests.browser.exchange import Market, Trader
from tests.browser.test_accessibility import choose

SYMBOL = "005930"
WIDTHS = ((1440, 900), (820, 1100), (390, 844))


@pytest.fixture
def host_page(desks: Desks, market: Market, maker: Trader) -> Page:
    """The page, opened with the admin key, while orders come in."""
    market.book(maker, SYMBOL)
    server = market.server
    page = desks.context().new_page()
    page.goto(server.url + "/host.html")
    key = (server.data_dir / "admin.key").read_text().strip()
    page.get_by_label("운영자 키").fill(key)
    page.get_by_role("button", name="열기").click()
    expect(page.locator("[data-invariant]").first).to_be_visible()
    return page


def test_a_wrong_key_is_refused(desks: Desks, market: Market) -> None:
    page = desks.context().new_page()
    page.goto(market.server.url + "/host.html")
    page.get_by_label("운영자 키").fill("ADMIN.wrong")
    page.get_by_role("button", name="열기").click()
    expect(page.get_by_role("status")).not_to_be_empty()
    expect(page.locator("[data-invariant]")).to_have_count(0)
    assert violations(page) == []


def test_what_must_be_equal_is_equal_and_stages_are_drawn(host_page: Page, market: Market, maker: Trader) -> None:
    names = (
        "cash",
        "shares",
        "shares_by_instrument",
        "reserved_shares",
        "reserved_without_order",
        "overdrawn",
        "orders",
    )
    for name in names:
        expect(host_page.locator(f"[data-invariant={name}]")).to_have_attribute("data-holds", "true")
    path = host_page.locator("[data-stage=journal] path.most")
    instrument = market.instrument(SYMBOL)
    for step in range(60):
        maker.order(SYMBOL, "buy", 1, instrument.up(-5))
        if re.search("M", path.get_attribute("d") or "") and step > 3:
            break
        host_page.wait_for_timeout(200)
    assert re.search("M", path.get_attribute("d") or "")
    expect(host_page.get_by_role("row").filter(has_text="open_account").first).to_be_visible()
    assert (
        host_page.evaluate("Object.values(localStorage).concat(Object.values(sessionStorage)).join().includes('ADMIN')")
        is False
    )


def test_in_every_dress(host_page: Page) -> None:
    found = {}
    for width, height in WIDTHS:
        host_page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            choose(host_page, theme=theme)
            name = f"{width} {theme}"
            if wrong := violations(host_page):
                found[name] = wrong
            if host_page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found[name + " is too wide"] = []
            if folder := os.environ.get("ONSEJU_PICTURES"):
                host_page.screenshot(path=str(Path(folder) / f"host-{width}-{theme}.png"))
    choose(host_page, language="en", theme="light")
    if wrong := violations(host_page):
        found["English"] = wrong
    assert found == {}
