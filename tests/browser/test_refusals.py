"""The ticket's sentence: why an order is not possible, before it is sent; and that the exchange then does what was said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import ROOT, Desks
from tests.browser.exchange import Instrument, Market, Trader
from tests.browser.tradingpage import TradingPage, group
from tests.serverprocess import ServerProcess

SYMBOL = "000660"
SAID: dict[str, dict[str, str]] = json.loads((ROOT / "web/src/model/reasons.json").read_text("utf-8"))
"""The exchange's own sentences, by reason and language."""
CASH = 10_000_000
HELD = 30


def refused(desk: TradingPage, sentence: str | re.Pattern[str]) -> None:
    """The sentence says why, and the button does not send."""
    expect(desk.sentence).to_have_text(sentence)
    expect(desk.send).to_have_attribute("aria-disabled", "true")
    expect(desk.send).to_be_visible()


def may_send(desk: TradingPage) -> None:
    """The button sends."""
    expect(desk.send).not_to_have_attribute("aria-disabled", "true")


def code_of(person: Trader, symbol: str, side: str, qty: int, price: int | None) -> str:
    """The exchange's reason for refusing the same order."""
    answer = person.send(symbol, side, qty, price)
    assert answer.status_code in (400, 422), answer.text
    return str(answer.json()["code"])


@pytest.fixture
def listed(market: Market, maker: Trader) -> Instrument:
    """An instrument with ten levels on both sides."""
    return market.book(maker, SYMBOL)


@pytest.fixture
def person(market: Market) -> Trader:
    """Somebody with a little cash and a few shares."""
    return market.person(cash=CASH, **{f"s{SYMBOL}": HELD})


@pytest.fixture
def desk(desks: Desks, listed: Instrument, person: Trader) -> TradingPage:
    """Their page."""
    return desks.log_in(person, symbol=SYMBOL)


def test_a_price_off_the_grid(desk: TradingPage, listed: Instrument, person: Trader) -> None:
    price = listed.up(-1)
    desk.fill("buy", 1, price + 1)
    refused(desk, f"이 가격대는 {desk.won(listed.tick(price))} 단위로 주문합니다.")
    expect(desk.price).to_have_attribute("aria-invalid", "true")
    expect(desk.fixes).to_have_text([desk.won(price), desk.won(listed.up(1, price))])
    assert code_of(person, SYMBOL, "buy", 1, price + 1) == "price_tick"
    desk.fixes.first.click()
    expect(desk.price).to_have_value(group(price))
    may_send(desk)


@pytest.mark.parametrize(("way", "word"), [("upper", "상한가 {}보다 비싸게"), ("lower", "하한가 {}보다 싸게")])
def test_a_price_beyond_the_days_limits(
    desk: TradingPage, listed: Instrument, person: Trader, way: str, word: str
) -> None:
    limit = getattr(listed, way)
    price = listed.up(1 if way == "upper" else -1, limit)
    desk.fill("sell", 1, price)
    refused(desk, word.format(desk.won(limit)) + " 주문할 수 없습니다.")
    expect(desk.fixes).to_have_text([desk.won(limit)])
    assert code_of(person, SYMBOL, "sell", 1, price) == "price_limit"


def test_more_than_the_cash_buys(desk: TradingPage, listed: Instrument, person: Trader) -> None:
    price = listed.up(-1)
    most = listed.affordable(CASH, price)
    qty = most + 5
    desk.fill("buy", qty, price)
    short = listed.cost(qty, price) - CASH
    refused(desk, f"현금이 {desk.won(short)} 모자랍니다. 최대 {most}주까지 살 수 있습니다.")
    assert code_of(person, SYMBOL, "buy", qty, price) == "insufficient_cash"
    desk.fixes.filter(has_text=f"{most}주로 바꾸기").click()
    expect(desk.qty).to_have_value(str(most))
    may_send(desk)
    desk.fill("buy", most + 1)  # at the market: the upper limit is reserved
    expect(desk.sentence).to_contain_text(f"최대 {listed.affordable(CASH, listed.upper)}주까지 살 수 있습니다.")
    assert code_of(person, SYMBOL, "buy", most + 1, None) == "insufficient_cash"
    assert person.read("/v1/account")["reserved"] == 0


def test_what_a_refusal_offers_can_be_taken_while_the_book_moves(
    desk: TradingPage, maker: Trader, listed: Instrument
) -> None:
    desk.fill("buy", CASH // listed.up(-1) + 5, listed.up(-1))
    button = desk.fixes.first.element_handle()
    for steps in (2, 3, 4):
        maker.order(SYMBOL, "sell", 1, listed.up(steps))
        expect(desk.level(listed.up(steps)).locator(".qty")).to_have_text(group(100 * steps + 1))
    assert button.evaluate("element => element.isConnected"), "the button under the pointer is still the same one"


def test_no_cash_at_all(desks: Desks, market: Market, listed: Instrument) -> None:
    pauper = market.person(cash=0)
    desk = desks.log_in(pauper, symbol=SYMBOL)
    desk.fill("buy", 1, listed.up(-1))
    refused(desk, f"현금이 {desk.won(listed.cost(1, listed.up(-1)))} 모자랍니다.")
    assert code_of(pauper, SYMBOL, "buy", 1, listed.up(-1)) == "insufficient_cash"


def test_more_shares_than_are_free(desk: TradingPage, listed: Instrument, person: Trader) -> None:
    desk.fill("sell", HELD + 1, listed.up(9))
    refused(desk, f"팔 수 있는 수량은 {HELD}주입니다.")
    assert code_of(person, SYMBOL, "sell", HELD + 1, listed.up(9)) == "insufficient_shares"
    person.order(SYMBOL, "sell", 20, listed.up(9))
    refused(desk, "팔 수 있는 수량은 10주입니다. 20주는 다른 매도 주문에 묶여 있습니다.")
    desk.fixes.filter(has_text="10주로 바꾸기").click()
    may_send(desk)


def test_no_shares_at_all(desks: Desks, market: Market, listed: Instrument) -> None:
    person = market.person()
    desk = desks.log_in(person, symbol=SYMBOL)
    desk.fill("sell", 1, listed.up(1))
    refused(desk, "팔 수 있는 주식이 없습니다.")
    assert code_of(person, SYMBOL, "sell", 1, listed.up(1)) == "insufficient_shares"


NO_QUANTITIES = (
    ("0", SAID["invalid_qty"]["ko"], "0"),
    ("12345678901234567890", "주문할 수 있는 수보다 큽니다. 더 작은 수를 입력해 주세요.", "12345678901234567890"),
    ("9" * 400, "주문할 수 있는 수보다 큽니다. 더 작은 수를 입력해 주세요.", None),
    ("9007199254740991", SAID["amount_too_large"]["ko"], "9,007,199,254,740,991"),
    ("-5", "숫자만 입력해 주세요.", "-5"),
    ("1.5", "숫자만 입력해 주세요.", "1.5"),
    ("열 주", "숫자만 입력해 주세요.", "열 주"),
    ("<b>1</b>", "숫자만 입력해 주세요.", "<b>1</b>"),
    ("", "수량을 입력해 주세요.", ""),
)
QUANTITIES = (("1,0", 10), ("３", 3), ("7주", 7), (" 5 ", 5), ("+2", 2), ("4.0", 4))


def test_a_pasted_quantity_that_is_none(desk: TradingPage, listed: Instrument) -> None:
    desk.fill("buy", None, listed.up(-1))
    box = desk.ticket.bounding_box()
    for typed, sentence, shown in NO_QUANTITIES:
        desk.qty.click()
        desk.qty.select_text()
        desk.page.evaluate("text => document.execCommand(text ? 'insertText' : 'delete', false, text)", typed)
        refused(desk, sentence)
        desk.send.focus()
        if shown is not None:
            expect(desk.qty).to_have_value(shown)
        assert desk.ticket.bounding_box() == box, "nothing moves"
    expect(desk.rows("blotter.open")).to_have_count(0)


def test_a_quantity_as_people_write_it(desk: TradingPage, listed: Instrument) -> None:
    for typed, qty in QUANTITIES:
        desk.fill("buy", typed, listed.up(-1))
        expect(desk.send).to_have_text(f"{qty}주 매수 · {desk.won(listed.up(-1))}")
        may_send(desk)


def test_a_price_of_zero(desk: TradingPage, person: Trader) -> None:
    desk.fill("buy", 1, "0")
    refused(desk, "가격은 1 이상의 정수로 입력해 주세요.")
    desk.price.fill("")
    refused(desk, "가격을 입력해 주세요.")
    assert person.send(SYMBOL, "buy", 1, 0).status_code == 400


def test_a_market_that_takes_no_orders(desk: TradingPage, market: Market, listed: Instrument, person: Trader) -> None:
    desk.fill("buy", 1, listed.up(-1))
    may_send(desk)
    with market.server.admin() as admin:
        try:
            assert admin.post("/v1/admin/halt", json={"symbol": SYMBOL}).status_code == 200
            refused(desk, SAID["halted"]["ko"])
            assert code_of(person, SYMBOL, "buy", 1, listed.up(-1)) == "halted"
            body = {"symbol": SYMBOL, "phase": "closed"}
            assert admin.post("/v1/admin/resume", json=body).status_code == 200
            refused(desk, SAID["market_closed"]["ko"])
            assert code_of(person, SYMBOL, "buy", 1, listed.up(-1)) == "market_closed"
        finally:
            body = {"symbol": SYMBOL, "phase": "continuous"}
            assert admin.post("/v1/admin/phase", json=body).status_code == 200
    may_send(desk)


def test_nobody_is_logged_in(desks: Desks, market: Market, listed: Instrument) -> None:
    desk = desks.open()
    desk.button("session.later").click()
    desk.select(SYMBOL)
    desk.fill("buy", 1, listed.up(-1))
    expect(desk.sentence).to_have_text("로그인하면 주문할 수 있습니다.")
    desk.send.click()
    expect(desk.page.get_by_role("dialog", name=desk.words["session.title_new"])).to_be_visible()


class Case(NamedTuple):
    """An order, and the forecast's sentence for it: numbers are the ladder's steps from the base price."""

    side: str
    qty: int
    steps: int | None
    condition: str
    sentence: str
    filled: int
    resting: int


CASES = {
    "rests behind others": Case("buy", 3, -2, "day", "바로 체결되지 않고, {-2}에서 200주 뒤에 줄을 섭니다.", 0, 3),
    "rests at a far price": Case("buy", 3, -30, "day", "바로 체결되지 않고, {-30}에서 맨 앞에 줄을 섭니다.", 0, 3),
    "fills whole": Case("buy", 12, 1, "day", "{1}에 12주가 바로 체결될 수 있습니다.", 12, 0),
    "fills at better prices": Case("sell", 15, -3, "day", "{-1}에 15주가 바로 체결될 수 있습니다.", 15, 0),
    "sells at the market": Case("sell", 15, None, "day", "{-1}에 15주가 바로 체결될 수 있습니다.", 15, 0),
    "finds nothing at once": Case("buy", 3, -1, "ioc", "지금 체결될 호가가 없어 IOC 주문은 전량 취소됩니다.", 0, 0),
    "kills what cannot be whole": Case(
        "sell", 30, -1, "fok", "지금 체결될 수 있는 수량이 30주 중 20주여서 FOK 주문은 전량 취소됩니다.", 0, 0
    ),
    "fills in part and rests": Case(
        "sell", 30, -1, "day", "20주는 바로 체결될 수 있고, 10주는 {-1}에서 기다립니다.", 20, 10
    ),
    "fills in part and ends": Case("sell", 30, -1, "ioc", "20주는 바로 체결될 수 있고, 10주는 취소됩니다.", 20, 0),
}


def test_what_is_said_is_what_happens(desks: Desks, market: Market, maker: Trader) -> None:
    instrument = market.instrument(SYMBOL)
    person = market.person(cash=100_000_000, **{f"s{SYMBOL}": 20 * HELD})
    desk = desks.log_in(person, symbol=SYMBOL)
    for count, (name, case) in enumerate(CASES.items(), 1):
        for trader in (person, maker):
            trader.cancel_all()
        for step in (1, 2, 3):
            qty = 20 if step == 1 else 100 * step
            maker.order(SYMBOL, "sell", qty, instrument.up(step))
            maker.order(SYMBOL, "buy", qty, instrument.up(-step))
        for step in (1, 3):
            expect(desk.level(instrument.up(-step)).locator(".qty")).to_have_text("20" if step == 1 else "300")
        price = None if case.steps is None else instrument.up(case.steps)
        desk.fill(case.side, case.qty, price)
        desk.condition(case.condition)
        sentence = re.sub(r"\{(-?\d+)\}", lambda found: desk.won(instrument.up(int(found[1]))), case.sentence)
        expect(desk.sentence, name).to_have_text(sentence)
        may_send(desk)
        desk.send.click()
        rows = desk.rows("blotter.history")
        expect(rows, name).to_have_count(count)
        expect(rows.first, name).to_contain_text(f"{case.filled} / {case.qty}")
        (order, *_) = person.read("/v1/orders", limit=1)["orders"]
        assert (order["filled_qty"], order["leaves_qty"]) == (case.filled, case.resting), name
        assert order["filled_qty"] + order["leaves_qty"] + order["canceled_qty"] == case.qty, name


@pytest.fixture(scope="module")
def strict_server(built_page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that takes one order a second and account."""
    process = ServerProcess(
        tmp_path_factory.mktemp("strict") / "data", env={"ONSEJU_ORDER_RATE_PER_S": "1", "ONSEJU_SIGN_UP": "closed"}
    ).start()
    yield process
    process.stop()


@pytest.fixture
def strict(browser: Browser, strict_server: ServerProcess) -> Iterator[tuple[Desks, Market]]:
    """Its pages and market."""
    desks, market = Desks(browser, strict_server), Market(strict_server)
    yield desks, market
    desks.close()
    market.close()
    assert desks.errors == []


def sends(desk: TradingPage, qty: int, price: int) -> None:
    """Fill in a buy and send it."""
    desk.fill("buy", qty, price)
    may_send(desk)
    desk.send.click()


def test_the_exchanges_own_refusals_are_said_in_the_ticket(strict: tuple[Desks, Market]) -> None:
    desks, market = strict
    person = market.person()
    instrument = market.instrument(SYMBOL)
    desk = desks.log_in(person, symbol=SYMBOL, url=market.server.url)
    with market.server.admin() as admin:

        def rule(name: str, value: int) -> None:
            assert admin.post("/v1/admin/rules", json={"rule": name, "value": value}).status_code == 200

        rule("max_open_orders", 1)
        sends(desk, 1, instrument.up(-9))
        expect(desk.rows("blotter.open")).to_have_count(1)
        sends(desk, 1, instrument.up(-8))
        expect(desk.sentence).to_have_text(SAID["too_many_open_orders"]["ko"])
        rule("max_open_orders", 0)
        order = {"symbol": SYMBOL, "side": "buy", "type": "limit", "limit_price": instrument.up(-7), "qty": 1}
        for _ in range(10):
            desk.fill("buy", 1, instrument.up(-7))
            may_send(desk)
            while person.api.post("/v1/orders", json=order).status_code != 429:
                pass  # however slow the page is, it comes after an order of this second
            desk.send.click()
            expect(desk.send).not_to_have_attribute("aria-busy", "true")  # the answer is there
            if re.search(r"주문이 너무 잦습니다\. \d+초 뒤에 다시 보낼 수 있습니다\.", desk.sentence.inner_text()):
                break
        else:
            pytest.fail("ten orders in a row were taken")
        rejected = desk.rows("blotter.history").filter(has_text=desk.words["status.rejected"])
        expect(rejected).to_have_count(1)
        expect(rejected.first).to_contain_text(SAID["too_many_open_orders"]["ko"])


def test_a_hosts_fees_and_bounds_are_in_the_forecast(strict: tuple[Desks, Market]) -> None:
    desks, market = strict
    symbol, cash = "035420", 10_000_000
    instrument = market.instrument(symbol)
    person = market.person(cash=cash)
    with market.server.admin() as admin:
        for name, value in (("commission_ppm", 1500), ("max_order_qty", 1000)):
            body = {"rule": name, "value": value, "symbol": symbol}
            assert admin.post("/v1/admin/rules", json=body).status_code == 200
    desk = desks.log_in(person, symbol=symbol, url=market.server.url)
    price = instrument.up(-1)
    most = next(qty for qty in range(cash // price, 0, -1) if qty * price + qty * price * 1500 // 1_000_000 <= cash)
    needed = (most + 1) * price + (most + 1) * price * 1500 // 1_000_000
    desk.fill("buy", most + 1, price)
    refused(desk, f"현금이 {desk.won(needed - cash)} 모자랍니다. 최대 {most}주까지 살 수 있습니다.")
    assert code_of(person, symbol, "buy", most + 1, price) == "insufficient_cash"
    expect(desk.ticket.locator("dd").last).to_have_text(desk.won((most + 1) * price * 1500 // 1_000_000))
    desk.fill("buy", 1001, price)
    refused(desk, "한 번에 1,000주까지 주문할 수 있습니다.")
    desk.fill("buy", most, price)
    may_send(desk)
    desk.send.click()
    expect(desk.rows("blotter.open")).to_have_count(1)
    expect(desk.figure("account.reserved")).to_have_text(desk.won(most * price + most * price * 1500 // 1_000_000))


def test_sign_up_and_log_in_say_what_is_wrong(strict: tuple[Desks, Market], desks: Desks, market: Market) -> None:
    closed, closed_market = strict
    desk = closed.open(url=closed_market.server.url)
    dialog = desk.page.get_by_role("dialog")
    name, password = dialog.get_by_label(desk.words["session.name"], exact=True), dialog.locator("[type=password]")
    start = desk.button("session.start", dialog)
    told = dialog.get_by_role("status")

    def attempt(who: str, secret: str) -> None:
        name.fill(who)
        password.fill(secret)
        start.click()

    attempt("a", "a long password")
    expect(told).to_have_text("이름은 2자 이상 32자 이하로 입력해 주세요.")
    attempt("a b", "a long password")
    expect(told).to_have_text("이름에는 한글, 영문, 숫자와 . _ -만 쓸 수 있습니다.")
    attempt("somebody", "short")
    expect(told).to_have_text("비밀번호는 8자 이상이어야 합니다.")
    attempt("somebody", "a long password")
    expect(told).to_contain_text("가입")
    person = market.person()
    other = desks.open()
    dialog = other.page.get_by_role("dialog")
    dialog.get_by_label(other.words["session.name"], exact=True).fill(person.name)
    dialog.locator("[type=password]").fill("a long password")
    other.button("session.start", dialog).click()
    expect(dialog.get_by_role("status")).to_contain_text("이름")
    other.log_in(person.name, "not the password")
    expect(other.page.get_by_role("dialog").get_by_role("status")).to_contain_text("비밀번호")
