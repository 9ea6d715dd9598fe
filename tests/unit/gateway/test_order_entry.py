"""Order entry without a transport, on a real exchange: what each request is answered."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from onseju.app import Venue
from onseju.bus.port import BusyError, StoppedError
from onseju.contract.commands import Command, DepositCash, DepositShares, OpenAccount, Request
from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.gateway import order_batches, order_entry
from onseju.gateway.order_forms import (
    Cancel,
    CancelAll,
    Correct,
    NewOrder,
    decode,
    decode_item,
    split_batch,
)
from onseju.gateway.principal import Principal
from onseju.gateway.problems import Problem
from onseju.gateway.replies import Answer, CanceledOrders, OrderResult
from onseju.settings import Settings

SYMBOL = "005930"
PRICE = 98_500
GOOD: dict[str, Any] = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 10, "limit_price": PRICE}

ALICE, BOB = 7001, 7002


def trader(account: int) -> Principal:
    return Principal(user_id=account, account_id=account, scopes=frozenset({"trade"}), via="key")


@asynccontextmanager
async def open_venue(directory: Path) -> AsyncIterator[Venue]:
    """A venue with two accounts, 10 million won and 100 shares each, opened only once."""
    venue = Venue(Settings(data_dir=directory, bots=False, fsync=False))
    async with venue.running():
        if not (directory / "funded").exists():
            instrument = venue.market.directory.by_symbol(SYMBOL)
            assert instrument is not None
            for account in (ALICE, BOB):
                await send(
                    venue,
                    OpenAccount(account=account, owner=account.to_bytes(16, "little")),
                    DepositCash(account=account, amount=10_000_000),
                    DepositShares(account=account, instrument=instrument.id, qty=100, cost_amount=100),
                )
            (directory / "funded").touch()
        yield venue


async def send(venue: Venue, *commands: Command) -> None:
    blocks = await venue.bus.request([Request(command) for command in commands])
    assert not any(block.events[0].reason for block in blocks)


async def enter(venue: Venue, account: int, forms: Sequence[NewOrder | Problem]) -> list[Answer]:
    """A batch's answers, those that are JSON already as what they say."""
    return [
        answer
        if isinstance(answer, Answer)
        else Answer(status=201, body=msgspec.json.decode(answer[1], type=OrderResult), seq=answer[0])
        for answer in await order_batches.enter(venue.gateway, trader(account), forms)
    ]


def played(directory: Path, play: Callable[[Venue], Awaitable[None]]) -> None:
    """Run a coroutine on an open venue."""

    async def run() -> None:
        async with open_venue(directory) as venue:
            await play(venue)

    asyncio.run(run())


async def order(venue: Venue, account: int, **fields: Any) -> Answer:
    form = decode(msgspec.json.encode({**GOOD, **fields}), NewOrder)
    return await order_entry.new_order(venue.gateway, trader(account), form)


def decoded_batch(raw: bytes) -> list[NewOrder | Problem]:
    return [decode_item(item) for item in split_batch(raw)]


def result(answer: Answer) -> OrderResult:
    assert isinstance(answer.body, OrderResult), answer.body
    return answer.body


def refusal(answer: Answer) -> Problem:
    assert isinstance(answer.body, Problem), answer.body
    assert answer.status == answer.body.status
    return answer.body


def last_events(venue: Venue) -> Sequence[Any]:
    (block,) = venue.journal.read_events(venue.journal.last_event_seq - 1)
    return block.events


def test_an_order_is_answered_as_it_stands_after_matching(tmp_path: Path) -> None:
    async def play(venue: Venue) -> None:
        resting = await order(venue, ALICE, side="sell", qty=4, client_order_id="a-1")
        assert (resting.status, resting.replayed) == (201, False)
        view = result(resting)
        assert (view.status, view.leaves_qty, view.fills, view.client_order_id) == ("new", 4, [], "a-1")
        assert (view.account_id, view.symbol, view.seq) == (ALICE, SYMBOL, resting.seq)
        await order(venue, ALICE, side="sell", qty=3, limit_price=PRICE + 100)
        taking = result(await order(venue, BOB, qty=10, limit_price=PRICE + 100))
        assert [(fill.price, fill.qty, fill.liquidity) for fill in taking.fills] == [
            (PRICE, 4, "taker"),
            (PRICE + 100, 3, "taker"),
        ]
        assert (taking.status, taking.filled_qty, taking.leaves_qty) == ("partially_filled", 7, 3)
        assert taking.filled_amount == 4 * PRICE + 3 * (PRICE + 100)

    played(tmp_path, play)


def test_ioc_and_fok_never_rest(tmp_path: Path) -> None:
    async def play(venue: Venue) -> None:
        await order(venue, ALICE, side="sell", qty=4)
        killed = result(await order(venue, BOB, qty=5, time_in_force="fok"))
        assert (killed.status, killed.filled_qty, killed.canceled_qty, killed.fills) == ("canceled", 0, 5, [])
        partly = result(await order(venue, BOB, qty=5, time_in_force="ioc"))
        assert (partly.status, partly.filled_qty, partly.canceled_qty, partly.leaves_qty) == ("canceled", 4, 1, 0)
        assert [fill.qty for fill in partly.fills] == [4]

    played(tmp_path, play)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"qty": 200}, Reason.INSUFFICIENT_CASH),
        ({"side": "sell", "qty": 101}, Reason.INSUFFICIENT_SHARES),
        ({"limit_price": PRICE + 1}, Reason.PRICE_TICK),
        ({"limit_price": 2 * PRICE}, Reason.PRICE_LIMIT),
        ({"qty": 2**53 - 1}, Reason.AMOUNT_TOO_LARGE),
    ],
)
def test_a_rule_refusal_is_422_with_the_rejected_order(tmp_path: Path, changes: dict[str, Any], reason: Reason) -> None:
    async def play(venue: Venue) -> None:
        problem = refusal(await order(venue, ALICE, **changes))
        assert (problem.status, problem.reason) == (422, reason)
        assert (problem.order.status, problem.order.reject_reason) == ("rejected", reason.code)
        assert problem.order.order_id > 0
        assert len(last_events(venue)) == 1, "nothing was reserved"

    played(tmp_path, play)


def test_what_is_wrong_before_a_command_leaves_no_trace(tmp_path: Path) -> None:
    async def play(venue: Venue) -> None:
        head = venue.journal.last_seq
        nobody = Principal(user_id=0, account_id=0, scopes=frozenset({"trade"}), via="bootstrap")
        form = decode(msgspec.json.encode(GOOD), NewOrder)
        for asked, reason in (
            (order(venue, ALICE, symbol="999999"), Reason.UNKNOWN_SYMBOL),
            (order(venue, ALICE, symbol=""), Reason.UNKNOWN_SYMBOL),
            (order_entry.new_order(venue.gateway, nobody, form), Reason.FORBIDDEN),
            (order_entry.cancel(venue.gateway, trader(ALICE), 0, Cancel()), Reason.ORDER_NOT_FOUND),
            (order_entry.cancel(venue.gateway, trader(ALICE), 2**53, Cancel()), Reason.ORDER_NOT_FOUND),
            (order_entry.cancel_all(venue.gateway, trader(ALICE), CancelAll(symbol="x")), Reason.UNKNOWN_SYMBOL),
        ):
            with pytest.raises(Problem) as refused:
                await asked
            assert refused.value.reason is reason
        assert venue.journal.last_seq == head

    played(tmp_path, play)


@pytest.mark.parametrize(
    ("error", "reason"), [(BusyError(), Reason.OVERLOADED), (StoppedError(), Reason.EXCHANGE_STOPPED)]
)
def test_a_busy_or_stopped_exchange_is_503(tmp_path: Path, error: Exception, reason: Reason) -> None:
    class Refusing:
        async def request(self, requests: Sequence[Request]) -> list[EventBlock]:
            raise error

    async def play(venue: Venue) -> None:
        venue.gateway.commands = Refusing()
        with pytest.raises(Problem) as refused:
            await order(venue, ALICE)
        assert (refused.value.reason, refused.value.status) == (reason, 503)
        assert "Retry-After" in refused.value.headers

    played(tmp_path, play)


def test_corrections_and_cancels_are_answered_with_the_order(tmp_path: Path) -> None:
    async def play(venue: Venue) -> None:
        alice = trader(ALICE)
        number = result(await order(venue, ALICE)).order_id
        moved = await order_entry.correct(venue.gateway, alice, number, Correct(limit_price=PRICE - 100, leaves_qty=8))
        assert moved.status == 200
        view = result(moved)
        assert (view.order_id, view.limit_price, view.leaves_qty) == (number, PRICE - 100, 8)
        part = result(await order_entry.cancel(venue.gateway, alice, number, Cancel(qty=3)))
        assert (part.order_id, part.status, part.leaves_qty) == (number, "new", 5)
        split = result(await order_entry.correct(venue.gateway, alice, number, Correct(limit_price=PRICE, qty=2)))
        assert (split.parent_order_id, split.limit_price, split.leaves_qty) == (number, PRICE, 2)
        whole = await order_entry.cancel(venue.gateway, alice, number, Cancel())
        assert (whole.status, result(whole).status, result(whole).leaves_qty) == (200, "canceled", 0)
        everything = await order_entry.cancel_all(venue.gateway, alice, CancelAll())
        assert isinstance(everything.body, CanceledOrders)
        assert ([one.order_id for one in everything.body.canceled], everything.body.count) == ([split.order_id], 1)
        nothing = await order_entry.cancel_all(venue.gateway, alice, CancelAll(symbol=SYMBOL, side="buy"))
        assert (nothing.status, nothing.body) == (200, CanceledOrders([], 0))

    played(tmp_path, play)


def test_a_correction_that_trades_tells_its_fills(tmp_path: Path) -> None:
    async def play(venue: Venue) -> None:
        await order(venue, ALICE, side="sell", qty=4)
        number = result(await order(venue, BOB, limit_price=PRICE - 100, qty=6)).order_id
        moved = result(await order_entry.correct(venue.gateway, trader(BOB), number, Correct(limit_price=PRICE)))
        assert [(fill.qty, fill.price) for fill in moved.fills] == [(4, PRICE)]
        assert (moved.order_id, moved.status, moved.leaves_qty) == (number, "partially_filled", 2)

    played(tmp_path, play)


def test_anothers_order_is_as_good_as_none(tmp_path: Path) -> None:
    async def play(venue: Venue) -> None:
        opened = result(await order(venue, ALICE)).order_id
        done = result(await order(venue, ALICE, limit_price=PRICE - 100)).order_id
        assert result(await order_entry.cancel(venue.gateway, trader(ALICE), done, Cancel())).status == "canceled"
        never = done + 1000
        bob = trader(BOB)
        for number in (opened, done, never):
            for asked in (
                order_entry.cancel(venue.gateway, bob, number, Cancel()),
                order_entry.correct(venue.gateway, bob, number, Correct(leaves_qty=1)),
            ):
                answer = await asked
                problem = refusal(answer)
                assert (problem.status, problem.reason, problem.order) == (404, Reason.ORDER_NOT_FOUND, None)
        own = refusal(await order_entry.cancel(venue.gateway, trader(ALICE), done, Cancel()))
        assert (own.status, own.reason) == (409, Reason.ORDER_DONE)
        left = await order_entry.cancel_all(venue.gateway, trader(ALICE), CancelAll())
        assert isinstance(left.body, CanceledOrders)
        assert [one.order_id for one in left.body.canceled] == [opened]

    played(tmp_path, play)


def test_a_repeat_is_answered_from_the_event_log_also_after_a_restart(tmp_path: Path) -> None:
    first: list[Answer] = []

    async def enter(venue: Venue) -> None:
        await order(venue, BOB, side="sell", qty=4)
        first.append(await order(venue, ALICE, client_order_id="once"))
        first.append(await order(venue, ALICE, qty=10**6, client_order_id="refused"))
        await repeat(venue)

    async def repeat(venue: Venue) -> None:
        again = await order(venue, ALICE, client_order_id="once", time_in_force="day", stop_price=None)
        assert (again.status, again.replayed, again.body) == (200, True, first[0].body)
        assert again.seq > first[0].seq
        refused = await order(venue, ALICE, qty=10**6, client_order_id="refused")
        assert (refused.status, refused.replayed) == (422, True)
        assert refusal(refused).order == refusal(first[1]).order
        for changed in ({"qty": 11}, {"limit_price": PRICE + 100}, {"side": "sell"}, {"time_in_force": "ioc"}):
            problem = refusal(await order(venue, ALICE, client_order_id="once", **changed))
            assert (problem.status, problem.reason) == (409, Reason.CLIENT_ORDER_ID_REUSED)
        own = result(await order(venue, BOB, client_order_id="once", limit_price=PRICE - 5000, qty=1))
        assert own.account_id == BOB, "each account has ids of its own"
        await order_entry.cancel(venue.gateway, trader(BOB), own.order_id, Cancel())

    played(tmp_path, enter)

    async def after_restart(venue: Venue) -> None:
        again = await order(venue, ALICE, client_order_id="once")
        assert (again.status, again.replayed, again.body) == (200, True, first[0].body)
        problem = refusal(await order(venue, ALICE, client_order_id="once", qty=11))
        assert problem.reason is Reason.CLIENT_ORDER_ID_REUSED

    played(tmp_path, after_restart)


def test_cancels_and_corrections_share_the_clients_name_space(tmp_path: Path) -> None:
    async def play(venue: Venue) -> None:
        alice = trader(ALICE)
        number = result(await order(venue, ALICE, client_order_id="new")).order_id
        moved = await order_entry.correct(venue.gateway, alice, number, Correct(leaves_qty=5, client_order_id="move"))
        again = await order_entry.correct(venue.gateway, alice, number, Correct(leaves_qty=5, client_order_id="move"))
        assert (again.status, again.replayed, again.body) == (200, True, moved.body)
        assert result(moved).client_order_id == "new", "an order keeps the id it was entered under"
        canceled = await order_entry.cancel(venue.gateway, alice, number, Cancel(client_order_id="end"))
        again = await order_entry.cancel(venue.gateway, alice, number, Cancel(client_order_id="end"))
        assert (again.status, again.replayed, again.body) == (200, True, canceled.body)
        for reused in ("new", "move"):
            problem = refusal(await order_entry.cancel(venue.gateway, alice, number, Cancel(client_order_id=reused)))
            assert problem.reason is Reason.CLIENT_ORDER_ID_REUSED
        everything = await order_entry.cancel_all(venue.gateway, alice, CancelAll(client_order_id="all"))
        again = await order_entry.cancel_all(venue.gateway, alice, CancelAll(client_order_id="all"))
        assert (again.replayed, again.body) == (True, everything.body)

    played(tmp_path, play)


def test_a_batch_is_answered_item_by_item(tmp_path: Path) -> None:
    async def play(venue: Venue) -> None:
        head = venue.journal.last_seq
        items = [
            {**GOOD, "side": "sell", "qty": 2, "client_order_id": "b-1"},
            {**GOOD, "qty": 0},
            {**GOOD, "symbol": "999999"},
            {**GOOD, "qty": 1000},
            {**GOOD, "side": "sell", "qty": 2, "client_order_id": "b-1"},
            {**GOOD, "side": "sell", "qty": 3, "client_order_id": "b-1"},
            {**GOOD, "limit_price": PRICE - 100, "qty": 1},
        ]
        forms = decoded_batch(msgspec.json.encode({"orders": items}))
        answers = await enter(venue, ALICE, forms)
        assert [(answer.status, answer.replayed) for answer in answers] == [
            (201, False),
            (400, False),
            (404, False),
            (422, False),
            (200, True),
            (409, False),
            (201, False),
        ]
        assert answers[4].body == answers[0].body
        assert venue.journal.last_seq == head + 5, "form errors and unknown instruments make no command"
        only_bad = await enter(venue, ALICE, forms[1:2])
        assert [(answer.status, answer.seq) for answer in only_bad] == [(400, 0)]

    played(tmp_path, play)


def test_a_repeated_batch_is_read_in_one_go(tmp_path: Path) -> None:
    async def play(venue: Venue) -> None:
        orders = [{**GOOD, "qty": 1, "client_order_id": f"c-{number}"} for number in range(60)]
        forms = decoded_batch(msgspec.json.encode({"orders": orders}))
        first = await enter(venue, ALICE, forms)
        await enter(venue, BOB, forms * 2)
        again = await enter(venue, ALICE, forms[::7] + forms)
        assert all(answer.replayed for answer in again)
        assert [answer.body for answer in again] == [answer.body for answer in first[::7] + first]

    played(tmp_path, play)


def test_a_long_answer_leaves_the_event_loop_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_entry, "MANY_EVENTS", 20)
    threads: list[bool] = []
    answer_from = order_entry.answer_from

    def watched(*arguments: Any, **named: Any) -> Answer:
        threads.append(threading.current_thread() is threading.main_thread())
        return answer_from(*arguments, **named)

    monkeypatch.setattr(order_entry, "answer_from", watched)

    async def play(venue: Venue) -> None:
        numbers = [result(await order(venue, ALICE, qty=1)).order_id for _ in range(30)]
        everything = await order_entry.cancel_all(venue.gateway, trader(ALICE), CancelAll())
        assert isinstance(everything.body, CanceledOrders)
        assert [one.order_id for one in everything.body.canceled] == numbers
        assert all(one.status == "canceled" and one.leaves_qty == 0 for one in everything.body.canceled)

    played(tmp_path, play)
    assert threads == [True] * 30 + [False]


def test_long_work_gives_others_their_turn() -> None:
    async def play() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        async for _ in order_entry.in_turns(range(3)):
            end = time.monotonic() + 2 * order_entry.SLICE_S
            while time.monotonic() < end:  # work, not waiting
                pass
        task.cancel()
        return turns

    assert asyncio.run(play()) >= 2
