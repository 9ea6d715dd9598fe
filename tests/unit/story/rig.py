"""A venue whose orders have stories: the reference engine, its events as the log, and those who listen to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import pytest

from onseju.contract.commands import ChangePhase, Command, ListInstrument, SetRule, Uncross, encode_command, sequence
from onseju.contract.events import Event, OrderEvent, OrderFilled, decode_events
from onseju.contract.journal_records import EventBlock
from onseju.contract.views import OrderView, average, order_view, timestamp
from onseju.contract.words import OrderStatus, Phase, Rule
from onseju.journal.port import Journal
from onseju.market.market import Market
from onseju.market.queues import QueuePositions
from onseju.matching.orders import Order
from onseju.rules import packs
from onseju.rules.packs import RulesName
from onseju.story import landmarks, reading, stories, tale
from onseju.story.moment import limits_of, moment_of
from onseju.story.places import Place
from onseju.story.stories import Asked, Stories, StoryView
from tests.engines import make_engine
from tests.properties.driver import DAY, SECOND

ONE = 1


class Log:
    """The event log in memory."""

    def __init__(self) -> None:
        self.blocks: list[EventBlock] = []
        self.read_count = 0

    def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
        for block in self.blocks[after_seq:]:
            self.read_count += 1
            yield block


@dataclass
class Rig:
    """One instrument, as many accounts as are opened. Each command is a second later."""

    rules: RulesName = "krx"
    base_price: int = 10_000
    engine: Any = field(default_factory=make_engine)
    log: Log = field(default_factory=Log)
    market: Market = field(default_factory=lambda: Market("test"))
    queues: QueuePositions = field(default_factory=QueuePositions)
    views: dict[int, OrderView] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stories = Stories(cast("Journal", self.log))
        krx = self.rules == "krx"
        for request in packs.commands(self.rules, DAY):
            self.do(request.command)
        self.do(
            ListInstrument(
                symbol=b"ONE",
                base_price=self.base_price,
                limit_ppm=packs.KRX_LIMIT_PPM if krx else 0,
                tick_table=packs.KRX_STOCKS_TABLE if krx else packs.PLAIN_TABLE,
            )
        )

    def do(self, command: Command) -> list[Event]:
        """Apply one command; gives its events."""
        seq = len(self.log.blocks) + 1
        payload = self.engine.apply(sequence(encode_command(command), seq, seq * SECOND))
        block = EventBlock(
            venue=1, epoch=1, semantics=1, seq=seq, ts=seq * SECOND, command_kind=command.kind, payload=payload
        )
        self.log.blocks.append(block)
        self.market.listen([block])
        self.queues.listen([block])
        self.stories.listen([block])
        events = list(decode_events(payload))
        for event in events:
            self._read(event)
        return events

    def order(self, command: Command) -> int:
        """Enter an order; gives its id."""
        event = self.do(command)[0]
        assert isinstance(event, OrderEvent), event
        return event.order_id

    def rule(self, **values: int) -> None:
        """Set rules by name."""
        for name, value in values.items():
            self.do(SetRule(rule=Rule.parse(name), value=value))

    def phase(self, phase: Phase, occurrence: int = 0) -> None:
        """Move to a phase; an auction that collected is uncrossed first."""
        if self.engine.state.instruments[0].phase.is_auction and not phase.is_auction:
            self.do(Uncross(instrument=ONE))
        day = self.engine.state.trading_day
        self.do(ChangePhase(instrument=ONE, trading_day=day, phase=phase, occurrence=occurrence))

    def story(self, order_id: int, language: str = "en", phase_until: int | None = None) -> StoryView:
        """The order's story now."""
        return asyncio.run(self.telling(order_id, language, phase_until))

    async def telling(self, order_id: int, language: str = "en", phase_until: int | None = None) -> StoryView:
        """The order's story now, for a test with an event loop of its own."""
        view = self.views[order_id]
        found = self.queues.position(view.account_id, order_id)
        place = None
        if found is not None:
            place = Place(ahead_qty=found.ahead_qty, ahead_orders=found.ahead_orders, level_qty=found.level_qty)
        instrument = self.market.directory.by_symbol(view.symbol)
        asked = Asked(
            order=view,
            instrument=0 if instrument is None else instrument.id,
            seq=len(self.log.blocks),
            ts=len(self.log.blocks) * SECOND,
            moment=moment_of(self.market, instrument, place, phase_until),
            limits=limits_of(self.market.directory, instrument),
        )
        return await self.stories.tell(asked, language)

    def place(self, order_id: int) -> Place | None:
        """Where the engine itself has the order among the limit orders of its price."""
        order = self.engine.state.orders.get(order_id)
        if order is None or not order.has_own_price:
            return None
        level = [other for other in self._limit_orders(order) if other.limit_price == order.limit_price]
        ahead = level[: level.index(order)]
        return Place(
            ahead_qty=sum(other.leaves_qty for other in ahead),
            ahead_orders=len(ahead),
            level_qty=sum(other.leaves_qty for other in level),
        )

    def _limit_orders(self, order: Order) -> list[Order]:
        instrument = self.engine.state.instruments[order.instrument - 1]
        return instrument.book.side(order.side).limits.in_order()

    def _read(self, event: Event) -> None:
        if isinstance(event, OrderEvent):
            self.views[event.order_id] = order_view(event, {}, self.market.directory.symbol_of)
        elif isinstance(event, OrderFilled):
            self.views[event.order_id] = msgspec.structs.replace(
                self.views[event.order_id],
                leaves_qty=event.leaves_qty,
                filled_qty=event.filled_qty,
                canceled_qty=event.canceled_qty,
                filled_amount=event.filled_amount,
                avg_fill_price=average(event.filled_amount, event.filled_qty),
                status=OrderStatus(event.status).label,
                seq=event.seq,
                ts=timestamp(event.ts),
            )


def small_pages(monkeypatch: pytest.MonkeyPatch, commands: int = 8, most: int = 10_000) -> None:
    """Pages of few commands, so that short streams have many of them."""
    for module in (landmarks, reading, stories, tale):
        monkeypatch.setattr(module, "PAGE", commands)
    for name in ("MAX_PAGES", "MAX_CHANGE_PAGES", "MAX_RULES", "MAX_S", "LOOK_BACK"):
        monkeypatch.setattr(reading, name, most)


def codes(story: StoryView) -> list[str]:
    """What happened, by code."""
    return [happening.code for happening in story.happenings]
