"""The moments at which commands were committed, in a file: seq and Unix time for each, written by the server."""

from __future__ import annotations

import struct
from pathlib import Path

STAMP = struct.Struct("<qd")


def read_stamps(path: Path) -> dict[int, float]:
    """When each command was committed, by its seq."""
    data = path.read_bytes()
    whole = len(data) - len(data) % STAMP.size
    return dict(STAMP.iter_unpack(data[:whole]))
