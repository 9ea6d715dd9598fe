"""Canceled and filled orders leave no memory behind, wherever in the queue they stood."""

from __future__ import annotations

import gc
import os
import random
import tracemalloc

from onseju.contract.commands import CancelOrder, Command, CorrectOrder, encode_command, sequence
from onseju.contract.words import OrderType, Side, TimeInForce
from onseju.matching.orders import Order
from onseju.matching.queues import OrderQueue
from onseju.matching.reference import ReferenceEngine
from tests.properties.driver import Driver
from tests.unit.matching.venue import BUYER, ONE, buy, sell, venue

COME_AND_GO = int(os.environ.get("ONSEJU_COME_AND_GO", "5000"))
"""How many orders come and go. A million pass just as well, and take some minutes."""


def make_order(number: int, priority: int) -> Order:
    return Order(
        order_id=number,
        account=1,
        instrument=1,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        qty=1,
        limit_price=100,
        priority=priority,
        client_id=bytes(16),
        leaves_qty=1,
    )


def test_a_queue_gives_its_orders_best_first_whatever_left_it() -> None:
    rng = random.Random(7)
    queue, there = OrderQueue(), dict[int, tuple[int, Order]]()
    for number in range(3_000):
        if there and rng.random() < 0.45:
            queue.discard(there.pop(rng.choice(list(there)))[1])
        else:
            order = make_order(number, number)
            key = rng.randint(-5, 5)
            queue.push(key, order)
            there[number] = (key, order)
        expected = sorted(there.values(), key=lambda item: (item[0], item[1].priority))
        assert queue.first() is (expected[0][1] if expected else None)
        assert len(queue) == len(there)
        if number % 100 == 0:
            assert queue.in_order() == [order for _, order in expected]
    assert queue.entry_count <= 2 * len(queue) + 33


def test_an_order_that_comes_back_stands_where_its_new_stamp_says() -> None:
    queue = OrderQueue()
    first, second = make_order(1, 1), make_order(2, 2)
    queue.push(0, first)
    queue.push(0, second)
    queue.discard(first)
    first.priority = 3
    queue.push(0, first)
    assert queue.in_order() == [second, first]
    assert queue.first() is second


def test_a_queue_whose_worst_orders_come_and_go_stays_small() -> None:
    """The top never moves, so nothing is popped: only the clean-up keeps the heap small."""
    queue = OrderQueue()
    queue.push(0, make_order(1, 1))
    for number in range(2, COME_AND_GO):
        order = make_order(number, number)
        queue.push(9, order)
        queue.discard(order)
        assert queue.entry_count <= 40
    assert queue.in_order()[0].order_id == 1


def come_and_go(engine: ReferenceEngine, seq: int, order_id: int, count: int) -> tuple[int, int]:
    """Orders that rest far from the market and are canceled, that are filled, that are corrected and canceled."""

    def do(command: Command) -> None:
        nonlocal seq
        seq += 1
        engine.apply(sequence(encode_command(command), seq, seq))

    for number in range(count):
        order_id += 1
        if number % 3 == 0:
            do(buy(1, 1 + number % 50))
            do(CancelOrder(account=BUYER, order_id=order_id))
        elif number % 3 == 1:
            do(buy(1, 1))
            do(CorrectOrder(account=BUYER, order_id=order_id, flags=1, limit_price=2 + number % 50))
            do(CancelOrder(account=BUYER, order_id=order_id))
        else:
            do(sell(2, 100))
            do(buy(2, 100))
            order_id += 1
    return seq, order_id


def test_orders_that_come_and_go_leave_nothing() -> None:
    driver: Driver = venue()
    driver.do(buy(1, 99))
    driver.do(sell(1, 101))
    engine = driver.engine
    seq, order_id = come_and_go(engine, driver.seq, engine.state.last_order_id, 300)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        come_and_go(engine, seq, order_id, COME_AND_GO)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    state = engine.state
    assert state.orders.keys() == {1, 2}
    assert engine.account(BUYER).orders.keys() == {1}
    book = state.instruments[ONE - 1].book
    for side in (book.buys, book.sells):
        assert len(side.levels) == 1
        assert side.limits.entry_count <= 40
        assert side.markets.entry_count == 0
    assert grown < 40_000, f"{grown} bytes more after {COME_AND_GO} orders"
    engine.check_invariants()
