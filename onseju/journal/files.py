"""The few file operations that durability rests on, in one place, so that a test can make each of them fail."""

from __future__ import annotations

import os
from pathlib import Path


class Files:
    """The real file system. `durable` False leaves out every flush to the disk (for tests and throw-away venues)."""

    def __init__(self, *, durable: bool = True) -> None:
        self.durable = durable

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of `data`. Raises `OSError`; then some of it may have been written."""
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, memoryview(data)[written:])

    def sync(self, descriptor: int) -> None:
        """Return once the file's content and length are on the disk."""
        if self.durable:
            os.fdatasync(descriptor)

    def sync_directory(self, directory: Path) -> None:
        """Return once the directory's entries are on the disk."""
        if not self.durable:
            return
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def create(self, path: Path, content: bytes) -> None:
        """Make `path` with this content: after a crash it is there whole, or not at all."""
        draft = path.with_name(path.name + ".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            self.write(descriptor, content)
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(path)
        self.sync_directory(path.parent)

    def cut(self, path: Path, size: int) -> None:
        """Shorten the file to `size` bytes, durably."""
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.ftruncate(descriptor, size)
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Delete the file, durably."""
        path.unlink()
        self.sync_directory(path.parent)
