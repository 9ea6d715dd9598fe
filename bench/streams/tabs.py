"""Seven tabs of one browser: a browser opens at most six connections to a host with HTTP/1.1, and each EventSource keeps one.

A real Chromium, logged in, its tabs on one account: an EventSource for each tab, a WebSocket for each tab, and our own page,
whose tabs share one stream in a SharedWorker. Then orders of the account from elsewhere, and a request of a tab.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

from bench.streams.stamps import read_stamps
from bench.streams.venue import Venue

BUILT = Path(__file__).parents[2] / "onseju/web/index.html"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
TABS = 7
PASSWORD = "correct horse battery"
SENT_S = 3.0
"""How long a tab waits for the answer to a request."""
OPEN_S = 5.0
"""How long tabs have to open their streams, and then for the last event."""

LOG_IN = """async (body) => (await fetch('/v1/session', {
  method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)})).status"""
EVENT_SOURCE = """() => {
  window.seen = []; window.streamOpen = false;
  const source = window.kept = new EventSource('/v1/stream');
  source.onopen = () => { window.streamOpen = true; };
  const take = ({data}) => seen.push([JSON.parse(data).id, performance.timeOrigin + performance.now()]);
  for (const type of ['order', 'account', 'fill', 'position']) source.addEventListener(type, take);
}"""
WEBSOCKET = """() => {
  window.seen = []; window.streamOpen = false;
  const socket = window.kept = new WebSocket(`ws://${location.host}/v1/ws`);
  socket.onopen = () => socket.send('{"op":"subscribe","channels":[{"name":"account"}]}');
  socket.onmessage = ({data}) => {
    const message = JSON.parse(data);
    if (message.ch) seen.push([message.id, performance.timeOrigin + performance.now()]);
    else window.streamOpen = message.status === 200;
  };
}"""
REQUEST = """async (limit) => {
  const began = performance.now();
  try { await (await fetch('/v1/clock', {cache: 'no-store', signal: AbortSignal.timeout(limit)})).text(); }
  catch { return null; }
  return performance.now() - began;
}"""
LIVE = "() => !document.querySelector('[data-stale]') && !!document.querySelector('.chip .words')"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    orders: int


FULL = Plan(orders=50)
QUICK = Plan(orders=3)


def executable() -> str | None:
    """The installed Chromium, if there is one."""
    named = os.environ.get("ONSEJU_CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Person:
    """A user with a password, who also orders from elsewhere."""

    def __init__(self, venue: Venue, name: str) -> None:
        self.login = {"name": name, "password": PASSWORD}
        self.http = httpx.Client(base_url=venue.server.url, trust_env=False, timeout=30)
        self.http.post("/v1/users", json=self.login).raise_for_status()
        came = self.http.post("/v1/session", json=self.login).raise_for_status()
        self.http.headers["X-CSRF-Token"] = came.json()["csrf_token"]
        self.http.headers["Cookie"] = came.headers["set-cookie"].partition(";")[0]  # it is for https alone, or browsers
        self._order = {"symbol": venue.symbol, "side": "buy", "type": "limit", "qty": 1, "limit_price": venue.price}

    def order(self, count: int) -> None:
        """So many orders that find nobody, 20 a second."""
        start = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, start + number / 20 - time.monotonic()))
            self.http.post("/v1/orders", json=self._order | {"time_in_force": "ioc"}).raise_for_status()


def until(condition: Callable[[], bool], page: Page, seconds: float) -> None:
    """Wait for a condition, but not for longer; the browser goes on meanwhile."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        page.wait_for_timeout(20)


def measure_own(venue: Venue, context: BrowserContext, person: Person, script: str, plan: Plan) -> dict[str, Any]:
    """A stream for each tab, opened by a script in the smallest page that there is."""
    pages = [context.new_page() for _ in range(TABS)]
    for page in pages:
        page.goto(venue.server.url + "/v1/clock")
    if pages[0].evaluate(LOG_IN, person.login) >= 400:
        raise RuntimeError("the browser could not log in")
    before = venue.sockets()
    for page in pages:
        page.evaluate(script)
    until(lambda: all(page.evaluate("streamOpen") for page in pages), pages[0], OPEN_S)
    opened = [bool(page.evaluate("streamOpen")) for page in pages]
    sockets = venue.sockets() - before
    wanted = plan.orders * venue.events_each
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(person.order, plan.orders).result()
    until(
        lambda: all(page.evaluate("seen.length") >= wanted for page, there in zip(pages, opened, strict=True) if there),
        pages[0],
        OPEN_S,
    )
    committed = read_stamps(venue.stamps)
    seen = [page.evaluate("seen") for page in pages]
    late = sorted(at - committed[int(event.split("-")[1])] * 1000 for tab in seen for event, at in tab)
    answer = pages[-1].evaluate(REQUEST, SENT_S * 1000)
    return {
        "open": sum(opened),
        "live": sum(len(tab) == wanted for tab in seen),
        "sockets": sockets,
        "p50_ms": round(statistics.median(late), 2) if late else None,
        "p99_ms": round(late[min(len(late) - 1, int(len(late) * 0.99))], 2) if late else None,
        "request_ms": None if answer is None else round(answer, 1),
    }


def measure_page(venue: Venue, context: BrowserContext, person: Person) -> dict[str, Any]:
    """Our page in every tab."""
    first = context.new_page()
    first.goto(venue.server.url + "/")
    if first.evaluate(LOG_IN, person.login) >= 400:
        raise RuntimeError("the browser could not log in")
    first.reload()
    pages = [first]
    for _ in range(TABS - 1):
        pages.append(context.new_page())
        pages[-1].goto(venue.server.url + "/")
    until(lambda: all(page.evaluate(LIVE) for page in pages), first, 4 * OPEN_S)
    answer = pages[-1].evaluate(REQUEST, SENT_S * 1000)
    live = sum(bool(page.evaluate(LIVE)) for page in pages)
    return {
        "open": live,
        "live": live,
        "sockets": None,
        "p50_ms": None,
        "p99_ms": None,
        "request_ms": None if answer is None else round(answer, 1),
    }


def measure_tabs(directory: Path, plan: Plan) -> dict[str, Any]:
    """All three ways; or a reason why there is nothing."""
    if executable() is None:
        return {"skipped": "Chromium is missing (on Debian and Ubuntu: apt-get install chromium)"}
    ways: dict[str, dict[str, Any]] = {}
    with (
        Venue(directory / "tabs", 100, 1) as venue,
        tempfile.TemporaryDirectory(prefix="onseju-bench-", ignore_cleanup_errors=True) as home,
        ThreadPoolExecutor(1) as outside,
        sync_playwright() as playwright,
    ):
        browser: Browser = playwright.chromium.launch(
            executable_path=executable(), args=list(FLAGS), env={**os.environ, "HOME": home}
        )

        def fresh(name: str) -> tuple[BrowserContext, Person]:
            return browser.new_context(), outside.submit(Person, venue, name).result()

        try:
            version = browser.version.split(".")[0]
            for name, script in (("EventSource for each tab", EVENT_SOURCE), ("WebSocket for each tab", WEBSOCKET)):
                context, person = fresh(name.split()[0].lower())
                ways[name] = measure_own(venue, context, person, script, plan)
                person.http.close()
                context.close()
            if BUILT.exists():
                context, person = fresh("page")
                ways["our page: one stream for all tabs"] = measure_page(venue, context, person)
                person.http.close()
                context.close()
        except BrowserError as error:
            raise RuntimeError(f"the browser failed: {error}") from error
        finally:
            browser.close()
    return {"chromium": version, "tabs": TABS, "ways": ways}
