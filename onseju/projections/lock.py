"""One process at a time may write a database: a lock on a file beside it, which the system drops when the process dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

POLL_S = 0.01


class WriterLock:
    """Holds `DATABASE.lock` from its making until `release`."""

    def __init__(self, database: Path, patience_s: float) -> None:
        """Wait so long for who has it: a process whose server was killed needs a moment to end. Raises `BlockingIOError`."""
        path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        until = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= until:
                    self.release()
                    raise
                time.sleep(POLL_S)

    def release(self) -> None:
        """Give the lock back. Idempotent. The file stays: deleting it would let two processes lock two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
