"""The listeners' benchmark runs in both forms, and tells of all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.listeners import ORDER, SIZES, main


@pytest.mark.parametrize("form", [[], ["--plain"]])
def test_it_measures_every_listener_by_size_of_run(tmp_path: Path, form: list[str]) -> None:
    output = tmp_path / "listeners.json"
    result = main(["--quick", "--output", str(output), *form])
    assert json.loads(output.read_text()) == result
    assert [row["commands_a_run"] for row in result["figures"]] == list(SIZES)
    for row in result["figures"]:
        assert row["us_an_order"].keys() == set(ORDER)
        assert row["all_us_an_order"] > 0
    assert result["events_an_order"] > 1
