"""Every answer, happening and option is told of a situation that is made by real commands, with its exact numbers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from onseju.story.sentences import ANSWERS, HAPPENINGS, OPTIONS
from onseju.story.stories import StoryView
from tests.unit.story.rig import codes
from tests.unit.story.situations import OTHERS, SITUATIONS, Situation

ALL = {**SITUATIONS, **OTHERS}


@pytest.mark.parametrize("code", SITUATIONS)
def test_each_answer_has_its_situation(code: str) -> None:
    rig, mine, params = SITUATIONS[code]()
    story = rig.story(mine)
    assert (story.answer.code, story.answer.params) == (code, params), codes(story)
    assert story.more == 0
    korean = rig.story(mine, "ko")
    assert re.search("[가-힣]", korean.answer.text)
    assert not re.search("[가-힣]", story.answer.text)


def test_every_code_is_told_in_some_situation() -> None:
    answers, happened, offered = set[str](), set[str](), set[str]()
    for build in ALL.values():
        story = _story(build)
        answers.add(story.answer.code)
        happened |= set(codes(story))
        offered |= {option.code for option in story.options}
        until = build()
        offered |= {option.code for option in until[0].story(until[1], phase_until=10**15).options}
    assert ANSWERS.keys() - answers == set()
    assert HAPPENINGS.keys() - happened == set()
    assert OPTIONS.keys() - offered == set()


@pytest.mark.parametrize("name", ALL)
def test_what_is_told_reads_well(name: str) -> None:
    """No code, brace or empty place in any sentence; params hold what the sentence names; one option at least while open."""
    rig, mine, _ = ALL[name]()
    for language in ("ko", "en"):
        story = rig.story(mine, language)
        for text in [story.answer.text, *(s.text for s in story.options), *(s.text for s in story.happenings)]:
            assert text.endswith("."), text
            assert not re.search(r"[{}_]|  |\bNone\b", text), text


def _story(build: Callable[[], Situation]) -> StoryView:
    rig, mine, _ = build()
    return rig.story(mine)
