"""The account ring: exact sequences from any cursor, whatever the ring has let go."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onseju import listeners
from onseju.contract.events import EVENT_BYTES, LAYOUTS, decode_event
from onseju.contract.ids import BEFORE_ALL, Position
from onseju.contract.views import stream_view
from onseju.contract.words import Side
from onseju.journal.port import Journal
from onseju.push import log
from onseju.push import ring as ring_module
from onseju.push.frames import STREAMED, streamed_events
from onseju.push.ring import AccountReader, AccountRing, OtherJournalError, PositionAheadError, TooOldError
from tests.engines import ENGINE_NAMES, EngineName, must_run
from tests.unit.push.harness import (
    Made,
    MemoryJournal,
    accepted,
    balance,
    block,
    level,
    listed,
    open_journal,
    record_blocks,
    trade,
)

_forms = listeners.PLAIN


@pytest.fixture(scope="module", autouse=True, params=ENGINE_NAMES)
def form(request: pytest.FixtureRequest) -> EngineName:
    """The chains in the compiled core, then plain ones."""
    global _forms
    name: EngineName = request.param
    must_run(name)
    _forms = listeners.best(name)
    return name


def ring_of(journal: Any, capacity: int, oldest: Callable[[], int] = lambda: 1) -> AccountRing:
    return AccountRing(cast("Journal", journal), lambda _: "005930", capacity, oldest, _forms.account_chains)


def publish(ring: AccountRing, journal: MemoryJournal, *commands: list[Made]) -> None:
    blocks = [block(ring.head.seq + 1 + place, *made) for place, made in enumerate(commands)]
    journal.append_blocks(blocks)
    ring.listen(blocks)


async def drain(reader: AccountReader, limit: int = 3) -> list[bytes]:
    found = []
    while frames := await reader.next(limit):
        found += [frame.sse for frame in frames]
    return found


def from_the_start(journal: Any, account: int) -> list[tuple[Position, bytes]]:
    """Every event of the account with its bytes, out of a ring that holds everything."""
    ring = ring_of(journal, 10**6)
    ring.listen(list(journal.read_events()))
    frames = ring.reader(account, BEFORE_ALL).take(10**6)
    return [(frame.position, frame.sse) for frame in frames]


Command = list[int]
commands = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    batches=st.lists(commands, min_size=1, max_size=12),
    capacity=st.integers(1, 12),
    cursors=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), min_size=1, max_size=4),
    limit=st.integers(1, 4),
    stride=st.sampled_from([1, 2, 5, 4096]),
)
def test_any_cursor_gives_the_exact_sequence(
    batches: list[list[Command]], capacity: int, cursors: list[tuple[int, int]], limit: int, stride: int
) -> None:
    """Accounts 1 to 3 and the public (0), a ring smaller than the history, readers that start anywhere and at any time."""

    async def main() -> None:
        journal = MemoryJournal()
        ring = ring_of(journal, capacity)
        readers: list[tuple[int, Position, AccountReader, list[bytes]]] = []
        for number, batch in enumerate(batches):
            publish(ring, journal, *([[balance(account) for account in command] for command in batch]))
            seq, idx = cursors[number % len(cursors)]
            cursor = min(Position(seq, idx), ring.head)
            for account in (1, 2, 3):
                readers.append((account, cursor, ring.reader(account, cursor), []))
                readers.append((account, ring.head, ring.reader(account), []))
            # some read on while events come, some only at the end
            for account, _, reader, found in readers[::3]:
                del account
                found += [frame.sse for frame in await reader.next(limit)]
        for account, cursor, reader, found in readers:
            found += await drain(reader, limit)
            assert found == [data for position, data in from_the_start(journal, account) if position > cursor]
        assert len(ring) <= capacity
        ring.close()

    before = log.STRIDE
    log.STRIDE = stride
    try:
        asyncio.run(main())
    finally:
        log.STRIDE = before


def test_the_chain_links_one_accounts_events() -> None:
    journal = MemoryJournal()
    ring = ring_of(journal, 100)
    publish(ring, journal, [balance(1), balance(2)], [balance(2), balance(1), balance(1)])
    frames = ring.reader(1, BEFORE_ALL).take(10)
    envelopes = [json.loads(frame.json) for frame in frames]
    assert [found["id"] for found in envelopes] == ["memory-1-0", "memory-2-1", "memory-2-2"]
    assert [found["prev"] for found in envelopes] == [None, "memory-1-0", "memory-2-1"]
    assert all(found["data"]["account_id"] == 1 for found in envelopes)


def test_sse_and_json_are_the_same_bytes() -> None:
    journal = MemoryJournal()
    ring = ring_of(journal, 100)
    publish(ring, journal, [accepted(1, 5)])
    (frame,) = ring.reader(1, BEFORE_ALL).take(10)
    assert frame.sse == b"id:memory-1-0\nevent:order\ndata:" + frame.json + b"\n\n"
    assert json.loads(frame.json)["data"]["order_id"] == 5


def test_ring_and_log_give_equal_bytes_out_of_a_real_journal(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    blocks = [
        block(seq, balance(seq % 3), accepted(1 + seq % 2, seq), text=f"{seq}\tmine-{seq}") for seq in range(1, 60)
    ]
    record_blocks(journal, blocks)
    large, small = ring_of(journal, 1000), ring_of(journal, 4)
    large.listen(blocks)
    small.listen(blocks)
    expected = [frame.sse for frame in large.reader(1, BEFORE_ALL).take(1000)]
    found = asyncio.run(drain(small.reader(1, BEFORE_ALL)))
    assert found == expected
    assert b'"client_order_id":"mine-2"' in b"".join(found)
    small.close()
    journal.close()


def test_the_first_prev_is_right_for_a_cursor_that_is_nobodys_event() -> None:
    """The cursor stands on another account's event, and the event before it was let go long ago."""
    journal = MemoryJournal()
    ring = ring_of(journal, 2)
    publish(ring, journal, [balance(1)], [balance(2)], [balance(1)], [balance(1)], [balance(2)], [balance(2)])
    reader = ring.reader(1, Position(2, 0))
    frames = asyncio.run(reader.next(10))
    assert [json.loads(frame.json)["prev"] for frame in frames] == ["memory-1-0", "memory-3-0"]
    ring.close()


def test_a_quiet_accounts_events_stay_reachable_without_the_log() -> None:
    """What counts is whether the ring has let go an event of this account, not how old the cursor is."""
    journal = MemoryJournal()
    ring = ring_of(journal, 5)
    publish(ring, journal, *[[balance(2)] for _ in range(50)], [balance(1)])
    reader = ring.reader(1, BEFORE_ALL)
    assert not reader.behind
    assert len(reader.take(10)) == 1


def test_the_index_skips_what_an_account_has_no_part_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "STRIDE", 10)
    journal = MemoryJournal()
    ring = ring_of(journal, 2)
    quiet = [[balance(2)] for _ in range(500)]
    publish(ring, journal, [balance(1)], *quiet, [balance(1)], *quiet)
    read: list[int] = []
    original: Callable[..., Any] = journal.read_events

    def counted(after_seq: int = 0) -> Any:
        for found in original(after_seq):
            read.append(found.seq)
            yield found

    monkeypatch.setattr(journal, "read_events", counted)
    frames = asyncio.run(drain(ring.reader(1, BEFORE_ALL)))
    assert len(frames) == 2
    assert len(read) < 40
    ring.close()


def test_only_the_accounts_own_wakers_are_called() -> None:
    journal = MemoryJournal()
    ring = ring_of(journal, 100)
    calls: list[str] = []
    first, second, other = (lambda: calls.append("1a")), (lambda: calls.append("1b")), (lambda: calls.append("2"))
    ring.wake(1, first)
    ring.wake(1, second)
    ring.wake(2, other)
    publish(ring, journal, [balance(1)], [balance(1)], [trade(700, 1)])
    assert sorted(calls) == ["1a", "1b"]
    ring.forget(1, first)
    publish(ring, journal, [balance(1)])
    assert sorted(calls) == ["1a", "1b", "1b"]


def test_a_reader_from_now_on_sees_only_what_comes() -> None:
    journal = MemoryJournal()
    ring = ring_of(journal, 100)
    publish(ring, journal, [balance(1)])
    known, unknown = ring.reader(1), ring.reader(9)
    assert known.take(10) == unknown.take(10) == []
    publish(ring, journal, [balance(1, cash=5), balance(9)])
    assert [frame.position for frame in known.take(10)] == [Position(2, 0)]
    assert [frame.position for frame in unknown.take(10)] == [Position(2, 1)]


def test_cursors_are_checked() -> None:
    journal = MemoryJournal()
    ring = ring_of(journal, 100)
    publish(ring, journal, [balance(1), balance(2)])
    assert ring.parse("memory-1-1") == Position(1, 1)
    assert ring.parse(ring.head_id()) == ring.head
    for ahead in ("memory-1-2", "memory-2-0", "memory-9999999999999999999-0"):
        with pytest.raises(PositionAheadError):
            ring.parse(ahead)
    with pytest.raises(OtherJournalError):
        ring.parse("another-1-0")
    for malformed in ("", "x", "memory-1", "memory-1-1-1", "memory--1-0", "memory-1-x", "memory-1-1\n"):
        with pytest.raises(ValueError, match="not an event id"):
            ring.parse(malformed)


def test_a_hole_in_the_blocks_is_never_silent() -> None:
    ring = ring_of(MemoryJournal(), 100)
    with pytest.raises(ValueError, match="block 2 came after 0"):
        ring.listen([block(2, balance(1))])


def test_the_streamed_kinds_are_those_that_have_a_view() -> None:
    made = {kind: bytes(EVENT_BYTES) for kind in LAYOUTS}
    for kind, layout in LAYOUTS.items():
        numbers = [1 if name in WORDS else 0 for name in layout.fields]
        texts = [
            bytes(16) if name in ("client_id", "owner", "symbol") else value
            for name, value in zip(layout.fields, numbers, strict=True)
        ]
        fields = dict(zip(layout.fields, texts, strict=True)) | {"kind": kind, "version": 1, "account": 4}
        made[kind] = layout.pack(layout.cls(**fields))
    viewed = {kind for kind, data in made.items() if stream_view(decode_event(data), {}, lambda _: "x") is not None}
    assert viewed == STREAMED
    assert [account for _, account in streamed_events(b"".join(made.values()))] == [4] * len(STREAMED)


WORDS = {"side", "order_type", "time_in_force", "status", "liquidity", "command_kind"}


def test_public_events_are_nobodys() -> None:
    payload = block(1, listed(), level(cast("Any", 1), 700, 3), trade(700, 1), balance(0)).payload
    assert list(streamed_events(payload)) == []


def test_a_frame_lets_its_event_go_once_it_is_encoded() -> None:
    journal = MemoryJournal()
    ring = ring_of(journal, 100)
    publish(ring, journal, [balance(1)])
    (frame,) = ring.reader(1, BEFORE_ALL).take(1)
    assert frame.sse is frame.sse
    assert msgspec.json.decode(frame.json)["type"] == "account"
    assert frame._event == b""


@pytest.mark.parametrize("seed", range(5))
def test_readers_that_move_between_log_and_ring_while_events_come(tmp_path: Path, seed: int) -> None:
    """A real journal, whose log is always ahead of what the ring was told; readers of different speed; a tiny ring."""
    draw = random.Random(seed)

    async def main() -> None:
        journal = open_journal(tmp_path)
        ring = ring_of(journal, 7)
        done = False

        async def read(account: int, after: Position, limit: int, pause: int) -> list[bytes]:
            reader, found = ring.reader(account, after), []
            while True:
                frames = await reader.next(limit)
                found += [frame.sse for frame in frames]
                if done and not frames:
                    return found
                for _ in range(pause):
                    await asyncio.sleep(0)

        wanted = [(draw.randint(1, 3), draw.randint(1, 9), draw.randint(1, 40)) for _ in range(8)]
        tasks = [asyncio.create_task(read(account, BEFORE_ALL, *speed)) for account, *speed in wanted]
        for _ in range(150):
            blocks = [
                block(ring.head.seq + 1 + place, *[balance(draw.randint(0, 3)) for _ in range(draw.randint(1, 4))])
                for place in range(draw.randint(1, 5))
            ]
            record_blocks(journal, blocks)
            await asyncio.sleep(0)
            ring.listen(blocks)
            for _ in range(draw.randint(0, 20)):
                await asyncio.sleep(0)
        done = True
        results = await asyncio.gather(*tasks)
        for (account, *_), found in zip(wanted, results, strict=True):
            assert found == [data for _, data in from_the_start(journal, account)]
        ring.close()
        journal.close()

    asyncio.run(main())


def test_streams_that_ask_for_the_same_page_of_the_log_read_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reconnect storm beyond the ring does: every stream of an account stands at the same event."""
    journal = MemoryJournal()
    ring = ring_of(journal, 1000)
    for _ in range(12):
        publish(ring, journal, *[[balance(7)] for _ in range(100)])
    reads = 0
    read_log = ring_module.read_log

    def counted(*args: Any) -> Any:
        nonlocal reads
        reads += 1
        return read_log(*args)

    monkeypatch.setattr(ring_module, "read_log", counted)

    async def read(start: int) -> list[Position]:
        reader = ring.reader(7, Position(start, 0))
        found: list[Position] = []
        while frames := await reader.next(64):
            found += [frame.position for frame in frames]
        return found

    async def test() -> None:
        many = await asyncio.gather(*(read(5) for _ in range(50)))
        assert all(found == [Position(seq, 0) for seq in range(6, 1_201)] for found in many)
        assert reads < 10
        before = reads
        assert await read(9) == [Position(seq, 0) for seq in range(10, 1_201)]
        assert reads > before, "another place is another page"

    try:
        asyncio.run(test())
    finally:
        ring.close()


def test_what_the_log_has_let_go_is_told_and_never_passed_over_in_silence() -> None:
    journal = MemoryJournal()
    oldest = 1
    ring = ring_of(journal, 10, lambda: oldest)
    publish(ring, journal, *[[balance(7), balance(8)] for _ in range(40)])
    whole = from_the_start(journal, 7)
    slow = ring.reader(7, Position(3, 0))

    async def test() -> None:
        nonlocal oldest
        assert [frame.position.seq for frame in await slow.next(4)] == [4, 5, 6, 7]
        oldest = 21  # and the blocks are gone
        del journal.blocks[:20]
        with pytest.raises(TooOldError):
            await slow.next(4)
        assert ring.is_too_old(7, Position(19, 1))
        assert not ring.is_too_old(7, Position(20, 0)), "nothing after it is missing"
        assert not ring.is_too_old(9, Position(1, 0)), "an account without events misses none"
        first = await drain(ring.reader(7, ring.first_place()))
        assert first[1:] == [sse for position, sse in whole if position.seq > 21]
        assert b'"prev":null' in first[0]
        later = await drain(ring.reader(7, Position(25, 0)))
        assert later == [sse for position, sse in whole if position.seq > 25]

    try:
        asyncio.run(test())
    finally:
        ring.close()


def test_an_account_whose_events_the_ring_holds_needs_no_log() -> None:
    journal = MemoryJournal()
    ring = ring_of(journal, 10, lambda: 41)
    publish(ring, journal, *[[balance(7)] for _ in range(5)], *[[level(Side.BUY, 700, 1)] for _ in range(35)])
    journal.blocks.clear()
    assert not ring.is_too_old(7, Position(2, 0))
    assert [frame.position.seq for frame in ring.reader(7, Position(2, 0)).take(9)] == [3, 4, 5]
