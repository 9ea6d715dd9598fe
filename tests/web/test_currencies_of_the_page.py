"""The page writes the same currencies by the same signs as the server."""

from __future__ import annotations

import re
from pathlib import Path

from onseju.contract.money import SIGNS

PAGE = Path(__file__).resolve().parents[2] / "web" / "src" / "model" / "money.ts"


def test_the_signs_are_the_same() -> None:
    found = re.search(r"export const SIGNS[^{]*\{([^}]*)\}", PAGE.read_text("utf-8"))
    assert found is not None
    assert dict(re.findall(r'(\w+): "(.)"', found[1])) == SIGNS
