"""The trading page as people use it: by what can be seen, by role and name, in either language."""

from __future__ import annotations

import json
import re
from typing import Any, Self

from playwright.sync_api import Locator, Page, expect

from tests.browser.words import words

STORAGE_KEY = "onseju.preferences"


def group(number: int) -> str:
    """71300 as `71,300`, with a real minus sign."""
    return f"{number:,}".replace("-", "\u2212")


class TradingPage:
    """One tab. Names are out of the page's own catalogue, so that a test reads the same in both languages."""

    def __init__(self, page: Page, url: str, language: str = "ko") -> None:
        self.page = page
        self.url = url
        self.language = language
        self.words = words(language)

    # Opening

    def open(self) -> Self:
        """Load the page."""
        self.page.goto(self.url + "/")
        return self

    def prefer(self, **settings: Any) -> None:
        """Settings of this browser, before the page is loaded. Those that are there already stay."""
        given = json.dumps({name: value for name, value in settings.items() if value is not None})
        self.page.context.add_init_script(
            f"if (location.protocol !== 'about:' && localStorage.getItem('{STORAGE_KEY}') === null) "
            f"localStorage.setItem('{STORAGE_KEY}', JSON.stringify({given}));"
        )

    def wait_until_ready(self) -> Self:
        """Until prices and orders are live."""
        expect(self.connection).to_have_text(self.words["connection.live"])
        return self

    def tab(self) -> TradingPage:
        """Another tab of the same browser."""
        return TradingPage(self.page.context.new_page(), self.url, self.language).open()

    # Finding

    def button(self, key: str, within: Locator | None = None) -> Locator:
        """A button by the catalogue's key of its name."""
        return (within or self.page).get_by_role("button", name=self.words[key], exact=True)

    def region(self, key: str) -> Locator:
        """A part of the page by the catalogue's key of its name."""
        return self.page.get_by_role("region", name=self.words[key], exact=True)

    @property
    def connection(self) -> Locator:
        """The word in the top bar that tells whether the page is live."""
        return self.page.get_by_role("banner").locator(".chip .words")

    @property
    def head(self) -> Locator:
        """Name and prices of the selected instrument."""
        return self.region("head.title")

    @property
    def last_price(self) -> Locator:
        """The large price."""
        return self.head.locator(".px strong")

    @property
    def list(self) -> Locator:
        """The instruments."""
        return self.page.get_by_role("navigation", name=self.words["list.title"])

    def listed(self, symbol: str) -> Locator:
        """An instrument's line in the list."""
        return self.list.get_by_role("button").filter(has_text=symbol)

    @property
    def ladder(self) -> Locator:
        """The book."""
        return self.page.get_by_role("table", name=self.words["ladder.title"])

    def level(self, price: int) -> Locator:
        """The ladder's row of a price."""
        price_button = self.page.get_by_role("button", name=re.compile(rf"^{group(price)}, "))
        return self.ladder.get_by_role("row").filter(has=price_button)

    @property
    def chart(self) -> Locator:
        """The chart."""
        return self.region("chart.title")

    @property
    def tape(self) -> Locator:
        """The newest trades."""
        return self.region("tape.title")

    @property
    def ticket(self) -> Locator:
        """The order ticket."""
        return self.region("ticket.title")

    @property
    def price(self) -> Locator:
        """The ticket's price."""
        return self.ticket.get_by_role("textbox", name=self.words["ticket.price"], exact=True)

    @property
    def qty(self) -> Locator:
        """The ticket's quantity."""
        return self.ticket.get_by_role("textbox", name=self.words["ticket.qty"], exact=True)

    @property
    def sentence(self) -> Locator:
        """What the ticket says would happen."""
        return self.ticket.locator("#ticket-say > span").first

    @property
    def fixes(self) -> Locator:
        """What the ticket offers instead of what cannot be done."""
        return self.ticket.locator("#ticket-say .fix").get_by_role("button")

    @property
    def send(self) -> Locator:
        """The ticket's button."""
        return self.ticket.locator("button[type=submit]")

    @property
    def blotter(self) -> Locator:
        """Orders, fills and holdings."""
        return self.region("blotter.title")

    def blotter_tab(self, key: str) -> Locator:
        """Show one of the blotter's lists, and give it."""
        self.blotter.get_by_role("tab", name=re.compile(rf"^{re.escape(self.words[key])}")).click()
        return self.blotter.get_by_role("tabpanel")

    def rows(self, key: str) -> Locator:
        """The lines of one of the blotter's lists, without its head."""
        return self.blotter_tab(key).locator("tbody").get_by_role("row")

    @property
    def toasts(self) -> Locator:
        """Notices."""
        return self.page.get_by_role("status", name=self.words["toasts.title"])

    @property
    def account(self) -> Locator:
        """Balance and profit."""
        return self.region("account.title")

    def figure(self, key: str) -> Locator:
        """One of the account's figures."""
        term = re.compile(rf"^{re.escape(self.words[key])}$")
        return self.account.locator("dt").filter(has_text=term).locator("+ dd")

    @property
    def story(self) -> Locator:
        """The drawer that tells why an order is as it is."""
        titles = f"{re.escape(self.words['story.title'])}|{re.escape(self.words['story.title_done'])}"
        return self.page.get_by_role("dialog", name=re.compile(f"^({titles})$"))

    @property
    def status(self) -> Locator:
        """The line at the bottom."""
        return self.page.get_by_role("contentinfo")

    # Doing

    def sign_up(self, name: str, password: str) -> None:
        """Become a user, through the dialog that a new visitor sees."""
        dialog = self.page.get_by_role("dialog", name=self.words["session.title_new"])
        dialog.get_by_label(self.words["session.name"], exact=True).fill(name)
        dialog.get_by_label(self.words["session.password"], exact=True).fill(password)
        self.button("session.start", dialog).click()
        expect(dialog).to_be_hidden()

    def log_in(self, name: str, password: str) -> None:
        """Log in with a name that exists."""
        self.page.get_by_role("radio", name=self.words["session.known"]).click()
        dialog = self.page.get_by_role("dialog", name=self.words["session.title_known"])
        dialog.get_by_label(self.words["session.name"], exact=True).fill(name)
        dialog.get_by_label(self.words["session.password"], exact=True).fill(password)
        self.button("session.log_in", dialog).click()

    def select(self, symbol: str) -> None:
        """Choose an instrument in the list."""
        self.listed(symbol).click()
        expect(self.head).to_contain_text(symbol)

    def fill(self, side: str, qty: int | str | None, price: int | str | None = None) -> None:
        """Fill in the ticket; at the market without a price."""
        self.ticket.get_by_role("tab", name=self.words[f"side.{side}"], exact=True).click()
        kind = "type.market" if price is None else "type.limit"
        chips = self.ticket.get_by_role("radio", name=self.words[kind], exact=True)
        if chips.is_visible():
            chips.click()
        else:
            self.ticket.get_by_role("combobox", name=self.words["ticket.type"]).select_option(label=self.words[kind])
        if price is not None:
            self.price.fill(str(price))
        self.qty.fill("" if qty is None else str(qty))

    def condition(self, time_in_force: str) -> None:
        """How long an order holds."""
        self.ticket.get_by_role("radio", name=self.words[f"tif.{time_in_force}"], exact=True).click()

    def won(self, number: int) -> str:
        """Money as the page writes it."""
        return f"{group(number)}원" if self.language == "ko" else f"₩{group(number)}"

    def shares(self, number: int) -> str:
        """A quantity as the page writes it."""
        return f"{group(number)}주" if self.language == "ko" else group(number)
