"""Many records at once: the compiled core and Python write the same bytes, and read the same out of any."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import COMMAND_BYTES
from onseju.contract.event_runs import EventRun
from onseju.contract.events import EVENT_BYTES
from onseju.contract.journal_records import (
    FIRST_CHAIN,
    EventBlock,
    JournalRecord,
    RecordDamagedError,
    encode_event_block,
    encode_journal_record,
)
from onseju.exchange.numbering import numbered_in_python
from onseju.journal import runs as module
from onseju.journal.port import JournalError
from onseju.journal.runs import COMMANDS, EVENTS, Coding, Framed, frame_blocks, frame_commands
from onseju.journal.segments import SegmentJournal
from onseju.matching.compiled import CORE
from tests.contract.samples import blocks, records

needs_core = pytest.mark.skipif(CORE is None, reason="the core is not compiled")

CHAINS = st.binary(min_size=16, max_size=16)
TEXTS = st.dictionaries(st.integers(0, 11), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
SHARED = st.fixed_dictionaries(
    {"venue": st.integers(0, 2**32 - 1), "epoch": st.integers(0, 2**64 - 1), "semantics": st.integers(0, 2**16 - 1)}
)


@st.composite
def command_runs(draw: st.DrawFn) -> CommandRun:
    count = draw(st.integers(1, 12))
    first_seq = draw(st.integers(1, 2**64 - 20))
    data = draw(st.binary(min_size=count * COMMAND_BYTES, max_size=count * COMMAND_BYTES))
    return CommandRun(
        **draw(SHARED),
        first_seq=first_seq,
        data=numbered_in_python(data, first_seq, draw(st.integers(-(2**63), 2**63 - 1))),
        texts={at: text for at, text in draw(TEXTS).items() if at < count},
    )


@st.composite
def event_runs(draw: st.DrawFn) -> EventRun:
    counts = draw(st.lists(st.integers(0, 4), min_size=1, max_size=12))
    ends = array("Q", [sum(counts[: at + 1]) * EVENT_BYTES for at in range(len(counts))])
    return EventRun(
        **draw(SHARED),
        first_seq=draw(st.integers(1, 2**64 - 20)),
        kinds=draw(st.binary(min_size=len(counts), max_size=len(counts))),
        timestamps=array(
            "q",
            draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=len(counts), max_size=len(counts))),
        ),
        payload=draw(st.binary(min_size=ends[-1], max_size=ends[-1])),
        ends=ends,
        texts={at: text for at, text in draw(TEXTS).items() if at < len(counts)},
    )


@contextmanager
def without_core() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CORE", None)
        yield


def both_ways(run: CommandRun | EventRun, frame: Callable[..., Framed], chain: bytes) -> Framed:
    """What the core gives, which must be what Python gives."""
    framed = frame(run, chain)
    with without_core():
        plain = frame(run, chain)
    assert framed.data == plain.data
    assert (framed.chain, list(framed.ends)) == (plain.chain, list(plain.ends))
    return framed


@needs_core
@given(command_runs(), CHAINS)
def test_commands_are_framed_as_python_does_it_and_read_back(run: CommandRun, chain: bytes) -> None:
    framed = both_ways(run, frame_commands, chain)
    assert framed.data == b"".join(_encoded(run, chain, encode_journal_record))
    found = COMMANDS.scan(b"xyz" + framed.data, 3, run.first_seq, len(run) + 5, chain)
    assert found is not None
    assert list(found.run) == list(run)
    assert (found.chain, list(found.ends)) == (framed.chain, [end + 3 for end in framed.ends])


@needs_core
@given(event_runs(), CHAINS)
def test_blocks_are_framed_as_python_does_it_and_read_back(run: EventRun, chain: bytes) -> None:
    framed = both_ways(run, frame_blocks, chain)
    assert framed.data == b"".join(_encoded(run, chain, encode_event_block))
    found = EVENTS.scan(framed.data, 0, run.first_seq, len(run), chain)
    assert found is not None
    assert list(found.run) == list(run)
    assert (found.chain, list(found.ends)) == (framed.chain, list(framed.ends))


def _encoded(run, chain: bytes, encode) -> Iterator[bytes]:
    for record in run:
        data, chain = encode(record, chain)
        yield data


@needs_core
@settings(max_examples=300)
@given(st.data(), st.sampled_from(["commands", "events"]))
def test_a_scan_gives_exactly_what_python_reads(data: st.DataObject, kind: str) -> None:
    """Some byte is changed, or the end is cut: all before is read, and nothing that Python would refuse."""
    is_commands = kind == "commands"
    run = data.draw(command_runs() if is_commands else event_runs())
    coding: Coding = COMMANDS if is_commands else EVENTS
    framed = coding.frame(run, FIRST_CHAIN)
    harmed = bytearray(framed.data)
    at = data.draw(st.integers(0, len(harmed) - 1))
    if data.draw(st.booleans()):
        harmed[at] ^= data.draw(st.integers(1, 255))
    else:
        del harmed[at:]
    found = coding.scan(bytes(harmed), 0, run.first_seq, len(run), FIRST_CHAIN)
    records = [] if found is None else list(found.run)
    assert records == _readable(bytes(harmed), framed.ends, coding)
    assert records == list(run[: len(records)])
    assert len(records) == sum(end <= at for end in framed.ends)


def _readable(data: bytes, ends, coding: Coding) -> list[JournalRecord] | list[EventBlock]:
    found, chain, start = [], FIRST_CHAIN, 0
    for end in ends:
        try:
            record, chain = coding.decode(memoryview(data)[start:end], chain)
        except (RecordDamagedError, ValueError):
            break
        found.append(record)
        start = end
    return found


@needs_core
@given(command_runs(), st.integers(0, 12))
def test_a_scan_stops_where_it_is_told(run: CommandRun, limit: int) -> None:
    data = frame_commands(run, FIRST_CHAIN).data
    found = COMMANDS.scan(data, 0, run.first_seq, limit, None)
    assert (list(found.run) if found else []) == list(run[:limit])
    assert COMMANDS.scan(data, 0, run.first_seq + 1, 5, None) is None, "another number stands there"
    assert COMMANDS.scan(data, 0, run.first_seq, 5, b"\1" * 16) is None, "another chain came before"


@pytest.mark.parametrize("offset", [0, 1, 10**9])
@needs_core
def test_a_scan_of_nothing_gives_nothing(offset: int) -> None:
    assert COMMANDS.scan(b"", offset, 1, 10, None) is None
    assert EVENTS.scan(bytes(500), offset, 0, 10, None) is None


def test_records_of_gateways_and_of_several_leaders_are_read_as_they_were(tmp_path: Path) -> None:
    """Those that the core leaves to Python, between those that it reads."""
    plain = [record_without_origin(seq, 1 if seq < 50 else 2) for seq in range(1, 101)]
    mixed = [*plain, *records(101, 103), record_without_origin(104, 2)]
    journal = SegmentJournal.open(tmp_path, fsync=False, segment_bytes=5000)
    journal.append(mixed)
    assert list(journal.read()) == mixed
    found = list(journal.read_runs())
    assert [record for run in found for record in run] == mixed
    assert all(len({record.epoch for record in run}) == 1 for run in found)
    for after in (0, 1, 49, 50, 100, 103):
        assert list(journal.read(after)) == mixed[after:]
    journal.close()
    reopened = SegmentJournal.open(tmp_path, fsync=False, segment_bytes=5000)
    assert reopened.last_seq == 104
    reopened.append([record_without_origin(105, 3)])
    assert len(list(reopened.read())) == 105
    reopened.close()


def record_without_origin(seq: int, epoch: int) -> JournalRecord:
    first = records(seq, seq)[0]
    return JournalRecord(venue=1, epoch=epoch, semantics=1, command=first.command, text=first.text if seq % 3 else "")


def test_a_journal_written_without_the_core_is_the_same_file(tmp_path: Path) -> None:
    written: list[bytes] = []
    for name in ("a", "b"):
        with pytest.MonkeyPatch.context() as patch:
            if name == "b":
                patch.setattr(module, "CORE", None)
            patch.setattr("secrets.choice", lambda alphabet: alphabet[0])
            journal = SegmentJournal.open(tmp_path / name, fsync=False)
            plain = [record_without_origin(seq, 1) for seq in range(1, 41)]
            journal.append(plain)
            journal.append_events(blocks(1, 40))
            assert list(journal.read(7)) == plain[7:]
            journal.verify()
            journal.close()
        written.append(b"".join(path.read_bytes() for path in sorted((tmp_path / name).glob("*/*.log"))))
    assert written[0] == written[1]


@pytest.mark.parametrize("folder", ["commands", "events"])
def test_damage_in_a_run_is_named_by_its_byte(tmp_path: Path, folder: str) -> None:
    journal = SegmentJournal.open(tmp_path, fsync=False)
    plain = [record_without_origin(seq, 1) for seq in range(1, 201)]
    journal.append(plain)
    whole = [block_without_origin(seq) for seq in range(1, 201)]
    journal.append_events(whole)
    read = journal.read if folder == "commands" else journal.read_events
    coding: Coding = COMMANDS if folder == "commands" else EVENTS
    run = coding.runs_of(plain if folder == "commands" else whole)[0]
    offset = 64 + coding.frame(run, FIRST_CHAIN).ends[149]
    path = next((tmp_path / folder).glob("*.log"))
    data = bytearray(path.read_bytes())
    data[offset + 60] ^= 1
    path.write_bytes(data)
    found = read()
    assert [next(found).seq for _ in range(150)] == list(range(1, 151))
    with pytest.raises(JournalError, match=f"damaged at byte {offset}: the checksum does not match"):
        next(found)
    journal.close()


def block_without_origin(seq: int) -> EventBlock:
    first = blocks(seq, seq)[0]
    return EventBlock(
        venue=1, epoch=1, semantics=1, seq=seq, ts=first.ts, command_kind=first.command_kind, payload=first.payload
    )
