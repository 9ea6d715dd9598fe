"""These tests run on both engines."""

from __future__ import annotations

import pytest

from tests.engines import EngineName


@pytest.fixture(scope="module", autouse=True)
def tested_on(engine: EngineName) -> EngineName:
    return engine
