"""Which client order ids a block's text carries, and how long the exchange remembers them."""

from __future__ import annotations

import pytest

from onseju.contract.commands import (
    CancelOrder,
    Command,
    ListInstrument,
    OpenVenue,
    RollDay,
    encode_command,
)
from onseju.contract.events import (
    Event,
    InstrumentListed,
    OrderAccepted,
    OrderCanceled,
    OrderCorrected,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    RequestRejected,
    RequestRepeated,
    Trade,
    VenueOpened,
    encode_event,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import OrderStatus
from onseju.exchange.annotations import Annotations
from tests.contract.samples import new_order

OPEN, PART, FILLED = OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED


def order_event(cls: type[OrderEvent], order_id: int, status: OrderStatus) -> Event:
    return cls(
        seq=1, ts=1, idx=0, instrument=3, order_id=order_id, qty=1, side=1, order_type=1, time_in_force=1, status=status
    )


def filled(order_id: int, status: OrderStatus) -> Event:
    numbers = dict.fromkeys(
        ("trade_id", "price", "qty", "leaves_qty", "filled_qty", "canceled_qty", "filled_amount"), 1
    )
    return OrderFilled(seq=1, ts=1, idx=0, order_id=order_id, **numbers, side=1, liquidity=1, status=status)


def annotate(annotations: Annotations, command: Command, text: str, *events: Event) -> dict[int, str]:
    """The block's annotations, by the way that readers go."""
    payload = b"".join(encode_event(event) for event in events)
    block_text = annotations.annotate(encode_command(command), text, payload)
    block = EventBlock(
        venue=1, epoch=1, semantics=1, seq=1, ts=1, command_kind=command.kind, payload=payload, text=block_text
    )
    return block.annotations


def resting(*order_ids: int) -> Annotations:
    annotations = Annotations()
    for order_id in order_ids:
        annotate(annotations, new_order(), f"id-{order_id}", order_event(OrderAccepted, order_id, OPEN))
    return annotations


def test_a_new_order_is_annotated_and_remembered() -> None:
    annotations = Annotations()
    assert annotate(annotations, new_order(), "mine", order_event(OrderAccepted, 5, OPEN)) == {5: "mine"}
    assert len(annotations) == 1


def test_a_fill_long_after_carries_the_id_of_both_sides() -> None:
    annotations = resting(1, 2, 3)
    trade = Trade(seq=1, ts=1, idx=0, trade_id=1, price=1, qty=1, buy_order_id=9, sell_order_id=2)
    events = [order_event(OrderAccepted, 9, OPEN), trade, filled(2, PART), filled(9, FILLED)]
    assert annotate(annotations, new_order(), "taker", *events) == {2: "id-2", 9: "taker"}
    assert len(annotations) == 3, "the taker is done, the makers are not"


@pytest.mark.parametrize("cls", [OrderCanceled, OrderExpired, OrderCorrected, OrderTriggered])
@pytest.mark.parametrize("status", list(OrderStatus))
def test_an_order_is_forgotten_when_it_is_done(cls: type[OrderEvent], status: OrderStatus) -> None:
    annotations = resting(1, 2)
    assert annotate(annotations, RollDay(trading_day=1), "", order_event(cls, 1, status)) == {1: "id-1"}
    assert len(annotations) == (2 if status.is_open else 1)


@pytest.mark.parametrize("status", list(OrderStatus))
def test_a_fill_that_ends_an_order_forgets_it(status: OrderStatus) -> None:
    annotations = resting(1, 2)
    assert annotate(annotations, new_order(), "", filled(1, status)) == {1: "id-1"}
    assert len(annotations) == (2 if status.is_open else 1)


def test_a_refused_order_is_annotated_and_not_remembered() -> None:
    annotations = Annotations()
    event = order_event(OrderRejected, 4, OrderStatus.REJECTED)
    assert annotate(annotations, new_order(), "no", event) == {4: "no"}
    assert len(annotations) == 0


def test_several_fills_of_one_order_give_one_line() -> None:
    annotations = resting(1)
    assert annotate(annotations, new_order(), "", filled(1, PART), filled(1, PART), filled(1, FILLED)) == {1: "id-1"}
    assert len(annotations) == 0


def test_a_repeated_order_gives_nothing() -> None:
    annotations = resting(1)
    repeated = RequestRepeated(seq=1, ts=1, idx=0, original_seq=1, command_kind=1)
    assert annotate(annotations, new_order(), "id-1", repeated) == {}
    assert len(annotations) == 1


def test_a_refused_cancel_does_not_tell_the_id_of_the_order_it_named() -> None:
    annotations = resting(1)
    rejected = RequestRejected(seq=1, ts=1, idx=0, order_id=1, command_kind=2)
    assert annotate(annotations, CancelOrder(order_id=1), "cancel-1", rejected) == {}


def test_orders_without_text_cost_nothing() -> None:
    annotations = Annotations()
    assert annotate(annotations, new_order(), "", order_event(OrderAccepted, 1, OPEN)) == {}
    assert len(annotations) == 0


def test_a_listing_carries_the_name() -> None:
    fields = dict.fromkeys(InstrumentListed.__struct_fields__[9:], 0)
    listed = InstrumentListed(seq=1, ts=1, idx=0, instrument=12, symbol=b"005930", **fields)
    command = ListInstrument(symbol=b"005930", base_price=70_000)
    assert annotate(Annotations(), command, "삼성전자", listed) == {12: "삼성전자"}
    assert annotate(Annotations(), command, "삼성전자", RequestRejected(seq=1, ts=1, idx=0)) == {}


def test_a_venue_that_opens_has_its_currency() -> None:
    opened = VenueOpened(seq=1, ts=1, idx=0, price_scale=2, trading_day=20261123)
    command = OpenVenue(price_scale=2, trading_day=20261123)
    assert annotate(Annotations(), command, "USD", opened) == {0: "USD"}
    assert annotate(Annotations(), command, "", opened) == {}
    assert annotate(Annotations(), command, "USD", RequestRejected(seq=1, ts=1, idx=0)) == {}
