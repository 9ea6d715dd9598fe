"""A bot's own orders, told twice and in any order."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from onseju.bots.own_orders import REMEMBERED, OwnOrders


def order(
    order_id: int = 1, *, seq: int, leaves: int = 100, status: str = "new", price: int | None = 70_000
) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "symbol": "005930",
        "side": "buy",
        "limit_price": price,
        "leaves_qty": leaves,
        "status": status,
        "seq": seq,
    }


def fill(order_id: int = 1, *, seq: int, leaves: int) -> dict[str, Any]:
    status = "partially_filled" if leaves else "filled"
    return {
        "order_id": order_id,
        "symbol": "005930",
        "price": 69_000,
        "leaves_qty": leaves,
        "status": status,
        "seq": seq,
    }


def state(own: OwnOrders) -> list[tuple[int, int, int]]:
    return [(one.order_id, one.price, one.leaves_qty) for one in own.of("005930")]


def test_an_order_lives_from_acceptance_to_its_last_fill() -> None:
    own = OwnOrders()
    own.take_order(order(seq=5))
    own.take_fill(fill(seq=6, leaves=40))
    assert state(own) == [(1, 70_000, 40)]
    own.take_order(order(seq=7, leaves=40, price=69_900))
    assert state(own) == [(1, 69_900, 40)]
    own.take_fill(fill(seq=8, leaves=0))
    assert own.count() == 0


def test_an_answer_that_comes_after_the_streams_later_news_changes_nothing() -> None:
    own = OwnOrders()
    own.take_order(order(seq=5))
    own.take_fill(fill(seq=9, leaves=10))
    own.take_order(order(seq=5))
    assert state(own) == [(1, 70_000, 10)]


def test_however_the_words_of_its_end_are_mixed_a_filled_order_stays_away() -> None:
    words = [order(seq=5), order(seq=5), fill(seq=6, leaves=30), fill(seq=7, leaves=0)]
    for mixed in permutations(words):
        own = OwnOrders()
        for word in mixed:
            own.take_fill(word) if "price" in word else own.take_order(word)
        assert own.count() == 0


def test_canceled_expired_and_unpriced_orders_do_not_stand() -> None:
    own = OwnOrders()
    own.take_order(order(1, seq=1))
    own.take_order(order(1, seq=2, status="canceled", leaves=0))
    own.take_order(order(2, seq=3, status="expired", leaves=0))
    own.take_order(order(3, seq=4, price=None))
    assert state(own) == []


def test_after_a_cancel_of_all_late_words_bring_nothing_back() -> None:
    own = OwnOrders()
    own.take_order(order(1, seq=1))
    own.take_order(order(2, seq=2))
    own.forget()
    own.take_order(order(2, seq=2))
    assert own.count() == 0
    own.take_order(order(3, seq=9))
    assert state(own) == [(3, 70_000, 100)]


def test_memory_of_ended_orders_is_bounded() -> None:
    own = OwnOrders()
    for number in range(1, REMEMBERED + 100):
        own.take_order(order(number, seq=number))
        own.drop("005930", number)
    own.take_order(order(REMEMBERED + 99, seq=1))
    assert own.count() == 0
    assert len(own._ended) == REMEMBERED
