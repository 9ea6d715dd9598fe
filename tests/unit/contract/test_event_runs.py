"""Runs of event blocks: the blocks that come out are those that went in."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onseju.contract.event_runs import EventRun, runs_of
from onseju.contract.events import LevelChanged, encode_event
from onseju.contract.journal_records import EventBlock, Origin

ITSELF = Origin()


def block(seq: int, events: int = 1, epoch: int = 1, text: str = "", origin: Origin = ITSELF) -> EventBlock:
    payload = b"".join(
        encode_event(
            LevelChanged(seq=seq, ts=seq * 10, idx=idx, instrument=1, side=1, price=100, qty=seq, order_count=1)
        )
        for idx in range(events)
    )
    return EventBlock(
        venue=1,
        epoch=epoch,
        semantics=1,
        origin=origin,
        seq=seq,
        ts=seq * 10,
        command_kind=seq % 7,
        payload=payload,
        text=text,
    )


def unpacked(run: EventRun) -> EventRun:
    """The same run without the blocks that it was made of."""
    names = ("venue", "epoch", "semantics", "first_seq", "kinds", "timestamps", "payload", "ends", "texts", "origins")
    return EventRun(**{name: getattr(run, name) for name in names})


def test_a_run_gives_the_blocks_that_it_was_made_of() -> None:
    blocks = [block(5, 2, text="5\ta"), block(6, 3, origin=Origin(1, 2, 3)), block(7)]

    run = unpacked(EventRun.of(blocks))

    assert list(run) == blocks
    assert run[-1] == blocks[-1]
    assert run[1:] == blocks[1:]
    assert (run.first_seq, run.last_seq, len(run), run.event_count) == (5, 7, 3, 6)
    assert run.payload == b"".join(block.payload for block in blocks)


def test_a_block_is_made_once_so_that_listeners_share_what_they_decode() -> None:
    run = unpacked(EventRun.of([block(1), block(2)]))

    assert run[1] is run[1]
    assert list(run)[1] is run[1]


def test_there_is_nothing_behind_the_end() -> None:
    run = EventRun.of([block(1)])

    with pytest.raises(IndexError):
        run[1]
    with pytest.raises(IndexError):
        run[-2]


@pytest.mark.parametrize(
    "second", [block(3), msgspec.structs.replace(block(2), venue=2), block(2, epoch=2)], ids=["gap", "venue", "epoch"]
)
def test_blocks_that_do_not_belong_together_are_no_run(second: EventBlock) -> None:
    with pytest.raises(ValueError, match="event block"):
        EventRun.of([block(1), second])


def test_blocks_become_a_run_for_each_epoch() -> None:
    blocks = [block(1), block(2), block(3, epoch=2), block(4, epoch=2)]

    runs = list(runs_of(blocks))

    assert [(run.first_seq, run.last_seq, run.epoch) for run in runs] == [(1, 2, 1), (3, 4, 2)]
    assert [one for run in runs for one in run] == blocks


def test_a_run_stays_itself_and_nothing_gives_no_run() -> None:
    run = EventRun.of([block(1)])

    assert list(runs_of(run)) == [run]
    assert list(runs_of([])) == []


@settings(max_examples=60)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.data())
def test_parts_of_a_run_join_to_the_run(counts: list[int], data: st.DataObject) -> None:
    origins = [Origin(1, 1, at) if data.draw(st.booleans()) else ITSELF for at in range(len(counts))]
    texts = [data.draw(st.sampled_from(["", "1\ta"])) for _ in counts]
    blocks = [block(5 + at, count, text=texts[at], origin=origins[at]) for at, count in enumerate(counts)]
    run = EventRun.of(blocks)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(counts)), max_size=3)))
    for source in (run, unpacked(run)):
        parts = [
            source.part(start, stop)
            for start, stop in zip([0, *cuts], [*cuts, len(counts)], strict=True)
            if start < stop
        ]
        assert [block for part in parts for block in part] == blocks
        joined = unpacked(EventRun.joined([unpacked(part) for part in parts]))
        assert list(joined) == blocks
        assert joined.payload == run.payload
        assert list(joined.ends) == list(run.ends)


def test_the_whole_part_is_the_run_itself_and_made_blocks_are_shared() -> None:
    run = EventRun.of([block(1), block(2), block(3)])
    assert run.part(0, 3) is run
    assert run.part(1, 3)[0] is run[1]
