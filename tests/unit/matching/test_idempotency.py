"""A command takes effect at most once under its client id, on its trading day and the next."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CancelAll,
    CancelOrder,
    Command,
    CorrectOrder,
    DepositCash,
    RollDay,
    SetRule,
)
from onseju.contract.events import (
    AllCanceled,
    BalanceChanged,
    OrderAccepted,
    OrderCanceled,
    OrderCorrected,
    OrderRejected,
    RequestRejected,
    RequestRepeated,
)
from onseju.contract.reasons import Reason
from onseju.contract.words import Rule
from tests.properties.driver import DAY, Driver
from tests.unit.matching.venue import BUYER, SELLER, buy, sell, venue

ID, OTHER_ID, NO_ID = b"\x01" * 16, b"\x02" * 16, bytes(16)
BODY, OTHER_BODY = b"\x0a" * 16, b"\x0b" * 16


def repeat(driver: Driver, command: Command) -> RequestRepeated:
    """The answer to a repeat, which must be all that happens."""
    order_id, orders = driver.engine.state.last_order_id, terms(driver)
    events = driver.do(command)
    assert len(events) == 1
    assert isinstance(events[0], RequestRepeated)
    assert driver.engine.state.last_order_id == order_id
    assert terms(driver) == orders
    return events[0]


def terms(driver: Driver) -> dict[int, dict[str, Any]]:
    """The open orders by what they are: a look into the native engine shows other objects each time."""
    return {order_id: asdict(order) for order_id, order in driver.engine.state.orders.items()}


def test_the_same_body_is_pointed_to_the_first_answer() -> None:
    driver = venue()
    driver.do(buy(10, 100, client_id=ID, body_hash=BODY))
    first_seq = driver.seq
    for _ in range(2):
        again = repeat(driver, buy(10, 100, client_id=ID, body_hash=BODY))
        assert (again.reason, again.original_seq, again.client_id) == (Reason.NONE, first_seq, ID)


def test_another_body_is_refused() -> None:
    driver = venue()
    driver.do(buy(10, 100, client_id=ID, body_hash=BODY))
    first_seq = driver.seq
    again = repeat(driver, buy(11, 100, client_id=ID, body_hash=OTHER_BODY))
    assert (again.reason, again.original_seq) == (Reason.CLIENT_ORDER_ID_REUSED, first_seq)


def test_bodies_are_told_apart_by_the_half_of_their_hash_that_is_kept() -> None:
    driver = venue()
    driver.do(buy(10, 100, client_id=ID, body_hash=bytes(16)))
    for bit in range(128):
        again = repeat(driver, buy(10, 100, client_id=ID, body_hash=(1 << bit).to_bytes(16, "little")))
        assert again.reason == (Reason.CLIENT_ORDER_ID_REUSED if bit < 64 else Reason.NONE)


def test_every_bit_of_an_id_counts() -> None:
    driver = venue()
    driver.do(buy(1, 100, client_id=ID, body_hash=BODY))
    number = int.from_bytes(ID, "little")
    for bit in range(128):
        driver.first(buy(1, 100, client_id=(number ^ 1 << bit).to_bytes(16, "little"), body_hash=BODY), OrderAccepted)


def test_a_refusal_uses_the_id_up() -> None:
    driver = venue()
    driver.first(buy(0, 100, client_id=ID, body_hash=BODY), OrderRejected)
    assert repeat(driver, buy(0, 100, client_id=ID, body_hash=BODY)).reason == Reason.NONE
    driver.first(CancelOrder(account=BUYER, order_id=99, client_id=OTHER_ID), RequestRejected)
    assert repeat(driver, CancelOrder(account=BUYER, order_id=99, client_id=OTHER_ID)).reason == Reason.NONE


def test_one_name_space_for_an_accounts_requests_and_one_for_each_account() -> None:
    driver = venue()
    driver.do(buy(10, 100, client_id=ID, body_hash=BODY))
    again = repeat(driver, CancelOrder(account=BUYER, order_id=1, client_id=ID, body_hash=OTHER_BODY))
    assert again.reason == Reason.CLIENT_ORDER_ID_REUSED
    driver.first(sell(10, 101, client_id=ID, body_hash=BODY), OrderAccepted)


def test_a_deposit_counts_once() -> None:
    driver = venue(cash=5)
    command = DepositCash(account=BUYER, amount=10, client_id=ID, body_hash=BODY)
    driver.first(command, BalanceChanged)
    repeat(driver, command)
    assert driver.engine.account(BUYER).cash == 15


def test_without_an_id_nothing_is_protected() -> None:
    driver = venue()
    ids: list[Any] = [driver.first(buy(1, 100), OrderAccepted).order_id for _ in range(2)]
    assert ids == [1, 2]
    assert not driver.engine.state.repeats.today


@pytest.mark.parametrize(("rolls", "is_free"), [(0, False), (1, False), (2, True)])
def test_an_id_is_kept_for_its_day_and_the_next(rolls: int, is_free: bool) -> None:
    driver = venue()
    driver.do(sell(10, 100, client_id=ID, body_hash=BODY))
    for roll in range(rolls):
        driver.do(RollDay(trading_day=DAY + 1 + roll))
    event = driver.do(sell(10, 100, client_id=ID, body_hash=BODY))[0]
    assert isinstance(event, OrderAccepted if is_free else RequestRepeated)
    assert driver.engine.account(SELLER).available_shares(1) in (10**6, 10**6 - 10)


def test_rolling_forgets_ids_for_good() -> None:
    driver = venue()
    for number in range(100):
        driver.do(sell(1, 100, client_id=number.to_bytes(16, "big")))
    for roll in range(2):
        driver.do(RollDay(trading_day=DAY + 1 + roll))
    assert not driver.engine.state.repeats.today
    assert not driver.engine.state.repeats.yesterday


# How many ids an account may use on a day


def number(n: int) -> bytes:
    return n.to_bytes(16, "little")


def bounded(most: int, **given: Any) -> Driver:
    driver = venue(**given)
    driver.do(SetRule(rule=Rule.MAX_CLIENT_IDS, value=most))
    return driver


def correction(order_id: int, leaves_qty: int, client_id: bytes) -> CorrectOrder:
    return CorrectOrder(
        account=BUYER, order_id=order_id, flags=CORRECT_LEAVES_QTY, leaves_qty=leaves_qty, client_id=client_id
    )


def test_an_order_and_a_correction_beyond_the_bound_are_refused() -> None:
    driver = bounded(3)
    accepted = [driver.first(buy(10, 100, client_id=number(n)), OrderAccepted).order_id for n in (1, 2)]
    driver.first(correction(accepted[0], 9, number(3)), OrderCorrected)
    refused = driver.first(buy(10, 100, client_id=number(4)), OrderRejected)
    assert (refused.reason, refused.client_id) == (Reason.TOO_MANY_CLIENT_IDS, number(4))
    assert refused.order_id == accepted[1] + 1
    answer = driver.first(correction(accepted[0], 8, number(5)), RequestRejected)
    assert (answer.reason, answer.order_id, answer.client_id) == (Reason.TOO_MANY_CLIENT_IDS, accepted[0], number(5))
    assert driver.engine.state.orders[accepted[0]].leaves_qty == 9


def test_a_refusal_for_the_bound_uses_no_id_up_and_a_repeat_is_answered_still() -> None:
    driver = bounded(1)
    driver.first(buy(10, 100, client_id=ID, body_hash=BODY), OrderAccepted)
    before = driver.engine.snapshot()
    for _ in range(2):  # not a repeat of the refused one
        assert driver.first(buy(10, 100, client_id=OTHER_ID), OrderRejected).reason == Reason.TOO_MANY_CLIENT_IDS
    assert repeat(driver, buy(10, 100, client_id=ID, body_hash=BODY)).reason == Reason.NONE
    assert repeat(driver, buy(11, 100, client_id=ID, body_hash=OTHER_BODY)).reason == Reason.CLIENT_ORDER_ID_REUSED
    assert len(driver.engine.snapshot()) == len(before)  # no record more
    driver.do(SetRule(rule=Rule.MAX_CLIENT_IDS, value=2))
    driver.first(buy(10, 100, client_id=OTHER_ID), OrderAccepted)


def test_cancels_may_use_twice_as_many_ids_and_go_on_without_one() -> None:
    driver = bounded(1)
    orders = [driver.first(buy(1, 100, client_id=client), OrderAccepted).order_id for client in (ID, NO_ID, NO_ID)]
    driver.first(CancelOrder(account=BUYER, order_id=orders[0], client_id=OTHER_ID), OrderCanceled)
    for cancel in (
        CancelOrder(account=BUYER, order_id=orders[1], client_id=number(7)),
        CancelAll(account=BUYER, client_id=number(7)),
    ):
        assert driver.first(cancel, RequestRejected).reason == Reason.TOO_MANY_CLIENT_IDS
    driver.first(CancelOrder(account=BUYER, order_id=orders[1]), OrderCanceled)
    (answer,) = driver.only(CancelAll(account=BUYER), AllCanceled)
    assert answer.order_count == 1


def test_an_operators_commands_are_not_bounded() -> None:
    driver = bounded(1, cash=0)
    for n in range(1, 5):
        driver.first(DepositCash(account=BUYER, amount=10, client_id=number(n)), BalanceChanged)
    assert driver.engine.account(BUYER).cash == 40


def test_each_account_has_its_own_count_and_each_day_a_new_one() -> None:
    driver = bounded(1)
    driver.first(buy(1, 100, client_id=ID), OrderAccepted)
    driver.first(sell(1, 101, client_id=ID), OrderAccepted)
    assert driver.first(sell(1, 101, client_id=OTHER_ID), OrderRejected).account == SELLER
    driver.do(RollDay(trading_day=DAY + 1))
    driver.first(buy(1, 100, client_id=OTHER_ID), OrderAccepted)
    assert driver.first(buy(1, 100, client_id=number(9)), OrderRejected).reason == Reason.TOO_MANY_CLIENT_IDS


def test_a_bound_counts_the_ids_of_before_it_and_those_in_a_snapshot() -> None:
    driver = venue()
    for n in (1, 2):
        driver.first(buy(1, 100, client_id=number(n)), OrderAccepted)
    engine = type(driver.engine).restore(driver.engine.snapshot())
    driver.engine = engine
    driver.do(SetRule(rule=Rule.MAX_CLIENT_IDS, value=3))
    driver.first(buy(1, 100, client_id=number(3)), OrderAccepted)
    assert driver.first(buy(1, 100, client_id=number(4)), OrderRejected).reason == Reason.TOO_MANY_CLIENT_IDS
    driver.do(SetRule(rule=Rule.MAX_CLIENT_IDS, value=0))
    driver.first(buy(1, 100, client_id=number(4)), OrderAccepted)


@pytest.mark.parametrize(("value", "instrument"), [(-1, 0), (2**62 + 1, 0), (5, 1)])
def test_the_bound_is_a_number_of_the_whole_venue(value: int, instrument: int) -> None:
    driver = venue()
    command = SetRule(rule=Rule.MAX_CLIENT_IDS, value=value, instrument=instrument)
    assert driver.first(command, RequestRejected).reason == Reason.INVALID_COMMAND
    driver.do(SetRule(rule=Rule.MAX_CLIENT_IDS, value=2**62))
    driver.first(CancelAll(account=BUYER, client_id=ID), AllCanceled)
