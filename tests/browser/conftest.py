"""The built page, a real server and a real Chromium: one of each for all tests here; contexts and accounts for each."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, expect, sync_playwright

from tests.browser.exchange import Market, Trader
from tests.browser.feedwatch import FeedWatch
from tests.browser.tradingpage import TradingPage
from tests.serverprocess import ServerProcess

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "onseju/web/index.html"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 15_000
expect.set_options(timeout=WAIT_MS)


def lacking(what: str) -> None:
    """A machine without a browser or Node skips these tests; continuous integration must not."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="package")
def built_page() -> Path:
    """The page as users get it, built anew where its sources are newer."""
    if shutil.which("node") and shutil.which("npm"):
        made = subprocess.run(["make", "--no-print-directory", "page"], cwd=ROOT, capture_output=True, text=True)
        assert made.returncode == 0, f"the page cannot be built:\n{made.stdout}{made.stderr}"
    elif not BUILT.exists():
        lacking("Node and npm are missing, so the page cannot be built")
    return BUILT.parent


@contextmanager
def launch(chromium: BrowserType, *flags: str) -> Iterator[Browser]:
    """The system's Chromium, with a profile and a home of its own."""
    executable = os.environ.get("ONSEJU_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if executable is None:
        lacking("Chromium is missing (on Debian and Ubuntu: apt-get install chromium)")
    with tempfile.TemporaryDirectory(prefix="onseju-browser-", ignore_cleanup_errors=True) as home:
        browser = chromium.launch(executable_path=executable, args=[*FLAGS, *flags], env={**os.environ, "HOME": home})
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests. Each context of it has a profile of its own."""
    with sync_playwright() as playwright, launch(playwright.chromium) as browser:
        yield browser


@pytest.fixture(scope="package")
def page_server(built_page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server without bots, whose prices move only when a test moves them."""
    process = ServerProcess(tmp_path_factory.mktemp("exchange") / "data").start()
    yield process
    process.stop()


@pytest.fixture(scope="package")
def living_server(built_page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose bots trade, with a fixed seed."""
    process = ServerProcess(tmp_path_factory.mktemp("living") / "data", "--seed", "7", bots=True).start()
    yield process
    process.stop()


@pytest.fixture
def market(page_server: ServerProcess) -> Iterator[Market]:
    """The quiet server's market. Whoever a test brings in leaves with it."""
    market = Market(page_server)
    yield market
    market.close()


@pytest.fixture
def maker(market: Market) -> Trader:
    """The other side of the test's trades."""
    return market.maker()


@pytest.fixture
def feed(browser: Browser) -> Iterator[FeedWatch]:
    """What the shared workers of this test say on the wire."""
    watch = FeedWatch(browser)
    yield watch
    watch.close()


class Desks:
    """Opens the page, in a fresh profile each time, and sees to it that nothing went wrong behind what is shown."""

    def __init__(self, browser: Browser, server: ServerProcess) -> None:
        self._browser = browser
        self._server = server
        self._contexts: list[BrowserContext] = []
        self.errors: list[str] = []
        self.foreign: list[str] = []

    def context(self, width: int = 1440, height: int = 900, **options: Any) -> BrowserContext:
        """A profile of its own: its own cookies, storage and shared worker."""
        options.setdefault("locale", "ko-KR")
        context = self._browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(WAIT_MS)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("request", lambda request: self._asked(request.url))
        context.on("console", lambda message: self._said(message.type, message.text))
        self._contexts.append(context)
        return context

    def open(
        self, context: BrowserContext | None = None, *, url: str | None = None, language: str = "ko", **options: Any
    ) -> TradingPage:
        """The page, as somebody sees it who is not logged in."""
        context = context or self.context(**options)
        desk = TradingPage(context.new_page(), url or self._server.url, language)
        desk.open()
        return desk

    def log_in(
        self, person: Trader, context: BrowserContext | None = None, *, symbol: str | None = None, **options: Any
    ) -> TradingPage:
        """The page of somebody who is logged in, at an instrument."""
        context = context or self.context(**{k: v for k, v in options.items() if k not in ("url", "language")})
        person.enter(context, options.get("url") or self._server.url)
        desk = TradingPage(context.new_page(), options.get("url") or self._server.url, options.get("language", "ko"))
        desk.prefer(selected=symbol, language=desk.language)
        desk.open()
        desk.wait_until_ready()
        return desk

    def close(self) -> None:
        """Close all of it."""
        for context in self._contexts:
            context.close()

    def _asked(self, url: str) -> None:
        if url.startswith(("http:", "https:", "ws:", "wss:")) and not url.split("/")[2].startswith("127.0.0.1:"):
            self.foreign.append(url)

    def _said(self, kind: str, text: str) -> None:
        # A refused or lost request is told to people, and Chromium notes each in the console, too.
        if kind == "error" and not text.startswith("Failed to load resource") and "net::ERR_" not in text:
            self.errors.append(text)


@pytest.fixture
def desks(browser: Browser, page_server: ServerProcess) -> Iterator[Desks]:
    """Pages on the quiet server; at the end, none may have thrown, broken the content policy or asked another host."""
    desks = Desks(browser, page_server)
    yield desks
    desks.close()
    assert desks.errors == []
    assert desks.foreign == []


@pytest.fixture
def living_desks(browser: Browser, living_server: ServerProcess) -> Iterator[Desks]:
    """The same on the server with bots."""
    desks = Desks(browser, living_server)
    yield desks
    desks.close()
    assert desks.errors == []
    assert desks.foreign == []


@pytest.fixture
def stay() -> Callable[[Page, int], None]:
    """Let the browser run for so many milliseconds: for what must *not* happen."""
    return lambda page, ms: page.wait_for_timeout(ms)
