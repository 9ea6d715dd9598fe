"""The page's own words, out of its catalogue: tests name what they press as people see it, in either language."""

from __future__ import annotations

import re
from pathlib import Path

MESSAGES = Path(__file__).parents[2] / "web/src/model/messages"
_PLAIN = re.compile(r'^  "([a-z0-9_.]+)":\s*"((?:[^"\\]|\\.)*)",?$', re.MULTILINE)


def words(language: str) -> dict[str, str]:
    """The catalogue's plain entries. Those that take numbers are spelt out by the tests."""
    texts = [(MESSAGES / f"{name}{language}.ts").read_text("utf-8") for name in ("", "labels.")]
    return {key: text for content in texts for key, text in _PLAIN.findall(re.sub(r":\n\s+", ": ", content))}
