"""The benchmark of the exchange's stages runs, and states each of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.pipeline import main
from onseju.matching.compiled import CORE


@pytest.mark.skipif(CORE is None, reason="the core is not compiled")
def test_every_stage_is_measured_with_and_without_the_core(tmp_path: Path) -> None:
    output = tmp_path / "pipeline.json"
    result = main(["--quick", "--output", str(output)])
    assert json.loads(output.read_text()) == result
    assert set(result["ways"]) == {"batches", "singles, one after another", "singles, 32 at once", "replay"}
    assert all(figure > 0 for figure in result["ways"].values())
    assert result["stages"]["core"].keys() == result["stages"]["python"].keys()
    assert len(result["stages"]["core"]) == 8
