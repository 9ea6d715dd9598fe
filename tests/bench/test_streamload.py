"""The load of streams: what it opens is open, and what is refused is told at once instead of waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.streamload import Herd, Transport
from bench.streams.venue import Venue

MANY = 300
"""Streams of one account: more than a bucket of the server's default rate holds."""


@pytest.mark.once
def test_a_measurement_opens_as_many_streams_as_it_likes(tmp_path: Path) -> None:
    transports: tuple[Transport, ...] = ("websocket", "sse", "websocket")
    with Venue(tmp_path / "venue", 2 * MANY, accounts=1) as venue:
        for transport in transports:  # one after another, as the benchmark does
            with Herd(venue.port, transport, venue.keys, tmp_path) as herd:
                assert herd.open(MANY)["open"] == MANY
                venue.run(20, 2)
                wanted = 2 * venue.events_each * MANY
                report = herd.ask("wait", received=wanted, seconds=60)
                assert (report["received"], report["gaps"], report["doubled"]) == (wanted, 0, 0)
                herd.ask("drop")
                assert herd.storm(at_once=MANY)["open"] == MANY


@pytest.mark.once
@pytest.mark.parametrize("transport", ["sse", "websocket"])
def test_streams_that_the_server_refuses_end_the_measurement(transport: Transport, tmp_path: Path) -> None:
    with (
        Venue(tmp_path / "venue", 20, accounts=1, ONSEJU_STREAM_RATE_PER_S="1") as venue,
        Herd(venue.port, transport, venue.keys, tmp_path) as herd,
        pytest.raises(RuntimeError, match=r"streams are not open.*429"),
    ):
        herd.open(20)
