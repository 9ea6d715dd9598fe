"""These tests run both engines; where the compiled core is missing they are skipped, in CI they fail."""

from __future__ import annotations

import pytest

from tests.engines import must_run


@pytest.fixture(autouse=True, scope="session")
def core() -> None:
    """The library is tested with its fast engine."""
    must_run("native")
