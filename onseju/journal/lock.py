"""One process at a time may write a journal: a lock on a file, which the system drops when the process dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from onseju.journal.port import JournalError


class DirectoryLock:
    """Holds `directory/lock` from its making until `release`."""

    def __init__(self, directory: Path) -> None:
        path = directory / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise JournalError(f"The journal in {directory} is in use by another process (pid {holder}).") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Give the lock back. Idempotent. The file stays: deleting it would let two processes lock two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
