"""Journals as each version of the formats wrote them can be read, to the byte of what they say, and a start goes on from them."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from onseju.contract.journal_records import encode_event_block, encode_journal_record
from onseju.exchange.checkpoint import VIEWS_FORMAT
from onseju.journal import snapshots
from onseju.journal.inspect import dump, verify
from onseju.journal.segments import SegmentJournal
from onseju.matching.snapshot import FORMAT
from tests.engines import ENGINE_NAMES, EngineName, must_run, under_test
from tests.golden.make_journal import COMMANDS, SEGMENT_BYTES, SNAPSHOT_AT
from tests.unit.exchange.checkpoints import states_of
from tests.unit.exchange.test_checkpoint import started, whole

JOURNALS = sorted(Path(__file__).parent.glob("journal-v*"))


@pytest.fixture(params=JOURNALS, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(request.param, tmp_path / "journal"))


def test_there_is_one_of_every_version() -> None:
    assert [path.name for path in JOURNALS] == ["journal-v1"]


def test_it_is_whole_and_says_what_it_said(golden: Path) -> None:
    found = verify(golden, lambda _done, _all: None)
    assert (found.commands, found.blocks, found.snapshots) == (COMMANDS, COMMANDS, 1)
    out = io.StringIO()
    dump(golden, out, 0, None, events=True)
    assert out.getvalue() == (golden / "dump.jsonl").read_text("utf-8")


def test_the_records_are_written_as_they_were(golden: Path) -> None:
    """The newest version's: a change of the bytes needs a new version."""
    journal = SegmentJournal.open_for_reading(golden)
    for folder, items, encode in (
        ("commands", list(journal.read()), encode_journal_record),
        ("events", list(journal.read_events()), encode_event_block),
    ):
        chain, written = bytes(16), b""
        for item in items:
            data, chain = encode(item, chain)  # type: ignore[operator]
            written += data
        files = b"".join(path.read_bytes()[64:] for path in sorted((golden / folder).glob("*.log")))
        assert written == files


def form_of_state(snapshot: snapshots.Snapshot) -> int:
    """The format of the engine's own part."""
    return int.from_bytes(snapshot.section("engine")[8:12], "little")


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_a_start_goes_on_from_it(golden: Path, engine: EngineName) -> None:
    must_run(engine)
    with under_test(engine):
        journal = SegmentJournal.open(golden, fsync=False, segment_bytes=SEGMENT_BYTES)
        try:
            (found,) = snapshots.newest(journal.snapshots)
            assert isinstance(found, snapshots.Snapshot)
            exchange, views, restored, told = started(journal)
            if restored is None:  # the journal serves, where the engine's state had another form
                assert form_of_state(found) < FORMAT
                assert f"a snapshot of format {form_of_state(found)}" in told[0]
            else:
                assert (restored.place.seq, told, form_of_state(found)) == (SNAPSHOT_AT, [], FORMAT)
                assert (restored.behind == []) == (found.head.views_format == VIEWS_FORMAT)
            assert states_of(views) == whole(journal), "what is kept has changed: VIEWS_FORMAT must go up"
            assert (exchange.head_seq, exchange.epoch) == (COMMANDS, 3)
        finally:
            journal.close()
