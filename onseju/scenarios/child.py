"""`python -m onseju.scenarios.child ARGUMENTS`: `onseju ARGUMENTS` that ends with its parent, even when that is killed."""

from __future__ import annotations

import os
import runpy
import signal
import threading

STANDARD_INPUT = 0


def main() -> None:
    """Run it. The parent holds the other end of standard input, which ends when the parent does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runpy.run_module("onseju", run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(STANDARD_INPUT, 1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
