"""A data folder whose disk fails at the k-th call, for every k over a short run. Needs faultyfiles.c preloaded.

`python -m tests.faults.every_call PART [STEP]` works in the folder it is started in, and prints for each fault of that part
how many calls failed: every one, or one in `STEP`, beginning anywhere. Each run is a process of its own, for it may be killed.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import traceback
from itertools import count
from pathlib import Path
from typing import NamedTuple

import structlog

from tests.faults.disk import BROKEN, KILLED, NONE, Disk, Fault
from tests.faults.parts import (
    ArchivePart,
    BackupPart,
    FirstStartPart,
    JournalPart,
    Part,
    RestorePart,
    SnapshotPart,
)
from tests.faults.stores import IdentityPart, KeysPart, TablesPart

PARTS: dict[str, type[Part]] = {
    "first-start": FirstStartPart,
    "journal": JournalPart,
    "archive": ArchivePart,
    "snapshot": SnapshotPart,
    "identity": IdentityPart,
    "tables": TablesPart,
    "keys": KeysPart,
    "backup": BackupPart,
    "restore": RestorePart,
}


class Run(NamedTuple):
    """What a run acknowledged, why it ended early, how many calls failed, and all calls: (kind, path) with ("told", what)
    for each acknowledgement among them."""

    told: list[str]
    ended: str | None
    hits: int
    calls: list[tuple[str, str]]


def run(part: Part, directory: Path, fault: Fault, k: int) -> Run:
    """Let the part work in a process of its own. Raises `AssertionError` where that fails otherwise than it should."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os._exit(_child(part, directory, fault, k, writing))
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        lines = [line.rstrip("\n").split(" ", 2) for line in pipe]
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -9), f"call {k}: the run ended with {status}"
    assert status == 0 or fault == KILLED
    told = [" ".join(line[1:]) for line in lines if line[0] == "told"]
    calls = [
        (line[1], line[2]) if line[0] == "call" else ("told", " ".join(line[1:])) for line in lines if line[0] != "end"
    ]
    if status:
        return Run(told, None, 1, calls)
    _, hits, ended = lines[-1]
    return Run(told, ended or None, int(hits), calls)


def _child(part: Part, directory: Path, fault: Fault, k: int, pipe: int) -> int:
    disk = Disk(fault, k)
    disk.trace(pipe)
    try:
        ended = part.work(directory, disk, lambda line: _line(pipe, f"told {line}"))
        disk.relieve()
        _line(pipe, f"end {disk.hits} {ended or ''}")
    except BaseException:
        disk.relieve()
        traceback.print_exc()
        return 1
    return 0


def _line(pipe: int, line: str) -> None:
    os.write(pipe, line.replace("\n", " ").encode() + b"\n")


def check_nothing_tried_again(calls: list[tuple[str, str]]) -> None:
    """After a failed write or flush of the journal nothing of it is written: only drafts are taken away."""
    after = [(kind, path) for kind, path in calls if kind != "told" and "/journal/" in path]
    assert all(kind == "unname" and path.endswith(".new") for kind, path in after), f"tried again: {after}"


def fail_every_call(name: str, part: Part, fault: Fault, template: Path, step: int) -> None:
    """Run after run, until there are no more calls to fail."""
    ended = 0
    for failed, k in enumerate(count(random.randint(1, step), step)):
        directory = template.with_name("run")
        shutil.copytree(template, directory)
        found = run(part, directory, fault, k)
        try:
            part.check(directory, fault, found.told, found.ended)
            if fault == BROKEN and found.hits and isinstance(part, JournalPart):
                places = [place for place, (kind, _) in enumerate(found.calls) if kind != "told"]
                check_nothing_tried_again(found.calls[places[k - 1] + 1 :])
        except BaseException as error:
            near = [call for call in found.calls if call[0] != "told"][max(k - 3, 0) : k + 2]
            raise AssertionError(f"{name}, {fault.name}, call {k} ({near}): {error!r}; {found.ended}") from error
        shutil.rmtree(directory)
        if not found.hits:
            print(f"{name}: {fault.name}: {failed} calls failed, each in a run of its own; {ended} runs ended early")
            return
        ended += found.ended is not None


def silence(_logger: object, _name: str, _event: object) -> dict[str, object]:
    """No log: there would be lines for each failing call."""
    raise structlog.DropEvent


def prepared(name: str) -> tuple[Part, Path]:
    """A part, and the folder that its runs begin with a copy of."""
    structlog.configure(processors=[silence])
    part, template = PARTS[name](), Path.cwd() / "template"
    template.mkdir()
    part.prepare(template)
    return part, template


def trace(name: str) -> None:
    """Print all calls of a run in which none fails."""
    part, template = prepared(name)
    found = run(part, template, NONE, 0)
    assert found.ended is None, found.ended
    for kind, path in found.calls:
        print(kind, path)


def main(name: str, step: int = 1) -> None:
    part, template = prepared(name)
    for fault in part.faults:
        fail_every_call(name, part, fault, template, step)


if __name__ == "__main__":
    if sys.argv[2:] == ["--trace"]:
        trace(sys.argv[1])
    else:
        main(sys.argv[1], *map(int, sys.argv[2:]))
