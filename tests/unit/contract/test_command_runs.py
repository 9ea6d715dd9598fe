"""Runs of commands: the records that come out are those that went in."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onseju.contract.command_runs import CommandRun, command_runs_of
from onseju.contract.journal_records import JournalRecord, Origin
from tests.contract.samples import record, records


def plain(seq: int, epoch: int = 1, text: str = "") -> JournalRecord:
    """A record that the exchange itself made."""
    return msgspec.structs.replace(record(seq, text, epoch=epoch), origin=Origin())


def test_a_run_is_a_sequence_of_its_records() -> None:
    many = records(3, 9)
    run = CommandRun.of(many)
    assert list(run) == many
    assert (len(run), run.first_seq, run.last_seq) == (7, 3, 9)
    assert [run[0], run[-1], run[2:4]] == [many[0], many[-1], many[2:4]]
    with pytest.raises(IndexError):
        run[7]
    assert command_runs_of(run) == (run,)


def test_records_that_do_not_follow_are_no_run() -> None:
    with pytest.raises(ValueError, match="record 4 came after 2"):
        CommandRun.of([record(1), record(2), record(4)])
    with pytest.raises(ValueError, match="another venue, epoch or semantics"):
        CommandRun.of([record(1), record(2, epoch=2)])


def test_each_leader_has_a_run_of_its_own() -> None:
    many = [plain(1), plain(2), plain(3, epoch=2), plain(4, epoch=5, text="x")]
    runs = command_runs_of(many)
    assert [(run.first_seq, len(run), run.epoch, run.origins) for run in runs] == [
        (1, 2, 1, ()),
        (3, 1, 2, ()),
        (4, 1, 5, ()),
    ]
    assert [one for run in runs for one in run] == many


@settings(max_examples=60)
@given(st.integers(1, 9), st.data())
def test_parts_of_a_run_join_to_the_run(count: int, data: st.DataObject) -> None:
    many = [
        data.draw(st.sampled_from([plain, record]))(seq, text=f"t{seq % 3}" * (seq % 2)) for seq in range(1, count + 1)
    ]
    run = CommandRun.of(many)
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=3)))
    parts = [run.part(a, b) for a, b in zip([0, *cuts], [*cuts, count], strict=True) if a < b]
    assert [one for part in parts for one in part] == many
    joined = CommandRun.joined(parts)
    assert list(joined) == many
    assert joined.data == run.data
