"""Fixtures of the gateway's tests, which run on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from onseju.gateway import keys, users
from tests.engines import EngineName
from tests.unit.gateway.hosting import HOSTS
from tests.unit.gateway.served import ADMIN_KEY, Served, Venue


@pytest.fixture(scope="module", autouse=True)
def tested_on(engine: EngineName) -> EngineName:
    return engine


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    """A gateway on a real identity database and the real engine."""
    made = Venue(tmp_path)
    yield made
    made.close()


@pytest.fixture
def host_server(venue: Venue) -> Iterator[Served]:
    """The host's calls, on a port of their own."""
    with venue.served(*HOSTS, users.operations, keys.operations) as served:
        yield served


@pytest.fixture
def host(host_server: Served) -> Iterator[httpx.Client]:
    """A client with the bootstrap admin key."""
    with host_server.client(headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as client:
        yield client
