"""The wheel holds the built page, so that whoever installs it needs no Node."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def test_the_wheel_holds_the_page_and_the_migrations(tmp_path: Path) -> None:
    if not (ROOT / "onseju/web/index.html").exists():
        if os.environ.get("CI") == "true":
            pytest.fail("the page is not built: make page")
        pytest.skip("the page is not built: make page")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("onseju-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        page = archive.read("onseju/web/index.html").decode()
    assert 'src="/assets/' in page or "src='/assets/" in page or 'src="./assets/' in page
    assert any(name.startswith("onseju/web/assets/") and name.endswith(".js") for name in names)
    for stage in ("projections", "identity"):
        assert any(name.startswith(f"onseju/{stage}/migrations/") and name.endswith(".py") for name in names)
    assert not any(name.startswith(("tests/", "web/", "bench/")) for name in names)
