"""The benchmark of the ways to enter orders, in its short form: that it measures what it says, not how fast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.order_entry import WAYS, main


def test_every_way_enters_orders_that_are_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "order_entry.json"
    result = main(["--quick", "--output", str(output)])
    assert json.loads(output.read_text()) == result
    assert list(result["ways"]) == list(WAYS)
    assert all(row["orders_per_s"] > 0 for row in result["ways"].values())
    assert "records in batches" in capsys.readouterr().out
