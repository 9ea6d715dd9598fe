"""Fixtures that many tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.engines import ENGINE_NAMES, EngineName, name_under_test, under_test
from tests.serverprocess import ServerProcess
from tests.servers import new_database, open_folder, postgres, rocketmq

__all__ = ["new_database", "open_folder", "postgres", "rocketmq"]

# In CI the same examples each time, so that a change is judged by itself; on a developer's machine new ones each time.
# How long it takes to draw an example says something about the machine's other work, not about the code.
UNTIMED = (hypothesis.HealthCheck.too_slow,)
hypothesis.settings.register_profile(
    "ci", derandomize=True, deadline=None, print_blob=True, suppress_health_check=UNTIMED
)
hypothesis.settings.register_profile("dev", deadline=None, print_blob=True, suppress_health_check=UNTIMED)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


NOT_FOR: dict[EngineName | None, str] = {"native": "reference_only", "reference": "once"}
"""By engine, the mark of the tests that are for the other alone."""


@pytest.fixture(scope="module", params=ENGINE_NAMES)
def engine(request: pytest.FixtureRequest) -> Iterator[EngineName]:
    """Each engine in turn, as the one under test."""
    with under_test(request.param):
        yield request.param


@pytest.fixture(scope="module")
def tested_on() -> EngineName:
    """The engine under test. A folder whose tests run on both engines says so by this fixture, using `engine`; fixtures
    that last longer than a test use it, so that they end with their engine."""
    return name_under_test()


@pytest.fixture(scope="module")
def server(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A real server without bots, shared by a module's tests: they use accounts of their own, but one book."""
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.stop()


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A real server without bots, of this test alone. It is the test's to kill and to start again."""
    process = ServerProcess(tmp_path / "data").start()
    yield process
    process.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests come last: while Playwright is started, its event loop counts as running in this thread, and
    no other test could run one of its own. A test for one engine alone is no test of the other."""
    items.sort(key=lambda item: "browser" in item.path.parts)
    items[:] = [item for item in items if not item.get_closest_marker(NOT_FOR.get(engine_of(item), "no mark"))]


def engine_of(item: pytest.Item) -> EngineName | None:
    """The engine that a test's parameter names."""
    return (
        item.callspec.params.get("engine") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
    )
