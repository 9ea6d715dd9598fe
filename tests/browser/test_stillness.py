"""Nothing moves on a tick: no layout shift while the market lives, at any width; and hidden columns stay where they are."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Desks
from tests.browser.exchange import Market
from tests.serverprocess import ServerProcess

WATCH_MS = 4_000
OBSERVE = """
window.shifts = [];
const name = (node) => node === null ? 'gone' : node.className || `${node.parentElement?.className} (text)`;
const box = (rect) => [rect.left, rect.top, rect.right, rect.bottom].map(Math.round).join(' ');
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) for (const {node, previousRect, currentRect} of entry.sources) {
    // A number that grows by a digit stays where it is, at its right edge or at its left one.
    const same = (edge) => Math.abs(previousRect[edge] - currentRect[edge]) <= 1;
    if (same('top') && (same('right') || same('left'))) continue;
    if (node?.parentElement?.closest('.labels')) continue; // they stand at their prices on the chart's axis
    shifts.push(`${name(node)}: ${box(previousRect)} to ${box(currentRect)}`);
  }
}).observe({type: 'layout-shift', buffered: true});
"""

SUM = """
window.total = 0;
new PerformanceObserver((list) => { for (const entry of list.getEntries()) total += entry.value; })
  .observe({type: 'layout-shift', buffered: true});
"""


def test_nothing_moves_while_prices_do(living_desks: Desks, living_server: ServerProcess) -> None:
    market = Market(living_server)
    person = market.person(**{"s005930": 10})
    context = living_desks.context()
    context.add_init_script(OBSERVE)
    desk = living_desks.log_in(person, context, symbol="005930", url=living_server.url)
    for width, height in ((1440, 900), (1024, 768), (360, 780)):
        desk.page.set_viewport_size({"width": width, "height": height})
        desk.page.wait_for_timeout(500)
        before = desk.last_price.inner_text()
        desk.page.evaluate("shifts.length = 0")
        desk.page.wait_for_timeout(WATCH_MS)
        expect(desk.last_price).not_to_have_text(before)
        assert desk.page.evaluate("shifts") == [], f"at {width} x {height}"
    market.close()


def test_little_moves_while_the_page_loads(living_desks: Desks, living_server: ServerProcess) -> None:
    market = Market(living_server)
    person = market.person(**{"s005930": 10})
    context = living_desks.context()
    context.add_init_script(SUM)
    desk = living_desks.log_in(person, context, symbol="005930", url=living_server.url)
    desk.page.wait_for_timeout(2_000)
    assert desk.page.evaluate("total") < 0.05
    market.close()
