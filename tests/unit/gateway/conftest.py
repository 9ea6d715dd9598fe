"""Fixtures of the gateway's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.gateway.served import Venue


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    """A gateway on a real identity database and the real engine."""
    made = Venue(tmp_path)
    yield made
    made.close()
