"""What runs on both engines does so in all of its parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import servers

BOTH = ("scenarios", "properties", "journey", "unit/matching", "unit/gateway", "unit/story", "unit/exchange")
ROOT = Path(__file__).parent


def test_the_folders_that_run_on_both_engines_say_so() -> None:
    said = {
        path.parent
        for path in ROOT.rglob("conftest.py")
        if "def tested_on(engine: EngineName)" in path.read_text("utf-8")
    }
    assert said == {ROOT / folder for folder in BOTH}


def test_nothing_that_tests_share_outlives_its_engine(request: pytest.FixtureRequest) -> None:
    """A fixture of a module that did not ask for the engine would be the first engine's in the tests of the second."""
    checked = set()
    for item in request.session.items:
        if not isinstance(item, pytest.Function) or "engine" not in item.fixturenames:
            continue
        if not item._fixtureinfo.name2fixturedefs["engine"][-1].baseid:
            continue  # a parameter of the test's own of this name, not the fixture
        for name, definitions in item._fixtureinfo.name2fixturedefs.items():
            fixture = definitions[-1]
            if fixture.scope == "function" or name in ("engine", "tested_on") or not fixture.baseid:
                continue
            if fixture.func.__module__ == servers.__name__:
                continue  # a database or a broker: no engine is in it
            needed, todo = set(), [name]
            while todo:
                for argument in item._fixtureinfo.name2fixturedefs.get(todo.pop(), [])[-1:]:
                    todo += set(argument.argnames) - needed
                    needed |= set(argument.argnames)
            checked.add(name)
            assert needed & {"engine", "tested_on"}, f"{item.path}: the fixture {name} does not ask for the engine"
    is_whole_run = len(request.session.items) > 1000
    assert checked >= {"server", "target"} or not is_whole_run
