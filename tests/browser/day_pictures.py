"""The pictures of `docs/krx-day.md`: `python -m tests.browser.day_pictures [--speed 100] [--output docs/images/day]`.

Starts an exchange with bots whose day is short, and takes the page in each phase of it, with one volatility interruption.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.conftest import Desks, launch
from tests.browser.exchange import Market
from tests.serverprocess import ServerProcess

SYMBOL = "005930"
WAIT_S = 900
COLOURS = 128
"""Enough for a page that has few, and a third of the bytes."""


def main() -> None:
    """Live one day, and take its pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=int, default=100, help="seconds of the exchange's time per second")
    parser.add_argument("--output", type=Path, default=Path("docs/images/day"))
    chosen = parser.parse_args()
    chosen.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        options = ("--market-hours", "fast", "--seed", "11")
        server = ServerProcess(
            Path(folder) / "data", *options, env={"ONSEJU_CLOCK_SPEED": str(chosen.speed)}, bots=True
        )
        server.start()
        try:
            with sync_playwright() as playwright, launch(playwright.chromium) as browser:
                take_all(Desks(browser, server), Market(server), chosen.output)
        finally:
            server.stop()


def take_all(desks: Desks, market: Market, output: Path) -> None:
    """From the opening auction to the after-market. A person's orders make the day theirs too."""
    whale = market.maker()
    person = market.person(cash=80_000_000, **{f"s{SYMBOL}": 200})
    desk = desks.log_in(person, symbol=SYMBOL)

    def phase() -> str:
        row: dict[str, Any] = next(row for row in market.symbols() if row["symbol"] == SYMBOL)
        return str(row["phase"])

    def take(name: str) -> None:
        path = output / f"{name}.png"
        desk.page.screenshot(path=path)
        Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path}  ({path.stat().st_size // 1024} kB)", flush=True)

    until(lambda: phase() == "opening_auction")
    instrument = market.instrument(SYMBOL)
    person.order(SYMBOL, "buy", 50, instrument.up(2))
    person.order(SYMBOL, "sell", 40, instrument.up(12))
    until(lambda: bool(instrument_row(market)["indicative_price"]))
    desk.page.wait_for_timeout(1500)
    take("1-opening-auction")
    until(lambda: phase() == "continuous")
    desk.page.wait_for_timeout(40_000)
    take("2-continuous")
    whale.send(SYMBOL, "buy", 5_000)
    until(lambda: phase() == "vi_auction")
    desk.page.wait_for_timeout(350)
    take("3-volatility-interruption")
    until(lambda: phase() == "closing_auction")
    desk.page.wait_for_timeout(2500)
    take("4-closing-auction")
    until(lambda: phase() == "closed")
    desk.page.wait_for_timeout(1500)
    take("5-closed")
    until(lambda: phase() == "after_hours")
    desk.page.wait_for_timeout(20_000)
    take("6-after-market")
    desk.page.locator("button", has_text=desk.words["blotter.history"]).first.click()
    desk.page.wait_for_timeout(500)
    take("7-the-days-orders")
    desks.close()
    market.close()


def instrument_row(market: Market) -> dict[str, Any]:
    """The instrument as the API tells it now."""
    return market.instrument(SYMBOL).row


def until(condition: Callable[[], bool]) -> None:
    """Wait for a phase; ask often, for some are short."""
    end = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the phase did not come")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
