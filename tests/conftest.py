"""Fixtures that many tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.serverprocess import ServerProcess

# In CI the same examples each time, so that a change is judged by itself; on a developer's machine new ones each time.
# How long it takes to draw an example says something about the machine's other work, not about the code.
UNTIMED = (hypothesis.HealthCheck.too_slow,)
hypothesis.settings.register_profile(
    "ci", derandomize=True, deadline=None, print_blob=True, suppress_health_check=UNTIMED
)
hypothesis.settings.register_profile("dev", deadline=None, print_blob=True, suppress_health_check=UNTIMED)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
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
    no other test could run one of its own."""
    items.sort(key=lambda item: "browser" in item.path.parts)
