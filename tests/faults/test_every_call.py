"""The machine's writes fail at the k-th call, for every k over a short run, and the process is killed in it: nothing
acknowledged is lost or doubled, a failed flush stops the exchange, a full disk only makes it wait. And the calls themselves:
what got a name has it on the disk before anything of it is told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
COMPILER = shutil.which("cc")
MEMORY = Path("/dev/shm")
EVERY = os.environ.get("ONSEJU_EVERY_CALL") == "1"


class Plan(NamedTuple):
    """How many calls a part's short run makes at least, and how many of them fail: one in `step`, with `make soak` all."""

    calls: int
    step: int


PARTS = {
    "first-start": Plan(20, 3),
    "journal": Plan(30, 1),
    "archive": Plan(20, 5),
    "snapshot": Plan(15, 3),
    "identity": Plan(100, 17),
    "tables": Plan(50, 17),
    "keys": Plan(8, 1),
    "backup": Plan(60, 13),
    "restore": Plan(60, 13),
}

Call = tuple[str, str]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if COMPILER is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and LD_PRELOAD")
    library = tmp_path_factory.mktemp("faulty") / "faultyfiles.so"
    source = Path(__file__).with_name("faultyfiles.c")
    subprocess.run([COMPILER, "-O1", "-Wall", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return library


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: what a flush does to a real disk is not what is tested."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        yield Path(name)


def output_of(faulty: Path, directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.every_call", *arguments],
        env={
            **os.environ,
            "LD_PRELOAD": str(faulty),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(directory),
        },
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(3700)
@pytest.mark.parametrize("part", PARTS)
def test_every_call_of_a_short_run_fails_once(faulty: Path, directory: Path, part: str) -> None:
    plan = PARTS[part]
    step = 1 if EVERY else plan.step
    told = output_of(faulty, directory, part, str(step))
    print(told)
    line = r"^[\w-]+: (.+): (\d+) calls failed, each in a run of its own; (\d+) runs ended early$"
    found = re.findall(line, told, re.MULTILINE)
    runs = {fault: (int(calls), int(ended)) for fault, calls, ended in found}
    assert {"ENOSPC", "EIO", "SHORT", "KILL"} <= runs.keys()
    assert all((calls + 1) * step >= plan.calls for calls, _ in runs.values())
    assert runs["SHORT"][1] == 0, "half a write is no failure"
    if part == "journal":
        calls, ended = runs["EIO"]
        assert ended == calls, "an error of the disk must stop the exchange"
        assert 0 < runs["ENOSPC"][1] < calls, "only a flush that fails stops it"


def calls_of(faulty: Path, directory: Path, part: str) -> list[Call]:
    return [
        (kind, path)
        for kind, _, path in (
            line.partition(" ") for line in output_of(faulty, directory, part, "--trace").splitlines()
        )
    ]


@pytest.mark.parametrize("part", [name for name in PARTS if name != "tables"])
def test_what_is_told_has_its_name_on_the_disk(faulty: Path, directory: Path, part: str) -> None:
    """A folder is flushed after a name was made in it, and a file before it gets its last name."""
    unflushed: set[str] = set()
    written: set[str] = set()
    names = told = 0
    for kind, path in calls_of(faulty, directory, part):
        if kind == "told":
            lost = {name for name in unflushed if not name.endswith(("-journal", ".new", "/lock", "/other"))}
            assert not lost, f"a power cut takes {lost}"
            told += 1
        elif kind == "name":
            assert f"{path}.new" not in written, f"{path} got its name before its content was on the disk"
            unflushed.add(path)
            names += not path.endswith("-journal")
        elif kind == "write":
            written.add(path)
        elif kind == "unname":
            unflushed.discard(path)
            written.discard(path)
        elif kind == "sync":
            written.discard(path)
            unflushed = {name for name in unflushed if str(Path(name).parent) != path}
    assert told
    assert names or part == "identity"
