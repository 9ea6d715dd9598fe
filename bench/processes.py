"""The end of processes that a benchmark has started."""

from __future__ import annotations

import contextlib
import subprocess
from typing import Any

WAIT_S = 30


def end(process: subprocess.Popen[Any], *, ask: bool = True) -> None:
    """Ask the process to end (unless it knows already), wait for it, and end it by force when that takes too long."""
    if ask:
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(WAIT_S)
        return
    process.kill()
    process.wait()
