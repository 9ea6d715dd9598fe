"""Plays scenarios on a state machine alone: commands in, events out."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CORRECT_STOP_PRICE,
    CORRECT_TYPE,
    CancelOrder,
    ChangePhase,
    Command,
    CorrectOrder,
    DepositCash,
    DepositShares,
    ListInstrument,
    NewOrder,
    OpenAccount,
    SetRule,
    Uncross,
    encode_command,
    sequence,
)
from onseju.contract.events import (
    AuctionExtended,
    AuctionUncrossed,
    BalanceChanged,
    Event,
    LevelChanged,
    OrderAccepted,
    OrderEvent,
    OrderFilled,
    OrderRejected,
    PhaseChanged,
    PositionChanged,
    RequestRejected,
    Trade,
    decode_events,
)
from onseju.contract.money import MAX_AMOUNT
from onseju.contract.reasons import Reason
from onseju.contract.words import (
    AccountKind,
    Board,
    OrderType,
    Phase,
    Rule,
    Security,
    Side,
    TimeInForce,
)
from onseju.matching.engine import Engine
from onseju.rules import packs
from onseju.rules.instruments import tick_table
from onseju.rules.ticks import PPM
from onseju.scenarios.form import AccountForm, BookForm, Market, Scenario, Step, TradeForm
from onseju.scenarios.target import SET_RULES, CannotPlayError, Observation, Uncrossed, check_words, previous_price

DAY = 2026_01_02
INSTRUMENT = 1
VENUE_ACCOUNT = 1
NO_SUCH_ORDER = 2**62
"""An order id that no engine gives."""


class EngineTarget:
    """A fresh engine for each scenario. It sees only what the events tell."""

    _trades: list[Trade]
    _cancelled: list[int]
    _uncrossed: Uncrossed | None
    _vi_triggered: bool

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        self._make_engine = make_engine
        self._occurrence = 0

    def close(self) -> None:
        """There is nothing to give up."""

    def begin(self, scenario: Scenario) -> None:
        check_words(scenario)
        self._engine = self._make_engine()
        self._seq = 0
        self._scenario = scenario
        self._accounts: dict[str, int] = {}
        self._orders: dict[str, int] = {}
        self._labels: dict[int, str] = {}
        self._owners: dict[str, str] = {}
        self._leaves: dict[int, int] = {}
        self._cash: dict[int, tuple[int, int]] = {}
        self._shares: dict[int, int] = {}
        self._levels: dict[int, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self._forget_history()
        self._open_venue()
        self._open_accounts()
        self._set_market()
        if scenario.phase != "continuous" and not self.change_phase(scenario.phase):
            raise CannotPlayError(f"the engine has no phase {scenario.phase}")
        self._forget_history()

    def is_live(self, label: str) -> bool:
        return self._leaves.get(self._orders.get(label, 0), 0) > 0

    def new(self, step: Step) -> bool:
        owner = step.account if step.account is not None else _nobody(step)
        command = _command(
            NewOrder,
            account=self._accounts[owner],
            instrument=INSTRUMENT,
            qty=step.qty,
            limit_price=0 if step.price is None else step.price,
            stop_price=0 if step.stop is None else step.stop,
            side=_word(Side, step.side),
            order_type=_word(OrderType, step.type),
            time_in_force=_word(TimeInForce, step.tif),
        )
        if command is None:
            return False
        events = self._do(command)
        accepted = events[0]
        if not isinstance(accepted, OrderAccepted):
            return False
        self._name(step.id, accepted, owner)
        return True

    def _name(self, label: str, accepted: OrderAccepted, owner: str) -> None:
        self._orders[label] = accepted.order_id
        self._labels[accepted.order_id] = label
        self._owners[label] = owner

    def cancel(self, step: Step) -> bool:
        if step.qty is not None and not (isinstance(step.qty, int) and step.qty > 0):
            return False  # the command cannot say it: 0 means all
        command = _command(
            CancelOrder,
            account=self._asker(step),
            order_id=self._orders.get(step.id, NO_SUCH_ORDER),
            qty=step.qty or 0,
        )
        return command is not None and self._is_taken(command)

    def modify(self, step: Step) -> bool:
        order_id = self._orders.get(step.id, NO_SUCH_ORDER)
        leaves_qty, flags = step.qty, 0
        if not self._scenario.is_krx and leaves_qty is None and step.part is None:
            # Under `plain` a modify always names the new open quantity; left out, it is the present one.
            leaves_qty = self._leaves.get(order_id, 0)
        if step.price is not None:
            flags |= CORRECT_LIMIT_PRICE
        if leaves_qty is not None:
            flags |= CORRECT_LEAVES_QTY
        if step.type:
            flags |= CORRECT_TYPE
        if step.stop is not None:
            flags |= CORRECT_STOP_PRICE
        if step.part is not None:
            flags |= CORRECT_PART
        command = _command(
            CorrectOrder,
            account=self._asker(step),
            order_id=order_id,
            flags=flags,
            limit_price=0 if step.price is None else step.price,
            leaves_qty=0 if leaves_qty is None else leaves_qty,
            stop_price=0 if step.stop is None else step.stop,
            part_qty=0 if step.part is None else step.part,
            order_type=_word(OrderType, step.type) if step.type else 0,
        )
        if command is None:
            return False
        events = self._do(command)
        if isinstance(events[0], RequestRejected):
            return False
        part = next((event for event in events if isinstance(event, OrderAccepted)), None)
        if part is not None:
            self._name(step.part_id, part, self._owners[step.id])
        return True

    def change_phase(self, phase: str) -> bool:
        self._occurrence += 1
        command = ChangePhase(
            instrument=INSTRUMENT, trading_day=DAY, phase=_word(Phase, phase), occurrence=self._occurrence
        )
        return self._is_taken(command)

    def uncross(self) -> bool:
        taken = self._is_taken(Uncross(instrument=INSTRUMENT))
        # `plain` has no phases: its auction collects until it is uncrossed, and continuous trading goes on.
        return taken and (self._scenario.is_krx or self.change_phase("continuous"))

    def book(self) -> BookForm:
        bids = sorted(self._levels[Side.BUY].items(), reverse=True)
        return BookForm(bids=bids, asks=sorted(self._levels[Side.SELL].items()))

    def observe(self) -> Observation:
        accounts = {}
        for label in self._scenario.accounts:
            number = self._accounts[label]
            cash, reserved = self._cash.get(number, (0, 0))
            accounts[label] = AccountForm(cash=cash, qty=self._shares.get(number, 0), reserved=reserved)
        return Observation(
            trades=[
                TradeForm(self._labels[trade.buy_order_id], self._labels[trade.sell_order_id], trade.price, trade.qty)
                for trade in self._trades
            ],
            book=self.book(),
            cancelled=[self._labels[order_id] for order_id in self._cancelled],
            uncrossed=self._uncrossed,
            vi_triggered=self._vi_triggered,
            accounts=accounts,
        )

    # Setting the venue up

    def _open_venue(self) -> None:
        scenario = self._scenario
        for request in packs.commands("krx" if scenario.is_krx else "plain", DAY):
            self._must(request.command, "its own rules")
        market = scenario.market
        if market is not None:
            self._must(_krx_instrument(market), "the instrument")
        else:
            # `plain` has no base price of its own: the last price before the first step stands in for it.
            self._must(ListInstrument(symbol=b"ONE", base_price=previous_price(scenario) or 0), "the instrument")
        for name, rule, words in SET_RULES:
            if scenario.rule(name) is not None:
                value = words.parse(scenario.rule(name))
                self._must(SetRule(rule=rule, value=value), f"the rule {name}: {value.label}")

    def _open_accounts(self) -> None:
        """The accounts that are listed get what is listed; all others an equal part of all the money there can be."""
        scenario = self._scenario
        rates = scenario.market.rates if scenario.market is not None else None
        self._must(OpenAccount(account=VENUE_ACCOUNT, account_kind=AccountKind.VENUE), "a venue account")
        if rates is not None:
            for rule, value in (
                (Rule.COMMISSION_PPM, rates.commission),
                (Rule.TRANSACTION_TAX_PPM, rates.stt),
                (Rule.RURAL_TAX_PPM, rates.agri),
            ):
                self._must(SetRule(rule=rule, value=value), f"the rule {rule.label}: {value}")
        unlimited = {
            step.account if step.account is not None else _nobody(step) for step in scenario.steps
        } - scenario.accounts.keys()
        listed = scenario.accounts.values()
        plenty_of_cash = (MAX_AMOUNT - sum(account.cash for account in listed)) // (len(unlimited) + 3)
        plenty_of_shares = (MAX_AMOUNT - sum(account.qty for account in listed)) // (len(unlimited) + 3)
        plenty = AccountForm(cash=plenty_of_cash, qty=plenty_of_shares)
        for number, label in enumerate(sorted(unlimited | scenario.accounts.keys()), VENUE_ACCOUNT + 1):
            self._accounts[label] = number
            self._open_account(number, scenario.accounts.get(label, plenty))
        self._plenty = plenty

    def _open_account(self, number: int, holds: AccountForm) -> None:
        self._must(OpenAccount(account=number, owner=number.to_bytes(16, "little")), "an account")
        if holds.cash:
            self._must(DepositCash(account=number, amount=holds.cash), f"{holds.cash} of cash")
        if holds.qty:
            self._must(DepositShares(account=number, instrument=INSTRUMENT, qty=holds.qty), f"{holds.qty} shares")

    def _set_market(self) -> None:
        """The previous price, and the volatility interruptions, of a `krx` scenario."""
        market = self._scenario.market
        if market is None:
            return
        for rule, value in (
            (Rule.PREVIOUS_PRICE, previous_price(self._scenario)),
            (Rule.VI_DYNAMIC_PPM, _ppm(market.vi.dynamic_pct)),
            (Rule.VI_STATIC_PPM, _ppm(market.vi.static_pct)),
        ):
            if value is not None:
                self._must(SetRule(rule=rule, value=value, instrument=INSTRUMENT), f"the rule {rule.label}: {value}")

    def _must(self, command: Command, what: str) -> None:
        try:
            refusal = self._do(command)[0]
        except struct.error:
            raise CannotPlayError(f"no command can carry {what}") from None
        if isinstance(refusal, RequestRejected | OrderRejected):
            raise CannotPlayError(f"the engine refuses {what}: {Reason(refusal.reason).code}")

    # Asking, and reading the answers

    def _asker(self, step: Step) -> int:
        """Whose request a cancel or modify is: the step's account where only owners may, else the order's owner."""
        if step.account is not None and self._scenario.rule("owner_only_cancel"):
            return self._accounts[step.account]
        owner = self._owners.get(step.id)
        return self._accounts[owner] if owner is not None else VENUE_ACCOUNT

    def _is_taken(self, command: Command) -> bool:
        return not isinstance(self._do(command)[0], RequestRejected)

    def _do(self, command: Command) -> list[Event]:
        self._seq += 1
        events = list(decode_events(self._engine.apply(sequence(encode_command(command), self._seq, self._seq))))
        for event in events:
            self._read(event)
        return events

    def _read(self, event: Event) -> None:
        if isinstance(event, OrderEvent):
            self._leaves[event.order_id] = event.leaves_qty
            if event.canceled_qty and event.reason and not isinstance(event, OrderRejected):
                self._note_cancelled(event)
        elif isinstance(event, OrderFilled):
            self._leaves[event.order_id] = event.leaves_qty
        elif isinstance(event, Trade):
            self._trades.append(event)
        elif isinstance(event, LevelChanged):
            self._levels[event.side][event.price] = event.qty
            if not event.qty:
                del self._levels[event.side][event.price]
        elif isinstance(event, BalanceChanged):
            self._cash[event.account] = (event.cash, event.reserved_cash)
        elif isinstance(event, PositionChanged):
            self._shares[event.account] = event.qty
        elif isinstance(event, AuctionUncrossed):
            self._uncrossed = Uncrossed(event.price, event.qty)
        elif isinstance(event, AuctionExtended):
            self._uncrossed = Uncrossed(0, 0)
            self._vi_triggered = True
        elif isinstance(event, PhaseChanged):
            self._vi_triggered |= event.reason in (Reason.VI_DYNAMIC, Reason.VI_STATIC)

    def _note_cancelled(self, event: OrderEvent) -> None:
        """An order whose remainder the engine itself ended, its owner not having asked."""
        if event.reason != Reason.CORRECTED_TO_ZERO:
            self._cancelled.append(event.order_id)

    def _forget_history(self) -> None:
        self._trades = []
        self._cancelled = []
        self._uncrossed = None
        self._vi_triggered = False


def _krx_instrument(market: Market) -> ListInstrument:
    try:
        security, board = Security.parse(market.security), Board.parse(market.board.lower())
    except KeyError as error:
        raise CannotPlayError(f"there is no board or security {error}") from None
    return ListInstrument(
        symbol=b"ONE",
        base_price=market.base_price,
        limit_ppm=packs.KRX_LIMIT_PPM,
        tick_table=tick_table(security),
        board=board,
        security=security,
    )


def _ppm(per_cent: float) -> int:
    return round(per_cent * (PPM // 100))


def _nobody(step: Step) -> str:
    """The label of an account that belongs to this order alone."""
    return f"(owner of {step.id})"


def _word(words: Any, label: str) -> int:
    """The number of a word; 0, which no word has, for one that does not exist."""
    try:
        return int(words.parse(label))
    except KeyError:
        return 0


def _command(cls: type[Command], **fields: Any) -> Command | None:
    """The command; None where a number is not an integer that a command can carry, as the API's form check would say."""
    command = cls(**fields)
    try:
        encode_command(command)
    except struct.error:
        return None
    return command
