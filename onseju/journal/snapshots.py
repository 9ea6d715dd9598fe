"""Snapshots beside the journal: what a start needs of everything through command n, in one file each.

    0  8s magic `ONSEJU-S` · u16 format · u16 views format · u32 venue
    16 12s journal id, ASCII · u32 semantics version
    32 u64 seq · i64 ts · u64 epoch                  of the command that it stands at
    56 16s chain of that command · 16s of its event block
    88 u32 number of sections · u32 zero, then of each section: 16s name · u64 length · u32 crc of its bytes · u32 zero
    …  u32 crc of all before it, then the sections' bytes

Little-endian, CRC-32C. A file appears whole or not at all: written under another name, flushed, renamed, its folder
flushed. Both chains tie it to one history: a snapshot of another journal, or of a journal that went on otherwise, is not used.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from crc32c import crc32c

from onseju.journal.files import Files

MAGIC = b"ONSEJU-S"
FORMAT = 1
SUFFIX = ".snapshot"
KEPT = 2
"""Snapshots that are kept: the newest, and one to fall back to."""

OLDEST = "oldest"
"""The section with the oldest command that a repeat may ask about, 8 bytes; 0 = none."""

MOST_SECTIONS = 1000
"""No snapshot has more: a count beyond it is damage."""

PIECE = 1 << 22

_HEAD = struct.Struct("<8sHHI12sIQqQ16s16sII")
_SECTION = struct.Struct("<16sQII")
_CRC = struct.Struct("<I")


class SnapshotUnusableError(Exception):
    """The file is damaged, of a newer format, or of another history; the text says which, and names the file."""


class Place(NamedTuple):
    """The command that a snapshot stands at, and the chains of its records in both logs."""

    seq: int
    ts: int
    epoch: int
    command_chain: bytes
    event_chain: bytes


class Head(NamedTuple):
    """What a snapshot says of itself."""

    venue: int
    journal_id: str
    semantics: int
    views_format: int
    place: Place


class _Section(NamedTuple):
    name: str
    offset: int
    length: int
    crc: int


class Snapshot:
    """One file, its head checked. The sections are read and checked when they are asked for."""

    def __init__(self, path: Path) -> None:
        """Raises `SnapshotUnusableError`, or `OSError`."""
        self.path = path
        with path.open("rb") as file:
            start = file.read(_HEAD.size)
            if len(start) < _HEAD.size or start[:8] != MAGIC:
                raise SnapshotUnusableError(f"{path} is damaged at byte 0: it is no snapshot.")
            _, form, views, venue, name, semantics, seq, ts, epoch, commands, events, count, _ = _HEAD.unpack(start)
            if form > FORMAT:
                raise SnapshotUnusableError(
                    f"{path} is of format {form}, made by a newer release; this one reads through {FORMAT}. "
                    "Start that release, or take the file away: then an older snapshot or the whole journal is read."
                )
            table = file.read(min(count, MOST_SECTIONS) * _SECTION.size)
            (crc,) = _CRC.unpack(file.read(_CRC.size).ljust(_CRC.size, b"\0"))
        is_whole = len(table) == count * _SECTION.size and crc == crc32c(start + table)
        if not is_whole or path.stem != f"{seq:020d}":
            raise SnapshotUnusableError(f"{path} is damaged at byte 0: the head's checksum or number does not match.")
        self.head = Head(
            venue, name.decode("ascii", "replace"), semantics, views, Place(seq, ts, epoch, commands, events)
        )
        self._sections: list[_Section] = []
        offset = _HEAD.size + len(table) + _CRC.size
        for label, length, sum_, _ in _SECTION.iter_unpack(table):
            self._sections.append(_Section(label.rstrip(b"\0").decode("ascii", "replace"), offset, length, sum_))
            offset += length
        if path.stat().st_size != offset:
            raise SnapshotUnusableError(f"{path} is damaged: it has {path.stat().st_size} bytes instead of {offset}.")

    def section(self, name: str) -> bytes:
        """A section's bytes, checked. Raises `SnapshotUnusableError`, `KeyError`, or `OSError`."""
        section = next((section for section in self._sections if section.name == name), None)
        if section is None:
            raise KeyError(name)
        with self.path.open("rb") as file:
            file.seek(section.offset)
            data = file.read(section.length)
        if crc32c(data) != section.crc:
            raise SnapshotUnusableError(
                f"{self.path} is damaged at byte {section.offset}: the checksum of {name!r} does not match."
            )
        return data

    def check(self) -> None:
        """Read all of it, and check every checksum. Raises `SnapshotUnusableError`, or `OSError`."""
        for section in self._sections:
            self.section(section.name)


def write(directory: Path, head: Head, sections: Mapping[str, bytes], *, files: Files | None = None) -> Path:
    """Write a snapshot; on return it is there for good. Raises `OSError`; then it is not there at all."""
    files = files or Files()
    directory.mkdir(parents=True, exist_ok=True)
    place = head.place
    start = _HEAD.pack(
        MAGIC,
        FORMAT,
        head.views_format,
        head.venue,
        head.journal_id.encode("ascii"),
        head.semantics,
        *place,
        len(sections),
        0,
    )
    table = b"".join(_SECTION.pack(name.encode("ascii"), len(data), crc32c(data), 0) for name, data in sections.items())
    path = directory / f"{place.seq:020d}{SUFFIX}"
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        try:
            files.write(descriptor, start + table + _CRC.pack(crc32c(start + table)))
            for data in sections.values():
                view = memoryview(data)
                for at in range(0, len(view), PIECE):
                    files.write(descriptor, bytes(view[at : at + PIECE]))
            files.sync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    files.sync_directory(directory)
    return path


def paths(directory: Path) -> list[Path]:
    """The snapshots of a folder, newest first."""
    found = [path for path in directory.glob(f"*{SUFFIX}") if path.stem.isdecimal()]
    return sorted(found, reverse=True)


def newest(directory: Path) -> Iterator[Snapshot | SnapshotUnusableError]:
    """Every snapshot, newest first, or why it cannot be used."""
    for path in paths(directory):
        try:
            yield Snapshot(path)
        except SnapshotUnusableError as error:
            yield error
        except OSError as error:
            yield SnapshotUnusableError(f"{path} cannot be read: {error}.")


def covered(directory: Path) -> int:
    """The number of the newest snapshot whose head is whole: so far the journal's beginning may be missing. 0 = none."""
    heads = (found.head.place.seq for found in newest(directory) if isinstance(found, Snapshot))
    return next(heads, 0)


def prune(directory: Path, keep: int = KEPT) -> None:
    """Remove all but the newest `keep` whole snapshots, and what a crash left half written."""
    whole = [found for found in newest(directory) if isinstance(found, Snapshot)]
    for snapshot in whole[keep:]:
        snapshot.path.unlink()
    for draft in directory.glob(f"*{SUFFIX}.new"):
        draft.unlink()
