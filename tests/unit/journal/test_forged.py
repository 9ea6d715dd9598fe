"""Journals that somebody else has made: every checksum is right, what stands in them is not. Each is refused in words.

A journal can be published, so `verify` and `dump` read what strangers wrote. All of these were found by fuzzing, or while its targets were written.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from crc32c import crc32c

from onseju.contract.commands import COMMAND_BYTES, KIND_OFFSET, NewOrder, encode_command, sequence
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.journal.inspect import dump, verify
from onseju.journal.port import JournalError
from onseju.journal.segments import SegmentJournal
from onseju.journal.snapshots import MAGIC
from tests.contract.samples import blocks, records

ORDER = sequence(encode_command(NewOrder(qty=1, side=1, order_type=1)), 1, 1_795_000_000_000_000)


def journal_of(directory: Path, command: bytes, payload: bytes = b"", text: str = "") -> Path:
    journal = SegmentJournal.open(directory, fsync=False)
    journal.append([JournalRecord(venue=1, epoch=1, semantics=1, command=command, text=text)])
    journal.append_events([EventBlock(venue=1, epoch=1, semantics=1, seq=1, ts=1, command_kind=1, payload=payload)])
    journal.close()
    return directory


def printed(directory: Path) -> str:
    out = io.StringIO()
    dump(directory, out, 1, None, events=True)
    return out.getvalue()


def changed(data: bytes, at: int, by: bytes) -> bytes:
    return data[:at] + by + data[at + len(by) :]


@pytest.mark.parametrize(
    "command",
    [
        changed(ORDER, KIND_OFFSET, b"\xff"),
        changed(ORDER, KIND_OFFSET + 1, b"\xff"),
        changed(ORDER, 8, struct.pack("<q", 2**62)),
        changed(ORDER, 8, struct.pack("<q", -(2**63))),
    ],
    ids=["kind", "version", "far future", "far past"],
)
def test_a_command_that_cannot_be_printed(tmp_path: Path, command: bytes) -> None:
    journal_of(tmp_path, command)
    with pytest.raises(JournalError, match=rf"The command 1 of {tmp_path} cannot be printed"):
        printed(tmp_path)


def test_an_event_that_cannot_be_printed(tmp_path: Path) -> None:
    journal_of(tmp_path, ORDER, payload=b"\xff" * 128)
    with pytest.raises(JournalError, match=rf"An event of command 1 of {tmp_path} cannot be printed"):
        printed(tmp_path)


def test_a_segment_named_in_another_alphabet(tmp_path: Path) -> None:
    journal_of(tmp_path, ORDER)
    (path,) = (tmp_path / "commands").glob("*.log")
    content = path.read_bytes()
    head = changed(content[:60], 16, b"\xff" * 12)
    path.write_bytes(head + struct.pack("<I", crc32c(head)) + content[64:])
    with pytest.raises(JournalError, match=f"{path} is damaged at byte 0"):
        verify(tmp_path, lambda _done, _total: None)


@pytest.mark.parametrize(
    "content",
    [
        b'{"journal_id":"\xff\xffcdefghijkl","venue":1,"format":1}',
        b'{"journal_id":"abcdefghijkl","venue":' + b"1" * 5000 + b',"format":1}',
        b'{"journal_id":"abcdefghijkl","venue":-1,"format":1}',
        b'{"journal_id":"abcdefghijkl","venue":4294967296,"format":1}',
        '{"journal_id":"한글한글한글한글한글한글","venue":1,"format":1}'.encode(),
        b'{"journal_id":"short","venue":1,"format":1}',
        b"[" * 100_000,
    ],
    ids=["no UTF-8", "long number", "negative", "wide", "no ASCII", "short", "deep"],
)
def test_a_name_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.json").write_bytes(content)
    for opened in (SegmentJournal.open_for_reading, SegmentJournal.open):
        with pytest.raises(JournalError, match=f"{tmp_path / 'journal.json'} is damaged"):
            opened(tmp_path)


def test_a_snapshot_that_says_that_it_has_more_sections_than_it_has(tmp_path: Path) -> None:
    journal = SegmentJournal.open(tmp_path, fsync=False)
    journal.append(records(1, 3))
    journal.append_events(blocks(1, 3))
    journal.close()
    assert len(ORDER) == COMMAND_BYTES
    head = struct.pack(
        "<8sHHI12sIQqQ16s16sII", MAGIC, 1, 1, 1, journal.journal_id.encode(), 1, 3, 1, 1, bytes(16), bytes(16), 7, 0
    )
    # four bytes behind the head make the checksum of both zero, which is what a missing checksum is read as
    tail = _forced_tail(head)
    assert crc32c(head + tail) == 0
    path = tmp_path / "snapshots" / f"{3:020d}.snapshot"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(head + tail)
    with pytest.raises(JournalError, match=f"{path} is damaged"):
        verify(tmp_path, lambda _done, _total: None)


def _forced_tail(head: bytes) -> bytes:
    """Four bytes after which the checksum is zero: a CRC is linear, so each wanted bit is a sum of known ones."""
    zero = crc32c(head + bytes(4))
    columns = [(crc32c(head + struct.pack("<I", 1 << bit)) ^ zero, 1 << bit) for bit in range(32)]
    wanted, answer = zero, 0
    for place in reversed(range(32)):
        pivot = next(((value, made) for value, made in columns if value >> place == 1), None)
        if pivot is None:
            continue
        columns = [
            (value ^ pivot[0], made ^ pivot[1]) if (value >> place) & 1 else (value, made)
            for value, made in columns
            if (value, made) != pivot
        ]
        if (wanted >> place) & 1:
            wanted, answer = wanted ^ pivot[0], answer ^ pivot[1]
    return struct.pack("<I", answer)
