"""The page's size, and that the frame benchmark measures what it says; how fast is for `make bench`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser

from bench.frames import bundle
from tests.browser.conftest import ROOT

MOST_SCRIPT_KB = 250


def test_the_script_is_small(built_page: Path) -> None:
    assert bundle(built_page)["js"]["gzip_kb"] < MOST_SCRIPT_KB


def test_nothing_in_the_bundle_is_loaded_from_elsewhere(built_page: Path) -> None:
    html = (built_page / "index.html").read_text("utf-8")
    assert "http://" not in html
    assert "https://" not in html
    styles = "".join(path.read_text("utf-8") for path in built_page.rglob("*.css"))
    assert "url(http" not in styles
    assert "@import" not in styles


def test_the_benchmark_sees_the_market_move(browser: Browser, built_page: Path, tmp_path: Path) -> None:
    output = tmp_path / "frames.json"
    command = [sys.executable, "-m", "bench.frames", "--quick", "--rate", "400", "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(output.read_text())
    assert figures["quick"]
    assert figures["sent_per_s"] > 0
    for part in ("as_it_is", "slowed"):
        assert figures[part]["frames_per_s"] > 0
        assert set(figures[part]["script_ms"]) == {"p50", "p95", "p99", "max"}
    assert figures["heap"][-1]["page_mb"] > 0
    assert figures["heap"][-1]["worker_mb"] > 0
    assert "updates/s" in done.stdout
