"""The benchmark of bad neighbours, in its short form: everything arrives, memory is bounded, who never reads is cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.neighbours import KINDS, QUICK, main

KIB_EACH = 512
"""The bound on what the server holds for a client that does not read. It needs a fifth of it."""
SLACK_MIB = 20


@pytest.mark.timeout(600)
def test_bad_neighbours_take_nothing_away_and_are_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "neighbours.json"
    result = main(["--quick", "--output", str(output)])
    assert json.loads(output.read_text()) == result
    for kind in KINDS:
        row = result["kinds"][kind]
        assert (row["missing"], row["doubled"]) == (0, 0), f"beside {kind}"
        assert row["sse"]["p50"] > 0
        assert row["websocket"]["p50"] > 0
        assert row["memory_mib"] < SLACK_MIB + QUICK.clients * KIB_EACH / 1024
    assert result["cut"] == {"4008": QUICK.clients // 2, "never": 0}
    assert "those that never read were cut" in capsys.readouterr().out
