"""The page's copy of the story's sentences is the server's catalogue."""

from __future__ import annotations

import json
from pathlib import Path

from onseju.story.sentences import ANSWERS, HAPPENINGS, OPTIONS, WORDS

PAGE = Path(__file__).resolve().parents[2] / "web" / "src" / "model" / "story.json"


def test_every_code_has_the_servers_own_sentences() -> None:
    catalogue = {"answers": ANSWERS, "happenings": HAPPENINGS, "options": OPTIONS, "words": WORDS}
    expected = {
        name: {code: {"ko": sentence.ko, "en": sentence.en} for code, sentence in sentences.items()}
        for name, sentences in catalogue.items()
    }
    assert json.loads(PAGE.read_text("utf-8")) == expected, "call: python web/tools/write_story.py"
