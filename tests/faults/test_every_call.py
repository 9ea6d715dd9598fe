"""The machine's writes fail at the k-th call, for every k over a short run: nothing acknowledged is lost or doubled, a failed
flush stops the exchange, a full disk only makes it wait."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPILER = shutil.which("cc")


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if COMPILER is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and LD_PRELOAD")
    library = tmp_path_factory.mktemp("faulty") / "faultyfiles.so"
    source = Path(__file__).with_name("faultyfiles.c")
    subprocess.run([COMPILER, "-O1", "-Wall", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return library


@pytest.mark.parametrize(
    ("fault", "lasting"),
    [("ENOSPC", "once"), ("ENOSPC", "sticky"), ("EIO", "once"), ("SHORT", "once")],
)
def test_every_call_of_a_short_run_fails_once(faulty: Path, tmp_path: Path, fault: str, lasting: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.every_call", fault, lasting],
        env={**os.environ, "LD_PRELOAD": str(faulty), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = re.search(r"(\d+) calls failed, one in each run; the exchange stopped (\d+) times", done.stdout)
    assert told is not None, done.stdout
    calls, stops = map(int, told.groups())
    print(done.stdout)
    assert calls > 20
    if fault == "EIO":
        assert stops == calls, "an error of the disk must stop the exchange"
    elif fault == "SHORT":
        assert stops == 0
    else:
        assert 0 < stops < calls, "only a flush that fails stops it"
