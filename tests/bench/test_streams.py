"""The comparison of SSE and WebSocket, each part in its short form: that it measures what it says, not how fast."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bench.streams import nginx, report, scale, slow, tabs
from bench.streams.run import main

pytestmark = pytest.mark.timeout(600)


def measured(tmp_path: Path, part: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """A part's figures, which its table shows."""
    output = tmp_path / "streams.json"
    result = main(["--quick", "--only", part, "--output", str(output)])
    assert json.loads(output.read_text()) == result
    assert report.TABLES[part](result[part]) in capsys.readouterr().out
    return result[part]


def test_connections_and_rates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = measured(tmp_path, "scale", capsys)
    assert {(row["connections"], row["orders_per_s"], row["transport"]) for row in rows} == {
        (*cell, transport) for cell in scale.QUICK.cells for transport in scale.TRANSPORTS
    }
    for row in rows:
        assert row["opened"] == row["connections"]
        assert (row["lost"], row["doubled"]) == (0, 0), "every event arrives, in its place"
        assert 0 < row["latency_ms"]["p50"] <= row["latency_ms"]["p99"] <= row["latency_ms"]["p99.9"]
        assert row["wire_bytes"] > 100
        assert row["caught_up_s"] >= row["back_s"]


def test_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = measured(tmp_path, "memory", capsys)
    for transport in scale.TRANSPORTS:
        assert figures[transport]["received"] > 0
        assert figures[transport]["received"] % figures[transport]["connections"] == 0, "all of them got all"


def test_streams_that_stop_reading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = measured(tmp_path, "slow", capsys)
    for transport in scale.TRANSPORTS:
        row = figures["transports"][transport]
        assert (row["others_missing"], row["left_open"], row["lost"], row["doubled"]) == (0, 0, 0, 0)
    assert figures["transports"]["websocket"]["codes"] == {"4008": slow.QUICK.streams}
    assert figures["transports"]["sse"]["codes"] == {}


def test_behind_nginx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = measured(tmp_path, "proxied", capsys)
    if nginx.executable() is None:
        assert os.environ.get("CI") != "true", figures["skipped"]
        assert "nginx is missing" in figures["skipped"]
        return
    for name, row in figures["ways"].items():
        refused = name == "nginx as it is, websocket"
        assert row["opened"] == (0 if refused else figures["connections"]), name
        assert (row["lost"], row["doubled"]) == (0, 0), name


def test_tabs_of_a_browser(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = measured(tmp_path, "tabs", capsys)
    if tabs.executable() is None:
        assert os.environ.get("CI") != "true", figures["skipped"]
        assert "Chromium is missing" in figures["skipped"]
        return
    ways = figures["ways"]
    assert (ways["EventSource for each tab"]["live"], ways["EventSource for each tab"]["request_ms"]) == (6, None)
    assert ways["WebSocket for each tab"]["live"] == tabs.TABS
    if tabs.BUILT.exists():
        page = ways["our page: one stream for all tabs"]
        assert page["live"] == tabs.TABS
        assert page["request_ms"] is not None


@pytest.mark.parametrize(
    ("program", "part", "reason"), [("nginx", "proxied", "nginx is missing"), ("tabs", "tabs", "Chromium is missing")]
)
def test_what_is_not_there_is_left_out_with_a_reason(
    program: str,
    part: str,
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr({"nginx": nginx, "tabs": tabs}[program], "executable", lambda: None)
    assert reason in measured(tmp_path, part, capsys)["skipped"]


def test_the_page_has_a_place_for_each_part() -> None:
    page = report.PAGE.read_text("utf-8")
    for part in report.TABLES:
        assert report.fill_in(page, part, "figures of it").count("figures of it") == 1
    with pytest.raises(ValueError, match="no place for moon"):
        report.fill_in(page, "moon", "")
