"""The README's picture: `python -m tests.browser.picture URL NAME PASSWORD [--output docs/images/page.png]`.

Takes the page as it is, of somebody who has traded on a running exchange, at twice the resolution. `--order` sends an order
through the ticket first, so that its notice is in the picture.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import launch
from tests.browser.exchange import LOG_IN
from tests.browser.tradingpage import TradingPage

FRAME = 87
"""Of a window's height the browser keeps so much for itself."""


def main() -> None:
    """Log in, wait until all is live, take the picture."""
    parser = argparse.ArgumentParser(description="A picture of the page.")
    parser.add_argument("url")
    parser.add_argument("name")
    parser.add_argument("password")
    parser.add_argument("--output", type=Path, default=Path("docs/images/page.png"))
    parser.add_argument("--size", default="1440x900")
    parser.add_argument("--scale", type=float, default=2)
    parser.add_argument("--theme", default="light")
    parser.add_argument("--language", default="ko")
    parser.add_argument("--symbol", default="005930")
    parser.add_argument("--interval", default="1m")
    parser.add_argument("--order", metavar="SIDE,QTY", help="an order at the market")
    parser.add_argument("--draft", metavar="SIDE,QTY,PRICE", help="what stands in the ticket")
    chosen = parser.parse_args()
    width, height = map(int, chosen.size.split("x"))
    settings = {"theme": chosen.theme, "language": chosen.language, "selected": chosen.symbol}
    settings |= {"interval": chosen.interval, "favourites": [chosen.symbol]}
    # An emulated resolution leaves canvases at the screen's own, so the browser itself is told.
    flags = (f"--force-device-scale-factor={chosen.scale}", f"--window-size={width},{height + FRAME}")
    with sync_playwright() as playwright, launch(playwright.chromium, *flags) as browser:
        context = browser.new_context(no_viewport=True, locale="ko-KR")
        page = context.new_page()
        page.goto(chosen.url + "/v1/clock")
        if page.evaluate(LOG_IN, {"name": chosen.name, "password": chosen.password}) != 201:
            raise SystemExit("the name or the password is wrong")
        page.evaluate("text => localStorage.setItem('onseju.preferences', text)", json.dumps(settings))
        desk = TradingPage(page, chosen.url, chosen.language).open().wait_until_ready()
        desk.list.get_by_role("tab", name=desk.words["list.all"]).click()
        if chosen.order:
            side, qty = chosen.order.split(",")
            desk.fill(side, qty)
            desk.send.click()
            desk.toasts.locator(".toast.fill").first.wait_for()
        if chosen.draft:
            side, qty, price = chosen.draft.split(",")
            desk.fill(side, qty, price)
            page.evaluate("document.activeElement.blur()")
        page.mouse.move(width - 1, height - 1)
        page.wait_for_timeout(1200)
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=chosen.output, scale="device")
        print(f"{chosen.output}: {page.evaluate('[innerWidth, innerHeight, devicePixelRatio]')}")


if __name__ == "__main__":
    main()
