"""Whatever the carrier does, as long as it delivers in the end: each command takes effect once, each gateway's in their order,
every listener hears every run once in order, and every request is answered with its own block."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onseju.bus.exchange_end import ExchangeEndSettings
from onseju.contract.journal_records import EventBlock
from tests.contract.hostile_transport import Carrier, Habits
from tests.contract.samples import order
from tests.contract.scaled_bus import DiskLog, Front, Leader, Topics, quantities, until

EXAMPLES = int(os.environ.get("ONSEJU_BUS_EXAMPLES", "12"))

HABITS = st.builds(
    Habits,
    delay_s=st.sampled_from([0.0, 0.002, 0.02]),
    doubled=st.sampled_from([0.0, 0.3, 0.9]),
    skipped=st.sampled_from([0.0, 0.3]),
    failed=st.sampled_from([0.0, 0.3, 0.6]),
    ack_lost=st.sampled_from([0.0, 0.3]),
    invisible_s=st.just(0.1),
)
PATIENT = ExchangeEndSettings(gap_s=60)
"""Delivering in the end may take long on a busy machine."""

REQUESTS = st.lists(st.integers(1, 5), min_size=1, max_size=15)
"""How many commands each has."""


@pytest.mark.parametrize("restarts", [0, 1])
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), habits=HABITS, sizes=st.lists(REQUESTS, min_size=1, max_size=3), seed=st.integers(0, 1 << 30))
def test_each_command_takes_effect_once(
    data: st.DataObject, restarts: int, habits: Habits, sizes: list[list[int]], seed: int
) -> None:
    killed_at = [
        data.draw(st.integers(0, max(sum(map(len, sizes)) - 1, 0)), label="killed at") for _ in range(restarts)
    ]
    carrier = Carrier(habits, seed)
    try:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(asyncio.wait_for(_play(carrier, Path(directory), sizes, killed_at), 60))
    finally:
        carrier.close()


async def _play(carrier: Carrier, directory: Path, sizes: list[list[int]], killed_at: list[int]) -> None:
    topics = Topics()
    leaders = [Leader(carrier, topics, directory, PATIENT)]
    fronts = [
        Front(
            carrier,
            topics,
            lambda: DiskLog(leaders[-1].journal),
            number,
            deadline_s=50,
            gap_s=0.05,
            quiet_s=0.2,
            window_s=0.001,
        )
        for number in range(1, len(sizes) + 1)
    ]
    leaders[0].start()
    for front in fronts:
        front.end.start()
    answered = 0

    async def trade(front: Front, number: int, counts: list[int]) -> list[list[EventBlock]]:
        asked = []
        qty = 1
        for count in counts:
            asked.append(asyncio.create_task(ask(front, [number * 1000 + at for at in range(qty, qty + count)])))
            qty += count
            if count % 2:
                await asyncio.sleep(0)
            elif count == 4:
                await asyncio.wait(asked)
        return [await one for one in asked]

    async def ask(front: Front, numbers: list[int]) -> list[EventBlock]:
        nonlocal answered
        blocks = await front.end.request([order(str(number), qty=number) for number in numbers])
        assert quantities(blocks) == numbers
        assert [text for block in blocks for text in block.annotations.values()] == [str(n) for n in numbers]
        answered += 1
        return blocks

    trading = [
        asyncio.create_task(trade(front, front.end.gateway, counts))
        for front, counts in zip(fronts, sizes, strict=True)
    ]
    try:
        for count in sorted(killed_at):
            await until(lambda count=count: answered >= count or all(task.done() for task in trading))  # type: ignore[misc]
            await leaders[-1].stop(kill=True)
            leaders.append(Leader(carrier, topics, directory, PATIENT))
            leaders[-1].start()
        answers = await asyncio.gather(*trading)
        head_seq = leaders[-1].exchange.head_seq
        await until(lambda: all(front.end.head_seq == head_seq for front in fronts))
        taken = list(leaders[-1].journal.read_events())
        assert head_seq == sum(map(sum, sizes)), "each once, nothing more"
        for front, counts, blocks in zip(fronts, sizes, answers, strict=True):
            number = front.end.gateway
            wanted = [number * 1000 + at for at in range(1, sum(counts) + 1)]
            assert quantities(taken, number) == wanted, "in the order in which they were asked"
            assert front.heard.blocks == taken
            assert [block for some in blocks for block in some] == [b for b in taken if b.origin.gateway == number]
            assert front.end.waiting == 0
    finally:
        for task in trading:
            task.cancel()
        await asyncio.gather(*trading, return_exceptions=True)
        for front in fronts:
            await front.stop()
        await leaders[-1].stop()
