"""Gateways and the exchange with a carrier between them: what goes wrong between processes, and what is to come of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from onseju.bus import messages
from onseju.bus.cursors import Cursor, GatewayCursors
from onseju.bus.exchange_end import ExchangeEndSettings
from onseju.bus.gateway_end import GatewayEnd
from onseju.bus.messages import CommandMessage, decode, encode_commands, encode_events, headers_of
from onseju.bus.port import BusyError, StoppedError, UnansweredError
from onseju.contract.commands import CancelOrder, CommandKind, Request, encode_command
from onseju.contract.event_runs import EventRun
from onseju.contract.events import OrderCanceled
from onseju.contract.journal_records import JournalRecord
from onseju.journal.segments import SegmentJournal
from tests.contract.bus_contract import run
from tests.contract.hostile_transport import GOOD, Carrier
from tests.contract.samples import block, order
from tests.contract.scaled_bus import DiskLog, Front, Leader, Topics, quantities, until


@pytest.fixture
def carrier() -> Iterator[Carrier]:
    carrier = Carrier(GOOD._replace(delay_s=0.001, invisible_s=0.3))
    yield carrier
    carrier.close()


class Set:
    """An exchange and gateways, which may be restarted."""

    def __init__(self, carrier: Carrier, directory: Path) -> None:
        self.carrier, self.topics, self.directory = carrier, Topics(), directory
        self.leader: Leader
        self.fronts: list[Front] = []

    def lead(self, *, settings: ExchangeEndSettings | None = None, capacity: int = 10_000) -> Leader:
        self.leader = Leader(self.carrier, self.topics, self.directory, settings, capacity)
        return self.leader

    def front(self, number: int, epoch: int = 1, *, capacity: int = 10_000, **settings: float) -> Front:
        log = lambda: DiskLog(self.leader.journal)  # noqa: E731 - of whoever leads when it is read
        front = Front(self.carrier, self.topics, log, number, epoch, capacity=capacity, **settings)
        self.fronts.append(front)
        return front

    @property
    def taken(self) -> list[JournalRecord]:
        return list(self.leader.journal.read())

    def unacknowledged(self) -> int:
        return self.carrier.receiver(self.topics.orders, "exchange").group.unacknowledged


@contextlib.asynccontextmanager
async def whole(carrier: Carrier, directory: Path) -> AsyncIterator[Set]:
    found = Set(carrier, directory)
    try:
        yield found
    finally:
        for front in found.fronts:
            await front.stop()
        await found.leader.stop()


def commands_of(*numbers: int) -> bytes:
    return b"".join(encode_command(order(qty=number).command) for number in numbers)


def send(carrier: Carrier, topics: Topics, *, gateway: int, epoch: int, first: int, numbers: list[int]) -> None:
    """What a gateway would send, from nowhere."""
    body = encode_commands(CommandMessage(1, gateway, epoch, first, commands_of(*numbers), {}))
    carrier.take(topics.orders, body, headers_of(body))


def test_a_dead_gateways_gap_is_closed_and_blocks_nobody(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead(settings=ExchangeEndSettings(gap_s=0.3)).start()
            front = it.front(2)
            front.end.start()
            send(carrier, it.topics, gateway=1, epoch=1, first=3, numbers=[103, 104])  # 1 and 2 never come
            await front.end.request([order(qty=201)])  # meanwhile others go on
            await until(lambda: quantities(front.heard.blocks, 1) == [103, 104])
            assert it.leader.end.gaps_closed == 1
            send(carrier, it.topics, gateway=1, epoch=1, first=1, numbers=[101, 102])  # now they do
            send(carrier, it.topics, gateway=1, epoch=1, first=5, numbers=[105])
            await until(lambda: quantities(front.heard.blocks, 1) == [103, 104, 105])
            kinds = [record.command[16] for record in it.taken]
            assert kinds.count(CommandKind.CLOSE_GATEWAY_GAP) == 1
            assert it.leader.cursors.of(1) == Cursor(1, 6)
            await until(lambda: it.unacknowledged() == 0)

    run(test())


def test_a_gap_that_is_filled_in_time_is_not_closed(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            front = it.front(2)
            front.end.start()
            send(carrier, it.topics, gateway=1, epoch=1, first=2, numbers=[102])
            send(carrier, it.topics, gateway=1, epoch=1, first=4, numbers=[104])
            await front.end.request([order(qty=201)])
            send(carrier, it.topics, gateway=1, epoch=1, first=1, numbers=[101])
            send(carrier, it.topics, gateway=1, epoch=1, first=3, numbers=[103])
            await until(lambda: quantities(front.heard.blocks, 1) == [101, 102, 103, 104])
            assert it.leader.end.gaps_closed == 0

    run(test())


def test_who_waits_for_what_was_given_up_is_told(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead(settings=ExchangeEndSettings(gap_s=0.2)).start()
            front = it.front(1)
            front.end.start()
            # the first message of all is lost however often it is sent
            carrier.spoils = lambda topic, body: topic == it.topics.orders and headers_of(body)["first_seq"] == "1"
            lost = asyncio.create_task(front.end.request([order(qty=1), order(qty=2)]))
            await until(lambda: any(topic == it.topics.orders for topic, _ in carrier.log))
            taken = await front.end.request([order(qty=3)])
            assert quantities(taken) == [3]
            with pytest.raises(BusyError, match="gave"):
                await lost
            assert front.end.waiting == 0
            await until(lambda: it.unacknowledged() == 0)

    run(test())


def test_a_newer_epoch_ends_the_older(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead(settings=ExchangeEndSettings(gap_s=30)).start()
            front = it.front(2)
            front.end.start()
            send(carrier, it.topics, gateway=1, epoch=1, first=1, numbers=[11])
            await until(lambda: quantities(front.heard.blocks, 1) == [11])
            send(carrier, it.topics, gateway=1, epoch=1, first=3, numbers=[13])  # held: 2 is missing
            await front.end.request([order(qty=201)])
            send(carrier, it.topics, gateway=1, epoch=2, first=1, numbers=[21])
            await until(lambda: quantities(front.heard.blocks, 1) == [11, 21])
            send(carrier, it.topics, gateway=1, epoch=1, first=2, numbers=[12])  # of a process that has ended
            send(carrier, it.topics, gateway=1, epoch=2, first=2, numbers=[22])
            await until(lambda: quantities(front.heard.blocks, 1) == [11, 21, 22])
            await until(lambda: it.unacknowledged() == 0)
            assert quantities(front.heard.blocks, 1) == [11, 21, 22]

    run(test())


def test_what_a_dead_leader_had_received_is_not_given_up_by_the_next(tmp_path: Path) -> None:
    """The carrier hides what it has handed out for longer than a gap is waited for: the gateway's own repeats fill it."""

    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().exchange.recover()
            dead = it.leader
            dead.end.start(DiskLog(dead.journal), 0)  # it receives, and its exchange takes nothing any more
            front = it.front(1, deadline_s=30)
            front.end.start()
            asked = []
            for number in range(1, 9):
                asked.append(asyncio.create_task(front.end.request([order(qty=number)])))
                await until(lambda number=number: dead.bus.waiting >= number)  # type: ignore[misc]
            await dead.stop(kill=True)
            it.lead().start()
            asked.append(asyncio.create_task(front.end.request([order(qty=9)])))  # this one the next leader has at once
            answers = await asyncio.gather(*asked)
            assert [qty for blocks in answers for qty in quantities(blocks)] == list(range(1, 10))
            assert it.leader.end.gaps_closed == 0

    carrier = Carrier(GOOD._replace(delay_s=0.001, invisible_s=15))
    try:
        run(test())
    finally:
        carrier.close()


def test_a_gateway_that_was_replaced_stops(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            old, new = it.front(1, 1), it.front(1, 2)
            old.end.start()
            await old.end.request([order(qty=1)])
            carrier.is_down = True
            waiting = asyncio.create_task(old.end.request([order(qty=2)]))
            await until(lambda: old.end.outgoing is not None and old.end.outgoing.messages == 1)
            old.sender.stop()
            carrier.is_down = False
            new.end.start(1, 1)
            await new.end.request([order(qty=3)])
            with pytest.raises(StoppedError, match="another process is gateway 1"):
                await waiting
            with pytest.raises(StoppedError):
                await old.end.request([order(qty=4)])

    run(test())


def test_past_the_deadline_the_caller_is_told_and_the_command_still_counts_once(
    carrier: Carrier, tmp_path: Path
) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead()
            front = it.front(1, capacity=2, deadline_s=0.2)
            front.end.start()
            with pytest.raises(UnansweredError):
                await front.end.request([order(qty=1), order(qty=2)])
            assert front.end.waiting == 2
            with pytest.raises(BusyError):
                await front.end.request([order(qty=3)])
            it.leader.start()
            await until(lambda: front.end.waiting == 0)
            assert quantities(front.heard.blocks) == [1, 2]
            assert front.end.outgoing is not None
            assert front.end.outgoing.messages == 0

    run(test())


def test_the_carrier_may_be_down_for_a_while(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            front = it.front(1)
            front.end.start()
            await front.end.request([order(qty=1)])
            carrier.is_down = True
            waiting = [asyncio.create_task(front.end.request([order(qty=number)])) for number in (2, 3)]
            await until(lambda: front.end.outgoing is not None and front.end.outgoing.sent_again > 0)
            own = asyncio.create_task(
                it.leader.bus.request([order(qty=4)])
            )  # the exchange's events are sent again, too
            await own
            publisher = it.leader.end.publisher
            assert publisher is not None
            await until(lambda: publisher.failed > 0)
            carrier.is_down = False
            await asyncio.gather(*waiting)
            await until(lambda: it.leader.end.known_through == 4)
            assert sorted(quantities(front.heard.blocks)) == [1, 2, 3, 4]

    run(test())


def test_what_a_full_exchange_has_no_room_for_waits_at_the_carrier(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            leader = it.lead(settings=ExchangeEndSettings(on_way=8, max_bytes=4096), capacity=8)
            leader.exchange.recover()
            leader.end.start(DiskLog(leader.journal), 0)  # it receives, and nobody works
            front = it.front(1, window_s=0.0, deadline_s=30)
            front.end.start()
            waiting = [asyncio.create_task(front.end.request([order(qty=number)] * 3)) for number in range(1, 81)]
            await until(lambda: leader.end.turned_away > 0)
            assert leader.bus.waiting <= 8
            assert leader.end.waiting * 112 <= 4096 + 1024 * 112
            assert it.unacknowledged() > 0
            leader.work()
            answers = await asyncio.gather(*waiting)
            assert [quantities(answer) for answer in answers] == [[number] * 3 for number in range(1, 81)]
            assert leader.end.gaps_closed == 0
            await until(lambda: it.unacknowledged() == 0)

    run(test())


def test_more_commands_than_the_exchange_takes_at_once_are_taken_in_parts(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead(capacity=10).start()
            front = it.front(1)
            front.end.start()
            answer = await front.end.request_records(commands_of(*range(1, 36)), {0: "first", 34: "last"})
            assert quantities(list(answer)) == list(range(1, 36))
            assert answer[0].annotations == {1: "first"}
            assert answer[34].annotations == {35: "last"}

    run(test())


def test_what_a_full_disk_cannot_take_is_answered_and_cancels_pass(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            front = it.front(1)
            front.end.start()
            await front.end.request([order(qty=1)])
            it.leader.bus.let_in({CommandKind.CANCEL_ORDER, CommandKind.CLOSE_GATEWAY_GAP})
            with pytest.raises(BusyError):
                await front.end.request([order(qty=2), order(qty=3)])
            (canceled,) = await front.end.request([Request(CancelOrder(account=7, actor=7, order_id=1))])
            assert isinstance(canceled.events[0], OrderCanceled)
            with pytest.raises(BusyError):
                await front.end.request([order(qty=4)])
            it.leader.bus.let_in(None)
            assert quantities(await front.end.request([order(qty=5)])) == [5]
            assert quantities(front.heard.blocks) == [1, 5]

    run(test())


def test_what_a_disk_that_fills_up_turns_away_in_the_queue_is_answered(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            leader = it.lead()
            leader.exchange.recover()
            leader.end.start(DiskLog(leader.journal), 0)
            front = it.front(1)
            front.end.start()
            waiting = asyncio.create_task(front.end.request([order(qty=1)]))
            await until(lambda: leader.bus.waiting == 1)
            cancel = asyncio.create_task(front.end.request([Request(CancelOrder(account=7, actor=7, order_id=1))]))
            await until(lambda: leader.bus.waiting == 2)
            leader.bus.let_in({CommandKind.CANCEL_ORDER, CommandKind.CLOSE_GATEWAY_GAP})
            leader.work()
            (canceled,) = await cancel  # whose events come before the word that the order was not taken
            assert isinstance(canceled.events[0], OrderCanceled)
            with pytest.raises(BusyError):
                await waiting
            assert front.end.waiting == 0

    run(test())


def test_missing_events_are_read_from_the_log(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            front = it.front(1, gap_s=0.05, quiet_s=0.3)
            front.end.start()
            await front.end.request([order(qty=1)])
            carrier.spoils = lambda topic, body: topic == it.topics.executions  # the events of 2 are lost
            lost = asyncio.create_task(front.end.request([order(qty=2)]))
            await until(lambda: it.leader.exchange.head_seq == 2)
            await until(lambda: it.leader.end.known_through == 2)
            carrier.spoils = lambda topic, body: False
            await front.end.request([order(qty=3)])  # they are missing now
            assert quantities(await lost) == [2]
            carrier.spoils = lambda topic, body: topic == it.topics.executions
            assert quantities(await front.end.request([order(qty=4)])) == [4]  # nothing comes after these
            assert quantities(front.heard.blocks) == [1, 2, 3, 4]
            assert front.end.incoming is not None
            assert front.end.incoming.read > 0

    run(test())


def test_events_too_large_for_a_message_are_read_from_the_log(
    carrier: Carrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            front = it.front(1, quiet_s=30)
            front.end.start()
            await front.end.request([order(qty=1)])
            monkeypatch.setattr(messages, "MAX_MESSAGE_BYTES", 300)
            assert quantities(await front.end.request([order(qty=2)])) == [2]

    run(test())


def test_a_stale_leaders_events_are_refused(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            await _history(it, [1, 2])
            it.lead().start()  # epoch 2
            front = it.front(1)
            front.end.start(2, 1)
            await front.end.request([order(qty=3)])
            stale = encode_events(EventRun.of([block(3, epoch=1), block(4, epoch=1)]))
            ahead = encode_events(EventRun.of([block(5, epoch=1)]))
            for body in (stale, ahead):
                carrier.take(it.topics.executions, body, headers_of(body))
            await until(lambda: front.end.incoming is not None and front.end.incoming.stale == 2)
            assert quantities(await front.end.request([order(qty=4), order(qty=5)])) == [4, 5]
            assert quantities(front.heard.blocks) == [3, 4, 5]

    run(test())


def test_a_gateway_whose_history_turns_out_to_be_another_stops(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            front = it.front(1)
            front.end.start()
            await front.end.request([order(qty=1)])
            other = encode_events(EventRun.of([block(1, epoch=7)]))
            carrier.take(it.topics.executions, other, headers_of(other))
            await until(lambda: front.end.stopped is not None)
            with pytest.raises(StoppedError, match="epoch 7 has command 1"):
                await front.end.request([order(qty=2)])

    run(test())


async def _history(it: Set, numbers: list[int]) -> None:
    """An exchange that has run before, and was killed before the carrier heard of it."""
    leader = it.lead()
    leader.exchange.recover()
    leader.work()
    await leader.bus.request([order(qty=number) for number in numbers])
    await leader.stop(kill=True)


@pytest.mark.parametrize(("known", "again"), [(None, [(1, 3)]), (1, [(2, 3)]), (3, [])])
def test_a_new_leader_sends_again_what_the_carrier_may_lack(
    carrier: Carrier, tmp_path: Path, known: int | None, again: list[tuple[int, int]]
) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            await _history(it, [1, 2, 3])
            it.lead().start(known)
            await it.leader.bus.request([order(qty=4)])
            await until(lambda: it.leader.end.known_through == 4)
            runs = [decode(body) for topic, body in carrier.log if topic == it.topics.executions]
            assert sorted((run.first_seq, run.last_seq) for run in runs) == [*again, (4, 4)]

    run(test())


def test_garbage_on_the_topics_is_acknowledged_and_harms_nobody(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            front = it.front(1)
            front.end.start()
            await front.end.request([order(qty=1)])
            good = next(body for topic, body in carrier.log if topic == it.topics.orders)
            for body in (b"", b"hello", good[:-1], good[:60] + b"\xff" + good[61:]):
                for topic in (it.topics.orders, it.topics.executions):
                    carrier.take(topic, body, {})
            await until(lambda: (it.leader.end.refused, front.end.refused) == (4, 4))
            assert quantities(await front.end.request([order(qty=2)])) == [2]
            await until(lambda: it.unacknowledged() == 0)

    run(test())


def test_another_venues_messages_are_left_alone(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            front = it.front(1)
            front.end.start()
            body = encode_commands(CommandMessage(2, 1, 9, 1, commands_of(99), {}))
            carrier.take(it.topics.orders, body, headers_of(body))
            assert quantities(await front.end.request([order(qty=1)])) == [1]
            await until(lambda: it.unacknowledged() == 0)
            assert it.leader.cursors.of(1) == Cursor(1, 2)

    run(test())


def test_nothing_is_acknowledged_before_it_is_durable_and_out(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            front = it.front(1)
            front.end.start()
            sender = it.leader.sender
            sender.is_dead = True  # the carrier does not get the events
            waiting = asyncio.create_task(front.end.request([order(qty=1)]))
            await until(lambda: it.leader.exchange.head_seq == 1)
            await until(lambda: it.leader.end.repeated > 0)  # it comes again meanwhile
            assert it.unacknowledged() >= 1
            assert it.leader.end.known_through == 0
            await it.leader.stop(kill=True)
            it.lead().start()
            assert quantities(await waiting) == [1]
            await until(lambda: it.unacknowledged() == 0)
            assert len(it.taken) == 1

    run(test())


def test_requests_that_come_together_travel_together(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            front = it.front(1)
            front.end.start()
            await asyncio.gather(
                *[front.end.request([order(f"주문-{number}", qty=number)]) for number in range(1, 101)]
            )
            assert front.end.outgoing is not None
            assert front.end.outgoing.sent == 1
            assert [record.text for record in it.taken] == [f"주문-{number}" for number in range(1, 101)]
            assert [tuple(record.origin) for record in it.taken] == [(1, 1, number) for number in range(1, 101)]

    run(test())


def test_what_can_never_be_sent_is_refused_and_costs_nothing(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead().start()
            front = it.front(1, capacity=100_000)
            front.end.start()
            with pytest.raises(ValueError, match="tabs"):
                await front.end.request([order("a\tb")])
            with pytest.raises(ValueError, match="bytes"):
                await front.end.request_records(commands_of(1) * 20_000)
            with pytest.raises(ValueError, match="112"):
                await front.end.request_records(b"x")
            assert front.end.waiting == 0
            assert quantities(await front.end.request([order(qty=1)])) == [1]

    run(test())


def test_cursors_are_the_same_from_a_state_as_from_the_events(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead(settings=ExchangeEndSettings(gap_s=0.05)).start()
            for gateway, epoch, first in ((1, 1, 1), (2, 4, 3), (1, 2, 1)):
                send(carrier, it.topics, gateway=gateway, epoch=epoch, first=first, numbers=[1, 2])
            await until(lambda: it.leader.cursors.all() == {1: Cursor(2, 3), 2: Cursor(4, 5)})

    run(test())
    journal = SegmentJournal.open_for_reading(tmp_path)
    whole_view, first, rest = GatewayCursors(), GatewayCursors(), GatewayCursors()
    blocks = list(journal.read_events())
    whole_view.listen(blocks)
    first.listen(blocks[:2])
    rest.take_up(first.state())
    rest.listen(blocks[2:])
    assert whole_view.all() == rest.all() == {1: Cursor(2, 3), 2: Cursor(4, 5)}
    journal.close()


def test_client_ids_differ_between_epochs(carrier: Carrier, tmp_path: Path) -> None:
    async def test() -> None:
        async with whole(carrier, tmp_path) as it:
            it.lead()
            ends: list[GatewayEnd] = [it.front(1, epoch).end for epoch in (1, 2)]
            ids = [end.client_id() for end in ends for _ in range(3)]
            assert len(set(ids)) == 6

    run(test())
