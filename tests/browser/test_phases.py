"""The market's phases on the page: auctions, interruptions, halts and closed markets, led by the host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.axe import violations
from tests.browser.conftest import ROOT, Desks
from tests.browser.exchange import Instrument, Market, Trader
from tests.browser.test_accessibility import choose
from tests.browser.tradingpage import TradingPage, group

SYMBOL = "005930"
PICTURES = ROOT / "build/screenshots"
SIZES = ((1440, 900), (1024, 768), (360, 780))


class Host:
    """What the host does with one instrument."""

    def __init__(self, market: Market) -> None:
        self._server = market.server

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """A call that must succeed."""
        with self._server.admin() as admin:
            answer = admin.post(f"/v1/admin/{path}", json={"symbol": SYMBOL, **body})
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def phase(self, phase: str) -> None:
        """Begin a phase of the instrument."""
        self.post("phase", phase=phase)

    def uncross(self) -> dict[str, Any]:
        """End the collecting; gives the auction's price and quantity."""
        auction: dict[str, Any] = self.post("uncross")["auctions"][SYMBOL]
        return auction


@pytest.fixture
def host(market: Market) -> Iterator[Host]:
    """Leads the market through the test, and leaves it trading with nothing in the way."""
    host = Host(market)
    yield host
    for trader in market.traders:
        trader.cancel_all()
    for rule in ("vi_dynamic_ppm", "vi_static_ppm"):
        host.post("rules", rule=rule, value=0)
    if market.instrument(SYMBOL).row["phase"] != "continuous":
        host.phase("continuous")


@pytest.fixture
def listed(market: Market, maker: Trader, host: Host) -> Instrument:
    """An instrument with ten levels on both sides."""
    return market.book(maker, SYMBOL)


@pytest.fixture
def person(market: Market) -> Trader:
    """Somebody who holds some of it."""
    return market.person(cash=50_000_000, **{f"s{SYMBOL}": 200})


@pytest.fixture
def desk(desks: Desks, listed: Instrument, person: Trader) -> TradingPage:
    """Their page."""
    return desks.log_in(person, symbol=SYMBOL)


def top(desk: TradingPage) -> Locator:
    """Phase and time in the top bar."""
    return desk.page.get_by_role("timer")


def type_chip(desk: TradingPage, kind: str) -> Locator:
    """One of the ticket's order types, or of its conditions."""
    return desk.ticket.get_by_role("radio", name=desk.words[kind], exact=True)


def looked_at(desk: TradingPage, name: str) -> None:
    """axe finds nothing in both themes and at all widths; pictures of it lie in build/screenshots."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    close = desk.button("action.close", desk.toasts)
    while close.count() > 0:  # a notice lies over what is below it for some seconds
        close.first.click()
    found: dict[str, list[str]] = {}
    for width, height in SIZES:
        desk.page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            choose(desk.page, theme=theme)
            desk.page.wait_for_timeout(120)
            desk.page.screenshot(path=PICTURES / f"{name}-{width}-{theme}.png")
            if wrong := violations(desk.page):
                found[f"{width} {theme}"] = wrong
    desk.page.set_viewport_size({"width": 1440, "height": 900})
    choose(desk.page, theme="light")
    assert found == {}


def test_an_auction_shows_what_it_would_give_and_fills_at_one_price(
    desk: TradingPage, listed: Instrument, maker: Trader, person: Trader, host: Host
) -> None:
    expect(top(desk)).to_contain_text("접속매매")
    place = desk.head.locator(".exp").bounding_box()
    host.phase("closing_auction")
    expect(top(desk)).to_contain_text("종가 단일가")
    expect(desk.head).to_contain_text("아직 맞는 주문이 없습니다")
    maker.order(SYMBOL, "buy", 900, listed.up(3))
    expect(desk.head.locator(".exp")).to_contain_text(re.compile(rf"{group(listed.up(3))}.*600주"))
    assert desk.head.locator(".exp").bounding_box() == place, "its space was kept free"
    row = desk.level(listed.up(3))
    expect(row).to_have_class(re.compile(r"\bindicative\b"))
    expect(row.get_by_role("button")).to_have_accessible_name(re.compile("예상체결가"))
    shown = [int(text.replace(",", "")) for text in desk.ladder.locator(".qty").all_inner_texts() if text]
    assert shown == [600, 500, 400, 300, 100, 200], "three levels on each side of the price, what matches left out"
    expect(desk.ladder.get_by_role("row")).to_have_count(20)
    figures = desk.page.get_by_role("region", name=desk.words["ladder.title"])
    expect(figures).to_contain_text("위아래 3단계만 공개됩니다")

    desk.fill("buy", 100, listed.up(4))
    expect(desk.sentence).to_contain_text(f"예상체결가 {desk.won(listed.up(3))}이면 이 주문은 체결될 수 있습니다.")
    desk.send.click()
    expect(desk.rows("blotter.open")).to_have_count(1)
    expect(desk.level(listed.up(4)).locator(".own")).to_have_text("◆ 100")
    looked_at(desk, "auction")
    auction = host.uncross()
    assert auction["price"] == listed.up(3)
    expect(desk.toasts).to_contain_text("100주를 샀습니다")
    expect(desk.rows("blotter.fills").first).to_contain_text(group(auction["price"]))
    fill = person.read("/v1/fills")["fills"][0]
    assert (fill["price"], fill["qty"], fill["liquidity"]) == (auction["price"], 100, "auction")
    expect(desk.last_price).to_have_text(group(auction["price"]))
    host.phase("continuous")
    expect(top(desk)).to_contain_text("접속매매")
    expect(desk.ladder.locator(".indicative")).to_have_count(0)


def test_types_that_the_auction_forbids_are_struck_through_and_say_why(
    desk: TradingPage, listed: Instrument, host: Host, person: Trader
) -> None:
    ioc = type_chip(desk, "tif.ioc")
    expect(ioc).not_to_have_attribute("aria-disabled", "true")
    host.phase("closing_auction")
    expect(ioc).to_have_attribute("aria-disabled", "true")
    conditional = type_chip(desk, "type_short.conditional_limit")
    expect(conditional).to_have_attribute("aria-disabled", "true")
    assert conditional.evaluate("element => getComputedStyle(element).textDecorationLine") == "line-through"
    box = desk.ticket.bounding_box()
    conditional.focus()
    expect(desk.sentence).to_have_text("종가 단일가에는 조건부지정가 주문을 받지 않습니다.")
    assert desk.ticket.bounding_box() == box, "nothing moves"
    conditional.click(force=True)
    expect(type_chip(desk, "type_short.limit")).to_be_checked()
    ioc.focus()
    expect(desk.sentence).to_have_text("단일가 시간에는 IOC를 쓸 수 없습니다. 당일 지정가로 주문해 주세요.")
    answer = person.send(SYMBOL, "buy", 1, listed.up(-1), type="conditional_limit")
    assert answer.json()["code"] == "order_type_not_allowed"
    desk.button("ticket.more_types", desk.ticket).click()
    menu = desk.ticket.get_by_role("dialog", name=desk.words["ticket.more_types"])
    midpoint = menu.get_by_role("button").filter(has_text=desk.words["type.midpoint"])
    expect(midpoint).to_have_attribute("aria-disabled", "true")
    expect(midpoint).to_contain_text("종가 단일가에는 중간가 주문을 받지 않습니다.")
    assert violations(desk.page) == []
    desk.page.keyboard.press("Escape")

    host.phase("continuous")
    expect(conditional).not_to_have_attribute("aria-disabled", "true")


def test_what_was_chosen_and_is_forbidden_now_is_refused_with_a_way_out(
    desk: TradingPage, listed: Instrument, host: Host
) -> None:
    desk.fill("buy", 5, listed.up(-1))
    desk.condition("ioc")
    expect(desk.send).not_to_have_attribute("aria-disabled", "true")
    host.phase("opening_auction")
    expect(top(desk)).to_contain_text("시가 단일가")
    expect(desk.send).to_have_attribute("aria-disabled", "true")
    desk.fixes.first.click()
    expect(desk.send).not_to_have_attribute("aria-disabled", "true")
    expect(type_chip(desk, "tif.day")).to_be_checked()


def test_a_stop_order_sleeps_until_its_price(
    desk: TradingPage, listed: Instrument, maker: Trader, person: Trader
) -> None:
    maker.order(SYMBOL, "sell", 10, listed.up(-1))
    desk.button("ticket.more_types", desk.ticket).click()
    menu = desk.ticket.get_by_role("dialog", name=desk.words["ticket.more_types"])
    menu.get_by_role("button").filter(has_text=desk.words["type.stop_limit"]).click()
    stop = desk.ticket.get_by_role("textbox", name=desk.words["ticket.stop_price"])
    desk.price.fill(str(listed.up(3)))
    desk.qty.fill("7")
    expect(desk.sentence).to_contain_text("스톱 가격을 입력해 주세요.")
    stop.fill(str(listed.up(1)))
    stop.press("ArrowUp")
    expect(stop).to_have_value(group(listed.up(2)))
    expect(desk.sentence).to_contain_text(f"현재가가 {desk.won(listed.up(2))} 이상이 되면")
    desk.send.click()
    row = desk.rows("blotter.open")
    expect(row).to_contain_text(desk.words["type.stop_limit"])
    order = person.read("/v1/orders")["orders"][0]
    assert (order["type"], order["stop_price"], order["limit_price"]) == ("stop_limit", listed.up(2), listed.up(3))
    desk.button("action.why", row).click()
    drawer = desk.story
    expect(drawer).to_contain_text(f"스톱 가격 {desk.won(listed.up(2))}")
    desk.button("story.do_correct_stop", drawer).or_(
        drawer.get_by_role("button").filter(has_text=desk.words["story.do_correct_stop"])
    ).first.click()
    expect(drawer).to_be_hidden()
    expect(stop).to_be_focused()


def test_a_volatility_interruption_is_marked_and_told(
    desk: TradingPage, listed: Instrument, maker: Trader, host: Host
) -> None:
    maker.order(SYMBOL, "buy", 10, listed.up(1))  # the price that the distance is measured from
    host.post("rules", rule="vi_dynamic_ppm", value=5000)
    bound = desk.ladder.locator('.row[data-mark="vi_upper"]')
    expect(bound).to_have_count(1)
    expect(bound.locator("em")).to_have_text("VI")
    expect(bound.get_by_role("button")).to_have_accessible_name(re.compile("변동성완화장치"))
    maker.order(SYMBOL, "buy", 3000, listed.up(9))
    expect(top(desk)).to_contain_text("VI 단일가")
    expect(desk.listed(SYMBOL).locator(".tag")).to_have_text("VI")
    expect(desk.toasts).to_contain_text("동적 변동성완화장치가 발동해 2분 단일가로 바뀌었습니다")
    expect(desk.head.locator(".exp.on")).to_be_visible()
    looked_at(desk, "vi")


def test_a_limit_price_is_marked(desks: Desks, market: Market, maker: Trader, host: Host) -> None:
    instrument = market.instrument(SYMBOL)
    maker.order(SYMBOL, "sell", 5, instrument.upper)
    maker.order(SYMBOL, "buy", 5, instrument.upper)
    maker.order(SYMBOL, "buy", 500, instrument.upper)
    desk = desks.log_in(market.person(), symbol=SYMBOL)
    row = desk.level(instrument.upper)
    expect(row).to_have_attribute("data-mark", "upper")
    expect(row.locator("em")).to_have_text("상한가")
    expect(desk.listed(SYMBOL).locator(".tag")).to_have_text("상한가")
    desk.page.screenshot(path=PICTURES / "limit-1440-light.png")
    assert violations(desk.page) == []


def test_a_halt_and_a_closed_market_take_nothing_but_cancels(
    desk: TradingPage, listed: Instrument, person: Trader, host: Host
) -> None:
    person.order(SYMBOL, "buy", 5, listed.up(-2))
    desk.fill("buy", 1, listed.up(-1))
    for phase, words in (("halted", "거래정지"), ("closed", "장 종료")):
        host.phase(phase)
        expect(top(desk)).to_contain_text(words)
        expect(desk.head.locator(".exp")).to_have_text(words)
        expect(desk.send).to_have_attribute("aria-disabled", "true")
        for kind in ("type_short.limit", "type_short.market"):
            expect(type_chip(desk, kind)).to_have_attribute("aria-disabled", "true")
        looked_at(desk, phase)
        if phase == "halted":
            expect(desk.listed(SYMBOL).locator(".tag")).to_have_text("정지")
    desk.button("action.cancel", desk.rows("blotter.open")).click()
    expect(desk.toasts).to_contain_text("5주 주문이 취소되었습니다")


def test_at_the_close_orders_are_at_its_price_alone(
    desk: TradingPage, listed: Instrument, maker: Trader, person: Trader, host: Host
) -> None:
    """Received first, then traded by time; what was left of the regular session is gone."""
    close = listed.up(1)
    person.order(SYMBOL, "buy", 3, close)
    host.phase("close_price_reception")
    expect(top(desk)).to_contain_text("시간외종가 접수")
    expect(desk.head.locator(".exp")).to_contain_text(group(close))
    expect(desk.rows("blotter.open")).to_have_count(0)
    maker.order(SYMBOL, "sell", 4, close)
    desk.fill("buy", 10, listed.up(-1))
    expect(desk.sentence).to_have_text(f"지금은 종가 {desk.won(close)}으로만 주문할 수 있습니다.")
    desk.fixes.first.click()
    expect(desk.sentence).to_contain_text("접수 순서대로 체결됩니다")
    expect(type_chip(desk, "type_short.market")).to_have_attribute("aria-disabled", "true")
    desk.send.click()
    expect(desk.rows("blotter.open")).to_contain_text("0 / 10")
    looked_at(desk, "at-the-close")
    host.phase("close_price")
    expect(desk.rows("blotter.open")).to_contain_text("4 / 10")
    host.phase("after_hours")
    expect(desk.rows("blotter.open")).to_have_count(0)


def test_phases_are_announced_politely(desk: TradingPage, host: Host) -> None:
    news = desk.page.get_by_role("status", name=desk.words["day.news"])
    host.phase("closing_auction")
    expect(news).to_have_text("삼성전자: 종가 단일가.")
    assert news.locator("xpath=ancestor::*[@aria-live='assertive' or @role='alert']").count() == 0


def test_cash_by_settlement_day(desk: TradingPage, listed: Instrument, maker: Trader, person: Trader) -> None:
    desk.fill("buy", 10)
    desk.send.click()
    expect(desk.toasts).to_contain_text("10주를 샀습니다")
    account = person.read("/v1/account")
    assert account["settled_cash"] > account["cash_d2"]
    for key, field in (("settled", "settled_cash"), ("cash_d1", "cash_d1"), ("cash_d2", "cash_d2")):
        expect(desk.figure(f"account.{key}")).to_have_text(desk.won(account[field]))
