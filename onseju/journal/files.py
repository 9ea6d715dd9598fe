"""The few file operations that durability rests on, in one place, so that a test can make each of them fail."""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache
from pathlib import Path

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says when nothing more goes onto the disk, into the quota, or into a file."""

_NOT_HERE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE of linux/falloc.h
_AT_POSITION = -1  # of pwritev2: no offset


@cache
def _fallocate() -> ctypes._NamedFuncPointer | None:
    """The system call that reserves blocks beyond a file's end; None where there is none. Python's own makes files longer."""
    try:
        call = ctypes.CDLL(None, use_errno=True).fallocate
    except (AttributeError, OSError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return call


class Files:
    """The real file system. `durable` False leaves out every flush to the disk, and all reserving of it (for tests and
    throw-away venues)."""

    at_once = hasattr(os, "RWF_DSYNC")
    """Whether the system writes and flushes in one call."""

    def __init__(self, *, durable: bool = True) -> None:
        self.durable = durable

    def allocate(self, descriptor: int, offset: int, count: int) -> bool:
        """Reserve the disk's blocks for `count` bytes from `offset` on, without making the file longer.

        False where this file system cannot, or nothing is durable. Raises `OSError`, one of `NO_ROOM` on a full disk.
        """
        call = _fallocate() if self.durable else None
        if call is None:
            return False
        if call(descriptor, _KEEP_SIZE, offset, count) == 0:
            return True
        number = ctypes.get_errno()
        if number in _NOT_HERE:
            return False
        raise OSError(number, os.strerror(number))

    def has_room(self, directory: Path, count: int) -> bool:
        """Whether the disk has `count` bytes free, as far as it knows."""
        found = os.statvfs(directory)
        return found.f_bavail * found.f_frsize >= count

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of `data`. Raises `OSError`; then some of it may have been written."""
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, memoryview(data)[written:])

    def write_through(self, descriptor: int, data: bytes) -> None:
        """Write all of `data` at the file's end, and return once it is on the disk, with one call to the system where that
        takes both. Raises `OSError`; then some of it may be there. `descriptor` appends."""
        if self.durable and self.at_once:
            self.write_synced(descriptor, data)
        else:
            self.write(descriptor, data)
            self.sync(descriptor)

    def write_synced(self, descriptor: int, data: bytes) -> None:
        """The one call. The interpreter's lock is let go and waited for once, not twice: beside a busy event loop a wait for
        it costs more than the disk."""
        written = os.pwritev(descriptor, [data], _AT_POSITION, os.RWF_DSYNC)
        while written < len(data):
            written += os.pwritev(descriptor, [memoryview(data)[written:]], _AT_POSITION, os.RWF_DSYNC)

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

    def make_directory(self, directory: Path) -> None:
        """Make the directory and those above it where they are missing; on return their names are on the disk."""
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        for path in missing:
            self.sync_directory(path.parent)

    def create(self, path: Path, content: bytes, *, room: int = 0) -> bool:
        """Make `path` with this content: after a crash it is there whole, or not at all.

        Of the disk `room` bytes are reserved for it; tells whether they are. Raises `OSError`; where that is one of
        `NO_ROOM`, there is no file.
        """
        draft = path.with_name(path.name + ".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            try:
                reserved = room > 0 and self.allocate(descriptor, 0, room)
                self.write(descriptor, content)
                self.sync(descriptor)
            finally:
                os.close(descriptor)
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        try:
            self.sync_directory(path.parent)
        except OSError as error:
            # The file has its name, and may lose it: whatever the reason, this is no full disk to wait for.
            raise OSError(errno.EIO, f"{path.parent} cannot be flushed: {error.strerror}") from error
        return reserved

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
