"""The in-process bus beyond its port: what the exchange's side sees, and requests without canonical bytes."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable

import pytest

from onseju.bus.inproc import InprocBus
from onseju.bus.port import BusyError, DiskFullError, StoppedError
from onseju.contract.commands import CancelOrder, CommandKind, EncodedCommand, EncodedRequest, Request, encode_command
from onseju.contract.event_runs import EventRun
from tests.contract.bus_contract import run
from tests.contract.samples import block, order


def encoded(requests: Iterable[Request]) -> bytes:
    """The requests' commands in one piece."""
    return b"".join(encode_command(request.command) for request in requests)


def test_take_gives_all_that_waits_in_order() -> None:
    async def test() -> None:
        bus = InprocBus(100)
        waiting = [asyncio.create_task(bus.request([order(qty=n), order(qty=n + 1)])) for n in (1, 3, 5)]
        await asyncio.sleep(0)
        batch = await bus.take()
        assert b"".join(pending.commands for pending in batch) == encoded(order(qty=n) for n in range(1, 7))
        blocks = [block(seq) for seq in range(1, 7)]
        bus.answer(batch, EventRun.of(blocks))
        assert await asyncio.gather(*waiting) == [blocks[0:2], blocks[2:4], blocks[4:6]]

    run(test())


def test_a_request_may_be_answered_over_several_batches() -> None:
    async def test() -> None:
        bus = InprocBus(100, max_batch=2)
        waiting = asyncio.create_task(bus.request([order() for _ in range(5)]))  # noqa: RUF006 - it is awaited below
        await asyncio.sleep(0)
        blocks = [block(seq) for seq in range(1, 6)]
        for first, size in ((0, 2), (2, 2), (4, 1)):
            assert not waiting.done()
            batch = await bus.take()
            assert sum(pending.count for pending in batch) == size
            bus.answer(batch, EventRun.of(blocks[first : first + size]))
        assert await waiting == blocks

    run(test())


def test_a_request_that_fits_into_a_batch_is_taken_in_one_piece() -> None:
    async def test() -> None:
        bus = InprocBus(100, max_batch=4)
        waiting = [asyncio.create_task(bus.request([order() for _ in range(count)])) for count in (3, 3, 1, 5)]
        await asyncio.sleep(0)
        seq = 1
        for sizes in ([3], [3, 1], [4], [1]):
            batch = await bus.take()
            assert [pending.count for pending in batch] == sizes
            bus.answer(batch, EventRun.of([block(seq + at) for at in range(sum(sizes))]))
            seq += sum(sizes)
        assert [[one.seq for one in answer] for answer in await asyncio.gather(*waiting)] == [
            [1, 2, 3],
            [4, 5, 6],
            [7],
            [8, 9, 10, 11, 12],
        ]

    run(test())


def test_take_waits_until_something_comes() -> None:
    async def test() -> None:
        bus = InprocBus(100)
        taking = asyncio.create_task(bus.take())
        await asyncio.sleep(0)
        assert not taking.done()
        waiting = asyncio.create_task(bus.request([order()]))
        batch = await taking
        bus.answer(batch, EventRun.of([block(1)]))
        assert await waiting == [block(1)]

    run(test())


def test_what_was_taken_counts_until_it_is_answered() -> None:
    async def test() -> None:
        bus = InprocBus(2)
        waiting = asyncio.create_task(bus.request([order(), order()]))
        await asyncio.sleep(0)
        batch = await bus.take()
        assert bus.waiting == 2
        with pytest.raises(BusyError):
            await bus.request([order()])
        bus.answer(batch, EventRun.of([block(1), block(2)]))
        assert bus.waiting == 0
        await waiting

    run(test())


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (order("a\tb"), ValueError),
        (order("a\nb"), ValueError),
        (order("가" * 86), ValueError),
        (order("\ud800"), ValueError),
        (order(qty=2**63), struct.error),
        (order(account=-1), struct.error),
        (order(account=2**32), struct.error),
    ],
    ids=["tab", "line break", "long", "surrogate", "wide quantity", "negative account", "wide account"],
)
def test_what_has_no_canonical_bytes_is_refused_with_all_beside_it(request_: object, error: type[Exception]) -> None:
    async def test() -> None:
        bus = InprocBus(10)
        with pytest.raises(error):
            await bus.request([order(), request_, order()])
        assert bus.waiting == 0
        waiting = asyncio.create_task(bus.request([order(qty=9)]))
        await asyncio.sleep(0)
        (pending,) = await bus.take()
        assert pending.commands == encoded([order(qty=9)])
        bus.answer([pending], EventRun.of([block(1)]))
        await waiting

    run(test())


def test_a_stop_wakes_the_exchange_and_names_the_reason() -> None:
    async def test() -> None:
        bus = InprocBus(10)
        taking = asyncio.create_task(bus.take())
        await asyncio.sleep(0)
        bus.stop(RuntimeError("the disk is gone"))
        bus.stop(RuntimeError("a later reason"))
        with pytest.raises(StoppedError, match="the disk is gone"):
            await taking
        with pytest.raises(StoppedError, match="the disk is gone"):
            await bus.request([order()])

    run(test())


def test_a_caller_that_gave_up_is_no_trouble_at_a_stop() -> None:
    async def test() -> None:
        bus = InprocBus(10)
        gone = asyncio.create_task(bus.request([order()]))
        stays = asyncio.create_task(bus.request([order()]))
        await asyncio.sleep(0)
        gone.cancel()
        bus.stop()
        with pytest.raises(asyncio.CancelledError):
            await gone
        with pytest.raises(StoppedError, match="shut down"):
            await stays

    run(test())


def test_listeners_are_called_in_the_order_in_which_they_came() -> None:
    calls = []
    bus = InprocBus(10)
    for name in "abc":
        bus.subscribe(lambda blocks, name=name: calls.append((name, blocks[0].seq)))
    bus.publish(EventRun.of([block(4)]))
    assert calls == [("a", 4), ("b", 4), ("c", 4)]


def test_records_are_answered_with_a_part_of_the_published_run() -> None:
    async def test() -> None:
        bus = InprocBus(100)
        first = asyncio.create_task(bus.request_records(encoded([order(qty=1), order(qty=2)]), {1: "둘"}))
        second = asyncio.create_task(bus.request_records(encoded([order(qty=3)])))
        await asyncio.sleep(0)
        batch = await bus.take()
        assert [(pending.count, dict(pending.texts)) for pending in batch] == [(2, {1: "둘"}), (1, {})]
        published = EventRun.of([block(seq) for seq in range(1, 4)])
        bus.answer(batch, published)
        assert list(await first) == list(published[:2])
        assert (await second).first_seq == 3
        assert list(await second) == list(published[2:])

    run(test())


def test_a_long_request_of_records_is_one_answer_and_its_texts_stay_with_their_commands() -> None:
    async def test() -> None:
        bus = InprocBus(100, max_batch=2)
        texts = {at: f"t{at}" for at in (0, 1, 3, 4)}
        waiting = asyncio.create_task(bus.request_records(encoded(order(qty=n + 1) for n in range(5)), texts))
        await asyncio.sleep(0)
        seen: dict[int, str] = {}
        for first in (0, 2, 4):
            (pending,) = await bus.take()
            seen |= {first + at: text for at, text in pending.texts.items()}
            blocks = [block(first + 1 + at) for at in range(pending.count)]
            bus.answer([pending], EventRun.of(blocks))
        answer = await waiting
        assert seen == texts
        assert (answer.first_seq, len(answer)) == (1, 5)
        assert list(answer) == [block(seq) for seq in range(1, 6)]

    run(test())


@pytest.mark.parametrize("records", [b"", b"x" * 111, b"x" * 225])
def test_records_that_are_cut_are_refused(records: bytes) -> None:
    async def test() -> None:
        bus = InprocBus(10)
        with pytest.raises(ValueError, match="112 bytes"):
            await bus.request_records(records)
        if records:
            with pytest.raises(ValueError, match="112 bytes"):
                await bus.request([order(), EncodedRequest(EncodedCommand(records))])
        assert bus.waiting == 0

    run(test())


def test_a_text_that_cannot_travel_refuses_all_records_beside_it() -> None:
    async def test() -> None:
        bus = InprocBus(10)
        with pytest.raises(ValueError, match="tabs"):
            await bus.request_records(encoded([order(), order()]), {1: "a\tb"})
        assert bus.waiting == 0

    run(test())


def test_on_a_full_disk_records_pass_as_a_whole_or_not_at_all() -> None:
    cancel = Request(CancelOrder(account=1, order_id=1))

    async def test() -> None:
        bus = InprocBus(10)
        mixed = asyncio.create_task(bus.request_records(encoded([cancel, order()])))
        cancels = asyncio.create_task(bus.request_records(encoded([cancel, cancel])))
        await asyncio.sleep(0)
        bus.let_in({CommandKind.CANCEL_ORDER})
        with pytest.raises(DiskFullError):
            await mixed
        with pytest.raises(DiskFullError):
            await bus.request_records(encoded([order()]))
        assert bus.waiting == 2
        batch = await bus.take()
        bus.answer(batch, EventRun.of([block(1), block(2)]))
        assert len(await cancels) == 2

    run(test())
