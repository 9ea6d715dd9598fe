"""The queue positions against the reference engine's own order of precedence, on random commands."""

from __future__ import annotations

import random
import time

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
    encode_command,
    sequence,
)
from onseju.contract.events import OrderAccepted, encode_event
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import OrderStatus, OrderType, Side, TimeInForce
from onseju.market.queues import QueuePositions
from onseju.matching.reference import ReferenceEngine
from onseju.rules import packs

ACCOUNTS = (1, 2, 3)


class Market:
    def __init__(self) -> None:
        self.engine = ReferenceEngine()
        self.queues = QueuePositions()
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
    assert not market.queues._places
    assert not market.queues._levels
    assert not market.queues._by_account


def test_many_orders_at_one_price_are_told_in_one_walk() -> None:
    queues = QueuePositions()
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
