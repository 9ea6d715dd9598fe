"""Cases in which the page's forecast must agree with the exchange: what a trader knew, and what the engine then did.

`python -m tests.web.forecast_cases` writes them, from the reference engine and a fixed seed, into `web/tests/forecast/cases.json`,
where the page's own tests read them. A test of this side compares the file with the engine of now.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from onseju.rules.packs import RulesName
from tests.web.forecast_scene import Scene

TARGET = Path(__file__).resolve().parents[2] / "web" / "tests" / "forecast" / "cases.json"

SEED = 20261123
CASES: dict[RulesName, int] = {"krx": 560, "plain": 240}


@cache
def scenes() -> list[Scene]:
    """Played out, one for each rule pack."""
    played = []
    for offset, (rules, count) in enumerate(CASES.items()):
        scene = Scene(rules, SEED + offset)
        scene.play(count)
        played.append(scene)
    return played


def cases() -> list[dict[str, Any]]:
    """All of them."""
    return [case for scene in scenes() for case in scene.cases]


def cases_json() -> str:
    """The file's text: the instruments' rows as they were in the beginning, then one case a line."""
    rows = {f"{scene.rules} {number}": row for scene in scenes() for number, row in scene.rows.items()}
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
    return f'{{"rows":{json.dumps(rows, ensure_ascii=False, separators=(",", ":"))},\n"cases":[\n{lines}\n]}}\n'


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(cases_json(), "utf-8")
