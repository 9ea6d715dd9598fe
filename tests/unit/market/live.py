"""The public side of a real engine: its events go to the market and the queues as the exchange publishes them."""

from __future__ import annotations

from typing import Any

import msgspec

from onseju import listeners
from onseju.contract.commands import ChangePhase, Command, CorrectOrder, NewOrder
from onseju.contract.events import Event
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import OrderType, Phase, Rule, Side
from onseju.market.directory import Instrument
from onseju.market.feeds import FeedReader
from onseju.market.market import Market
from onseju.rules.packs import RulesName
from tests.engines import name_under_test
from tests.properties.driver import DAY, SECOND, Driver

SYMBOL, BASE = "005930", 98_500


class LiveMarket(Driver):
    """A venue of the demo's instruments with three accounts; each command is published at once, or in a batch."""

    def __init__(self, rules: RulesName = "krx", cash: int = 10**12, shares: int = 10**6) -> None:
        super().__init__()
        forms = listeners.best(name_under_test())
        self.market = Market("j1", forms.digester)
        self.queues = forms.queues()
        self._waiting: list[EventBlock] = []
        self.in_batch = False
        self._occurrence = 0
        self.open(rules)
        for account in (2, 3, 4):
            self.account(account, cash=cash, shares={1: shares, 2: shares})

    def do(self, command: Command) -> list[Event]:
        events = super().do(command)
        self._waiting.append(
            EventBlock(
                venue=1,
                epoch=1,
                semantics=1,
                seq=self.seq,
                ts=self.seq * SECOND,
                command_kind=command.kind,
                payload=self.payloads[-1],
            )
        )
        if not self.in_batch:
            self.publish()
        return events

    def publish(self) -> None:
        """Publish what waits as one batch."""
        blocks, self._waiting = self._waiting, []
        self.market.listen(blocks)
        self.queues.listen(blocks)

    def phase(self, phase: Phase, instrument: int = 0) -> list[Event]:
        """Move to a phase, however often."""
        self._occurrence += 1
        trading_day = self.engine.state.trading_day or DAY
        return self.do(
            ChangePhase(instrument=instrument, trading_day=trading_day, phase=phase, occurrence=self._occurrence)
        )

    def order(
        self, side: Side, qty: int, price: int = 0, *, account: int = 2, type_: OrderType | None = None, **more: Any
    ) -> int:
        """Enter an order; gives its id. Without a type: limit with a price, else market."""
        order_type = type_ or (OrderType.LIMIT if price else OrderType.MARKET)
        command = NewOrder(
            account=account, instrument=1, side=side, qty=qty, limit_price=price, order_type=order_type, **more
        )
        events = self.do(command)
        order_id = getattr(events[0], "order_id", 0)
        assert isinstance(order_id, int)
        assert order_id
        return order_id

    def correct(self, order_id: int, **fields: Any) -> list[Event]:
        """Correct an order of account 2."""
        return self.do(CorrectOrder(account=2, order_id=order_id, **fields))

    @property
    def instrument(self) -> Instrument:
        """The first instrument, as the directory knows it."""
        found = self.market.directory.by_id(1)
        assert found is not None
        return found

    def rule(self, rule: Rule) -> int:
        return self.market.directory.rule(rule, 1)


def taken(reader: FeedReader) -> list[dict[str, Any]]:
    """All frames that a reader has now."""
    frames: list[dict[str, Any]] = []
    while bodies := reader.take(8):
        frames += [msgspec.json.decode(body) for body in bodies]
    return frames
