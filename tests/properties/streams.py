"""Random command streams: what a busy and partly malicious crowd might ask."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from onseju.contract.commands import (
    CancelAll,
    CancelOrder,
    ChangePhase,
    Command,
    CorrectOrder,
    DepositCash,
    DepositShares,
    Halt,
    NewOrder,
    OpenAccount,
    Resume,
    RollDay,
    SetRule,
    Uncross,
    WithdrawCash,
)
from onseju.contract.words import OrderType, Rule
from tests.properties.driver import DAY

ACCOUNTS = (2, 3, 4)
INSTRUMENTS = (1, 2)
WILD = st.sampled_from([-(2**63), -1, 0, 2**53, 2**62, 2**62 + 1, 2**63 - 1])

accounts = st.sampled_from((*ACCOUNTS, *ACCOUNTS, *ACCOUNTS, 9))
instruments = st.sampled_from((*INSTRUMENTS, *INSTRUMENTS, *INSTRUMENTS, 99))
sides = st.sampled_from((1, 2, 1, 2, 1, 2, 0, 7))
order_types = st.sampled_from((1, 1, 1, 1, 1, 2, 2, *OrderType, 0, 200))
stop_prices = {
    "plain": st.one_of(st.just(0), st.integers(95, 105), WILD),
    "krx": st.one_of(st.just(0), st.integers(980, 990).map(lambda n: n * 100), WILD),
}
times_in_force = st.sampled_from((1, 1, 1, 1, 2, 3, 0, 9))
quantities = st.one_of(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), WILD)
prices = {
    "plain": st.one_of(st.integers(95, 105), st.integers(95, 105), st.integers(95, 105), WILD),
    # Around 삼성전자's and SK하이닉스's base prices: mostly on the grid, some off it, some outside the limits.
    "krx": st.one_of(
        st.integers(980, 990).map(lambda n: n * 100),
        st.integers(543, 547).map(lambda n: n * 1000),
        st.sampled_from([98_550, 128_000, 128_100, 68_900, 69_000, 708_000, 709_000]),
        WILD,
    ),
}
order_ids = st.one_of(st.integers(1, 40), st.integers(0, 500))
client_ids = st.one_of(st.just(bytes(16)), st.just(bytes(16)), st.integers(1, 12).map(lambda n: bytes([n]) * 16))
bodies = st.integers(0, 2).map(lambda n: bytes([n]) * 16)


def _build(cls: type[Command], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Command]:
    return st.builds(cls, **fields)


def sound_orders(rules: str) -> st.SearchStrategy[Command]:
    """Orders of every type, in the form that the type asks for; the market may refuse them still."""
    base, tick, spread = (98_500, 100, 6) if rules == "krx" else (100, 1, 5)
    price = st.integers(-spread, spread).map(lambda n: base + n * tick)
    anyone = {
        "account": st.sampled_from(ACCOUNTS),
        "instrument": st.just(1),
        "qty": st.integers(1, 30),
        "side": st.sampled_from((1, 2)),
    }
    at_once = st.sampled_from((1, 1, 1, 2, 3))
    stops = (OrderType.STOP_LIMIT,) if rules == "krx" else (OrderType.STOP_LIMIT, OrderType.STOP)
    strategies = [
        _build(NewOrder, **anyone, limit_price=price, order_type=st.just(OrderType.LIMIT), time_in_force=at_once),
        _build(NewOrder, **anyone, order_type=st.just(OrderType.MARKET), time_in_force=at_once),
    ]
    for stop in stops:
        limit = price if stop is OrderType.STOP_LIMIT else st.just(0)
        strategies.append(_build(NewOrder, **anyone, limit_price=limit, stop_price=price, order_type=st.just(stop)))
    if rules == "krx":
        strategies += [
            _build(NewOrder, **anyone, limit_price=price, order_type=st.just(OrderType.CONDITIONAL_LIMIT)),
            _build(
                NewOrder,
                **anyone,
                order_type=st.sampled_from((OrderType.BEST_OPPOSITE, OrderType.MIDPOINT)),
                time_in_force=at_once,
            ),
            _build(NewOrder, **anyone, order_type=st.sampled_from((OrderType.BEST_SAME, OrderType.MIDPOINT))),
        ]
    return st.one_of(*strategies)


def session_commands() -> st.SearchStrategy[Command]:
    """What moves instruments through a day: phases, auctions, halts."""
    return st.one_of(
        _build(
            ChangePhase,
            instrument=st.sampled_from((0, 1)),
            trading_day=st.just(DAY),
            phase=st.sampled_from((2, 3, 3, 3, 4, 5, 9, 8, 6)),
            occurrence=st.integers(0, 60),
        ),
        _build(Uncross, instrument=st.sampled_from((0, 1))),
        _build(Uncross, instrument=st.just(1)),
        _build(Halt, instrument=st.sampled_from((0, 1)), stage=st.sampled_from((0, 0, 1, 2))),
        _build(Resume, instrument=st.just(0), phase=st.sampled_from((3, 9, 9, 2))),
    )


def commands(rules: str) -> st.SearchStrategy[Command]:
    """One command for a venue under these rules; most are orders."""
    price = prices[rules]
    asked = {"client_id": client_ids, "body_hash": bodies}
    new = _build(
        NewOrder,
        account=accounts,
        instrument=instruments,
        qty=quantities,
        limit_price=price,
        stop_price=stop_prices[rules],
        side=sides,
        order_type=order_types,
        time_in_force=times_in_force,
        **asked,
    )
    sound = _build(
        NewOrder,
        account=st.sampled_from(ACCOUNTS),
        instrument=st.sampled_from(INSTRUMENTS),
        qty=st.integers(1, 30),
        limit_price=price,
        side=st.sampled_from((1, 2)),
        order_type=st.just(1),
        time_in_force=st.sampled_from((1, 1, 1, 1, 2, 3)),
    )
    market = _build(
        NewOrder,
        account=st.sampled_from(ACCOUNTS),
        instrument=st.sampled_from(INSTRUMENTS),
        qty=st.integers(1, 60),
        side=st.sampled_from((1, 2)),
        order_type=st.just(2),
        time_in_force=st.sampled_from((1, 1, 2, 3)),
    )
    cancel = _build(
        CancelOrder,
        account=st.sampled_from(ACCOUNTS),
        order_id=order_ids,
        qty=st.one_of(st.just(0), quantities),
        **asked,
    )
    correct = _build(
        CorrectOrder,
        account=st.sampled_from(ACCOUNTS),
        order_id=order_ids,
        flags=st.sampled_from((1, 2, 3, 4, 4, 5, 6, 7, 17, 21, 20, 16, 0, 8, 9, 18, 24, 64)),
        limit_price=price,
        leaves_qty=st.one_of(st.integers(0, 40), WILD),
        part_qty=st.one_of(st.integers(1, 10), WILD),
        stop_price=stop_prices[rules],
        order_type=st.sampled_from((1, 2, 1, 2, 0, 3, 4, 5, 6, 7, 99)),
        **asked,
    )
    cancel_all = _build(
        CancelAll,
        account=accounts,
        instrument=st.sampled_from((0, 1, 2, 99)),
        side=st.sampled_from((0, 1, 2, 9)),
        **asked,
    )
    money = st.one_of(st.integers(1, 5_000_000), WILD)
    rare = st.one_of(
        _build(DepositCash, account=accounts, amount=money, **asked),
        _build(WithdrawCash, account=accounts, amount=money),
        _build(DepositShares, account=accounts, instrument=instruments, qty=money, cost_amount=money),
        _build(OpenAccount, account=st.sampled_from((0, 1, 2, 5)), owner=bodies, account_kind=st.integers(0, 4)),
        _build(
            SetRule,
            instrument=st.sampled_from((0, 1, 99)),
            rule=st.sampled_from((*Rule, 0, 99)),
            value=st.one_of(st.integers(0, 5), st.sampled_from((150, 2_000, 30_000, 510, 500_000)), WILD),
        ),
        _build(
            Halt,
            instrument=st.sampled_from((0, 1, 99)),
            stage=st.integers(0, 4),
            flags=st.sampled_from((0, 0, 1, 2, 9)),
        ),
        _build(Resume, instrument=st.sampled_from((0, 1, 99)), phase=st.sampled_from((3, 3, 3, 6, 7, 2))),
        _build(Resume, instrument=st.just(0)),
        _build(
            ChangePhase,
            instrument=st.sampled_from((0, 1, 2)),
            trading_day=st.just(DAY),
            phase=st.sampled_from((3, 3, 3, 6, 7, 2, 0)),
            occurrence=st.integers(0, 3),
        ),
        _build(RollDay, trading_day=st.integers(DAY - 1, DAY + 3)),
        _build(Uncross, instrument=st.sampled_from((0, 1, 99))),
    )
    every = sound_orders(rules)
    usual = [sound, sound, sound, every, every, every, every, market]
    return st.one_of(*usual, new, new, cancel, correct, correct, cancel_all, rare, session_commands())


def streams(rules: str, longest: int = 60) -> st.SearchStrategy[list[Command]]:
    """A stream of commands."""
    return st.lists(commands(rules), min_size=1, max_size=longest)
