"""Runs a program in this process's place that ends when its parent does, whatever ends the parent.

`python tied.py PARENT PROGRAM …`; PARENT is the parent's process number. Linux ties a child to the parent's *thread* that
started it: start such programs from a thread that lives as long as they shall.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""From Linux's `sys/prctl.h`."""


def tied(command: list[str]) -> list[str]:
    """The command line for `command` as a child that does not outlive the calling process."""
    return [sys.executable, "-I", str(Path(__file__)), str(os.getpid()), *command]


def main(parent: int, command: list[str]) -> None:
    """Tie this process to `parent`, and become `command`."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it has ended already
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606  # the caller's own program


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
