"""Approval keys and the bounds per address, on a clock that the test sets."""

from __future__ import annotations

import pytest

from onseju.kis import approvals as module
from onseju.kis.approvals import LIFETIME_S, Approvals
from onseju.kis.bounds import ADDRESSES_MAX, Bucket, Guest, Guests, Limits, neighbourhood


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guest(clock: Clock) -> Guest:
    return Guests(Limits(), clock).of("192.0.2.1")


def approvals(clock: Clock, *, burst: float = 10, per_guest: int = 100) -> Approvals:
    return Approvals(clock, per_s=1, burst=burst, per_guest=per_guest)


def test_a_new_key_supersedes_the_one_before(clock: Clock, guest: Guest) -> None:
    keys = approvals(clock)
    first = keys.issue("app", "secret", guest)
    second = keys.issue("app", "secret", guest)
    assert first is not None
    assert second is not None
    assert len(first) == 36
    assert keys.owner_of(first) is None
    assert keys.owner_of(second) is not None


def test_pairs_have_keys_of_their_own(clock: Clock, guest: Guest) -> None:
    keys = approvals(clock)
    issued = [keys.issue(*pair, guest) for pair in (("app", "secret"), ("apps", "ecret"), ("app", "other"))]
    owners = [keys.owner_of(key) for key in issued if key is not None]
    assert len({id(owner) for owner in owners}) == 3
    pages = [keys.issue_anonymous(guest), keys.issue_anonymous(guest)]
    assert keys.owner_of(pages[0]) is not keys.owner_of(pages[1])


def test_a_key_dies_after_24_hours(clock: Clock, guest: Guest) -> None:
    keys = approvals(clock)
    key = keys.issue_anonymous(guest)
    clock.now += LIFETIME_S - 1
    assert keys.owner_of(key) is not None
    clock.now += 1
    assert keys.owner_of(key) is None
    assert keys.owner_of("") is None


def test_one_pair_asks_so_often_and_no_oftener(clock: Clock, guest: Guest) -> None:
    keys = approvals(clock, burst=2)
    assert [keys.issue("app", "secret", guest) is not None for _ in range(3)] == [True, True, False]
    assert keys.issue("other", "secret", guest) is not None
    clock.now += 1
    assert [keys.issue("app", "secret", guest) is not None for _ in range(2)] == [True, False]


def test_an_address_pushes_out_only_its_own_keys(clock: Clock) -> None:
    keys = approvals(clock, per_guest=3)
    guests = Guests(Limits(), clock)
    mine = keys.issue_anonymous(guests.of("192.0.2.1"))
    flood = [keys.issue_anonymous(guests.of("192.0.2.2")) for _ in range(10)]
    assert keys.owner_of(mine) is not None
    assert [keys.owner_of(key) is not None for key in flood] == [False] * 7 + [True] * 3


def test_there_is_an_end_to_all_keys_together(clock: Clock, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEYS_MAX", 5)
    keys = approvals(clock)
    issued = [keys.issue_anonymous(guest) for _ in range(8)]
    assert [keys.owner_of(key) is not None for key in issued] == [False] * 3 + [True] * 5


def test_neither_pair_nor_its_hash_key_is_kept(clock: Clock, guest: Guest) -> None:
    keys = approvals(clock)
    keys.issue("PSappkeyPS", "verysecret", guest)
    kept = repr(vars(keys)) + repr(guest)
    assert "PSappkeyPS" not in kept
    assert "verysecret" not in kept


def test_a_bucket_refills(clock: Clock) -> None:
    bucket = Bucket(rate=2, burst=3, now=clock.now)
    assert [bucket.take(clock.now) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(clock.now + 0.5)
    assert not bucket.take(clock.now + 0.5)
    assert not bucket.take(clock.now)  # a clock that steps back gives nothing
    assert [bucket.take(clock.now + 60) for _ in range(4)] == [True, True, True, False]


def test_a_bucket_on_credit_tells_the_wait(clock: Clock) -> None:
    bucket = Bucket(rate=10, burst=1, now=clock.now)
    assert [round(bucket.owe(clock.now), 6) for _ in range(3)] == [0, 0.1, 0.2]
    assert round(bucket.owe(clock.now + 0.2), 6) == 0.1


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(address: str, name: str) -> None:
    assert neighbourhood(address) == name


def test_connections_are_bounded_per_address_and_in_all(clock: Clock) -> None:
    guests = Guests(Limits(connections=2, connections_in_all=3), clock)
    one, other, third = (guests.of(f"192.0.2.{number}") for number in (1, 2, 3))
    assert [guests.enter(one), guests.enter(one), guests.enter(one)] == [True, True, False]
    assert [guests.enter(other), guests.enter(third)] == [True, False]
    guests.leave(one)
    assert guests.enter(third)


def test_idle_addresses_are_forgotten_and_busy_ones_are_not(clock: Clock) -> None:
    guests = Guests(Limits(), clock)
    busy = guests.of("10.0.0.1")
    guests.enter(busy)
    idle = guests.of("10.0.0.2")
    for number in range(ADDRESSES_MAX):
        guests.of(f"host{number}")
    assert guests.of("10.0.0.1") is busy
    assert guests.of("10.0.0.2") is not idle
