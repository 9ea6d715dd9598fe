"""axe's checks on the open page, out of the page's own development dependencies."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

SOURCE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (tags) => {
  // What fades in is pale until it is there.
  const fading = document.getAnimations().filter((each) => each.effect?.getComputedTiming().endTime !== Infinity);
  await Promise.allSettled(fading.map((each) => each.finished));
  const found = await axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']});
  return found.violations.map((each) => ({
    rule: each.id, help: each.help,
    nodes: each.nodes.map((node) => node.target.join(' ') + ': ' + (node.any[0] ?? node.all[0] ?? node.none[0])?.message)
  }));
}"""


@cache
def source() -> str:
    """axe itself."""
    return SOURCE.read_text("utf-8")


def violations(page: Page) -> list[str]:
    """What axe finds wrong: a line for each rule and element."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(source() + ";undefined")
    found = page.evaluate(RUN, RULES)
    return [f"{each['rule']}: {node}" for each in found for node in each["nodes"]]
