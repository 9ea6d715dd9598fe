"""Where the server's processor time goes: sampled stacks by thread and by stage, with py-spy where it can be had."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from bench.books.peers import FailedError
from bench.load.environments import environment

PY_SPY = "py-spy==0.4.3"
PER_S = 100

_OURS = re.compile(r"onseju/(\w+)")
_WAITING = re.compile(r"_worker \(concurrent/futures/thread|\w*\.?(?:wait|get) \((?:threading|queue)\.py")
"""Innermost in a thread that has nothing to do, though py-spy may take it for busy."""

_LINE = re.compile(r":\d+\)$")
FUNCTIONS = 30
"""The most that are told of each kind."""

_RUNS = {"cli": "event loop, sockets", "serve": "event loop, sockets", "__main__": "event loop, sockets"}
"""Of ours they only call the loop: what is innermost there is its own, in C."""

_FOREIGN = {
    "uvicorn": "HTTP server",
    "starlette": "HTTP server",
    "websockets": "HTTP server",
    "wsproto": "HTTP server",
    "httptools": "HTTP server",
    "h11": "HTTP server",
    "sqlite3": "projections",
    "sqlalchemy": "projections",
}


class Profiler:
    """Samples a process and those that it started, for some seconds, while something else goes on."""

    def __init__(self, pid: int, seconds: float, directory: Path) -> None:
        """Raises `FailedError` where py-spy is not to be had."""
        self._out = directory / "profile.txt"
        binary = environment("tools", [PY_SPY]) / "py-spy"
        self._process = subprocess.Popen(
            [
                str(binary),
                "record",
                *("--pid", str(pid), "--duration", str(max(1, round(seconds))), "--rate", str(PER_S)),
                *("--format", "raw", "--output", str(self._out), "--threads", "--subprocesses"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def result(self) -> dict[str, Any]:
        """Shares of all samples that were at work, by stage, thread and function. Raises `FailedError`."""
        _, said = self._process.communicate(timeout=120)
        if self._process.returncode or not self._out.exists():
            raise FailedError((said.strip().splitlines() or ["py-spy said nothing"])[-1])
        return shares(self._out.read_text().splitlines())


def shares(lines: list[str]) -> dict[str, Any]:
    """The same from py-spy's raw lines: frames from the outermost in, `;` between them, and how often."""
    by_stage: Counter[str] = Counter()
    by_thread: Counter[str] = Counter()
    by_function: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if _WAITING.match(frames[-1]):
            continue
        by_stage[stage_of(frames)] += int(count)
        by_thread[thread_of(frames)] += int(count)
        by_function[function_of(frames)] += int(count)
    total = sum(by_stage.values())
    if not total:
        raise FailedError("py-spy took no samples")

    def told(counts: Counter[str]) -> dict[str, float]:
        return {name: round(count / total, 4) for name, count in counts.most_common(FUNCTIONS)}

    return {
        "samples": total,
        "stages": told(by_stage),
        "threads": told(by_thread),
        "functions": told(by_function),
    }


def stage_of(frames: list[str]) -> str:
    """The innermost stage of ours in a stack; for one without, what it is of."""
    for frame in reversed(frames):
        if found := _OURS.search(frame):
            return _RUNS.get(found[1], found[1])
        for name, label in _FOREIGN.items():
            if f"{name}/" in frame:
                return label
    return "event loop, sockets" if any("asyncio" in frame or "uvloop" in frame for frame in frames) else "other"


def function_of(frames: list[str]) -> str:
    """The innermost function of ours in a stack, with its file; of a stack without, the innermost one."""
    ours = next((frame for frame in reversed(frames) if _OURS.search(frame)), frames[-1])
    return _LINE.sub(")", ours)


def thread_of(frames: list[str]) -> str:
    """The name of a stack's thread, with its process where it is another's."""
    process = next((frame for frame in frames if frame.startswith("process ")), "")
    name = next((frame for frame in frames if frame.startswith("thread ")), "")
    label = name.split(":", 1)[1].strip() if ":" in name else name or "main"
    words = process.partition(":")[2].replace('"', "").split()
    child = " ".join(word for word in words[1:6] if "/" not in word and not word.startswith("-"))
    return label if not child or child == "onseju up" else f"{label} of {child}"
