"""The queue positions against the reference engine's own order of precedence, on random commands."""

from __future__ import annotations

import random
import time

import pytest

from onseju import listeners
from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CancelOrder,
    Command,
    CorrectOrder,
    DepositCash,
    DepositShares,
    ListInstrument,
    NewOrder,
    OpenAccount,
    SetRule,
    encode_command,
    sequence,
)
from onseju.contract.events import OrderAccepted, encode_event
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import MarketRemainder, OrderStatus, OrderType, Phase, Rule, Side, TimeInForce
from onseju.market.queues import QueuePositions
from onseju.rules import packs
from tests.engines import EngineName, make_engine, name_under_test
from tests.unit.market.live import LiveMarket

ACCOUNTS = (1, 2, 3)


@pytest.fixture(scope="module", autouse=True)
def tested_on(engine: EngineName) -> EngineName:
    """The native engine goes with the core's queues, the reference with plain ones."""
    return engine


class Market:
    def __init__(self) -> None:
        self.engine = make_engine()
        self.queues = listeners.best(name_under_test()).queues()
        self.seq = 0
        for request in packs.commands("plain", 20261123):
            self.send(request.command)
        self.send(ListInstrument(symbol=b"A", base_price=100))
        for account in ACCOUNTS:
            self.send(OpenAccount(account=account))
            self.send(DepositCash(account=account, amount=10**12))
            self.send(DepositShares(account=account, instrument=1, qty=10**6))

    def send(self, command: Command) -> None:
        self.seq += 1
        payload = self.engine.apply(sequence(encode_command(command), self.seq, self.seq))
        block = EventBlock(
            venue=1, epoch=1, semantics=1, seq=self.seq, ts=self.seq, command_kind=command.kind, payload=payload
        )
        self.queues.listen([block])

    def expected(self, account: int) -> dict[int, tuple[int, int]]:
        """Shares ahead and open, by order, as the engine's own queues have it."""
        book = self.engine.state.instruments[0].book
        places = {}
        for side in (book.buys, book.sells):
            ahead: dict[int, int] = {}
            for order in side.limits.in_order():
                if order.account == account:
                    places[order.order_id] = (ahead.get(order.limit_price, 0), order.leaves_qty)
                ahead[order.limit_price] = ahead.get(order.limit_price, 0) + order.leaves_qty
        return places


def test_places_agree_with_the_engine() -> None:
    draw = random.Random(7)
    market = Market()
    checked = 0
    for _ in range(2500):
        account = draw.choice(ACCOUNTS)
        live = [order for order in market.engine.state.orders.values() if order.account == account]
        kind = draw.random()
        if kind < 0.6 or not live:
            market.send(
                NewOrder(
                    account=account,
                    instrument=1,
                    qty=draw.randint(1, 9),
                    limit_price=draw.randint(97, 103),
                    side=draw.choice((Side.BUY, Side.SELL)),
                    order_type=OrderType.LIMIT,
                    time_in_force=draw.choice((TimeInForce.DAY, TimeInForce.DAY, TimeInForce.IOC)),
                )
            )
        elif kind < 0.75:
            order = draw.choice(live)
            market.send(CancelOrder(account=account, order_id=order.order_id, qty=draw.choice((0, 1))))
        else:
            order = draw.choice(live)
            flags = draw.choice((CORRECT_LEAVES_QTY, CORRECT_LIMIT_PRICE, CORRECT_LEAVES_QTY | CORRECT_LIMIT_PRICE))
            market.send(
                CorrectOrder(
                    account=account,
                    order_id=order.order_id,
                    flags=flags,
                    leaves_qty=draw.randint(0, 9),
                    limit_price=draw.randint(97, 103),
                )
            )
        for number in ACCOUNTS:
            expected = market.expected(number)
            got = {place.order_id: (place.ahead_qty, place.leaves_qty) for place in market.queues.positions(number)}
            assert got == expected
            checked += len(expected)
    assert checked > 10_000


def test_a_position_is_its_owners_alone() -> None:
    market = Market()
    market.send(NewOrder(account=1, instrument=1, qty=5, limit_price=99, side=Side.BUY, order_type=OrderType.LIMIT))
    market.send(NewOrder(account=2, instrument=1, qty=3, limit_price=99, side=Side.BUY, order_type=OrderType.LIMIT))
    place = market.queues.position(2, 2)
    assert place is not None
    assert (place.ahead_qty, place.ahead_orders, place.leaves_qty, place.level_qty) == (5, 1, 3, 8)
    assert market.queues.position(1, 2) is None
    assert market.queues.position(1, 99) is None


def test_nothing_stays_of_orders_that_are_done() -> None:
    market = Market()
    market.send(NewOrder(account=1, instrument=1, qty=5, limit_price=99, side=Side.BUY, order_type=OrderType.LIMIT))
    market.send(NewOrder(account=2, instrument=1, qty=5, limit_price=99, side=Side.SELL, order_type=OrderType.LIMIT))
    assert market.queues.positions(1) == market.queues.positions(2) == []
    kept = market.queues.state()
    assert (kept["entries"], kept["shown"]) == ([], [])
    if isinstance(market.queues, QueuePositions):
        assert not market.queues._queues
        assert not market.queues._by_account


def test_many_orders_at_one_price_are_told_in_one_walk() -> None:
    queues = listeners.best(name_under_test()).queues()
    orders = 20_000
    events = b"".join(
        encode_event(
            OrderAccepted(
                seq=1,
                ts=1,
                idx=idx,
                account=1 + idx % 2,
                instrument=1,
                order_id=idx + 1,
                qty=3,
                leaves_qty=3,
                limit_price=70_000,
                side=Side.BUY,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.DAY,
                status=OrderStatus.NEW,
            )
        )
        for idx in range(orders)
    )
    queues.listen([EventBlock(venue=1, epoch=1, semantics=1, seq=1, ts=1, command_kind=17, payload=events)])
    began = time.process_time()
    found = queues.positions(2)
    assert time.process_time() - began < 2, "one walk takes milliseconds; a walk for each order takes half a minute"
    assert [(place.order_id, place.ahead_qty, place.ahead_orders) for place in found] == [
        (2 + 2 * n, 3 * (2 * n + 1), 2 * n + 1) for n in range(orders // 2)
    ]
    assert {place.level_qty for place in found} == {3 * orders}


def test_floating_market_orders_stand_before_limit_orders_at_their_price() -> None:
    """KRX BR 22(2)1; at the lowest price of all a market ask cannot stand a tick better than a limit ask."""
    live = LiveMarket("plain")
    live.do(SetRule(rule=Rule.MARKET_REMAINDER, value=MarketRemainder.FLOAT))
    limit = live.order(Side.SELL, 5, 1)
    market = live.order(Side.SELL, 3, account=3)
    first, second = live.queues.position(3, market), live.queues.position(2, limit)
    assert first is not None
    assert second is not None
    assert (first.ahead_qty, first.leaves_qty, first.level_qty) == (0, 3, 8)
    assert (second.ahead_qty, second.ahead_orders, second.level_qty) == (3, 1, 8)


def test_a_stop_order_has_a_place_once_it_woke_and_a_midpoint_order_never() -> None:
    """KRX rules 3.8, 3.9: its time is the moment at which it woke."""
    live = LiveMarket()
    stop = live.order(Side.BUY, 5, 98_600, type_=OrderType.STOP_LIMIT, stop_price=98_600)
    ahead = live.order(Side.BUY, 4, 98_600, account=4)
    assert live.queues.position(2, stop) is None
    live.order(Side.SELL, 9, 98_700, account=3)
    midpoint = live.order(Side.BUY, 1, type_=OrderType.MIDPOINT)
    assert live.queues.position(2, midpoint) is None
    live.order(Side.SELL, 1, 98_600, account=3)
    first, woken = live.queues.position(4, ahead), live.queues.position(2, stop)
    assert first is not None
    assert woken is not None
    assert (first.ahead_qty, woken.ahead_qty, woken.leaves_qty) == (0, first.leaves_qty, 5)


def test_a_conditional_order_leaves_its_price_for_the_closing_auction() -> None:
    """KRX ER 15: it queues as a market order then, behind those that were there."""
    live = LiveMarket()
    waiting = live.order(Side.SELL, 2, account=3)
    conditional = live.order(Side.SELL, 7, 99_000, type_=OrderType.CONDITIONAL_LIMIT)
    place = live.queues.position(2, conditional)
    assert place is not None
    assert (place.ahead_qty, place.level_qty) == (0, 7)
    live.phase(Phase.CLOSING_AUCTION)
    before, place = live.queues.position(3, waiting), live.queues.position(2, conditional)
    assert before is not None
    assert place is not None
    assert (before.ahead_qty, place.ahead_qty, place.ahead_orders, place.level_qty) == (0, 2, 1, 9)
