"""The state hash sees every field of every live record, and is the same on every machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from onseju.contract.commands import CORRECT_LIMIT_PRICE, ChangePhase, CorrectOrder, SetRule, Uncross
from onseju.contract.words import Phase, Rule
from onseju.matching.accounts import Account, Position
from onseju.matching.instruments import Instrument
from onseju.matching.orders import Order
from onseju.matching.snapshot import SnapshotError
from onseju.matching.state import State
from onseju.rules.ticks import PriceLimits
from tests.engines import take_over
from tests.properties.driver import DAY, Driver
from tests.unit.matching.venue import BUYER, ONE, buy, sell, venue


def busy() -> Driver:
    """A venue with something of every kind."""
    driver = venue("krx", base_price=70_000, commission_ppm=150)
    driver.do(SetRule(rule=Rule.MAX_ORDER_QTY, value=1_000, instrument=ONE))
    driver.do(buy(10, 70_000, client_id=b"\1" * 16, body_hash=b"\2" * 16))
    driver.do(sell(4, 70_000))
    driver.do(sell(4, 70_100))
    return driver


PARTS: dict[str, tuple[type, Callable[[State], Any]]] = {
    "order": (Order, lambda state: state.orders[1]),
    "account": (Account, lambda state: state.accounts[BUYER]),
    "position": (Position, lambda state: state.accounts[BUYER].positions[ONE]),
    "instrument": (Instrument, lambda state: state.instruments[0]),
    "counters": (State, lambda state: state),
}
CONTAINERS = {"positions", "orders", "book", "bands", "rules", "accounts", "instruments", "repeats"}
"""Fields that hold records of their own (bands are the tick table's)."""


def another(value: Any) -> Any:
    """A value of the same kind that is not the same."""
    match value:
        case bool():
            return not value
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case PriceLimits():
            return PriceLimits(value.upper, value.lower + 1)
        case tuple():
            return (value[0], value[1] + 1)
        case set():
            return value | {(Phase.CLOSED, 3)}
    return value + 1


@pytest.mark.parametrize(
    ("part", "name"),
    [(part, field.name) for part, (cls, _) in PARTS.items() for field in fields(cls) if field.name not in CONTAINERS],
)
def test_every_field_counts(part: str, name: str) -> None:
    driver = busy()
    before = driver.engine.state_hash()
    record = PARTS[part][1](driver.engine.state)
    setattr(record, name, another(getattr(record, name)))
    try:
        take_over(driver.engine)
    except SnapshotError:
        return  # the native engine does not begin in a state that contradicts itself
    assert driver.engine.state_hash() != before


def test_rules_bands_and_client_ids_count() -> None:
    hashes = {busy().engine.state_hash()}
    contradictions = 0
    for change in (
        lambda state: state.rules.values.update({Rule.MAX_ORDER_QTY: 1}),
        lambda state: state.instruments[0].rules.update({Rule.MAX_ORDER_QTY: 1}),
        lambda state: state.rules.set_band(1, 0, 2),
        lambda state: state.repeats.today.clear(),
        lambda state: state.repeats.roll(),
        lambda state: state.orders.pop(1),
        lambda state: state.accounts[BUYER].positions.clear(),
    ):
        driver = busy()
        change(driver.engine.state)
        try:
            take_over(driver.engine)
        except SnapshotError:
            contradictions += 1  # the native engine does not begin in a state that contradicts itself
            continue
        hashes.add(driver.engine.state_hash())
    assert len(hashes) + contradictions == 8
    assert contradictions <= 3


def test_the_place_in_the_queue_counts() -> None:
    """Two books that look alike, with the same counters, but another order in front."""

    def there_and_back(order_id: int) -> int:
        driver = venue()
        driver.do(buy(10, 100))
        driver.do(buy(10, 100))
        for price in (99, 100):
            driver.do(CorrectOrder(account=BUYER, order_id=order_id, flags=CORRECT_LIMIT_PRICE, limit_price=price))
        return driver.engine.state_hash()

    assert there_and_back(1) != there_and_back(2)


def test_the_turns_of_a_pool_count() -> None:
    """What is left of an auction at a price limit decides who trades next."""
    hashes = set()
    for change in (
        lambda pool: None,
        lambda pool: pool.turns.reverse(),
        lambda pool: pool.turns.pop(),
        lambda pool: setattr(pool.turns[0], "qty", 1),
    ):
        driver = venue("krx", base_price=10_000, cash=10**9)
        driver.do(ChangePhase(trading_day=DAY, phase=Phase.OPENING_AUCTION))
        for qty in (500, 300):
            driver.do(buy(qty, 13_000))
        driver.do(sell(150, 12_000))
        driver.do(Uncross())
        pool = driver.engine.state.instruments[0].book.pool
        assert pool is not None
        change(pool)
        take_over(driver.engine)
        hashes.add(driver.engine.state_hash())
    assert len(hashes) == 4


def test_the_hash_of_a_known_state() -> None:
    """Other machines, and other implementations of this state machine, must come to the same number."""
    assert f"{busy().engine.state_hash():032x}" == "2df5fe7c78c5fa2a393eedd45f6af415"
