"""A venue with a crowd and one trader: what the trader knew from the public rows and books, asked, and then got.

The trader knows what the page does: `GET /v1/symbols`' row, the book's levels, the account. Where more would decide (whose
level it is, midpoint orders, which no level shows), no case is made.
"""

from __future__ import annotations

import random
from typing import Any, TypeVar

import msgspec

from onseju.contract import commands
from onseju.contract.commands import (
    CancelAll,
    ChangePhase,
    Command,
    CorrectOrder,
    Halt,
    NewOrder,
    Resume,
    SetRule,
    Uncross,
)
from onseju.contract.events import Event, OrderEvent, OrderFilled, OrderRejected, RequestRejected
from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.contract.words import AccountKind, OrderStatus, OrderType, Phase, Rule, Side, TimeInForce
from onseju.gateway.markets import instrument_view
from onseju.market.market import Market
from onseju.matching.instruments import Instrument
from onseju.matching.orders import BEST, SLEEPERS, WITH_LIMIT, Order
from onseju.rules.packs import RulesName
from tests.properties.driver import DAY, Driver

CROWD = (1, 2, 3)
ME = 9
VENUE = 99
INSTRUMENTS = (1, 9)
"""삼성전자, and 카카오게임즈, whose limits reach over a band's edge."""

MAX_INPUT = 2**53 - 1
DEPTH = 100

AUCTIONS = [Phase.OPENING_AUCTION, Phase.CLOSING_AUCTION, Phase.RESUMPTION_AUCTION]
AT_CLOSE = [Phase.PREVIOUS_CLOSE, Phase.CLOSE_PRICE_RECEPTION, Phase.CLOSE_PRICE]
SHUT = [Phase.PRE_OPEN, Phase.CLOSED, Phase.HALTED]

KRX_TYPES = [
    *[OrderType.LIMIT] * 8,
    *[OrderType.MARKET] * 4,
    *[OrderType.CONDITIONAL_LIMIT] * 2,
    *[OrderType.BEST_OPPOSITE] * 4,
    *[OrderType.BEST_SAME] * 3,
    *[OrderType.MIDPOINT] * 3,
    *[OrderType.STOP_LIMIT] * 4,
]
PLAIN_TYPES = [
    *[OrderType.LIMIT] * 8,
    *[OrderType.MARKET] * 4,
    *[OrderType.STOP] * 3,
    *[OrderType.STOP_LIMIT] * 2,
    OrderType.MIDPOINT,
]

CHANGING = (
    "phase",
    "phase_reason",
    "indicative_price",
    "indicative_qty",
    "previous_price",
    "vi_dynamic_lower",
    "vi_dynamic_upper",
    "vi_static_lower",
    "vi_static_upper",
    "order_types",
    "immediate_types",
    "fixed_price",
    "lot_size",
    "commission_ppm",
    "transaction_tax_ppm",
    "rural_tax_ppm",
    "max_order_qty",
)
"""Of a row, what may be another in the next case; the rest stands once in the file."""

RULE_CHANGES = [
    *((Rule.COMMISSION_PPM, value) for value in (0, 150, 15_000)),
    *((Rule.TRANSACTION_TAX_PPM, value) for value in (0, 500, 2_000)),
    *((Rule.RURAL_TAX_PPM, value) for value in (0, 1_500)),
    *((Rule.MAX_ORDER_QTY, value) for value in (0, 0, 50)),
    *((Rule.LOT_SIZE, value) for value in (1, 1, 1, 2)),
    *((Rule.VI_DYNAMIC_PPM, value) for value in (0, 4_000, 30_000)),
    *((Rule.VI_STATIC_PPM, value) for value in (0, 9_000, 100_000)),
]

T = TypeVar("T")


class Dice:
    """Draws that are the same with every version of Python."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def number(self, low: int, high: int) -> int:
        return low + int(self._random.random() * (high - low + 1))

    def one(self, choices: list[T]) -> T:
        return choices[self.number(0, len(choices) - 1)]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What the trader types. `price` and `stop` are 0 for a type without one."""

    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price: int
    stop: int
    qty: int


class Scene:
    """A crowd keeps the books moving, the day goes through its phases, and one trader's requests become cases."""

    def __init__(self, rules: RulesName, seed: int) -> None:
        self.rules = rules
        self.dice = Dice(seed)
        self.driver = Driver()
        self.market = Market("j")
        self._published = 0
        self._occurrence = 0
        self.driver.open(rules)
        self.driver.account(VENUE, kind=AccountKind.VENUE)
        for account in CROWD:
            self.driver.account(account, 10**12, dict.fromkeys(INSTRUMENTS, 10**7))
        self.driver.account(ME, 5_000_000, {1: 40, 9: 120})
        self._publish()
        self.rows = {number: self._row(number) for number in INSTRUMENTS}
        self.cases: list[dict[str, Any]] = []

    def play(self, count: int) -> list[dict[str, Any]]:
        """Go on until there are so many cases."""
        while len(self.cases) < count:
            for _ in range(self.dice.number(1, 6)):
                self._crowd()
            if self.dice.chance(0.25):
                account = self.dice.one(list(CROWD))
                self._do(CancelAll(account=account, actor=account))
            if self.dice.chance(0.06):
                self._change_rules()
            if self.dice.chance(0.05):
                self._change_phase(self._instrument(self.dice.one(list(INSTRUMENTS))))
            if self.dice.chance(0.35):
                self._correct()
            else:
                self._enter()
            if self.dice.chance(0.25):
                self._do(CancelAll(account=ME, actor=ME))
            if self.dice.chance(0.05):
                self._do(commands.DepositCash(account=ME, amount=self.dice.number(1, 3_000_000)))
            for number in INSTRUMENTS:
                if self._instrument(number).phase is not Phase.CONTINUOUS and self.dice.chance(0.25):
                    self._reopen(self._instrument(number))
        self.driver.check()
        return self.cases

    # The others, and the day

    def _crowd(self) -> None:
        account = self.dice.one(list(CROWD))
        instrument = self._instrument(self.dice.one(list(INSTRUMENTS)))
        side = self.dice.one([Side.BUY, Side.SELL])
        away = self.dice.number(-2, 12) * (-1 if side is Side.BUY else 1)
        price = self._valid(instrument, self._middle(instrument) + away * self._step(instrument))
        price = instrument.off_hours_close() or price
        self._do(
            NewOrder(
                account=account,
                actor=account,
                instrument=instrument.number,
                side=side,
                order_type=OrderType.LIMIT,
                limit_price=price,
                qty=self.dice.number(1, 60),
            )
        )

    def _change_rules(self) -> None:
        """Another fee, bound or rate. An order keeps the fees of its entry, which nobody tells: so the trader has none."""
        rule, value = self.dice.one(RULE_CHANGES)
        self._do(CancelAll(account=ME, actor=ME))
        self._do(SetRule(rule=rule, value=value))

    def _change_phase(self, instrument: Instrument) -> None:
        phase = self.dice.one([*AUCTIONS, *AUCTIONS, *SHUT, Phase.AFTER_HOURS, *AT_CLOSE])
        if phase is Phase.HALTED:
            self._do(Halt(instrument=instrument.number))
        else:
            self._move(instrument, phase)

    def _reopen(self, instrument: Instrument) -> None:
        """Back to continuous trading, through what must be matched before."""
        if instrument.phase is Phase.HALTED:
            self._do(Resume(instrument=instrument.number, phase=Phase.RESUMPTION_AUCTION))
        while (now := self._instrument(instrument.number)).phase.is_auction and now.awaits_uncross:
            self._do(Uncross(instrument=instrument.number))
        self._move(instrument, Phase.CONTINUOUS)

    def _move(self, instrument: Instrument, phase: Phase) -> None:
        self._occurrence += 1
        self._do(ChangePhase(instrument=instrument.number, trading_day=DAY, phase=phase, occurrence=self._occurrence))

    # The trader

    def _enter(self) -> None:
        instrument = self._instrument(self.dice.one(list(INSTRUMENTS)))
        side = self.dice.one([Side.BUY, Side.SELL])
        order_type = self.dice.one(KRX_TYPES if self.rules == "krx" else PLAIN_TYPES)
        immediate = [TimeInForce.DAY] * 5 + [TimeInForce.IOC, TimeInForce.FOK]
        ask = Ask(
            side=side,
            order_type=order_type,
            time_in_force=self.dice.one(immediate),
            price=self._price(instrument) if order_type in WITH_LIMIT else 0,
            stop=self._stop(instrument) if order_type in SLEEPERS else 0,
            qty=self._qty(),
        )
        if order_type is OrderType.LIMIT and not instrument.limits.upper and self.dice.chance(0.06):
            ask = msgspec.structs.replace(ask, price=MAX_INPUT, qty=MAX_INPUT - 1)
        question = self._question(instrument, ask, None)
        command = NewOrder(
            account=ME,
            actor=ME,
            instrument=instrument.number,
            side=side,
            order_type=order_type,
            time_in_force=ask.time_in_force,
            limit_price=ask.price,
            stop_price=ask.stop,
            qty=ask.qty,
        )
        if self._is_foretold(instrument, ask, None):
            self._keep(question, self._do(command), None)

    def _correct(self) -> None:
        own = list(self.driver.engine.state.accounts[ME].orders.values())
        if not own:
            return
        order = self.dice.one(own)
        instrument = self._instrument(order.instrument)
        standing = OrderType.LIMIT if order.order_type in BEST else order.order_type
        others = [
            OrderType.LIMIT,
            OrderType.MARKET,
            OrderType.CONDITIONAL_LIMIT,
            OrderType.BEST_OPPOSITE,
            OrderType.BEST_SAME,
        ]
        order_type = standing if self.dice.chance(0.65) else self.dice.one(others)
        keeps_price = self.dice.chance(0.5) and order.limit_price > 0
        keeps_stop = self.dice.chance(0.5)
        ask = Ask(
            side=order.side,
            order_type=order_type,
            time_in_force=order.time_in_force,
            price=(order.limit_price if keeps_price else self._price(instrument)) if order_type in WITH_LIMIT else 0,
            stop=(order.stop_price if keeps_stop else self._stop(instrument)) if order_type in SLEEPERS else 0,
            qty=order.leaves_qty if self.dice.chance(0.5) else self.dice.number(0, order.leaves_qty * 2),
        )
        question = self._question(instrument, ask, order)
        sent: dict[str, Any] = {}
        flags = 0
        if order_type is not standing:
            sent["type"], flags = order_type.label, flags | commands.CORRECT_TYPE
        if order_type in WITH_LIMIT and ask.price != order.limit_price:
            sent["limit_price"], flags = ask.price, flags | commands.CORRECT_LIMIT_PRICE
        if order_type in SLEEPERS and ask.stop != order.stop_price:
            sent["stop_price"], flags = ask.stop, flags | commands.CORRECT_STOP_PRICE
        if ask.qty != order.leaves_qty:
            sent["leaves_qty"], flags = ask.qty, flags | commands.CORRECT_LEAVES_QTY
        question["sent"] = sent
        command = CorrectOrder(
            account=ME,
            actor=ME,
            flags=flags,
            order_id=order.order_id,
            order_type=order_type if flags & commands.CORRECT_TYPE else 0,
            limit_price=sent.get("limit_price", 0),
            stop_price=sent.get("stop_price", 0),
            leaves_qty=ask.qty,
        )
        if self._is_foretold(instrument, ask, order):
            self._keep(question, self._do(command), order)

    def _is_foretold(self, instrument: Instrument, ask: Ask, amended: Order | None) -> bool:
        """Whether the trader's knowledge decides what happens."""
        own, other = instrument.book.side(ask.side), instrument.book.opposite(ask.side)
        mine = self.driver.engine.state.accounts[ME].orders.values()
        here = [order for order in mine if order.instrument == instrument.number and order is not amended]
        is_mine_alone = amended is not None and (amended.is_midpoint or amended.is_market)
        hidden = len(own.markets) + len(own.midpoints) - (1 if is_mine_alone else 0)
        if hidden or len(other.markets) or len(other.midpoints):
            return False
        # A trade with oneself gives its cash back on the way, and one's own stops may wake.
        return not any(order.sleeps or order.side is not ask.side for order in here)

    # Cases

    def _question(self, instrument: Instrument, ask: Ask, order: Order | None) -> dict[str, Any]:
        account = self.driver.engine.state.accounts[ME]
        position = account.positions.get(instrument.number)
        row = self._row(instrument.number)
        book = self.market.book(row["symbol"], DEPTH)
        assert book is not None
        return {
            "row": f"{self.rules} {instrument.number}",
            "now": {name: row[name] for name in CHANGING if row[name] != self.rows[instrument.number][name]},
            "draft": {
                "side": ask.side.label,
                "type": ask.order_type.label,
                "timeInForce": ask.time_in_force.label,
                "price": ask.price if ask.order_type in WITH_LIMIT else None,
                "stop": ask.stop if ask.order_type in SLEEPERS else None,
                "qty": ask.qty,
            },
            "bids": book.bids,
            "asks": book.asks,
            "means": {
                "cash": account.available_cash,
                "shares": position.available_qty if position else 0,
                "held": position.reserved_qty if position else 0,
            },
            "amending": None
            if order is None
            else {
                "side": order.side.label,
                "type": order.order_type.label,
                "time_in_force": order.time_in_force.label,
                "limit_price": order.limit_price or None,
                "stop_price": order.stop_price or None,
                "leaves_qty": order.leaves_qty,
                "filled_amount": order.filled_amount,
            },
        }

    def _keep(self, question: dict[str, Any], events: list[Event], amended: Order | None) -> None:
        first = events[0]
        if isinstance(first, OrderRejected | RequestRejected):
            self.cases.append({**question, "outcome": {"refused": Reason(first.reason).code}})
            return
        told = [event for event in events if isinstance(event, OrderEvent) and event.account == ME]
        order_id = told[0].order_id
        fills = [event for event in events if isinstance(event, OrderFilled) and event.order_id == order_id]
        own = [event for event in events if isinstance(event, OrderEvent | OrderFilled) and event.order_id == order_id]
        last = own[-1]
        # An order that ended is no longer known; its last event says how much of it was canceled now.
        before = question["amending"]["leaves_qty"] if amended else question["draft"]["qty"]
        filled = sum(fill.qty for fill in fills)
        raised = max(question["draft"]["qty"] - before, 0) if amended else 0
        order = self.driver.engine.state.orders.get(order_id)
        is_open = OrderStatus(last.status).is_open
        assert is_open == (order is not None)
        outcome: dict[str, Any] = {
            "filled": filled,
            "amount": sum(fill.price * fill.qty for fill in fills),
            "leaves": last.leaves_qty,
            "canceled": before + raised - filled - last.leaves_qty,
            "reserved": order.reserved_cash if order else 0,
            "price": order.limit_price or None if order else None,
            "ahead": self._ahead(order) if order and order.has_own_price else None,
            "asleep": bool(order and order.sleeps),
            "interrupts": self._interrupts(events),
        }
        if fills and amended is None:
            outcome["fees"] = [fills[-1].commission, fills[-1].transaction_tax + fills[-1].rural_tax]
        self.cases.append({**question, "outcome": outcome})

    def _interrupts(self, events: list[Event]) -> bool:
        phases = [getattr(event, "phase", 0) for event in events if type(event).__name__ == "PhaseChanged"]
        return Phase.VI_AUCTION in phases

    def _ahead(self, mine: Order) -> int:
        """The shares that trade before this order at its price."""
        return sum(
            other.leaves_qty
            for other in self.driver.engine.state.orders.values()
            if other.has_own_price
            and (other.instrument, other.side, other.limit_price) == (mine.instrument, mine.side, mine.limit_price)
            and other.priority < mine.priority
        )

    # The machinery

    def _do(self, command: Command) -> list[Event]:
        events = self.driver.do(command)
        self._publish()
        return events

    def _publish(self) -> None:
        """Let the market hear what happened since it last did."""
        payloads = self.driver.payloads[self._published :]
        blocks = [
            EventBlock(venue=1, epoch=1, semantics=1, seq=seq, ts=seq, command_kind=0, payload=payload)
            for seq, payload in enumerate(payloads, self._published + 1)
        ]
        self.market.listen(blocks)
        self._published = len(self.driver.payloads)

    def _row(self, number: int) -> dict[str, Any]:
        instrument = self.market.directory.by_id(number)
        assert instrument is not None
        row: dict[str, Any] = msgspec.to_builtins(instrument_view(instrument, self.market))
        return row

    # Draws

    def _instrument(self, number: int) -> Instrument:
        return self.driver.engine.state.instruments[number - 1]

    def _middle(self, instrument: Instrument) -> int:
        return instrument.last_price or instrument.base_price

    def _step(self, instrument: Instrument) -> int:
        return max(instrument.base_price // 1000, 1)

    def _valid(self, instrument: Instrument, price: int) -> int:
        upper = instrument.limits.upper or price
        price = max(min(price, upper), instrument.limits.lower, 1)
        while not instrument.is_on_grid(price):
            price -= 1
        return max(price, instrument.limits.lower, 1)

    def _price(self, instrument: Instrument) -> int:
        """Mostly a valid one near the market; sometimes off the grid, at or beyond the limits, or absurd."""
        if instrument.phase.is_at_close and self.dice.chance(0.75):
            return instrument.off_hours_close() or self._middle(instrument)
        near = self._middle(instrument) + self.dice.number(-12, 12) * self._step(instrument)
        kind = self.dice.number(0, 24)
        if kind == 0:
            return near + 1
        if kind == 1:
            return instrument.limits.upper + self.dice.number(-1, 1) * 100 if instrument.limits.upper else near
        if kind == 2:
            return max(instrument.limits.lower + self.dice.number(-1, 1) * 100, 1)
        if kind == 3:
            return self.dice.one([1, 10**9, MAX_INPUT])
        return self._valid(instrument, near)

    def _stop(self, instrument: Instrument) -> int:
        """Mostly near the last price, on both sides of it."""
        if self.dice.chance(0.1):
            return self._price(instrument)
        return self._valid(instrument, self._middle(instrument) + self.dice.number(-6, 6) * self._step(instrument))

    def _qty(self) -> int:
        kind = self.dice.number(0, 29)
        if kind == 0:
            return self.dice.one([10**6, 10**12, MAX_INPUT])
        return self.dice.number(1, 40) if kind < 24 else self.dice.number(30, 400)
