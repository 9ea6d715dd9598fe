"""Plays the same random days on the reference engine and on the market on paper, and holds one against the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from onseju.contract.commands import (
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
    ListInstrument,
    NewOrder,
    Resume,
    RollDay,
    SetRule,
    Uncross,
)
from onseju.contract.events import AuctionUncrossed, Event, OrderAccepted, RequestRejected, Trade
from onseju.contract.words import AccountKind, Board, OrderType, Phase, Rule, SelfTradePrevention, Side, TimeInForce
from onseju.rules import packs
from tests.properties.driver import DAY, Driver
from tests.properties.paper import KRX_TYPES, PLAIN_TYPES, Paper
from tests.properties.paper_book import AT_CLOSE, BEST, GRID, PRICED, Slip

VENUE, ONE = 1, 1
OWNERS = (2, 3, 4)
PLENTY = 10**13
STOPS = {OrderType.STOP, OrderType.STOP_LIMIT}
NEXT = {
    Phase.CONTINUOUS: (Phase.CLOSING_AUCTION, Phase.OPENING_AUCTION, Phase.RESUMPTION_AUCTION),
    Phase.OPENING_AUCTION: (Phase.CONTINUOUS,),
    Phase.RESUMPTION_AUCTION: (Phase.CONTINUOUS,),
    Phase.VI_AUCTION: (Phase.CONTINUOUS, Phase.CONTINUOUS, Phase.CLOSING_AUCTION),
    Phase.CLOSING_AUCTION: (Phase.CLOSED, Phase.AFTER_HOURS, Phase.CLOSE_PRICE_RECEPTION, Phase.CONTINUOUS),
    Phase.CLOSE_PRICE_RECEPTION: (Phase.CLOSE_PRICE,),
    Phase.CLOSE_PRICE: (Phase.AFTER_HOURS, Phase.CLOSED, Phase.CLOSE_PRICE_RECEPTION),
    Phase.AFTER_HOURS: (Phase.CLOSED,),
    Phase.CLOSED: (Phase.OPENING_AUCTION, Phase.AFTER_HOURS, Phase.PREVIOUS_CLOSE, Phase.CLOSE_PRICE_RECEPTION),
    Phase.PREVIOUS_CLOSE: (Phase.OPENING_AUCTION, Phase.CONTINUOUS),
}


@dataclass
class Plan:
    """What kind of days: which rules, how rich the accounts, where the prices are."""

    name: str
    krx: bool = True
    base: int = 2_000
    cash: int = PLENTY
    stp: SelfTradePrevention = SelfTradePrevention.OFF
    dynamic_ppm: int = 0
    static_ppm: int = 0
    rates: tuple[int, int, int] = (0, 0, 0)
    at_limits: float = 0.05
    """How often a price is one of the day's limits."""
    reach: tuple[int, ...] = (0, 0, 1, 1, 2, 3, 5, 8)
    """Prices are so many ticks from the last price."""
    favored: tuple[OrderType, ...] = (OrderType.LIMIT,) * 5
    lot: int = 1


@dataclass
class PaperDay:
    """One plan with one seed."""

    plan: Plan
    seed: int
    told: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        plan = self.plan
        self.random = Random(f"{plan.name} {self.seed}")
        self.driver = Driver()
        self.day, self.occurrence = DAY, 0
        for request in packs.commands("krx" if plan.krx else "plain", DAY):
            self.driver.do(request.command)
        self.driver.do(
            ListInstrument(
                symbol=b"ONE",
                base_price=plan.base,
                limit_ppm=packs.KRX_LIMIT_PPM if plan.krx else 0,
                tick_table=packs.KRX_STOCKS_TABLE if plan.krx else packs.PLAIN_TABLE,
                vi_dynamic_ppm=plan.dynamic_ppm,
                vi_static_ppm=plan.static_ppm,
                board=Board.KOSPI,
            )
        )
        self.driver.account(VENUE, kind=AccountKind.VENUE)
        for rule, value in zip(
            (
                Rule.SELF_TRADE_PREVENTION,
                Rule.COMMISSION_PPM,
                Rule.TRANSACTION_TAX_PPM,
                Rule.RURAL_TAX_PPM,
                Rule.LOT_SIZE,
            ),
            (plan.stp, *plan.rates, plan.lot),
            strict=True,
        ):
            self.driver.do(SetRule(rule=rule, value=value))
        self.paper = Paper(
            krx=plan.krx,
            base=plan.base,
            stp=plan.stp,
            dynamic_ppm=plan.dynamic_ppm,
            static_ppm=plan.static_ppm,
            rates=plan.rates,
            lot=plan.lot,
            cash=dict.fromkeys(OWNERS, plan.cash),
            shares=dict.fromkeys(OWNERS, 10**6),
        )
        for owner in OWNERS:
            self.driver.account(owner, cash=plan.cash, shares={ONE: 10**6})

    # What happens next

    def step(self) -> None:
        """One request, or what an operator does; then all that can be seen is compared."""
        roll = self.random.random()
        act: Callable[[], None]
        if roll < 0.66:
            act = self.new
        elif roll < 0.74:
            act = self.cancel
        elif roll < 0.88:
            act = self.correct
        elif roll < 0.885:
            act = self.cancel_all
        else:
            act = self.operate
        act()
        self.compare()

    def price(self) -> int:
        paper = self.paper
        if paper.phase in AT_CLOSE and self.random.random() < 0.7:
            return paper.base if paper.phase is Phase.PREVIOUS_CLOSE else paper.close
        if paper.krx and self.random.random() < self.plan.at_limits:
            return self.random.choice((paper.upper, paper.lower))
        steps = self.random.choice(self.plan.reach) * self.random.choice((-1, 1))
        if not paper.krx:
            return max(paper.last + steps, 1)
        at = min(range(len(GRID)), key=lambda n: abs(GRID[n] - paper.last))
        price = GRID[max(at + steps, 0)]
        return price + 1 if self.random.random() < 0.01 else paper.clamp(price)

    def new(self) -> None:
        every = sorted(set().union(*KRX_TYPES.values()) if self.plan.krx else PLAIN_TYPES)
        kind = self.random.choice((*every, *self.plan.favored))
        condition = self.random.choice((TimeInForce.IOC, TimeInForce.FOK, *[TimeInForce.DAY] * 8))
        owner, side = self.random.choice(OWNERS), self.random.choice(tuple(Side))
        price = self.price() if kind in PRICED else 0
        stop = self.price() if kind in STOPS else 0
        qty = self.random.choice((1, 2, 5, 10, 150, 301, 1_000))
        command = NewOrder(
            account=owner,
            instrument=ONE,
            side=side,
            qty=qty,
            limit_price=price,
            stop_price=stop,
            order_type=kind,
            time_in_force=condition,
        )
        taken = isinstance(self.do(command)[0], OrderAccepted)
        assert taken == self.paper.new(owner, side, kind, price, stop, qty, condition), command

    def some_slip(self) -> Slip | None:
        return self.random.choice(self.paper.book) if self.paper.book else None

    def some_of(self, slip: Slip) -> int:
        """A part of what is open; whole lots, as a rule."""
        qty = self.random.randint(1, slip.qty)
        return qty if self.random.random() < 0.1 else qty - qty % self.plan.lot or slip.qty

    def cancel(self) -> None:
        slip = self.some_slip()
        if slip is None:
            return
        qty = self.random.choice((0, self.some_of(slip)))
        taken = not isinstance(
            self.do(CancelOrder(account=slip.owner, order_id=slip.number, qty=qty))[0], RequestRejected
        )
        assert taken == self.paper.cancel(slip, qty)

    def cancel_all(self) -> None:
        owner = self.random.choice(OWNERS)
        self.do(CancelAll(account=owner))
        for slip in [slip for slip in self.paper.book if slip.owner == owner]:
            self.paper.cancel(slip, 0)

    def correct(self) -> None:
        slip = self.some_slip()
        if slip is None:
            return
        every = sorted(set().union(*KRX_TYPES.values()) if self.plan.krx else PLAIN_TYPES)
        kind = self.random.choice((None, *every))
        price = self.price() if self.random.random() < (0.3 if kind in BEST | {OrderType.MARKET} else 0.8) else None
        stop = self.price() if slip.sleeps and self.random.random() < 0.5 else None
        part = self.random.choice((0, 0, self.some_of(slip)))
        command = CorrectOrder(
            account=slip.owner,
            order_id=slip.number,
            flags=CORRECT_TYPE * (kind is not None)
            | CORRECT_LIMIT_PRICE * (price is not None)
            | CORRECT_STOP_PRICE * (stop is not None)
            | CORRECT_PART * bool(part),
            order_type=kind or 0,
            limit_price=price or 0,
            stop_price=stop or 0,
            part_qty=part,
        )
        words = f"{command} of {slip}"
        taken = not isinstance(self.do(command)[0], RequestRejected)
        assert taken == self.paper.correct(slip, kind, price, stop, part), words

    def operate(self) -> None:
        """Uncross and go on; sometimes halt, sometimes the next day."""
        phase, roll = self.paper.phase, self.random.random()
        if roll < 0.04:
            self.day += 1
            self.do(RollDay(trading_day=self.day))
            self.paper.roll()
        elif phase is Phase.HALTED:
            to = Phase.RESUMPTION_AUCTION
            self.do(Resume(instrument=ONE, phase=to))
            self.paper.move(to)
        elif roll < 0.08:
            self.do(Halt(instrument=ONE))
            self.paper.move(Phase.HALTED)
        elif (
            roll < 0.3
            or phase not in NEXT
            or (
                phase
                in (
                    Phase.OPENING_AUCTION,
                    Phase.CLOSING_AUCTION,
                    Phase.RESUMPTION_AUCTION,
                    Phase.VI_AUCTION,
                )
                and not self.uncross()
            )
        ):
            return
        else:
            self.change_phase(self.random.choice(NEXT[phase]))

    def uncross(self) -> bool:
        """Whether the auction is over."""
        start = len(self.told)
        self.do(Uncross(instrument=ONE))
        uncrossed = [event for event in self.told[start:] if isinstance(event, AuctionUncrossed)]
        assert [(event.price, event.qty) for event in uncrossed] == [self.paper.uncross()][: len(uncrossed)]
        assert (not uncrossed) == self.paper.extended
        self.compare()
        return not self.paper.extended

    def change_phase(self, to: Phase) -> None:
        self.occurrence += 1
        self.do(ChangePhase(instrument=ONE, trading_day=self.day, phase=to, occurrence=self.occurrence))
        self.paper.move(to)

    def do(self, command: Command) -> list[Event]:
        events = self.driver.do(command)
        self.told += events
        return events

    # Whether both are the same

    def compare(self) -> None:
        """Trades one by one (of an auction, who got how many), books, open orders, cash and shares."""
        paper, engine = self.paper, self.driver.engine
        instrument = engine.state.instruments[0]
        trades = [event for event in self.told if isinstance(event, Trade) and event.taker_side]
        made = [(t.buy_order_id, t.sell_order_id, t.price, t.qty) for t in trades]
        assert made == paper.trades
        self.told.clear()
        paper.trades.clear()
        assert instrument.phase == paper.phase
        assert (instrument.last_price, instrument.base_price) == (paper.last, paper.base)
        open_orders = {o.order_id: (o.order_type, o.limit_price, o.leaves_qty) for o in engine.state.orders.values()}
        assert open_orders == {s.number: (s.kind, s.price, s.qty) for s in paper.book}
        for side, depth in zip(Side, engine.book(ONE), strict=True):
            assert [level[:2] for level in depth] == paper.depth(side)
        if instrument.phase.is_auction:
            assert instrument.indicated == paper.find()
        for owner in OWNERS:
            account = engine.account(owner)
            assert account.cash == paper.cash[owner]
            assert account.available_cash == paper.free_cash(owner)
            assert account.position(ONE).qty == paper.shares[owner]
            assert account.available_shares(ONE) == paper.free_shares(owner)
        self.driver.check()
