"""Orders from the page: resting and canceled, filled at the market, the same after a reload, corrected."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Desks
from tests.browser.exchange import Market, Trader
from tests.browser.tradingpage import TradingPage, group

SYMBOL = "005930"


def name_of(market: Market, symbol: str) -> str:
    """What the page calls an instrument."""
    return market.instrument(symbol).name


def shows_account(desk: TradingPage, person: Trader) -> None:
    """The page shows the account as the exchange has it."""
    account = person.read("/v1/account")
    for key, field in (("settled", "settled_cash"), ("cash_d1", "cash_d1"), ("cash_d2", "cash_d2")):
        expect(desk.figure(f"account.{key}")).to_have_text(desk.won(account[field]))
    expect(desk.figure("account.reserved")).to_have_text(desk.won(account["reserved"]))


def test_a_limit_order_rests_is_seen_everywhere_and_is_canceled(desks: Desks, market: Market, maker: Trader) -> None:
    instrument = market.book(maker, SYMBOL)
    maker.order(SYMBOL, "buy", 1, instrument.up(1))  # so that there is a candle
    person = market.person()
    desk = desks.log_in(person, symbol=SYMBOL)
    price = instrument.up(-4)
    desk.fill("buy", 30, price)
    expect(desk.sentence).to_have_text(
        f"바로 체결되지 않고, {desk.won(price)}에서 {desk.shares(400)} 뒤에 줄을 섭니다."
    )
    expect(desk.send).to_have_text(f"30주 매수 · {desk.won(price)}")
    desk.send.click()

    expect(desk.toasts).to_contain_text("매수 30주 주문을 받았습니다")
    expect(desk.toasts).to_contain_text(f"{instrument.name} {desk.won(price)}")
    row = desk.rows("blotter.open")
    expect(row).to_have_count(1)
    for text in (instrument.name, "매수", group(price), "0 / 30", "앞에 400주"):
        expect(row).to_contain_text(text)
    level = desk.level(price)
    expect(level.locator(".own")).to_have_text("◆ 30")
    expect(level.locator(".qty")).to_have_text("430")
    expect(level.locator(".notch")).to_be_visible()
    expect(level.get_by_role("button")).to_have_accessible_name(
        re.compile(rf"^{group(price)}, .*%, 잔량 430, 내 주문 30$")
    )
    expect(desk.chart.get_by_role("button", name="매수 30주")).to_be_visible()
    expect(desk.listed(SYMBOL)).to_contain_text("◆")
    shows_account(desk, person)

    maker.api.delete("/v1/orders", params={"symbol": SYMBOL, "side": "buy"})
    expect(row).to_contain_text("맨 앞")
    desk.button("action.why", row).click()
    expect(desk.story).to_contain_text(f"{desk.won(price)}에서 가장 앞에 있습니다.")
    desk.page.keyboard.press("Escape")
    desk.button("action.cancel", row.first).click()
    expect(desk.toasts).to_contain_text(f"{instrument.name} 30주 주문이 취소되었습니다")
    expect(desk.blotter).to_contain_text(desk.words["empty.open"])
    expect(level.locator(".own")).to_have_text("")
    expect(desk.chart.get_by_role("button", name="매수 30주")).to_have_count(0)
    shows_account(desk, person)
    expect(desk.rows("blotter.history").first).to_contain_text(desk.words["status.canceled"])


def test_a_market_order_fills_without_a_reload_and_stays_after_one(desks: Desks, market: Market, maker: Trader) -> None:
    symbol = "035420"
    instrument = market.book(maker, symbol)
    person = market.person()
    desk = desks.log_in(person, symbol=symbol)
    desk.fill("buy", 150)
    expect(desk.sentence).to_have_text(
        f"{group(instrument.up(1))}~{desk.won(instrument.up(2))}에 150주가 바로 체결될 수 있습니다."
    )
    desk.send.click()

    expect(desk.toasts).to_contain_text(f"{instrument.name} 150주를 샀습니다")
    expect(desk.qty).to_have_value("")
    rows = desk.rows("blotter.fills")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(group(instrument.up(2)))
    expect(rows.last).to_contain_text(group(instrument.up(1)))
    holding = desk.rows("blotter.holdings").filter(has_text=instrument.name)
    average = round((100 * instrument.up(1) + 50 * instrument.up(2)) / 150)
    for text in ("150", group(average)):
        expect(holding).to_contain_text(text)
    expect(desk.head).to_contain_text("◆ 150주")
    expect(desk.tape.locator(".me")).to_have_count(2)
    expect(desk.figure("account.average")).to_have_text(desk.won(average))
    shows_account(desk, person)

    before = desk.account.inner_text(), desk.rows("blotter.fills").all_inner_texts()
    desk.page.reload()
    desk.wait_until_ready()
    expect(desk.rows("blotter.fills")).to_have_count(2)
    expect(desk.account).to_have_text(before[0], use_inner_text=True)
    assert desk.rows("blotter.fills").all_inner_texts() == before[1]
    shows_account(desk, person)


def test_a_resting_order_is_filled_by_somebody_else(desks: Desks, market: Market, maker: Trader) -> None:
    symbol = "068270"
    instrument = market.instrument(symbol)
    person = market.person(**{f"s{symbol}": 50})
    desk = desks.log_in(person, symbol=symbol)
    desk.fill("sell", 20, instrument.up(1))
    desk.send.click()
    row = desk.rows("blotter.open")
    expect(row).to_contain_text("0 / 20")
    maker.order(symbol, "buy", 8, instrument.up(1))
    expect(row).to_contain_text("8 / 20")
    toast = desk.toasts.get_by_text(f"{instrument.name} 8주를 팔았습니다").locator("xpath=..")
    expect(toast).to_contain_text("20주 중 8주, 12주 남음")
    maker.order(symbol, "buy", 12, instrument.up(1))
    expect(desk.blotter).to_contain_text(desk.words["empty.open"])
    expect(desk.rows("blotter.fills")).to_have_count(2)
    shows_account(desk, person)


def test_an_order_is_corrected(desks: Desks, market: Market, maker: Trader) -> None:
    symbol = "035720"
    instrument = market.book(maker, symbol)
    person = market.person()
    desk = desks.log_in(person, symbol=symbol)
    resting = person.order(symbol, "buy", 40, instrument.up(-2))
    row = desk.rows("blotter.open")
    expect(row).to_contain_text("앞에 200주")
    desk.button("action.amend", row).click()
    leaves = desk.ticket.get_by_role("textbox", name=desk.words["ticket.leaves"])
    expect(leaves).to_have_value("40")
    leaves.fill("25")
    expect(desk.sentence).to_have_text("수량만 25주로 줄어듭니다. 순서는 그대로입니다.")
    desk.send.click()
    expect(desk.toasts).to_contain_text(f"{instrument.name} 주문을 정정했습니다")
    expect(row).to_contain_text("0 / 25")
    expect(row).to_contain_text("앞에 200주")
    order = person.read(f"/v1/orders/{resting['order_id']}")
    assert (order["leaves_qty"], order["limit_price"]) == (25, instrument.up(-2))

    desk.button("action.amend", row).click()
    desk.price.fill(str(instrument.up(-3)))
    expect(desk.sentence).to_contain_text(f"{desk.won(instrument.up(-3))}에서 300주 뒤에 줄을 섭니다.")
    desk.send.click()
    expect(row).to_contain_text(group(instrument.up(-3)))
    expect(row).to_contain_text("앞에 300주")


def test_cancel_all_asks_once_and_names_how_many(desks: Desks, market: Market) -> None:
    person = market.person()
    instrument = market.instrument("247540")
    for steps in (-5, -6, -7):
        person.order("247540", "buy", 1, instrument.up(steps))
    desk = desks.log_in(person, symbol="247540")
    expect(desk.rows("blotter.open")).to_have_count(3)
    desk.button("action.cancel_all").click()
    question = desk.page.get_by_role("alertdialog", name="미체결 주문 3건을 모두 취소할까요?")
    desk.button("action.back", question).click()
    expect(desk.rows("blotter.open")).to_have_count(3)
    desk.button("action.cancel_all").click()
    desk.button("action.cancel_all", question).click()
    expect(desk.toasts).to_contain_text("주문 3건을 취소했습니다")
    expect(desk.blotter).to_contain_text(desk.words["empty.open"])
