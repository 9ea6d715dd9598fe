"""Cases in which the page's forecast must agree with the exchange: what a trader knew, and what the engine then did.

`python -m tests.web.forecast_cases` writes them, from the reference engine and a fixed seed, into `web/tests/forecast/cases.json`,
where the page's own tests read them. A test of this side compares the file with the engine of now.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, TypeVar

from onseju.contract import commands
from onseju.contract.commands import CancelAll, CorrectOrder, Halt, NewOrder, Resume, SetRule
from onseju.contract.events import Event, OrderEvent, OrderFilled, OrderRejected, RequestRejected
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderStatus, OrderType, Phase, Rule, Side, TimeInForce
from onseju.matching.instruments import Instrument
from onseju.matching.orders import Order
from onseju.rules.packs import RulesName
from tests.properties.driver import Driver

TARGET = Path(__file__).resolve().parents[2] / "web" / "tests" / "forecast" / "cases.json"

SEED = 20261123
CASES_PER_RULES = 220
CROWD = (1, 2, 3)
ME = 9
INSTRUMENTS = (1, 9)
"""삼성전자, and 카카오게임즈, whose limits reach over a band's edge."""

MAX_INPUT = 2**53 - 1

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


class Scene:
    """A venue with a crowd that keeps its books moving, and a trader whose requests become cases."""

    def __init__(self, rules: RulesName, seed: int) -> None:
        self.rules = rules
        self.dice = Dice(seed)
        self.driver = Driver()
        self.driver.open(rules)
        for account in CROWD:
            self.driver.account(account, 10**12, dict.fromkeys(INSTRUMENTS, 10**7))
        self.driver.account(ME, 5_000_000, {1: 40, 9: 120})
        self.cases: list[dict[str, Any]] = []

    def play(self, count: int) -> list[dict[str, Any]]:
        """Go on until there are so many cases."""
        while len(self.cases) < count:
            for _ in range(self.dice.number(1, 6)):
                self._crowd()
            if self.dice.chance(0.3):
                account = self.dice.one(list(CROWD))
                self.driver.do(CancelAll(account=account, actor=account))
            if self.dice.chance(0.04):
                self._change_rules()
            if self.dice.chance(0.04):
                self._halt_and_resume()
            elif self.dice.chance(0.3):
                self._correct()
            else:
                self._enter()
            if self.dice.chance(0.1):
                self.driver.do(CancelAll(account=ME, actor=ME))
            if self.dice.chance(0.05):
                self.driver.do(commands.DepositCash(account=ME, amount=self.dice.number(1, 3_000_000)))
        self.driver.check()
        return self.cases

    # The others

    def _crowd(self) -> None:
        account = self.dice.one(list(CROWD))
        instrument = self._instrument(self.dice.one(list(INSTRUMENTS)))
        side = self.dice.one([Side.BUY, Side.SELL])
        away = self.dice.number(-2, 12) * (-1 if side is Side.BUY else 1)
        price = self._valid(instrument, self._middle(instrument) + away * self._step(instrument))
        self.driver.do(
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
        rule, value = self.dice.one(
            [
                (Rule.COMMISSION_PPM, 0),
                (Rule.COMMISSION_PPM, 150),
                (Rule.COMMISSION_PPM, 15_000),
                (Rule.MAX_ORDER_QTY, 0),
                (Rule.MAX_ORDER_QTY, 50),
            ]
        )
        self.driver.do(SetRule(rule=rule, value=value))

    def _halt_and_resume(self) -> None:
        number = self.dice.one(list(INSTRUMENTS))
        self.driver.do(Halt(instrument=number))
        self._enter(number)
        self.driver.do(Resume(instrument=number, phase=Phase.CONTINUOUS))

    # The trader

    def _enter(self, number: int | None = None) -> None:
        instrument = self._instrument(number or self.dice.one(list(INSTRUMENTS)))
        side = self.dice.one([Side.BUY, Side.SELL])
        order_type = self.dice.one([OrderType.LIMIT] * 4 + [OrderType.MARKET])
        condition = self.dice.one([TimeInForce.DAY] * 4 + [TimeInForce.IOC, TimeInForce.FOK])
        if order_type is OrderType.MARKET and side is Side.BUY and self._own(instrument, Side.SELL):
            return  # buying from oneself gives the cash back on the way: that is not foretold
        price = self._price(instrument) if order_type is OrderType.LIMIT else 0
        qty = self._qty()
        if order_type is OrderType.LIMIT and not instrument.limits.upper and self.dice.chance(0.04):
            price, qty = MAX_INPUT, MAX_INPUT
        question = self._question(instrument, side, order_type, condition, price, qty, None)
        events = self.driver.do(
            NewOrder(
                account=ME,
                actor=ME,
                instrument=instrument.number,
                side=side,
                order_type=order_type,
                time_in_force=condition,
                limit_price=price,
                qty=qty,
            )
        )
        self._keep(question, events, None)

    def _correct(self) -> None:
        own = list(self.driver.engine.state.accounts[ME].orders.values())
        if not own:
            return
        order = self.dice.one(own)
        instrument = self._instrument(order.instrument)
        price = order.limit_price if self.dice.chance(0.5) else self._price(instrument)
        qty = order.leaves_qty if self.dice.chance(0.4) else self.dice.number(0, order.leaves_qty * 2)
        if self._own(instrument, order.side.opposite):
            return
        question = self._question(instrument, order.side, order.order_type, order.time_in_force, price, qty, order)
        flags = commands.CORRECT_LIMIT_PRICE if price != order.limit_price else 0
        flags |= commands.CORRECT_LEAVES_QTY if qty != order.leaves_qty else 0
        filled, canceled = order.filled_qty, order.canceled_qty
        events = self.driver.do(
            CorrectOrder(account=ME, actor=ME, flags=flags, order_id=order.order_id, limit_price=price, leaves_qty=qty)
        )
        self._keep(question, events, (filled, canceled))

    # Cases

    def _question(
        self,
        instrument: Instrument,
        side: Side,
        order_type: OrderType,
        condition: TimeInForce,
        price: int,
        qty: int,
        order: Order | None,
    ) -> dict[str, Any]:
        account = self.driver.engine.state.accounts[ME]
        position = account.positions.get(instrument.number)
        rules = self.driver.engine.state.rules
        return {
            "draft": {
                "side": side.label,
                "type": order_type.label,
                "timeInForce": condition.label,
                "price": price or None,
                "qty": qty,
            },
            "rules": {
                "phase": instrument.phase.label,
                "upper": instrument.limits.upper or None,
                "lower": instrument.limits.lower or None,
                "commissionPpm": rules.value(Rule.COMMISSION_PPM, instrument),
                "taxPpm": 0,
                "maxOrderQty": rules.value(Rule.MAX_ORDER_QTY, instrument),
            },
            "bands": [list(band) for band in instrument.bands],
            "bids": self._side(instrument, Side.BUY),
            "asks": self._side(instrument, Side.SELL),
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
                "limit_price": order.limit_price,
                "leaves_qty": order.leaves_qty,
                "filled_amount": order.filled_amount,
            },
        }

    def _keep(self, question: dict[str, Any], events: list[Event], before: tuple[int, int] | None) -> None:
        first = events[0]
        if isinstance(first, OrderRejected | RequestRejected):
            outcome: dict[str, Any] = {"refused": Reason(first.reason).code}
        else:
            told = [event for event in events if isinstance(event, OrderEvent) and event.account == ME]
            order_id = told[0].order_id
            mine = [event for event in events if isinstance(event, OrderFilled) and event.order_id == order_id]
            filled_before, canceled_before = before or (0, 0)
            own = [
                event for event in events if isinstance(event, OrderEvent | OrderFilled) and event.order_id == order_id
            ]
            last = own[-1]
            outcome = {
                "filled": last.filled_qty - filled_before,
                "amount": sum(fill.price * fill.qty for fill in mine),
                "leaves": last.leaves_qty,
                "canceled": last.canceled_qty - canceled_before,
                "ahead": self._ahead(order_id) if OrderStatus(last.status).is_open else None,
            }
        self.cases.append({**question, "outcome": outcome})

    def _ahead(self, order_id: int) -> int:
        """The shares that trade before this order at its price."""
        orders = self.driver.engine.state.orders
        mine = orders[order_id]
        return sum(
            other.leaves_qty
            for other in orders.values()
            if (other.instrument, other.side, other.limit_price) == (mine.instrument, mine.side, mine.limit_price)
            and other.priority < mine.priority
        )

    # Draws

    def _instrument(self, number: int) -> Instrument:
        return self.driver.engine.state.instruments[number - 1]

    def _own(self, instrument: Instrument, side: Side) -> list[Order]:
        orders = self.driver.engine.state.accounts[ME].orders.values()
        return [order for order in orders if order.instrument == instrument.number and order.side is side]

    def _side(self, instrument: Instrument, side: Side) -> list[list[int]]:
        levels = sorted(instrument.book.side(side).levels.items(), reverse=side is Side.BUY)
        return [[price, qty, count] for price, (qty, count) in levels]

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
        near = self._middle(instrument) + self.dice.number(-12, 12) * self._step(instrument)
        kind = self.dice.number(0, 19)
        if kind == 0:
            return near + 1
        if kind == 1:
            return instrument.limits.upper + self.dice.number(-1, 1) * 100 if instrument.limits.upper else near
        if kind == 2:
            return max(instrument.limits.lower + self.dice.number(-1, 1) * 100, 1)
        if kind == 3:
            return self.dice.one([1, 10**9, MAX_INPUT])
        return self._valid(instrument, near)

    def _qty(self) -> int:
        kind = self.dice.number(0, 29)
        if kind == 0:
            return self.dice.one([10**6, 10**12, MAX_INPUT])
        return self.dice.number(1, 40) if kind < 24 else self.dice.number(30, 400)


def cases() -> list[dict[str, Any]]:
    """All of them, under both rule packs."""
    packs: list[RulesName] = ["krx", "plain"]
    return [
        {"rules_name": rules, **case}
        for offset, rules in enumerate(packs)
        for case in Scene(rules, SEED + offset).play(CASES_PER_RULES)
    ]


def cases_json() -> str:
    """The file's text: one case a line."""
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
    return f"[\n{lines}\n]\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(cases_json(), "utf-8")
