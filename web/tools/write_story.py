"""Writes web/src/model/story.json: the sentences of an order's story, for the page's drawer.

`{"answers": {code: {"ko", "en"}}, "happenings": …, "options": …, "words": …}`. Sentences have parameters in braces, and
the end of a parameter's name says how it is written: see `onseju/story/sentences.py`. Reasons are in reasons.json.
"""

from __future__ import annotations

import json
from pathlib import Path

from onseju.story.sentences import ANSWERS, HAPPENINGS, OPTIONS, WORDS

TARGET = Path(__file__).resolve().parents[1] / "src" / "model" / "story.json"


def story_json() -> str:
    """The file's text."""
    told = {
        name: {code: {"ko": sentence.ko, "en": sentence.en} for code, sentence in sentences.items()}
        for name, sentences in (
            ("answers", ANSWERS),
            ("happenings", HAPPENINGS),
            ("options", OPTIONS),
            ("words", WORDS),
        )
    }
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    TARGET.write_text(story_json(), "utf-8")
