"""The whole journey by keyboard alone: sign up, find, order, correct, cancel. The mouse is never touched."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Desks
from tests.browser.exchange import Market, Trader
from tests.browser.tradingpage import group

SYMBOL = "035720"

WHERE = """() => {
  const element = document.activeElement;
  const part = element.closest('.skip, .top, .list, .head, .chart, .ladder, .ticket, .acct, .blot, .status');
  return part === null ? '' : [...part.classList].find((name) => !name.startsWith('svelte'));
}"""


def press(page: Page, *keys: str) -> None:
    """One key after the other."""
    for key in keys:
        page.keyboard.press(key)


def test_from_signing_up_to_a_canceled_order(desks: Desks, market: Market, maker: Trader) -> None:
    instrument = market.book(maker, SYMBOL)
    desk = desks.open()
    page = desk.page
    dialog = page.get_by_role("dialog", name=desk.words["session.title_new"])
    expect(dialog.get_by_label(desk.words["session.name"], exact=True)).to_be_focused()
    page.keyboard.type("열쇠꾼")
    press(page, "Tab")
    page.keyboard.type("a long password")
    press(page, "Enter")
    expect(dialog).to_be_hidden()
    desk.wait_until_ready()
    expect(desk.qty).to_be_focused()

    # find an instrument
    press(page, "Tab")  # out of the input, where letters are letters
    press(page, "/")
    search = page.get_by_role("banner").get_by_role("combobox", name=desk.words["search.label"])
    expect(search).to_be_focused()
    page.keyboard.type("카카오")
    options = page.get_by_role("listbox").get_by_role("option")
    expect(options).to_have_count(2)
    press(page, "ArrowDown", "ArrowUp", "Enter")
    expect(desk.head).to_contain_text(SYMBOL)

    # take a price out of the ladder
    expect(desk.level(instrument.up(-1)).locator(".qty")).to_have_text("100")
    press(page, "l")
    for _ in range(20):
        name = page.evaluate("document.activeElement.getAttribute('aria-label')") or ""
        if name.startswith(f"{group(instrument.up(-2))},"):
            break
        press(page, "ArrowDown")
    expect(desk.level(instrument.up(-2)).get_by_role("button")).to_be_focused()
    press(page, "Enter")
    expect(desk.price).to_have_value(group(instrument.up(-2)))

    # the ticket
    press(page, "s")
    expect(desk.ticket.get_by_role("tab", name=desk.words["side.sell"])).to_have_attribute("aria-selected", "true")
    press(page, "b")
    expect(desk.ticket.get_by_role("tab", name=desk.words["side.buy"], exact=True)).to_be_focused()
    press(page, "p")
    expect(desk.price).to_be_focused()
    press(page, "ArrowDown")
    expect(desk.price).to_have_value(group(instrument.up(-3)))
    press(page, "Shift+ArrowUp")
    expect(desk.price).to_have_value(group(instrument.up(7)))
    press(page, "Shift+ArrowDown")
    press(page, "Alt+1")
    tenth = 100_000_000 // instrument.up(-3) * 10 // 100
    expect(desk.qty).to_have_value(group(tenth))
    press(page, "Tab")
    expect(desk.qty).to_be_focused()
    press(page, "ArrowUp", "Shift+ArrowUp")
    expect(desk.qty).to_have_value(group(tenth + 11))
    press(page, "Control+a")
    page.keyboard.type("25")
    expect(desk.sentence).to_contain_text("300주 뒤에 줄을 섭니다.")
    press(page, "Enter")
    row = desk.blotter.locator("tbody").get_by_role("row").first
    expect(row).to_contain_text("0 / 25")
    expect(desk.qty).to_be_focused()

    # the blotter
    press(page, "Tab", "j")
    expect(row).to_have_attribute("aria-current", "true")
    press(page, "w")
    expect(desk.story).to_contain_text("300주 뒤에 섰습니다")
    press(page, "Escape")
    expect(desk.story).to_be_hidden()
    press(page, "x")
    expect(desk.blotter).to_contain_text(desk.words["empty.open"])
    expect(desk.toasts).to_contain_text("25주 주문이 취소되었습니다")


def test_cancel_all_and_the_list_of_keys(desks: Desks, market: Market) -> None:
    person = market.person()
    instrument = market.instrument(SYMBOL)
    for steps in (-5, -6):
        person.order(SYMBOL, "buy", 1, instrument.up(steps))
    desk = desks.log_in(person, symbol=SYMBOL)
    page = desk.page
    expect(desk.rows("blotter.open")).to_have_count(2)
    press(page, "Shift+Escape")
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("2건을 모두 취소할까요?")
    press(page, "Escape")
    expect(question).to_be_hidden()
    expect(desk.rows("blotter.open")).to_have_count(2)
    press(page, "Shift+Escape", "Tab", "Enter")
    expect(desk.blotter).to_contain_text(desk.words["empty.open"])
    press(page, "?")
    keys = page.get_by_role("dialog", name=desk.words["keys.title"])
    expect(keys).to_be_visible()
    press(page, "Escape")
    expect(keys).to_be_hidden()


def test_single_letters_can_be_switched_off(desks: Desks, market: Market) -> None:
    desk = desks.log_in(market.person(), symbol=SYMBOL)
    desk.page.get_by_role("banner").get_by_role("button", name=desk.words["display.title"]).press("Enter")
    switch = desk.page.get_by_role("checkbox", name=desk.words["keys.single"])
    switch.press("Space")
    expect(switch).not_to_be_checked()
    press(desk.page, "Escape", "s")
    buy = desk.ticket.get_by_role("tab", name=desk.words["side.buy"], exact=True)
    expect(buy).to_have_attribute("aria-selected", "true")


def test_the_tab_key_walks_in_the_order_of_the_page(desks: Desks, market: Market, maker: Trader) -> None:
    market.book(maker, SYMBOL)
    person = market.person()
    person.order(SYMBOL, "buy", 1, market.instrument(SYMBOL).lower)
    desk = desks.log_in(person, symbol=SYMBOL)
    expect(desk.blotter.locator("tbody").get_by_role("row")).to_have_count(1)
    walked: list[str] = []
    for _ in range(120):
        press(desk.page, "Tab")
        where = desk.page.evaluate(WHERE)
        if where and (not walked or walked[-1] != where):
            walked.append(where)
        if where == "status":
            break
    assert walked == ["skip", "top", "list", "head", "chart", "ladder", "ticket", "blot", "status"]
    stops = desk.ladder.locator("[tabindex='0']")
    expect(stops).to_have_count(1)


def test_the_skip_link_leads_to_the_ticket(desks: Desks, market: Market) -> None:
    desk = desks.log_in(market.person(), symbol=SYMBOL)
    desk.page.evaluate("document.activeElement.blur()")
    press(desk.page, "Tab", "Enter")
    press(desk.page, "Tab")
    assert desk.page.evaluate(WHERE) == "ticket"
