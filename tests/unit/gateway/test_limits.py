"""Token buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onseju.gateway.limits import Limits, Quota, address_key, limit_headers


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limits(clock: Clock, rate: float = 2, burst: int = 10, max_buckets: int = 100) -> Limits:
    return Limits({"order": Quota(rate, burst), "query": Quota(1, 1)}, max_buckets=max_buckets, clock=clock)


def test_a_burst_then_the_rate(clock: Clock) -> None:
    bucket = limits(clock)
    assert [bucket.spend("order", 1).allowed for _ in range(11)] == [True] * 10 + [False]
    refused = bucket.spend("order", 1)
    assert (refused.remaining, refused.retry_in_s, refused.full_in_s) == (0, 0.5, 5.0)
    clock.now += 0.5
    assert bucket.spend("order", 1).allowed
    assert not bucket.spend("order", 1).allowed
    clock.now += 100
    assert bucket.spend("order", 1).remaining == 9


def test_callers_and_groups_do_not_share(clock: Clock) -> None:
    bucket = limits(clock)
    assert bucket.spend("query", "a").allowed
    assert not bucket.spend("query", "a").allowed
    assert bucket.spend("query", "b").allowed
    assert bucket.spend("order", "a").allowed
    assert not bucket.may("query", "a")
    assert bucket.may("query", "c")


def test_what_is_refused_costs_nothing(clock: Clock) -> None:
    bucket = limits(clock)
    bucket.spend("order", 1, 8)
    assert not bucket.spend("order", 1, 3).allowed
    assert bucket.spend("order", 1, 2).allowed


def test_more_than_a_bucket_holds_passes_when_it_is_full_and_is_paid_off(clock: Clock) -> None:
    bucket = limits(clock)
    assert bucket.spend("order", 1, 30).allowed
    clock.now += 10
    assert not bucket.spend("order", 1).allowed
    clock.now += 0.5
    assert bucket.spend("order", 1).allowed
    assert not bucket.spend("order", 1, 30).allowed


def test_the_number_of_buckets_is_bounded_and_full_ones_are_not_kept(clock: Clock) -> None:
    bucket = limits(clock, max_buckets=3)
    for who in range(1000):
        bucket.spend("order", who)
    assert len(bucket) == 3
    assert bucket.spend("order", 999).remaining == 8
    assert bucket.spend("order", 0).remaining == 9


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 12)), max_size=40))
def test_never_more_than_the_burst_and_the_rate(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    bucket = limits(clock, rate=2, burst=12)
    began, spent = clock.now, 0
    for wait, units in steps:
        clock.now += wait
        if bucket.spend("order", 1, units).allowed:
            spent += units
        assert spent <= 12 + 2 * (clock.now - began) + 1e-3


def test_headers_tell_the_bucket(clock: Clock) -> None:
    headers = dict(limit_headers(limits(clock).spend("order", 1, 4)))
    assert headers[b"ratelimit-policy"] == b'"order";q=10;w=5'
    assert headers[b"ratelimit"] == b'"order";r=6;t=2'
    assert (headers[b"x-ratelimit-limit"], headers[b"x-ratelimit-remaining"]) == (b"10", b"6")
    assert int(headers[b"x-ratelimit-reset"]) > 1_700_000_000


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not an address", "not an address"),
        ("", ""),
    ],
)
def test_an_ipv6_network_is_one_caller(address: str, key: str) -> None:
    assert address_key(address) == key
