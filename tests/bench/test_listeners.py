"""The listeners' benchmark runs in both forms, tells of all of them, and has its place on the page."""

from __future__ import annotations

import json
from pathlib import Path

from bench import report
from bench.listeners import ORDER, SIZES, main
from onseju.listeners import PLAIN, best


def test_it_measures_every_listener_by_form_and_size_of_run(tmp_path: Path) -> None:
    output = tmp_path / "listeners.json"
    result = main(["--quick", "--output", str(output)])
    assert json.loads(output.read_text()) == result
    forms = ["plain"] if best() is PLAIN else ["core", "plain"]
    assert [(row["form"], row["commands_a_run"]) for row in result["figures"]] == [
        (form, size) for form in forms for size in SIZES
    ]
    for row in result["figures"]:
        assert row["us_an_order"].keys() == set(ORDER)
        assert row["all_us_an_order"] > 0
    assert result["events_an_order"] > 1
    assert f"| ring | {result['figures'][0]['us_an_order']['ring']:.2f} |" in report.listeners(result)
    report.plot_listeners(result, tmp_path / "listeners.png")
    assert (tmp_path / "listeners.png").stat().st_size > 1_000
