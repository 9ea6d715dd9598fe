"""The rule packs that `docs/rule-packs.md` shows, as files that a host would write."""

from __future__ import annotations

import re
from pathlib import Path

from onseju.rules.pack_file import parse

DOCUMENT = Path(__file__).parents[2] / "docs" / "rule-packs.md"
TEXTS = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
EXAMPLES = {parse(text.encode()).name: text for text in TEXTS}
"""Their text by name."""


def write_example(name: str, folder: Path) -> Path:
    """A file with the documented pack of this name."""
    path = folder / f"{name}.toml"
    path.write_text(EXAMPLES[name], "utf-8")
    return path
