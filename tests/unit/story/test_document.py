"""docs/order-story.md lists every code with its params."""

from __future__ import annotations

from pathlib import Path

import pytest

from onseju.contract.reasons import Sentence
from onseju.story.sentences import ANSWERS, HAPPENINGS, OPTIONS
from onseju.story.wording import parameters

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "order-story.md"


@pytest.mark.parametrize(
    ("title", "sentences"), [("Answers", ANSWERS), ("Happenings", HAPPENINGS), ("Options", OPTIONS)]
)
def test_the_tables_are_the_catalogue(title: str, sentences: dict[str, Sentence]) -> None:
    text = DOCUMENT.read_text("utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    assert rows == [
        [f"`{code}`", ", ".join(f"`{name}`" for name in parameters(sentence)), sentence.en]
        for code, sentence in sentences.items()
    ]
