"""Long random days: mostly sensible commands from a seed, so that every rule comes into play many times."""

from __future__ import annotations

from random import Random

from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CORRECT_STOP_PRICE,
    CORRECT_TYPE,
    CancelAll,
    CancelOrder,
    ChangePhase,
    Command,
    CorrectOrder,
    Halt,
    NewOrder,
    Resume,
    RollDay,
    Uncross,
)
from onseju.contract.words import OrderType, Phase, TimeInForce
from onseju.matching.instruments import Instrument
from onseju.matching.orders import SLEEPERS, WITH_LIMIT, Order
from onseju.rules.ticks import next_down, next_up
from tests.properties.driver import Driver

NEXT_PHASES = {
    Phase.OPENING_AUCTION: (Phase.CONTINUOUS,),
    Phase.CONTINUOUS: (Phase.CLOSING_AUCTION, Phase.OPENING_AUCTION, Phase.CONTINUOUS),
    Phase.CLOSING_AUCTION: (Phase.CLOSE_PRICE_RECEPTION, Phase.CLOSED, Phase.AFTER_HOURS, Phase.CONTINUOUS),
    Phase.CLOSE_PRICE_RECEPTION: (Phase.CLOSE_PRICE, Phase.CLOSE_PRICE, Phase.CLOSED),
    Phase.CLOSE_PRICE: (Phase.AFTER_HOURS, Phase.CLOSED, Phase.CLOSE_PRICE_RECEPTION),
    Phase.PREVIOUS_CLOSE: (Phase.OPENING_AUCTION,),
    Phase.VI_AUCTION: (Phase.CONTINUOUS, Phase.CONTINUOUS, Phase.CLOSING_AUCTION),
    Phase.CLOSED: (
        Phase.CLOSE_PRICE_RECEPTION,
        Phase.CLOSE_PRICE,
        Phase.AFTER_HOURS,
        Phase.OPENING_AUCTION,
        Phase.CONTINUOUS,
    ),
    Phase.AFTER_HOURS: (Phase.CLOSED, Phase.PREVIOUS_CLOSE, Phase.OPENING_AUCTION),
    Phase.HALTED: (Phase.HALTED,),
    Phase.RESUMPTION_AUCTION: (Phase.CONTINUOUS,),
    Phase.PRE_OPEN: (Phase.PREVIOUS_CLOSE, Phase.OPENING_AUCTION),
}


class BusyDay:
    """Makes up the next command from the state of the engine: what a crowd and a hasty operator would ask."""

    def __init__(
        self, driver: Driver, seed: int, accounts: tuple[int, ...], types: tuple[OrderType, ...], calm: float = 0.0
    ) -> None:
        """`calm`: how often the operator, who would end continuous trading, sends an order instead."""
        self._calm = calm
        self._driver = driver
        self._random = Random(seed)
        self._accounts = accounts
        self._types = types
        self._occurrence = 0

    def next_command(self) -> Command:
        instrument = self._driver.engine.state.instruments[0]
        roll = self._random.random()
        if roll < 0.62:
            return self._new(instrument)
        if roll < 0.72:
            return self._cancel()
        if roll < 0.86:
            return self._correct(instrument)
        if roll < 0.88:
            account = self._random.choice(self._accounts)
            return CancelAll(account=account, instrument=1, side=self._random.choice((0, 1, 2)))
        if self._calm and instrument.phase is Phase.CONTINUOUS and self._random.random() < self._calm:
            return self._new(instrument)
        return self._operate(instrument)

    def _new(self, instrument: Instrument) -> NewOrder:
        order_type = self._random.choice(self._types)
        immediate = self._random.random() < 0.15
        return NewOrder(
            account=self._random.choice(self._accounts),
            instrument=1,
            qty=self._random.choice((1, 2, 5, 10, 150, 301)),
            side=self._random.choice((1, 2)),
            order_type=order_type,
            limit_price=self._price(instrument) if order_type in WITH_LIMIT else 0,
            stop_price=self._price(instrument) if order_type in SLEEPERS else 0,
            time_in_force=self._random.choice((2, 3)) if immediate else TimeInForce.DAY,
        )

    def _price(self, instrument: Instrument) -> int:
        """Near the last price as a rule, at a daily limit sometimes."""
        if instrument.has_limits and self._random.random() < 0.08:
            return self._random.choice(instrument.limits)
        price = instrument.last_price or 100
        step = next_up if self._random.random() < 0.5 else next_down
        for _ in range(self._random.choice((0, 0, 1, 1, 2, 3, 5, 8))):
            price = step(instrument.bands, price) or price
        return instrument.clamp(price)

    def _some_order(self) -> Order | None:
        orders = list(self._driver.engine.state.orders.values())
        return self._random.choice(orders) if orders else None

    def _cancel(self) -> Command:
        order = self._some_order()
        if order is None:
            return CancelOrder(account=self._accounts[0], order_id=1)
        part = self._random.choice((0, self._random.randint(1, order.leaves_qty)))
        return CancelOrder(account=order.account, order_id=order.order_id, qty=part)

    def _correct(self, instrument: Instrument) -> Command:
        order = self._some_order()
        if order is None:
            return CorrectOrder(account=self._accounts[0], order_id=1)
        order_type = self._random.choice(self._types)
        flags = self._random.choice(
            (
                CORRECT_LIMIT_PRICE,
                CORRECT_LIMIT_PRICE,
                CORRECT_LIMIT_PRICE | CORRECT_LEAVES_QTY,
                CORRECT_LEAVES_QTY,
                CORRECT_TYPE,
                CORRECT_TYPE | (CORRECT_LIMIT_PRICE if order_type in WITH_LIMIT else 0),
                CORRECT_PART | CORRECT_TYPE | (CORRECT_LIMIT_PRICE if order_type in WITH_LIMIT else 0),
                CORRECT_STOP_PRICE | CORRECT_LIMIT_PRICE,
                CORRECT_PART | CORRECT_LIMIT_PRICE,
            )
        )
        return CorrectOrder(
            account=order.account,
            order_id=order.order_id,
            flags=flags,
            limit_price=self._price(instrument) if flags & CORRECT_LIMIT_PRICE else 0,
            stop_price=self._price(instrument) if flags & CORRECT_STOP_PRICE else 0,
            leaves_qty=self._random.randint(0, 2 * order.leaves_qty) if flags & CORRECT_LEAVES_QTY else 0,
            part_qty=self._random.randint(1, order.leaves_qty) if flags & CORRECT_PART else 0,
            order_type=order_type if flags & CORRECT_TYPE else 0,
        )

    def _operate(self, instrument: Instrument) -> Command:
        """An auction that lasts some commands is uncrossed and left; sometimes a halt, sometimes the next day."""
        state = self._driver.engine.state
        roll = self._random.random()
        if roll < 0.06:
            return RollDay(trading_day=_day_after(state.trading_day))
        if roll < 0.14:
            return Halt(instrument=1, stage=self._random.choice((0, 0, 1, 2)))
        if instrument.phase is Phase.HALTED:
            return Resume(instrument=1, phase=self._random.choice((Phase.RESUMPTION_AUCTION, Phase.CONTINUOUS)))
        if instrument.phase.is_auction and self._random.random() < 0.7:
            return Uncross(instrument=1)
        self._occurrence += 1
        return ChangePhase(
            instrument=1,
            trading_day=state.trading_day,
            phase=self._random.choice(NEXT_PHASES[instrument.phase]),
            occurrence=self._occurrence,
        )


def _day_after(day: int) -> int:
    """Any later number that can be a day."""
    return (
        day + 1
        if day % 100 < 28
        else (day // 100 + 1 if day // 100 % 100 < 12 else (day // 10_000 + 1) * 100 + 1) * 100 + 1
    )
