"""Why an order did not fill: the drawer with its story, for orders that wait, were passed by, were canceled, in both languages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.axe import violations
from tests.browser.conftest import Desks
from tests.browser.exchange import Market, Trader
from tests.browser.test_accessibility import choose
from tests.browser.test_phases import PICTURES, SIZES
from tests.browser.tradingpage import TradingPage, group

SYMBOL = "000660"


def story_of(person: Trader, order_id: int, language: str) -> dict[str, Any]:
    """What the exchange says."""
    answer = person.api.get(f"/v1/orders/{order_id}/story", headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def tells(desk: TradingPage, story: dict[str, Any]) -> None:
    """The drawer says what the exchange does, each in its place."""
    drawer = desk.story
    expect(drawer.get_by_role("status")).to_have_text(story["answer"]["text"])
    lines = drawer.locator("ol > li")
    expect(lines).to_have_count(len(story["happenings"]))
    for index, happening in enumerate(story["happenings"]):
        expect(lines.nth(index)).to_contain_text(happening["text"])
    for option in story["options"]:
        expect(drawer.locator(".opts")).to_contain_text(option["text"])


def why(desk: TradingPage, row: Locator) -> Locator:
    """Open the story of a row's order."""
    row.locator(".why").click()
    expect(desk.story).to_be_visible()
    return desk.story


@pytest.mark.parametrize("language", ["ko", "en"])
def test_an_order_that_waits_in_line(desks: Desks, market: Market, maker: Trader, language: str) -> None:
    instrument = market.book(maker, SYMBOL)
    person = market.person()
    price = instrument.up(-1)
    order = person.order(SYMBOL, "buy", 20, price)
    maker.order(SYMBOL, "buy", 60, price)
    maker.order(SYMBOL, "sell", 30, price)
    desk = desks.log_in(person, symbol="005930", language=language)
    row = desk.rows("blotter.open")
    expect(row).to_have_count(1)
    drawer = why(desk, row)
    expect(drawer).to_have_accessible_name(desk.words["story.title"])
    expect(desk.head).to_contain_text(SYMBOL)  # the ladder beside it is that of its instrument
    tells(desk, story_of(person, order["order_id"], language))
    place = drawer.get_by_role("img")
    own, ahead, behind = desk.shares(20), desk.shares(70), desk.shares(60)
    expect(drawer.locator(".lab")).to_contain_text(ahead)
    expect(drawer.locator(".lab .mine")).to_contain_text(own)
    expect(drawer.locator(".lab .end")).to_contain_text(behind)
    expect(place).to_have_accessible_name(
        f"지금 앞에 {ahead}, 내 주문 {own}, 뒤에 {behind}"
        if language == "ko"
        else f"Now {ahead} ahead, yours {own}, {behind} behind"
    )
    expect(drawer.locator("li.own")).to_have_count(1)

    # It goes on being told while it is open.
    maker.order(SYMBOL, "sell", 40, price)
    expect(drawer.locator(".lab")).to_contain_text(desk.shares(30))
    tells(desk, story_of(person, order["order_id"], language))
    maker.order(SYMBOL, "sell", 50, price)
    expect(drawer).to_have_accessible_name(desk.words["story.title_done"])
    tells(desk, story_of(person, order["order_id"], language))
    desk.button("action.close", drawer).click()
    expect(drawer).to_be_hidden()


@pytest.mark.parametrize("language", ["ko", "en"])
def test_an_order_that_was_passed_by(desks: Desks, market: Market, maker: Trader, language: str) -> None:
    instrument = market.book(maker, SYMBOL)
    person = market.person()
    order = person.order(SYMBOL, "buy", 20, instrument.up(-3))
    maker.order(SYMBOL, "sell", 40, instrument.up(-1))
    desk = desks.log_in(person, symbol=SYMBOL, language=language)
    drawer = why(desk, desk.rows("blotter.open"))
    story = story_of(person, order["order_id"], language)
    assert any(happening["code"] == "traded_above" for happening in story["happenings"]), story["happenings"]
    tells(desk, story)

    best = instrument.up(-1)
    drawer.get_by_role("button").filter(
        has_text=re.compile(rf"^{re.escape(desk.won(best))}으로|to {desk.won(best)}")
    ).click()
    expect(drawer).to_be_hidden()
    expect(desk.price).to_have_value(group(best))
    expect(desk.price).to_be_focused()
    desk.send.click()
    expect(desk.rows("blotter.open")).to_contain_text(group(best))
    corrected = person.read(f"/v1/orders/{order['order_id']}")
    assert corrected["limit_price"] == best


@pytest.mark.parametrize("language", ["ko", "en"])
def test_an_order_that_was_canceled(desks: Desks, market: Market, maker: Trader, language: str) -> None:
    instrument = market.book(maker, SYMBOL)
    person = market.person()
    order = person.order(SYMBOL, "buy", 20, instrument.up(-2))
    desk = desks.log_in(person, symbol=SYMBOL, language=language)
    drawer = why(desk, desk.rows("blotter.open"))
    cancel = drawer.get_by_role("button").filter(has_text=desk.words["story.do_cancel"])
    cancel.click()
    question = desk.page.get_by_role("alertdialog")
    desk.button("action.back", question).click()
    expect(question).to_be_hidden()
    assert person.read(f"/v1/orders/{order['order_id']}")["status"] == "new"
    cancel.click()
    desk.button("story.do_cancel", question).click()
    expect(drawer).to_have_accessible_name(desk.words["story.title_done"])
    tells(desk, story_of(person, order["order_id"], language))
    assert story_of(person, order["order_id"], language)["answer"]["code"] == "canceled_by_owner"
    desk.page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()

    # From the history, it can be told again, and ordered again.
    drawer = why(desk, desk.rows("blotter.history").first)
    again = drawer.get_by_role("button").filter(has_text=desk.words["story.do_again"])
    again.click()
    expect(desk.qty).to_have_value("20")
    expect(desk.price).to_have_value(group(instrument.up(-2)))
    expect(desk.qty).to_be_focused()


def test_an_ioc_order_that_ended_at_once(desks: Desks, market: Market, maker: Trader) -> None:
    instrument = market.book(maker, SYMBOL)
    person = market.person()
    order = person.order(SYMBOL, "buy", 120, instrument.up(1), time_in_force="ioc")
    assert order["filled_qty"] == 100
    desk = desks.log_in(person, symbol=SYMBOL)
    drawer = why(desk, desk.rows("blotter.history").first)
    expect(drawer).to_contain_text(
        "100주는 바로 체결되었고, 나머지 20주는 상대 주문이 모자라 IOC 조건에 따라 취소되었습니다."
    )
    tells(desk, story_of(person, order["order_id"], "ko"))


def test_the_drawer_by_keyboard(desks: Desks, market: Market, maker: Trader) -> None:
    instrument = market.book(maker, SYMBOL)
    person = market.person()
    for steps in (-2, -4):
        person.order(SYMBOL, "buy", 5, instrument.up(steps))
    desk = desks.log_in(person, symbol=SYMBOL)
    page, drawer = desk.page, desk.story
    rows = desk.rows("blotter.open")
    expect(rows).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("w")
    expect(drawer).to_contain_text(desk.won(instrument.up(-4)))
    assert drawer.evaluate("element => element.contains(document.activeElement)"), "the focus goes in"
    page.keyboard.press("j")
    page.keyboard.press("w")
    expect(drawer).to_contain_text(f"지정가 {desk.won(instrument.up(-2))}")
    page.keyboard.press("Tab")
    expect(desk.button("action.close", drawer)).to_be_focused()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()

    button = rows.first.locator(".why")
    button.focus()
    page.keyboard.press("Enter")
    expect(drawer).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")


def covers(drawer: Locator, other: Locator) -> bool:
    """Whether the drawer lies over any part of it."""
    over, box = drawer.bounding_box(), other.bounding_box()
    assert over is not None
    assert box is not None
    return bool(
        over["x"] < box["x"] + box["width"]
        and box["x"] < over["x"] + over["width"]
        and over["y"] < box["y"] + box["height"]
        and box["y"] < over["y"] + over["height"]
    )


def test_the_drawer_hides_neither_prices_nor_its_row(desks: Desks, market: Market, maker: Trader) -> None:
    instrument = market.book(maker, SYMBOL)
    maker.order(SYMBOL, "sell", 1, instrument.up(-1))
    person = market.person()
    person.order(SYMBOL, "buy", 5, instrument.up(-2))
    desk = desks.log_in(person, symbol=SYMBOL)
    row = desk.rows("blotter.open")
    drawer = why(desk, row)
    expect(drawer.locator("ol > li")).not_to_have_count(0)
    PICTURES.mkdir(parents=True, exist_ok=True)
    found: dict[str, object] = {}
    for width, height in (*SIZES, (1920, 1080), (1280, 720)):
        desk.page.set_viewport_size({"width": width, "height": height})
        desk.page.wait_for_timeout(300)
        where = f"{width}x{height}"
        if covers(drawer, desk.last_price):
            found[f"{where} hides the last price"] = True
        if width >= 1280:
            if covers(drawer, desk.level(instrument.up(-2)).locator(".pc")):
                found[f"{where} hides the ladder's prices"] = True
            if covers(drawer, row):
                found[f"{where} hides the row"] = True
        if desk.page.evaluate("document.documentElement.scrollWidth") > width:
            found[f"{where} is too wide"] = True
        for theme in ("light", "dark"):
            choose(desk.page, theme=theme)
            desk.page.screenshot(path=PICTURES / f"story-{width}-{theme}.png")
            if wrong := violations(desk.page):
                found[f"{where} {theme}"] = wrong
    assert found == {}
