"""Order restored from numbers, with a bound."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from onseju.bus.ordering import Gap, Ordering, Verdict


def taken(ordering: Ordering[str], now_s: float = 0.0) -> list[tuple[int, int]]:
    return [(max(held.first, ordering.next_seq), held.last) for held in ordering.take(now_s)]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=30), st.randoms(use_true_random=False), st.integers(1, 3))
def test_every_number_comes_once_in_order_whatever_the_arrival(
    sizes: list[int], chance: random.Random, copies: int
) -> None:
    ordering: Ordering[str] = Ordering(1, max_items=1000, max_bytes=10**6)
    whole: list[tuple[int, int]] = []
    first = 1
    for size in sizes:
        whole.append((first, first + size - 1))
        first += size
    arrivals = whole * copies
    chance.shuffle(arrivals)
    found: list[int] = []
    for first, last in arrivals:
        ordering.offer(first, last, "", 10)
        for start, stop in taken(ordering):
            found += range(start, stop + 1)
    assert found == list(range(1, sum(sizes) + 1))
    assert (len(ordering), ordering.bytes, ordering.gap) == (0, 0, None)


def test_what_was_cut_otherwise_comes_without_what_was_taken() -> None:
    ordering: Ordering[str] = Ordering(5, max_items=10, max_bytes=100)
    assert ordering.offer(1, 4, "", 1) is Verdict.KNOWN
    assert ordering.offer(3, 7, "", 1) is Verdict.KEPT
    assert ordering.offer(6, 9, "", 1) is Verdict.KEPT
    assert taken(ordering) == [(5, 7), (8, 9)]


def test_a_longer_message_replaces_a_shorter_that_is_held() -> None:
    ordering: Ordering[str] = Ordering(1, max_items=10, max_bytes=100)
    ordering.offer(3, 4, "short", 1)
    assert ordering.offer(3, 6, "long", 2) is Verdict.KEPT
    assert ordering.offer(3, 5, "known", 1) is Verdict.KNOWN
    ordering.offer(1, 2, "", 1)
    assert taken(ordering) == [(1, 2), (3, 6)]


def test_the_farthest_are_let_go_and_what_is_next_never() -> None:
    ordering: Ordering[str] = Ordering(1, max_items=2, max_bytes=100)
    assert ordering.offer(5, 5, "", 10) is Verdict.KEPT
    assert ordering.offer(3, 3, "", 10) is Verdict.KEPT
    assert ordering.offer(9, 9, "", 10) is Verdict.NO_ROOM
    assert ordering.offer(2, 2, "", 10) is Verdict.KEPT  # and 5 goes
    assert ordering.offer(1, 1, "", 1000) is Verdict.KEPT  # all others go
    assert (len(ordering), ordering.bytes, ordering.let_go) == (1, 1000, 4)
    assert taken(ordering) == [(1, 1)]


def test_a_gap_is_as_old_as_what_is_missing() -> None:
    ordering: Ordering[str] = Ordering(1, max_items=10, max_bytes=100)
    ordering.offer(3, 3, "", 1)
    assert taken(ordering, 7.0) == []
    assert ordering.gap == Gap(1, 2, 7.0)
    ordering.offer(6, 6, "", 1)
    assert taken(ordering, 8.0) == []
    assert ordering.gap == Gap(1, 2, 7.0)
    ordering.offer(1, 2, "", 1)
    assert taken(ordering, 9.0) == [(1, 2), (3, 3)]
    assert ordering.gap == Gap(4, 5, 9.0)
    ordering.skip_to(6)
    assert taken(ordering, 10.0) == [(6, 6)]
    assert ordering.gap is None
