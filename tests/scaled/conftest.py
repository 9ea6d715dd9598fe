"""The set that a module of this folder shares."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from onseju.scaled import rocketmq_jars
from onseju.scaled.postgres_server import MISSING, executable
from tests.scaled.the_set import ScaledSet
from tests.servers import lacking


@pytest.fixture(scope="module")
def scaled(open_folder: Path) -> Iterator[ScaledSet]:
    lack = rocketmq_jars.lacks() or (None if executable("postgres") else MISSING)
    if lack is not None:
        lacking(lack)
    server = ScaledSet(open_folder / "set", "--scaled", "--gateways", "2", start_s=240)
    try:
        server.start()
    except BaseException:
        server.kill()
        raise
    yield server
    if (logs := os.environ.get("ONSEJU_SCALED_LOGS")) is not None:
        keep_logs(server.data_dir, Path(logs))
    pids = [process["pid"] for process in server.wait_complete().values()]
    assert server.stop() == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()], "a process has outlived the set"


def keep_logs(data_dir: Path, to: Path) -> None:
    """Copy what all processes have written."""
    to.mkdir(parents=True, exist_ok=True)
    for log in data_dir.glob("**/*.log"):
        shutil.copy(log, to / log.name)
