"""Opening a journal after a crash: a torn end is cut, damage anywhere else is refused with file and byte."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from onseju.contract.journal_records import encode_event_block, encode_journal_record
from onseju.journal.port import JournalError
from onseju.journal.segment import HEADER_BYTES
from onseju.journal.segments import SegmentJournal
from tests.contract.samples import blocks, records


def opened(directory: Path, **options: int) -> SegmentJournal:
    return SegmentJournal.open(directory, fsync=False, **options)


def filled(directory: Path, commands: int = 3, events: int = 3, **options: int) -> None:
    journal = opened(directory, **options)
    for seq in range(1, commands + 1):
        journal.append(records(seq, seq))
    for seq in range(1, events + 1):
        journal.append_events(blocks(seq, seq))
    journal.close()


def ends(encode, items) -> list[int]:
    """Where each record ends in the first segment."""
    chain, at, found = bytes(16), HEADER_BYTES, []
    for item in items:
        data, chain = encode(item, chain)
        at += len(data)
        found.append(at)
    return found


COMMAND_ENDS = ends(encode_journal_record, records(1, 3))
EVENT_ENDS = ends(encode_event_block, blocks(1, 3))
COMMANDS, EVENTS = "commands/00000000000000000001.log", "events/00000000000000000001.log"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("whole")
    filled(directory)
    assert (directory / COMMANDS).stat().st_size == COMMAND_ENDS[-1]
    assert (directory / EVENTS).stat().st_size == EVENT_ENDS[-1]
    return directory


def copied(whole: Path, directory: Path) -> Path:
    for name in (COMMANDS, EVENTS, "journal.json"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes((whole / name).read_bytes())
    return directory


def check_cut_to_two(directory: Path) -> None:
    """The journal opens with two records, takes the third again, and is then as if nothing had happened."""
    journal = opened(directory)
    assert (journal.last_seq, journal.last_event_seq) == (2, 2)
    assert (directory / COMMANDS).stat().st_size == COMMAND_ENDS[1]
    assert list(journal.read()) == records(1, 2)
    journal.append(records(3, 3))
    journal.append_events(blocks(3, 3))
    journal.verify()
    journal.close()
    assert (directory / COMMANDS).stat().st_size == COMMAND_ENDS[2]


def test_the_last_command_cut_at_every_byte(whole: Path, tmp_path: Path) -> None:
    content = (whole / COMMANDS).read_bytes()
    for size in range(COMMAND_ENDS[1], COMMAND_ENDS[2]):
        copied(whole, tmp_path)
        (tmp_path / COMMANDS).write_bytes(content[:size])
        check_cut_to_two(tmp_path)


def test_a_file_cut_anywhere_is_as_long_as_its_whole_records(whole: Path, tmp_path: Path) -> None:
    """A write of several records may be torn in any of them."""
    content = (whole / COMMANDS).read_bytes()
    for size in range(HEADER_BYTES, COMMAND_ENDS[-1]):
        copied(whole, tmp_path)
        (tmp_path / COMMANDS).write_bytes(content[:size])
        journal = opened(tmp_path)
        kept = sum(end <= size for end in COMMAND_ENDS)
        assert (journal.last_seq, journal.last_event_seq) == (kept, kept)
        assert (tmp_path / COMMANDS).stat().st_size == [HEADER_BYTES, *COMMAND_ENDS][kept]
        journal.close()


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_the_last_command_broken_at_every_byte(whole: Path, tmp_path: Path, flip: int) -> None:
    content = (whole / COMMANDS).read_bytes()
    for at in range(COMMAND_ENDS[1], COMMAND_ENDS[2]):
        copied(whole, tmp_path)
        broken = bytearray(content)
        broken[at] ^= flip
        (tmp_path / COMMANDS).write_bytes(broken)
        check_cut_to_two(tmp_path)


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"\xff" * 100, b"x"], ids=["zeros", "ones", "one byte"])
def test_rubbish_after_the_last_command_is_cut(whole: Path, tmp_path: Path, tail: bytes) -> None:
    copied(whole, tmp_path)
    with (tmp_path / COMMANDS).open("ab") as file:
        file.write(tail)
    journal = opened(tmp_path)
    assert list(journal.read()) == records(1, 3)
    journal.close()
    assert (tmp_path / COMMANDS).stat().st_size == COMMAND_ENDS[2]


def test_every_broken_byte_before_the_last_command_is_refused_with_its_place(whole: Path, tmp_path: Path) -> None:
    content = (whole / COMMANDS).read_bytes()
    starts = [HEADER_BYTES, COMMAND_ENDS[0]]
    for at in range(HEADER_BYTES, COMMAND_ENDS[1]):
        copied(whole, tmp_path)
        broken = bytearray(content)
        broken[at] ^= 0xFF
        (tmp_path / COMMANDS).write_bytes(broken)
        start = max(start for start in starts if start <= at)
        with pytest.raises(JournalError, match=re.escape(f"{tmp_path / COMMANDS} is damaged at byte {start}:")):
            opened(tmp_path)
        assert (tmp_path / COMMANDS).read_bytes() == broken, "nothing may be changed"


def test_every_broken_byte_of_a_header_is_refused(whole: Path, tmp_path: Path) -> None:
    for name in (COMMANDS, EVENTS):
        content = (whole / name).read_bytes()
        for at in range(HEADER_BYTES):
            copied(whole, tmp_path)
            broken = bytearray(content)
            broken[at] ^= 0x10
            (tmp_path / name).write_bytes(broken)
            with pytest.raises(JournalError, match=re.escape(f"{tmp_path / name} is damaged at byte 0:")):
                opened(tmp_path)


def test_the_event_log_is_cut_at_its_first_broken_byte(whole: Path, tmp_path: Path) -> None:
    """Nobody flushes it, so a power cut may leave a hole in it; replay fills it again."""
    content = (whole / EVENTS).read_bytes()
    starts = [HEADER_BYTES, *EVENT_ENDS]
    for at in range(HEADER_BYTES, EVENT_ENDS[-1]):
        copied(whole, tmp_path)
        broken = bytearray(content)
        broken[at] ^= 0xFF
        (tmp_path / EVENTS).write_bytes(broken)
        journal = opened(tmp_path)
        kept = sum(1 for start in starts if start <= at) - 1
        assert (journal.last_seq, journal.last_event_seq) == (3, kept)
        journal.append_events(blocks(kept + 1, 3))
        journal.verify()
        journal.close()
        assert (tmp_path / EVENTS).read_bytes() == content


def test_records_out_of_place_are_no_torn_end(whole: Path, tmp_path: Path) -> None:
    copied(whole, tmp_path)
    content = (whole / COMMANDS).read_bytes()
    last = content[COMMAND_ENDS[1] :]
    (tmp_path / COMMANDS).write_bytes(content + last)
    with pytest.raises(JournalError, match=f"damaged at byte {COMMAND_ENDS[2]}: the hash chain is broken"):
        opened(tmp_path)
    (tmp_path / COMMANDS).write_bytes(content[: COMMAND_ENDS[0]] + last)
    with pytest.raises(JournalError, match=f"damaged at byte {COMMAND_ENDS[0]}: the hash chain is broken"):
        opened(tmp_path)


def test_events_beyond_the_journal_are_cut_back(whole: Path, tmp_path: Path) -> None:
    copied(whole, tmp_path)
    content = (whole / COMMANDS).read_bytes()
    (tmp_path / COMMANDS).write_bytes(content[: COMMAND_ENDS[0]])
    journal = opened(tmp_path)
    assert (journal.last_seq, journal.last_event_seq) == (1, 1)
    assert list(journal.read_events()) == blocks(1, 1)
    journal.append(records(2, 3))
    journal.append_events(blocks(2, 3))
    journal.verify()
    journal.close()
    assert (tmp_path / EVENTS).read_bytes() == (whole / EVENTS).read_bytes()


def test_events_beyond_the_journal_are_cut_back_over_several_segments(tmp_path: Path) -> None:
    filled(tmp_path, 100, 100, segment_bytes=2000)
    files = sorted((tmp_path / "commands").glob("*.log"))
    for path in files[1:]:
        path.unlink()
    journal = opened(tmp_path, segment_bytes=2000)
    kept = journal.last_seq
    assert 1 < kept < 20
    assert [block.seq for block in journal.read_events()] == list(range(1, kept + 1))
    journal.append(records(kept + 1, 100))
    journal.append_events(blocks(kept + 1, 100))
    journal.verify()
    assert list(journal.read_events(kept - 1)) == blocks(kept, 100)
    journal.close()


def test_an_empty_journal_with_events_loses_them_all(tmp_path: Path) -> None:
    filled(tmp_path, 5, 5)
    (tmp_path / COMMANDS).unlink()
    journal = opened(tmp_path)
    assert (journal.last_seq, journal.last_event_seq) == (0, 0)
    journal.append(records(1, 1))
    journal.append_events(blocks(1, 1))
    journal.verify()
    journal.close()


def test_a_segment_that_was_never_finished_is_no_segment(whole: Path, tmp_path: Path) -> None:
    copied(whole, tmp_path)
    draft = tmp_path / "commands" / "00000000000000000004.log.new"
    draft.write_bytes(b"half a header")
    journal = opened(tmp_path)
    assert journal.last_seq == 3
    journal.append(records(4, 4))
    journal.close()
    assert not draft.exists()


def test_a_new_segment_without_records_is_used(tmp_path: Path) -> None:
    filled(tmp_path, 40, 40, segment_bytes=2000)
    last = max((tmp_path / "commands").glob("*.log"))
    with last.open("r+b") as file:
        file.truncate(HEADER_BYTES)
    first = int(last.stem)
    journal = opened(tmp_path, segment_bytes=2000)
    assert (journal.last_seq, journal.last_event_seq) == (first - 1, first - 1)
    journal.append(records(first, 60))
    journal.append_events(blocks(first, 60))
    journal.verify()
    journal.close()


def test_damage_in_an_older_segment_is_found_by_reading_and_by_verify(tmp_path: Path) -> None:
    for folder in ("commands", "events"):
        directory = tmp_path / folder
        filled(directory, 40, 40, segment_bytes=2000)
        path = sorted((directory / folder).glob("*.log"))[1]
        broken = bytearray(path.read_bytes())
        broken[HEADER_BYTES + 100] ^= 1
        path.write_bytes(broken)
        journal = opened(directory, segment_bytes=2000)
        with pytest.raises(JournalError, match=re.escape(f"{path} is damaged at byte {HEADER_BYTES}:")):
            journal.verify()
        first = int(path.stem)
        read = journal.read if folder == "commands" else journal.read_events
        before = [item.seq for item in itertools.islice(read(), first - 1)]
        assert before == list(range(1, first)), "what lies before the damage can still be read"
        with pytest.raises(JournalError, match=re.escape(str(path))):
            list(read(first - 1))
        journal.close()


def test_a_missing_segment_is_named(tmp_path: Path) -> None:
    filled(tmp_path, 60, 60, segment_bytes=2000)
    paths = sorted((tmp_path / "commands").glob("*.log"))
    paths[1].unlink()
    journal = opened(tmp_path, segment_bytes=2000)
    with pytest.raises(JournalError, match=re.escape(str(paths[0]))):
        journal.verify()
    journal.close()
    paths[0].unlink()
    with pytest.raises(JournalError, match="does not begin at record 1"):
        opened(tmp_path, segment_bytes=2000)


def test_a_swapped_in_segment_of_another_journal_is_refused(whole: Path, tmp_path: Path) -> None:
    copied(whole, tmp_path / "a")
    filled(tmp_path / "b")
    (tmp_path / "a" / COMMANDS).write_bytes((tmp_path / "b" / COMMANDS).read_bytes())
    with pytest.raises(JournalError, match="is damaged at byte 0: the segment is of"):
        opened(tmp_path / "a")
